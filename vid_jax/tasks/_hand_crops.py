"""What tasks on crops of hands share: the batch, its augmentation, and how it is drawn for TensorBoard."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float
from ml_collections import ConfigDict

from vid_jax.cameras import CAMERAS, Camera
from vid_jax.errors import UserError
from vid_jax.hand_joints import SKELETONS, Skeleton
from vid_jax.input_pipeline.datasets import fhad_files
from vid_jax.input_pipeline.hand_augmentation import (
    Hands,
    Ranges,
    augmented,
    crop_pixels,
    draw_batch,
    normalised_depth,
)
from vid_jax.input_pipeline.hand_sources import DATASETS, skeleton_name
from vid_jax.tasks.base import Batch

ACTION_DATASETS = ("fhad", "hands_gestures")  # whose frames are of known actions

_GREEN, _RED = (0.3, 1.0, 0.4), (1.0, 0.25, 0.25)
_LINE_WIDTH = 0.7  # pixels to either side


@dataclasses.dataclass(frozen=True)
class CropSettings:
    """The keys of `config.data` that tasks read, and the data set's camera, joints and actions."""

    camera: Camera
    skeleton: Skeleton
    actions: tuple[str, ...]  # by class; none where frames are of no known action
    crop_size: int
    cube: float  # mm; 0: the data set's own
    center: str
    interpolation: str
    modes: tuple[str, ...]
    prior_modes: tuple[str, ...]
    ranges: Ranges
    seed: int

    @classmethod
    def of(cls, config: ConfigDict) -> "CropSettings":
        """Those of a config.

        Raises:
            UserError: its data set is unknown.
        """
        data = config.data
        name = skeleton_name(data.dataset)
        if data.dataset not in DATASETS:
            raise UserError(
                f"config.data.dataset={data.dataset!r}: must be one of {', '.join(DATASETS)}"
            )
        return cls(
            camera=CAMERAS[name],
            skeleton=SKELETONS[name],
            actions=_actions(data.dataset),
            crop_size=data.crop_size,
            cube=data.cube,
            center=data.center,
            interpolation=data.interpolation,
            modes=tuple(data.augmentation),
            prior_modes=tuple(data.prior_augmentation),
            ranges=Ranges(data.shift_sigma, data.rotation_range, data.scale_sigma),
            seed=config.seed,
        )

    def batch_spec(self, batch_size: int) -> dict[str, jax.ShapeDtypeStruct]:
        """Crops in mm, what they were cropped by, joints in mm, actions, and by what their augmentation is drawn."""
        shapes = {
            "depth": ((self.crop_size, self.crop_size), jnp.uint16),
            "joints": ((len(self.skeleton.joints), 3), jnp.float32),
            "com": ((3,), jnp.float32),
            "cube": ((), jnp.float32),
            "scale": ((2,), jnp.float32),
            "offset": ((2,), jnp.float32),
            "action": ((), jnp.int32),
            "index": ((), jnp.int32),
            "epoch": ((), jnp.int32),
        }
        return {
            name: jax.ShapeDtypeStruct((batch_size, *shape), dtype)
            for name, (shape, dtype) in shapes.items()
        }

    def augmented(self, batch: Batch) -> Hands:
        """The crops, each changed by its own draw."""
        if set(self.modes) == {"none"}:
            return hands_of(batch)
        draws = draw_batch(self.seed, batch["index"], batch["epoch"], self.modes, self.ranges)
        return augmented(hands_of(batch), draws, self.camera)


def hands_of(batch: Batch) -> Hands:
    """The crops of a batch."""
    return Hands(**{field.name: batch[field.name] for field in dataclasses.fields(Hands)})


def _actions(dataset: str) -> tuple[str, ...]:
    if dataset == "hands_gestures":
        # Not above: SciPy takes a while.
        from vid_jax.input_pipeline.datasets import hand_gestures

        return hand_gestures.ACTIONS
    return fhad_files.ACTIONS if dataset == "fhad" else ()


def check_crop_size(network: nn.Module, size: int, **inputs: jax.ShapeDtypeStruct) -> None:
    """Builds the network for crops of that size, and other inputs of it, without computing anything.

    Raises:
        UserError: it takes none of that size.
    """
    if size < 1:
        raise UserError(f"config.data.crop_size={size}: must be at least 1 pixel")
    crop = jax.ShapeDtypeStruct((1, size, size, 1), jnp.float32)
    try:
        init = functools.partial(network.init, train=False)
        jax.eval_shape(init, jax.random.key(0), crop, **inputs)
    except ValueError as error:
        raise UserError(f"config.data.crop_size={size}: {error}") from error


def draw_hands(
    hands: Hands, predicted: Float[Array, "batch joints 3"], settings: CropSettings
) -> Float[Array, "batch size size 3"]:
    """Crops in [0, 1] with the true bones in red and the predicted ones in green."""
    images = _grey(hands)
    for joints, colour in ((hands.joints, _RED), (predicted, _GREEN)):
        pixels = crop_pixels(hands, joints, settings.camera)
        lines = jax.vmap(_lines, (0, None, None))(
            pixels, settings.skeleton.bones, settings.crop_size
        )
        images = jnp.where(lines[..., None], jnp.array(colour), images)
    return images


def draw_points(
    hands: Hands, points: Float[Array, "batch 2 3"], camera: Camera
) -> Float[Array, "batch size size 3"]:
    """Crops in [0, 1] with the first point in red and the second in green."""
    images, pixels = _grey(hands), crop_pixels(hands, points, camera)
    for number, colour in enumerate((_RED, _GREEN)):
        dots = jax.vmap(_lines, (0, None, None))(pixels, [(number, number)], images.shape[1])
        images = jnp.where(dots[..., None], jnp.array(colour), images)
    return images


def _grey(hands: Hands) -> Float[Array, "batch size size 3"]:
    return jnp.repeat(0.8 - 0.4 * (normalised_depth(hands) + 1), 3, axis=-1)


def _lines(pixels, bones, size: int):
    """(size, size) bool: near a bone between pixels (joints, 2)."""
    rows, columns = jnp.meshgrid(jnp.arange(size), jnp.arange(size), indexing="ij")
    points = jnp.stack([columns, rows], -1)[:, :, None]
    starts, ends = (pixels[jnp.array(side)] for side in zip(*bones))
    along = ends - starts
    length = jnp.maximum((along**2).sum(-1), 1e-6)
    share = jnp.clip(((points - starts) * along).sum(-1) / length, 0, 1)
    distance = jnp.linalg.norm(points - starts - share[..., None] * along, axis=-1)
    return distance.min(-1) < _LINE_WIDTH
