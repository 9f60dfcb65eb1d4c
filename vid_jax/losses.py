"""Losses and the statistics that are logged beside them: pure functions of arrays, one value an example."""

import jax.numpy as jnp
import optax
from jaxtyping import Array, Float


def squared_error(
    prediction: Float[Array, "batch *shape"], target: Float[Array, "batch *shape"]
) -> Float[Array, " batch"]:
    """Mean over all elements of each example of the squared difference."""
    return _mean_over_example(jnp.square(prediction - target))


def motion_hinge(
    prediction: Float[Array, "batch time *shape"],
    target: Float[Array, "batch time *shape"],
    margin: float,
    motion: float,
) -> Float[Array, " batch"]:
    """Mean of what the squared difference lacks of `margin` where something moves, and of itself elsewhere.

    An element moves if its targets lie more than `motion` apart in time. A hinge, because a squared error that is
    maximised (Astrid et al., "Synthetic Temporal Anomaly Guided End-to-End Video Anomaly Detection", ICCV Workshops
    2021) has no end where the prediction is not bounded; of each element, because the mean of an example reaches the
    margin by a few elements that are far off.
    """
    error = jnp.square(prediction - target)
    moves = target.max(1, keepdims=True) - target.min(1, keepdims=True) > motion
    return _mean_over_example(jnp.where(moves, jnp.maximum(margin - error, 0), error))


def l2(
    prediction: Float[Array, "batch coordinates"], target: Float[Array, "batch coordinates"]
) -> Float[Array, " batch"]:
    """Sum over the coordinates of the squared difference (DeepPrior, equation 1)."""
    return jnp.square(prediction - target).sum(-1)


def l1(
    prediction: Float[Array, "batch coordinates"], target: Float[Array, "batch coordinates"]
) -> Float[Array, " batch"]:
    """Sum over the coordinates of the absolute difference."""
    return jnp.abs(prediction - target).sum(-1)


def huber(
    prediction: Float[Array, "batch coordinates"],
    target: Float[Array, "batch coordinates"],
    delta: float = 0.1,
) -> Float[Array, " batch"]:
    """Sum over the coordinates of half the square of differences up to `delta`, and of what is linear beyond."""
    return optax.losses.huber_loss(prediction, target, delta=delta).sum(-1)


def attention_entropy(weights: Float[Array, "batch *queries slots"]) -> Float[Array, " batch"]:
    """Entropy in nats of each query's weights, mean over the queries (MemAE, equation 9).

    One-hot weights give 0, uniform weights over N slots ln N. An all-zero row, a query that lost all its
    slots, also gives 0: killing the memory minimises this term, so log `dead_queries` beside it.
    """
    entropy = -jnp.sum(weights * jnp.log(weights + 1e-12), -1)
    return _mean_over_example(entropy)


def dead_queries(weights: Float[Array, "batch *queries slots"]) -> Float[Array, " batch"]:
    """Share of each example's queries that no slot answers."""
    return _mean_over_example((weights.max(-1) == 0).astype(jnp.float32))


def _mean_over_example(x: Array) -> Float[Array, " batch"]:
    return x.reshape(x.shape[0], -1).mean(1)
