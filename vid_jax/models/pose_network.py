"""A network of hand pose put together: what refines the hand's centre, what regresses, and the prior behind it."""

from flax import linen as nn
from jaxtyping import Array, Float

from vid_jax.models.deep_prior import PosePrior


class PoseNetwork(nn.Module):
    """From a crop to the pose, if there is a prior by way of its coordinates.

    Attributes:
        trunk: from crops (batch, height, width, 1), train, action and mask to coordinates of the prior, or to the pose;
            its `film` says where it is conditioned on the action.
        prior: from the coordinates to the pose; None regresses the pose directly.
        com_refinement: from a crop to the offset of the hand's centre in half cubes; not trained with the rest.
    """

    trunk: nn.Module
    prior: PosePrior | None = None
    com_refinement: nn.Module | None = None

    @property
    def conditioned(self) -> bool:
        """Whether the pose depends on an action."""
        return bool(self.trunk.film)

    def __call__(
        self,
        depth: Float[Array, "batch height width 1"],
        train: bool,
        action: Float[Array, "batch classes"] | None = None,
        mask: Float[Array, " batch"] | None = None,
    ) -> tuple[Float[Array, "batch coordinates"], Float[Array, "batch joints*3"]]:
        """Coordinates, and the pose in half cubes about the centre; the same where there is no prior.

        Args:
            action: weights of the classes, one-hot or probabilities; unused by a network that is not conditioned.
            mask: 1 for each crop that counts in BatchNorm's batch statistics; all do by default.
        """
        if self.is_initializing() and self.com_refinement:
            self.refine(depth)
        coordinates = self.trunk(depth, train, action, mask)
        return coordinates, self.prior(coordinates) if self.prior else coordinates

    def refine(self, depth: Float[Array, "batch height width 1"]) -> Float[Array, "batch 3"]:
        """The offset of the hand's centre in half cubes."""
        return self.com_refinement(depth, train=False)
