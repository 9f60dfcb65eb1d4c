"""What is asked of PredNet: a config, its arithmetic, and its peer."""

import math
from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from benchmarks.alternation import Side
from configs import prednet_kitti
from vid_jax.tasks.base import make_task

SIZE = {"data.frame_size": (128, 160), "train.batch_size": 4}  # as published
SMALL_SIZE = {"data.frame_size": (32, 40), "train.batch_size": 4}
FRAME_SIZES = ((128, 160),)
GROWTH = {"data.num_frames": (0.5, 1, 2)}


def make_config(variant: str = "", changes: Mapping[str, Any] | None = None) -> ConfigDict:
    """A variant of configs/prednet_kitti.py as it is compared: at one learning rate.

    Args:
        changes: config keys, such as `train.batch_size`, and their values.
    """
    config = prednet_kitti.get_config(variant)
    config.optimizer.schedule = "constant"
    config.lock()
    config.update_from_flattened_dict(changes or {})
    return config


def training_configs(changes: Mapping[str, Any]) -> list[ConfigDict]:
    """The published network."""
    return [make_config("", changes)]


def describe(config: ConfigDict) -> str:
    """The window, the type and the batch."""
    window = "x".join(
        map(str, (config.data.num_frames, *config.data.frame_size, config.data.channels))
    )
    return f"PredNet {window}, {dtype(config)}, batch {config.train.batch_size}"


def dtype(config: ConfigDict) -> str:
    """There is no other."""
    return "float32"


def forward_flops(config: ConfigDict) -> float:
    """Floating-point operations of the convolutions of a batch's forward pass, each done directly."""
    model = config.model
    stack, representation = _stacks(config)
    targets = (*stack[1:], 0)
    above = (*representation[1:], 0)
    products = 0
    for layer, (a, r) in enumerate(zip(stack, representation)):
        weights = model.R_filter_sizes[layer] ** 2 * (2 * a + r + above[layer]) * 4 * r
        weights += model.Ahat_filter_sizes[layer] ** 2 * r * a
        if targets[layer]:
            weights += model.A_filter_sizes[layer] ** 2 * 2 * a * targets[layer]
        products += weights * math.prod(config.data.frame_size) / 4**layer
    return 2.0 * products * config.data.num_frames * config.train.batch_size
