"""Change points of a sequence of vectors: temporal segmentation by kernels, with a penalty for each segment.

Potapov et al., "Category-Specific Video Summarization", ECCV 2014. With a linear kernel the costs of segments follow
from running sums of the vectors, and pruning (Killick, Fearnhead, Eckley, "Optimal Detection of Changepoints with a
Linear Computational Cost", JASA 2012) keeps few of them: neither memory nor time grows with the square of the length.
"""

import numpy as np

_MOST = 100  # starts of the last segment that are considered; more of about the same cost are where nothing changes


def change_points(vectors: np.ndarray, penalties: np.ndarray) -> np.ndarray:
    """Where segments begin, 0 first: of all segmentations that of the least cost.

    The cost is the sum of the squared distances of vectors from the mean of their segment, and for each segment but the
    first the penalty of its first vector.

    Args:
        vectors: (n, d), n > 0.
        penalties: (n,), not negative; a segment that begins there must spare more.
    """
    last = np.zeros(len(vectors), int)  # where the segment that ends there begins
    starts = np.array([0])
    before = np.zeros(1)  # least cost of what lies before a start, and its penalty
    sums = np.zeros((1, vectors.shape[1]))  # of the vectors from a start on
    squares = np.zeros(1)
    for place, vector in enumerate(vectors):
        vector = vector.astype(np.float64)
        sums += vector
        squares += vector @ vector
        within = squares - np.einsum("sd,sd->s", sums, sums) / (place + 1 - starts)
        totals = before + np.maximum(within, 0)
        least = int(np.argmin(totals))
        last[place] = starts[least]
        if place + 1 == len(vectors):
            break
        entry = totals[least] + penalties[place + 1]
        kept = np.flatnonzero(totals <= entry)
        if len(kept) > _MOST:
            kept = np.sort(kept[np.argpartition(totals[kept], _MOST)[:_MOST]])
        starts = np.append(starts[kept], place + 1)
        before = np.append(before[kept], entry)
        sums = np.concatenate([sums[kept], np.zeros((1, vectors.shape[1]))])
        squares = np.append(squares[kept], 0.0)
    found = [last[-1]]
    while found[-1]:
        found.append(last[found[-1] - 1])
    return np.array(found[::-1])


def savings(vectors: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """What each change point spares, or would: the cost without it, less the cost with it and all others (n,).

    Where the segmentation is the best, each change point spares at least its penalty, and none else would. NaN for the
    first vector.

    Args:
        vectors: (n, d).
        starts: where segments begin, 0 first.
    """
    spared = np.full(len(vectors), np.nan)
    before, sum_before = 0, np.zeros(vectors.shape[1])
    for start, segment in zip(starts, np.split(vectors, starts[1:]), strict=True):
        total = segment.sum(axis=0, dtype=np.float64)
        if start:
            spared[start] = _apart(sum_before, start - before, total, len(segment))
        first = np.zeros_like(total)
        for i in range(1, len(segment)):
            first += segment[i - 1]
            spared[start + i] = _apart(first, i, total - first, len(segment) - i)
        before, sum_before = start, total
    return spared


def _apart(one: np.ndarray, count: int, other: np.ndarray, other_count: int) -> float:
    """By how much two groups of vectors, of these sums, cost less apart than together."""
    difference = one / count - other / other_count
    return count * other_count / (count + other_count) * float(difference @ difference)
