import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vid_jax.cameras import CAMERAS, Camera, find_camera
from vid_jax.errors import UserError

INTRINSICS = {  # fx, fy, cx, cy, width, height, whether y is published upwards
    "msra15": (241.42, 241.42, 160, 120, 320, 240, True),
    "icvl": (241.42, 241.42, 160, 120, 320, 240, False),
    "nyu": (588.03, 587.07, 320, 240, 640, 480, True),
    "fhad": (475.065948, 475.065857, 315.944855, 245.287079, 640, 480, False),
    "hands": (475.0, 475.0, 320, 240, 640, 480, False),
}

each_camera = pytest.mark.parametrize("camera", CAMERAS.values(), ids=CAMERAS)
in_numpy_and_jax = pytest.mark.parametrize("xp", [np, jnp], ids=["numpy", "jax"])


def points_before_a_camera(count=500):
    rng = np.random.default_rng(0)
    return rng.uniform((-400, -400, 150), (400, 400, 1500), (count, 3))


def test_intrinsics_are_the_published_ones():
    listed = {
        name: (c.fx, c.fy, c.cx, c.cy, c.width, c.height, c.y_up) for name, c in CAMERAS.items()
    }
    assert listed == INTRINSICS


@each_camera
@in_numpy_and_jax
def test_round_trips_are_below_a_micrometre_and_a_thousandth_pixel(camera, xp):
    points = points_before_a_camera()
    tolerance = 1e-9 if xp is np else 1e-3  # JAX counts in float32
    there = camera.project(xp.asarray(points))
    np.testing.assert_allclose(camera.unproject(there), points, atol=tolerance)
    pixels = np.random.default_rng(1).uniform((0, 0, 100), (640, 480, 1500), (500, 3))
    back = camera.project(camera.unproject(xp.asarray(pixels)))
    np.testing.assert_allclose(back, pixels, atol=tolerance)


@each_camera
@in_numpy_and_jax
def test_projection_is_the_pinhole(camera, xp):
    x, y, z = 30.0, -20.0, 400.0
    expected = (camera.cx + camera.fx * x / z, camera.cy + camera.fy * y / z, z)
    pixel = camera.project(xp.asarray([[x, y, z]]))
    assert isinstance(pixel, np.ndarray if xp is np else jnp.ndarray)
    np.testing.assert_allclose(pixel[0], expected, rtol=1e-6)


@each_camera
@in_numpy_and_jax
def test_a_point_without_depth_is_seen_at_the_principal_point(camera, xp):
    pixels = camera.project(xp.asarray([[5.0, -7.0, 0.0], [0.0, 0.0, 300.0]]))
    expected = [[camera.cx, camera.cy, 0], [camera.cx, camera.cy, 300]]
    np.testing.assert_allclose(pixels, expected, rtol=1e-6)


@each_camera
@in_numpy_and_jax
def test_turning_twice_changes_nothing_and_once_the_sign_of_y_alone(camera, xp):
    points = xp.asarray(points_before_a_camera(10))
    once = camera.turned(points)
    assert once.dtype == points.dtype
    np.testing.assert_array_equal(once[:, [0, 2]], points[:, [0, 2]])
    np.testing.assert_array_equal(once[:, 1], -points[:, 1] if camera.y_up else points[:, 1])
    np.testing.assert_array_equal(camera.turned(once), points)


@each_camera
def test_types_and_leading_axes_stay(camera):
    points = points_before_a_camera(6).reshape(2, 3, 3).astype(np.float32)
    pixels = camera.project(points)
    assert pixels.dtype == camera.unproject(pixels).dtype == np.float32
    assert pixels.shape == points.shape
    np.testing.assert_array_equal(pixels[1, 2], camera.project(points[1, 2]))


def test_published_y_up_labels_of_nyu_and_msra15_project_as_their_authors_do():
    x, y, z = 12.0, 34.0, 500.0  # y up
    for name in ("nyu", "msra15"):
        camera = CAMERAS[name]
        pixel = camera.project(camera.turned(np.array([x, y, z])))
        np.testing.assert_allclose(pixel[1], camera.cy - y * camera.fy / z)


@pytest.mark.parametrize("name", CAMERAS)
def test_cameras_are_found_by_name(name):
    assert find_camera(name) is CAMERAS[name]


@settings(max_examples=30)
@given(st.floats(0.5, 5000), st.floats(0, 5000), st.integers(1, 5000))
def test_cameras_are_made_from_numbers(focal, centre, side):
    text = f"{focal:.6f}, {focal:.6f},{centre:.6f} ,{centre:.6f},{side}x{2 * side}"
    camera = find_camera(text)
    found = (camera.fx, camera.fy, camera.cx, camera.cy)
    assert found == pytest.approx((focal, focal, centre, centre), abs=1e-6)
    assert (camera.width, camera.height, camera.y_up) == (side, 2 * side, False)


@pytest.mark.parametrize(
    "text", ["kinect", "", "NYU", "475,475,320,240", "0,475,320,240,640x480", "a,b,c,d,640x480"]
)
def test_unknown_cameras_are_named_with_the_known_ones(text):
    with pytest.raises(UserError, match=r"camera .* is unknown; use one of fhad, .*fx,fy,cx,cy"):
        find_camera(text)


def test_cameras_compare_by_value():
    assert find_camera("1,1,0,0,2x2") == Camera("1,1,0,0,2x2", 2, 2, 1, 1, 0, 0)
