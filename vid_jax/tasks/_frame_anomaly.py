"""What systems that score windows of video for anomalies share: evaluation, prediction and browsing.

Their `eval_step` gives for each window `score`, and `error_map` (h, w) and `reconstruction` (h, w, c) uint8
of the frame `num_frames // 2` that the score belongs to.
"""

import collections
import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
from absl import logging
from matplotlib.figure import Figure

from vid_jax import visualize
from vid_jax.errors import UserError
from vid_jax.input_pipeline.frame_files import resize_frame
from vid_jax.input_pipeline.video_reader import iterate_video
from vid_jax.metrics import anomaly
from vid_jax.metrics.anomaly_baselines import anomaly_baselines
from vid_jax.report import Report, comparison_table, score_table
from vid_jax.tasks._scored_video import ScoredFrame, calibration_of, write_scores

Outputs = dict[str, np.ndarray]

_EXAMPLES = 3
_UNLABELLED_TIMELINES = 50


def evaluate(outputs: Iterable[Outputs], dataset, model: str, smoothing_sigma: float) -> Report:
    """Scores of the test videos under every protocol, beside the trivial baselines.

    Args:
        outputs: of `eval_step` over the test windows in order, with `video_index` and `start`.
        dataset: the test videos' frames, labels and masks, and the training videos for the baselines.
        model: what to call the model in tables and figures.
        smoothing_sigma: of the figures named `_smoothed`; 0 for none.
    """
    windows, extremes, pixels = _collect(outputs, dataset)
    scores = _to_frames(windows.scores, windows.starts, dataset)
    return anomaly_report(
        model,
        scores,
        lambda: {
            name: _to_frames(s, windows.starts, dataset)
            for name, s in baselines(dataset, dataset.info.num_frames, windows.stride).items()
        },
        pixels,
        {f"{title} scores": visualize.triptychs(found) for title, found in extremes.items()},
        dataset,
        smoothing_sigma,
    )


def anomaly_report(
    model: str,
    scores: list[np.ndarray],
    baseline_scores: Callable[[], dict[str, list[np.ndarray]]],
    pixels: dict[str, float],
    pictures: Mapping[str, Figure],
    dataset,
    smoothing_sigma: float,
) -> Report:
    """Figures of merit of frame scores, of the model and of baselines, and timelines of the model's.

    Args:
        model: what to call it.
        scores: of each test video's frames, NaN where unscored.
        baseline_scores: gives those of the baselines; called only where there are labels.
        pixels: the pixel-level figures, if any.
        pictures: shown before the timelines, which are many.
        dataset: the test videos and their labels.
        smoothing_sigma: of the figures named `_smoothed`; 0 for none.
    """
    videos = dataset.info.videos["test"]
    names, labels = [video.name for video in videos], test_labels(dataset)
    labelled = any((y >= 0).any() for y in labels)
    scalars, tables, figures, files = {}, {}, {}, {}
    if labelled:
        by_method = {model: scores} | baseline_scores()
        metrics = {
            method: anomaly.frame_metrics(s, labels, names, smoothing_sigma)
            for method, s in by_method.items()
        }
        scalars = metrics[model] | pixels
        for method in list(metrics)[1:]:
            scalars |= {f"baseline/{method}/{key}": v for key, v in metrics[method].items()}
        tables["Frame level"] = comparison_table(metrics, anomaly.FRAME_COLUMNS)
        if pixels:
            tables["Pixel level"] = comparison_table({model: pixels}, anomaly.PIXEL_COLUMNS)
        for how, title in (("per_video", "per-video min-max"), ("raw", "raw scores")):
            figures[f"ROC, {title}"] = visualize.roc_figure(
                {method: anomaly.roc_points(s, labels, how) for method, s in by_method.items()},
                {method: m[f"auc_micro_{how}"] for method, m in metrics.items()},
                f"{dataset.info.name}: frame-level ROC, {title}",
            )
    else:
        logging.warning("The test videos have no labels: scores are written, no AUC is computed.")
    figures |= pictures
    shown = len(videos) if labelled else _UNLABELLED_TIMELINES
    for i, (video, s, y, scaled) in enumerate(
        zip(videos, scores, labels, anomaly.normalise(scores, "per_video"))
    ):
        files[f"scores_{video.name}"] = score_table(s, scaled, y, video.timestamps)
        if i < shown:
            figures[f"Scores of {video.name}"] = visualize.score_timeline(
                s, video.name, y if (y >= 0).any() else None, timestamps=video.timestamps
            )
    return Report(scalars, tables, figures, files)


def test_labels(dataset) -> list[np.ndarray]:
    """Labels of each test video's frames, -1 where there are none."""
    videos = dataset.info.videos["test"]
    found = [dataset.labels("test", i) for i in range(len(videos))]
    return [np.full(v.length, -1) if y is None else y for v, y in zip(videos, found)]


def baselines(dataset, num_frames: int, stride: int) -> dict[str, list[np.ndarray]]:
    """Scores of the trivial measures for each test video's windows of so many frames."""
    splits = (
        [dataset.frames(split, i) for i in range(len(dataset.info.videos[split]))]
        for split in ("train", "test")
    )
    return anomaly_baselines(*splits, num_frames, stride)


@dataclasses.dataclass(frozen=True)
class _Windows:
    scores: list[list[float]]  # by video, in order
    starts: list[list[int]]

    @property
    def stride(self) -> int:
        return next((s[1] - s[0] for s in self.starts if len(s) > 1), 1)


def _collect(outputs: Iterable[Outputs], dataset):
    """Window scores, the examples of lowest and highest score, pixel figures: one pass, bounded memory."""
    videos, num_frames = dataset.info.videos["test"], dataset.info.num_frames
    windows = _Windows([[] for _ in videos], [[] for _ in videos])
    masks = [dataset.masks("test", i) for i in range(len(videos))]
    pixels = anomaly.PixelMetrics()
    lowest, highest = {}, {}  # at most one of a video, so that they differ
    for output in outputs:
        for i, video in enumerate(output["video_index"]):
            score, start = float(output["score"][i]), int(output["start"][i])
            frame = start + num_frames // 2
            windows.scores[video].append(score)
            windows.starts[video].append(start)
            if masks[video] is not None:
                pixels.update(output["error_map"][i], masks[video][frame], videos[video].name)
            # Copies, as a view would keep all of its batch.
            example = (
                score,
                frame,
                output["reconstruction"][i].copy(),
                output["error_map"][i].copy(),
            )
            for kept, better in ((lowest, float.__lt__), (highest, float.__gt__)):
                if video not in kept or better(score, kept[video][0]):
                    kept[video] = example

    def show(kept: dict, reverse: bool) -> list[visualize.Example]:
        ordered = sorted(kept.items(), key=lambda item: item[1][0], reverse=reverse)
        return [
            visualize.Example(
                f"{videos[v].name}, frame {frame + 1}, score {score:.4f}",
                dataset.frames("test", v)[frame],
                reconstruction,
                error,
            )
            for v, (score, frame, reconstruction, error) in ordered[:_EXAMPLES]
        ]

    extremes = {"Highest": show(highest, reverse=True), "Lowest": show(lowest, reverse=False)}
    measured = any(mask is not None for mask in masks)
    return windows, extremes, pixels.result() if measured else {}


def _to_frames(window_scores, starts, dataset) -> list[np.ndarray]:
    videos, num_frames = dataset.info.videos["test"], dataset.info.num_frames
    return [
        anomaly.window_scores_to_frames(s, at, video.length, num_frames, video.name)
        for s, at, video in zip(window_scores, starts, videos, strict=True)
    ]


def calibrate(outputs: Iterable[Outputs]) -> dict:
    """What is known of the scores and errors of training windows, to read a running score by."""
    scores, errors = [], []
    for output in outputs:
        scores.extend(output["score"])
        errors.extend(output["error_map"].max((1, 2)))
    return calibration_of(scores, errors)


def predict(
    eval_step: Callable[[dict[str, np.ndarray]], Outputs],
    batch_size: int,
    source: Path,
    output: Path,
    calibration: dict,
    window: tuple[int, int, int, int],
    resize: str,
) -> None:
    """Scores a video, frame by frame, holding no more of it than a batch of windows.

    Writes what `write_scores` does.

    Raises:
        UserError: the video cannot be read, or is shorter than a window.
    """
    frames = _scored_frames(eval_step, batch_size, source, window, resize)
    write_scores(frames, source.name, output, calibration)


def _scored_frames(
    eval_step, batch_size: int, source: Path, window: tuple[int, int, int, int], resize: str
) -> Iterator[ScoredFrame]:
    """Time, frame, score and error map of each frame; frames at the ends have no score."""
    num_frames, *frame_size, channels = window
    middle = num_frames // 2
    recent = collections.deque(maxlen=num_frames)  # as the model is fed them
    waiting = collections.deque()  # frames whose score is still to come
    windows = []
    count = 0

    def flush():
        batch = np.stack(windows + [windows[-1]] * (batch_size - len(windows)))
        mask = (np.arange(batch_size) < len(windows)).astype(np.float32)
        result = eval_step({"video": batch, "mask": mask})
        for score, error in itertools.islice(
            zip(result["score"], result["error_map"]), len(windows)
        ):
            yield *waiting.popleft(), float(score), error
        windows.clear()

    for time, frame in iterate_video(source):
        count += 1
        recent.append(resize_frame(frame, tuple(frame_size), channels, resize))
        waiting.append((time, frame))
        if count == num_frames:
            for _ in range(middle):
                yield *waiting.popleft(), None, None
        if count >= num_frames:
            windows.append(np.stack(recent))
            if len(windows) == batch_size:
                yield from flush()
    if count < num_frames:
        raise UserError(f"{source} has {count} frames, fewer than a window of {num_frames}")
    if windows:
        yield from flush()
    for time, frame in waiting:
        yield time, frame, None, None


def browse(dataset, windows: int = 12) -> dict[str, Figure]:
    """Contact sheets of what the model is fed: a training batch, evenly spaced test windows with labels."""
    train = next(dataset.train_batches(0))["video"][:windows]
    sheets = {
        "train": visualize.contact_sheet(
            train,
            [f"position {i}" for i in range(len(train))],
            f"{dataset.info.name}: the first training windows, after augmentation",
        )
    }
    every = max(1, dataset.info.num_examples["test"] // windows)
    shown, captions = [], []
    for batch in dataset.eval_batches("test", every=every):
        for window, mask, video, start in zip(
            batch["video"], batch["mask"], batch["video_index"], batch["start"]
        ):
            if mask and len(shown) < windows:
                shown.append(window)
                captions.append(_caption(dataset, video, start))
    title = f"{dataset.info.name}: test windows and the label of their middle frame"
    sheets["test"] = visualize.contact_sheet(np.stack(shown), captions, title)
    return sheets


def _caption(dataset, video: int, start: int) -> str:
    labels = dataset.labels("test", video)
    frame = start + dataset.info.eval_num_frames // 2
    label = "unlabelled" if labels is None else ("abnormal" if labels[frame] > 0 else "normal")
    return f"{dataset.info.videos['test'][video].name}, frame {frame + 1}: {label}"
