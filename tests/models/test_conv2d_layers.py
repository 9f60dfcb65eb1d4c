"""Convolutions with stride, pooled ones, and BatchNorm with ReLU, against `lax`, Flax and float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax

from vid_jax.models import conv2d_layers
from vid_jax.models.batch_norm import BatchNormReLU
from vid_jax.models.conv2d_pooled import conv_max_pool


def lax_conv(x, kernel, stride, padding):
    sides = ((padding, padding), (padding, padding))
    return lax.conv_general_dilated(
        x, kernel, (stride, stride), sides, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def normal(rng, *shape):
    return rng.normal(size=shape).astype(np.float32)


def outcome(operator, *inputs):
    """Output, and the gradients of sum(sin(output)) to all inputs."""
    return jax.jit(
        lambda *inputs: (
            operator(*inputs),
            jax.grad(lambda *i: jnp.sin(operator(*i)).sum(), range(len(inputs)))(*inputs),
        )
    )(*inputs)


def assert_close(ours, theirs, tolerance=1e-5):
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * max(np.abs(b).max(), 1))


@settings(max_examples=15, deadline=None)
@given(
    sizes=st.tuples(st.integers(1, 3), st.integers(1, 8), st.integers(1, 8)),
    size=st.sampled_from([1, 3, 5]),
    stride=st.integers(1, 3),
    channels=st.sampled_from([(1, 4), (4, 1), (5, 5), (33, 8), (8, 33)]),
    seed=st.integers(0, 2**16),
)
def test_convolutions_agree_with_lax(sizes, size, stride, channels, seed):
    rng = np.random.default_rng(seed)
    x, kernel = normal(rng, *sizes, channels[0]), normal(rng, size, size, *channels)
    padding = size // 2
    assert_close(
        outcome(lambda x, k: conv2d_layers.conv(x, k, stride, padding), x, kernel),
        outcome(lambda x, k: lax_conv(x, k, stride, padding), x, kernel),
        tolerance=1e-4,
    )


def test_layer_has_the_parameters_and_outputs_of_flax():
    x = normal(np.random.default_rng(0), 2, 9, 10, 3)
    ours = conv2d_layers.Conv2D(6, 3, 2, 1)
    theirs = nn.Conv(6, (3, 3), (2, 2), ((1, 1), (1, 1)))
    variables = theirs.init(jax.random.key(0), x)
    variables["params"]["bias"] += 1.0
    expected = jax.eval_shape(lambda: ours.init(jax.random.key(0), x))
    assert jax.tree.map(jnp.shape, expected) == jax.tree.map(jnp.shape, variables)
    assert_close(ours.apply(variables, x), theirs.apply(variables, x))
    apart = conv2d_layers.Conv2D(6, 3, 2, 1, bias_apart=True)
    y, bias = apart.apply(variables, x)
    assert_close(y + bias, theirs.apply(variables, x))


def pooled_in_turn(x, kernel, bias):
    y = lax_conv(x, kernel, 1, kernel.shape[0] // 2) + bias
    return nn.max_pool(y, (2, 2), (2, 2))


@settings(max_examples=10, deadline=None)
@given(
    sizes=st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 5)),
    size=st.sampled_from([1, 3, 5]),
    features=st.integers(1, 5),
    seed=st.integers(0, 2**16),
)
def test_pooled_convolution_agrees_with_lax(sizes, size, features, seed):
    rng = np.random.default_rng(seed)
    batch, rows, columns = sizes
    x = normal(rng, batch, 2 * rows, 2 * columns, 1)
    inputs = x, normal(rng, size, size, 1, features), normal(rng, features)
    assert_close(outcome(conv_max_pool, *inputs), outcome(pooled_in_turn, *inputs), 1e-4)


def test_of_equal_neighbours_the_first_has_the_gradient():
    x = np.zeros((1, 4, 4, 1), np.float32)
    kernel, bias = np.ones((1, 1, 1, 2), np.float32), np.zeros(2, np.float32)
    gradient = jax.grad(lambda x: conv_max_pool(x, kernel, bias).sum())(x)
    expected = np.zeros((4, 4))
    expected[::2, ::2] = 2
    assert np.array_equal(gradient[0, :, :, 0], expected)


@pytest.mark.parametrize("platform", ["cpu", "cuda", "tpu"])
def test_pooling_goes_frame_by_frame_on_cpu_only(platform):
    x, kernel, bias = np.zeros((2, 8, 8, 1)), np.zeros((5, 5, 1, 4)), np.zeros(4)
    function = jax.value_and_grad(lambda k: conv_max_pool(x, k, bias).sum())
    text = jax.jit(function).trace(kernel).lower(lowering_platforms=(platform,)).as_text()
    assert ("stablehlo.while" in text) == (platform == "cpu")


@pytest.mark.parametrize("shape", [(3, 5, 4, 6), (8, 3)])
def test_batch_norm_agrees_with_flax(shape):
    rng = np.random.default_rng(0)
    x, bias = normal(rng, *shape) + 2, normal(rng, shape[-1])
    ours = BatchNormReLU(use_running_average=False, momentum=0.6, epsilon=1e-4)
    theirs = nn.BatchNorm(use_running_average=False, momentum=0.6, epsilon=1e-4)
    variables = theirs.init(jax.random.key(0), x)
    assert jax.tree.map(jnp.shape, ours.init(jax.random.key(0), x)) == jax.tree.map(
        jnp.shape, variables
    )
    scale, offset = normal(rng, shape[-1]), normal(rng, shape[-1])
    stats = variables["batch_stats"]

    def apply(norm, x, scale, offset, *rest):
        params = {"scale": scale, "bias": offset}
        return norm.apply(
            {"params": params, "batch_stats": stats}, x, *rest, mutable=["batch_stats"]
        )

    def normalised(x, scale, offset, bias):
        return apply(ours, x, scale, offset, bias)[0]

    def expected(x, scale, offset, bias):
        return nn.relu(apply(theirs, x + bias, scale, offset)[0])

    inputs = x, scale, offset, bias
    assert_close(outcome(normalised, *inputs), outcome(expected, *inputs))
    assert not jax.grad(lambda b: normalised(x, scale, offset, b).sum())(bias).any()
    assert_close(apply(ours, *inputs)[1], apply(theirs, x + bias, scale, offset)[1])
    running = BatchNormReLU(use_running_average=True, momentum=0.6, epsilon=1e-4)
    y, state = apply(running, *inputs)
    running = nn.BatchNorm(use_running_average=True, epsilon=1e-4)
    assert_close(y, nn.relu(apply(running, x + bias, scale, offset)[0]))
    assert jax.tree.all(jax.tree.map(np.array_equal, state["batch_stats"], stats))


def test_batch_norm_in_bfloat16_keeps_float32_statistics():
    x = (normal(np.random.default_rng(0), 64, 3) + 2).astype(jnp.bfloat16)
    norm = BatchNormReLU(use_running_average=False, momentum=0.0, epsilon=1e-4)
    variables = norm.init(jax.random.key(0), x)
    y, state = norm.apply(variables, x, mutable=["batch_stats"])
    assert y.dtype == jnp.bfloat16
    exact = np.asarray(x, np.float64)
    assert_close(state["batch_stats"], {"mean": exact.mean(0), "var": exact.var(0)})
    gradient = jax.grad(
        lambda x: norm.apply(variables, x, mutable=["batch_stats"])[0].astype(jnp.float32).sum()
    )(x)
    assert gradient.dtype == jnp.bfloat16
