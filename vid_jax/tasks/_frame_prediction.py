"""What systems that predict the next frame share: anomaly scores from the error, and how good the prediction is.

Their `eval_step` gives for each window `error`, prediction minus frame, (time, height, width, channel) in units of
[0, 1], whose first frame is not predicted from anything.
"""

import collections
import math
import operator
from collections.abc import Iterable

import numpy as np
from absl import logging
from matplotlib.figure import Figure

from vid_jax import prediction_figures, visualize
from vid_jax.errors import UserError
from vid_jax.metrics import anomaly, anomaly_classifier
from vid_jax.metrics.prediction_quality import (
    QUALITY,
    QUALITY_COLUMNS,
    frame_quality,
    trivial_predictions,
)
from vid_jax.metrics.prediction_scores import STATISTICS, error_statistics
from vid_jax.report import Report, comparison_table, joined
from vid_jax.tasks._frame_anomaly import anomaly_report, baselines, test_labels
from vid_jax.threads import map_ahead

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
            `extrapolation_mse` and `frozen_mse` (b, time) where the network was fed its own predictions.
        dataset: the test videos' frames, labels and masks, and the training videos for the baselines.
        model: what to call the model in tables and figures.
        score: which of `STATISTICS` of the squared error is the model's score.
        smoothing_sigma: in frames, of the figures named `_smoothed`; 0 for none.
        extrap_start_time: the frame of a window from which on it was.
    """
    found = _Predicted(dataset, STATISTICS.index(score))
    for output in outputs:
        found.update(output)
    scored = found.scored
    trivial, copy_last = _trivial(dataset, scored)
    labels = test_labels(dataset)

    def baseline_scores():
        windows = baselines(dataset, num_frames=1, stride=1)
        return {f"{_COPY_LAST}_{score}": _column(copy_last, score)} | {
            name: [np.where(known, s, np.nan) for known, s in zip(scored, by_video)]
            for name, by_video in windows.items()
        }

    reports = [
        anomaly_report(
            f"{model}, {score}",
            _column(found.statistics, score),
            baseline_scores,
            found.pixels.result() if found.pixels else {},
            found.pictures(model),
            dataset,
            smoothing_sigma,
        ),
        _quality({model: found.quality} | trivial),
    ]
    if any((y >= 0).any() for y in labels):
        names = [video.name for video in dataset.info.videos["test"]]
        reports.append(_statistics({model: found.statistics, _COPY_LAST: copy_last}, labels))
        reports.append(_classifiers(found.statistics, labels, names))
    if found.extrapolated:
        reports.append(_extrapolation(found, dataset.info.name, model, extrap_start_time))
    return joined(*reports)


class _Predicted:
    """What one pass over the windows leaves of them; each frame is taken from the first that predicts it.

    Attributes:
        statistics: by video, (frames, 7), NaN where unscored.
        pixels: the pixel-level figures; None where no video has masks.
        extrapolated, frozen: squared errors of windows, (time,): of the network that was fed its own predictions, and
            of the last frame that it has seen.
    """

    def __init__(self, dataset, column: int):
        self._dataset, self._column = dataset, column
        self._videos = dataset.info.videos["test"]
        self._masks = [dataset.masks("test", i) for i in range(len(self._videos))]
        self._reached = [0] * len(self._videos)  # frames that windows so far reach
        self._qualities: list[tuple[float, float, float]] = []
        # The score of a frame of each video, its number, its errors.
        self._highest: dict[int, tuple[float, int, np.ndarray]] = {}
        self._lowest: dict[int, tuple[float, int, np.ndarray]] = {}
        # The highest score in a window, its video and first frame, its errors: the window of highest and of lowest.
        self._windows: list[tuple[float, int, int, np.ndarray]] = []
        self.statistics = [np.full((v.length, len(STATISTICS)), np.nan) for v in self._videos]
        masked = any(mask is not None for mask in self._masks)
        self.pixels = anomaly.PixelMetrics() if masked else None
        self.extrapolated: list[np.ndarray] = []
        self.frozen: list[np.ndarray] = []

    def update(self, output: Outputs) -> None:
        """Adds the windows of a batch."""
        for video, start, error in zip(output["video_index"], output["start"], output["error"]):
            self._add(int(video), int(start), error)
        self.extrapolated.extend(output.get("extrapolation_mse", ()))
        self.frozen.extend(output.get("frozen_mse", ()))

    def _add(self, video: int, start: int, error: np.ndarray) -> None:
        first, end = max(1, self._reached[video] - start), start + len(error)
        if start + first >= end:
            return
        self._reached[video] = end
        frames = self._dataset.frames("test", video)[start:end] / 255
        statistics = error_statistics(np.square(error[first:]))
        self.statistics[video][start + first : end] = statistics
        scores = statistics[:, self._column].tolist()
        for t, score in enumerate(scores, start=first):
            self._qualities.append(frame_quality(frames[t] + error[t], frames[t]))
            if self._masks[video] is not None:
                mask = self._masks[video][start + t]
                self.pixels.update(np.abs(error[t]).mean(-1), mask, self._videos[video].name)
            if video not in self._highest or score > self._highest[video][0]:
                self._highest[video] = score, start + t, error[t].copy()  # not all of its batch
            if video not in self._lowest or score < self._lowest[video][0]:
                self._lowest[video] = score, start + t, error[t].copy()
        windows = sorted(
            [*self._windows, (max(scores), video, start, error.copy())], key=operator.itemgetter(0)
        )
        self._windows = [windows[0], windows[-1]]

    @property
    def scored(self) -> list[np.ndarray]:
        """By video, which frames have a score."""
        return [np.isfinite(statistics[:, 0]) for statistics in self.statistics]

    @property
    def quality(self) -> dict[str, float]:
        """The means of `QUALITY` over the scored frames."""
        return _means(self._qualities)

    def pictures(self, model: str) -> dict[str, Figure]:
        """The frames of highest and lowest score, and strips of the windows of highest and lowest score."""
        figures = {
            title: visualize.triptychs(self._examples(kept, highest_first), made="prediction")
            for title, kept, highest_first in (
                ("Highest scores", self._highest, True),
                ("Lowest scores", self._lowest, False),
            )
        }
        return figures | {
            f"Prediction of {self._videos[video].name}": self._strip(model, video, start, error)
            for _, video, start, error in self._windows
        }

    def _examples(self, kept: dict, reverse: bool) -> list[visualize.Example]:
        ordered = sorted(kept.items(), key=lambda item: item[1][0], reverse=reverse)
        examples = []
        for video, (score, number, error) in ordered[:_EXAMPLES]:
            frame = self._dataset.frames("test", video)[number]
            title = f"{self._videos[video].name}, frame {number + 1}, score {score:.4g}"
            prediction = np.clip(frame / 255 + error, 0, 1)
            examples.append(visualize.Example(title, frame, prediction, np.abs(error).mean(-1)))
        return examples

    def _strip(self, model: str, video: int, start: int, error: np.ndarray):
        frames = self._dataset.frames("test", video)[start : start + len(error)] / 255
        return prediction_figures.prediction_strip(
            frames[1:],
            np.clip(frames + error, 0, 1)[1:],
            np.abs(error).mean(-1)[1:],
            f"{model}, {self._videos[video].name} from frame {start + 2}",
            every=-(-(len(error) - 1) // _STRIP_FRAMES),
        )


def _trivial(
    dataset, scored: list[np.ndarray]
) -> tuple[dict[str, dict[str, float]], list[np.ndarray]]:
    """Quality of each trivial prediction of the scored frames, and the statistics of the last frame's error."""

    def judge(item):
        video, number, predictions, frame = item
        frame = frame / 255
        error = np.square(predictions[_COPY_LAST] - frame)
        quality = {name: frame_quality(image, frame) for name, image in predictions.items()}
        return video, number, quality, error_statistics(error[None])[0]

    def scored_predictions():
        for video, known in enumerate(scored):
            frames = dataset.frames("test", video)
            for number, predictions in enumerate(trivial_predictions(frames), start=1):
                if known[number]:
                    yield video, number, predictions, frames[number]

    qualities = collections.defaultdict(list)
    copy_last = [np.full((len(known), len(STATISTICS)), np.nan) for known in scored]
    for video, number, quality, statistics in map_ahead(judge, scored_predictions()):
        for name, values in quality.items():
            qualities[name].append(values)
        copy_last[video][number] = statistics
        logging.log_every_n_seconds(
            logging.INFO, "Trivial predictions: video %d of %d.", 30, video + 1, len(scored)
        )
    return {name: _means(values) for name, values in qualities.items()}, copy_last


def _means(qualities: list[tuple[float, float, float]]) -> dict[str, float]:
    return dict(zip(QUALITY, np.mean(qualities, axis=0).tolist()))


def _column(statistics: list[np.ndarray], name: str) -> list[np.ndarray]:
    return [video[:, STATISTICS.index(name)] for video in statistics]


def _quality(by_predictor: dict[str, dict[str, float]]) -> Report:
    """The first predictor is the model; its squared error stands over the best of the others, too."""
    (_, model), *trivial = by_predictor.items()
    scalars = {f"prediction/{key}": value for key, value in model.items()}
    for name, figures in trivial:
        scalars |= {f"prediction/baseline/{name}/{key}": value for key, value in figures.items()}
    best = min(figures["mse"] for _, figures in trivial)
    scalars["prediction/mse_over_best_trivial"] = model["mse"] / best if best else math.nan
    return Report(scalars, {"Prediction": comparison_table(by_predictor, QUALITY_COLUMNS)}, {})


def _statistics(by_method: dict[str, list[np.ndarray]], labels: list[np.ndarray]) -> Report:
    """The frame-level figures of every statistic."""
    metrics = {
        (method, name): anomaly.frame_metrics(_column(statistics, name), labels)
        for method, statistics in by_method.items()
        for name in STATISTICS
    }
    scalars = {
        f"statistic/{method}/{name}/{key}": figures[key]
        for (method, name), figures in metrics.items()
        for key in anomaly.FRAME_COLUMNS
    }
    table = comparison_table(
        {" ".join(key): figures for key, figures in metrics.items()}, anomaly.FRAME_COLUMNS
    )
    return Report(scalars, {"Statistics of the error": table}, {})


def _classifiers(
    statistics: list[np.ndarray], labels: list[np.ndarray], names: list[str]
) -> Report:
    """Classifiers of the statistics that are trained on labels, judged on videos that they have not seen."""
    try:
        found = anomaly_classifier.classify(statistics, labels, names, STATISTICS)
    except UserError as error:
        logging.warning("No classifier of the statistics: %s", error)
        return Report({}, {}, {})
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
    scalars = {
        f"classifier/{name}/{key}": value
        for name, c in found.items()
        for key, value in c.figures.items()
    }
    return Report(scalars, {"Classifiers trained on the test labels, by video": table}, figures)


def _extrapolation(found: _Predicted, dataset_name: str, model: str, start: int) -> Report:
    """The error by frame of the windows, where the network sees none from `start` on."""
    curves = {
        "model": np.mean(found.extrapolated, axis=0),
        "last_frame_seen": np.mean(found.frozen, axis=0),
    }
    for mse in curves.values():
        mse[0] = np.nan  # nothing has been seen
    scalars = {
        f"extrapolation/{name}/mse_frame_{t + 1}": float(mse[t])
        for name, mse in curves.items()
        for t in range(start, len(mse))
    }
    figure = prediction_figures.extrapolation_figure(
        {name: np.sqrt(mse) for name, mse in zip((model, "last frame seen"), curves.values())},
        start,
        "root mean squared error",
        f"{dataset_name}: fed its own predictions after frame {start}",
    )
    return Report(scalars, {}, {"Extrapolation": figure})
