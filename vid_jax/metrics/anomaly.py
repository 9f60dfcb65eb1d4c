"""Frame-level and pixel-level figures of anomaly detection, each protocol under a name.

A *video scores* value is a list with one float array per test video, one score per frame, higher
is more abnormal; NaN stands for a frame without a score (the ends of a video that no window is
centred on). Labels are lists of int arrays aligned with it: 0 normal, 1 abnormal, -1 unlabelled.
Frames that have no score or no label count nowhere.
"""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter1d
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from vid_jax.errors import UserError

NORMALISATIONS = ("per_video", "raw", "global")

# The figures of `frame_metrics` that a table shows, and their headings.
FRAME_COLUMNS = {
    "auc_micro_per_video": "AUC per-video",
    "auc_micro_raw": "AUC raw",
    "auc_micro_global": "AUC global",
    "auc_macro": "AUC macro",
    "eer_per_video": "EER",
    "average_precision_per_video": "AP",
}

# The figures of `PixelMetrics` that a table shows, and their headings.
PIXEL_COLUMNS = {"pixel_auc_ucsd": "AUC, 40 % rule", "pixel_auroc": "AUROC of pixels"}


def window_scores_to_frames(
    window_scores: np.ndarray,
    starts: np.ndarray,
    num_video_frames: int,
    num_frames: int,
    name: str = "video",
) -> np.ndarray:
    """Scores of a video's frames: a window's score goes to its frame `num_frames // 2`.

    With windows of 16 at every start the first 8 and the last 7 frames stay unscored, as in the
    evaluation of Gong et al., "Memorizing Normality to Detect Anomaly" (MemAE), ICCV 2019.

    Args:
        window_scores: (windows,), finite.
        starts: (windows,), each window's first frame within the video.
        num_video_frames: frames in the video.
        num_frames: frames in a window.
        name: the video, for the error.

    Returns:
        (num_video_frames,) float64, NaN where unscored.

    Raises:
        UserError: a score is NaN or infinite.
    """
    window_scores = np.asarray(window_scores, np.float64)
    if not np.isfinite(window_scores).all():
        bad = int(np.asarray(starts)[~np.isfinite(window_scores)][0])
        raise UserError(f"{name}: the score of the window at frame {bad} is not finite")
    frames = np.full(num_video_frames, np.nan)
    frames[np.asarray(starts, np.int64) + num_frames // 2] = window_scores
    return frames


def normalise(scores: Sequence[np.ndarray], how: str) -> list[np.ndarray]:
    """Scores scaled to [0, 1] by the minimum and maximum of a video or of all, or left alone.

    Args:
        scores: video scores.
        how: "per_video", "global" or "raw". Minimum and maximum are over the scored frames,
            labelled or not; where they are equal the normalised scores are 0.
    """
    if how not in NORMALISATIONS:
        raise ValueError(f"unknown normalisation {how!r}; one of {', '.join(NORMALISATIONS)}")
    scores = [np.asarray(s, np.float64) for s in scores]
    if how == "raw":
        return scores
    if how == "per_video":
        return [_min_max(s, s) for s in scores]
    everything = np.concatenate([*scores, []])
    return [_min_max(s, everything) for s in scores]


def smooth(scores: Sequence[np.ndarray], sigma: float) -> list[np.ndarray]:
    """Scores after a Gaussian of `sigma` (in scored frames) along each video's scored frames."""
    smoothed = []
    for video in scores:
        video = np.array(video, np.float64)
        scored = np.isfinite(video)
        if scored.any():
            video[scored] = gaussian_filter1d(video[scored], sigma, mode="nearest")
        smoothed.append(video)
    return smoothed


def frame_metrics(
    scores: Sequence[np.ndarray],
    labels: Sequence[np.ndarray],
    names: Sequence[str] | None = None,
    smoothing_sigma: float = 0.0,
) -> dict[str, float]:
    """The frame-level figures under every protocol.

    For each normalisation N of `per_video`, `raw` and `global`: `auc_micro_N` (area under the ROC
    of all frames together), `eer_N` (where false positive and false negative rates meet, linear
    between the points of the ROC) and `average_precision_N` (abnormal is positive). `auc_macro`
    is the mean of the videos' own areas, which no normalisation changes, over the
    `auc_macro_videos` of `videos` that show both classes. `frames_scored` and `frames_abnormal`
    count what went in. A figure whose frames are all of one class is NaN; scores that are all
    equal give an area of 0.5.

    With `smoothing_sigma` above 0 (scored frames) the same areas and rates of the smoothed scores
    are added under names ending in `_smoothed`.

    Raises:
        UserError: a score is infinite, or scores and labels do not fit; names the video.
    """
    names = names or [f"video {i + 1}" for i in range(len(scores))]
    check_scores(scores, labels, names)
    figures = _areas_and_rates(scores, labels)
    if smoothing_sigma > 0:
        smoothed = _areas_and_rates(smooth(scores, smoothing_sigma), labels)
        figures |= {f"{key}_smoothed": value for key, value in smoothed.items()}
        figures["smoothing_sigma"] = smoothing_sigma
    _, y = select_frames(scores, labels)
    defined = np.isfinite(video_areas(scores, labels))
    return figures | {
        "auc_macro_videos": float(defined.sum()),
        "videos": float(len(scores)),
        "frames_scored": float(len(y)),
        "frames_abnormal": float(y.sum()),
    }


def check_scores(
    scores: Sequence[np.ndarray], labels: Sequence[np.ndarray], names: Sequence[str]
) -> None:
    """Raises UserError, naming the video, where scores and labels cannot be evaluated."""
    if len(scores) != len(labels):
        raise UserError(f"scores of {len(scores)} videos, but labels of {len(labels)}")
    for name, s, y in zip(names, scores, labels, strict=True):
        if len(s) != len(y):
            raise UserError(f"{name}: {len(s)} frames have a score entry, but {len(y)} a label")
        if np.isinf(s).any():
            raise UserError(f"{name}: the score of frame {int(np.isinf(s).argmax())} is infinite")
        if not np.isin(y, (-1, 0, 1)).all():
            raise UserError(f"{name}: labels must be 0, 1 or -1 (unlabelled)")


def select_frames(
    scores: Sequence[np.ndarray], labels: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Scores (n,) and labels (n,) of the frames that have both, all videos joined."""
    s = np.concatenate([*scores, []])
    y = np.concatenate([*labels, []]).astype(np.int8)
    known = np.isfinite(s) & (y >= 0)
    return s[known], y[known]


def roc_points(
    scores: Sequence[np.ndarray], labels: Sequence[np.ndarray], how: str = "per_video"
) -> tuple[np.ndarray, np.ndarray]:
    """False and true positive rates (points,), each from 0 to 1; empty where undefined."""
    s, y = select_frames(normalise(scores, how), labels)
    if not 0 < y.sum() < len(y):
        return np.empty(0), np.empty(0)
    return roc_curve(y, s)[:2]


def roc_auc(y: np.ndarray, s: np.ndarray) -> float:
    """Area under the ROC; NaN where `y` shows only one class."""
    return float(roc_auc_score(y, s)) if 0 < np.sum(y) < len(y) else math.nan


def video_areas(scores: Sequence[np.ndarray], labels: Sequence[np.ndarray]) -> np.ndarray:
    """Each video's own area under the ROC (videos,); NaN where it shows only one class."""
    selected = [select_frames([s], [y]) for s, y in zip(scores, labels, strict=True)]
    return np.array([roc_auc(y, s) for s, y in selected])


def equal_error_rate(y: np.ndarray, s: np.ndarray) -> float:
    """Where the false positive rate equals the false negative rate; NaN for a single class."""
    if not 0 < np.sum(y) < len(y):
        return math.nan
    fpr, tpr, _ = roc_curve(y, s, drop_intermediate=False)
    return float(np.interp(0.0, fpr - (1 - tpr), fpr))


class PixelMetrics:
    """Pixel-level figures, gathered frame by frame in bounded memory.

    `pixel_auc_ucsd` is the pixel-level criterion of Mahadevan et al., CVPR 2010: an abnormal frame
    counts as detected when at least 40 % of its abnormal pixels are flagged, a normal frame as a
    false alarm when any pixel is. As the threshold falls an abnormal frame becomes a detection at
    the error that 40 % of its abnormal pixels reach, a normal frame a false alarm at its largest
    error, so the area is exactly that of one number per frame. Abnormal frames are those whose
    mask is not empty.

    `pixel_auroc` is the area over all pixels of all frames, from histograms whose 2**20 bins are
    the leading bits of float32: errors of any scale, 0.024 % apart, are kept apart. It is off by
    at most half the share of (abnormal, normal) pairs within one bin: below 1e-4 unless one pair
    in 5,000 is that close without being equal.
    """

    _DROPPED_BITS = 11

    def __init__(self) -> None:
        self._counts = np.zeros((2, 2 ** (31 - self._DROPPED_BITS)), np.int64)
        self._frame_scores: list[float] = []
        self._frame_labels: list[bool] = []

    def update(self, error_map: np.ndarray, mask: np.ndarray, name: str = "video") -> None:
        """Adds a frame.

        Args:
            error_map: (h, w), non-negative; brought to the mask's size if it differs.
            mask: (height, width), not 0 where abnormal.
            name: the video, for the error.

        Raises:
            UserError: an error is NaN, infinite or negative.
        """
        error_map = np.asarray(error_map, np.float32)
        if not (np.isfinite(error_map).all() and (error_map >= 0).all()):
            raise UserError(f"{name}: an error map has a value that is not finite or is negative")
        mask = np.asarray(mask) > 0
        if error_map.shape != mask.shape:
            shrinks = error_map.size > mask.size
            error_map = cv2.resize(
                error_map,
                mask.shape[::-1],
                interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
            )
        abnormal = error_map[mask]
        bins = np.abs(error_map).view(np.uint32) >> self._DROPPED_BITS
        np.add.at(self._counts[0], bins[~mask], 1)
        np.add.at(self._counts[1], bins[mask], 1)
        self._frame_labels.append(abnormal.size > 0)
        if abnormal.size:
            kth = abnormal.size - math.ceil(abnormal.size * 2 / 5)
            self._frame_scores.append(float(np.partition(abnormal, kth)[kth]))
        else:
            self._frame_scores.append(float(error_map.max()))

    def result(self) -> dict[str, float]:
        """`pixel_auc_ucsd`, `pixel_auroc` (NaN for a single class) and `pixel_frames`."""
        normal, abnormal = self._counts.astype(np.float64)
        pairs = normal.sum() * abnormal.sum()
        won = (abnormal * (np.cumsum(normal) - normal / 2)).sum()
        return {
            "pixel_auc_ucsd": roc_auc(np.array(self._frame_labels), np.array(self._frame_scores)),
            "pixel_auroc": float(won / pairs) if pairs else math.nan,
            "pixel_frames": float(len(self._frame_scores)),
        }


def _min_max(scores: np.ndarray, reference: np.ndarray) -> np.ndarray:
    reference = reference[np.isfinite(reference)]
    low, high = (reference.min(), reference.max()) if reference.size else (0.0, 0.0)
    if low == high:
        return np.where(np.isnan(scores), np.nan, 0.0)
    return (scores - low) / (high - low)


def _areas_and_rates(
    scores: Sequence[np.ndarray], labels: Sequence[np.ndarray]
) -> dict[str, float]:
    figures = {}
    for how in NORMALISATIONS:
        s, y = select_frames(normalise(scores, how), labels)
        both = 0 < y.sum() < len(y)
        figures[f"auc_micro_{how}"] = roc_auc(y, s)
        figures[f"eer_{how}"] = equal_error_rate(y, s)
        figures[f"average_precision_{how}"] = (
            float(average_precision_score(y, s)) if both else math.nan
        )
    areas = video_areas(scores, labels)
    figures["auc_macro"] = float(np.nanmean(areas)) if np.isfinite(areas).any() else math.nan
    return figures
