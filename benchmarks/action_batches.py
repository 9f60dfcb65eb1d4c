"""Training epochs of joint sequences as long as those of First-Person Hand Action, with joints and classes of noise."""

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.special import ndtri

from vid_jax.input_pipeline.sequence_lengths import padded_length

SEQUENCES, SHORTEST, MEDIAN, LONGEST = 600, 7, 77, 1151
ORDERS = ("pooled", "shuffled")
_SPREAD = 0.75  # of the logarithm of lengths


def lengths(number: int = SEQUENCES) -> np.ndarray:
    """Frames of each sequence: the shortest, the longest, and log-normal ones about the median between."""
    quantiles = (np.random.default_rng(0).permutation(number - 2) + 0.5) / (number - 2)
    between = np.clip(MEDIAN * np.exp(_SPREAD * ndtri(quantiles)), SHORTEST, LONGEST)
    return np.array([SHORTEST, LONGEST, *np.round(between).astype(int)])


def batches(
    order: str,
    batch_size: int,
    boundaries: Sequence[int],
    pool: int,
    classes: int,
    number: int = SEQUENCES,
) -> Iterator[dict[str, np.ndarray]]:
    """An epoch of full batches as the task takes them, padded to the boundaries.

    Args:
        order: "pooled", in which so many batches share their sequences by length, as the input pipeline deals them
            out, or "shuffled".
    """
    rng, frames = np.random.default_rng(1), lengths(number)
    shuffled = rng.permutation(number)
    if order == "pooled":
        pools = np.split(shuffled, range(pool * batch_size, number, pool * batch_size))
        shuffled = np.concatenate([chosen[np.argsort(frames[chosen])] for chosen in pools])
    for start in range(0, number - batch_size + 1, batch_size):
        rows = shuffled[start : start + batch_size]
        length = frames[rows].astype(np.int32)
        time = padded_length(int(length.max()), boundaries)
        joints = rng.normal(0, 50, (batch_size, time, 21, 3)).astype(np.float32)
        joints[np.arange(time) >= length[:, None]] = 0
        yield {
            "joints": joints,
            "length": length,
            "action": rng.integers(classes, size=batch_size, dtype=np.int32),
            "index": rows.astype(np.int32),
            "epoch": np.zeros(batch_size, np.int32),
        }
