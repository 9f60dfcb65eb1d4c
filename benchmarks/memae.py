"""What is asked of MemAE: a config, its arithmetic, and the sides that do it."""

import argparse
import functools
import math
from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from benchmarks.alternation import Side
from benchmarks.results import positive
from configs import memae_ped2
from vid_jax.errors import UserError

_STRIDES = ((1, 2, 2), (2, 2, 2), (2, 2, 2), (2, 2, 2))  # time, height, width
_DIVISORS = (8, 16, 16)
_TAPS = 27


def make_config(variant: str = "", changes: Mapping[str, Any] | None = None) -> ConfigDict:
    """A variant of configs/memae_ped2.py as it is compared: no dropout, as published, and Adam.

    Args:
        changes: config keys, such as `train.batch_size`, and their values.
    """
    config = memae_ped2.get_config(variant)
    config.model.encoder_drop_rates = config.model.decoder_drop_rates = (0.0,) * 4
    config.optimizer.name = "adam"
    config.lock()
    for key, value in (changes or {}).items():
        *groups, name = key.split(".")
        functools.reduce(getattr, groups, config)[name] = value
    return config


def add_size_arguments(parser: argparse.ArgumentParser, batch_size: int = 2) -> None:
    """The flags of a window's frame size and of the batch."""
    parser.add_argument(
        "--frame_size", type=positive, nargs=2, default=(128, 128), metavar=("H", "W")
    )
    parser.add_argument("--batch_size", type=positive, default=batch_size)


def size_changes(arguments: argparse.Namespace) -> dict[str, Any]:
    """The config keys that those flags stand for."""
    return {
        "data.frame_size": tuple(arguments.frame_size),
        "train.batch_size": arguments.batch_size,
    }


def describe(config: ConfigDict) -> str:
    """The window, the type and the batch."""
    window = "x".join(map(str, (config.data.num_frames, *config.data.frame_size)))
    return f"{window}, {config.model.dtype}, batch {config.train.batch_size}"


def forward_flops(config: ConfigDict) -> float:
    """Floating-point operations of the forward pass of a batch; those of BatchNorm and the like are not counted.

    A decoder layer costs what its mirror image in the encoder costs. A training step costs three times as much.
    """
    widths = [config.data.channels, *_widths(config)]
    positions = config.data.num_frames * math.prod(config.data.frame_size)
    products = 0
    for inputs, outputs, strides in zip(widths, widths[1:], _STRIDES):
        positions //= math.prod(strides)
        products += 2 * _TAPS * inputs * outputs * positions
    products += 2 * positions * config.model.memory_slots * widths[-1]
    return 2.0 * products * config.train.batch_size


def our_training(config: ConfigDict, name: str = "vid_jax", **environment: str) -> Side:
    """The training step of `train_lib`; `environment` are variables of its process."""
    arguments = {"config": config.to_json()}
    flops = 3 * forward_flops(config)
    return Side(name, "benchmarks.ours:train_step", arguments, environment, flops=flops)


def our_scoring(config: ConfigDict) -> Side:
    """The scores that an evaluation asks for, from windows in memory."""
    arguments = {"config": config.to_json()}
    return Side("vid_jax", "benchmarks.ours:scoring", arguments, flops=forward_flops(config))


def torch_training(config: ConfigDict, autocast: bool = False) -> Side:
    """The same step in PyTorch, float32 or with bfloat16 autocast."""
    optimizer = config.optimizer
    arguments = _torch_arguments(config) | {
        "entropy_weight": config.train.entropy_weight,
        "learning_rate": optimizer.learning_rate,
        "betas": (optimizer.b1, optimizer.b2),
        "autocast": autocast,
    }
    name = f"PyTorch {'bfloat16 autocast' if autocast else 'float32'}"
    flops = 3 * forward_flops(config)
    return Side(
        name, "benchmarks.peers.memae_torch:train_step", arguments, requires="torch", flops=flops
    )


def torch_scoring(config: ConfigDict) -> Side:
    """The same scores in PyTorch, float32."""
    return Side(
        "PyTorch float32",
        "benchmarks.peers.memae_torch:scoring",
        _torch_arguments(config),
        requires="torch",
        flops=forward_flops(config),
    )


def torch_network(config: ConfigDict) -> dict[str, Any]:
    """The arguments of the peer's network."""
    model = config.model
    return {
        "in_channels": config.data.channels,
        "channels": _widths(config),
        "slots": model.memory_slots,
        "addressing": model.memory_addressing,
        "temperature": model.memory_temperature,
        "shrink_threshold": model.shrink_threshold,
    }


def _widths(config: ConfigDict) -> list[int]:
    return [max(1, round(config.model.width * c)) for c in config.model.channels]


def _torch_arguments(config: ConfigDict) -> dict[str, Any]:
    window = (config.data.num_frames, *config.data.frame_size)
    if any(n % d for n, d in zip(window, _DIVISORS)):
        raise UserError(
            f"a window of {'x'.join(map(str, window))}: PyTorch's side, which does not pad, needs multiples "
            f"of {'x'.join(map(str, _DIVISORS))} frames, rows and columns"
        )
    return {
        "network": torch_network(config),
        "shape": (config.train.batch_size, config.data.channels, *window),
        "mean": config.data.mean,
        "std": config.data.std,
    }
