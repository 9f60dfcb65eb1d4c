"""What data sets of any kind deal out alike: the order of training, a process's share, batches that are read ahead."""

import atexit
import dataclasses
import weakref
from collections.abc import Callable, Iterator
from typing import ClassVar

import jax
import numpy as np

from vid_jax.errors import UserError
from vid_jax.input_pipeline.tensorflow_cpu import tf

_READERS = 4  # batches that are read at the same time


@dataclasses.dataclass(frozen=True)
class StreamInfo:
    """How a data set is dealt out."""

    name: str
    num_examples: dict[str, int]  # by split: train, validation, test
    samples_per_epoch: int
    batch_size: int  # of all processes together

    @property
    def steps_per_epoch(self) -> int:
        return -(-self.samples_per_epoch // self.batch_size)


class Shares:
    """The positions within global batches that a process reads: a contiguous slice of each.

    Args:
        process_index, process_count: JAX's own by default.
    """

    def __init__(self, process_index: int | None = None, process_count: int | None = None):
        self._index = jax.process_index() if process_index is None else process_index
        self._count = jax.process_count() if process_count is None else process_count

    def check(self, batch_size: int) -> None:
        """Raises a UserError where the processes do not divide a batch."""
        if batch_size % self._count:
            raise UserError(
                f"config.train.batch_size={batch_size}: no multiple of {self._count} processes"
            )

    def of(self, batch_size: int) -> np.ndarray:
        """This process's positions in a batch."""
        return np.arange(
            batch_size * self._index // self._count, batch_size * (self._index + 1) // self._count
        )


def shuffled(position: tf.Tensor, examples: int, seed: int) -> tf.Tensor:
    """The example at a position of the training stream, one permutation of all after another.

    A pure function of seed and position, so that any step can be resumed at once.
    """
    permutation, within = position // examples, position % examples
    return tf.random.experimental.index_shuffle(within, [seed, permutation], max_index=examples - 1)


def shuffled_rows(positions: tf.Tensor, rows: tf.Tensor, seed: int) -> tf.Tensor:
    """The rows (of `rows`) at positions of the training stream, see `shuffled`."""
    return tf.gather(rows, tf.map_fn(lambda p: shuffled(p, len(rows), seed), positions))


class Stream(Iterator[dict[str, np.ndarray]]):
    """Batches that are read ahead; all are closed before the interpreter goes.

    A reader that still runs then would wait for the interpreter's lock, and the interpreter for it.

    Args:
        steps: numbers of batches.
        batch: a batch from its number, of TensorFlow's tensors.
    """

    open_streams: ClassVar = weakref.WeakSet()

    def __init__(self, steps: tf.data.Dataset, batch: Callable):
        batches = steps.map(batch, num_parallel_calls=_READERS, deterministic=True)
        self._batches = batches.prefetch(2).as_numpy_iterator()
        self.open_streams.add(self)

    def __next__(self) -> dict[str, np.ndarray]:
        return next(self._batches)

    def close(self) -> None:
        self._batches = iter(())


def training_stream(
    start_step: int, batch_size: int, shares: Shares, batch: Callable[[tf.Tensor], dict]
) -> Stream:
    """Batches from a step on, without end; `batch` makes one of its positions in the training stream."""
    local = shares.of(batch_size)
    steps = tf.data.Dataset.range(start_step, tf.int64.max)
    return Stream(steps, lambda step: batch(step * batch_size + local))


def evaluation_stream(
    examples: int, batch_size: int, shares: Shares, batch: Callable[[tf.Tensor], dict]
) -> Stream:
    """Every example once, in order; `batch` makes a batch of their numbers.

    The last batch is padded with its last example to the full size; "mask" (b,) float32 is 0 where it is.
    """
    local = shares.of(batch_size)

    def masked(step):
        positions = step * batch_size + local
        mask = tf.cast(positions < examples, tf.float32)
        return batch(tf.minimum(positions, examples - 1)) | {"mask": mask}

    return Stream(tf.data.Dataset.range(-(-examples // batch_size)), masked)


@atexit.register
def _close_streams() -> None:
    for stream in tuple(Stream.open_streams):
        stream.close()
