"""Figures of how well actions are recognised, of how that was learnt, and of how two passes are best mixed."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from vid_jax.visualize import ABNORMAL_COLOUR, MODEL_COLOUR, curve_colour, style_axes

_RIGHT = LinearSegmentedColormap.from_list("right", ["#ffffff", MODEL_COLOUR])
_WRONG = LinearSegmentedColormap.from_list("wrong", ["#ffffff", ABNORMAL_COLOUR])
_INK, _QUIET = "#1c2430", "#5d6878"
_SHADE_OF_ERRORS = 0.6  # share of a class at which the colour of errors is full
_DARK = 0.55  # share from which numbers are white


def confusion_figure(counts: np.ndarray, names: Sequence[str], title: str) -> Figure:
    """A confusion matrix in per cent of each class, what is right in blue and what is wrong in red.

    Args:
        counts: (c, c) sequences, rows truth, columns predicted; a class without sequences is an empty row.
        names: (c,) of the classes; the number of their sequences stands behind those of the rows.
        title: above, for instance the data set and the accuracy.
    """
    classes = len(names)
    totals = counts.sum(axis=1)
    shares = counts / np.maximum(totals, 1)[:, None]
    side = 2.4 + 0.26 * max(classes, 12)
    figure = Figure(figsize=(side + 0.4, side), layout="constrained")
    axes = figure.add_subplot(aspect="equal")
    image = _WRONG(np.clip(shares / _SHADE_OF_ERRORS, 0, 1))
    diagonal = np.arange(classes)
    image[diagonal, diagonal] = _RIGHT(shares.diagonal())
    axes.imshow(image)
    for row, column in zip(*np.nonzero(counts)):
        share = shares[row, column]
        full = share if row == column else share / _SHADE_OF_ERRORS
        colour = "#ffffff" if full > _DARK else _INK
        axes.text(
            column, row, f"{100 * share:.0f}", ha="center", va="center", fontsize=6.5, color=colour
        )
    rows = [f"{name}  {total}" for name, total in zip(names, totals)]
    axes.set_xticks(diagonal, names, rotation=60, ha="right", rotation_mode="anchor")
    axes.set_yticks(diagonal, rows)
    axes.tick_params(length=0, labelsize=8, pad=3)
    axes.set_xticks(np.arange(classes - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(classes - 1) + 0.5, minor=True)
    axes.grid(which="minor", color="#e7eaef", linewidth=0.6)
    axes.tick_params(which="minor", length=0)
    axes.spines[:].set_color("#c3cad4")
    axes.set_title(title, loc="left", fontsize=12, fontweight="bold")
    axes.set_xlabel("recognised, % of the row", fontsize=9, color=_QUIET)
    axes.set_ylabel("truth, with the number of sequences", fontsize=9, color=_QUIET)
    return figure


def class_bars(accuracies: Mapping[str, np.ndarray], names: Sequence[str], title: str) -> Figure:
    """Accuracy of each class, the best above and the mean below, the first method as bars, the rest as marks.

    Args:
        accuracies: method -> (c,), NaN where a class has no sequences; such classes are left out.
        names: (c,) of the classes.
        title: says the data set and the protocol.
    """
    first = next(iter(accuracies.values()))
    known = np.flatnonzero(np.isfinite(first))
    order = known[np.argsort(-first[known], kind="stable")]
    figure = Figure(figsize=(8.5, 1.6 + 0.24 * len(order)), layout="constrained")
    axes = figure.add_subplot()
    style_axes(axes, title)
    axes.grid(visible=False, axis="y")
    axes.grid(axis="x", color="#e7eaef", linewidth=0.8)
    places = np.append(np.arange(len(order)), len(order) + 0.5)  # the mean stands apart
    for i, (name, of_classes) in enumerate(accuracies.items()):
        values = 100 * np.append(of_classes[order], of_classes[order].mean())
        if i == 0:
            bars = axes.barh(places, values, 0.72, color=MODEL_COLOUR, label=name)
            bars[-1].set_color("#123a80")
            axes.bar_label(bars, fmt="%.0f", padding=4, fontsize=8, color="#3d4757")
        else:
            ends = places - 0.42, places + 0.42
            axes.vlines(values, *ends, color=curve_colour(i), linewidth=2.2, label=name)
    axes.set_yticks(places, [*(names[i] for i in order), "mean"])
    axes.get_yticklabels()[-1].set_fontweight("bold")
    axes.tick_params(axis="y", length=0, labelsize=9)
    axes.set(xlim=(0, 104), ylim=(places[-1] + 0.6, -0.7))
    axes.set_xlabel("recognised, % of the class's sequences")
    if len(accuracies) > 1:
        handles, labels = axes.get_legend_handles_labels()
        marks = [handles[labels.index(name)] for name in accuracies]  # in their own order
        looks = dict(ncols=4, frameon=False, fontsize=10)
        figure.legend(marks, [*accuracies], loc="outside lower left", **looks)
    return figure


def fraction_curves(curves: Mapping[str, np.ndarray], fractions: np.ndarray, title: str) -> Figure:
    """Accuracy when only the first part of a sequence has been seen, the first curve (the model's) bold.

    Args:
        curves: name -> (f,), as of `vid_jax.metrics.action.accuracy_by_fraction`.
        fractions: (f,) of the sequences, ascending.
        title: says the data set and the protocol.
    """
    figure = Figure(figsize=(9, 4.6), layout="constrained")
    axes = figure.add_subplot()
    style_axes(axes, title)
    for i, (name, accuracies) in reversed(list(enumerate(curves.items()))):
        look = dict(linewidth=1.4, markersize=2) if i else dict(linewidth=2.8, markersize=4)
        values = 100 * np.asarray(accuracies)
        axes.plot(100 * fractions, values, "o-", color=curve_colour(i), label=name, **look)
    axes.set(xlim=(0, 101), ylim=(0, 101))
    axes.set_xlabel("seen of the sequence, %")
    axes.set_ylabel("top-1 accuracy, %")
    _legend(figure, axes)
    return figure


def mixing_contours(
    etas: np.ndarray, zetas: np.ndarray, errors: np.ndarray, accuracies: np.ndarray, title: str
) -> Figure:
    """Pose error and accuracy of two passes by how much the second counts, with the best of each ringed.

    Args:
        etas: (e,) the second pass's weights in the pose, ascending, at least two.
        zetas: (z,) its weights in the action, likewise.
        errors: (e, z) mm.
        accuracies: (e, z) in 0 to 1.
        title: above both.
    """
    figure = Figure(figsize=(11, 5), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold")
    left, right = figure.subplots(1, 2)
    percents = 100 * accuracies
    best_error = np.unravel_index(np.argmin(errors), errors.shape)
    best_accuracy = np.unravel_index(np.argmax(accuracies), accuracies.shape)
    _contours(left, etas, zetas, errors, best_error, "viridis_r", "mean joint error, mm", "%.2f")
    _contours(right, etas, zetas, percents, best_accuracy, "viridis", "top-1 accuracy, %", "%.1f")
    return figure


def _legend(figure: Figure, axes: Axes) -> None:
    """Of the axes' curves, below all, with the model, which is drawn last, first; none for a single curve."""
    handles, names = axes.get_legend_handles_labels()
    if len(names) > 1:
        looks = dict(ncols=4, frameon=False, fontsize=10)
        figure.legend(handles[::-1], names[::-1], loc="outside lower left", **looks)


def _contours(
    axes: Axes, etas, zetas, values, best, colours: str, title: str, number_format: str
) -> None:
    style_axes(axes, f"{title}: best {number_format % values[best]}")
    span = np.ptp(values)
    if span > 0:  # else there is no contour
        levels = np.linspace(values.min(), values.max(), 11)
        axes.contourf(etas, zetas, values.T, levels, cmap=colours)
        lines = axes.contour(etas, zetas, values.T, levels[1:-1:2], colors="#ffffff", linewidths=1)
        axes.clabel(lines, fmt=number_format, fontsize=8)
    first, second = np.meshgrid(etas, zetas)
    axes.plot(first.ravel(), second.ravel(), ".", color=_INK, markersize=5, clip_on=False)
    look = dict(markersize=13, markerfacecolor="none", markeredgewidth=2.2, clip_on=False)
    axes.plot(etas[best[0]], zetas[best[1]], "o", markeredgecolor=ABNORMAL_COLOUR, **look)
    axes.set_xlabel("η, of the second pass in the pose")
    axes.set_ylabel("ζ, of the second pass in the action")
