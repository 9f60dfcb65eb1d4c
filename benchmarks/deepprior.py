"""What is asked of DeepPrior++: a config, its arithmetic, and its peers."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from ml_collections import ConfigDict

from benchmarks.alternation import Side
from configs import deepprior_msra15
from vid_jax.errors import UserError
from vid_jax.tasks.base import make_task

TARGET = ">= 1.0, aim 1.3"
SIZE = {"data.crop_size": 128, "train.batch_size": 32}
SMALL_SIZE = {"data.crop_size": 32, "train.batch_size": 32}
FRAME_SIZES = ((128, 128),)
GROWTH = {"data.crop_size": (0.5, 1, 2), "train.batch_size": (0.5, 1, 2)}

_HIDDEN = 1024


def of_frame_size(size: Sequence[int]) -> dict[str, Any]:
    """The config key of the size of a crop, which is square.

    Raises:
        UserError: the size is not.
    """
    height, width = size
    if height != width:
        raise UserError(f"a crop of {height}x{width}: crops of hands are square")
    return {"data.crop_size": height}


def make_config(variant: str = "", changes: Mapping[str, Any] | None = None) -> ConfigDict:
    """A variant of configs/deepprior_msra15.py as it is compared: without augmentation, at one learning rate.

    Args:
        changes: config keys, such as `train.batch_size`, and their values.
    """
    config = deepprior_msra15.get_config(variant)
    config.data.augmentation = config.data.prior_augmentation = ("none",)
    config.optimizer.schedule = "constant"
    config.lock()
    config.update_from_flattened_dict(changes or {})
    return config


def training_configs(changes: Mapping[str, Any]) -> list[ConfigDict]:
    """The published blocks, and those of later implementations."""
    layouts = "shared_preactivation", "separate_skip"
    return [make_config("", {**changes, "model.layout": layout}) for layout in layouts]


def describe(config: ConfigDict) -> str:
    """The crop, the blocks, the type and the batch."""
    size, layout = config.data.crop_size, config.model.layout
    return f"DeepPrior++ {size}x{size}, {layout}, {dtype(config)}, batch {config.train.batch_size}"


def dtype(config: ConfigDict) -> str:
    """The type of the products."""
    return config.model.dtype


def forward_flops(config: ConfigDict) -> float:
    """Floating-point operations of a batch's forward pass; BatchNorm and the like are not counted."""
    model, size = config.model, config.data.crop_size
    products = size**2 * 25 * model.widths[0]
    size //= 2
    for before, width in itertools.pairwise(model.widths):
        for block in range(model.blocks):
            inputs, inner, seen = (width if block else before), width // 4, size
            if inputs != width:
                size //= 2
                products += size**2 * inputs * width
            first = seen if model.layout == "separate_skip" else size
            products += first**2 * inputs * inner + size**2 * inner * (9 * inner + width)
    outputs = make_task(config).network.trunk.outputs
    products += _HIDDEN * (size**2 * model.widths[-1] + _HIDDEN + outputs)
    return 2.0 * products * config.train.batch_size


def training_peers(config: ConfigDict) -> list[Side]:
    """The same step in PyTorch, on crops that are normalised already."""
    optimizer = config.optimizer
    arguments = _torch_arguments(config) | {
        "learning_rate": optimizer.learning_rate,
        "betas": (optimizer.b1, optimizer.b2),
    }
    return [_torch_side("train_step", arguments, 3 * forward_flops(config))]


def scoring_peers(config: ConfigDict) -> list[Side]:
    """In PyTorch, from crops that are normalised already to the prior's coordinates."""
    return [_torch_side("scoring", _torch_arguments(config), forward_flops(config))]


def torch_network(config: ConfigDict) -> dict[str, Any]:
    """The arguments of the peer's network."""
    trunk = make_task(config).network.trunk
    names = "outputs", "widths", "blocks", "layout", "drop_rate"
    return {name: getattr(trunk, name) for name in names} | {"side": config.data.crop_size}


def _torch_arguments(config: ConfigDict) -> dict[str, Any]:
    shape = (config.train.batch_size, 1, config.data.crop_size, config.data.crop_size)
    return {"network": torch_network(config), "shape": shape}


def _torch_side(function: str, arguments: dict[str, Any], flops: float) -> Side:
    build = f"benchmarks.peers.deepprior_torch:{function}"
    return Side("PyTorch float32", build, arguments, requires="torch", flops=flops)
