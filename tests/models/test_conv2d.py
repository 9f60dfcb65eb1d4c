"""The 2-D convolutions against `lax` and a float64 NumPy reference."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jax import lax

from vid_jax.models import conv2d


def conv(x, kernel):
    return conv2d.conv(x, conv2d.prepare(kernel))


def conv_of_upsampled(x, kernel):
    return conv2d.conv_of_upsampled(x, conv2d.prepare_for_upsampled(kernel))


def padding(kernel):
    return [((size - 1) // 2, size // 2) for size in kernel.shape[:2]]


def lax_conv(x, kernel):
    return lax.conv_general_dilated(
        x, kernel, (1, 1), padding(kernel), dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def lax_conv_of_upsampled(x, kernel):
    return lax_conv(jnp.repeat(jnp.repeat(x, 2, 1), 2, 2), kernel)


def reference_conv(x, kernel, g):
    """Output, and gradients of sum(output * g), tap by tap."""
    (top, _), (left, _) = padding(kernel)
    padded = np.pad(x, [(0, 0), *padding(kernel), (0, 0)])
    height, width = x.shape[1:3]
    y, d_padded, d_kernel = np.zeros_like(g), np.zeros_like(padded), np.zeros_like(kernel)
    for i, j in np.ndindex(kernel.shape[:2]):
        at = slice(None), slice(i, i + height), slice(j, j + width)
        y += padded[at] @ kernel[i, j]
        d_padded[at] += g @ kernel[i, j].T
        d_kernel[i, j] = np.einsum("bhwi,bhwo->io", padded[at], g)
    return y, d_padded[:, top : top + height, left : left + width], d_kernel


def reference_conv_of_upsampled(x, kernel, g):
    y, d_enlarged, d_kernel = reference_conv(x.repeat(2, 1).repeat(2, 2), kernel, g)
    batch, height, width, channels = x.shape
    return y, d_enlarged.reshape(batch, height, 2, width, 2, channels).sum((2, 4)), d_kernel


OPERATORS = pytest.mark.parametrize(
    ("operator", "theirs", "reference", "factor"),
    [
        (conv, lax_conv, reference_conv, 1),
        (conv_of_upsampled, lax_conv_of_upsampled, reference_conv_of_upsampled, 2),
    ],
    ids=["conv", "conv_of_upsampled"],
)


def arrays(sizes, taps, channels, factor, seed=0):
    """An input (batch, height, width), a kernel, and a gradient of the output."""
    rng = np.random.default_rng(seed)
    batch, height, width = sizes
    inputs, outputs = channels
    shapes = (
        (*sizes, inputs),
        (*taps, inputs, outputs),
        (batch, factor * height, factor * width, outputs),
    )
    return [rng.normal(size=shape).astype(np.float32) for shape in shapes]


def outcome(operator, x, kernel, g):
    """Output, gradient to the input and to the kernel."""

    @jax.jit
    def results(x, kernel, g):
        y, pullback = jax.vjp(operator, x, kernel)
        return y, *pullback(g)

    return results(x, kernel, g)


def assert_close(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * np.abs(b).max())


FEW, MANY = (3, 5), (40, 32)  # channels, below and from where Winograd's products are taken


@OPERATORS
@settings(max_examples=10, deadline=None)
@given(
    sizes=st.tuples(st.integers(1, 3), st.integers(1, 7), st.integers(1, 7)),
    taps=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    channels=st.sampled_from([(1, 4), (4, 1), FEW, (31, 33), MANY]),
    seed=st.integers(0, 2**16),
)
@example(sizes=(2, 1, 6), taps=(3, 3), channels=MANY, seed=0)
@example(sizes=(2, 5, 7), taps=(3, 3), channels=MANY, seed=0)
@example(sizes=(1, 7, 1), taps=(5, 5), channels=MANY, seed=0)
@example(sizes=(2, 7, 6), taps=(2, 4), channels=FEW, seed=0)
def test_output_and_gradients_agree_with_lax(
    operator, theirs, reference, factor, sizes, taps, channels, seed
):
    inputs = arrays(sizes, taps, channels, factor, seed)
    assert_close(outcome(operator, *inputs), outcome(theirs, *inputs))


# The layers of a PredNet: channels of R and E side by side, of R above, of E to the next layer, of a frame.
@pytest.mark.parametrize(
    ("sizes", "taps", "channels"),
    [
        ((4, 16, 20), (3, 3), (64, 96)),
        ((2, 9, 15), (3, 3), (96, 192)),
        ((2, 32, 40), (3, 3), (9, 12)),
        ((2, 8, 10), (5, 5), (48, 64)),
        ((2, 32, 40), (5, 5), (12, 16)),
    ],
)
@OPERATORS
def test_float32_error_is_at_most_twice_that_of_lax(
    operator, theirs, reference, factor, sizes, taps, channels
):
    inputs = arrays(sizes, taps, channels, factor)
    exact = reference(*(v.astype(np.float64) for v in inputs))
    results, expected = outcome(operator, *inputs), outcome(theirs, *inputs)
    assert_close(results, expected)
    for ours, lax_result, truth in zip(results, expected, exact, strict=True):
        error, lax_error = (np.linalg.norm(v - truth) for v in (ours, lax_result))
        assert error <= 2 * lax_error + 1e-7 * np.linalg.norm(truth)


@pytest.mark.parametrize(
    ("sizes", "taps", "frame_by_frame"),
    [((3, 8, 7), (3, 3), True), ((3, 8, 7), (4, 2), True), ((3, 4, 5), (5, 4), False)],
)
def test_gradient_to_the_kernel_of_large_and_of_small_frames(sizes, taps, frame_by_frame):
    inputs = arrays(sizes, taps, FEW, 1)
    ours = outcome(conv, *inputs)
    assert ("scan[" in str(jax.make_jaxpr(outcome, static_argnums=0)(conv, *inputs))) == (
        frame_by_frame
    )
    assert_close(ours, reference_conv(*inputs))


@pytest.mark.parametrize(
    ("operator", "prepare"),
    [
        (conv2d.conv, conv2d.prepare),
        (conv2d.conv_of_upsampled, conv2d.prepare_for_upsampled),
    ],
)
@pytest.mark.parametrize("platform", ["cpu", "cuda", "tpu"])
def test_winograds_products_are_for_cpu_only(operator, prepare, platform):
    x, kernel, _ = arrays((2, 6, 8), (3, 3), MANY, 1)

    def output_and_gradients(x, kernel):
        y, pullback = jax.vjp(operator, x, kernel)
        return y, pullback(y)

    traced = jax.jit(output_and_gradients).trace(x, prepare(kernel))
    text = traced.lower(lowering_platforms=(platform,)).as_text()
    assert ("stablehlo.convolution" in text) == (platform != "cpu")
    assert ("stablehlo.dot_general" in text) == (platform == "cpu")
