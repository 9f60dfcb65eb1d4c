"""Which candidates become key frames, and which stretch of the video each of them stands for. NumPy, on embeddings.

Distances are Euclidean, relative to the root mean square norm of a video's embeddings: about sqrt(2) between images
that have nothing in common, near 0 between neighbours in a still scene.
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from vid_jax.change_points import change_points, savings

_SPREADS = 5.0  # of the automatic threshold over the median
_THRESHOLDS = (0.3, 0.8)  # between which it is
_PENALTY = 1.2  # of a segment; of the size of the squared distance of two scenes
_AROUND = 4  # candidates to either side that a change of scene stands out from
_SCENE, _CUT = 0.4, 1 / 3  # shares of the penalty: least without a cut, and with one
_ROUNDS = 50  # of k-medoids


@dataclasses.dataclass(frozen=True)
class Rules:
    """How key frames are chosen.

    `threshold` is a distance for "neighbour" and "last_kept"; for "change_points" the penalty of a segment, a squared
    distance. None is found from the video. `number` is of key frames, for "k_medoids" and "uniform". Of key frames
    nearer than `min_gap` seconds, and beyond `max_count` (0: any), those of the lowest scores go.
    """

    selector: str = "change_points"
    threshold: float | None = None
    number: int = 0
    min_gap: float = 0.0
    max_count: int = 0


@dataclasses.dataclass(frozen=True)
class Choice:
    """Chosen candidates, in order; clip i is candidates starts[i] to starts[i + 1] - 1.

    `distances` (n,) is what the selector looked at, NaN for the first; `threshold` what they were compared with, None
    where they were not. Those of "change_points" are squared: what a change point there spares, in units of its price.
    `scores` (k,): distance at the key frame ("neighbour", "last_kept"), between its clip and
    the one before ("change_points"), or the share of candidates it stands for ("k_medoids", "uniform"); NaN for a first
    one that has no score.
    """

    kept: np.ndarray
    starts: np.ndarray
    scores: np.ndarray
    distances: np.ndarray
    threshold: float | None


def choose(
    embeddings: np.ndarray | None,
    times: np.ndarray,
    usable: np.ndarray,
    rules: Rules,
    cuts: np.ndarray | None = None,
) -> Choice:
    """Chooses key frames by `rules` among the usable candidates, at least one.

    Args:
        embeddings: (n, d), n > 0; None for "uniform", which needs none.
        times: (n,) seconds, ascending.
        usable: (n,) bool; where none is, all are.
        rules: see there.
        cuts: (n,) how surely, from 0 to 1, there is a cut since the candidate before; "change_points" heeds it.
    """
    places = np.flatnonzero(usable) if usable.any() else np.arange(len(times))
    vectors = np.zeros((len(places), 1)) if embeddings is None else embeddings[places]
    vectors /= _norm(vectors)
    passed = np.zeros(len(times)) if cuts is None else np.append(cuts[1:], 0)  # to the next
    sure = np.append(0, np.maximum.reduceat(passed, places)[:-1])
    found = SELECTORS[rules.selector](vectors, rules, sure)
    strong = _strong(times[places[found.kept]], found.scores, rules)
    distances = np.full(len(times), np.nan)
    distances[places] = found.distances
    starts = places[found.starts[strong]]
    starts[0] = 0
    return Choice(
        places[found.kept[strong]], starts, found.scores[strong], distances, found.threshold
    )


def automatic_threshold(distances: np.ndarray) -> float:
    """A distance that within a scene is not reached: five spreads above the median, from 0.3 to 0.8.

    The spread is the median absolute deviation scaled to a Gaussian's standard deviation; NaN is left out.
    """
    known = distances[np.isfinite(distances)]
    if not len(known):
        return _THRESHOLDS[0]
    median = np.median(known)
    spread = 1.4826 * np.median(np.abs(known - median))
    return float(np.clip(median + _SPREADS * spread, *_THRESHOLDS))


def joined(batches: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
    """Several embeddings of the same images as one (n, d), each with the same weight.

    Args:
        batches: of images, each with the embeddings (b, d1), (b, d2), ... of them.
    """
    several = len(batches[0])
    weights = [
        1 / (_norm(row for batch in batches for row in batch[i]) * several**0.5)
        for i in range(several)
    ]
    width = sum(own.shape[1] for own in batches[0])
    number = sum(len(batch[0]) for batch in batches)
    vectors = np.empty((number, width), np.result_type(*batches[0]))
    start = 0
    for batch in batches:
        end = start + len(batch[0])
        np.concatenate([own * w for own, w in zip(batch, weights)], axis=1, out=vectors[start:end])
        start = end
    return vectors


def _norm(vectors: Iterable[np.ndarray]) -> float:
    """Root mean square; one by one, as all that is done here to the embeddings of a long video."""
    return max(float(np.sqrt(np.mean([np.vdot(own, own) for own in vectors]))), 1e-12)


def _neighbour_distances(vectors: np.ndarray) -> np.ndarray:
    apart = [np.linalg.norm(after - before) for before, after in itertools.pairwise(vectors)]
    return np.array([np.nan, *apart])


def _neighbour(vectors: np.ndarray, rules: Rules, _cuts: np.ndarray) -> Choice:
    """Key clips of the published procedure: what differs from the candidate before it by more than a threshold."""
    distances = _neighbour_distances(vectors)
    threshold = automatic_threshold(distances) if rules.threshold is None else rules.threshold
    kept = np.flatnonzero(np.concatenate([[True], distances[1:] > threshold]))
    return Choice(kept, kept, distances[kept], distances, threshold)


def _last_kept(vectors: np.ndarray, rules: Rules, _cuts: np.ndarray) -> Choice:
    """What differs from the last key frame by more than a threshold; so slow drift counts in the end."""
    threshold = rules.threshold
    if threshold is None:
        threshold = automatic_threshold(_neighbour_distances(vectors))
    distances = np.full(len(vectors), np.nan)
    kept = [0]
    for i in range(1, len(vectors)):
        distances[i] = np.linalg.norm(vectors[i] - vectors[kept[-1]])
        if distances[i] > threshold:
            kept.append(i)
    return Choice(np.array(kept), np.array(kept), distances[kept], distances, threshold)


def _change_points(vectors: np.ndarray, rules: Rules, cuts: np.ndarray) -> Choice:
    """The candidate nearest to the mean of each segment between change points."""
    distances = _neighbour_distances(vectors)
    penalty = _PENALTY if rules.threshold is None else rules.threshold
    prices = _prices(distances, cuts)
    starts = change_points(vectors, penalty * prices)
    spared = savings(vectors, starts) / prices
    if rules.threshold is None:
        starts = _merged(vectors, starts)
    segments = np.split(vectors, starts[1:])
    kept = [start + _medoid(segment) for start, segment in zip(starts, segments, strict=True)]
    means = np.stack([segment.mean(axis=0) for segment in segments])
    return Choice(np.array(kept), starts, _neighbour_distances(means), spared, penalty)


def _prices(distances: np.ndarray, cuts: np.ndarray) -> np.ndarray:
    """Shares of the penalty (n,): low at a cut and where a distance stands out, high where all are alike (drift)."""
    prices = np.full(len(distances), _SCENE)
    for i in range(1, len(distances)):
        before = distances[max(1, i - _AROUND) : i]
        around = np.concatenate([before, distances[i + 1 : i + 1 + _AROUND]])
        if len(around):
            prices[i] += np.median(around) / max(distances[i], 1e-12)
    return cuts * _CUT + (1 - cuts) * prices


def _merged(vectors: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Without the starts of segments whose means differ by less than scenes do; however long, they are one."""
    sums = np.add.reduceat(vectors, starts, axis=0)
    lengths = np.diff(np.append(starts, len(vectors)))
    while len(starts) > 1:
        distances = np.linalg.norm(np.diff(sums / lengths[:, None], axis=0), axis=1)
        i = int(np.argmin(distances)) + 1
        if distances[i - 1] >= _THRESHOLDS[0]:
            break
        sums[i - 1] += sums[i]
        lengths[i - 1] += lengths[i]
        starts, sums, lengths = (np.delete(own, i, axis=0) for own in (starts, sums, lengths))
    return starts


def _k_medoids(vectors: np.ndarray, rules: Rules, _cuts: np.ndarray) -> Choice:
    """The candidates nearest to the means of `number` clusters, begun with those farthest from each other."""
    distances = _neighbour_distances(vectors)
    medoids = _farthest(vectors, min(rules.number, len(vectors)))
    for _ in range(_ROUNDS):
        nearest = _nearest(vectors, medoids)
        members = [np.flatnonzero(nearest == i) for i in range(len(medoids))]
        moved = np.array([own[_medoid(vectors[own])] for own in members])
        if np.array_equal(moved, medoids):
            break
        medoids = moved
    order = np.argsort(medoids)
    shares = np.array([len(own) for own in members])[order] / len(vectors)
    kept = medoids[order]
    inner = [_best_cut(vectors, a, b) for a, b in itertools.pairwise(kept)]
    return Choice(kept, np.array([0, *inner]), shares, distances, None)


def _uniform(vectors: np.ndarray, rules: Rules, _cuts: np.ndarray) -> Choice:
    """The middles of `number` equal parts."""
    number = min(rules.number, len(vectors))
    edges = np.arange(number + 1) * len(vectors) // number
    shares = np.diff(edges) / len(vectors)
    distances = np.full(len(vectors), np.nan)
    return Choice((edges[:-1] + edges[1:] - 1) // 2, edges[:-1], shares, distances, None)


def _medoid(vectors: np.ndarray) -> int:
    """The member with the least sum of squared distances to all: the one nearest to the mean."""
    mean = vectors.mean(axis=0)
    return int(np.argmin([np.linalg.norm(own - mean) for own in vectors]))


def _farthest(vectors: np.ndarray, number: int) -> np.ndarray:
    chosen = [_medoid(vectors)]
    apart = np.full(len(vectors), np.inf)
    while len(chosen) < number:
        apart = np.minimum(apart, np.linalg.norm(vectors - vectors[chosen[-1]], axis=1))
        apart[chosen] = -1
        chosen.append(int(np.argmax(apart)))
    return np.array(chosen)


def _nearest(vectors: np.ndarray, medoids: np.ndarray) -> np.ndarray:
    own = vectors[medoids]
    squared = np.einsum("kd,kd->k", own, own) - 2 * vectors @ own.T
    squared[medoids, np.arange(len(medoids))] = -np.inf  # also where two are the same
    return np.argmin(squared, axis=1)


def _best_cut(vectors: np.ndarray, before: int, after: int) -> int:
    """Where, between two medoids, candidates begin to be nearer to the later one."""
    between = vectors[before + 1 : after]
    nearer = np.sum((between - vectors[before]) ** 2 - (between - vectors[after]) ** 2, axis=1)
    return before + 1 + int(np.argmin(np.concatenate([[0], np.cumsum(nearer)])))


def _strong(times: np.ndarray, scores: np.ndarray, rules: Rules) -> np.ndarray:
    """Places of the key frames that stay, ascending."""
    strong: list[int] = []
    for i in np.argsort(-np.nan_to_num(scores, nan=np.inf), kind="stable"):
        full = rules.max_count and len(strong) == rules.max_count
        if not full and all(abs(times[i] - times[j]) >= rules.min_gap for j in strong):
            strong.append(int(i))
    return np.array(sorted(strong))


SELECTORS: dict[str, Callable[[np.ndarray, Rules, np.ndarray], Choice]] = {
    "change_points": _change_points,
    "last_kept": _last_kept,
    "neighbour": _neighbour,
    "k_medoids": _k_medoids,
    "uniform": _uniform,
}
