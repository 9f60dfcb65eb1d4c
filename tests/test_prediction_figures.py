import io
import itertools

import cv2
import numpy as np
import pytest

from vid_jax import prediction_figures
from vid_jax.visualize import MODEL_COLOUR

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (6, 24, 36, 1), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (6, 24, 36, 3), dtype=np.uint8)


def render(figure) -> np.ndarray:
    """RGB pixels, through PNG as a report has them."""
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return cv2.imdecode(np.frombuffer(file.getvalue(), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def strip_rows(figure) -> list[np.ndarray]:
    return [np.asarray(axes.images[0].get_array()) for axes in figure.axes[:4]]


def legend(parent) -> list[str]:
    return [text.get_text() for text in parent.get_texts()]


# Strips.


@pytest.mark.parametrize("video", [GREY, COLOUR, GREY / 255, COLOUR.astype(np.float32) / 255])
def test_strip_shows_actual_predicted_overlay_and_error(video):
    predicted = video[::-1]
    error = RNG.uniform(0, 0.3, video.shape[:3])
    figure = prediction_figures.prediction_strip(video, predicted, error, "Test001")
    names = [axes.get_ylabel() for axes in figure.axes[:4]]
    assert names == ["actual", "predicted", "error in red", "absolute error"]
    actual, reversed_, _, heat = strip_rows(figure)
    as_bytes = GREY[..., 0] if video.shape[-1] == 1 else COLOUR
    np.testing.assert_array_equal(actual[:, :36], as_bytes[0])
    np.testing.assert_array_equal(actual[:, -36:], as_bytes[5])
    np.testing.assert_array_equal(reversed_[:, :36], as_bytes[5])
    np.testing.assert_allclose(heat[:, :36], error[0], rtol=1e-6)
    assert figure.axes[3].images[0].get_clim() == pytest.approx((0, error.max()))
    assert figure.get_suptitle() == "Test001"
    pixels = render(figure)
    assert (pixels[[0, -1]] == 255).all()
    assert (pixels[:, [0, -1]] == 255).all()  # nothing reaches over the edge


def test_strip_of_every_second_frame_keeps_frame_numbers():
    figure = prediction_figures.prediction_strip(GREY, GREY, np.zeros((6, 24, 36)), "v", every=2)
    figure.draw_without_rendering()
    ticks = figure.axes[0].get_xticklabels()
    assert [tick.get_text() for tick in ticks] == ["1", "3", "5"]
    actual = strip_rows(figure)[0]
    np.testing.assert_array_equal(actual[:, -36:], GREY[4, ..., 0])
    for i, tick in enumerate(ticks):
        centre = tick.get_position()[0]
        np.testing.assert_array_equal(actual[:, round(centre)], GREY[2 * i, :, 18, 0])


@pytest.mark.parametrize("number", [1, 2, 40])
def test_strip_of_few_or_many_frames_keeps_its_shape(number):
    video = np.repeat(GREY[:1], number, axis=0)
    figure = prediction_figures.prediction_strip(video, video, np.ones((number, 24, 36)), "v")
    figure.draw_without_rendering()
    for axes in figure.axes[:4]:
        box = axes.get_window_extent()
        height, width = axes.images[0].get_size()
        assert box.width / box.height == pytest.approx(width / height)


def test_overlay_adds_five_times_the_blurred_error_to_red():
    # A constant error stays as it is under the blur; one pixel's is spread below the floor.
    errors = np.zeros((4, 24, 36))
    errors[0], errors[1], errors[2], errors[3, 12, 18] = 0.12, 0.09, 0.9, 1.0
    video = np.full((4, 24, 36, 3), 40, np.uint8)
    overlay = strip_rows(prediction_figures.prediction_strip(video, video, errors, "v"))[2]
    frames = [overlay[:, i * 37 : i * 37 + 36] for i in range(4)]
    assert (frames[0] == (40 + 153, 40, 40)).all()
    assert (frames[1] == 40).all()
    assert (frames[2] == (255, 40, 40)).all()
    assert (frames[3] == 40).all()


def test_overlay_is_where_the_error_is():
    error = np.zeros((1, 60, 60))
    error[0, :, :30] = 0.5
    video = np.zeros((1, 60, 60, 1), np.uint8)
    overlay = strip_rows(prediction_figures.prediction_strip(video, video, error, "v"))[2]
    red = overlay[30, :, 0]
    assert (red[:24] == 255).all()
    assert (red[36:] == 0).all()
    # The blurred edge passes 0.1, a fifth of the step, 0.84 standard deviations outside.
    assert np.flatnonzero(red).max() == 29 + round(0.84 * 3)
    assert (overlay[..., 1:] == 0).all()


# Extrapolation.


def test_extrapolation_starts_after_the_frames_shown():
    curves = {
        "PredNet": np.array([np.nan, 1, 1, 2, 3]),
        "copy last frame": np.array([np.nan, 2, 2, 4, 6]),
        "mean frame": np.full(5, 3.0),
    }
    figure = prediction_figures.extrapolation_figure(curves, 3, "mean squared error", "Ped2")
    [axes] = figure.axes
    lines = {line.get_label(): line for line in axes.get_lines()}
    np.testing.assert_array_equal(lines["PredNet"].get_xdata(), [1, 2, 3, 4, 5])
    np.testing.assert_array_equal(lines["copy last frame"].get_ydata(), [np.nan, 2, 2, 4, 6])
    [start] = [line for line in axes.get_lines() if line.get_label() not in curves]
    assert set(start.get_xdata()) == {3.5}
    assert lines["PredNet"].get_color() == MODEL_COLOUR
    assert lines["PredNet"].get_linewidth() > lines["mean frame"].get_linewidth()
    assert len({line.get_color() for line in lines.values()}) == 4
    assert legend(figure.legends[0]) == list(curves)
    assert (axes.get_ylabel(), axes.get_title(loc="left")) == ("mean squared error", "Ped2")
    assert axes.get_ylim()[0] == 0
    render(figure)


# Classifiers.


def test_confusion_shows_counts_and_shares_of_the_truth():
    figure = prediction_figures.confusion_figure(np.array([[3000, 1000], [1, 3]]), "Random forest")
    [axes] = figure.axes
    cells = {(round(t.get_position()[0]), round(t.get_position()[1])): [] for t in axes.texts}
    for text in axes.texts:
        x, y = text.get_position()
        cells[round(x), round(y)].append(text.get_text())
    assert cells == {
        (0, 0): ["3,000", "75.0 %"],
        (1, 0): ["1,000", "25.0 %"],
        (0, 1): ["1", "25.0 %"],
        (1, 1): ["3", "75.0 %"],
    }
    for ticks, name in (
        (axes.get_xticklabels(), axes.get_xlabel()),
        (axes.get_yticklabels(), axes.get_ylabel()),
    ):
        assert [tick.get_text() for tick in ticks] == ["normal", "abnormal"]
        assert name in ("predicted", "truth")
    render(figure)


def test_confusion_without_any_frame_of_a_class():
    render(prediction_figures.confusion_figure(np.array([[0, 0], [2, 1]]), "v"))


def test_importances_are_grouped_by_feature_from_the_top():
    shares = {
        "logistic_regression": {"mean": 0.2, "std": 0.8},
        "random_forest": {"std": 0.4, "p99": 0.6},
    }
    figure = prediction_figures.importance_figure(shares, "Ped2")
    [axes] = figure.axes
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["mean", "std", "p99"]
    low, high = axes.get_ylim()
    assert low > high
    for method, bars in zip(shares.values(), axes.containers, strict=True):
        for (name, share), bar in zip(method.items(), bars, strict=True):
            centre = bar.get_y() + bar.get_height() / 2
            assert round(centre) == ["mean", "std", "p99"].index(name)
            assert bar.get_width() == share
    edges = sorted((b.get_y(), b.get_y() + b.get_height()) for b in axes.patches)
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(edges))
    assert legend(axes.get_legend()) == ["logistic regression", "random forest"]
    assert [t.get_text() for t in axes.texts] == ["0.20", "0.80", "0.40", "0.60"]
    render(figure)


def test_importances_of_one_method_that_are_all_zero():
    render(prediction_figures.importance_figure({"random_forest": {"std": 0.0}}, "v"))
