"""The convolutions against a float64 NumPy reference, and their parameters against Flax's."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from hypothesis import given, settings
from hypothesis import strategies as st

from vid_jax.models import conv3d, conv3d_products
from vid_jax.models.conv3d import Conv3D, ConvTranspose3D


def taps_of(kernel):
    return itertools.product(*map(range, kernel.shape[:3]))


def window(tap, size, strides):
    return (slice(None), *(slice(j, j + (n - 1) * s + 1, s) for j, n, s in zip(tap, size, strides)))


def reference_conv(x, kernel, strides, padding, g):
    """Output, and gradients of sum(output * g), tap by tap."""
    padded = np.pad(x, [(0, 0), *padding, (0, 0)])
    size = [(n - k) // s + 1 for n, k, s in zip(padded.shape[1:4], kernel.shape, strides)]
    y = np.zeros((len(x), *size, kernel.shape[-1]))
    d_padded, d_kernel = np.zeros_like(padded), np.zeros_like(kernel)
    g = np.broadcast_to(g, y.shape)
    for tap in taps_of(kernel):
        at = window(tap, size, strides)
        y += padded[at] @ kernel[tap]
        d_padded[at] += g @ kernel[tap].T
        d_kernel[tap] = np.einsum("bthwi,bthwo->io", padded[at], g)
    inner = tuple(slice(low, low + n) for (low, _), n in zip(padding, x.shape[1:4]))
    return y, d_padded[(slice(None), *inner)], d_kernel


def reference_conv_transpose(x, kernel, strides, padding, g):
    """A plain correlation of the dilated input; its input gradient is read off the kept positions."""
    dilated = np.zeros(
        (len(x), *((n - 1) * s + 1 for n, s in zip(x.shape[1:4], strides)), x.shape[-1])
    )
    kept = (slice(None), *(slice(None, None, s) for s in strides))
    dilated[kept] = x
    y, d_dilated, d_kernel = reference_conv(dilated, kernel, (1, 1, 1), padding, g)
    return y, d_dilated[kept], d_kernel


@st.composite
def layers(draw):
    sizes = draw(st.tuples(*[st.integers(2, 7)] * 3))
    taps = draw(st.tuples(*[st.integers(1, 3)] * 3))
    strides = draw(st.tuples(*[st.integers(1, 3)] * 3))
    padding = tuple(
        (draw(st.integers(0, k - 1)), draw(st.integers(k - 1, k - 1 + s - 1)))
        for k, s in zip(taps, strides)
    )
    channels = draw(st.sampled_from([(1, 6), (6, 1), (3, 5), (10, 20), (20, 10)]))
    return sizes, taps, strides, padding, channels, draw(st.integers(0, 2**16))


@pytest.mark.parametrize(
    ("operator", "reference"),
    [
        (conv3d.conv, reference_conv),
        (conv3d.conv_transpose, reference_conv_transpose),
    ],
)
@settings(max_examples=10, deadline=None)
@given(layer=layers())
def test_output_and_gradients_agree_with_float64(operator, reference, layer):
    sizes, taps, strides, padding, (inputs, outputs), seed = layer
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(2, *sizes, inputs))
    kernel = rng.normal(size=(*taps, inputs, outputs))
    g = rng.normal(size=outputs)  # the same at every position, so that its shape needs no output

    @jax.jit
    def value_and_gradients(x, kernel):
        y, pullback = jax.vjp(lambda x, kernel: operator(x, kernel, strides, padding), x, kernel)
        return y, *pullback(jnp.broadcast_to(jnp.asarray(g, y.dtype), y.shape))

    results = value_and_gradients(jnp.asarray(x, jnp.float32), jnp.asarray(kernel, jnp.float32))
    for ours, truth in zip(results, reference(x, kernel, strides, padding, g), strict=True):
        assert ours.shape == truth.shape
        np.testing.assert_allclose(ours, truth, rtol=0, atol=1e-5 * max(1, np.abs(truth).max()))


@pytest.mark.parametrize(
    ("ours", "flax", "padding"),
    [
        (Conv3D, nn.Conv, ((1, 1), (1, 1), (0, 1))),
        (ConvTranspose3D, nn.ConvTranspose, ((1, 1), (1, 2), (2, 1))),
    ],
)
def test_modules_are_drop_ins_for_flax(ours, flax, padding):
    x = jax.random.normal(jax.random.key(0), (2, 4, 6, 8, 3))
    arguments = dict(kernel_size=(3, 3, 3), strides=(1, 2, 2), padding=padding)
    theirs = flax(5, **arguments)
    variables = theirs.init(jax.random.key(1), x)
    np.testing.assert_allclose(
        ours(5, **arguments).apply(variables, x), theirs.apply(variables, x), atol=2e-6
    )


CHANNELS = [(1, 6), (6, 1), (3, 5), (1, 24), (24, 3), (12, 20)]


@pytest.mark.parametrize("strides", [(1, 1, 1), (1, 2, 2), (2, 2, 2), (3, 1, 2)])
@pytest.mark.parametrize(("inputs", "outputs"), CHANNELS)
@pytest.mark.parametrize(
    ("operator", "reference", "high"),
    [(conv3d.conv, reference_conv, 1), (conv3d.conv_transpose, reference_conv_transpose, 2)],
    ids=["conv", "transpose"],
)
def test_float32_error_is_at_most_twice_that_of_lax(
    operator, reference, high, inputs, outputs, strides
):
    rng = np.random.default_rng(0)
    padding = ((1, high),) * 3
    x = rng.normal(size=(2, 4, 6, 8, inputs)).astype(np.float32)
    kernel = rng.normal(size=(3, 3, 3, inputs, outputs)).astype(np.float32)
    shape = jax.eval_shape(lambda x, k: operator(x, k, strides, padding), x, kernel).shape
    g = rng.normal(size=shape).astype(np.float32)  # of one at all places the error is one draw

    def outcome(path):
        def results(x, kernel):
            y, pullback = jax.vjp(lambda x, k: operator(x, k, strides, padding, path), x, kernel)
            return y, *pullback(g)

        return jax.jit(results)(x, kernel)

    exact = reference(*(v.astype(np.float64) for v in (x, kernel)), strides, padding, g)
    for ours, theirs, truth in zip(outcome("products"), outcome("lax"), exact, strict=True):
        assert np.abs(ours - theirs).max() <= 1e-5 * np.abs(truth).max()
        assert np.linalg.norm(ours - truth) <= 2 * np.linalg.norm(theirs - truth)


@pytest.mark.parametrize("block_bytes", [1, 8000, 65_000])  # a row; rows, frames, the last overlap
def test_blocks_change_nothing(monkeypatch, block_bytes):
    """Layers that overflow the cache go block by block of each frame."""
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(2, 5, 9, 6, 50)), jnp.float32)
    kernel = jnp.asarray(rng.normal(size=(3, 3, 3, 50, 12)), jnp.float32)

    def results(operator, dtype):
        y, pullback = jax.vjp(
            lambda x, k: operator(x, k, (2, 2, 2), ((1, 2),) * 3, "products"),
            x.astype(dtype),
            kernel.astype(dtype),
        )
        return y, *pullback(y)

    for operator in (conv3d.conv, conv3d.conv_transpose):
        for dtype, tolerance in ((jnp.float32, 1e-5), (jnp.bfloat16, 2e-2)):
            whole = results(operator, dtype)
            with monkeypatch.context() as patch:
                patch.setattr(conv3d_products, "_CACHE_BYTES", 1)
                patch.setattr(conv3d_products, "_BLOCK_BYTES", block_bytes)
                blocks = results(operator, dtype)
            for a, b in zip(whole, blocks, strict=True):
                a, b = (np.asarray(v, np.float32) for v in (a, b))
                np.testing.assert_allclose(b, a, rtol=0, atol=tolerance * np.abs(a).max())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            dict(kernel_size=(3, 3, 3)),
            r"down/conv: an input of shape \(1, 2, 8, 8, 3\) leaves nothing",
        ),
        (
            dict(kernel_size=(1, 1, 1), path_name="fast"),
            r"down/conv: path 'fast' is unknown; use one",
        ),
    ],
)
def test_errors_name_the_layer(arguments, message):
    class Down(nn.Module):
        @nn.compact
        def __call__(self, x):
            return Conv3D(4, name="conv", **arguments)(x)

    class Network(nn.Module):
        @nn.compact
        def __call__(self, x):
            return Down(name="down")(x)

    with pytest.raises(ValueError, match=message):
        Network().init(jax.random.key(0), jnp.zeros((1, 2, 8, 8, 3)))


def test_channels_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"has 3 channels, a kernel .* takes 4"):
        conv3d.conv(
            jnp.zeros((1, 2, 8, 8, 3)), jnp.zeros((1, 1, 1, 4, 5)), (1, 1, 1), ((0, 0),) * 3
        )


@pytest.mark.parametrize("outputs", [8, 24])
def test_bfloat16_accumulates_in_float32(outputs):
    """4,096 products of 1 and 1/256 sum to 16; bfloat16 accumulation would stop at 1 or 2."""
    x = jnp.full((1, 1, 1, 1, 4096), 1 / 256, jnp.bfloat16)
    kernel = jnp.ones((1, 1, 1, 4096, outputs), jnp.bfloat16)
    y = conv3d.conv(x, kernel, (1, 1, 1), ((0, 0),) * 3)
    np.testing.assert_array_equal(np.asarray(y, np.float32), 16)
