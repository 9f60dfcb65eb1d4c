"""What is kept of sequences of unlike lengths, and how far batches of them are padded."""

from collections.abc import Sequence

import numpy as np
from absl import logging


def kept_frames(lengths: np.ndarray, max_length: int, cut: str) -> tuple[np.ndarray, np.ndarray]:
    """First frame and number of frames (n,) of what is dealt out of each sequence.

    Args:
        lengths: frames of each sequence.
        max_length: frames that are kept at most; 0: all.
        cut: where frames are left out: "end", "start" or "both", half of them at either.
    """
    kept = np.minimum(lengths, max_length) if max_length else lengths
    left_out = lengths - kept
    if np.any(left_out):
        logging.info(
            "%d of %d sequences are longer than %d frames and are cut at the %s",
            np.count_nonzero(left_out),
            len(lengths),
            max_length,
            {"both": "start and end"}.get(cut, cut),
        )
    share = {"end": 0, "start": left_out, "both": left_out // 2}[cut]
    return np.zeros_like(lengths) + share, kept


def padded_length(longest: int, lengths: Sequence[int]) -> int:
    """The least of the ascending `lengths` that is no less than `longest`, or else the next power of two."""
    return next(
        (length for length in lengths if length >= longest), 1 << (longest - 1).bit_length()
    )
