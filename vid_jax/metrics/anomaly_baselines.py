"""What anomaly detection reaches without learning: baselines to print beside every model."""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.decomposition import PCA

BASELINES = ("frame_difference", "patch_difference", "mean_frame_distance", "darkness", "pca")

_PATCH = 16
_CHUNK_FRAMES = 128
_PCA_BYTES = 2**28


def anomaly_baselines(
    train_videos: Sequence[np.ndarray],
    test_videos: Sequence[np.ndarray],
    num_frames: int,
    stride: int = 1,
    max_pca_frames: int = 1000,
) -> dict[str, list[np.ndarray]]:
    """Scores of each test video's windows, higher is more abnormal, by five trivial measures.

    A window's score is the mean over its frames, as a model's is; pass it through the same
    `window_scores_to_frames`. In grey levels, at the frames' own size:

    - `frame_difference`: mean absolute difference from the previous frame of the video. The first
      frame, which has none, takes the second's.
    - `patch_difference`: the largest mean of that difference over any 16x16 patch; patches that
      reach over the border see it mirrored.
    - `mean_frame_distance`: mean absolute difference from the mean training frame.
    - `darkness`: the negated mean intensity.
    - `pca`: mean absolute error of the frame after projection on the first 50 principal components
      of the training frames.

    Videos are read in chunks, so memory-mapped arrays of any length do; the principal components
    are fitted on evenly spaced training frames, `max_pca_frames` or what 256 MiB hold of them.

    Args:
        train_videos: uint8 (n, height, width, channels) each, at least two frames in all.
        test_videos: likewise.
        num_frames: frames in a window.
        stride: frames between window starts.

    Returns:
        Name -> one float64 array (windows,) per test video; empty for one shorter than a window.
    """
    mean = _mean_frame(train_videos)
    pca = _fit_pca(train_videos, max_pca_frames)
    by_video = [_frame_scores(video, mean, pca) for video in test_videos]
    return {
        name: [_window_means(scores[name], num_frames)[::stride] for scores in by_video]
        for name in BASELINES
    }


def _frame_scores(video: np.ndarray, mean: np.ndarray, pca: PCA) -> dict[str, np.ndarray]:
    scores = {name: [] for name in BASELINES}
    previous = None
    for frames in _chunks(video):
        flat = frames.reshape(len(frames), -1)
        rebuilt = pca.inverse_transform(pca.transform(flat))
        scores["mean_frame_distance"].append(np.abs(frames - mean).mean((1, 2, 3)))
        scores["darkness"].append(-frames.mean((1, 2, 3)))
        scores["pca"].append(np.abs(flat - rebuilt).mean(1))
        before = frames[:1] if previous is None else previous
        difference = np.abs(np.diff(frames, axis=0, prepend=before))
        scores["frame_difference"].append(difference.mean((1, 2, 3)))
        scores["patch_difference"].append([_largest_patch(d.mean(-1)) for d in difference])
        previous = frames[-1:]
    joined = {name: np.concatenate([*parts, []]) for name, parts in scores.items()}
    for name in ("frame_difference", "patch_difference"):
        joined[name][:1] = joined[name][1:2] if len(video) > 1 else 0.0
    return joined


def _largest_patch(difference: np.ndarray) -> float:
    return float(cv2.blur(difference, (_PATCH, _PATCH), borderType=cv2.BORDER_REFLECT).max())


def _window_means(scores: np.ndarray, num_frames: int) -> np.ndarray:
    if len(scores) < num_frames:
        return np.empty(0)
    return sliding_window_view(scores, num_frames).mean(-1)


def _chunks(video: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(video), _CHUNK_FRAMES):
        yield video[start : start + _CHUNK_FRAMES].astype(np.float32)


def _mean_frame(videos: Sequence[np.ndarray]) -> np.ndarray:
    total = sum(chunk.sum(0, dtype=np.float64) for video in videos for chunk in _chunks(video))
    return (total / sum(map(len, videos))).astype(np.float32)


def _fit_pca(videos: Sequence[np.ndarray], max_frames: int) -> PCA:
    ends = np.cumsum([len(video) for video in videos])
    size = int(np.prod(videos[0].shape[1:]))
    count = min(max_frames, _PCA_BYTES // (4 * size), ends[-1])
    picked = np.linspace(0, ends[-1] - 1, count).round().astype(int)
    frames = np.empty((count, size), np.float32)
    for row, position in enumerate(picked):
        video = int(np.searchsorted(ends, position, side="right"))
        frames[row] = videos[video][position - ends[video]].reshape(-1)
    components = min(50, count - 1, size)
    pca = PCA(components, svd_solver="randomized", random_state=0, copy=False)
    with np.errstate(invalid="ignore"):  # the ratio of variances of frames that are all the same
        return pca.fit(frames)
