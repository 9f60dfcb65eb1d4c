"""Changes of whole sequences of joints that leave the action the same."""

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float, Int, Key

from vid_jax.joint_features import interpolated

_WAVES = 3  # that the pace of time is made of


@struct.dataclass
class Draw:
    """A change of each sequence.

    Attributes:
        rotation: axis times angle in radians, about the mean of all joints.
        scale: factor of all distances.
        start, end: shares that are cut off.
        pace: strengths of the waves of half a period and its multiples in the logarithm of the speed.
        noise: key of the joints' noise.
    """

    rotation: Float[Array, "*batch 3"]
    scale: Float[Array, " *batch"]
    start: Float[Array, " *batch"]
    end: Float[Array, " *batch"]
    pace: Float[Array, "*batch waves"]
    noise: Key[Array, " *batch"]


@struct.dataclass
class Ranges:
    """How far sequences are changed; 0 leaves them.

    Attributes:
        rotation_range: largest angle in degrees, about any axis.
        scale_sigma: standard deviation of the factor.
        time_warp: standard deviation of the strength of each wave.
        crop: largest share that is cut off both ends together.
        noise_sigma: standard deviation in mm of each coordinate.
    """

    rotation_range: float = struct.field(pytree_node=False, default=0.0)
    scale_sigma: float = struct.field(pytree_node=False, default=0.0)
    time_warp: float = struct.field(pytree_node=False, default=0.0)
    crop: float = struct.field(pytree_node=False, default=0.0)
    noise_sigma: float = struct.field(pytree_node=False, default=0.0)

    @property
    def any(self) -> bool:
        """Whether anything is changed at all."""
        return any(vars(self).values())


def draw(key: Key[Array, ""], ranges: Ranges) -> Draw:
    """The random numbers of a sequence."""
    keys = jax.random.split(key, 7)
    axis = jax.random.normal(keys[0], (3,))
    angle = jnp.deg2rad(ranges.rotation_range) * jax.random.uniform(keys[1])
    cut, share = ranges.crop * jax.random.uniform(keys[2]), jax.random.uniform(keys[3])
    return Draw(
        rotation=angle * axis / jnp.linalg.norm(axis),
        scale=jnp.abs(1 + ranges.scale_sigma * jax.random.normal(keys[4])),
        start=cut * share,
        end=cut * (1 - share),
        pace=ranges.time_warp * jax.random.normal(keys[5], (_WAVES,)),
        noise=keys[6],
    )


def draw_batch(
    seed: int, index: Int[Array, " batch"], epoch: Int[Array, " batch"], ranges: Ranges
) -> Draw:
    """A draw for each sequence, a pure function of seed, sequence and epoch."""
    key = jax.random.key(seed)

    def one(index, epoch):
        return draw(jax.random.fold_in(jax.random.fold_in(key, index), epoch), ranges)

    return jax.vmap(one)(index, epoch)


def augmented(
    joints: Float[Array, "batch time 21 3"],
    length: Int[Array, " batch"],
    draws: Draw,
    ranges: Ranges,
) -> tuple[Float[Array, "batch time 21 3"], Int[Array, " batch"]]:
    """The sequences in mm, 0 in the padding, and their lengths after a draw for each."""
    places, length = _places(length, joints.shape[1], draws)
    joints = interpolated(joints, places)
    valid = (jnp.arange(joints.shape[1]) < length[:, None])[..., None, None]
    joints = jnp.where(valid, joints, 0)
    joints = jax.vmap(_moved)(joints, length, draws)
    if ranges.noise_sigma:
        noise = jax.vmap(lambda key: jax.random.normal(key, joints.shape[1:]))(draws.noise)
        joints = joints + ranges.noise_sigma * noise
    return jnp.where(valid, joints, 0), length


def _places(length, time, draws: Draw):
    """Where in the old frames the new ones lie, and how many these are: time passes evenly on the whole."""
    last = (jnp.maximum(length, 1) - 1)[:, None]
    kept = 1 - draws.start - draws.end
    new_last = jnp.round(kept[:, None] * last)
    passed = jnp.clip(jnp.arange(time) / jnp.maximum(new_last, 1), 0, 1)
    passed = _warped(passed, draws.pace)
    places = (draws.start[:, None] + kept[:, None] * passed) * last
    return places, new_last[:, 0].astype(jnp.int32) + jnp.minimum(length, 1)


def _warped(passed: Float[Array, "batch time"], pace: Float[Array, "batch waves"]):
    """The share of time that has passed when the speed varies: 0 stays 0, 1 stays 1, the order remains."""
    grid = jnp.linspace(0, 1, 65)
    waves = jnp.cos(jnp.pi * jnp.outer(jnp.arange(1, pace.shape[-1] + 1), grid))
    speed = jnp.exp((pace[:, :, None] * waves).sum(1))
    covered = jnp.cumsum((speed[:, 1:] + speed[:, :-1]) / 2, axis=1)
    covered = jnp.pad(covered / covered[:, -1:], ((0, 0), (1, 0)))
    return jax.vmap(lambda x, y: jnp.interp(x, grid, y))(passed, covered)


def _moved(joints, length, change: Draw):
    """A sequence turned and scaled about the mean of its joints."""
    mean = joints.sum((0, 1)) / jnp.maximum(length * joints.shape[1], 1)
    return mean + change.scale * _turned(joints - mean, change.rotation)


def _turned(vectors: Float[Array, "*shape 3"], rotation: Float[Array, " 3"]):
    """Rodrigues' formula."""
    angle = jnp.linalg.norm(rotation)
    axis = jnp.broadcast_to(rotation / jnp.maximum(angle, 1e-12), vectors.shape)
    along = axis * (axis * vectors).sum(-1, keepdims=True)
    across = jnp.cross(axis, vectors)
    return along + (vectors - along) * jnp.cos(angle) + across * jnp.sin(angle)
