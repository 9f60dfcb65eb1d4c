import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from vid_jax.cameras import CAMERAS, Camera
from vid_jax.errors import UserError
from vid_jax.input_pipeline.depth_files import DepthMap
from vid_jax.input_pipeline.hand_crop import CROPS, Box, bounds, crop

CAMERA = Camera("plain", 480, 640, 500.0, 500.0, 320.0, 240.0)
COM = np.array([0.0, 0.0, 500.0])  # a mm is a pixel there, and the centre is pixel (320, 240)
# Pixels (300, 200), (380, 240) and, at twice the depth, (310, 265); from the centre -20..60 and -40..50 mm.
JOINTS = np.array([[-20.0, -40.0, 500.0], [60.0, 0.0, 500.0], [-20.0, 50.0, 1000.0]])


def wall(depth=500, height=480, width=640):
    return DepthMap(np.full((height, width), depth, np.uint16))


def noise(seed=0, height=480, width=640):
    """Depths that tell their pixels apart."""
    return DepthMap(np.random.default_rng(seed).integers(1, 1000, (height, width), np.uint16))


def pixels_of(result):
    """The u of each column and the v of each row of a crop."""
    positions = np.arange(len(result.depth))
    return [(positions - result.offset[axis]) / result.scale[axis] for axis in (0, 1)]


@pytest.mark.parametrize(
    ("variant", "expected"),
    [
        ("cube", Box(220, 140, 420, 340, 400, 600)),
        # farthest: 60 + 30 mm in x, 50 + 30 in y, 500 + 100 in z
        ("joint_cube", Box(230, 150, 410, 330, -100, 1100)),
        # 260..420 and 160..305 with the margins; farther sides 100 and 80
        ("joint_rectangle", Box(220, 160, 420, 320, 0, 1100)),
        ("joint_square", Box(220, 140, 420, 340, -100, 1100)),
        ("tight_rectangle", Box(260, 160, 420, 305, 0, 1100)),
        # -50..90, -70..80 mm
        ("tight_box", Box(270, 170, 410, 320, 400, 1100)),
    ],
)
def test_boxes_by_hand(variant, expected):
    np.testing.assert_allclose(bounds(variant, COM, 200, CAMERA, JOINTS), expected)


def test_all_variants_are_tested():
    assert CROPS == (
        "cube",
        "joint_cube",
        "joint_rectangle",
        "joint_square",
        "tight_rectangle",
        "tight_box",
    )


def test_cubes_are_rounded_to_the_nearest_pixel_and_rectangles_towards_zero():
    com = COM + [0.3, 0.6, 0]
    assert bounds("cube", com, 200, CAMERA)[:4] == (220, 141, 420, 341)
    joints = JOINTS + [0.6, -200.4, 0]
    # v from -0.4 - 40 at the first joint to 240 - 200.4/2 + 25 + 40 at the last
    assert bounds("tight_rectangle", COM, 200, CAMERA, joints)[:4] == (260, -40, 420, 204)


def test_a_cube_is_seen_smaller_from_afar():
    assert bounds("cube", COM * 2, 200, CAMERA) == (270, 190, 370, 290, 900, 1100)


def test_joints_near_the_camera_leave_nothing_out_in_front():
    joints = JOINTS - [0, 0, 450]
    assert bounds("joint_rectangle", COM, 200, CAMERA, joints).near == -50


@pytest.mark.parametrize("variant", CROPS[1:])
def test_corners_of_boxes_from_joints_fill_the_crop(variant):
    box = bounds(variant, COM, 200, CAMERA, JOINTS)
    result = crop(wall(), CAMERA, COM, 200, variant=variant, joints=JOINTS)
    np.testing.assert_allclose(result.scale * box[:2] + result.offset, 0, atol=1e-9)
    np.testing.assert_allclose(result.scale * box[2:4] + result.offset, 127)
    assert (result.near, result.far) == box[4:]


@hypothesis.given(
    st.sampled_from(sorted(CAMERAS)),
    st.floats(-0.5, 0.5),
    st.floats(-0.5, 0.5),
    st.floats(200, 1500),
    st.floats(100, 300),
    st.sampled_from([64, 96, 128]),
)
def test_the_centre_comes_to_the_middle(name, x, y, z, cube, size):
    camera = CAMERAS[name]
    com = np.array([x * z * 0.9, y * z * 0.6, z])
    u, v, _ = camera.project(com)
    hypothesis.assume(5 < u < camera.width - 5 and 5 < v < camera.height - 5)
    result = crop(wall(int(z), camera.height, camera.width), camera, com, cube, size)
    miss = abs(result.scale * (u, v) + result.offset - size / 2)
    assert max(miss) <= max(result.scale) / 2 + 1e-6  # half a pixel of the image
    if camera.fx * cube / z > size / 2 + 1:
        assert max(miss) <= 1
    assert result.scale[0] == result.scale[1]


def test_the_longer_side_fills_the_crop_and_the_other_is_centred():
    camera = Camera("wide", 480, 640, 500.0, 250.0, 320.0, 240.0)
    result = crop(wall(), camera, COM, 200)
    np.testing.assert_allclose(result.scale, 128 / 200)
    np.testing.assert_allclose(result.offset, [-220 * 0.64, 64 - 240 * 0.64])


def test_at_full_scale_a_crop_is_a_slice():
    depth_map = noise()
    result = crop(depth_map, CAMERA, COM, 128)
    np.testing.assert_array_equal(result.depth, depth_map.depth[176:304, 256:384])
    assert result.depth.dtype == np.uint16


@pytest.mark.parametrize("variant", CROPS)
@hypothesis.settings(max_examples=20, deadline=None)
@hypothesis.given(st.floats(-0.5, 0.5), st.floats(-0.4, 0.4), st.floats(250, 900))
def test_nearest_is_a_look_up(variant, x, y, z):
    depth, com = noise().depth, np.array([x, y, 1]) * z
    result = crop(
        DepthMap(depth), CAMERA, com, 200, 64, variant, joints=JOINTS - COM + com * [1, 1, 0.9]
    )
    columns, rows = (np.floor(p + 0.5).astype(int) for p in pixels_of(result))
    for j in range(0, 64, 7):
        for i in range(0, 64, 5):
            inside = 0 <= rows[j] < 480 and 0 <= columns[i] < 640
            assert result.depth[j, i] == (depth[rows[j], columns[i]] if inside else 0)


def test_depth_is_not_cut_at_the_cube():
    depth_map = wall()
    depth_map.depth[:, :300] = 80
    depth_map.depth[:, 350:] = 1400
    assert set(crop(depth_map, CAMERA, COM, 200).depth.flat) == {80, 500, 1400}


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_outside_the_image_nothing_is_measured(interpolation):
    com = CAMERA.unproject(np.array([10.0, 470.0, 500.0]))
    result = crop(wall(), CAMERA, com, 200, interpolation=interpolation)
    u, v = (np.floor(p + 0.5) for p in pixels_of(result))
    expected = np.where((v[:, None] >= 0) & (v[:, None] < 480) & (u >= 0) & (u < 640), 500, 0)
    np.testing.assert_array_equal(result.depth, expected)
    assert 0.25 < np.mean(result.depth > 0) < 0.4


def test_a_hand_whose_centre_is_outside_the_image_is_cropped_as_far_as_it_is_seen():
    com = CAMERA.unproject(np.array([-50.0, 240.0, 500.0]))
    result = crop(wall(), CAMERA, com, 200)
    assert np.unique(np.nonzero(result.depth)[1]).tolist() == list(range(96, 128))


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_a_box_of_the_image_is_cropped_as_the_image(interpolation):
    full = DepthMap(np.zeros((480, 640), np.uint16))
    full.depth[200:330, 250:470] = noise(1, 130, 220).depth // 40 + 480
    box = DepthMap(full.depth[200:330, 250:470], left=250, top=200)
    for x in (-80, 0, 120):
        results = [
            crop(m, CAMERA, COM + [x, 10, 0], 170, interpolation=interpolation) for m in (full, box)
        ]
        np.testing.assert_array_equal(results[0].depth, results[1].depth)
        np.testing.assert_array_equal(results[0].offset, results[1].offset)


def test_bilinear_is_exact_on_a_tilted_plane():
    v, u = np.mgrid[:480, :640]
    plane = DepthMap((4 * u + 6 * v).astype(np.uint16))
    com = np.array([0.0, 0.0, 2720.0])
    result = crop(plane, CAMERA, com, 450, interpolation="bilinear")
    u, v = pixels_of(result)
    error = result.depth - (4 * u + 6 * v[:, None])
    assert abs(error).max() <= 0.5 + 1e-6
    coarse = crop(plane, CAMERA, com, 450).depth - (4 * u + 6 * v[:, None])
    assert abs(coarse).max() > 2


@hypothesis.settings(max_examples=20, deadline=None)
@hypothesis.given(st.integers(0, 100), st.floats(-50, 50))
def test_bilinear_invents_no_depth_between_surfaces(seed, x):
    depth = np.random.default_rng(seed).choice(np.array([0, 480, 520, 900], np.uint16), (480, 640))
    results = [
        crop(DepthMap(depth), CAMERA, COM + [x, 0, 0], 100, interpolation=name).depth
        for name in ("bilinear", "nearest")
    ]
    np.testing.assert_array_equal(*results)


def test_bilinear_joins_up_to_30_mm():
    for step, blended in ((30, True), (31, False)):
        depth_map = wall()
        depth_map.depth[:, 320:] += step
        depths = set(crop(depth_map, CAMERA, COM, 40, interpolation="bilinear").depth.flat)
        assert (len(depths) > 2) == blended


@pytest.mark.parametrize("z", [0.0, -500.0, np.nan])
def test_a_centre_that_is_not_in_front_of_the_camera_is_told(z):
    with pytest.raises(UserError, match=r"centre \(1\.0, 2\.0, .*\) mm is not in front"):
        crop(wall(), CAMERA, np.array([1.0, 2.0, z]), 200)


@pytest.mark.parametrize(
    ("depth_map", "com", "cube"),
    [
        (wall(0), COM, 200),  # nothing measured
        (wall(900), COM, 200),  # behind the cube
        (wall(300), COM, 200),  # before it
        (wall(), COM + [2000, 0, 0], 200),  # beside the image
        (DepthMap(wall().depth[:50, :50], 500, 400), COM, 100),  # beside the box of the image
        (wall(), COM, 0.1),  # smaller than a pixel
    ],
)
def test_a_cube_without_a_pixel_is_told(depth_map, com, cube):
    expected = rf"cube of {cube} mm about \(.* 500\.0\) mm contains no measured pixel"
    with pytest.raises(UserError, match=expected):
        crop(depth_map, CAMERA, com, cube)


def test_an_empty_crop_by_joints_is_told():
    with pytest.raises(
        UserError, match=r"the crop 'tight_box' about .* contains no measured pixel"
    ):
        crop(wall(0), CAMERA, COM, 200, variant="tight_box", joints=JOINTS)


@pytest.mark.parametrize("variant", CROPS[1:])
@pytest.mark.parametrize("joints", [None, JOINTS * np.nan])
def test_missing_joints_are_told(variant, joints):
    with pytest.raises(UserError, match=f"crop '{variant}' needs the true joints"):
        crop(wall(), CAMERA, COM, 200, variant=variant, joints=joints)


def test_unknown_names_are_told():
    with pytest.raises(UserError, match="crop 'v2' is unknown; use one of cube, joint_cube"):
        bounds("v2", COM, 200, CAMERA)
    with pytest.raises(UserError, match="'cubic' is unknown; use nearest or bilinear"):
        crop(wall(), CAMERA, COM, 200, interpolation="cubic")
