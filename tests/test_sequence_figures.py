import io

import numpy as np
import pytest

from vid_jax import sequence_figures
from vid_jax.hand_joints import SKELETONS
from vid_jax.sequence_figures import HandView

SKELETON = SKELETONS["fhad"]
NAMES = [f"action {i}" for i in range(9)]
RNG = np.random.default_rng(0)
JOINTS = RNG.uniform(-60, 60, (21, 3))


def render(figure) -> int:
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return len(file.getvalue())


def probabilities(frames):
    return RNG.dirichlet(np.ones(len(NAMES)), frames)


@pytest.mark.parametrize(
    ("length", "frames"), [(1, [0]), (7, range(7)), (12, [0, 1, 2, 3, 4, 7, 8, 9, 10, 11])]
)
def test_ends_are_the_first_and_the_last_frames_each_once(length, frames):
    assert sequence_figures.ends(length).tolist() == list(frames)


def test_skeletons_of_a_row_share_a_window_that_holds_them():
    rows = [
        [HandView(str(t), JOINTS + [90 * t, 0, 0]) for t in range(3)],
        [HandView("", JOINTS, predicted=JOINTS + 500)],
    ]
    figure = sequence_figures.view_rows(rows, ["stir", "write"], SKELETON, "First and last")
    first, *_, alone = figure.axes
    assert len(figure.axes) == 4
    for axes in figure.axes[:3]:
        assert axes.get_xlim() == first.get_xlim()
        assert axes.get_ylim() == first.get_ylim()
        assert axes.yaxis_inverted()  # y is down
        x, _y = np.concatenate([line.get_xydata() for line in axes.get_lines()]).T
        assert (x > axes.get_xlim()[0]).all()
        assert (x < axes.get_xlim()[1]).all()
    assert alone.get_xlim()[1] > 500
    assert len(alone.get_lines()) == 2 * len(SKELETON.chains)
    assert [part.get_suptitle() for part in figure.subfigs] == ["stir", "write"]
    assert render(figure)


def test_crops_keep_the_view_on_them():
    views = [HandView("1 of 9", JOINTS, np.zeros((48, 48)), JOINTS)]
    figure = sequence_figures.view_rows([views], [""], SKELETON, "Crops")
    assert figure.axes[0].get_xlim() == (-0.5, 47.5)
    assert render(figure)


@pytest.mark.parametrize("truth", [None, 7])
def test_curves_name_the_classes_that_matter_and_the_truth_first(truth):
    running = np.full((20, 9), 0.01)
    running[:, 3] = np.linspace(0, 0.9, 20)
    running[0] = np.nan
    figure = sequence_figures.action_curves(np.arange(1, 21), running, NAMES, "sequence", truth)
    [legend] = figure.legends
    shown = [text.get_text() for text in legend.get_texts()]
    assert len(shown) == 6
    assert shown[0] == ("action 3" if truth is None else "action 7 (truth)")
    assert "action 3" in shown[:2]
    assert len(figure.axes[0].get_lines()) == len(NAMES)
    assert render(figure)


def test_a_single_frame_is_a_point():
    figure = sequence_figures.action_curves(np.array([1]), probabilities(1), NAMES, "sequence")
    assert figure.axes[0].get_lines()[-1].get_marker() == "o"
    assert render(figure)


@pytest.mark.parametrize("truth", [None, 2])
def test_moments_have_all_classes_below_each_frame(truth):
    views = [HandView(f"frame {t} of 9", JOINTS) for t in (1, 5, 9)]
    shares = probabilities(3)
    figure = sequence_figures.action_moments(views, shares, NAMES, SKELETON, "sequence", truth)
    below = figure.axes[3:]
    for axes, of_frame in zip(below, shares, strict=True):
        bars = [bar for [*bar_container] in axes.containers for bar in bar_container]
        np.testing.assert_allclose([bar.get_width() for bar in bars], of_frame)
        assert len({bar.get_facecolor() for bar in bars}) == (1 if truth is None else 2)
    assert [text.get_text() for text in below[0].get_yticklabels()] == NAMES
    assert render(figure)


def test_attention_has_a_panel_for_each_sequence():
    weights = [np.full(5, 0.2), np.array([1.0])]
    figure = sequence_figures.attention_curves(weights, ["stir", "write"], "Attention")
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["stir", "write"]
    assert figure.axes[0].get_xlim() == (0.5, 5.5)
    assert render(figure)


def test_a_strip_has_a_bar_as_long_as_an_action_is_likely():
    shares = np.zeros(9)
    shares[4] = 1
    empty = sequence_figures.action_strip(480, NAMES, None)
    certain = sequence_figures.action_strip(480, NAMES, shares)
    shares[[4, 5]] = 0.5
    half = sequence_figures.action_strip(480, ["a name much too long for its place"] * 9, shares)
    for strip in (empty, certain, half):
        assert strip.shape == (36, 480, 3)
        assert strip.dtype == np.uint8
    assert len(np.unique(empty.reshape(-1, 3), axis=0)) == 1
    filled = [(strip[28, :154] == certain[28, 20]).all(-1).sum() for strip in (certain, half)]
    assert filled[0] == pytest.approx(2 * filled[1], abs=2)
