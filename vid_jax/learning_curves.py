"""How a training went, as a figure of its log."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from vid_jax.visualize import curve_colour, style_axes

_PARTS = {"train": "training", "val": "validation"}
_COLUMNS = 2
_SHOWN = ("loss", "error_mm", "top1")  # beside the monitored one


def learning_curves(log: Sequence[Mapping[str, str]], monitor: str, step: int) -> Figure | None:
    """By epoch, the monitored metric, loss, joint error and accuracy, as far as training and validation have them.

    Args:
        log: rows of a train_log.csv, as `vid_jax.hooks.read_log` gives them.
        monitor: the metric that picks the best checkpoint.
        step: of the evaluated checkpoint, whose epoch is marked.

    Returns:
        The figure, or None where there are no two epochs to draw.
    """
    known = {*log[0]} if log else set()
    metrics = [
        metric
        for metric in dict.fromkeys((monitor, *_SHOWN))
        if all(f"{part}/{metric}" in known for part in _PARTS)
    ]
    if len(log) < 2 or not metrics:
        return None
    columns = min(_COLUMNS, len(metrics))
    rows = -(-len(metrics) // columns)
    figure = Figure(figsize=(11, 0.6 + 2.7 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True).ravel()
    epochs = [int(row["epoch"]) for row in log]
    evaluated = [int(row["epoch"]) for row in log if int(row["step"]) == step]
    for axes, metric in zip(panels, metrics):
        style_axes(axes, metric.replace("_", " "))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        for i, (part, called) in enumerate(_PARTS.items()):
            values = [float(row[f"{part}/{metric}"] or "nan") for row in log]
            axes.plot(epochs, values, color=curve_colour(1 - i), linewidth=2, label=called)
        for epoch in evaluated:
            axes.axvline(epoch, color="#5d6878", linewidth=1, linestyle=":", label="evaluated")
    for axes in panels[len(metrics) :]:
        axes.set_axis_off()
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=3, frameon=False, fontsize=10)
    figure.supxlabel("epoch", fontsize=10)
    return figure
