"""Convolutions of 4x4 kernels that halve an image, and transposed ones that double it, fast on CPU in both directions.

Parameters are laid out as in `flax.linen.Conv` and `flax.linen.ConvTranspose` with strides of 2 and padding "SAME". GPU
and TPU use `lax`. On CPU that is good at the halving itself alone; the doubling and the gradients are convolutions and
products of 2x2 kernels on images whose blocks of 2x2 pixels are channels.
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
    return lax.platform_dependent(x, kernel, cpu=_halve, default=_halve_lax)


def doubling_conv(
    x: Float[Array, "batch height width in"], kernel: Float[Array, "4 4 in out"]
) -> Float[Array, "batch 2*height 2*width out"]:
    """Correlation of `x`, spread over every second place and padded with zeros, two on each side."""
    return lax.platform_dependent(x, kernel, cpu=_double_mirrored, default=_double_lax)


def _halve_lax(x, kernel):
    return lax.conv_general_dilated(x, kernel, (2, 2), _SIDES, dimension_numbers=_DIMENSIONS)


def _double_lax(x, kernel):
    return lax.conv_transpose(x, kernel, (2, 2), "SAME", dimension_numbers=_DIMENSIONS)


def _double_mirrored(x, kernel):
    """Doubling is the transpose of halving with the mirrored kernel, which has to lie in memory as it is read."""
    return _double(x, lax.optimization_barrier(jnp.flip(kernel, (0, 1)).swapaxes(2, 3)))


@jax.custom_vjp
def _halve(x, kernel):
    return _halve_lax(x, kernel)


_halve.defvjp(
    lambda x, kernel: (_halve_lax(x, kernel), (x, kernel)),
    lambda saved, dy: (_double(dy, saved[1]), _kernel_gradient(saved[0], dy, saved[1])),
)


@jax.custom_vjp
def _double(y, kernel):
    """The transpose of `_halve` with this kernel (4, 4, out, in)."""
    taps = jnp.flip(_block_taps(kernel), (0, 1)).swapaxes(2, 3)
    blocks = lax.conv_general_dilated(y, taps, (1, 1), _SIDES, dimension_numbers=_DIMENSIONS)
    batch, height, width, _ = blocks.shape
    x = blocks.reshape(batch, height, width, 2, 2, -1).swapaxes(2, 3)
    return x.reshape(batch, 2 * height, 2 * width, -1)[:, 1:-1, 1:-1]


_double.defvjp(
    lambda y, kernel: (_double(y, kernel), (y, kernel)),
    lambda saved, dx: (_halve_lax(dx, saved[1]), _kernel_gradient(dx, saved[0], saved[1])),
)


def _kernel_gradient(x, dy, kernel):
    """Of `_halve`: the products, image by image, of `dy` with the blocks of `x` at each block tap's distance.

    In rows of blocks, to whose width `dy` is padded, a tap is a distance, and its operand a slice.
    """
    blocks = _blocks(x)
    width = blocks.shape[2]
    dy = jnp.pad(dy, ((0, 0), (0, 0), (0, 1), (0, 0)))
    length = dy.shape[1] * width - 1

    def add_image(total, image):
        blocks, dy = (pixels.reshape(-1, pixels.shape[-1]) for pixels in image)
        rows = lax.optimization_barrier(dy[:length].T)  # transposed once for all taps
        products = [
            jnp.matmul(rows, blocks[start:][:length], preferred_element_type=jnp.float32)
            for start in (0, 1, width, width + 1)
        ]
        return total + jnp.stack(products), None

    total = jnp.zeros((4, dy.shape[-1], blocks.shape[-1]), jnp.float32)
    total = lax.scan(add_image, total, (blocks, dy))[0].reshape(2, 2, -1, 2, 2, x.shape[-1])
    return total.transpose(0, 3, 1, 4, 5, 2).reshape(kernel.shape).astype(kernel.dtype)


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
