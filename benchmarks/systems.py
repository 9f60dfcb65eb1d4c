"""What is measured of every system: which there are, our sides, and the flags that choose systems and sizes."""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ml_collections import ConfigDict

from benchmarks import deepprior, keyclip, memae, prednet
from benchmarks.alternation import Side
from benchmarks.results import positive
from vid_jax.allocator import TUNABLES


class System(Protocol):
    """A system's module: configs, arithmetic and peers."""

    TARGET: str  # PyTorch's seconds over ours
    SIZE: Mapping[str, Any]  # config keys and values at which a step is measured
    SMALL_SIZE: Mapping[str, Any]  # and from which its growth is
    FRAME_SIZES: Sequence[tuple[int, int]]  # that are scored
    GROWTH: Mapping[str, Sequence[float]]  # config keys, and what they are multiplied by

    def of_frame_size(self, size: Sequence[int]) -> dict[str, Any]:
        """Config keys, and their values for frames of that height and width."""

    def make_config(
        self, variant: str = "", changes: Mapping[str, Any] | None = None
    ) -> ConfigDict:
        """A variant as it is compared; `changes` are config keys, such as `train.batch_size`, and their values."""

    def training_configs(self, changes: Mapping[str, Any]) -> list[ConfigDict]:
        """What is trained."""

    def describe(self, config: ConfigDict) -> str:
        """System, window, type and batch."""

    def dtype(self, config: ConfigDict) -> str:
        """The type of the products."""

    def forward_flops(self, config: ConfigDict) -> float:
        """Floating-point operations of a batch's forward pass; a training step costs three times as much."""

    def training_peers(self, config: ConfigDict) -> list[Side]:
        """The training step in PyTorch, float32 first."""

    def scoring_peers(self, config: ConfigDict) -> list[Side]:
        """The scores in PyTorch."""


SYSTEMS: Mapping[str, System] = {
    "memae": memae,
    "prednet": prednet,
    "deepprior": deepprior,
    "keyclip": keyclip,
}


def our_training(
    system: System, config: ConfigDict, name: str = "vid_jax", **environment: str
) -> Side:
    """The training step of `train_lib`, as main.py starts it; `environment` are more variables of its process."""
    arguments = {"config": config.to_json()}
    flops = 3 * system.forward_flops(config)
    return Side(name, "benchmarks.ours:train_step", arguments, TUNABLES | environment, flops=flops)


def our_scoring(system: System, config: ConfigDict) -> Side:
    """What an evaluation asks of windows in memory."""
    arguments = {"config": config.to_json()}
    flops = system.forward_flops(config)
    return Side("vid_jax", "benchmarks.ours:scoring", arguments, TUNABLES, flops=flops)


def our_compilation(config: ConfigDict, name: str = "vid_jax") -> Side:
    """From a config to the compiled training step."""
    return Side(name, "benchmarks.ours:compilation", {"config": config.to_json()})


def add_system_argument(parser: argparse.ArgumentParser) -> None:
    """The flag that chooses systems; `chosen` reads it."""
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=[*SYSTEMS])


def chosen(arguments: argparse.Namespace) -> list[System]:
    """The systems that the flag names."""
    return [SYSTEMS[name] for name in arguments.systems]


def add_size_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of a window's frame size and of the batch; `size_changes` reads them."""
    parser.add_argument("--frame_size", type=positive, nargs=2, metavar=("H", "W"))
    parser.add_argument("--batch_size", type=positive)


def size_changes(
    arguments: argparse.Namespace, system: System, default: Mapping[str, Any]
) -> dict[str, Any]:
    """The config keys that those flags stand for; where a flag is not given, `default` holds."""
    changes = dict(default)
    if arguments.frame_size:
        changes |= system.of_frame_size(arguments.frame_size)
    if arguments.batch_size:
        changes["train.batch_size"] = arguments.batch_size
    return changes
