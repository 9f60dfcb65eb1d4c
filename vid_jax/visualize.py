"""Figures of anomaly scores and error maps, and frames for annotated video."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MultipleLocator

MODEL_COLOUR = "#1f5fd0"
ABNORMAL_COLOUR = "#e5484d"
UNSCORED_COLOUR = "#8a94a3"
THRESHOLD_COLOUR = "#b45309"
BASELINE_COLOURS = ("#0f9d8a", "#c026a3", "#d98a00", "#7c5cd6", "#64748b", "#5b8c1a")

_TIME_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)  # seconds
_STRIP_HEIGHT = 44
_MIN_WIDTH = 480


class Example(NamedTuple):
    """A frame, what the model made of it, and where the two differ."""

    title: str
    image: np.ndarray  # (h, w), (h, w, 1) or (h, w, 3); uint8, or floats in [0, 1]
    reconstruction: np.ndarray  # likewise
    error: np.ndarray  # (h, w), non-negative


def score_timeline(
    scores: np.ndarray,
    title: str,
    labels: np.ndarray | None = None,
    threshold: float | None = None,
    timestamps: np.ndarray | None = None,
    score_name: str = "score",
) -> Figure:
    """A video's score over its frames, abnormal spans shaded, unscored frames hatched.

    Args:
        scores: (n,), NaN where unscored.
        title: usually the video's name.
        labels: (n,), 1 where abnormal; None if unknown.
        threshold: drawn as a dashed line.
        timestamps: (n,) seconds; the axis is frame numbers, from 1, without them.
        score_name: label of the score's axis.
    """
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    axes = figure.add_subplot()
    style_axes(axes, title)
    x = np.arange(1, len(scores) + 1) if timestamps is None else np.asarray(timestamps)
    half = (x[-1] - x[0]) / (len(x) - 1) / 2 if len(x) > 1 else 0.5
    if labels is not None:
        _shade(
            axes,
            x,
            half,
            np.asarray(labels) == 1,
            "abnormal",
            alpha=0.22,
            facecolor=ABNORMAL_COLOUR,
        )
    _shade(
        axes,
        x,
        half,
        ~np.isfinite(scores),
        "not scored",
        alpha=0.5,
        facecolor="none",
        edgecolor=UNSCORED_COLOUR,
        hatch="////",
    )
    width = 1.8 if len(x) < 3000 else 0.8
    axes.plot(x, scores, color=MODEL_COLOUR, linewidth=width, label=score_name)
    if threshold is not None:
        axes.axhline(threshold, color=THRESHOLD_COLOUR, linestyle="--", label="threshold")
    axes.set_ylabel(score_name)
    if timestamps is None:
        axes.set_xlim(x[0] - half, x[-1] + half)
        axes.set_xlabel("frame")
    else:
        style_time_axis(axes, x[0] - half, x[-1] + half)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=4, frameon=False, fontsize=10)
    return figure


def roc_figure(
    curves: Mapping[str, tuple[np.ndarray, np.ndarray]], areas: Mapping[str, float], title: str
) -> Figure:
    """ROC curves, the first (the model's) bold, the rest (the baselines') thin.

    Args:
        curves: name -> (false positive rates, true positive rates), both (points,).
        areas: name -> area under the curve, for the legend.
        title: says the data set and the protocol.
    """
    figure = Figure(figsize=(6.4, 6.4), layout="constrained")
    axes = figure.add_subplot(aspect="equal")
    style_axes(axes, title)
    axes.plot([0, 1], [0, 1], color="#b8c0cc", linestyle=":", linewidth=1.2)
    for i, (name, (fpr, tpr)) in reversed(list(enumerate(curves.items()))):
        label = f"{name}  {areas[name]:.3f}"
        axes.plot(fpr, tpr, color=curve_colour(i), linewidth=1.3 if i else 2.8, label=label)
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axes.set_xlabel("false positive rate")
    axes.set_ylabel("true positive rate")
    handles, names = axes.get_legend_handles_labels()
    axes.legend(
        handles[::-1],
        names[::-1],
        title="area under the curve",
        loc="lower right",
        fontsize=10,
        framealpha=0.95,
        edgecolor="none",
    )
    return figure


def triptychs(
    examples: Sequence[Example], error_max: float | None = None, made: str = "reconstruction"
) -> Figure:
    """Rows of input, reconstruction and error, the errors on one scale with a colour bar.

    Args:
        examples: one row each.
        error_max: the end of the colour scale; the largest error shown if None.
        made: heading of the reconstructions.
    """
    if error_max is None:
        error_max = max(float(example.error.max()) for example in examples) or 1.0
    height, width = examples[0].image.shape[:2]
    row = 3.0 * height / width + 0.35
    figure = Figure(figsize=(10, max(2.2, row * len(examples) + 0.3)), layout="constrained")
    grid = figure.subplots(len(examples), 3, squeeze=False)
    for axes, example in zip(grid, examples, strict=True):
        axes[0].imshow(displayable(example.image), cmap="gray", vmin=0, vmax=255)
        axes[1].imshow(displayable(example.reconstruction), cmap="gray", vmin=0, vmax=255)
        heat = axes[2].imshow(example.error, cmap="inferno", vmin=0, vmax=error_max)
        axes[0].set_title(example.title, loc="left", fontsize=11, fontweight="bold")
        for panel in axes:
            panel.set_axis_off()
    for panel, name in zip(grid[0, 1:], (made, "absolute error"), strict=True):
        panel.set_title(name, loc="right", fontsize=11)  # long titles of examples reach over
    bar = figure.colorbar(heat, ax=grid[:, 2], shrink=0.9, pad=0.02, aspect=40)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=9, length=0)
    return figure


def contact_sheet(
    windows: np.ndarray, captions: Sequence[str], title: str, frames_shown: int = 8
) -> Figure:
    """Windows as strips of evenly spaced frames, one row and caption each.

    Args:
        windows: (n, time, height, width, channels) uint8, or floats in [0, 1].
        captions: (n,), for instance video, frames and label.
        title: above all.
        frames_shown: frames of each window, the first and last among them.
    """
    number, time, height, width = windows.shape[:4]
    shown = np.linspace(0, time - 1, min(frames_shown, time)).round().astype(int)
    row = 12.0 / len(shown) * height / width + 0.32
    figure = Figure(figsize=(12, row * number + 0.5), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold")
    for i, axes in enumerate(figure.subplots(number, 1, squeeze=False)[:, 0]):
        strip = filmstrip([displayable(windows[i, t]) for t in shown])
        axes.imshow(strip, cmap="gray", vmin=0, vmax=255)
        axes.set_title(captions[i], loc="left", fontsize=10, pad=3)
        axes.set_axis_off()
    return figure


def heat_map(error: np.ndarray, error_max: float) -> np.ndarray:
    """Errors (h, w) as RGB uint8 (h, w, 3), black at 0 to pale yellow at `error_max`."""
    level = np.clip(np.asarray(error, np.float32) * (255 / error_max), 0, 255).astype(np.uint8)
    return cv2.cvtColor(cv2.applyColorMap(level, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)


def annotate_frame(
    frame: np.ndarray,
    error: np.ndarray | None,
    error_max: float,
    score: float | None,
    threshold: float | None = None,
    caption: str = "",
) -> np.ndarray:
    """A frame for annotated video: error as heat over it, below it a bar with the running score.

    Frames narrower than 480 pixels are enlarged by a whole factor; width and height of the result
    are even, as video encoders ask for.

    Args:
        frame: uint8 (h, w), (h, w, 1) or RGB (h, w, 3).
        error: (h', w'), brought to the frame's size; None leaves the frame as it is.
        error_max: the error that is shown at full heat.
        score: in [0, 1] (clipped); None where the frame has no score.
        threshold: in [0, 1]; marked on the bar, which is red from there on.
        caption: left of the bar, for instance the time.

    Returns:
        uint8 RGB (height, width, 3), the same size for every frame of a video.
    """
    frame = displayable(frame)
    if frame.ndim == 2:
        frame = cv2.cvtColor(frame, cv2.COLOR_GRAY2RGB)
    factor = max(1, -(-_MIN_WIDTH // frame.shape[1]))
    width, height = (side * factor // 2 * 2 for side in frame.shape[1::-1])
    frame = cv2.resize(frame, (width, height), interpolation=cv2.INTER_LINEAR)
    if error is not None:
        level = np.clip(np.asarray(error, np.float32) / error_max, 0, 1)
        level = cv2.resize(level, (width, height), interpolation=cv2.INTER_LINEAR)
        heat = heat_map(level, 1.0)
        opacity = (0.85 * level**0.7)[..., None]
        frame = (frame * (1 - opacity) + heat * opacity).astype(np.uint8)
    return np.concatenate([frame, _score_strip(width, score, threshold, caption)])


def _score_strip(
    width: int, score: float | None, threshold: float | None, caption: str
) -> np.ndarray:
    strip = np.full((_STRIP_HEIGHT, width, 3), (22, 26, 33), np.uint8)
    white, quiet = (236, 240, 245), (140, 150, 165)
    baseline = _STRIP_HEIGHT // 2 + 6
    left, right = (120 if caption else 16), width - 90
    top, bottom = _STRIP_HEIGHT // 2 - 6, _STRIP_HEIGHT // 2 + 6
    _write(strip, caption, (14, baseline), quiet)
    cv2.rectangle(strip, (left, top), (right, bottom), (52, 60, 72), cv2.FILLED)
    if score is None:
        _write(strip, "no score", (right + 10, baseline), quiet)
    else:
        value = float(np.clip(score, 0, 1))
        alarm = threshold is not None and value >= threshold
        colour = (229, 72, 77) if alarm else (82, 160, 255)
        end = left + round(value * (right - left))
        cv2.rectangle(strip, (left, top), (end, bottom), colour, cv2.FILLED)
        _write(strip, f"{value:.2f}", (right + 14, baseline), white)
    if threshold is not None:
        x = left + round(threshold * (right - left))
        cv2.line(strip, (x, top - 5), (x, bottom + 5), white, 2)
    return strip


def _write(
    image: np.ndarray, text: str, position: tuple[int, int], colour: tuple[int, int, int]
) -> None:
    cv2.putText(image, text, position, cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, 1, cv2.LINE_AA)


def displayable(image: np.ndarray) -> np.ndarray:
    """An image as uint8, without the axis of a single channel."""
    image = np.asarray(image)
    if image.dtype != np.uint8:
        image = (np.clip(image, 0, 1) * 255).round().astype(np.uint8)
    return image[..., 0] if image.ndim == 3 and image.shape[-1] == 1 else image


def filmstrip(frames: Sequence[np.ndarray]) -> np.ndarray:
    """Frames (h, w) or (h, w, 3) of one size side by side, blank between them: white in uint8, NaN in floats."""
    gap = max(1, frames[0].shape[1] // 40)
    edge = [(0, 0), (0, gap)] + [(0, 0)] * (frames[0].ndim - 2)
    blank = 255 if frames[0].dtype == np.uint8 else np.nan
    strip = np.concatenate([np.pad(f, edge, constant_values=blank) for f in frames], axis=1)
    return strip[:, :-gap]


def curve_colour(i: int) -> str:
    """The model's colour for 0, the baselines' in turn from 1 on."""
    return BASELINE_COLOURS[(i - 1) % len(BASELINE_COLOURS)] if i else MODEL_COLOUR


def style_axes(axes: Axes, title: str) -> None:
    """The look of all plots."""
    axes.set_title(title, loc="left", fontsize=12, fontweight="bold")
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#c3cad4")
    axes.tick_params(labelsize=10, color="#c3cad4")
    axes.grid(axis="y", color="#e7eaef", linewidth=0.8)
    axes.set_axisbelow(True)


def style_time_axis(axes: Axes, start: float, end: float) -> None:
    """Minutes and seconds along the bottom, from start to end in seconds."""
    step = next((s for s in _TIME_STEPS if (end - start) / s <= 10), 3600)
    axes.set_xlim(start, end)
    axes.set_xlabel("time (min:s)")
    axes.xaxis.set_major_locator(MultipleLocator(step))
    axes.xaxis.set_major_formatter(FuncFormatter(_minutes))


def _shade(axes: Axes, x: np.ndarray, half: float, where: np.ndarray, label: str, **look) -> None:
    edges = np.diff(np.concatenate([[False], where, [False]]).astype(np.int8))
    spans = zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1, strict=True)
    for i, (first, last) in enumerate(spans):
        name = label if i == 0 else None
        axes.axvspan(x[first] - half, x[last] + half, linewidth=0, label=name, zorder=0.5, **look)


def _minutes(seconds: float, _position: int | None = None) -> str:
    whole = round(seconds)
    return f"{'-' if whole < 0 else ''}{abs(whole) // 60}:{abs(whole) % 60:02d}"
