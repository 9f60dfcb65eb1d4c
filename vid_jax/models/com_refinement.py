"""The network that refines a hand's centre: how far it lies from the centre of a crop.

Oberweger and Lepetit, "DeepPrior++: Improving Fast and Accurate 3D Hand Pose Estimation", ICCV Workshops 2017.
"""

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from vid_jax.models.deep_prior import PooledConvolutions, Regressor

_POOLS = (
    (4, 2, 1),
    (2, 2, 1),
    (2, 1, 1),
)  # of the whole crop, its central half, its central quarter


class ComRefinement(nn.Module):
    """Sees the crop and its central half and quarter, each through convolutions of its own.

    Attributes:
        drop_rate: of the fully connected layers.
    """

    drop_rate: float = 0.3

    @nn.compact
    def __call__(
        self, depth: Float[Array, "batch height width 1"], train: bool
    ) -> Float[Array, "batch 3"]:
        """The centre's offset, in half cubes.

        Raises:
            ValueError: height or width is not divisible by 8 or is less than 72.
        """
        if any(size % 8 for size in depth.shape[1:3]):
            raise ValueError(
                f"a crop of {depth.shape[1]}x{depth.shape[2]} has no central quarter; use multiples of 8, such as 128"
            )
        features = [
            PooledConvolutions(pools, name=f"branch_{number}")(_centre(depth, 2**number))
            for number, pools in enumerate(_POOLS)
        ]
        return Regressor(3, self.drop_rate, name="regressor")(jnp.concatenate(features, 1), train)


def _centre(depth: Array, divisor: int) -> Array:
    """The middle of height and width, smaller by `divisor`."""
    (top, left), (height, width) = (
        [size * share // (2 * divisor) for size in depth.shape[1:3]] for share in (divisor - 1, 2)
    )
    return depth[:, top : top + height, left : left + width]
