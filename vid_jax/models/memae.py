"""MemAE, the memory-augmented 3-D convolutional autoencoder, and the plain autoencoder it extends.

Gong et al., "Memorizing Normality to Detect Anomaly: Memory-augmented Deep Autoencoder for Unsupervised
Anomaly Detection", ICCV 2019 (arXiv 1904.02639); layer table as in the authors' published network.
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from vid_jax.models.batch_norm import BatchNormReLU
from vid_jax.models.conv3d import Conv3D, ConvTranspose3D
from vid_jax.models.matrix_product import product

CHANNELS = (96, 128, 256, 256)
STRIDES = ((1, 2, 2), (2, 2, 2), (2, 2, 2), (2, 2, 2))
ADDRESSING = ("cosine", "dot")
_KERNEL = (3, 3, 3)
_EPSILON = 1e-5


def hard_shrink(
    weights: Float[Array, "*batch slots"], threshold: float
) -> Float[Array, "*batch slots"]:
    """Sets weights up to `threshold` to zero and rescales the survivors to sum to 1.

    A row without survivors stays all zero, in value and in gradient (section 3.3.2 of the paper).
    """
    shrunk = jnp.where(weights > threshold, weights, 0.0)
    return shrunk / jnp.maximum(shrunk.sum(-1, keepdims=True), 1e-12)


class Memory(nn.Module):
    """Reads each query as a sparse convex combination of learned slots (section 3.3 of the paper).

    Attributes:
        slots: number of memory items.
        addressing: "cosine" (the paper's equation 5, divided by `temperature`) or "dot", the raw product of
            the published code. Plain cosine logits lie in [-1, 1], which over 2,000 slots bounds the largest
            weight below any useful threshold: with them every query loses all its slots.
        temperature: divides the cosine.
        shrink_threshold: weights up to it are set to zero.
    """

    slots: int
    addressing: str
    temperature: float
    shrink_threshold: float

    @nn.compact
    def __call__(
        self, queries: Float[Array, "*batch dim"]
    ) -> tuple[Float[Array, "*batch dim"], Float[Array, "*batch slots"]]:
        *positions, dim = queries.shape
        queries = queries.reshape(-1, dim).astype(jnp.float32)
        memory = self.param("slots", _uniform(1 / math.sqrt(dim)), (self.slots, dim))
        if self.addressing == "cosine":
            logits = product(_unit(queries), _unit(memory).T) / self.temperature
        else:
            logits = product(queries, memory.T)
        weights = hard_shrink(jax.nn.softmax(logits), self.shrink_threshold)
        read = product(weights, memory)
        return read.reshape(*positions, dim), weights.reshape(*positions, self.slots)


class MemAE(nn.Module):
    """Encoder, memory, decoder; input and output are video in [-1, 1].

    Sizes that the strides do not divide (the published ones: 8 in time, 16 in height and width) are padded by
    repeating the edge and cropped after the decoder.

    Attributes:
        channels: of the blocks of the encoder; the decoder mirrors them.
        strides: of the same blocks, in time, height and width. Their products are what a query stands for.
        width: multiplies the channels.
        memory_slots: 0 gives the plain autoencoder, without memory.
        memory_addressing, memory_temperature, shrink_threshold: see `Memory`.
        encoder_drop_rates, decoder_drop_rates: spatial dropout (whole feature maps) after each block; the
            decoder's last block is the output layer and has none.
        batch_norm_momentum: of the running statistics.
        remat: recomputes each block in the backward pass; the result is the same with less memory.
        dtype: of the convolutions; memory, statistics and output are float32.
    """

    channels: tuple[int, ...] = CHANNELS
    strides: tuple[tuple[int, int, int], ...] = STRIDES
    width: float = 1.0
    memory_slots: int = 2000
    memory_addressing: str = "cosine"
    memory_temperature: float = 0.05
    shrink_threshold: float = 0.0025
    encoder_drop_rates: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)
    decoder_drop_rates: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)
    batch_norm_momentum: float = 0.9
    remat: bool = False
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(
        self, video: Float[Array, "batch time height width channel"], train: bool
    ) -> tuple[
        Float[Array, "batch time height width channel"],
        Float[Array, "batch t h w slots"] | None,
    ]:
        """Returns the reconstruction and the memory weights (None without memory)."""
        block = functools.partial(
            nn.remat(Block, static_argnums=(2,)) if self.remat else Block,
            batch_norm_momentum=self.batch_norm_momentum,
            dtype=self.dtype,
        )
        widths = [max(1, round(self.width * c)) for c in self.channels]
        padded, crop = _pad_to_strides(video, self.strides)

        x = padded
        for i, (channels, strides, rate) in enumerate(
            zip(widths, self.strides, self.encoder_drop_rates, strict=True)
        ):
            x = block(Conv3D, channels, strides, rate, name=f"encoder_{i}")(x, train)

        weights = None
        if self.memory_slots:
            x, weights = Memory(
                self.memory_slots,
                self.memory_addressing,
                self.memory_temperature,
                self.shrink_threshold,
                name="memory",
            )(x)

        for i, (channels, strides, rate) in enumerate(
            zip(reversed(widths[:-1]), reversed(self.strides[1:]), self.decoder_drop_rates)
        ):
            x = block(ConvTranspose3D, channels, strides, rate, name=f"decoder_{i}")(x, train)
        output = _convolution(
            ConvTranspose3D, video.shape[-1], self.strides[0], x, self.dtype, name="output"
        )
        return output(x).astype(jnp.float32)[crop], weights


class Block(nn.Module):
    """Convolution, BatchNorm, LeakyReLU(0.2), spatial dropout."""

    layer: type[Conv3D]
    features: int
    strides: tuple[int, int, int]
    drop_rate: float
    batch_norm_momentum: float
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        convolution = _convolution(
            self.layer, self.features, self.strides, x, self.dtype, bias_apart=True, name="conv"
        )
        x = BatchNormReLU(
            use_running_average=not train,
            momentum=self.batch_norm_momentum,
            epsilon=_EPSILON,
            negative_slope=0.2,
            scale_init=_normal_around_one,
            name="BatchNorm_0",
        )(*convolution(x))
        return nn.Dropout(self.drop_rate, broadcast_dims=(1, 2, 3))(x, deterministic=not train)


def _convolution(
    layer: type[Conv3D], features: int, strides, x: Array, dtype, **settings: Any
) -> Conv3D:
    """The published kernel, padding and initialisation; sizes go from n to n / stride, or back."""
    transposed = layer is ConvTranspose3D
    fan_in = math.prod(_KERNEL) * (features if transposed else x.shape[-1])
    return layer(
        features,
        _KERNEL,
        strides,
        tuple((1, s if transposed else 1) for s in strides),
        kernel_init=nn.initializers.normal(0.02),
        bias_init=_uniform(1 / math.sqrt(fan_in)),
        dtype=dtype,
        **settings,
    )


def _pad_to_strides(video: Array, strides) -> tuple[Array, tuple[slice, ...]]:
    total = [math.prod(axis) for axis in zip(*strides)]
    lacking = [-n % s for n, s in zip(video.shape[1:-1], total)]
    padding = [(n // 2, n - n // 2) for n in lacking]
    crop = tuple(slice(low, low + n) for (low, _), n in zip(padding, video.shape[1:-1]))
    padded = jnp.pad(video, [(0, 0), *padding, (0, 0)], mode="edge")
    return padded, (slice(None), *crop)


def _unit(x: Array) -> Array:
    return x * jax.lax.rsqrt(jnp.sum(x * x, -1, keepdims=True) + 1e-12)


def _normal_around_one(key, shape, dtype=jnp.float32) -> Array:
    return 1 + 0.02 * jax.random.normal(key, shape, dtype)


def _uniform(bound: float) -> nn.initializers.Initializer:
    return lambda key, shape, dtype=jnp.float32: jax.random.uniform(
        key, shape, dtype, -bound, bound
    )
