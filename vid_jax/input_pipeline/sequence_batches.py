"""Batches of sequences of unlike lengths: which are in a batch, and how batches are read."""

from collections.abc import Callable

import numpy as np

from vid_jax.input_pipeline.streams import Stream
from vid_jax.input_pipeline.tensorflow_cpu import tf

_BATCHES = 1  # sets the shuffling of a pool's batches apart from that of the sequences


class PooledOrder:
    """The order of training: which sequences are in a step's batch, a pure function of (seed, step).

    The stream is one permutation of all sequences after another. The sequences of some consecutive batches, a pool, are
    sorted by length, so that those of a batch are alike, and the batches of a pool are shuffled.

    Args:
        lengths: frames of each sequence.
        batch_size: of all processes together.
        pool: batches; fewer where there are fewer sequences.
        seed: of both permutations.
    """

    def __init__(self, lengths: np.ndarray, batch_size: int, pool: int, seed: int):
        self._lengths, self._batch_size, self._seed = lengths, batch_size, seed
        self._pool = max(1, min(pool, len(lengths) // batch_size))

    def batch(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Places (b,) of the sequences of a step's batch in `lengths`, and the epoch (b,) of each."""
        pool, place = divmod(step, self._pool)
        size = self._pool * self._batch_size
        epochs, within = np.divmod(pool * size + np.arange(size), len(self._lengths))
        chosen = np.empty(size, np.int64)
        for epoch in np.unique(epochs):
            permutation = self._generator(epoch).permutation(len(self._lengths))
            chosen[epochs == epoch] = permutation[within[epochs == epoch]]
        order = np.argsort(self._lengths[chosen], kind="stable").reshape(self._pool, -1)
        batch = order[self._generator(pool, _BATCHES).permutation(self._pool)[place]]
        return chosen[batch], epochs[batch]

    def _generator(self, *key: int) -> np.random.Generator:
        return np.random.default_rng([self._seed, *key])


def evaluation_batch(step: int, batch_size: int, examples: int) -> tuple[np.ndarray, np.ndarray]:
    """Places (b,) of a step's examples, each once in order, and a mask (b,) float32: 0 where the last is repeated."""
    positions = step * batch_size + np.arange(batch_size)
    return np.minimum(positions, examples - 1), (positions < examples).astype(np.float32)


def numpy_stream(steps: tf.data.Dataset, read: Callable[[int], dict]) -> Stream:
    """Batches of NumPy arrays, nested or not, that `read` makes of a step's number; read ahead, in order."""
    first = read(int(next(iter(steps))))
    types = tf.nest.map_structure(lambda array: tf.as_dtype(array.dtype), first)

    def batch(step):
        arrays = tf.numpy_function(
            lambda number: tf.nest.flatten(read(int(number))),
            [step],
            tf.nest.flatten(types),
            stateful=False,
        )
        return tf.nest.pack_sequence_as(types, arrays)

    return Stream(steps, batch)
