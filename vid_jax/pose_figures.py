"""Figures of the errors of hand poses."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from vid_jax.metrics.pose import THRESHOLDS, threshold_area
from vid_jax.visualize import MODEL_COLOUR, curve_colour, style_axes


def threshold_curves(
    curves: Mapping[str, np.ndarray], title: str, xlabel: str = "error of the worst joint, mm"
) -> Figure:
    """Percentage of frames by the error that they stay within, the first curve (the model's) bold, the rest thin.

    Args:
        curves: name -> (81,) fractions, as of `vid_jax.metrics.pose.frames_within`.
        title: says the data set and the protocol.
        xlabel: what must stay within the threshold.
    """
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.add_subplot()
    style_axes(axes, title)
    axes.grid(axis="x", color="#e7eaef", linewidth=0.8)
    for i, (name, fractions) in reversed(list(enumerate(curves.items()))):
        label = f"{name}  {threshold_area(fractions):.3f}"
        axes.plot(
            THRESHOLDS,
            100 * np.asarray(fractions),
            color=curve_colour(i),
            linewidth=1.4 if i else 2.8,
            label=label,
        )
    axes.set(xlim=(THRESHOLDS[0], THRESHOLDS[-1]), ylim=(0, 101))
    axes.set_xlabel(xlabel)
    axes.set_ylabel("frames within, %")
    _legend(figure, "area under the curve")
    return figure


def joint_bars(
    errors: Mapping[str, np.ndarray], joints: Sequence[str], title: str, most: float | None = None
) -> Figure:
    """Mean error of each joint and of all, the first method (the model) as bars, the rest as marks.

    Args:
        errors: method -> (j,) mm.
        joints: (j,) names.
        title: says the data set and the protocol.
        most: the end of the error axis in mm; that of the largest error if None.
    """
    figure = Figure(figsize=(max(6.0, 2 + 0.42 * len(joints)), 4.6), layout="constrained")
    axes = figure.add_subplot()
    style_axes(axes, title)
    places = np.append(np.arange(len(joints)), len(joints) + 0.6)  # the mean stands apart
    for i, (name, of_joints) in enumerate(errors.items()):
        values = np.append(of_joints, np.mean(of_joints))
        if i == 0:
            bars = axes.bar(places, values, 0.72, color=MODEL_COLOUR, label=name)
            bars[-1].set_color("#123a80")
            axes.bar_label(bars, fmt="%.1f", padding=2, fontsize=8, color="#3d4757")
        else:
            left, right = places - 0.42, places + 0.42
            axes.hlines(values, left, right, color=curve_colour(i), linewidth=2.2, label=name)
    axes.set_xticks(places, [*joints, "mean"], rotation=45, ha="right", rotation_mode="anchor")
    axes.get_xticklabels()[-1].set_fontweight("bold")
    axes.tick_params(axis="x", length=0)
    axes.set_xlim(-0.7, places[-1] + 0.7)
    axes.set_ylim(0, most)
    axes.set_ylabel("mean error, mm")
    if len(errors) > 1:
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=4, frameon=False, fontsize=10)
    return figure


def angle_curves(
    curves: Mapping[str, np.ndarray], edges: np.ndarray, angle: str, title: str
) -> Figure:
    """Mean error by the palm's angle, the first curve (the model's) bold, the rest thin; empty bins are gaps.

    Args:
        curves: name -> (bins,) mm, NaN where a bin is empty, as of `vid_jax.metrics.pose.errors_by_angle`.
        edges: (bins + 1,) degrees.
        angle: its name, for instance "yaw".
        title: says the data set and the protocol.
    """
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    axes = figure.add_subplot()
    style_axes(axes, title)
    centres = (edges[:-1] + edges[1:]) / 2
    for i, (name, means) in reversed(list(enumerate(curves.items()))):
        axes.plot(
            centres,
            means,
            color=curve_colour(i),
            linewidth=1.4 if i else 2.8,
            marker="o",
            markersize=2 if i else 3.5,
            label=name,
        )
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(bottom=0)
    axes.set_xlabel(f"{angle} of the palm, degrees")
    axes.set_ylabel("mean error, mm")
    _legend(figure)
    return figure


def _legend(figure: Figure, title: str | None = None) -> None:
    """Beside the axes, with the model, which is drawn last, first."""
    handles, names = figure.axes[0].get_legend_handles_labels()
    figure.legend(
        handles[::-1],
        names[::-1],
        title=title,
        loc="outside right upper",
        alignment="left",
        frameon=False,
        fontsize=10,
    )
