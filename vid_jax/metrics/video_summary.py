"""How good scores of frames are as a summary of a video, by the protocol of TVSum and SumMe.

The scores' means over segments are values, the segments' lengths weights of a knapsack that holds 15 % of the video;
what is in it is compared with each user's summary by F1 (Song et al., "TVSum", CVPR 2015; Gygli et al., "Creating
Summaries from User Videos", ECCV 2014). Since good segments alone make that figure high, the scores' rank correlation
with each user's is told too (Otani et al., "Rethinking the Evaluation of Video Summaries", CVPR 2019).

Scores are (n,), one a frame; segments (s, 2) frames [first, end), from 0, which cover the video without gaps.
"""

from collections.abc import Sequence

import numpy as np
from scipy import stats

from vid_jax.metrics.key_frames import nan_mean

SHARE = 0.15  # of the video's frames that a summary may have

# The figures of `summary_figures` and their headings.
SUMMARY_COLUMNS = {
    "f1_mean": "F1, mean over users",
    "f1_max": "F1, best user",
    "tau": "Kendall tau",
    "rho": "Spearman rho",
    "share": "share of frames",
}


def segment_means(scores: np.ndarray, segments: np.ndarray) -> np.ndarray:
    """Mean score (s,) of each segment."""
    return np.add.reduceat(scores, segments[:, 0]) / np.diff(segments).ravel()


def knapsack(values: np.ndarray, weights: np.ndarray, capacity: int) -> np.ndarray:
    """Marks (s,) of the things of the greatest total value whose total weight is within the capacity.

    Args:
        values: (s,) not negative.
        weights: (s,) whole, positive.
        capacity: not negative.
    """
    best = np.zeros(capacity + 1)  # by capacity, of the things so far
    taken = np.zeros((len(values), capacity + 1), bool)
    for thing, (value, weight) in enumerate(zip(values, weights, strict=True)):
        if weight > capacity:
            continue
        with_it = best[: capacity + 1 - weight] + value
        taken[thing, weight:] = with_it > best[weight:]
        best[weight:] = np.maximum(best[weight:], with_it)
    marks = np.zeros(len(values), bool)
    for thing in reversed(range(len(values))):
        if taken[thing, capacity]:
            marks[thing] = True
            capacity -= weights[thing]
    return marks


def summary(scores: np.ndarray, segments: np.ndarray, share: float = SHARE) -> np.ndarray:
    """Marks (n,) of the frames of the segments that a summary of that share shows.

    Scores below zero are raised, all by as much, since a knapsack takes nothing of negative value.
    """
    lengths = np.diff(segments).ravel()
    values = segment_means(scores - min(scores.min(), 0), segments)
    return np.repeat(knapsack(values, lengths, int(share * len(scores))), lengths)


def f1(marks: np.ndarray, truth: np.ndarray) -> float:
    """Of marked frames (n,) against truly marked ones, 0 where none is both."""
    return 2 * float((marks & truth).sum()) / max(int(marks.sum() + truth.sum()), 1)


def correlations(scores: np.ndarray, users: Sequence[np.ndarray]) -> dict[str, float]:
    """Kendall's tau-b and Spearman's rho with users' scores, mean over the users.

    Users who score all frames alike are left out; NaN where all do, or where `scores` are all alike.
    """
    users = [user for user in users if np.ptp(user)]
    if not users or not np.ptp(scores):
        return {"tau": np.nan, "rho": np.nan}
    return {
        "tau": nan_mean([stats.kendalltau(scores, user).statistic for user in users]),
        "rho": nan_mean([stats.spearmanr(scores, user).statistic for user in users]),
    }


def summary_figures(
    scores: np.ndarray,
    segments: np.ndarray,
    users: Sequence[np.ndarray],
    summaries: Sequence[np.ndarray],
) -> dict[str, float]:
    """F1 as mean and maximum over users, correlations, and the share of frames that the summary shows.

    Args:
        scores: (n,), the higher the likelier to be shown.
        segments: (s, 2).
        users: scores (n,) of each.
        summaries: marked frames (n,) of each.
    """
    marks = summary(scores, segments)
    agreement = [f1(marks, own) for own in summaries]
    return {
        "f1_mean": float(np.mean(agreement)),
        "f1_max": float(np.max(agreement)),
        **correlations(scores, users),
        "share": float(marks.mean()),
    }


def even_segments(num_frames: int, length: int) -> np.ndarray:
    """Segments (s, 2) of `length` frames, the last one shorter where it must be."""
    starts = np.arange(0, num_frames, length)
    return np.stack([starts, np.minimum(starts + length, num_frames)], axis=1)


def even_scores(num_frames: int, segments: np.ndarray, share: float = SHARE) -> np.ndarray:
    """Scores (n,) of a summary that looks at nothing: 1 in evenly spread segments, else 0."""
    lengths = np.diff(segments).ravel()
    number = max(round(share * len(segments)), 1)
    moments = (np.arange(number) + 0.5) * num_frames / number
    marks = np.zeros(len(segments))
    marks[np.searchsorted(segments[:, 0], moments, side="right") - 1] = 1
    return np.repeat(marks, lengths)
