"""How far a video's frames are from their prediction, as a few statistics per frame."""

import numpy as np

from vid_jax.errors import UserError

STATISTICS = ("mean", "std", "p50", "p75", "p90", "p95", "p99")

_PERCENTILES = (50, 75, 90, 95, 99)


def error_statistics(squared_error: np.ndarray) -> np.ndarray:
    """The `STATISTICS` of each frame's squared error over its pixels and channels.

    The mean, the population standard deviation, and percentiles with linear interpolation: the
    features of Microsoft's PredNet pipeline for anomaly detection in video. Frames are read one at
    a time, so memory-mapped arrays of any length do.

    Args:
        squared_error: (frames, height, width, channel), in squared units of the frames. A frame
            with a NaN, for instance the first, which has no prediction, gets a row of NaN.

    Returns:
        (frames, 7) float64, columns in the order of `STATISTICS`.

    Raises:
        UserError: an error is negative or infinite; names the frame, from 0.
    """
    statistics = np.full((len(squared_error), len(STATISTICS)), np.nan)
    for number, frame in enumerate(squared_error):
        pixels = np.asarray(frame, np.float64).ravel()
        if (pixels < 0).any() or np.isinf(pixels).any():
            raise UserError(f"frame {number}: a squared error is negative or infinite")
        if not np.isnan(pixels).any():
            percentiles = np.percentile(pixels, _PERCENTILES)
            statistics[number] = pixels.mean(), pixels.std(), *percentiles
    return statistics
