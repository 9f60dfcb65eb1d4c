"""Sequences of joints in batches."""

import numpy as np

from vid_jax.input_pipeline.joint_records import JointStore
from vid_jax.input_pipeline.sequence_data import SequenceData


class JointSequences(SequenceData):
    """Sequences of joints in mm with their classes.

    Batches are as `SequenceData` describes them, and hold "joints" (b, t, j, 3) float32 that are 0 after the end of a
    sequence.

    Args:
        store: the sequences.
        config: `seed` and the keys of `data` are read.
        batch_size: sequences in a global batch.
        process_index, process_count: JAX's own by default.
    """

    def __init__(
        self,
        store: JointStore,
        config,
        batch_size: int,
        process_index: int | None = None,
        process_count: int | None = None,
    ):
        self._store = store
        super().__init__(
            store.name,
            "sequences of joints",
            store.fields,
            np.diff(store.starts),
            config,
            batch_size,
            process_index,
            process_count,
        )

    def fields(self, split: str) -> dict[str, np.ndarray]:
        """See `sequence_fields`."""
        return self.sequence_fields(split)

    def sequence(self, split: str, i: int) -> np.ndarray:
        """Joints (t, j, 3) float32 mm of a split's sequence, cut as it is dealt out."""
        return self._joints(self._numbers[split][i])

    def _batch(
        self, numbers: np.ndarray, epochs: np.ndarray, mask: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        mine = numbers[self._shares.of(len(numbers))]
        frames = self._padded(self._lengths[numbers].max())
        joints = np.zeros((len(mine), frames, *self._store.joints.shape[1:]), np.float32)
        for padded, number in zip(joints, mine, strict=True):
            padded[: self._lengths[number]] = self._joints(number)
        return {"joints": joints} | self._labels(numbers, epochs, mask)

    def _joints(self, number: int) -> np.ndarray:
        start = self._store.starts[number] + self._first[number]
        return self._store.joints[start : start + self._lengths[number]]
