import io

import cv2
import numpy as np
import pytest

from vid_jax import visualize
from vid_jax.visualize import ABNORMAL_COLOUR, MODEL_COLOUR

GREY = np.random.default_rng(0).integers(0, 256, (24, 36), dtype=np.uint8)


def render(figure) -> np.ndarray:
    """RGB pixels, through PNG as a report has them."""
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return cv2.imdecode(np.frombuffer(file.getvalue(), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def rgb(colour: str) -> np.ndarray:
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])


def test_timeline_shades_abnormal_spans_and_unscored_ends():
    scores = np.full(60, np.nan)
    scores[8:-7] = 0.5
    labels = np.zeros(60, np.int8)
    labels[[20, 21, 22, 40]] = 1
    figure = visualize.score_timeline(scores, "Test001", labels, threshold=0.7)
    [axes] = figure.axes
    spans = sorted((p.get_x(), p.get_x() + p.get_width()) for p in axes.patches)
    assert spans == [(0.5, 8.5), (20.5, 23.5), (40.5, 41.5), (53.5, 60.5)]
    legend = [text.get_text() for text in axes.get_legend().get_texts()]
    assert legend == ["abnormal", "not scored", "score", "threshold"]
    assert axes.get_title(loc="left") == "Test001"
    line = axes.get_lines()[0]
    assert line.get_color() == MODEL_COLOUR
    assert line.get_xdata()[0] == 1
    assert render(figure).shape[1] > 500


def test_timeline_over_time_and_of_one_frame():
    figure = visualize.score_timeline(np.arange(36000.0), "v", timestamps=np.arange(36000) / 10)
    render(figure)
    ticks = [t.get_text() for t in figure.axes[0].get_xticklabels()]
    assert "10:00" in ticks
    render(visualize.score_timeline(np.array([1.0]), "v"))


def test_roc_names_areas_and_draws_the_model_boldest():
    curve = (np.array([0, 0.1, 1]), np.array([0, 0.9, 1]))
    names = ["MemAE", "darkness", "pca"]
    figure = visualize.roc_figure(
        dict.fromkeys(names, curve), {"MemAE": 0.9, "darkness": 0.5, "pca": 0.75}, "Ped2"
    )
    [axes] = figure.axes
    legend = [text.get_text() for text in axes.get_legend().get_texts()]
    assert legend == ["MemAE  0.900", "darkness  0.500", "pca  0.750"]
    widths = {line.get_label(): line.get_linewidth() for line in axes.get_lines()}
    assert widths["MemAE  0.900"] > 2 * widths["pca  0.750"]
    assert len({line.get_color() for line in axes.get_lines()}) == 4
    render(figure)


@pytest.mark.parametrize("image", [GREY, GREY[..., None], np.stack([GREY] * 3, -1), GREY / 255])
def test_triptychs_take_grey_and_colour_on_one_error_scale(image):
    error = np.linspace(0, 0.4, GREY.size).reshape(GREY.shape)
    examples = [
        visualize.Example("a", image, image, error),
        visualize.Example("b", image, image, error / 2),
    ]
    figure = visualize.triptychs(examples)
    heats = [axes.images[0].get_clim() for axes in (figure.axes[2], figure.axes[5])]
    assert heats == [(0, error.max())] * 2
    assert len(figure.axes) == 7  # six panels and the colour bar
    render(figure)


def test_triptychs_without_any_error():
    image = np.zeros((8, 8), np.uint8)
    render(visualize.triptychs([visualize.Example("a", image, image, np.zeros((8, 8)))]))


@pytest.mark.parametrize("channels", [1, 3])
def test_contact_sheet_has_a_captioned_row_per_window(channels):
    windows = np.zeros((3, 16, 24, 36, channels), np.uint8)
    windows += np.arange(16, dtype=np.uint8)[None, :, None, None, None] * 16
    figure = visualize.contact_sheet(windows, ["one", "two", "three"], "What the model is fed")
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["one", "two", "three"]
    strip = figure.axes[0].images[0].get_array()
    levels = np.asarray(strip).reshape(*strip.shape[:2], -1)[0, :, 0]
    assert levels[0] == 0
    assert levels[-1] == 240
    assert set(np.unique(levels)) - {255} == {i * 16 for i in (0, 2, 4, 6, 9, 11, 13, 15)}
    render(figure)


def test_heat_map_runs_from_black_to_bright():
    heat = visualize.heat_map(np.array([[0.0, 0.5, 1.0, 9.0]]), 1.0)
    assert heat.dtype == np.uint8
    assert heat.shape == (1, 4, 3)
    brightness = heat.sum(-1)[0]
    assert brightness[0] < 15
    assert brightness[0] < brightness[1] < brightness[2] == brightness[3]


@pytest.mark.parametrize("frame", [GREY, GREY[..., None], np.stack([GREY] * 3, -1)])
def test_annotated_frames_are_even_rgb_of_one_size(frame):
    error = np.random.default_rng(1).random((7, 9))
    shapes = {
        visualize.annotate_frame(frame, e, 1.0, s, threshold=0.5, caption=c).shape
        for e, s, c in ((error, 0.3, "0:01"), (None, None, ""), (error, 7.0, "x"))
    }
    [(height, width, channels)] = shapes
    assert height % 2 == width % 2 == 0
    assert width >= 480
    assert channels == 3


def test_annotation_heats_only_where_the_error_is():
    frame = np.full((500, 501), 100, np.uint8)
    error = np.zeros((500, 501))
    error[:, 300:] = 1.0
    result = visualize.annotate_frame(frame, error, 1.0, 0.9)
    assert (result[:500, :280] == 100).all()
    red, _, blue = result[:500, 320:].reshape(-1, 3).mean(0)
    assert red > 200
    assert red > blue


def test_score_bar_grows_with_the_score_and_turns_red_at_the_threshold():
    def bar(score):
        return visualize.annotate_frame(GREY, None, 1.0, score, threshold=0.6)[-22].astype(int)

    def count(row, colour):
        return int((np.abs(row - colour).sum(-1) < 10).sum())

    blue, red = np.array([82, 160, 255]), rgb(ABNORMAL_COLOUR)
    assert 0 < count(bar(0.2), blue) < count(bar(0.5), blue)
    assert count(bar(0.5), red) == 0
    assert count(bar(0.7), blue) == 0
    assert count(bar(0.7), red) > count(bar(0.5), blue)
    assert count(bar(None), blue) == count(bar(None), red) == 0
