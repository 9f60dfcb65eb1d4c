"""Losses at points where their values are known."""

import jax
import jax.numpy as jnp
import numpy as np

from vid_jax import losses


def test_entropy_of_one_hot_uniform_and_dead_rows():
    slots = 50
    one_hot = jnp.eye(slots)[:1]
    uniform = jnp.full((1, slots), 1 / slots)
    dead = jnp.zeros((1, slots))
    values = [float(losses.attention_entropy(w[None])[0]) for w in (one_hot, uniform, dead)]
    np.testing.assert_allclose(values, [0, np.log(slots), 0], atol=1e-5)


def test_entropy_has_a_finite_gradient_at_zero_weights():
    gradient = jax.grad(lambda w: losses.attention_entropy(w).sum())(jnp.zeros((1, 2, 5)))
    assert jnp.isfinite(gradient).all()


def test_dead_queries_is_a_share():
    weights = jnp.array([[[0.0, 0.0], [0.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]]])
    np.testing.assert_array_equal(losses.dead_queries(weights), [0.5, 1.0])


def test_squared_error_is_the_mean_of_each_example():
    x, y = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    np.testing.assert_allclose(
        losses.squared_error(jnp.asarray(x), jnp.asarray(y)),
        ((x - y) ** 2).reshape(3, -1).mean(1),
        rtol=1e-5,
    )
