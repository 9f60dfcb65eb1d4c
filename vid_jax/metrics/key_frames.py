"""How good a set of key frames is: beside users' own choices, beside the shots of a film, and by itself."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching
from scipy.spatial.distance import cdist, pdist

HUE_BINS = 16
MATCH_DISTANCE = 0.5  # frames that are closer than this show the same

# The figures of `user_comparison` and their headings.
USER_COLUMNS = {
    "cus_a": "CUS_A",
    "cus_e": "CUS_E",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "key_frames": "key frames",
}


def hue_histogram(image: np.ndarray) -> np.ndarray:
    """Shares (16,) of an image's pixels by hue, from an image (height, width[, 3]) uint8, RGB.

    What VSUMM compares frames by (de Avila et al., PRL 2011).
    """
    if image.ndim == 2:
        image = np.stack([image] * 3, axis=-1)
    hue = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)[..., 0]  # 0 to 179, two degrees each
    counts = np.bincount(hue.ravel().astype(int) * HUE_BINS // 180, minlength=HUE_BINS)
    return counts / hue.size


def count_matches(frames: np.ndarray, others: np.ndarray, distance: float = MATCH_DISTANCE) -> int:
    """How many pairs of frames show the same, each frame in one pair at most.

    It is the most pairs that there can be, which no order of comparing changes.

    Args:
        frames: histograms (n, bins), as are `others` (m, bins).
        distance: pairs whose Manhattan distance is below it can match.
    """
    if not len(frames) or not len(others):
        return 0
    similar = cdist(frames, others, "cityblock") < distance
    return int((maximum_bipartite_matching(csr_array(similar)) >= 0).sum())


def user_comparison(
    frames: np.ndarray, users: Sequence[np.ndarray], distance: float = MATCH_DISTANCE
) -> dict[str, float]:
    """VSUMM's comparison of user summaries, mean over the users (de Avila et al., PRL 2011).

    CUS_A is the matched key frames, CUS_E those matched with nothing, both for each of the user's frames. Precision and
    recall are the matched for each key frame and for each of the user's; F1 is each user's own.

    Args:
        frames: histograms (n, bins) of the key frames.
        users: histograms (m, bins) of each user's, one at least.
        distance: see `count_matches`.
    """
    figures = []
    for user in users:
        matches = count_matches(frames, user, distance)
        recall = matches / len(user)
        figures.append(
            {
                "cus_a": recall,
                "cus_e": (len(frames) - matches) / len(user),
                "precision": matches / max(len(frames), 1),
                "recall": recall,
                "f1": 2 * matches / (len(frames) + len(user)),
            }
        )
    return mean_figures(figures) | {"key_frames": len(frames)}


def mean_figures(figures: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each figure of several videos or users; NaN counts nowhere."""
    return {name: nan_mean([own[name] for own in figures]) for name in figures[0]}


def nan_mean(values: Sequence[float]) -> float:
    """The mean of what is a number, NaN where nothing is."""
    values = np.asarray(values, float)
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else np.nan


def shot_coverage(frames: np.ndarray, shots: np.ndarray) -> dict[str, float]:
    """How well key frames stand for the shots of a film.

    Precision is shots hit for each key frame, recall shots hit for each shot. A second key frame of a shot and one
    within a transition hit nothing.

    Args:
        frames: numbers (n,) of the key frames.
        shots: frames [first, end) of each shot (s, 2), s at least 1, apart and in order.
    """
    frames = np.asarray(frames)
    places = np.searchsorted(shots[:, 0], frames, side="right") - 1
    inside = (places >= 0) & (frames < shots[places, 1])
    hit = len(np.unique(places[inside]))
    return {
        "precision": hit / max(len(frames), 1),
        "recall": hit / len(shots),
        "f1": 2 * hit / (len(frames) + len(shots)),
        "key_frames": len(frames),
    }


def summary_measures(embeddings: np.ndarray, kept: np.ndarray) -> dict[str, float]:
    """What can be said of key frames without a reference.

    Compression is the kept share of the candidates; coverage the mean distance from a candidate to the nearest key
    frame, smaller is better; diversity and least diversity the mean and smallest distance between two key frames, NaN
    where there is one.

    Args:
        embeddings: (n, d) of all candidates.
        kept: numbers (k,) of those that are key frames, k at least 1.
    """
    chosen = embeddings[kept]
    apart = pdist(chosen)
    return {
        "compression": len(chosen) / len(embeddings),
        "coverage": float(cdist(embeddings, chosen).min(axis=1).mean()),
        "diversity": float(apart.mean()) if len(apart) else np.nan,
        "least_diversity": float(apart.min()) if len(apart) else np.nan,
    }
