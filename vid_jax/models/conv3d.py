"""3-D convolutions and transposed convolutions with explicit padding, fast on CPU.

GPU and TPU use `lax.conv_general_dilated`, CPU the matrix products of `conv3d_products`. Parameters are laid out
as in `flax.linen.Conv` and `flax.linen.ConvTranspose`, so checkpoints do not depend on the path.
"""

from collections.abc import Callable

import jax.numpy as jnp
from flax import linen as nn
from flax.linen.dtypes import promote_dtype
from jax import lax
from jaxtyping import Array, Float

from vid_jax.models import conv3d_products
from vid_jax.models.conv3d_products import Padding, Strides, output_size, transposed_size

_DIMENSIONS = ("NDHWC", "DHWIO", "NDHWC")
PATHS = ("auto", "lax", "products")


def conv(
    x: Float[Array, "batch time height width in"],
    kernel: Float[Array, "kt kh kw in out"],
    strides: Strides,
    padding: Padding,
    path: str = "auto",
) -> Float[Array, "batch time2 height2 width2 out"]:
    """Strided correlation of `x` with `kernel`, as `lax.conv_general_dilated` without dilation, in float32.

    Args:
        path: "lax", "products" (`conv3d_products`, fast on CPU), or "auto": by the platform that it is compiled for.

    Raises:
        ValueError: for shapes that do not fit, an empty output or an unknown path.
    """
    _check(x.shape, kernel.shape, output_size(x.shape[1:-1], kernel.shape, strides, padding), path)
    return _by_path(conv3d_products.conv, _conv_lax, x, kernel, strides, padding, path)


def conv_transpose(
    x: Float[Array, "batch time height width in"],
    kernel: Float[Array, "kt kh kw in out"],
    strides: Strides,
    padding: Padding,
    path: str = "auto",
) -> Float[Array, "batch time2 height2 width2 out"]:
    """Correlation of `x`, dilated by `strides` and padded, with `kernel` (Flax's `ConvTranspose`), in float32.

    `path` and errors are those of `conv`.
    """
    _check(
        x.shape, kernel.shape, transposed_size(x.shape[1:-1], kernel.shape, strides, padding), path
    )
    return _by_path(
        conv3d_products.conv_transpose, _conv_transpose_lax, x, kernel, strides, padding, path
    )


def _check(x_shape, kernel_shape, size, path: str) -> None:
    if path not in PATHS:
        raise ValueError(f"path {path!r} is unknown; use one of {', '.join(PATHS)}")
    if x_shape[-1] != kernel_shape[-2]:
        raise ValueError(
            f"an input of shape {x_shape} has {x_shape[-1]} channels, a kernel of shape {kernel_shape} takes "
            f"{kernel_shape[-2]}"
        )
    if min(size) < 1:
        raise ValueError(
            f"an input of shape {x_shape} leaves nothing under a kernel of shape {kernel_shape}: "
            f"the output would be {size} in time, height and width"
        )


def _by_path(products: Callable, default: Callable, x, kernel, strides, padding, path: str):
    # Branches of platform_dependent take arrays only; the rest is closed over.
    branches = {
        "products": lambda x, kernel: products(x, kernel, strides, padding),
        "lax": lambda x, kernel: default(x, kernel, strides, padding),
    }
    if path != "auto":
        return branches[path](x, kernel)
    return lax.platform_dependent(x, kernel, cpu=branches["products"], default=branches["lax"])


def _conv_lax(x, kernel, strides, padding):
    y = lax.conv_general_dilated(x, kernel, strides, padding, dimension_numbers=_DIMENSIONS)
    return y.astype(jnp.float32)


def _conv_transpose_lax(x, kernel, strides, padding):
    ones = (1,) * len(strides)
    y = lax.conv_general_dilated(
        x, kernel, ones, padding, lhs_dilation=strides, dimension_numbers=_DIMENSIONS
    )
    return y.astype(jnp.float32)


class Conv3D(nn.Module):
    """3-D convolution with explicit padding; parameters as in `flax.linen.Conv`.

    Attributes:
        features: number of output channels.
        kernel_size, strides: one value per spatial axis.
        padding: (low, high) per spatial axis.
        kernel_init, bias_init: initialisers.
        dtype: of the computation; parameters stay float32.
        bias_apart: returns (output without bias in float32, bias), for a BatchNorm that follows.
        path_name: `path` of `conv`.

    Raises:
        ValueError: naming the layer, for shapes that do not fit, an empty output or an unknown path.
    """

    features: int
    kernel_size: tuple[int, int, int]
    strides: tuple[int, int, int] = (1, 1, 1)
    padding: Padding = ((0, 0), (0, 0), (0, 0))
    kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()
    bias_init: nn.initializers.Initializer = nn.initializers.zeros
    dtype: jnp.dtype | None = None
    bias_apart: bool = False
    path_name: str = "auto"

    operator = staticmethod(conv)

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch time height width in"]
    ) -> Array | tuple[Array, Array]:
        shape = (*self.kernel_size, x.shape[-1], self.features)
        kernel = self.param("kernel", self.kernel_init, shape)
        bias = self.param("bias", self.bias_init, (self.features,))
        x, kernel, bias = promote_dtype(x, kernel, bias, dtype=self.dtype)
        try:
            y = self.operator(x, kernel, self.strides, self.padding, self.path_name)
        except ValueError as error:
            layer = "/".join(self.path) or type(self).__name__
            raise ValueError(f"{layer}: {error}") from error
        return (y, bias) if self.bias_apart else (y + bias).astype(x.dtype)


class ConvTranspose3D(Conv3D):
    """3-D transposed convolution; parameters as in `flax.linen.ConvTranspose`.

    `padding` is that of the dilated input: PyTorch's (kernel 3, stride 2, padding 1, output_padding 1)
    is (1, 2) here, with the kernel mirrored along its taps.
    """

    operator = staticmethod(conv_transpose)
