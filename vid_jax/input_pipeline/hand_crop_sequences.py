"""Sequences of crops of hands in batches, their frames packed together."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from vid_jax.cameras import Camera
from vid_jax.errors import UserError, some
from vid_jax.input_pipeline.crop_store import CropStore
from vid_jax.input_pipeline.hand_crops import FIELDS, describe_crops, warn_of_labels
from vid_jax.input_pipeline.sequence_data import SequenceData, SequencesInfo


@dataclasses.dataclass(frozen=True)
class HandCropSequencesInfo(SequencesInfo):
    """Also of the frames: the numbers of them in a batch are multiples of `packing`."""

    camera: Camera
    packing: int
    most_frames: int  # packed frames of a process in a batch of training, at most


class HandCropSequences(SequenceData):
    """Sequences of crops of a crop store with their labels; only frames that are there are dealt out.

    Batches are as `SequenceData` describes them, and hold "frames", the crops of all sequences one after another, and
    "positions" (b, t) int32, the place in them of each frame of each sequence, 0 after the end of a sequence. "frames"
    has "depth" (p, size, size) uint16 mm and the other entries of a batch of `HandCrops`, and "mask" (p,) float32 that
    is 0 where a crop is padding or of a repeated sequence. Every process has the same p.

    Args:
        store: the crops.
        config: `seed` and the keys of `data` are read.
        batch_size: sequences in a global batch.
        process_index, process_count: JAX's own by default.

    Raises:
        UserError: as `SequenceData`, or a sequence of the store is in pieces.
    """

    def __init__(
        self,
        store: CropStore,
        config,
        batch_size: int,
        process_index: int | None = None,
        process_count: int | None = None,
    ):
        self._store, self._packing = store, config.data.packing
        self._starts = _starts(store)
        warn_of_labels(store)
        names = ("sequence", "subject", "split", "action")
        super().__init__(
            store.name,
            f"sequences of {describe_crops(config.data)}",
            {name: store.fields[name][self._starts[:-1]] for name in names},
            np.diff(self._starts),
            config,
            batch_size,
            process_index,
            process_count,
        )
        longest = np.sort(self._lengths)[-len(self._shares.of(batch_size)) :]
        self.info = HandCropSequencesInfo(
            **{f.name: getattr(self.info, f.name) for f in dataclasses.fields(self.info)},
            camera=store.camera,
            packing=self._packing,
            most_frames=self._packed(longest.sum()),
        )

    def fields(self, split: str) -> dict[str, np.ndarray]:
        """What is known of each frame of a split, see `CropStore.fields`; "index" is its row in the store."""
        rows = self._rows(self._numbers[split])
        return {name: values[rows] for name, values in self._store.fields.items()} | {"index": rows}

    def crops(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """The crops at rows of the store, as in the "frames" of a batch."""
        known = {
            name: self._store.fields[name][rows].astype(dtype) for name, dtype in FIELDS.items()
        }
        return {"depth": self._store.read(rows), **known, "index": rows.astype(np.int32)}

    def frame_name(self, row: int) -> str:
        """Sequence and published number of the frame at a row of the store."""
        return f"{self._store.fields['sequence'][row]} {self._store.fields['frame'][row]}"

    def raw_examples(self) -> list[tuple[int, np.ndarray, tuple[int, int]]]:
        """A few depth maps as they came, see `CropStore.raw`."""
        return self._store.raw

    def _batch(
        self, numbers: np.ndarray, epochs: np.ndarray, mask: np.ndarray | None = None
    ) -> dict:
        labels = self._labels(numbers, epochs, mask)
        lengths = self._lengths[numbers]
        mine = self._shares.of(len(numbers))
        index, shares = mine[0] // len(mine), lengths.reshape(-1, len(mine)).sum(axis=1)
        packed = self._packed(shares.max())
        ends = index * packed + np.cumsum(lengths[mine])
        positions = np.zeros((len(mine), self._padded(lengths.max())), np.int32)
        for row, end, length in zip(positions, ends, lengths[mine], strict=True):
            row[:length] = np.arange(end - length, end)
        real = np.ones(len(mine), np.float32) if mask is None else mask[mine]
        per_frame = {"epoch": labels["epoch"], "mask": real}
        padding = packed - shares[index]
        frames = self.crops(self._rows(numbers[mine]))
        frames |= {name: np.repeat(values, lengths[mine]) for name, values in per_frame.items()}
        frames = {name: _repeat_last(values, padding) for name, values in frames.items()}
        frames["mask"][packed - padding :] = 0
        return {"frames": frames, "positions": positions} | labels

    def _rows(self, numbers: Sequence[int]) -> np.ndarray:
        """Rows of the store of all frames of sequences, one after another."""
        starts = self._starts[numbers] + self._first[numbers]
        return np.concatenate(
            [np.arange(s, s + n) for s, n in zip(starts, self._lengths[numbers], strict=True)]
        )

    def _packed(self, frames: int) -> int:
        return int(-(-frames // self._packing) * self._packing)


def _starts(store: CropStore) -> np.ndarray:
    """The row (n + 1,) of the store where each sequence begins, and the end."""
    names, frames = store.fields["sequence"], store.fields["frame"]
    new = np.flatnonzero(names[1:] != names[:-1]) + 1
    starts = np.concatenate([[0], new, [len(names)]])
    found, counts = np.unique(names[starts[:-1]], return_counts=True)
    backwards = (np.diff(frames) <= 0) & (names[1:] == names[:-1])
    wrong = [*found[counts > 1], *np.unique(names[1:][backwards])]
    if wrong:
        raise UserError(f"{store.name}: the frames of {some(wrong)} are not in order")
    return starts


def _repeat_last(values: np.ndarray, times: int) -> np.ndarray:
    return np.concatenate([values, np.repeat(values[-1:], times, axis=0)])
