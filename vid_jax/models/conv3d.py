"""3-D convolutions and transposed convolutions with explicit padding, fast on CPU.

XLA's CPU backend has a fast kernel for a plain strided correlation but none for dilated ones, and the
derivatives of a strided convolution, like a transposed convolution itself, are dilated. On CPU they are
therefore written here without dilation: a transposed convolution is one dense correlation per stride
phase, a kernel gradient one matrix product per tap in time. GPU and TPU use `lax.conv_general_dilated` throughout.
Parameters are laid out as in `flax.linen.Conv` and `flax.linen.ConvTranspose`, so checkpoints do not
depend on the path.
"""

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax.linen.dtypes import promote_dtype
from jax import lax
from jaxtyping import Array, Float

Padding = tuple[tuple[int, int], ...]
Strides = tuple[int, ...]
_DIMENSIONS = ("NDHWC", "DHWIO", "NDHWC")
_FEW_INPUTS, _FEW_OUTPUTS = 8, 16  # channels; measured, see `_correlate`


def conv(
    x: Float[Array, "batch time height width in"],
    kernel: Float[Array, "kt kh kw in out"],
    strides: Strides,
    padding: Padding,
) -> Float[Array, "batch time2 height2 width2 out"]:
    """Strided correlation of `x` with `kernel`, as `lax.conv_general_dilated` without dilation."""
    return _for_platform(_conv_cpu, _conv_lax, x, kernel, strides, padding)


def conv_transpose(
    x: Float[Array, "batch time height width in"],
    kernel: Float[Array, "kt kh kw in out"],
    strides: Strides,
    padding: Padding,
) -> Float[Array, "batch time2 height2 width2 out"]:
    """Correlation of `x`, dilated by `strides` and padded, with `kernel` (Flax's `ConvTranspose`)."""
    return _for_platform(_conv_transpose_cpu, _conv_transpose_lax, x, kernel, strides, padding)


def _for_platform(cpu: Callable, default: Callable, x, kernel, strides: Strides, padding: Padding):
    # Branches of platform_dependent take arrays only; the rest is closed over.
    return lax.platform_dependent(
        x,
        kernel,
        cpu=lambda x, kernel: cpu(x, kernel, strides, padding),
        default=lambda x, kernel: default(x, kernel, strides, padding),
    )


def _conv_lax(x, kernel, strides, padding):
    return lax.conv_general_dilated(x, kernel, strides, padding, dimension_numbers=_DIMENSIONS)


def _conv_transpose_lax(x, kernel, strides, padding):
    ones = (1,) * len(strides)
    return lax.conv_general_dilated(
        x, kernel, ones, padding, lhs_dilation=strides, dimension_numbers=_DIMENSIONS
    )


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _conv_cpu(x, kernel, strides, padding):
    return _correlate(x, kernel, strides, padding)


def _conv_cpu_fwd(x, kernel, strides, padding):
    return _correlate(x, kernel, strides, padding), (x, kernel)


def _conv_cpu_bwd(strides, padding, residuals, g):
    x, kernel = residuals
    low = [k - 1 - low for k, (low, _) in zip(kernel.shape, padding)]
    dx = _by_stride_phase(g, _mirror(kernel), strides, low, x.shape[1:-1])
    return dx, _kernel_gradient(x, g, kernel.shape[:-2], strides, padding).astype(kernel.dtype)


_conv_cpu.defvjp(_conv_cpu_fwd, _conv_cpu_bwd)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _conv_transpose_cpu(x, kernel, strides, padding):
    low = [low for low, _ in padding]
    size = [
        (n - 1) * s + 1 + sum(pads) - k + 1
        for n, s, pads, k in zip(x.shape[1:-1], strides, padding, kernel.shape)
    ]
    return _by_stride_phase(x, kernel, strides, low, size)


def _conv_transpose_cpu_fwd(x, kernel, strides, padding):
    return _conv_transpose_cpu(x, kernel, strides, padding), (x, kernel)


def _conv_transpose_cpu_bwd(strides, padding, residuals, g):
    # The transpose of a transposed convolution is the convolution it was made from.
    x, kernel = residuals
    padding = tuple((k - 1 - low, k - 1 - high) for k, (low, high) in zip(kernel.shape, padding))
    dx = _correlate(g, _mirror(kernel), strides, padding)
    dk = _kernel_gradient(g, x, kernel.shape[:-2], strides, padding)
    return dx, _mirror(dk).astype(kernel.dtype)


_conv_transpose_cpu.defvjp(_conv_transpose_cpu_fwd, _conv_transpose_cpu_bwd)


def _mirror(kernel):
    """Reverses every tap axis and swaps the channels: the kernel of the transposed operator."""
    return jnp.flip(kernel, range(kernel.ndim - 2)).swapaxes(-1, -2)


def _by_stride_phase(x, kernel, strides, low, size):
    """Correlates `x`, dilated by `strides` and padded by `low`, with `kernel`; output of spatial `size`.

    Output position s*q + r meets only the taps j with (r + j - low) divisible by s, each at input position
    q + (r + j - low) / s. So each phase r is a dense correlation with every s-th tap; the phases interleave.
    """
    counts = [-(-n // s) for n, s in zip(size, strides)]
    phases = []
    for phase in itertools.product(*map(range, strides)):
        first = [(lo - r) % s for r, lo, s in zip(phase, low, strides)]
        taps = kernel[tuple(slice(j, None, s) for j, s in zip(first, strides))]
        padding = []
        for r, j, lo, s, k, n, q in zip(
            phase, first, low, strides, taps.shape, x.shape[1:-1], counts
        ):
            pad = -((r + j - lo) // s)
            padding.append((pad, q - (n + pad - k + 1)))
        if 0 in taps.shape:
            phases.append(jnp.zeros((x.shape[0], *counts, kernel.shape[-1]), x.dtype))
        else:
            phases.append(_correlate(x, taps, (1,) * len(strides), padding))
    return _interleave(phases, strides, size)


def _correlate(x, kernel, strides, padding):
    """Strided correlation. With few channels XLA's kernel wastes the vector units, so then it is done as
    matrix products: to every tap where few channels go out, of patches where few come in."""
    *taps, inputs, outputs = kernel.shape
    if outputs <= _FEW_OUTPUTS and set(strides) == {1}:
        return _products_to_taps(x, kernel, padding)
    if inputs <= _FEW_INPUTS and outputs <= _FEW_INPUTS * 4:
        size = [
            (n + sum(pads) - k) // s + 1
            for n, pads, k, s in zip(x.shape[1:-1], padding, taps, strides)
        ]
        by_time = kernel.reshape(taps[0], -1, outputs)
        patches = _patches(x, taps, size, strides, padding)
        products = (
            jnp.matmul(patch, tap, preferred_element_type=jnp.float32)
            for patch, tap in zip(patches, by_time)
        )
        return sum(products).astype(x.dtype)
    return _conv_lax(x, kernel, strides, padding)


def _products_to_taps(x, kernel, padding):
    """Dense correlation as one product to all taps, then the taps' shifted sum."""
    taps = kernel.shape[:-2]
    products = jnp.einsum(
        "...i,tio->t...o",
        x,
        kernel.reshape(-1, *kernel.shape[-2:]),
        preferred_element_type=jnp.float32,
    )
    zero = jnp.zeros((), products.dtype)
    shifted = (
        lax.pad(
            product,
            zero,
            [
                (0, 0, 0),
                *((lo - j, hi - (k - 1 - j), 0) for j, k, (lo, hi) in zip(tap, taps, padding)),
                (0, 0, 0),
            ],
        )
        for tap, product in zip(itertools.product(*map(range, taps)), products)
    )
    return sum(shifted).astype(x.dtype)


def _interleave(phases: Sequence[Array], strides: Strides, size: Sequence[int]) -> Array:
    """Puts phase (r0, r1, ..) at the output positions congruent to it, and cuts to `size`."""
    if len(phases) == 1:
        return phases[0]
    batch, *counts, channels = phases[0].shape
    rank = len(counts)
    stacked = jnp.stack(phases).reshape(*strides, batch, *counts, channels)
    order = [rank, *itertools.chain(*((rank + 1 + d, d) for d in range(rank))), 2 * rank + 1]
    full = [n * s for n, s in zip(counts, strides)]
    y = stacked.transpose(order).reshape(batch, *full, channels)
    return y[(slice(None), *(slice(0, n) for n in size))]


def _kernel_gradient(x, g, taps, strides, padding):
    """Gradient of `sum(conv(x, kernel) * g)` with respect to the kernel."""
    products = [
        jnp.einsum("...p,...o->po", patch, g, preferred_element_type=jnp.float32)
        for patch in _patches(x, taps, g.shape[1:-1], strides, padding)
    ]
    return jnp.stack(products).reshape(*taps, x.shape[-1], g.shape[-1])


def _patches(x, taps, size, strides, padding) -> Iterator[Array]:
    """For each tap in time, the inputs under all taps in space: (batch, *size, taps in space * channels).

    One tap in time after the other gives few large products, and never a tensor of all patches.
    """
    x = jnp.pad(x, [(0, 0), *((max(lo, 0), max(hi, 0)) for lo, hi in padding), (0, 0)])

    def window(tap):
        first = [j - min(lo, 0) for j, (lo, _) in zip(tap, padding)]
        ends = [j + (n - 1) * s + 1 for j, n, s in zip(first, size, strides)]
        return x[(slice(None), *map(slice, first, ends, strides))]

    for time in range(taps[0]):
        in_space = itertools.product(*map(range, taps[1:]))
        yield jnp.concatenate([window((time, *tap)) for tap in in_space], axis=-1)


class Conv3D(nn.Module):
    """3-D convolution with explicit padding; parameters as in `flax.linen.Conv`.

    Attributes:
        features: number of output channels.
        kernel_size, strides: one value per spatial axis.
        padding: (low, high) per spatial axis.
        kernel_init, bias_init: initialisers.
        dtype: of the computation; parameters stay float32.
    """

    features: int
    kernel_size: tuple[int, int, int]
    strides: tuple[int, int, int] = (1, 1, 1)
    padding: Padding = ((0, 0), (0, 0), (0, 0))
    kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()
    bias_init: nn.initializers.Initializer = nn.initializers.zeros
    dtype: jnp.dtype | None = None

    operator = staticmethod(conv)

    @nn.compact
    def __call__(self, x: Float[Array, "batch time height width in"]) -> Array:
        shape = (*self.kernel_size, x.shape[-1], self.features)
        kernel = self.param("kernel", self.kernel_init, shape)
        bias = self.param("bias", self.bias_init, (self.features,))
        x, kernel, bias = promote_dtype(x, kernel, bias, dtype=self.dtype)
        return self.operator(x, kernel, self.strides, self.padding) + bias


class ConvTranspose3D(Conv3D):
    """3-D transposed convolution; parameters as in `flax.linen.ConvTranspose`.

    `padding` is that of the dilated input: PyTorch's (kernel 3, stride 2, padding 1, output_padding 1)
    is (1, 2) here, with the kernel mirrored along its taps.
    """

    operator = staticmethod(conv_transpose)
