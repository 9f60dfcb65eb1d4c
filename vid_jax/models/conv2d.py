"""2-D convolutions of stride 1 and unchanged size, fast on CPU in both directions.

GPU and TPU use `lax.conv_general_dilated`. On CPU, too, it is good at the output and at the gradient to the input,
but not at the gradient to the kernel. There 3x3 kernels between many channels are Winograd's products, which need
1/2.25 of the multiplications, others take `lax` and their kernel's gradient as a product for each tap.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import lax
from jaxtyping import Array, Float

from vid_jax.models.conv3d_products import Padding

_DIMENSIONS = ("NHWC", "HWIO", "NHWC")
_MANY = 32  # channels, from where Winograd's transforms cost less than they save
_POSITIONS_PER_CHANNEL = 8  # of a frame, from where a product for each frame stays in the cache


@struct.dataclass
class Kernel:
    """Taps (kh, kw, in, out) and, of those that Winograd's products take, their transform.

    A loop that applies a kernel again and again makes it once, outside, and sums the transform's gradient.
    """

    taps: Float[Array, "kh kw in out"]
    transformed: Float[Array, "16 in out"] | None


def prepare(kernel: Float[Array, "kh kw in out"]) -> Kernel:
    """What `conv` is to be given of a kernel."""
    if kernel.shape[:2] != (3, 3) or min(kernel.shape[2:]) < _MANY:
        return Kernel(kernel, None)
    transformed = jnp.einsum("ai,bj,ijco->abco", _FROM_KERNEL, _FROM_KERNEL, kernel)
    return Kernel(kernel, transformed.reshape(16, *kernel.shape[2:]))


def conv(
    x: Float[Array, "batch height width in"], kernel: Kernel
) -> Float[Array, "batch height width out"]:
    """Correlation of `x` with a prepared kernel; an even one reaches one further down and right, as in TensorFlow."""
    if kernel.transformed is None:
        return lax.platform_dependent(x, kernel.taps, cpu=_conv_taps, default=_conv_lax)
    return lax.platform_dependent(
        x,
        kernel.taps,
        kernel.transformed,
        cpu=lambda x, taps, transformed: _conv_winograd(x, transformed),
        default=lambda x, taps, transformed: _conv_lax(x, taps),
    )


def prepare_for_upsampled(kernel: Float[Array, "kh kw in out"]) -> Kernel:
    """What `conv_of_upsampled` is to be given of a kernel.

    Rows and columns of one parity see each value of the input under several taps, whose sums are the taps of a kernel
    of their own; the four kernels stand side by side.
    """
    rows, columns = (jnp.asarray(_merged_taps(size), kernel.dtype) for size in kernel.shape[:2])
    merged = jnp.einsum("rai,sbj,ijco->abcrso", rows, columns, kernel)
    return prepare(merged.reshape(*merged.shape[:3], -1))


def conv_of_upsampled(
    x: Float[Array, "batch height width in"], kernel: Kernel
) -> Float[Array, "batch 2*height 2*width out"]:
    """Correlation of `x`, enlarged twofold by repetition, with a kernel, computed at the size of `x`."""
    batch, height, width, _ = x.shape
    y = conv(x, kernel).reshape(batch, height, width, 2, 2, -1).swapaxes(2, 3)
    return y.reshape(batch, 2 * height, 2 * width, -1)


def _merged_taps(size: int) -> np.ndarray:
    """(2, merged, size): 1 where, at positions of a parity, a tap falls on the value of a merged tap."""
    offsets = (np.arange(2)[:, None] + np.arange(size) - (size - 1) // 2) // 2
    reach = max(-offsets.min(), offsets.max())
    return np.arange(-reach, reach + 1)[:, None] == offsets[:, None]


def _conv_lax(x, kernel):
    padding = _same_padding(kernel.shape)
    return lax.conv_general_dilated(x, kernel, (1, 1), padding, dimension_numbers=_DIMENSIONS)


def _same_padding(kernel_shape: Sequence[int]) -> Padding:
    return tuple(((size - 1) // 2, size // 2) for size in kernel_shape[:2])


# Winograd's F(2x2, 3x3): Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016.
_FROM_KERNEL = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]], np.float32)
_TO_OUTPUT = np.array([[1, 1, 1, 0], [0, 1, -1, -1]], np.float32)


@jax.custom_vjp
def _conv_winograd(x, transformed):
    """Tiles of 2x2 outputs from 4x4 inputs: a product over the channels for each of 16 places."""
    places = [place @ kernel for place, kernel in zip(_from_input(x), transformed)]  # row by row
    rows = zip(*(_to_output(*places[column::4]) for column in range(4)))
    tiles = jnp.stack([jnp.stack(_to_output(*row), axis=3) for row in rows], axis=2)
    return _joined(tiles, x.shape)


def _conv_winograd_stacked(x, transformed):
    """The same with all places in one product: slower, because they are copied together, but not its gradients."""
    places = jnp.stack(_from_input(x))
    products = jnp.matmul(places.reshape(16, -1, x.shape[-1]), transformed)
    tiles = np.kron(_TO_OUTPUT, _TO_OUTPUT) @ products.reshape(16, -1)
    tiles = tiles.reshape(2, 2, *places.shape[1:4], -1).transpose(2, 3, 0, 4, 1, 5)
    return _joined(tiles, x.shape)


_conv_winograd.defvjp(
    lambda x, transformed: (_conv_winograd(x, transformed), (x, transformed)),
    lambda saved, dy: jax.vjp(_conv_winograd_stacked, *saved)[1](dy),
)


def _from_input(x) -> list[Array]:
    """16 arrays (batch, rows, columns, channel), of the places of a 4x4 tile, row by row."""
    rows, columns = (-(-n // 2) for n in x.shape[1:3])
    x = _pad(x, ((1, 2 * rows - x.shape[1] + 1), (1, 2 * columns - x.shape[2] + 1)))

    def differences(steps):
        first, second, third, fourth = steps
        return first - third, second + third, third - second, second - fourth

    return [
        place
        for row in differences(x[:, i : i + 2 * rows : 2] for i in range(4))
        for place in differences(row[:, :, j : j + 2 * columns : 2] for j in range(4))
    ]


def _to_output(first, second, third, fourth) -> tuple[Array, Array]:
    return first + second + third, second - third - fourth


def _joined(tiles, shape) -> Array:
    """Tiles (batch, rows, 2, columns, 2, channel) as an image of the height and width of `shape`."""
    batch, rows, _, columns, _, features = tiles.shape
    return tiles.reshape(batch, 2 * rows, 2 * columns, features)[:, : shape[1], : shape[2]]


@jax.custom_vjp
def _conv_taps(x, kernel):
    return _conv_lax(x, kernel)


def _conv_taps_forward(x, kernel):
    return _conv_lax(x, kernel), (x, kernel)


def _conv_taps_backward(saved, dy):
    x, kernel = saved
    # XLA has fast convolutions for kernels that lie in memory as they are read, hence the barrier.
    mirrored = lax.optimization_barrier(jnp.flip(kernel, (0, 1)).swapaxes(2, 3))
    padding = _same_padding(kernel.shape)
    mirrored_padding = tuple((high, low) for low, high in padding)
    dx = lax.conv_general_dilated(
        dy, mirrored, (1, 1), mirrored_padding, dimension_numbers=_DIMENSIONS
    )
    enough = _POSITIONS_PER_CHANNEL * max(kernel.shape[2:])
    if dy.shape[1] * dy.shape[2] >= enough:
        dk = _kernel_gradient_frame_by_frame(x, dy, kernel.shape[:2])
    else:
        dk = _kernel_gradient(x, _pad(dy, mirrored_padding), kernel.shape[:2])
    return dx, dk.reshape(kernel.shape).astype(kernel.dtype)


_conv_taps.defvjp(_conv_taps_forward, _conv_taps_backward)


def _kernel_gradient(x, dy, taps):
    """For each tap the product of `x`, transposed once, with the output's padded gradient at the tap's distance."""
    height, width = x.shape[1:3]
    columns = lax.optimization_barrier(x.reshape(-1, x.shape[-1]).T)
    return jnp.stack(
        [
            columns @ dy[:, i : i + height, j : j + width].reshape(-1, dy.shape[-1])
            for i in reversed(range(taps[0]))
            for j in reversed(range(taps[1]))
        ]
    )


def _kernel_gradient_frame_by_frame(x, dy, taps):
    """In rows of pixels, padded to one width, a tap is a distance: the operands of its product are slices.

    The one with fewer channels stands on the left, which is faster.
    """
    x = _pad(x, _same_padding(taps))
    width = x.shape[2]
    dy = _pad(dy, ((0, 0), (0, taps[1] - 1)))
    length = dy.shape[1] * width - (taps[1] - 1)
    starts = [i * width + j for i in range(taps[0]) for j in range(taps[1])]
    swap = dy.shape[-1] < x.shape[-1]

    def add_frame(total, frame):
        x, dy = (pixels.reshape(-1, pixels.shape[-1]) for pixels in frame)
        pairs = ((x[start:][:length], dy[:length]) for start in starts)
        products = [_rows_product(*(pair[::-1] if swap else pair)) for pair in pairs]
        return total + jnp.stack(products), None

    channels = (x.shape[-1], dy.shape[-1])
    total = jnp.zeros((len(starts), *(channels[::-1] if swap else channels)), jnp.float32)
    total = lax.scan(add_frame, total, (x, dy))[0]
    return total.swapaxes(1, 2) if swap else total


def _rows_product(x, y):
    """The sum over rows of the products of their channels."""
    return lax.dot_general(x, y, (((0,), (0,)), ((), ())), preferred_element_type=jnp.float32)


def _pad(x, padding: Padding):
    """Pads height and width with zeros."""
    return jnp.pad(x, ((0, 0), *padding, (0, 0)))
