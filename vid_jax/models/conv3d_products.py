"""3-D convolutions as matrix products, with hand-made derivatives: fast on CPU.

XLA's CPU backend has a fast kernel for matrix products, slow ones for 3-D correlations and for 2-D ones of few
channels, and none for dilated ones, as the derivatives of a strided convolution and a transposed convolution are. Here
all are made of products with windows in width: a transposed convolution is one dense correlation per stride phase, a
kernel gradient is a product per tap in time and height. `docs/performance.md` has the reasons and the measurements.

Which form a layer takes is decided by its shapes in `_by_stride_phase` for transposed convolutions and gradients
to a convolution's input, in `_correlate` for convolutions and gradients to a transposed convolution's input, and
in `_kernel_gradient` for those to the kernel.
"""

import functools
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

Padding = tuple[tuple[int, int], ...]
Strides = tuple[int, ...]

_FEW = 4  # channels: a matrix product to or from so few leaves most of a vector register empty
_NARROW = 48  # channels: with more, windows in width are long enough for a product
_CACHE_BYTES = 2**22  # of what a layer gathers: with more, it goes block by block
_BLOCK_BYTES = 3 * 2**18  # of the windows of a block, which are read right after they are written


def output_size(size, kernel_size, strides, padding) -> tuple[int, ...]:
    """Spatial size of a convolution's output."""
    return tuple(
        (n + low + high - k) // s + 1
        for n, k, s, (low, high) in zip(size, kernel_size, strides, padding)
    )


def transposed_size(size, kernel_size, strides, padding) -> tuple[int, ...]:
    """Spatial size of a transposed convolution's output."""
    dilated = [(n - 1) * s + 1 for n, s in zip(size, strides)]
    return output_size(dilated, kernel_size, (1,) * len(strides), padding)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def conv(x, kernel, strides: Strides, padding: Padding):
    """Strided correlation of `x` with `kernel`, in float32 as it was accumulated."""
    return _correlate(x, kernel, strides, padding)


def _conv_fwd(x, kernel, strides, padding):
    return _correlate(x, kernel, strides, padding), (x, kernel)


def _conv_bwd(strides, padding, residuals, g):
    x, kernel = residuals
    g = g.astype(x.dtype)
    low = [k - 1 - low for k, (low, _) in zip(kernel.shape, padding)]
    dx = _by_stride_phase(g, _mirror(kernel), strides, low, x.shape[1:-1])
    dk = _kernel_gradient(x, g, kernel.shape[:-2], strides, padding)
    return dx.astype(x.dtype), dk.astype(kernel.dtype)


conv.defvjp(_conv_fwd, _conv_bwd)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def conv_transpose(x, kernel, strides: Strides, padding: Padding):
    """Correlation of `x`, dilated by `strides` and padded, with `kernel`, in float32 as it was accumulated."""
    low = [low for low, _ in padding]
    return _by_stride_phase(
        x, kernel, strides, low, transposed_size(x.shape[1:-1], kernel.shape, strides, padding)
    )


def _conv_transpose_fwd(x, kernel, strides, padding):
    return conv_transpose(x, kernel, strides, padding), (x, kernel)


def _conv_transpose_bwd(strides, padding, residuals, g):
    # The transpose of a transposed convolution is the convolution it was made from.
    x, kernel = residuals
    g = g.astype(x.dtype)
    padding = tuple((k - 1 - low, k - 1 - high) for k, (low, high) in zip(kernel.shape, padding))
    dx = _correlate(g, _mirror(kernel), strides, padding)
    dk = _kernel_gradient(g, x, kernel.shape[:-2], strides, padding)
    return dx.astype(x.dtype), _mirror(dk).astype(kernel.dtype)


conv_transpose.defvjp(_conv_transpose_fwd, _conv_transpose_bwd)


def _mirror(kernel):
    """Reverses every tap axis and swaps the channels: the kernel of the transposed operator."""
    return jnp.flip(kernel, range(kernel.ndim - 2)).swapaxes(-1, -2)


def _by_stride_phase(x, kernel, strides, low, size):
    """Correlates `x`, dilated by `strides` and padded by `low`, with `kernel`; output of spatial `size`.

    Output position s*q + r meets only the taps j with (r + j - low) divisible by s, each at input position
    q + (r + j - low) / s. So each phase r is a dense correlation with every s-th tap; the phases interleave.
    """
    counts = [-(-n // s) for n, s in zip(size, strides)]
    phases = itertools.product(*map(range, strides))
    if kernel.shape[-1] <= _FEW:
        by_phase = _sum_of_products(x, kernel, strides, low, counts, phases)
    elif len(x) * counts[0] > 1 and _overflow_cache(x, 2 * x.size):
        return _by_stride_phase_in_blocks(x, kernel, strides, low, counts, size)
    else:
        by_phase = _dense_taps(x, kernel, strides, low, counts, phases, _correlate)
    return _interleave(by_phase, strides, size)


def _by_stride_phase_in_blocks(x, kernel, strides, low, counts, size):
    """Block by block of frames and rows, in each all phases."""
    first = [-(lo // s) for lo, s in zip(low[:2], strides)]
    last = [(s + k - 2 - lo) // s for k, lo, s in zip(kernel.shape, low[:2], strides)]
    taps = [b - a + 1 for a, b in zip(first, last)]
    around = [(-a, q + b - n) for a, b, q, n in zip(first, last, counts, x.shape[1:])]
    low = (*(lo + a * s for lo, a, s in zip(low, first, strides)), low[2])
    block = _block_size(x, counts, -(-kernel.shape[2] // strides[2]))

    def all_phases(part):
        phases = itertools.product(*map(range, strides))
        positions = (*block, counts[2])
        by_phase = _dense_taps(part, kernel, strides, low, positions, phases, _by_windows)
        return _interleave(by_phase, strides, (*(n * s for n, s in zip(block, strides)), size[2]))

    x = _pad(x, [*around, (0, 0)])
    y = _block_by_block(all_phases, x, counts, block, (1, 1), taps)
    return y[:, : size[0], : size[1]]


def _block_by_block(function, x, positions, block, step, taps):
    """`function` of blocks of so many frames and rows of positions of each clip, its results put together.

    A position begins `step` frames and rows after the one before it, and takes `taps` of them. A last block that would
    reach too far begins earlier instead.
    """
    blocks = [-(-n // b) for n, b in zip(positions, block)]
    part = (1, *((b - 1) * s + t for b, s, t in zip(block, step, taps)), *x.shape[3:])
    made = jax.eval_shape(function, jax.ShapeDtypeStruct(part, x.dtype)).shape
    each = [m // b for m, b in zip(made[1:], block)]

    def put(i, y):
        clip, *at = jnp.unravel_index(i, (len(x), *blocks))
        at = [jnp.minimum(j * b, n - b) for j, b, n in zip(at, block, positions)]
        of_x = _part(x, (clip, *(j * s for j, s in zip(at, step))), part)
        start = (clip, *(j * m for j, m in zip(at, each)), 0, 0)
        return lax.dynamic_update_slice(y, function(of_x), start)

    # All of it is overwritten. Zeros, XLA would share among layers, so keep for long and copy.
    anything = x[0, 0, 0, 0, 0].astype(jnp.float32)
    y = jnp.full((len(x), *(n * m for n, m in zip(positions, each)), *made[3:]), anything)
    return lax.fori_loop(0, len(x) * math.prod(blocks), put, y)


def _part(x, start, size):
    """The part of `x` of that size that begins there in clips, time and height."""
    return _as_bits(lambda x: lax.dynamic_slice(x, (*start, 0, 0), size), x)


def _block_size(x, positions, taps: int) -> tuple[int, int]:
    """Frames and rows of positions that are done at once, each with a window of so many taps in width."""
    times, height, width = positions
    rows = max(1, _BLOCK_BYTES // (width * taps * x.shape[-1] * x.dtype.itemsize))
    return _even_part(times, max(1, rows // height)), _even_part(height, rows)


def _even_part(whole: int, most: int) -> int:
    """The size of the parts where a whole is cut into as few alike as their largest size allows."""
    return -(-whole // -(-whole // most))


def _overflow_cache(x, size: int) -> bool:
    return size * x.dtype.itemsize > _CACHE_BYTES


def _dense_taps(x, kernel, strides, low, counts, phases, correlate) -> Iterator[Array]:
    """Each phase as the correlation of `x` with a dense kernel of the taps that the phase meets."""
    for phase in phases:
        first = [(lo - r) % s for r, lo, s in zip(phase, low, strides)]
        taps = kernel[tuple(slice(j, None, s) for j, s in zip(first, strides))]
        padding = []
        for r, j, lo, s, k, n, q in zip(
            phase, first, low, strides, taps.shape, x.shape[1:-1], counts
        ):
            pad = -((r + j - lo) // s)
            padding.append((pad, q - (n + pad - k + 1)))
        if 0 in taps.shape:
            yield jnp.zeros((x.shape[0], *counts, kernel.shape[-1]), jnp.float32)
        else:
            yield correlate(x, taps, (1,) * len(strides), padding)


def _sum_of_products(x, kernel, strides, low, counts, phases) -> Iterator[Array]:
    """One matrix product of `x` with all taps; each phase is the shifted sum of those it meets.

    The products are channels first, so that their shifts are of whole rows. Either they are transposed or,
    by XLA, `x` is: what is smaller. The barrier keeps XLA from taking the larger.
    """
    *taps, inputs, outputs = kernel.shape
    by_tap = kernel.reshape(-1, inputs, outputs)
    if inputs <= len(by_tap) * outputs:
        products = jnp.einsum("tio,...i->to...", by_tap, x, preferred_element_type=jnp.float32)
    else:
        products = jnp.einsum("...i,tio->...to", x, by_tap, preferred_element_type=jnp.float32)
        products = lax.optimization_barrier(jnp.moveaxis(products, (-2, -1), (0, 1)))
    products = products.reshape(*taps, outputs, *x.shape[:-1])
    zero = jnp.zeros((), products.dtype)
    for phase in phases:
        total = jnp.zeros((outputs, x.shape[0], *counts), products.dtype)
        for tap in itertools.product(*map(range, taps)):
            shifts = [divmod(r + j - lo, s) for r, j, lo, s in zip(phase, tap, low, strides)]
            if not any(rest for _, rest in shifts):
                padding = [
                    (-shift, q - n + shift, 0)
                    for (shift, _), q, n in zip(shifts, counts, x.shape[1:-1])
                ]
                total += lax.pad(products[tap], zero, [(0, 0, 0), (0, 0, 0), *padding])
        yield jnp.moveaxis(total, 0, -1)


def _interleave(phases: Iterable[Array], strides: Strides, size: Sequence[int]) -> Array:
    """Puts phase (r0, r1, ..) at the output positions congruent to it, and cuts to `size`."""
    stacked = jnp.stack(list(phases))
    _, batch, *counts, channels = stacked.shape
    rank = len(counts)
    stacked = stacked.reshape(*strides, batch, *counts, channels)
    order = [rank, *itertools.chain(*((rank + 1 + d, d) for d in range(rank))), 2 * rank + 1]
    full = [n * s for n, s in zip(counts, strides)]
    y = stacked.transpose(order).reshape(batch, *full, channels)
    return y[(slice(None), *(slice(0, n) for n in size))]


def _correlate(x, kernel, strides, padding):
    """Strided correlation by matrix products with the windows in width of `x`.

    Few channels make short windows, so there the taps of time are side by side in the channels first.
    """
    inputs = kernel.shape[-2]
    if inputs <= _NARROW:
        x, kernel, strides, padding = _times_to_inputs(x, kernel, strides, padding)
    by = _by_patches if inputs <= _FEW else _by_windows
    return by(x, kernel, strides, padding)


def _times_to_inputs(x, kernel, strides, padding):
    """The same correlation with one tap in time, of frames that hold the channels of all that there were."""
    time, height, width, inputs, outputs = kernel.shape
    frames = jnp.concatenate(list(_times(x, time, strides[0], padding[0])), -1)
    deep = kernel.transpose(1, 2, 0, 3, 4).reshape(1, height, width, time * inputs, outputs)
    return frames, deep, (1, *strides[1:]), ((0, 0), *padding[1:])


def _times(x, taps: int, stride: int, padding: tuple[int, int]) -> Iterator[Array]:
    """For each tap in time, the frames of `x` that it meets."""
    x = _pad(x, [padding, (0, 0), (0, 0)])
    count = (x.shape[1] - taps) // stride + 1
    for time in range(taps):
        yield _every(x, 1, time, stride, count)


def _by_patches(x, kernel, strides, padding):
    """One product of all that lies below the kernel."""
    *taps, _, outputs = kernel.shape
    size = output_size(x.shape[1:-1], taps, strides, padding)
    patches = jnp.concatenate(list(_windows_of_taps(_pad(x, padding), taps, strides, size)), -1)
    return jnp.matmul(patches, kernel.reshape(-1, outputs), preferred_element_type=jnp.float32)


def _by_windows(x, kernel, strides, padding):
    """For each tap in time and height, the product of the windows in width below it with its taps."""
    return _products_of_windows(_pad(x, padding), kernel, strides)


def _products_of_windows(x, kernel, strides):
    taps = kernel.shape[:-2]
    size = output_size(x.shape[1:-1], taps, strides, ((0, 0),) * 3)
    row = taps[2] * x.shape[-1]
    block = _block_size(x, size, taps[2])
    several = len(x) * size[0] * size[1] > math.prod(block)
    if several and _overflow_cache(x, len(x) * math.prod(size) * row):
        whole = functools.partial(_products_of_windows, kernel=kernel, strides=strides)
        return _block_by_block(whole, x, size, block, strides, taps)
    windows = _windows_of_taps(x, taps, strides, size)
    products = (
        jnp.matmul(window, below, preferred_element_type=jnp.float32)
        for window, below in zip(windows, kernel.reshape(-1, row, kernel.shape[-1]))
    )
    return sum(products)


def _windows_of_taps(x, taps, strides, size) -> Iterator[Array]:
    """For each tap in time and height, the windows in width of `x` below it."""
    for time, line in itertools.product(*map(range, taps[:2])):
        frames = _every(x, 1, time, strides[0], size[0])
        lines = _every(frames, 2, line, strides[1], size[1])
        yield _windows(lines, taps[2], strides[2], size[2])


def _kernel_gradient(x, g, taps, strides, padding):
    """Gradient of `sum(conv(x, kernel) * g)` with respect to the kernel."""
    inputs, outputs = x.shape[-1], g.shape[-1]
    if inputs <= _FEW and taps[0] > 1:
        x = x.astype(jnp.float32)  # products of bfloat16 that are so narrow are slow
        x = jnp.concatenate(list(_times(x, taps[0], strides[0], padding[0])), -1)
        time_inside = _kernel_gradient(
            x, g, (1, *taps[1:]), (1, *strides[1:]), ((0, 0), *padding[1:])
        )
        return jnp.moveaxis(time_inside.reshape(*taps[1:], taps[0], inputs, outputs), 2, 0)
    products = _products_with_taps(_pad(x, padding), g, taps, strides)
    if _outputs_first(x, g, taps):
        # Apart from the products: XLA has no fast one that gives its result transposed.
        products = [product.T for product in lax.optimization_barrier(products)]
    return jnp.stack(products).reshape(*taps, inputs, outputs)


def _outputs_first(x, g, taps) -> bool:
    """Whether the products have the outputs in their rows: the narrower operand is on the left."""
    return _FEW < g.shape[-1] <= taps[2] * x.shape[-1]


def _products_with_taps(x, g, taps, strides) -> list[Array]:
    """For each tap in time and height the product of `g` with the windows in width of `x` below it.

    Done by blocks of frames where the windows would not fit the processor's cache.
    """
    clips, times = g.shape[:2]
    row, outputs = taps[2] * x.shape[-1], g.shape[-1]
    outputs_first = _outputs_first(x, g, taps)
    most, _ = _block_size(x, g.shape[1:-1], taps[2])
    frames = next(n for n in range(most, 0, -1) if times % n == 0)
    if clips * times > frames and _overflow_cache(x, math.prod(g.shape[:-1]) * row):

        def add(i, total):
            clip, time = jnp.unravel_index(i, (clips, times // frames))
            time, length = time * frames, (frames - 1) * strides[0] + taps[0]
            of_x = _part(x, (clip, time * strides[0], 0), (1, length, *x.shape[2:]))
            of_g = _part(g, (clip, time, 0), (1, frames, *g.shape[2:]))
            return jax.tree.map(jnp.add, total, _products_with_taps(of_x, of_g, taps, strides))

        shape = (outputs, row) if outputs_first else (row, outputs)
        zeros = [jnp.zeros(shape, jnp.float32)] * (taps[0] * taps[1])
        return lax.fori_loop(0, clips * times // frames, add, zeros)

    windows = _windows_of_taps(x, taps, strides, g.shape[1:-1])
    if outputs <= _FEW:  # row by row: a product with a vector adds up one number at a time
        g = g.astype(jnp.float32)
        return [
            jnp.einsum("nthwr,nthwo->nthro", window.astype(jnp.float32), g).sum((0, 1, 2))
            for window in windows
        ]
    if outputs_first:
        # Transposed once for all windows; without the barrier XLA transposes within each product.
        transposed = lax.optimization_barrier(jnp.moveaxis(g, -1, 0))
        return [_product(transposed, window) for window in windows]
    return [_product(jnp.moveaxis(window, -1, 0), g) for window in windows]


def _product(a, b):
    """Matrix product over all positions, accumulated in float32."""
    return jnp.matmul(
        a.reshape(len(a), -1), b.reshape(-1, b.shape[-1]), preferred_element_type=jnp.float32
    )


def _windows(x, size: int, stride: int, count: int):
    """Every `stride`-th run of `size` neighbours in width, their channels side by side.

    A gather of whole runs: XLA writes it in one parallel loop, but a concatenation in a serial one.
    """
    *lead, width, channels = x.shape
    rank = len(lead)
    gather = functools.partial(
        lax.gather,
        start_indices=(jnp.arange(count) * (stride * channels))[:, None],
        dimension_numbers=lax.GatherDimensionNumbers(
            offset_dims=(*range(rank), rank + 1),
            collapsed_slice_dims=(),
            start_index_map=(rank,),
        ),
        slice_sizes=(*lead, size * channels),
        mode=lax.GatherScatterMode.PROMISE_IN_BOUNDS,
    )
    return _as_bits(gather, x.reshape(*lead, width * channels))


def _every(x, axis: int, start: int, stride: int, count: int):
    stop = start + (count - 1) * stride + 1
    return _as_bits(lambda x: lax.slice_in_dim(x, start, stop, stride, axis), x)


def _pad(x, padding: Padding):
    """Zeros around, or cuts where negative, the axes between batch and channels."""
    config = [(0, 0, 0), *((low, high, 0) for low, high in padding), (0, 0, 0)]
    return _as_bits(lambda x: lax.pad(x, jnp.zeros((), x.dtype), config), x)


def _as_bits(move, x):
    """What only moves, of bfloat16 as integers: XLA's CPU backend would move it in float32."""
    if x.dtype != jnp.bfloat16:
        return move(x)
    moved = move(lax.bitcast_convert_type(x, jnp.uint16))
    return lax.bitcast_convert_type(moved, jnp.bfloat16)
