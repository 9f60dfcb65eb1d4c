"""What data sets of whole sequences have in common: splits, the training stream, and each split once in order."""

import abc
import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np

from vid_jax.hand_joints import Skeleton
from vid_jax.input_pipeline.joint_sources import ACTIONS, skeleton_of
from vid_jax.input_pipeline.sequence_batches import PooledOrder, evaluation_batch, numpy_stream
from vid_jax.input_pipeline.sequence_lengths import kept_frames, padded_length
from vid_jax.input_pipeline.sequence_splits import describe_split, split_sequences
from vid_jax.input_pipeline.streams import Shares, StreamInfo
from vid_jax.input_pipeline.tensorflow_cpu import tf

_FIELDS = ("sequence", "subject", "action")


@dataclasses.dataclass(frozen=True)
class SequencesInfo(StreamInfo):
    """What there is in a data set, and how it is dealt out."""

    description: str  # what a report's reader should know of the sequences
    actions: tuple[str, ...]  # names of the classes
    skeleton: Skeleton
    lengths: tuple[int, ...]  # that batches are padded to, ascending
    cut: int  # sequences that were longer than the maximum

    @property
    def largest_length(self) -> int:
        """Frames of the longest batch."""
        return self.lengths[-1]


class SequenceData(abc.ABC):
    """Sequences with their classes, in batches that are padded to one of a few lengths.

    The order of training is a pure function of (seed, step), see `PooledOrder`.

    Args:
        name: of the data set.
        what: is dealt out, in words.
        fields: arrays (n,) of sequence, subject, split and action.
        lengths: frames (n,) of each sequence.
        config: `seed` and the keys of `data` are read.
        batch_size: sequences in a global batch.
        process_index, process_count: JAX's own by default.

    Raises:
        UserError: the protocol, the held-out subject or the validation does not fit the data, a label is no class, or
            the processes do not divide the batch.
    """

    def __init__(
        self,
        name: str,
        what: str,
        fields: Mapping[str, np.ndarray],
        lengths: np.ndarray,
        config,
        batch_size: int,
        process_index: int | None,
        process_count: int | None,
    ):
        data = config.data
        actions = ACTIONS[data.dataset]
        self._shares = Shares(process_index, process_count)
        self._shares.check(batch_size)
        self._known, self._seed, self._fresh = fields, config.seed, data.draws == "fresh"
        self._pool, self._boundaries = data.pool, data.lengths
        self._first, self._lengths = kept_frames(lengths, data.max_length, data.cut)
        self._numbers = split_sequences(data, fields, actions, config.seed)
        subjects = {split: fields["subject"][n] for split, n in self._numbers.items()}
        self.info = SequencesInfo(
            name=name,
            description=f"{what}; {describe_split(data, subjects)}",
            actions=actions,
            skeleton=skeleton_of(data.dataset),
            num_examples={split: len(numbers) for split, numbers in self._numbers.items()},
            samples_per_epoch=data.samples_per_epoch or len(self._numbers["train"]),
            batch_size=batch_size,
            lengths=tuple(sorted({self._padded(length) for length in self._lengths})),
            cut=int(np.sum(self._lengths < lengths)),
        )

    def train_batches(self, start_step: int) -> Iterator[dict]:
        """This process's batches from a step on, without end.

        Beside what the class deals out: "length" (b,) int32, "action", "index" (the sequence's number in the data set)
        and "epoch", by which augmentation is drawn: always 0 where draws are fixed. Sequences are padded to that of
        `info.lengths` in which the longest of all processes fits.
        """
        numbers = self._numbers["train"]
        order = PooledOrder(self._lengths[numbers], self.info.batch_size, self._pool, self._seed)

        def read(step: int) -> dict:
            places, epochs = order.batch(step)
            epochs = epochs if self._fresh else np.zeros_like(epochs)
            return self._batch(numbers[places], epochs.astype(np.int32))

        return numpy_stream(tf.data.Dataset.range(start_step, tf.int64.max), read)

    def eval_batches(
        self, split: str, batch_size: int | None = None, every: int = 1
    ) -> Iterator[dict]:
        """Every sequence of a split once, in order, in batches that are filled to the full size.

        Args:
            split: train, validation or test.
            batch_size: of all processes together; that of training by default.
            every: takes each so-manieth sequence only.

        Yields:
            This process's slice, as of `train_batches` with epoch 0, and "mask" (b,) float32 that is 0 where the last
            sequence is repeated.
        """
        numbers = self._numbers[split][::every]
        size = batch_size or self.info.batch_size

        def read(step: int) -> dict:
            places, mask = evaluation_batch(step, size, len(numbers))
            return self._batch(numbers[places], np.zeros(size, np.int32), mask)

        return numpy_stream(tf.data.Dataset.range(-(-len(numbers) // size)), read)

    def sequence_fields(self, split: str) -> dict[str, np.ndarray]:
        """Of each sequence of a split: sequence, subject, action, length, and "index", its number in the data set."""
        numbers = self._numbers[split]
        known = {name: self._known[name][numbers] for name in _FIELDS}
        return known | {"length": self._lengths[numbers], "index": numbers}

    @abc.abstractmethod
    def _batch(
        self, numbers: np.ndarray, epochs: np.ndarray, mask: np.ndarray | None = None
    ) -> dict:
        """This process's part of the batch of the sequences with these numbers."""

    def _labels(
        self, numbers: np.ndarray, epochs: np.ndarray, mask: np.ndarray | None
    ) -> dict[str, np.ndarray]:
        """What all batches hold of their sequences, of this process's part."""
        known = {
            "length": self._lengths[numbers],
            "action": self._known["action"][numbers],
            "index": numbers,
            "epoch": epochs,
        }
        mine = self._shares.of(len(numbers))
        labels = {name: values[mine].astype(np.int32) for name, values in known.items()}
        return labels if mask is None else labels | {"mask": mask[mine]}

    def _padded(self, longest: int) -> int:
        return padded_length(int(longest), self._boundaries)
