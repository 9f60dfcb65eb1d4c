"""What systems that predict the next frame share: anomaly scores from the error, and how good the prediction is.

Their `eval_step` gives for each window `error`, prediction minus frame, (time, height, width, channel) in units of
[0, 1], whose first frame is not predicted from anything.
"""

import collections
import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from absl import logging

from vid_jax import prediction_figures, visualize
from vid_jax.errors import UserError
from vid_jax.input_pipeline.frame_files import resize_frame
from vid_jax.input_pipeline.video_reader import iterate_video
from vid_jax.metrics import anomaly, anomaly_classifier
from vid_jax.metrics.prediction_quality import (
    QUALITY,
    QUALITY_COLUMNS,
    frame_quality,
    trivial_predictions,
)
from vid_jax.metrics.prediction_scores import STATISTICS, error_statistics
from vid_jax.report import Report, Table, comparison_table
from vid_jax.tasks._frame_anomaly import anomaly_report, baselines, test_labels
from vid_jax.tasks._growing_array import GrowingArray
from vid_jax.tasks._scored_video import ScoredFrame, calibration_of, write_scores

Outputs = dict[str, np.ndarray]

_EXAMPLES = 3
_STRIP_FRAMES = 10
_COPY_LAST = "copy_last"


def evaluate(
    outputs: Iterable[Outputs],
    dataset,
    model: str,
    score: str,
    smoothing_sigma: float,
    extrap_start_time: int,
) -> Report:
    """Quality of the predictions and, from their errors, anomaly scores, beside predictions without learning.

    Args:
        outputs: of `eval_step` over the test windows in order, with `video_index` and `start`; with
            `extrapolation_mse` (b, time) where the network was fed its own predictions.
        dataset: the test videos' frames, labels and masks, and the training videos for the baselines.
        model: what to call the model in tables and figures.
        score: which of `STATISTICS` of the squared error is the model's score.
        smoothing_sigma: in frames, of the figures named `_smoothed`; 0 for none.
        extrap_start_time: the frame of a window from which on it was.
    """
    found = _collect(outputs, dataset, score)
    trivial, copy_last = _trivial(dataset, found.scored)
    quality = {model: found.quality} | trivial
    best = min(trivial, key=lambda name: trivial[name]["mse"])
    column = STATISTICS.index(score)
    report = anomaly_report(
        f"{model}, {score}",
        [statistics[:, column] for statistics in found.statistics],
        lambda: (
            {f"{_COPY_LAST}_{score}": [statistics[:, column] for statistics in copy_last]}
            | _where(found.scored, baselines(dataset, num_frames=1, stride=1))
        ),
        found.pixels,
        dataset,
        smoothing_sigma,
    )
    scalars = {
        **{f"prediction/{key}": value for key, value in found.quality.items()},
        **{
            f"prediction/baseline/{name}/{key}": value
            for name, figures in trivial.items()
            for key, value in figures.items()
        },
        "prediction/mse_over_best_trivial": found.quality["mse"] / trivial[best]["mse"],
        **report.scalars,
    }
    tables = {"Prediction": comparison_table(quality, QUALITY_COLUMNS)}
    figures = {
        f"{title} scores": visualize.triptychs(examples)
        for title, examples in found.extremes(dataset).items()
    }
    figures |= {
        f"Prediction of {name}": strip for name, strip in found.strips(dataset, model).items()
    }
    if found.extrapolation:
        curves = {name: np.sqrt(mse) for name, mse in found.extrapolation_curves().items()}
        figures["Extrapolation"] = prediction_figures.extrapolation_figure(
            {model if name == "model" else name: curve for name, curve in curves.items()},
            extrap_start_time,
            "root mean squared error",
            f"{dataset.info.name}: fed its own predictions after frame {extrap_start_time}",
        )
        scalars |= {
            f"extrapolation/{name}/mse_frame_{t + 1}": float(curve[t] ** 2)
            for name, curve in curves.items()
            for t in range(extrap_start_time, len(curve))
        }
    labels = test_labels(dataset)
    if any((y >= 0).any() for y in labels):
        rows, numbers = _statistics_table({model: found.statistics, _COPY_LAST: copy_last}, labels)
        tables["Statistics of the error"] = rows
        scalars |= numbers
        names = [video.name for video in dataset.info.videos["test"]]
        table, drawn, numbers = _classifiers(found.statistics, labels, names)
        tables |= table
        figures |= drawn
        scalars |= numbers
    return dataclasses.replace(
        report,
        scalars=scalars,
        tables=report.tables | tables if report.tables else tables,
        figures=figures | report.figures,
    )


@dataclasses.dataclass
class _Found:
    """What one pass over the windows leaves of them."""

    statistics: list[np.ndarray]  # by video: (frames, 7), NaN where unscored
    qualities: list[tuple[float, float, float]]
    pixels: dict[str, float]
    kept: dict[str, dict[int, tuple]]  # "Highest", "Lowest": by video, of one frame
    windows: dict[int, tuple]  # by video: start and errors of its window of the highest score
    extrapolation: list[np.ndarray]  # squared errors of windows, (time,)
    frozen: list[np.ndarray]  # the same of the last frame that was seen

    @property
    def scored(self) -> list[np.ndarray]:
        return [np.isfinite(statistics[:, 0]) for statistics in self.statistics]

    @property
    def quality(self) -> dict[str, float]:
        return dict(zip(QUALITY, np.mean(self.qualities, axis=0).tolist()))

    def extrapolation_curves(self) -> dict[str, np.ndarray]:
        return {
            "model": np.mean(self.extrapolation, axis=0),
            "last frame seen": np.mean(self.frozen, axis=0),
        }

    def extremes(self, dataset) -> dict[str, list[visualize.Example]]:
        videos = dataset.info.videos["test"]
        examples = {}
        for title, by_video in self.kept.items():
            ordered = sorted(by_video.items(), key=lambda item: item[1][0])
            ordered = ordered[::-1] if title == "Highest" else ordered
            examples[title] = [
                visualize.Example(
                    f"{videos[v].name}, frame {frame + 1}, score {score:.4g}",
                    dataset.frames("test", v)[frame],
                    np.clip(dataset.frames("test", v)[frame] / 255 + error, 0, 1),
                    np.abs(error).mean(-1),
                )
                for v, (score, frame, error) in ordered[:_EXAMPLES]
            ]
        return examples

    def strips(self, dataset, model: str) -> dict:
        videos = dataset.info.videos["test"]
        ordered = sorted(self.windows.items(), key=lambda item: item[1][0], reverse=True)
        strips = {}
        for v, (_, start, error) in [*ordered[:1], *ordered[-1:]][: len(ordered)]:
            frames = dataset.frames("test", v)[start : start + len(error)] / 255
            strips[videos[v].name] = prediction_figures.prediction_strip(
                frames[1:],
                np.clip(frames + error, 0, 1)[1:],
                np.abs(error).mean(-1)[1:],
                f"{model}, {videos[v].name} from frame {start + 2}",
                every=max(1, len(error) // _STRIP_FRAMES),
            )
        return strips


def _collect(outputs: Iterable[Outputs], dataset, score: str) -> _Found:
    """Each frame is taken from the first window that predicts it."""
    videos = dataset.info.videos["test"]
    column = STATISTICS.index(score)
    masks = [dataset.masks("test", i) for i in range(len(videos))]
    pixels = anomaly.PixelMetrics()
    found = _Found(
        [np.full((video.length, len(STATISTICS)), np.nan) for video in videos],
        qualities=[],
        pixels={},
        kept={"Highest": {}, "Lowest": {}},
        windows={},
        extrapolation=[],
        frozen=[],
    )
    predicted = collections.Counter()  # frames of each video that windows so far reach
    for output in outputs:
        for i, (video, start) in enumerate(zip(output["video_index"], output["start"])):
            video, start = int(video), int(start)
            error = output["error"][i]
            frames = dataset.frames("test", video)[start : start + len(error)] / 255
            if "extrapolation_mse" in output:
                found.extrapolation.append(output["extrapolation_mse"][i])
                found.frozen.append(output["frozen_mse"][i])
            first = max(1, predicted[video] - start)
            predicted[video] = start + len(error)
            statistics = error_statistics(np.square(error[first:]))
            found.statistics[video][start + first : start + len(error)] = statistics
            for t, row in enumerate(statistics, start=first):
                found.qualities.append(frame_quality(frames[t] + error[t], frames[t]))
                if masks[video] is not None:
                    error_map = np.abs(error[t]).mean(-1)
                    pixels.update(error_map, masks[video][start + t], videos[video].name)
                value = float(row[column])
                for title, better in (("Highest", float.__gt__), ("Lowest", float.__lt__)):
                    kept = found.kept[title]
                    if video not in kept or better(value, kept[video][0]):
                        kept[video] = value, start + t, error[t]
            if len(statistics):
                value = float(statistics[:, column].max())
                if video not in found.windows or value > found.windows[video][0]:
                    found.windows[video] = value, start, error
    if any(mask is not None for mask in masks):
        found.pixels = pixels.result()
    return found


def _trivial(
    dataset, scored: list[np.ndarray]
) -> tuple[dict[str, dict[str, float]], list[np.ndarray]]:
    """Quality of each trivial prediction over the scored frames, and the statistics of the last frame's error."""
    qualities = collections.defaultdict(list)
    copy_last = [np.full((len(known), len(STATISTICS)), np.nan) for known in scored]
    for video, known in enumerate(scored):
        frames = dataset.frames("test", video)
        for number, predictions in enumerate(trivial_predictions(frames), start=1):
            if not known[number]:
                continue
            frame = frames[number] / 255
            for name, prediction in predictions.items():
                qualities[name].append(frame_quality(prediction, frame))
            error = predictions[_COPY_LAST] - frame
            copy_last[video][number] = error_statistics(np.square(error)[None])[0]
    means = {name: np.mean(values, axis=0).tolist() for name, values in qualities.items()}
    return {name: dict(zip(QUALITY, values)) for name, values in means.items()}, copy_last


def _where(scored: list[np.ndarray], scores: dict[str, list[np.ndarray]]) -> dict:
    return {
        name: [np.where(known, s, np.nan) for known, s in zip(scored, by_video)]
        for name, by_video in scores.items()
    }


def _statistics_table(
    by_method: dict[str, list[np.ndarray]], labels: list[np.ndarray]
) -> tuple[Table, dict[str, float]]:
    """The frame AUC of every statistic."""
    rows, numbers = [], {}
    for method, statistics in by_method.items():
        for column, name in enumerate(STATISTICS):
            scores = [video[:, column] for video in statistics]
            areas = []
            for how in ("per_video", "raw"):
                s, y = anomaly.select_frames(anomaly.normalise(scores, how), labels)
                areas.append(anomaly.roc_auc(y, s))
                numbers[f"statistic/{method}/{name}/auc_micro_{how}"] = areas[-1]
            rows.append([method, name, *areas])
    return Table(["method", "squared error", "AUC per-video", "AUC raw"], rows), numbers


def _classifiers(statistics: list[np.ndarray], labels: list[np.ndarray], names: list[str]):
    """Classifiers that are trained on labels, of the model's statistics: a table, figures, numbers."""
    try:
        found = anomaly_classifier.classify(statistics, labels, names, STATISTICS)
    except UserError as error:
        logging.warning("No classifier of the statistics: %s", error)
        return {}, {}, {}
    columns = {key: key for key in ("auc", "precision", "recall", "accuracy", "folds")}
    table = comparison_table({name: c.figures for name, c in found.items()}, columns, "classifier")
    figures = {
        f"Confusion, {name}": prediction_figures.confusion_figure(
            c.confusion, f"{name.replace('_', ' ')}, videos it was not trained on"
        )
        for name, c in found.items()
    }
    figures["Importance of the statistics"] = prediction_figures.importance_figure(
        {name: c.importances for name, c in found.items()}, "Importance of the statistics"
    )
    numbers = {
        f"classifier/{name}/{key}": value
        for name, c in found.items()
        for key, value in c.figures.items()
    }
    return {"Classifiers trained on the test labels, by video": table}, figures, numbers


def calibrate(outputs: Iterable[Outputs], score: str) -> dict:
    """What is known of the scores and errors of training frames, to read a running score by."""
    scores, errors = [], []
    column = STATISTICS.index(score)
    for output in outputs:
        for error in output["error"]:
            scores.extend(error_statistics(np.square(error[1:]))[:, column])
            errors.extend(np.abs(error[1:]).mean(-1).max((1, 2)))
    return calibration_of(scores, errors)


def scored_frames(
    eval_step: Callable[[Outputs], Outputs],
    batch_size: int,
    source: Path,
    window: tuple[int, int, int, int],
    overlap: int,
    resize: str,
    score: str,
    keep: Callable[[Outputs, int, slice], None],
) -> Iterator[ScoredFrame]:
    """Scores a video's frames in windows, each but the first beginning with the last `overlap` frames of another.

    Args:
        window: time, height, width, channel.
        keep: is given the outputs of a batch, the window in it, and which of its frames are new.

    Raises:
        UserError: the video cannot be read.
    """
    num_frames, *frame_size, channels = window
    column = STATISTICS.index(score)
    frames = collections.deque(maxlen=num_frames)  # as the model is fed them
    waiting = []  # frames as they came, with their times
    windows = []  # and how many of their frames are new

    def flush():
        batch = np.zeros((batch_size, *window), np.uint8)
        for i, (video, _) in enumerate(windows):
            batch[i, : len(video)] = video  # what follows a short one changes nothing before it
        mask = (np.arange(batch_size) < len(windows)).astype(np.float32)
        outputs = eval_step({"video": batch, "mask": mask})
        taken = iter(waiting)
        for i, (video, new) in enumerate(windows):
            keep(outputs, i, slice(len(video) - new, len(video)))
            for t in range(len(video) - new, len(video)):
                error = outputs["error"][i, t]
                value = error_statistics(np.square(error)[None])[0, column] if t else None
                yield *next(taken), value, np.abs(error).mean(-1) if t else None
        waiting.clear()
        windows.clear()

    new, wanted = 0, num_frames
    for time, frame in iterate_video(source):
        frames.append(resize_frame(frame, tuple(frame_size), channels, resize))
        waiting.append((time, frame))
        new += 1
        if new == wanted:
            windows.append((np.stack(frames), new))
            new, wanted = 0, num_frames - overlap
            if len(windows) == batch_size:
                yield from flush()
    if new:
        windows.append((np.stack([*frames][-(new + overlap) :]), new))
    if windows:
        yield from flush()


def predict(
    eval_step: Callable[[Outputs], Outputs],
    batch_size: int,
    source: Path,
    output: Path,
    calibration: dict,
    window: tuple[int, int, int, int],
    overlap: int,
    resize: str,
    score: str,
    output_mode: str,
) -> None:
    """Scores a video, frame by frame, holding no more of it than a batch of windows.

    Writes what `write_scores` does and, if an output mode is set, output_<mode>.npy (frames, ...).

    Raises:
        UserError: the video cannot be read.
    """
    output.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        keep = _keep_nothing
        if output_mode:
            array = stack.enter_context(GrowingArray(output / f"output_{output_mode}.npy"))

            def keep(outputs, i, new):
                array.append(outputs["output"][i, new])

        frames = scored_frames(eval_step, batch_size, source, window, overlap, resize, score, keep)
        write_scores(frames, source.name, output, calibration)


def _keep_nothing(outputs: Outputs, i: int, new: slice) -> None:
    pass
