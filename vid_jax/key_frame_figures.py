"""Figures of key frames: contact sheet, distance curve, and how summaries of videos agree with users'."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from vid_jax.visualize import (
    BASELINE_COLOURS,
    MODEL_COLOUR,
    THRESHOLD_COLOUR,
    style_axes,
    style_time_axis,
)

_SHEET_WIDTH = 12.0  # inches
_CLIP_COLOURS = ("#eef2f8", "#ffffff")


def contact_sheet(
    images: Sequence[np.ndarray], captions: Sequence[str], title: str, columns: int = 5
) -> Figure:
    """Images in rows, a caption over each.

    Args:
        images: (height, width[, 3]) uint8, of any sizes.
        captions: one for each.
        title: above all.
        columns: at most.
    """
    columns = min(columns, max(len(images), 3))
    rows = -(-len(images) // columns)
    shape = max(image.shape[0] / image.shape[1] for image in images)
    row = _SHEET_WIDTH / columns * shape + 0.3
    figure = Figure(figsize=(_SHEET_WIDTH, rows * row + 0.5), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold")
    for i, axes in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        axes.set_axis_off()
        if i < len(images):
            axes.imshow(images[i], cmap="gray", vmin=0, vmax=255)
            axes.set_title(captions[i], loc="left", fontsize=9, pad=3)
    return figure


def distance_curve(
    times: np.ndarray,
    distances: np.ndarray,
    threshold: float | None,
    kept: np.ndarray,
    clips: Sequence[tuple[float, float]],
    title: str,
    ylabel: str = "distance",
) -> Figure:
    """Distances of candidates over time, the threshold as a line, key frames as dots, clips as bands.

    Args:
        times: (n,) seconds.
        distances: (n,), NaN where there is none.
        threshold: None where the selector has none of this curve.
        kept: (k,) indices of key frames.
        clips: start and end, seconds.
        title: says the video and the selector.
        ylabel: says what the distances are.
    """
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    axes = figure.add_subplot()
    style_axes(axes, title)
    for i, (start, end) in enumerate(clips):
        axes.axvspan(start, end, color=_CLIP_COLOURS[i % 2], linewidth=0, zorder=0)
    marker = "." if len(times) < 200 else ""
    axes.plot(times, distances, color=MODEL_COLOUR, linewidth=1.3, marker=marker, label="distance")
    if threshold is not None:
        axes.axhline(threshold, color=THRESHOLD_COLOUR, linestyle="--", label="threshold")
    heights = np.nan_to_num(distances[kept])
    axes.plot(times[kept], heights, "o", color=THRESHOLD_COLOUR, markersize=5, label="key frame")
    axes.set_ylim(bottom=0)
    axes.set_ylabel(ylabel)
    style_time_axis(axes, clips[0][0], clips[-1][1])
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, frameon=False, fontsize=10)
    return figure


def video_dots(videos: Mapping[str, Mapping[str, float]], ylabel: str, title: str) -> Figure:
    """A figure of merit of each video, by methods, the first of which orders the videos.

    Args:
        videos: by name of the video and of the method.
        ylabel: what the figure is, from 0 to 1.
        title: of the axes.
    """
    methods = list(next(iter(videos.values())))
    names = sorted(videos, key=lambda name: -videos[name][methods[0]])
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    axes = figure.add_subplot()
    style_axes(axes, title)
    colours = (MODEL_COLOUR, *BASELINE_COLOURS)
    for method, colour in reversed([*zip(methods, colours)]):
        size = 7 if method == methods[0] else 5
        values = [videos[name].get(method, np.nan) for name in names]
        axes.plot(values, "o", color=colour, markersize=size, label=method)
    axes.set_xticks(range(len(names)), names, rotation=90 if len(names) > 6 else 0, fontsize=8)
    axes.set_xlim(-0.5, len(names) - 0.5)
    axes.set_ylim(0, 1.02)
    axes.set_ylabel(ylabel)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=4, frameon=False, fontsize=10)
    return figure
