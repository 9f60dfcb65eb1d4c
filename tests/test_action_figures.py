import io

import numpy as np
import pytest

from vid_jax import action_figures
from vid_jax.metrics.action import FRACTIONS
from vid_jax.visualize import MODEL_COLOUR

NAMES = ["pour milk", "stir", "write"]
COUNTS = np.array([[3, 1, 0], [0, 0, 0], [0, 2, 6]])


def render(figure) -> int:
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return len(file.getvalue())


def ticks(labels):
    return [text.get_text() for text in labels]


def test_confusion_matrix_shows_shares_of_the_rows_and_their_sizes():
    figure = action_figures.confusion_figure(COUNTS, NAMES, "FHAD: 75 %")
    [axes] = figure.axes
    cells = {text.get_position(): text.get_text() for text in axes.texts}
    assert cells == {(0, 0): "75", (1, 0): "25", (1, 2): "25", (2, 2): "75"}
    assert ticks(axes.get_xticklabels()) == NAMES
    assert ticks(axes.get_yticklabels()) == ["pour milk  4", "stir  0", "write  8"]
    image = axes.images[0].get_array()
    right, wrong = image[0, 0], image[0, 1]
    assert right[2] > right[0]
    assert wrong[0] > wrong[2]
    np.testing.assert_array_equal(image[1, 1], 1)
    assert render(figure)


def test_class_bars_are_sorted_and_leave_out_what_does_not_occur():
    accuracies = {"network": np.array([0.75, np.nan, 0.9]), "SVM": np.array([0.5, np.nan, 0.6])}
    figure = action_figures.class_bars(accuracies, NAMES, "FHAD")
    [axes] = figure.axes
    assert ticks(axes.get_yticklabels()) == ["write", "pour milk", "mean"]
    np.testing.assert_allclose([bar.get_width() for bar in axes.patches], [90, 75, 82.5])
    [marks] = axes.collections
    assert [segment[0, 0] for segment in marks.get_segments()] == pytest.approx([60, 50, 55])
    [legend] = figure.legends
    assert ticks(legend.get_texts()) == ["network", "SVM"]
    assert render(figure)


def test_fraction_curves_are_percentages_of_percentages():
    curves = {"network": FRACTIONS**0.5, "guess": 0 * FRACTIONS + 0.1}
    figure = action_figures.fraction_curves(curves, FRACTIONS, "FHAD")
    lines = {line.get_label(): line for line in figure.axes[0].get_lines()}
    np.testing.assert_allclose(lines["network"].get_xdata(), 100 * FRACTIONS)
    np.testing.assert_allclose(lines["network"].get_ydata(), 100 * FRACTIONS**0.5)
    assert lines["network"].get_color() == MODEL_COLOUR
    assert lines["network"].get_linewidth() > lines["guess"].get_linewidth()
    assert render(figure)


@pytest.mark.parametrize("flat", [False, True])
def test_contours_ring_the_best(flat):
    etas, zetas = np.array([0.1, 0.5, 0.9]), np.array([0.1, 0.9])
    errors = np.array([[11, 12], [10.5, 10.7], [10.8, 10.9]])
    accuracies = np.full((3, 2), 0.5) if flat else errors[::-1] / 20
    figure = action_figures.mixing_contours(etas, zetas, errors, accuracies, "11d")
    left, right = figure.axes
    rings = [axes.get_lines()[-1].get_xydata().tolist() for axes in (left, right)]
    assert rings == [[[0.5, 0.1]], [[0.1, 0.1]] if flat else [[0.9, 0.9]]]
    assert left.get_title(loc="left").endswith("best 10.50")
    assert bool(right.collections) != flat
    assert render(figure)
