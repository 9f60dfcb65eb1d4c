"""Figures of single performances: their frames, and what a recogniser makes of them in the course of time."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from vid_jax.hand_figures import draw_joints, show_crop
from vid_jax.hand_joints import Skeleton
from vid_jax.visualize import BASELINE_COLOURS, MODEL_COLOUR, style_axes

_PAPER = "#f1f3f6"
_OTHERS_COLOUR = "#c3cad4"
_TRUTH_COLOUR = "#b45309"
_LINES = 6  # classes that have a line of their own
_MARGIN = 0.12  # of a skeleton's extent, around it
_ENDS = 5
_STRIP_HEIGHT = 36


class HandView(NamedTuple):
    """A hand in one frame: on its crop, or as a skeleton without one."""

    caption: str
    joints: np.ndarray  # (j, 2 or more), pixels of the crop; without one x right and y down in mm
    crop: np.ndarray | None = None  # (h, w) in [-1, 1], 1 where there is only background
    predicted: np.ndarray | None = None  # as `joints`


def ends(length: int, shown: int = _ENDS) -> np.ndarray:
    """Numbers of the first and the last frames of a sequence, ascending; of all where it is short."""
    first, last = np.arange(min(shown, length)), np.arange(max(0, length - shown), length)
    return np.union1d(first, last)


def view_rows(
    rows: Sequence[Sequence[HandView]], headings: Sequence[str], skeleton: Skeleton, title: str
) -> Figure:
    """Hands in rows, such as the first five and the last five frames of sequences, truth solid and prediction dashed.

    Skeletons of one row share a window, so that how the hand moves is seen.

    Args:
        rows: at least one, each of at least one view.
        headings: (rows,), above them.
        skeleton: of the joints.
        title: above all.
    """
    columns = max(map(len, rows))
    figure = Figure(figsize=(1.45 * columns + 0.2, 1.95 * len(rows) + 0.5), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold")
    parts = figure.subfigures(len(rows), 1, squeeze=False)[:, 0]
    for part, views, heading in zip(parts, rows, headings, strict=True):
        part.suptitle(heading, x=0.01, ha="left", fontsize=10)
        window = _window(views)
        for i, view in enumerate(views):
            _show(part.add_subplot(1, columns, i + 1), view, skeleton, window)
    return figure


def action_curves(
    seen: np.ndarray,
    probabilities: np.ndarray,
    names: Sequence[str],
    title: str,
    truth: int | None = None,
) -> Figure:
    """Probabilities of the classes over a sequence's frames; those that matter have colours, the rest are grey.

    Args:
        seen: (k,) numbers of frames, ascending.
        probabilities: (k, c) after so many frames, NaN where nothing is said.
        names: (c,) of the classes.
        title: usually the sequence's name.
        truth: the true class, drawn bold; None where it is unknown.
    """
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    axes = figure.add_subplot()
    style_axes(axes, title)
    order = np.argsort(-np.nanmax(probabilities, axis=0), kind="stable").tolist()
    if truth is not None:
        order = [truth, *(i for i in order if i != truth)]
    for i in order[_LINES:]:
        axes.plot(seen, probabilities[:, i], color=_OTHERS_COLOUR, linewidth=0.8)
    colours = [MODEL_COLOUR, *BASELINE_COLOURS]
    for i, colour in zip(order[:_LINES], colours):
        is_true = i == truth
        label = f"{names[i]} (truth)" if is_true else names[i]
        look = dict(linewidth=2.8, zorder=3) if is_true else dict(linewidth=1.6)
        marker = "o" if len(seen) == 1 else None
        axes.plot(seen, probabilities[:, i], color=colour, label=label, marker=marker, **look)
    axes.set(xlim=(0.5, seen[-1] + 0.5), ylim=(0, 1.02))
    axes.set_xlabel("frames seen")
    axes.set_ylabel("probability")
    figure.legend(loc="outside right upper", frameon=False, fontsize=10)
    return figure


def action_moments(
    views: Sequence[HandView],
    probabilities: np.ndarray,
    names: Sequence[str],
    skeleton: Skeleton,
    title: str,
    truth: int | None = None,
) -> Figure:
    """Frames of a sequence with the probabilities of all classes below each, the true class marked.

    Args:
        views: (k,) frames, for instance "frame 12 of 80".
        probabilities: (k, c) after each of them.
        names: (c,) of the classes.
        skeleton: of the joints.
        title: usually the sequence's name.
        truth: the true class.
    """
    classes = len(names)
    height = 2.5 + 0.15 * classes + 0.6
    figure = Figure(figsize=(2.4 * len(views) + 1.6, height), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold")
    grid = figure.subplots(2, len(views), squeeze=False, height_ratios=(2.5, 0.15 * classes))
    window = _window(views)
    for column, (view, shares) in enumerate(zip(views, probabilities, strict=True)):
        above, below = grid[:, column]
        _show(above, view, skeleton, window)
        colours = np.full(classes, MODEL_COLOUR, object)
        style_axes(below, "")
        below.grid(visible=False, axis="y")
        if truth is not None:
            below.axhspan(truth - 0.5, truth + 0.5, color=_TRUTH_COLOUR, alpha=0.18, linewidth=0)
            colours[truth] = _TRUTH_COLOUR
        below.barh(np.arange(classes), shares, 0.74, color=colours)
        below.set(xlim=(0, 1), ylim=(classes - 0.4, -0.6))
        below.set_yticks(range(classes), names if column == 0 else [""] * classes, fontsize=7.5)
        below.tick_params(axis="y", length=0)
        below.tick_params(axis="x", labelsize=8)
    grid[1, 0].set_xlabel("probability", fontsize=9)
    return figure


def attention_curves(weights: Sequence[np.ndarray], headings: Sequence[str], title: str) -> Figure:
    """Attention over the frames of sequences, one panel each; the grey line is even attention.

    Args:
        weights: per sequence (t,), adding up to 1.
        headings: of the sequences.
        title: above all.
    """
    figure = Figure(figsize=(10, 0.9 + 1.3 * len(weights)), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold")
    for axes, of_sequence, heading in zip(
        figure.subplots(len(weights), 1, squeeze=False)[:, 0], weights, headings, strict=True
    ):
        style_axes(axes, "")
        axes.set_title(heading, loc="left", fontsize=10)
        edges = np.arange(len(of_sequence) + 1) + 0.5
        axes.stairs(of_sequence, edges, fill=True, color=MODEL_COLOUR, alpha=0.3)
        axes.stairs(of_sequence, edges, color=MODEL_COLOUR, linewidth=1.6)
        axes.axhline(1 / len(of_sequence), color="#8a94a3", linewidth=1)
        axes.set(xlim=(0.5, len(of_sequence) + 0.5))
        axes.set_ylim(bottom=0)
    axes.set_xlabel("frame, as the network sees them")
    return figure


def action_strip(width: int, names: Sequence[str], probabilities: np.ndarray | None) -> np.ndarray:
    """A strip for the foot of a video's frame: the three likeliest actions as bars with their names.

    Args:
        width: of the frame, in pixels.
        names: (c,) of the classes, in ASCII.
        probabilities: (c,); None leaves the strip empty.

    Returns:
        uint8 RGB (36, width, 3).
    """
    strip = np.full((_STRIP_HEIGHT, width, 3), (22, 26, 33), np.uint8)
    if probabilities is None:
        return strip
    leading = np.argsort(-probabilities, kind="stable")[:3]
    step = width // 3
    for place, i in enumerate(leading):
        left, right = place * step + 14, (place + 1) * step - 6
        cv2.rectangle(strip, (left, 26), (right, 30), (52, 60, 72), cv2.FILLED)
        end = left + round(float(probabilities[i]) * (right - left))
        colour = _rgb(MODEL_COLOUR) if place else (82, 160, 255)
        cv2.rectangle(strip, (left, 26), (end, 30), colour, cv2.FILLED)
        text = f"{probabilities[i]:.2f} {names[i]}"
        cut = max(1, (right - left) // 8)
        _write(strip[:, : right + 4], text if len(text) <= cut else f"{text[: cut - 2]}..", left)
    return strip


def _show(axes: Axes, view: HandView, skeleton: Skeleton, window: tuple) -> None:
    if view.crop is not None:
        show_crop(axes, view.crop, "")
    else:
        (left, right), (top, bottom) = window
        axes.set(xlim=(left, right), ylim=(bottom, top), aspect="equal", facecolor=_PAPER)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
    axes.set_title(view.caption, loc="left", fontsize=8, pad=3)
    draw_joints(axes, view.joints, skeleton)
    if view.predicted is not None:
        draw_joints(axes, view.predicted, skeleton, "dashed")


def _window(views: Sequence[HandView]) -> tuple[tuple[float, float], tuple[float, float]]:
    """Ends of x and y of a square about the joints of all."""
    joints = [view.joints for view in views]
    joints += [view.predicted for view in views if view.predicted is not None]
    points = np.concatenate(joints)[:, :2]
    low, high = points.min(axis=0), points.max(axis=0)
    half = max((high - low).max() * (0.5 + _MARGIN), 1.0)
    x, y = (low + high) / 2
    return (x - half, x + half), (y - half, y + half)


def _write(image: np.ndarray, text: str, left: int) -> None:
    font, white = cv2.FONT_HERSHEY_SIMPLEX, (236, 240, 245)
    cv2.putText(image, text, (left, 19), font, 0.42, white, 1, cv2.LINE_AA)


def _rgb(colour: str) -> tuple[int, int, int]:
    return tuple(round(255 * part) for part in to_rgb(colour))
