"""Figures of predicted frames, of extrapolation, and of classifiers of prediction errors."""

from collections.abc import Mapping

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.ndimage import gaussian_filter

from vid_jax.visualize import THRESHOLD_COLOUR, curve_colour, displayable, filmstrip, style_axes

_CLASSES = ("normal", "abnormal")

# The overlay of Microsoft's PredNet pipeline for anomaly detection; errors are of frames in [0, 1].
_OVERLAY_SIGMA = 3.0  # pixels
_OVERLAY_FLOOR = 0.1
_OVERLAY_GAIN = 5.0


def prediction_strip(
    actual: np.ndarray, predicted: np.ndarray, error: np.ndarray, title: str, every: int = 1
) -> Figure:
    """Frames of a video in columns: actual, predicted, actual with the error in red, error.

    The third row is that of Microsoft's PredNet pipeline: the error after a Gaussian of 3 pixels,
    what is below 0.1 left out, five times added to the red channel. Columns carry frame numbers,
    from 1; the errors have one scale.

    Args:
        actual: (t, h, w, c) uint8, or floats in [0, 1]; one channel or RGB.
        predicted: likewise.
        error: (t, h, w), absolute differences of frames in [0, 1].
        title: above all.
        every: shows each `every`-th frame, the first among them.
    """
    shown = np.arange(0, len(actual), every)
    rows = {
        "actual": [displayable(actual[t]) for t in shown],
        "predicted": [displayable(predicted[t]) for t in shown],
        "error in red": [_overlay(actual[t], error[t]) for t in shown],
        "absolute error": [np.asarray(error[t], np.float32) for t in shown],
    }
    strips = {name: filmstrip(frames) for name, frames in rows.items()}
    height, width = strips["actual"].shape[:2]
    strip_width = len(shown) * min(3.0, max(0.8, 12 / len(shown)))  # inches, as are those below
    strip_height = strip_width * height / width
    figure, grid = _stack_of_axes(len(strips), strip_width, strip_height)
    x, y = (0.12, -0.12) / figure.get_size_inches()
    figure.suptitle(title, x=x, y=1 + y, ha="left", va="top", fontsize=13, fontweight="bold")
    for axes, (name, strip) in zip(grid, strips.items(), strict=True):
        axes.imshow(strip, cmap="gray", vmin=0, vmax=255)
        axes.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=11)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    grid[0].set_xticks((np.arange(len(shown)) + 0.5) * width / len(shown), shown + 1)
    grid[0].tick_params(
        bottom=False, labelbottom=False, labeltop=True, length=0, pad=3, labelsize=10
    )
    heat = grid[-1].images[0]
    heat.set(cmap="inferno", clim=(0, float(np.max(rows["absolute error"])) or 1.0))
    place = (1 + 0.1 / strip_width, 0, 0.12 / strip_width, 1)
    bar = figure.colorbar(heat, cax=grid[-1].inset_axes(place))
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=9, length=0)
    return figure


def extrapolation_figure(
    curves: Mapping[str, np.ndarray], start: int, ylabel: str, title: str
) -> Figure:
    """Error by frame number (from 1), the first curve (the model's) bold, the rest thin.

    Args:
        curves: name -> (t,) errors, NaN where a frame has none.
        start: frames that the model is shown; a line stands between them and those after, which
            it predicts from its own predictions.
        ylabel: the error and its unit.
        title: says the data set.
    """
    figure = Figure(figsize=(10, 4.4), layout="constrained")
    axes = figure.add_subplot()
    style_axes(axes, title)
    for i, (name, values) in reversed(list(enumerate(curves.items()))):
        axes.plot(
            np.arange(1, len(values) + 1),
            values,
            color=curve_colour(i),
            linewidth=1.4 if i else 2.8,
            marker="o" if len(values) <= 50 else None,
            markersize=3.5 if i else 5.5,
            label=name,
        )
    longest = max(map(len, curves.values()))
    axes.set_xlim(0.5, longest + 0.5)
    axes.set_ylim(bottom=0)
    axes.axvline(start + 0.5, color=THRESHOLD_COLOUR, linestyle="--", linewidth=1.5)
    axes.annotate(
        "extrapolation",
        (start + 0.5, 1),
        xycoords=("data", "axes fraction"),
        xytext=(6, -4),
        textcoords="offset points",
        va="top",
        fontsize=10,
        color=THRESHOLD_COLOUR,
    )
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel("frame")
    axes.set_ylabel(ylabel)
    handles, names = axes.get_legend_handles_labels()
    figure.legend(handles[::-1], names[::-1], loc="outside right upper", frameon=False, fontsize=10)
    return figure


def confusion_figure(confusion: np.ndarray, title: str) -> Figure:
    """Frames by truth (rows) and by what they were predicted as, with shares of each row.

    Args:
        confusion: (2, 2) counts, normal first.
        title: says the classifier.
    """
    confusion = np.asarray(confusion)
    share = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(5.0, 4.6), layout="constrained")
    axes = figure.add_subplot()
    style_axes(axes, title)
    axes.grid(False)
    axes.spines[:].set_visible(False)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1.15)
    for (row, column), count in np.ndenumerate(confusion):
        part = share[row, column]
        colour = "white" if part > 0.6 else "#1c2430"
        text = dict(ha="center", color=colour)
        axes.text(column, row - 0.04, f"{count:,}", fontsize=17, fontweight="bold", **text)
        axes.text(column, row + 0.14, f"{100 * part:.1f} %", fontsize=11, **text)
    axes.set_xticks((0, 1), _CLASSES)
    axes.set_yticks((0, 1), _CLASSES, rotation=90, va="center")
    axes.tick_params(length=0)
    axes.set_xlabel("predicted")
    axes.set_ylabel("truth")
    return figure


def importance_figure(importances: Mapping[str, Mapping[str, float]], title: str) -> Figure:
    """Each feature's importance to each method, in horizontal bars grouped by feature.

    Args:
        importances: method -> feature -> share; a feature that a method lacks has no bar.
        title: says what is classified.
    """
    features = list(dict.fromkeys(name for shares in importances.values() for name in shares))
    bar = 0.8 / len(importances)
    height = len(features) * (0.24 * len(importances) + 0.12) + 1.1
    figure = Figure(figsize=(8, max(2.4, height)), layout="constrained")
    axes = figure.add_subplot()
    style_axes(axes, title)
    axes.grid(False, axis="y")
    axes.grid(axis="x", color="#e7eaef", linewidth=0.8)
    for i, (method, shares) in enumerate(importances.items()):
        rows = [features.index(name) + (i + 0.5) * bar - 0.4 for name in shares]
        bars = axes.barh(
            rows,
            list(shares.values()),
            0.9 * bar,
            color=curve_colour(i),
            label=method.replace("_", " "),
        )
        axes.bar_label(bars, fmt="%.2f", padding=4, fontsize=9, color="#5d6878")
    axes.set_yticks(range(len(features)), features)
    axes.set_ylim(len(features) - 0.5, -0.5)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.margins(x=0.08)
    axes.set_xlabel("importance")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=4, frameon=False, fontsize=10)
    return figure


def _stack_of_axes(number: int, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """Axes of exactly that size in inches, with room for names, numbers, a title and a bar."""
    left, right, top, bottom, gap = 1.25, 0.65, 0.65, 0.12, 0.06
    full_width = left + width + right
    full_height = top + number * (height + gap) - gap + bottom
    figure = Figure(figsize=(full_width, full_height))
    lows = [full_height - top - height - i * (height + gap) for i in range(number)]
    places = [(left, low, width, height) for low in lows]
    scale = np.array([full_width, full_height] * 2)
    return figure, [figure.add_axes(tuple(np.array(place) / scale)) for place in places]


def _overlay(image: np.ndarray, error: np.ndarray) -> np.ndarray:
    image = displayable(image)
    if image.ndim == 2:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
    heat = gaussian_filter(np.asarray(error, np.float32), _OVERLAY_SIGMA)
    heat[heat < _OVERLAY_FLOOR] = 0
    red = image[..., 0] + 255 * _OVERLAY_GAIN * heat
    return np.dstack([np.clip(red, 0, 255).round().astype(np.uint8), image[..., 1:]])
