"""What is asked of PredNet: a config, its arithmetic, and its peers."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ml_collections import ConfigDict

from benchmarks.alternation import Side
from configs import prednet_kitti
from vid_jax.tasks.base import make_task

TARGET = ">= 1.0, aim 1.3"
SIZE = {"data.frame_size": (128, 160), "train.batch_size": 4}
SMALL_SIZE = {"data.frame_size": (32, 40), "train.batch_size": 4}
FRAME_SIZES = ((128, 160),)
GROWTH = {"data.num_frames": (0.5, 1, 2)}


def of_frame_size(size: Sequence[int]) -> dict[str, Any]:
    """The config key of the frame size."""
    return {"data.frame_size": tuple(size)}


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
    sizes = config.data.num_frames, *config.data.frame_size, config.data.channels
    window = "x".join(map(str, sizes))
    return f"PredNet {window}, {dtype(config)}, batch {config.train.batch_size}"


def dtype(config: ConfigDict) -> str:
    """The same for all configs."""
    return "float32"


def forward_flops(config: ConfigDict) -> float:
    """Floating-point operations of a batch's forward pass; those of the gates and the like are not counted.

    A convolution counts as many as it takes directly, whatever a side really does.
    """
    network = make_task(config).network
    sizes, R_sizes = network.stack_sizes, network.R_stack_sizes
    top = len(sizes) - 1
    products = 0
    for layer, (size, R_size) in enumerate(zip(sizes, R_sizes)):
        inputs = 2 * size + R_size + (R_sizes[layer + 1] if layer < top else 0)
        weights = network.R_filter_sizes[layer] ** 2 * inputs * 4 * R_size
        weights += network.Ahat_filter_sizes[layer] ** 2 * R_size * size
        if layer < top:
            weights += network.A_filter_sizes[layer] ** 2 * 2 * size * sizes[layer + 1]
        products += weights * math.prod(config.data.frame_size) // 4**layer
    return 2.0 * products * config.data.num_frames * config.train.batch_size


def training_peers(config: ConfigDict) -> list[Side]:
    """The same step in PyTorch."""
    task, optimizer = make_task(config), config.optimizer
    arguments = _torch_arguments(config) | {
        "layer_weights": task.layer_loss_weights,
        "time_weights": task.time_loss_weights,
        "learning_rate": optimizer.learning_rate,
        "betas": (optimizer.b1, optimizer.b2),
    }
    return [_torch_side("train_step", arguments, 3 * forward_flops(config))]


def scoring_peers(config: ConfigDict) -> list[Side]:
    """In PyTorch, from windows to the squared error of every frame."""
    return [_torch_side("scoring", _torch_arguments(config), forward_flops(config))]


def torch_network(config: ConfigDict) -> dict[str, tuple[int, ...]]:
    """The arguments of the peer's network."""
    network = make_task(config).network
    names = (
        "stack_sizes",
        "R_stack_sizes",
        "A_filter_sizes",
        "Ahat_filter_sizes",
        "R_filter_sizes",
    )
    return {name: getattr(network, name) for name in names}


def _torch_arguments(config: ConfigDict) -> dict[str, Any]:
    data = config.data
    shape = (config.train.batch_size, data.num_frames, data.channels, *data.frame_size)
    return {"network": torch_network(config), "shape": shape}


def _torch_side(function: str, arguments: dict[str, Any], flops: float) -> Side:
    build = f"benchmarks.peers.prednet_torch:{function}"
    return Side("PyTorch float32", build, arguments, requires="torch", flops=flops)
