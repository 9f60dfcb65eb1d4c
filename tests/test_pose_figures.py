import io

import numpy as np
import pytest

from vid_jax import pose_figures
from vid_jax.hand_joints import SKELETONS
from vid_jax.metrics.pose import YAW_EDGES, frames_within
from vid_jax.visualize import MODEL_COLOUR

JOINTS = SKELETONS["icvl"].joints
METHODS = ("DeepPrior++", "nearest training pose", "mean pose")


def render(figure) -> int:
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return len(file.getvalue())


def lines_by_label(axes):
    return {line.get_label(): line for line in axes.get_lines()}


def legend_of(figure):
    [legend] = figure.legends
    return [text.get_text() for text in legend.get_texts()]


def test_threshold_curves_are_percentages_with_the_model_boldest_and_first():
    errors = np.random.default_rng(0).gamma(4, 8, (3, 100))
    curves = {name: frames_within(e) for name, e in zip(METHODS, errors)}
    curves["nothing"] = np.zeros(81)
    figure = pose_figures.threshold_curves(curves, "MSRA15")
    [axes] = figure.axes
    assert axes.get_title(loc="left") == "MSRA15"
    assert axes.get_xlim() == (0, 80)
    assert [name.rsplit("  ")[0] for name in legend_of(figure)] == [*METHODS, "nothing"]
    assert legend_of(figure)[-1] == "nothing  0.000"
    lines = lines_by_label(axes)
    model, *baselines = (lines[name] for name in legend_of(figure))
    np.testing.assert_allclose(model.get_ydata(), 100 * curves["DeepPrior++"])
    assert model.get_color() == MODEL_COLOUR
    assert all(model.get_linewidth() > 1.9 * line.get_linewidth() for line in baselines)
    assert len({line.get_color() for line in baselines}) == 3
    assert render(figure)


def test_joint_bars_end_with_the_mean_and_mark_the_baselines():
    rng = np.random.default_rng(0)
    errors = {name: rng.uniform(5, 50, len(JOINTS)) for name in METHODS}
    figure = pose_figures.joint_bars(errors, JOINTS, "Generated hands")
    [axes] = figure.axes
    heights = [bar.get_height() for bar in axes.patches]
    np.testing.assert_allclose(heights[:-1], errors["DeepPrior++"])
    assert heights[-1] == pytest.approx(errors["DeepPrior++"].mean())
    assert [t.get_text() for t in axes.get_xticklabels()] == [*JOINTS, "mean"]
    assert [marks.get_label() for marks in axes.collections] == list(METHODS[1:])
    assert all(len(marks.get_segments()) == len(JOINTS) + 1 for marks in axes.collections)
    assert axes.get_ylim()[0] == 0
    assert axes.get_legend() is not None
    assert render(figure)


def test_joint_bars_of_one_method_need_no_legend():
    figure = pose_figures.joint_bars({"prediction": np.ones(16)}, JOINTS, "x", most=30)
    assert figure.axes[0].get_legend() is None
    assert figure.axes[0].get_ylim() == (0, 30)
    assert render(figure)


def test_angle_curves_leave_gaps_where_bins_are_empty():
    means = np.linspace(5, 15, 40)
    means[7] = np.nan
    figure = pose_figures.angle_curves(
        {"DeepPrior++": means, "mean pose": means + 20}, YAW_EDGES, "yaw", "MSRA15"
    )
    [axes] = figure.axes
    model = lines_by_label(axes)["DeepPrior++"]
    assert model.get_xdata()[0] == -39
    assert np.isnan(model.get_ydata()[7])
    assert axes.get_xlim() == (-40, 40)
    assert axes.get_ylim()[0] == 0
    assert axes.get_xlabel() == "yaw of the palm, degrees"
    assert legend_of(figure) == ["DeepPrior++", "mean pose"]
    assert render(figure)
