"""What joint models do with poses and actions between their networks: smoothing, mixing, hiding the action."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

MIXINGS = ("log_normalised", "log_unnormalised", "probabilities")


def mixed(
    first: Float[Array, "*batch classes"],
    second: Float[Array, "*batch classes"],
    share: float,
    mixing: str,
) -> Float[Array, "*batch classes"]:
    """Log-probabilities between two, `share` of the second.

    Args:
        mixing: "log_normalised", the normalised geometric mean, which is also what mixed logits give;
            "log_unnormalised", the same without the normalisation, so that exp of it sums to at most 1;
            "probabilities", the arithmetic mean.
    """
    if mixing == "probabilities":
        shares = jnp.array([1 - share, share]).reshape(2, *(1,) * first.ndim)
        return jax.nn.logsumexp(jnp.stack([first, second]), axis=0, b=shares)
    log = share * second + (1 - share) * first
    return log if mixing == "log_unnormalised" else jax.nn.log_softmax(log)


def next_average(
    previous: Float[Array, "batch pose"],
    pose: Float[Array, "batch pose"],
    started: Bool[Array, " batch"],
    gamma: float,
) -> Float[Array, "batch pose"]:
    """The exponential moving average gamma * previous + (1 - gamma) * pose, which starts at the first pose."""
    return jnp.where(started[:, None], gamma * previous + (1 - gamma) * pose, pose)


def moving_average(
    poses: Float[Array, "batch time pose"], gamma: float
) -> Float[Array, "batch time pose"]:
    """`next_average` from frame to frame."""
    if not gamma:
        return poses

    def step(previous, pose):
        average = gamma * previous + (1 - gamma) * pose
        return average, average

    _, averages = jax.lax.scan(step, poses[:, 0], jnp.swapaxes(poses, 0, 1))
    return jnp.swapaxes(averages, 0, 1)


def hidden_at_random(
    key: Key[Array, ""], action: Float[Array, "batch classes"], probability: float
) -> Float[Array, "batch classes"]:
    """The weights of the classes, with a probability replaced by equal ones, each example's by its own draw."""
    hidden = jax.random.bernoulli(key, probability, (len(action), 1))
    return jnp.where(hidden, 1 / action.shape[-1], action)
