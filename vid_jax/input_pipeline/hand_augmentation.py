"""Crops of hands on the device: augmented, centred anew, normalised.

Oberweger, Lepetit, "DeepPrior++", ICCV Workshops 2017, section 3.2. A shift or a change of the cube is a new crop of
the same depth map, as far as the old one shows it; a rotation turns the map about the pixel of the hand's centre.
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float, Key

from vid_jax.cameras import Camera

# Shift of the centre, rotation in the image, scale of the cube.
MODES = ("com", "rot", "sc", "none")


@struct.dataclass
class Hands:
    """Crops with what they were cropped by; all of the same first axes.

    Attributes:
        depth: (..., size, size) mm, 0 where nothing was measured.
        com: (..., 3) mm, the centre.
        cube: (...) mm, the edge of the cube about it.
        scale, offset: (..., 2): crop pixel = scale * (u, v) + offset.
        joints: (..., joints, 3) mm.
    """

    depth: Float[Array, "*batch size size"]
    com: Float[Array, "*batch 3"]
    cube: Float[Array, " *batch"]
    scale: Float[Array, "*batch 2"]
    offset: Float[Array, "*batch 2"]
    joints: Float[Array, "*batch joints 3"]


@struct.dataclass
class Draw:
    """A change: shift of the centre in mm, angle in radians (from x to y), factor of the cube's edge."""

    shift: Float[Array, "*batch 3"]
    angle: Float[Array, " *batch"]
    factor: Float[Array, " *batch"]


@struct.dataclass
class Ranges:
    """Standard deviation of shifts in mm, largest angle in degrees, standard deviation of the cube's factor."""

    shift_sigma: float = struct.field(pytree_node=False, default=5.0)
    rotation_range: float = struct.field(pytree_node=False, default=180.0)
    scale_sigma: float = struct.field(pytree_node=False, default=0.02)


def draw(key: Key[Array, ""], modes: tuple[str, ...], ranges: Ranges) -> Draw:
    """One of the modes, each as likely, and its random numbers; modes joined by + are applied together."""
    used = np.array([[part in mode.split("+") for part in MODES] for mode in modes])
    which, *keys = jax.random.split(key, 4)
    com, rot, sc, _ = jnp.asarray(used)[jax.random.randint(which, (), 0, len(modes))]
    shift = ranges.shift_sigma * jax.random.normal(keys[0], (3,))
    angle = jnp.deg2rad(ranges.rotation_range) * jax.random.uniform(keys[1], (), minval=-1)
    factor = jnp.abs(1 + ranges.scale_sigma * jax.random.normal(keys[2], ()))
    return Draw(jnp.where(com, shift, 0), jnp.where(rot, angle, 0), jnp.where(sc, factor, 1))


def draw_batch(
    seed: int, index: Array, epoch: Array, modes: tuple[str, ...], ranges: Ranges
) -> Draw:
    """A draw for each sample, a pure function of seed, sample and epoch."""
    key = jax.random.key(seed)

    def one(index, epoch):
        return draw(jax.random.fold_in(jax.random.fold_in(key, index), epoch), modes, ranges)

    return jax.vmap(one)(index, epoch)


def augmented(hands: Hands, draws: Draw, camera: Camera) -> Hands:
    """The crops (batch, ...) and their labels after a draw for each."""
    return jax.vmap(lambda hand, change: _augmented(hand, change, camera))(hands, draws)


def augmented_joints(
    joints: Array, com: Array, draws: Draw, camera: Camera
) -> tuple[Float[Array, "batch joints 3"], Float[Array, "batch 3"]]:
    """The joints and the centre after a draw for each, without the crop."""

    def one(joints, com, change):
        com = com + change.shift
        return _rotated(joints, com, change.angle, camera), com

    return jax.vmap(one)(joints, com, draws)


def centred_at(hands: Hands, com: Float[Array, "batch 3"], camera: Camera) -> Hands:
    """The crops about other centres, as far as the old ones show them."""
    zeros = jnp.zeros_like(hands.cube)
    return augmented(hands, Draw(com - hands.com, zeros, zeros + 1), camera)


def crop_pixels(
    hands: Hands, points: Float[Array, "batch points 3"], camera: Camera
) -> Float[Array, "batch points 2"]:
    """Where points in mm are seen in the crops."""
    return hands.scale[:, None] * camera.project(points)[..., :2] + hands.offset[:, None]


def normalised_depth(hands: Hands) -> Float[Array, "*batch size size 1"]:
    """Depth about the centre in half edges of the cube, within [-1, 1]; what was not measured lies at the back."""
    z, half = (x[..., None, None] for x in (hands.com[..., 2], hands.cube / 2))
    depth = hands.depth.astype(jnp.float32)
    depth = jnp.where(depth == 0, z + half, depth)
    return jnp.clip((depth - z) / half, -1, 1)[..., None]


def normalised_joints(hands: Hands) -> Float[Array, "*batch joints*3"]:
    """Joints about the centre in half edges of the cube."""
    half = hands.cube[..., None, None] / 2
    joints = (hands.joints - hands.com[..., None, :]) / half
    return joints.reshape(*joints.shape[:-2], -1)


def joints_in_mm(
    normalised: Float[Array, "*batch joints*3"], hands: Hands
) -> Float[Array, "*batch joints 3"]:
    """The inverse of `normalised_joints`."""
    joints = normalised.reshape(*normalised.shape[:-1], -1, 3)
    return joints * hands.cube[..., None, None] / 2 + hands.com[..., None, :]


def _augmented(hand: Hands, change: Draw, camera: Camera) -> Hands:
    com = hand.com + change.shift
    old_centre, centre = camera.project(hand.com)[:2], camera.project(com)[:2]
    middle = hand.scale * old_centre + hand.offset  # where the crop has its centre
    scale = hand.scale * com[2] / hand.com[2] / change.factor
    offset = middle - scale * centre

    size = hand.depth.shape[-1]
    rows, columns = jnp.meshgrid(jnp.arange(size), jnp.arange(size), indexing="ij")
    pixels = (jnp.stack([columns, rows], -1) - offset) / scale
    source = centre + _turned(pixels - centre, -change.angle)
    x, y = jnp.moveaxis(jnp.round(hand.scale * source + hand.offset).astype(jnp.int32), -1, 0)
    inside = (x >= 0) & (x < size) & (y >= 0) & (y < size)
    depth = jnp.where(inside, hand.depth[y, x], 0)
    joints = _rotated(hand.joints, com, change.angle, camera)
    return Hands(depth, com, hand.cube * change.factor, scale, offset, joints)


def _rotated(joints, com, angle, camera: Camera):
    """Joints turned in the image about the pixel of the centre, at the depth they have."""
    centre = camera.project(com)[:2]
    pixels = camera.project(joints)
    turned = centre + _turned(pixels[:, :2] - centre, angle)
    return camera.unproject(jnp.concatenate([turned, pixels[:, 2:]], -1))


def _turned(vectors: Float[Array, "*shape 2"], angle) -> Float[Array, "*shape 2"]:
    # Not a product of matrices: accelerators round the factors of those.
    x, y, cos, sin = vectors[..., 0], vectors[..., 1], jnp.cos(angle), jnp.sin(angle)
    return jnp.stack([x * cos - y * sin, x * sin + y * cos], -1)
