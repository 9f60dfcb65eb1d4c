"""Losses at points where their values are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

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


def test_the_hinge_is_of_what_moves_and_has_no_gradient_beyond_the_margin():
    """Of two pixels over three frames the second moves, by 0.3; both are predicted 0.5 too high, then 2."""
    target = jnp.array([[[0.1, 0.0], [0.15, 0.3], [0.1, 0.1]]])

    def hinge(offset):
        return losses.motion_hinge(target + offset, target, margin=1.0, motion=0.2)[0]

    values, slopes = zip(*map(jax.value_and_grad(hinge), (0.5, 2.0)))
    np.testing.assert_allclose(values, [(0.25 + 0.75) / 2, 4 / 2], rtol=1e-5)
    np.testing.assert_allclose(slopes, [(1 - 1) / 2, 4 / 2], atol=1e-5)


def test_losses_of_coordinates_are_sums_over_them():
    """At -0.3, 0.04 and 0.2 from the target, and of the second example at the target."""
    target = jnp.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    prediction = target + jnp.array([[-0.3, 0.04, 0.2], [0.0, 0.0, 0.0]])
    expected = {
        losses.l2: 0.09 + 0.0016 + 0.04,
        losses.l1: 0.54,
        # half the square up to 0.1, then 0.1 (|d| - 0.05)
        losses.huber: 0.025 + 0.0008 + 0.015,
    }
    for loss, value in expected.items():
        np.testing.assert_allclose(loss(prediction, target), [value, 0], atol=1e-6)


@pytest.mark.parametrize("loss", [losses.l2, losses.l1, losses.huber])
@pytest.mark.parametrize("distance", [0.0, 1e4])
def test_losses_of_coordinates_have_finite_gradients(loss, distance):
    gradient = jax.grad(lambda x: loss(x, jnp.zeros((2, 4))).sum())
    assert jnp.isfinite(gradient(jnp.full((2, 4), distance))).all()


def test_huber_is_smooth_where_it_turns_linear():
    gradient = jax.grad(lambda x: losses.huber(x, jnp.zeros((1, 1)), delta=0.5).sum())
    slopes = [float(gradient(jnp.full((1, 1), x))[0, 0]) for x in (0.25, 0.499, 0.501, 3.0)]
    np.testing.assert_allclose(slopes, [0.25, 0.499, 0.5, 0.5], rtol=1e-5)
