"""Sequences of crops whose frames are packed one after another, so that padding costs no pose network anything."""

import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Bool, Float, Int


@struct.dataclass
class PackedSequences:
    """Frames of a batch of sequences, and where those of each sequence are.

    Attributes:
        depth: of each frame, in [-1, 1].
        mask: 1, or 0 for frames that belong to no sequence.
        com, cube: centre in mm and edge of the cube of each frame's crop.
        positions: where each frame of each sequence is among the frames; behind its end that of any frame.
        length: frames of each sequence.
    """

    depth: Float[Array, "frames size size 1"]
    mask: Float[Array, " frames"]
    com: Float[Array, "frames 3"]
    cube: Float[Array, " frames"]
    positions: Int[Array, "batch time"]
    length: Int[Array, " batch"]

    @property
    def valid(self) -> Bool[Array, "batch time"]:
        """Which frames of the padded sequences there are."""
        return jnp.arange(self.positions.shape[1]) < self.length[:, None]

    def unpacked(self, values: Float[Array, "frames *shape"]) -> Float[Array, "batch time *shape"]:
        """Of each frame of the padded sequences; behind their ends of any frame."""
        return values[self.positions]

    def spread(self, values: Float[Array, "batch *shape"]) -> Float[Array, "frames *shape"]:
        """For each frame the value of its sequence; for frames of none that of the first."""
        frames = len(self.mask)
        places = jnp.where(self.valid, self.positions, frames)
        owners = jnp.broadcast_to(jnp.arange(len(places))[:, None], places.shape)
        return values[jnp.zeros(frames, jnp.int32).at[places].set(owners, mode="drop")]
