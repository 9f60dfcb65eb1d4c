"""The convolutional autoencoder whose latent frames are compared to find a video's key clips.

An image of 96x192 becomes 8x12x24 = 2,304 numbers, 24 times fewer, and an image again.
"""

from collections.abc import Sequence

import jax.numpy as jnp
from flax import linen as nn
from flax.linen.dtypes import promote_dtype
from jaxtyping import Array, Float

from vid_jax.models import conv2d, conv2d_resampling
from vid_jax.models.batch_norm import BatchNormReLU

_SLOPE = 0.01  # of LeakyReLU
_EPSILON = 1e-5
HALVINGS = 3

# Of the encoder's layers, and of the decoder's.
_ENCODER = ("keep", "keep", "halve", "halve", "halve")
_DECODER = ("double", "double", "double", "keep", "keep")
CHANGES = _ENCODER + _DECODER

_CONVOLUTIONS = {
    # On frames as large as these XLA's own convolution is faster than Winograd's products, hence not `prepare`.
    "keep": (3, lambda x, kernel: conv2d.conv(x, conv2d.Kernel(kernel, None))),
    "halve": (4, conv2d_resampling.halving_conv),
    "double": (4, conv2d_resampling.doubling_conv),
}


class KeyClipAutoencoder(nn.Module):
    """Convolutions, each followed by a BatchNorm of its own and LeakyReLU; the latent numbers by BatchNorm alone.

    Attributes:
        widths: channels of the encoder's first four layers, and in reverse of the decoder's.
        latent_channels: of the latent numbers.
        input_norm: normalises the channels of the image, too.
        batch_norm_momentum: of the running statistics.
        dtype: of the convolutions.
    """

    widths: Sequence[int] = (32, 64, 128, 64)
    latent_channels: int = 8
    input_norm: bool = True
    batch_norm_momentum: float = 0.9
    dtype: jnp.dtype = jnp.float32

    def setup(self):
        settings = {"batch_norm_momentum": self.batch_norm_momentum, "dtype": self.dtype}
        self.encoder = Encoder(self.widths, self.latent_channels, self.input_norm, **settings)
        self.decoder = Decoder(self.widths, **settings)

    def __call__(
        self, image: Float[Array, "batch height width 3"], train: bool
    ) -> Float[Array, "batch height width 3"]:
        """The reconstruction, in [-1, 1] as the image; `train` normalises with the batch's own statistics."""
        return self.decoder(self.encoder(image, train), train)

    def encode(
        self, image: Float[Array, "batch height width 3"], train: bool
    ) -> Float[Array, "batch height/8 width/8 latent"]:
        """The latent numbers."""
        return self.encoder(image, train)

    def decode(
        self, latent: Float[Array, "batch height/8 width/8 latent"], train: bool
    ) -> Float[Array, "batch height width 3"]:
        """The image of latent numbers."""
        return self.decoder(latent, train)


class Encoder(nn.Module):
    """See `KeyClipAutoencoder`."""

    widths: Sequence[int]
    latent_channels: int
    input_norm: bool
    batch_norm_momentum: float
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x, train: bool):
        if self.input_norm:
            x = _norm(self, train, "input_norm", 1.0)(x)
        channels = (*self.widths, self.latent_channels)
        for layer, (change, features) in enumerate(zip(_ENCODER, channels, strict=True), start=1):
            y, bias = Convolution(features, change, self.dtype, name=f"conv_{layer}")(x)
            slope = 1.0 if layer == len(channels) else _SLOPE
            x = _norm(self, train, f"norm_{layer}", slope)(y, bias)
        return x.astype(jnp.float32)


class Decoder(nn.Module):
    """See `KeyClipAutoencoder`."""

    widths: Sequence[int]
    batch_norm_momentum: float
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x, train: bool):
        *changes, last = _DECODER
        layers = zip(changes, self.widths[::-1], strict=True)
        for layer, (change, features) in enumerate(layers, start=1):
            y, bias = Convolution(features, change, self.dtype, name=f"conv_{layer}")(x)
            x = _norm(self, train, f"norm_{layer}", _SLOPE)(y, bias)
        y, bias = Convolution(3, last, self.dtype, name=f"conv_{len(_DECODER)}")(x)
        return jnp.tanh((y + bias).astype(jnp.float32))


class Convolution(nn.Module):
    """A convolution that keeps, halves or doubles height and width, and its bias apart, for a BatchNorm that follows.

    A transposed convolution that keeps the size is one that is not transposed, with the kernel that Flax gives it.
    """

    features: int
    change: str  # keep, halve, double
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Array) -> tuple[Array, Array]:
        size, apply = _CONVOLUTIONS[self.change]
        shape = (size, size, x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.he_normal(), shape)
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        x, kernel, bias = promote_dtype(x, kernel, bias, dtype=self.dtype)
        return apply(x, kernel), bias


def _norm(module: nn.Module, train: bool, name: str, negative_slope: float) -> BatchNormReLU:
    momentum = module.batch_norm_momentum
    return BatchNormReLU(not train, momentum, _EPSILON, negative_slope=negative_slope, name=name)
