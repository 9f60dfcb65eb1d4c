import io

import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure

from vid_jax import hand_figures
from vid_jax.hand_figures import BOX_COLOUR, COM_COLOUR, FINGER_COLOURS, CropPair
from vid_jax.hand_joints import SKELETONS

FHAD = SKELETONS["fhad"]
RNG = np.random.default_rng(0)
CROPS = np.clip(RNG.normal(0, 0.5, (6, 32, 32)), -1, 1)
PIXELS = RNG.uniform(4, 28, (6, 21, 2))
DEPTH = RNG.integers(300, 900, (48, 64)).astype(np.uint16)
DEPTH[:10] = 0
GREY = np.array(to_rgb("#2b2f36")) * 255


def render(figure):
    file = io.BytesIO()
    figure.savefig(file, format="png")
    assert file.getvalue()


def fingers(axes, dashed=False):
    """Lines of that style in the colours of fingers."""
    lines = [line for line in axes.get_lines() if line.get_color() in FINGER_COLOURS]
    return [line for line in lines if (line.get_linestyle() != "-") == dashed]


def titles(figure):
    return [axes.get_title(loc="left") for axes in figure.axes]


def drawn(skeleton, style="solid"):
    axes = Figure().add_subplot()
    pixels = RNG.uniform(0, 9, (len(skeleton.joints), 3))
    hand_figures.draw_joints(axes, pixels, skeleton, style)
    return axes, pixels


@pytest.mark.parametrize("name", SKELETONS)
def test_each_finger_is_a_line_of_its_colour_through_its_joints(name):
    skeleton = SKELETONS[name]
    axes, pixels = drawn(skeleton)
    lines = fingers(axes)
    assert [line.get_color() for line in lines] == list(FINGER_COLOURS)
    for line, chain in zip(lines, skeleton.chains, strict=True):
        np.testing.assert_array_equal(line.get_xydata(), pixels[list(chain), :2])


def test_colours_are_red_magenta_blue_cyan_and_green():
    strongest = ["r", "rb", "b", "gb", "g"]
    for colour, channels in zip(FINGER_COLOURS, strongest, strict=True):
        parts = dict(zip("rgb", to_rgb(colour)))
        weakest_of_strong = min(parts[c] for c in channels)
        assert all(parts[c] < weakest_of_strong for c in set("rgb") - set(channels))


def test_joints_outside_the_chains_are_dots():
    axes, pixels = drawn(SKELETONS["nyu"])
    [dots] = [line for line in axes.get_lines() if line.get_color() not in FINGER_COLOURS]
    assert dots.get_linestyle() == "None"
    np.testing.assert_array_equal(dots.get_xydata(), pixels[11:13, :2])
    assert len(drawn(FHAD)[0].get_lines()) == 5


def test_predictions_are_dashed():
    axes, _ = drawn(FHAD, "dashed")
    assert len(fingers(axes, dashed=True)) == 5
    assert not fingers(axes)


def test_depth_overview_shows_joints_centre_and_box_in_the_cameras_pixels():
    pixels = PIXELS[0] + (100, 50)
    figure = hand_figures.depth_overview(
        DEPTH, "frame 12", FHAD, pixels, (116.0, 66.0, 500.0), (104, 54, 130, 80), corner=(100, 50)
    )
    axes = figure.axes[0]
    assert titles(figure)[0] == "frame 12"
    assert axes.get_xlim() == (99.5, 163.5)
    assert axes.get_ylim() == (97.5, 49.5)
    assert len(fingers(axes)) == 5
    lines = {line.get_color(): line for line in axes.get_lines()}
    np.testing.assert_array_equal(lines[COM_COLOUR].get_xydata(), [(116, 66)])
    assert lines[COM_COLOUR].get_marker() == "x"
    box = lines[BOX_COLOUR].get_xydata()
    np.testing.assert_array_equal((box.min(0), box.max(0)), ((104, 54), (130, 80)))
    shown = axes.images[0].get_array()
    np.testing.assert_array_equal(shown.mask, DEPTH == 0)
    assert axes.images[0].cmap.name == "viridis"
    assert figure.axes[1].get_ylabel() == "depth, mm"
    render(figure)


def test_depth_overview_of_nothing_but_depth_or_of_nothing_measured():
    for depth in (DEPTH, np.zeros((8, 8), np.uint16), np.full((8, 8), 500, np.uint16)):
        figure = hand_figures.depth_overview(depth, "x")
        assert not figure.axes[0].get_lines()
        render(figure)


@pytest.mark.parametrize("count", [1, 3])
def test_crop_panel_has_augmented_crops_on_the_right(count):
    pairs = [
        CropPair(CROPS[i], PIXELS[i], CROPS[i + 1], PIXELS[i] + 1, f"rot {i} deg")
        for i in range(count)
    ]
    figure = hand_figures.crop_panel(pairs, FHAD, "Augmentation")
    assert titles(figure) == [t for i in range(count) for t in ("crop", f"rot {i} deg")]
    assert figure.get_suptitle() == "Augmentation"
    before, after = figure.axes[:2]
    np.testing.assert_array_equal(before.images[0].get_array().data, CROPS[0])
    np.testing.assert_array_equal(after.images[0].get_array().data, CROPS[1])
    np.testing.assert_array_equal(
        fingers(after)[0].get_xydata(), PIXELS[0][list(FHAD.chains[0])] + 1
    )
    assert before.get_position().x0 < after.get_position().x0
    render(figure)


def test_browse_sheet_has_a_captioned_crop_each():
    captions = [f"P0/1/{i}" for i in range(6)]
    figure = hand_figures.browse_sheet(CROPS, PIXELS, captions, FHAD, "What it is fed")
    assert titles(figure) == captions
    assert all(len(fingers(axes)) == 5 for axes in figure.axes)
    assert all(axes.images[0].get_clim() == (-1, 1) for axes in figure.axes)
    render(figure)


def test_background_is_not_measured_and_joints_outside_do_not_move_the_view():
    crop = np.full((1, 32, 32), 1.0, np.float32)
    crop[0, 8:, :] = 0.5
    figure = hand_figures.browse_sheet(crop, PIXELS[:1] + 100, ["x"], FHAD, "x")
    [axes] = figure.axes
    assert (axes.get_xlim(), axes.get_ylim()) == ((-0.5, 31.5), (31.5, -0.5))
    np.testing.assert_array_equal(axes.images[0].get_array().mask, crop[0] == 1)
    assert to_hex(axes.images[0].cmap.get_bad()) == "#2b2f36"


def test_prediction_sheet_dashes_predictions_over_truth_under_their_error():
    errors = np.linspace(3, 40, 6)
    figure = hand_figures.prediction_sheet(
        CROPS, PIXELS, PIXELS + 2, errors, FHAD, "Worst frames", [f"f{i}" for i in range(6)]
    )
    assert titles(figure) == [f"{error:.1f} mm  f{i}" for i, error in enumerate(errors)]
    for axes, truth in zip(figure.axes, PIXELS):
        chain = list(FHAD.chains[2])
        np.testing.assert_array_equal(fingers(axes)[2].get_xydata(), truth[chain])
        np.testing.assert_array_equal(fingers(axes, True)[2].get_xydata(), truth[chain] + 2)
        styles = [line.get_linestyle() for line in axes.get_lines()]
        assert styles[:5] == ["-"] * 5  # the prediction is drawn later, so above
        assert "-" not in styles[5:]
    [legend] = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["truth", "prediction"]
    render(figure)


def test_prediction_sheet_without_names():
    figure = hand_figures.prediction_sheet(CROPS, PIXELS, PIXELS, np.ones(6), FHAD, "Best")
    assert titles(figure) == ["1.0 mm"] * 6


# Frames for video.


@pytest.mark.parametrize("size", [(240, 320), (480, 640), (91, 77)])
def test_overlay_frames_are_even_rgb_of_one_size(size):
    depth = RNG.integers(0, 900, size).astype(np.uint16)
    shapes = set()
    for pixels, com, text in ((PIXELS[0], PIXELS[0, 3], "frame 1"), (None, None, "")):
        frame = hand_figures.overlay_frame(depth, FHAD, pixels, com, text)
        assert frame.dtype == np.uint8
        shapes.add(frame.shape)
    [(height, width, channels)] = shapes
    assert height % 2 == width % 2 == 0
    assert width >= 480
    assert channels == 3


def test_overlay_draws_joints_and_centre_where_they_are():
    depth = np.zeros((480, 640), np.uint16)
    pixels = np.full((21, 2), 300.0)
    pixels[list(FHAD.chains[0][1:])] = [(100, 100), (150, 100), (200, 100), (250, 100)]
    frame = hand_figures.overlay_frame(depth, FHAD, pixels, (500.0, 400.0)).astype(int)
    thumb = np.array(to_rgb(FINGER_COLOURS[0])) * 255
    assert np.abs(frame[100, [100, 125, 200, 250]] - thumb).max() < 2
    assert np.abs(frame[400, 500] - np.array(to_rgb(COM_COLOUR)) * 255).max() < 2
    assert np.abs(frame[50, 50] - GREY).max() < 2


def test_small_maps_are_enlarged_with_their_joints():
    depth = np.zeros((40, 60), np.uint16)
    pixels = np.full((21, 2), 10.0)
    frame = hand_figures.overlay_frame(depth, FHAD, pixels).astype(int)
    assert frame.shape[1] == 480
    little = np.array(to_rgb(FINGER_COLOURS[4])) * 255
    at = np.argwhere(np.abs(frame[:320] - little).max(-1) < 8)
    np.testing.assert_allclose(at.mean(0), 10.5 * 8 - 0.5, atol=1.0)


def test_colours_of_a_video_are_one_scale_for_all_frames():
    near, far = (np.full((480, 640), d, np.uint16) for d in (400, 800))
    frames = [hand_figures.overlay_frame(d, FHAD, span=(400, 800))[:480] for d in (near, far)]
    assert (frames[0] == frames[0][0, 0]).all()
    assert frames[0][0, 0].sum() < 200  # viridis: dark violet near, yellow far
    assert frames[1][0, 0].tolist() == [253, 231, 36]


def test_depth_range_leaves_out_holes_and_stray_pixels():
    depth = np.full((100, 100), 500, np.uint16)
    depth[50:] = 700
    depth[0, :5], depth[0, 5:10], depth[99] = 1, 60000, 0
    assert hand_figures.depth_range(depth) == (500, 700)
    assert hand_figures.depth_range(np.zeros((4, 4))) == (0, 1)
