"""Photographs in batches: the training stream, and each split once in order."""

import dataclasses
from collections.abc import Iterator

import numpy as np

from vid_jax.errors import UserError
from vid_jax.input_pipeline.image_split import held_out
from vid_jax.input_pipeline.image_store import ImageStore
from vid_jax.input_pipeline.streams import (
    Shares,
    StreamInfo,
    evaluation_stream,
    shuffled_rows,
    training_stream,
)
from vid_jax.input_pipeline.tensorflow_cpu import tf


@dataclasses.dataclass(frozen=True)
class ImagesInfo(StreamInfo):
    """What there is in a data set, and how it is dealt out."""

    description: str  # what a report's reader should know of the images


class Images:
    """Images (height, width, 3) uint8 of a store; what is held out both validates and tests.

    The training stream is as that of videos: one permutation of all images after another, a pure function of (seed,
    position).

    Args:
        store: the images.
        config: `seed` and the keys of `data` are read.
        batch_size: images in a global batch.
        process_index, process_count: JAX's own by default.

    Raises:
        UserError: a split is empty, or the processes do not divide the batch.
    """

    def __init__(
        self,
        store: ImageStore,
        config,
        batch_size: int,
        process_index: int | None = None,
        process_count: int | None = None,
    ):
        data = config.data
        self._shares = Shares(process_index, process_count)
        self._shares.check(batch_size)
        self._store, self._seed = store, config.seed
        marks = held_out(store.names, data.validation_fraction, data.split_seed)
        held = np.flatnonzero(marks)
        self._rows = {"train": np.flatnonzero(~marks), "validation": held, "test": held}
        if not len(held):
            raise UserError(
                f"{store.name}: of {len(store.names)} images config.data.validation_fraction="
                f"{data.validation_fraction} holds none out"
            )
        self.info = ImagesInfo(
            name=store.name,
            description=(
                f"images stretched to {store.shape[1]}x{store.shape[2]}; {data.validation_fraction:.0%} of them, drawn "
                f"by seed {data.split_seed}, are held out, to validate and to test"
            ),
            num_examples={split: len(rows) for split, rows in self._rows.items()},
            samples_per_epoch=data.samples_per_epoch or len(self._rows["train"]),
            batch_size=batch_size,
        )

    def train_batches(self, start_step: int) -> Iterator[dict[str, np.ndarray]]:
        """This process's batches from a step on, without end.

        "image" (b, height, width, 3) uint8; "index" (b,) int32, the image's row in the store.
        """
        rows = tf.constant(self._rows["train"])

        def batch(positions):
            return self._read(shuffled_rows(positions, rows, self._seed))

        return training_stream(start_step, self.info.batch_size, self._shares, batch)

    def eval_batches(
        self, split: str, batch_size: int | None = None, every: int = 1
    ) -> Iterator[dict[str, np.ndarray]]:
        """Every image of a split once, in order, in batches that are padded to the full size.

        Args:
            split: train, validation or test.
            batch_size: of all processes together; that of training by default.
            every: takes each so-manieth image only.

        Yields:
            This process's slice, as of `train_batches`, and "mask" (b,) float32 that is 0 where an image is padding.
        """
        rows = tf.constant(self._rows[split][::every])
        size = batch_size or self.info.batch_size
        return evaluation_stream(
            len(rows), size, self._shares, lambda numbers: self._read(tf.gather(rows, numbers))
        )

    def rows(self, split: str) -> np.ndarray:
        """Rows in the store of a split's images."""
        return self._rows[split]

    def images(self, rows: np.ndarray) -> np.ndarray:
        """The images (len(rows), height, width, 3) uint8 at rows of the store."""
        return self._store.read(rows)

    def image_name(self, row: int) -> str:
        """The path of an image below the data set's folder."""
        return str(self._store.names[row])

    def _read(self, rows) -> dict[str, tf.Tensor]:
        read = tf.numpy_function(self._store.read, [rows], tf.uint8, stateful=False)
        images = tf.ensure_shape(read, (None, *self._store.shape[1:]))
        return {"image": images, "index": tf.cast(rows, tf.int32)}
