"""Convolutions of 4x4 kernels that halve an image, and transposed ones that double it, fast on CPU in both directions.

Parameters are laid out as in `flax.linen.Conv` and `flax.linen.ConvTranspose` with strides of 2 and padding "SAME". GPU
and TPU use `lax`. On CPU that is good at the halving itself alone; its gradients, the doubling and the doubling's are
Winograd's products, of 2x2 kernels on images whose 2x2 pixels are channels: they need 9/16 of the multiplications.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

_DIMENSIONS = ("NHWC", "HWIO", "NHWC")
_SIDES = ((1, 1), (1, 1))


def halving_conv(
    x: Float[Array, "batch 2*height 2*width in"], kernel: Float[Array, "4 4 in out"]
) -> Float[Array, "batch height width out"]:
    """Correlation of `x`, padded with a zero on each side, at every second place; height and width are even."""
    return lax.platform_dependent(x, kernel, cpu=_halving_products, default=_halving_lax)


def doubling_conv(
    x: Float[Array, "batch height width in"], kernel: Float[Array, "4 4 in out"]
) -> Float[Array, "batch 2*height 2*width out"]:
    """Correlation of `x`, spread over every second place and padded with zeros, two on each side."""
    return lax.platform_dependent(x, kernel, cpu=_doubling_products, default=_doubling_lax)


def _halving_lax(x, kernel):
    return lax.conv_general_dilated(x, kernel, (2, 2), _SIDES, dimension_numbers=_DIMENSIONS)


def _doubling_lax(x, kernel):
    return lax.conv_transpose(x, kernel, (2, 2), "SAME", dimension_numbers=_DIMENSIONS)


@jax.custom_vjp
def _halving_products(x, kernel):
    return _halving_lax(x, kernel)


_halving_products.defvjp(
    lambda x, kernel: (_halving_lax(x, kernel), (x, kernel)),
    lambda saved, dy: jax.vjp(_halving_winograd, *saved)[1](dy),
)


@jax.custom_vjp
def _doubling_products(x, kernel):
    """The transpose of the halving with the mirrored kernel."""
    batch, height, width, _ = x.shape
    y = jax.ShapeDtypeStruct((batch, 2 * height, 2 * width, kernel.shape[3]), x.dtype)
    (doubled,) = jax.linear_transpose(lambda y: _halving_winograd(y, _mirrored(kernel)), y)(x)
    return doubled


def _doubling_backward(saved, dy):
    x, kernel = saved
    mirrored = _mirrored(kernel)
    (dk,) = jax.linear_transpose(lambda kernel: _halving_winograd(dy, kernel), mirrored)(x)
    return _halving_lax(dy, lax.optimization_barrier(mirrored)), _mirrored(dk)


_doubling_products.defvjp(
    lambda x, kernel: (_doubling_products(x, kernel), (x, kernel)), _doubling_backward
)


def _mirrored(kernel):
    """From the kernel (4, 4, in, out) of the doubling to that (4, 4, out, in) of its transpose, and back."""
    return jnp.flip(kernel, (0, 1)).swapaxes(2, 3)


def _halving_winograd(x, kernel):
    """Tiles of 2x2 outputs, each from 3x3 inputs: a product over the channels for each of 9 places.

    F(2x2, 2x2) of Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (CVPR 2016).
    """
    blocks, taps = _blocks(x), _block_taps(kernel)
    batch, height, width = (blocks.shape[0], *(n - 1 for n in blocks.shape[1:3]))
    even = jnp.pad(blocks, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)))
    places = [place @ tap for place, tap in zip(_from_input(even), _from_taps(taps))]
    rows = zip(*(_to_output(*places[column::3]) for column in range(3)))
    tiles = jnp.stack([jnp.stack(_to_output(*row), axis=3) for row in rows], axis=2)
    joined = tiles.reshape(batch, height + height % 2, width + width % 2, -1)
    return joined[:, :height, :width]


def _blocks(x):
    """The padded image's 2x2 pixels as channels of one."""
    x = jnp.pad(x, ((0, 0), *_SIDES, (0, 0)))
    batch, height, width, channels = x.shape
    x = x.reshape(batch, height // 2, 2, width // 2, 2, channels).swapaxes(2, 3)
    return x.reshape(batch, height // 2, width // 2, 4 * channels)


def _block_taps(kernel):
    """The taps (2, 2, 4 in, out) on such channels."""
    inputs, outputs = kernel.shape[2:]
    kernel = kernel.reshape(2, 2, 2, 2, inputs, outputs).swapaxes(1, 2)
    return kernel.reshape(2, 2, 4 * inputs, outputs)


def _from_input(x) -> list[Array]:
    """9 arrays (batch, rows, columns, channel), of the places of a 3x3 tile, row by row."""
    rows, columns = (n - 1 for n in x.shape[1:3])

    def differences(first, second, third):
        return first - second, second, third - second

    return [
        place
        for row in differences(*(x[:, i : i + rows : 2] for i in range(3)))
        for place in differences(*(row[:, :, j : j + columns : 2] for j in range(3)))
    ]


def _from_taps(taps) -> list[Array]:
    def sums(first, second):
        return first, first + second, second

    return [place for row in sums(*taps) for place in sums(*row)]


def _to_output(first, second, third) -> tuple[Array, Array]:
    return first + second, second + third
