"""Figures of photographs and of what an autoencoder makes of them."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

_COLUMN = 2.4  # inches


def reconstruction_sheet(
    rows: Mapping[str, np.ndarray], captions: Sequence[str], title: str
) -> Figure:
    """Images in columns, one row for each way of showing them.

    Args:
        rows: name -> images (n, h, w, 3) uint8.
        captions: (n,) above the columns.
        title: above all.
    """
    height, width = next(iter(rows.values())).shape[1:3]
    size = (_COLUMN * len(captions) + 1.2, _COLUMN * height / width * len(rows) + 0.8)
    figure = Figure(size, layout="constrained")
    grid = figure.subplots(len(rows), len(captions), squeeze=False)
    for axes_row, (name, images) in zip(grid, rows.items(), strict=True):
        axes_row[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=10)
        for axes, image in zip(axes_row, images, strict=True):
            axes.imshow(image)
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
    for axes, caption in zip(grid[0], captions, strict=True):
        axes.set_title(caption, fontsize=9)
    figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold")
    return figure


def image_sheet(
    images: np.ndarray, captions: Sequence[str], title: str, columns: int = 5
) -> Figure:
    """Images (n, h, w, 3) uint8 with captions, row by row."""
    count, height, width = images.shape[:3]
    rows = -(-count // columns)
    size = (_COLUMN * columns, (_COLUMN * height / width + 0.3) * rows + 0.5)
    figure = Figure(size, layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    for axes, image, caption in zip(grid, images, captions):
        axes.imshow(image)
        axes.set_title(caption, fontsize=8)
    figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold")
    return figure
