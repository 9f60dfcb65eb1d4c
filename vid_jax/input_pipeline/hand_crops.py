"""Crops of hands in batches: the training stream, and each split once in order."""

import dataclasses
from collections.abc import Iterator

import numpy as np
from absl import logging

from vid_jax.cameras import Camera
from vid_jax.errors import UserError
from vid_jax.hand_joints import Skeleton
from vid_jax.input_pipeline.crop_store import CropStore
from vid_jax.input_pipeline.hand_protocols import PROTOCOLS, hold_out, split_frames
from vid_jax.input_pipeline.hand_sources import skeleton_name
from vid_jax.input_pipeline.streams import (
    Shares,
    StreamInfo,
    evaluation_stream,
    shuffled_rows,
    training_stream,
)
from vid_jax.input_pipeline.tensorflow_cpu import tf

# Of a crop, beside its depth.
FIELDS = {
    "joints": np.float32,
    "com": np.float32,
    "cube": np.float32,
    "scale": np.float32,
    "offset": np.float32,
    "action": np.int32,
}

_FAR_OUTSIDE = 2.0  # half edges of the cube: no hand reaches there, wrong labels do


@dataclasses.dataclass(frozen=True)
class HandsInfo(StreamInfo):
    """What there is in a data set, and how it is dealt out."""

    camera: Camera
    skeleton: Skeleton
    description: str  # what a report's reader should know of the crops


class HandCrops:
    """Crops (size, size) uint16 mm of a crop store, with their labels.

    The training stream is as that of videos: one permutation of all crops after another, a pure function of (seed,
    position).

    Args:
        store: the crops.
        config: `seed` and the keys of `data` are read.
        batch_size: crops in a global batch.
        process_index, process_count: JAX's own by default.

    Raises:
        UserError: the protocol, the held-out subject or the validation does not fit the data, or the processes do not
            divide the batch.
    """

    def __init__(
        self,
        store: CropStore,
        config,
        batch_size: int,
        process_index: int | None = None,
        process_count: int | None = None,
    ):
        data = config.data
        self._shares = Shares(process_index, process_count)
        self._shares.check(batch_size)
        self._store, self._seed, self._fresh = store, config.seed, data.draws == "fresh"
        self._known = {
            name: store.fields[name].astype(dtype, copy=False) for name, dtype in FIELDS.items()
        }
        protocol = (skeleton_name(data.dataset), data.protocol, data.held_out, store.fields)
        train, test = split_frames(*protocol)
        subjects, *where = (store.fields[key][train] for key in ("subject", "sequence", "frame"))
        names = [f"{sequence}/{frame}" for sequence, frame in zip(*where, strict=True)]
        train, validation = hold_out(train, test, data, subjects, names, config.seed)
        self._rows = {"train": train, "validation": validation, "test": test}
        for split, rows in self._rows.items():
            if not len(rows):
                raise UserError(f"{store.name}: no frames for {split}; see config.data.protocol")
        warn_of_labels(store)
        self.info = HandsInfo(
            name=store.name,
            camera=store.camera,
            skeleton=store.skeleton,
            description=_describe(
                data, {k: store.fields["subject"][r] for k, r in self._rows.items()}
            ),
            num_examples={split: len(rows) for split, rows in self._rows.items()},
            samples_per_epoch=data.samples_per_epoch or len(train),
            batch_size=batch_size,
        )

    def train_batches(self, start_step: int) -> Iterator[dict[str, np.ndarray]]:
        """This process's batches from a step on, without end.

        "depth" (b, size, size) uint16; "joints" (b, j, 3), "com" (b, 3), "cube" (b,), "scale", "offset" (b, 2) float32;
        "action" (b,) int32, -1 where it is not known; "index" (b,) int32, the crop's row in the store, and "epoch" (b,)
        int32, by which augmentation is drawn: always 0 where draws are fixed.
        """
        rows = tf.constant(self._rows["train"])

        def batch(positions):
            epoch = tf.cast(positions // len(rows), tf.int32)
            crops = self._read(shuffled_rows(positions, rows, self._seed))
            return crops | {"epoch": epoch if self._fresh else tf.zeros_like(epoch)}

        return training_stream(start_step, self.info.batch_size, self._shares, batch)

    def eval_batches(
        self, split: str, batch_size: int | None = None, every: int = 1
    ) -> Iterator[dict[str, np.ndarray]]:
        """Every crop of a split once, in order, in batches that are padded to the full size.

        Args:
            split: train, validation or test.
            batch_size: of all processes together; that of training by default.
            every: takes each so-manieth crop only.

        Yields:
            This process's slice, as of `train_batches` with epoch 0, and "mask" (b,) float32 that is 0 where a
            crop is padding.
        """
        rows = tf.constant(self._rows[split][::every])

        def batch(numbers):
            crops = self._read(tf.gather(rows, numbers))
            return crops | {"epoch": tf.zeros_like(crops["index"])}

        size = batch_size or self.info.batch_size
        return evaluation_stream(len(rows), size, self._shares, batch)

    def fields(self, split: str) -> dict[str, np.ndarray]:
        """What is known of each frame of a split, see `CropStore.fields`; "index" is its row in the store."""
        rows = self._rows[split]
        return {name: values[rows] for name, values in self._store.fields.items()} | {"index": rows}

    def crops(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """The crops at rows of the store, in the form of a batch."""
        known = {name: values[rows] for name, values in self._known.items()}
        return {"depth": self._store.read(rows), **known, "index": rows.astype(np.int32)}

    def frame_name(self, row: int) -> str:
        """Sequence and published number of the frame at a row of the store."""
        return f"{self._store.fields['sequence'][row]} {self._store.fields['frame'][row]}"

    def raw_examples(self) -> list[tuple[int, np.ndarray, tuple[int, int]]]:
        """A few depth maps as they came, see `CropStore.raw`."""
        return self._store.raw

    def _read(self, rows) -> dict[str, tf.Tensor]:
        read = tf.numpy_function(self._store.read, [rows], tf.uint16, stateful=False)
        depth = tf.ensure_shape(read, (None, *self._store.crops.shape[1:]))
        known = {name: tf.gather(values, rows) for name, values in self._known.items()}
        return {"depth": depth, **known, "index": tf.cast(rows, tf.int32)}


def warn_of_labels(store: CropStore) -> None:
    """Names the frames whose joints lie far outside the cube."""
    fields = store.fields
    reach = np.abs(fields["joints"] - fields["com"][:, None]).max((1, 2)) / (fields["cube"] / 2)
    far = np.flatnonzero(reach > _FAR_OUTSIDE)
    if len(far):
        worst = far[np.argmax(reach[far])]
        logging.warning(
            "%d of %d frames have joints more than %g half edges of the cube from the hand's centre, the worst, "
            "%s frame %d, %.1f: wrong labels, units or centre?",
            len(far),
            len(reach),
            _FAR_OUTSIDE,
            fields["sequence"][worst],
            fields["frame"][worst],
            reach[worst],
        )


def describe_crops(data) -> str:
    """How the crops are made, in words."""
    centers = {
        "joint": "the ground truth's reference joint",
        "depth": "the centre of mass of the depth about the ground truth's reference joint",
        "detector": "the detector's centre, without ground truth",
    }
    return f"crops of {data.crop_size}x{data.crop_size} ({data.crop}) centred on {centers[data.center]}"


def _describe(data, subjects: dict[str, np.ndarray]) -> str:
    """In words; `subjects` of the frames of each split."""
    validations = {
        "fraction": f"{data.validation_fraction:.0%} of the training frames, of the same subjects",
        "subject": f"held-out training subject {subjects['validation'][0]}",
        "test": "the test split itself",
        "none": "none; training frames are watched",
    }
    protocol = data.protocol or PROTOCOLS[skeleton_name(data.dataset)][0]
    held_out = f" ({subjects['test'][0]})" if protocol == "leave_one_subject_out" else ""
    return (
        f"{describe_crops(data)}; protocol {protocol}{held_out}; "
        f"validation: {validations[data.validation]}"
    )
