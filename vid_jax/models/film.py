"""Conditioning on an action: feature-wise linear modulation, and what is put into the input image.

Perez et al., "FiLM: Visual Reasoning with a General Conditioning Layer", AAAI 2018.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

# Where a pose network may be conditioned: FiLM of the input image, of the input of every residual block, of both hidden
# layers, of the coordinates of the prior; the class as one more channel of the image, or as a map of it per class.
PLACEMENTS = ("image", "residual", "linear", "prior", "channel", "embedding")


class FiLM(nn.Module):
    """(1 + gamma) x + beta, with gamma and beta of each channel a linear function of the action.

    Attributes:
        identity: starts at zero, where it changes nothing; otherwise uniform within 1 / sqrt(classes).
    """

    identity: bool = True

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch *space channel"], action: Float[Array, "batch classes"]
    ) -> Float[Array, "batch *space channel"]:
        """Of the weights of the classes, one-hot or probabilities."""
        init = nn.initializers.zeros if self.identity else uniform_within(action.shape[-1] ** -0.5)
        change = nn.Dense(2 * x.shape[-1], kernel_init=init, bias_init=init, name="dense")(action)
        change = change.reshape(len(x), *(1,) * (x.ndim - 2), -1).astype(x.dtype)
        gamma, beta = jnp.split(change, 2, axis=-1)
        return (1 + gamma) * x + beta


class ConditionedImage(nn.Module):
    """The image with the action in it.

    Attributes:
        placements: "image", FiLM of it; "channel", the class scaled to [0, 1] as one more channel; "embedding", a
            linear function of the action as a constant channel for each class. Others are left to other layers.
        identity: see `FiLM`.
    """

    placements: Sequence[str]
    identity: bool = True

    @nn.compact
    def __call__(
        self, image: Float[Array, "batch height width in"], action: Float[Array, "batch classes"]
    ) -> Float[Array, "batch height width out"]:
        classes = action.shape[-1]
        x, constants = image, []
        if "image" in self.placements:
            x = FiLM(self.identity, name="film")(x, action)
        if "channel" in self.placements:
            constants.append(action @ jnp.linspace(0, 1, classes)[:, None])
        if "embedding" in self.placements:
            constants.append(nn.Dense(classes, name="embedding")(action))
        tiled = [jnp.broadcast_to(c[:, None, None], (*x.shape[:3], c.shape[-1])) for c in constants]
        return jnp.concatenate([x, *(maps.astype(x.dtype) for maps in tiled)], axis=-1)


def uniform_within(bound: float) -> nn.initializers.Initializer:
    """Between -bound and bound, as PyTorch draws biases."""
    return lambda key, shape, dtype=jnp.float32: jax.random.uniform(
        key, shape, dtype, -bound, bound
    )
