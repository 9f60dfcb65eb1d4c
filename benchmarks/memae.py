"""What is asked of MemAE: a config, its arithmetic, and its peers."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ml_collections import ConfigDict

from benchmarks.alternation import Side
from configs import memae_ped2
from vid_jax.errors import UserError

TARGET = ">= 1.0, aim 1.5"
SIZE = {"data.frame_size": (128, 128), "train.batch_size": 2}
SMALL_SIZE = SIZE
FRAME_SIZES = ((128, 128), (256, 256))
GROWTH = {
    "data.num_frames": (0.5, 1, 2),
    "data.frame_size": (0.5, 1, 2),  # of height and width
    "train.batch_size": (1, 2, 4),
    "model.memory_slots": (0.25, 0.5, 1, 2),
}

_TAPS = 27


def of_frame_size(size: Sequence[int]) -> dict[str, Any]:
    """The config key of the frame size."""
    return {"data.frame_size": tuple(size)}


def make_config(variant: str = "", changes: Mapping[str, Any] | None = None) -> ConfigDict:
    """A variant of configs/memae_ped2.py as it is compared: no dropout, as published, and Adam.

    Args:
        changes: config keys, such as `train.batch_size`, and their values.
    """
    config = memae_ped2.get_config(variant)
    config.model.encoder_drop_rates = config.model.decoder_drop_rates = (0.0,) * 4
    config.optimizer.name = "adam"
    config.lock()
    config.update_from_flattened_dict(changes or {})
    return config


def training_configs(changes: Mapping[str, Any]) -> list[ConfigDict]:
    """Full width in both types, and the small network at the size of its crops."""
    types = "float32", "bfloat16"
    full = [make_config("", {**changes, "model.dtype": dtype}) for dtype in types]
    small = make_config("cpu")
    small.data.frame_size, small.data.random_crop = small.data.random_crop, (0, 0)
    small.data.pseudo_anomaly_probability = small.data.pseudo_anomaly_margin = 0.0
    return [*full, small]


def describe(config: ConfigDict) -> str:
    """The window, the type and the batch."""
    window = "x".join(map(str, (config.data.num_frames, *config.data.frame_size)))
    return f"MemAE {window}, {dtype(config)}, batch {config.train.batch_size}"


def dtype(config: ConfigDict) -> str:
    """The type of the convolutions."""
    return config.model.dtype


def forward_flops(config: ConfigDict) -> float:
    """Floating-point operations of the forward pass of a batch; those of BatchNorm and the like are not counted.

    A decoder layer costs what its mirror image in the encoder costs. A training step costs three times as much.
    """
    widths = [config.data.channels, *_widths(config)]
    positions = config.data.num_frames * math.prod(config.data.frame_size)
    products = 0
    for inputs, outputs, strides in zip(widths, widths[1:], config.model.strides):
        positions //= math.prod(strides)
        products += 2 * _TAPS * inputs * outputs * positions
    products += 2 * positions * config.model.memory_slots * widths[-1]
    return 2.0 * products * config.train.batch_size


def training_peers(config: ConfigDict) -> list[Side]:
    """The same step in PyTorch, float32; of a bfloat16 config also with autocast."""
    optimizer = config.optimizer
    arguments = _torch_arguments(config) | {
        "entropy_weight": config.train.entropy_weight,
        "learning_rate": optimizer.learning_rate,
        "betas": (optimizer.b1, optimizer.b2),
    }
    types = {"PyTorch float32": False}
    if dtype(config) == "bfloat16":
        types["PyTorch bfloat16 autocast"] = True
    flops = 3 * forward_flops(config)
    return [
        _torch_side(name, "train_step", arguments | {"autocast": autocast}, flops)
        for name, autocast in types.items()
    ]


def scoring_peers(config: ConfigDict) -> list[Side]:
    """The same scores in PyTorch, float32."""
    flops = forward_flops(config)
    return [_torch_side("PyTorch float32", "scoring", _torch_arguments(config), flops)]


def torch_network(config: ConfigDict) -> dict[str, Any]:
    """The arguments of the peer's network."""
    model = config.model
    return {
        "in_channels": config.data.channels,
        "channels": _widths(config),
        "strides": config.model.strides,
        "slots": model.memory_slots,
        "addressing": model.memory_addressing,
        "temperature": model.memory_temperature,
        "shrink_threshold": model.shrink_threshold,
    }


def _widths(config: ConfigDict) -> list[int]:
    return [max(1, round(config.model.width * c)) for c in config.model.channels]


def _torch_arguments(config: ConfigDict) -> dict[str, Any]:
    window = (config.data.num_frames, *config.data.frame_size)
    divisors = [math.prod(axis) for axis in zip(*config.model.strides)]
    if any(n % d for n, d in zip(window, divisors)):
        raise UserError(
            f"a window of {'x'.join(map(str, window))}: PyTorch's side, which does not pad, needs multiples "
            f"of {'x'.join(map(str, divisors))} frames, rows and columns"
        )
    return {
        "network": torch_network(config),
        "shape": (config.train.batch_size, config.data.channels, *window),
        "mean": config.data.mean,
        "std": config.data.std,
    }


def _torch_side(name: str, function: str, arguments: dict[str, Any], flops: float) -> Side:
    build = f"benchmarks.peers.memae_torch:{function}"
    return Side(name, build, arguments, requires="torch", flops=flops)
