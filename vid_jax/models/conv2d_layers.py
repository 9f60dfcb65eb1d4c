"""Convolutions with one stride and one width of padding, for networks of many 1x1 kernels.

Parameters are laid out as in `flax.linen.Conv`. A 1x1 kernel is a matrix product.
"""

from collections.abc import Callable

import jax.numpy as jnp
from flax import linen as nn
from flax.linen.dtypes import promote_dtype
from jax import lax
from jaxtyping import Array, Float

from vid_jax.models.conv2d_pooled import conv_max_pool
from vid_jax.models.matrix_product import product

_DIMENSIONS = ("NHWC", "HWIO", "NHWC")


def _no_bias(inputs: int) -> nn.initializers.Initializer:
    return nn.initializers.zeros


class Conv2D(nn.Module):
    """Correlation with a square kernel.

    Attributes:
        features: channels of the output.
        size: of the kernel.
        stride: in height and width.
        padding: zeros on each of the four sides.
        pooled: takes the maximum of 2x2 neighbours; of one channel, with stride 1 and unchanged size.
        bias_apart: returns (output without bias, bias), for a BatchNorm that follows.
        kernel_init: initialiser.
        bias_init: from the number of inputs that an output sums to an initialiser.
        dtype: of the computation.
    """

    features: int
    size: int
    stride: int = 1
    padding: int = 0
    pooled: bool = False
    bias_apart: bool = False
    kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()
    bias_init: Callable[[int], nn.initializers.Initializer] = _no_bias
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "batch height width in"]) -> Array | tuple[Array, Array]:
        shape = (self.size, self.size, x.shape[-1], self.features)
        kernel = self.param("kernel", self.kernel_init, shape)
        bias = self.param("bias", self.bias_init(self.size**2 * x.shape[-1]), (self.features,))
        x, kernel, bias = promote_dtype(x, kernel, bias, dtype=self.dtype)
        if self.pooled:
            return conv_max_pool(x, kernel, bias)
        y = conv(x, kernel, self.stride, self.padding)
        return (y, bias) if self.bias_apart else y + bias


def conv(
    x: Float[Array, "batch height width in"],
    kernel: Float[Array, "size size in out"],
    stride: int,
    padding: int,
) -> Float[Array, "batch height2 width2 out"]:
    """Correlation of `x`, padded on all sides, at every `stride`th place."""
    if kernel.shape[0] == 1 and not padding:
        x = x[:, ::stride, ::stride]
        y = product(x.reshape(-1, x.shape[-1]), kernel[0, 0])
        return y.reshape(*x.shape[:-1], -1)
    sides = ((padding, padding),) * 2
    return lax.conv_general_dilated(
        x, kernel, (stride, stride), sides, dimension_numbers=_DIMENSIONS
    )
