"""What is asked of the key clips' autoencoder: a config, its arithmetic, and its peers."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from ml_collections import ConfigDict

from benchmarks.alternation import Side
from configs import keyclip_caltech256
from vid_jax.models.keyclip_autoencoder import CHANGES

TARGET = ">= 1.0, aim 1.3"
SIZE = {"data.frame_size": (96, 192), "train.batch_size": 32}
SMALL_SIZE = {"data.frame_size": (48, 96), "train.batch_size": 16}
FRAME_SIZES = ((96, 192),)
GROWTH = {"data.frame_size": (0.5, 1, 2), "train.batch_size": (0.5, 1, 2)}

_TAPS = {"keep": 9, "halve": 16, "double": 16}
_SCALE = {"keep": 1, "halve": 0.5, "double": 2}


def of_frame_size(size: Sequence[int]) -> dict[str, Any]:
    """The config key of the size of an image."""
    return {"data.frame_size": tuple(size)}


def make_config(variant: str = "", changes: Mapping[str, Any] | None = None) -> ConfigDict:
    """A variant of configs/keyclip_caltech256.py as it is compared.

    Args:
        changes: config keys, such as `train.batch_size`, and their values.
    """
    config = keyclip_caltech256.get_config(variant)
    config.lock()
    config.update_from_flattened_dict(changes or {})
    return config


def training_configs(changes: Mapping[str, Any]) -> list[ConfigDict]:
    """The published network, loss and optimiser."""
    return [make_config("", changes)]


def describe(config: ConfigDict) -> str:
    """The image, the loss, the type and the batch."""
    height, width = config.data.frame_size
    return (
        f"key clips {height}x{width}, {config.train.loss}, {dtype(config)}, "
        f"batch {config.train.batch_size}"
    )


def dtype(config: ConfigDict) -> str:
    """The type of the products."""
    return config.model.dtype


def forward_flops(config: ConfigDict) -> float:
    """Floating-point operations of a batch's convolutions; BatchNorm, the loss and the like are not counted."""
    model = config.model
    channels = (3, *model.widths, model.latent_channels, *model.widths[::-1], 3)
    scale, products = 1.0, 0.0
    for (inputs, outputs), change in zip(itertools.pairwise(channels), CHANGES, strict=True):
        # A transposed convolution multiplies each of its inputs by all taps, another one each of its outputs.
        places = min(scale, scale * _SCALE[change])
        scale *= _SCALE[change]
        products += places**2 * _TAPS[change] * inputs * outputs
    height, width = config.data.frame_size
    return 2.0 * products * height * width * config.train.batch_size


def training_peers(config: ConfigDict) -> list[Side]:
    """The same step in PyTorch, on images that are floats already."""
    optimizer = config.optimizer
    arguments = _torch_arguments(config) | {
        "alpha": config.train.alpha,
        "learning_rate": optimizer.learning_rate,
        "momentum": optimizer.momentum,
    }
    return [_torch_side("train_step", arguments, 3 * forward_flops(config))]


def scoring_peers(config: ConfigDict) -> list[Side]:
    """In PyTorch, from images that are floats already to latent numbers, reconstructions and their loss."""
    arguments = _torch_arguments(config) | {"alpha": config.train.alpha}
    return [_torch_side("scoring", arguments, forward_flops(config))]


def torch_network(config: ConfigDict) -> dict[str, Any]:
    """The arguments of the peer's network."""
    model = config.model
    return {
        "widths": tuple(model.widths),
        "latent_channels": model.latent_channels,
        "input_norm": model.input_norm,
    }


def _torch_arguments(config: ConfigDict) -> dict[str, Any]:
    shape = (config.train.batch_size, 3, *config.data.frame_size)
    return {"network": torch_network(config), "shape": shape}


def _torch_side(function: str, arguments: dict[str, Any], flops: float) -> Side:
    build = f"benchmarks.peers.keyclip_torch:{function}"
    return Side("PyTorch float32", build, arguments, requires="torch", flops=flops)
