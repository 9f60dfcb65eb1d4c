import io

import numpy as np
import pytest

from vid_jax.key_frame_figures import contact_sheet, distance_curve, video_dots


def drawn(figure) -> None:
    figure.savefig(io.BytesIO(), format="png")


@pytest.mark.parametrize(("number", "shape"), [(1, (1, 3)), (4, (1, 4)), (5, (1, 5)), (11, (3, 5))])
def test_images_are_in_rows_under_their_captions(number, shape):
    images = [np.full((20, 30 + i, 3), 10 * i, np.uint8) for i in range(number)]
    figure = contact_sheet(images, [f"image {i}" for i in range(number)], "film")
    assert figure.axes[0].get_subplotspec().get_gridspec().get_geometry() == shape
    shown = [axes for axes in figure.axes if axes.images]
    assert [axes.get_title(loc="left") for axes in shown] == [f"image {i}" for i in range(number)]
    for axes, image in zip(shown, images, strict=True):
        np.testing.assert_array_equal(axes.images[0].get_array(), image)
    drawn(figure)


@pytest.mark.parametrize("threshold", [None, 0.5])
def test_the_curve_shows_distances_threshold_key_frames_and_clips(threshold):
    times = np.arange(10.0)
    distances = np.array([np.nan, 0.1, 0.1, 0.9, 0.1, 0.1, 0.1, 0.8, 0.2, 0.1])
    clips = [(0.0, 2.5), (2.5, 6.5), (6.5, 10.0)]
    kept = np.array([0, 3, 7])
    figure = distance_curve(times, distances, threshold, kept, clips, "film")
    (axes,) = figure.axes
    lines = {line.get_label(): line for line in axes.lines}
    np.testing.assert_array_equal(lines["distance"].get_ydata(), distances)
    np.testing.assert_array_equal(lines["key frame"].get_xdata(), times[kept])
    np.testing.assert_array_equal(lines["key frame"].get_ydata(), [0, 0.9, 0.8])
    assert ("threshold" in lines) == (threshold is not None)
    assert len(axes.patches) == 3
    assert axes.get_xlim() == (0, 10)
    drawn(figure)


def test_videos_are_in_the_order_of_the_first_methods_figure():
    videos = {
        "worse": {"summary": 0.2, "uniform": 0.4},
        "better": {"summary": 0.9, "uniform": 0.3},
    }
    (axes,) = video_dots(videos, "F1", "two videos").axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["better", "worse"]
    drawn = {line.get_label(): line.get_ydata().tolist() for line in axes.lines}
    assert drawn == {"summary": [0.9, 0.2], "uniform": [0.3, 0.4]}
