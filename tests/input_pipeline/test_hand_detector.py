import numpy as np
import pytest

from vid_jax.cameras import CAMERAS, Camera
from vid_jax.errors import UserError
from vid_jax.input_pipeline.depth_files import DepthMap
from vid_jax.input_pipeline.hand_detector import center_of_mass, com_in_cube, detect_hand

CAMERA = Camera("plain", 480, 640, 500.0, 500.0, 320.0, 240.0)
SMALL = CAMERAS["msra15"]


def room(camera, wall=1100):
    """A tilted wall."""
    columns = np.arange(camera.width) * 100 // camera.width
    return np.broadcast_to(wall + columns, (camera.height, camera.width)).astype(np.uint16)


def add_sphere(depth, camera, centre, radius):
    """Draws the near side of a sphere, in mm, by the intersection of each pixel's ray."""
    v, u = np.mgrid[: camera.height, : camera.width]
    rays = camera.unproject(np.stack([u, v, np.ones_like(u)], -1).astype(float))
    square, along = (rays**2).sum(-1), rays @ centre
    root = along**2 - square * (np.dot(centre, centre) - radius**2)
    z = (along - np.sqrt(np.maximum(root, 0))) / square
    nearer = (root > 0) & ((depth == 0) | (z < depth))
    depth[nearer] = np.round(z[nearer])


def front(centre, radius):
    """The centre of the side of a distant sphere that faces the camera: two thirds of the radius before its own."""
    return centre * (1 - radius * 2 / 3 / np.linalg.norm(centre))


@pytest.mark.parametrize("camera", [CAMERA, SMALL], ids=["640x480", "320x240"])
@pytest.mark.parametrize("centre", [(0, 0, 500), (90, -60, 420), (-120, 80, 700)])
@pytest.mark.parametrize("wall", [0, 1000])
def test_a_sphere_before_a_wall_is_found(camera, centre, wall):
    depth = room(camera, wall) if wall else np.zeros((camera.height, camera.width), np.uint16)
    add_sphere(depth, camera, np.array(centre), 50)
    found = detect_hand(DepthMap(depth), camera, 200)
    assert np.linalg.norm(found - front(np.array(centre), 50)) < 5


@pytest.mark.parametrize("camera", [CAMERA, SMALL], ids=["640x480", "320x240"])
def test_a_hand_is_found_among_clutter_specks_and_holes(camera):
    rng = np.random.default_rng(0)
    parts = [(np.array([10.0, 0, 450]), 40)] + [
        (np.array([10 + x, y, 445.0]), 9) for x in (-36, -12, 12, 36) for y in (-50, -65, -80)
    ]
    hand, depth = np.zeros((camera.height, camera.width), np.uint16), room(camera)
    for centre, radius in parts:
        add_sphere(hand, camera, centre, radius)
        add_sphere(depth, camera, centre, radius)
    add_sphere(depth, camera, np.array([-150.0, 60, 800]), 110)
    add_sphere(depth, camera, np.array([260.0, -90, 750]), 80)
    specks = rng.random(depth.shape) < 0.01
    depth[specks] = rng.integers(100, 1400, specks.sum())
    depth[rng.random(depth.shape) < 0.05] = 0
    found = detect_hand(DepthMap(depth), camera, 200)
    assert np.linalg.norm(found - center_of_mass(hand, camera)) < 15


def test_a_hand_at_the_edge_of_the_image_is_found():
    depth = room(CAMERA)
    centre = CAMERA.unproject(np.array([630.0, 240.0, 500.0]))
    add_sphere(depth, CAMERA, centre, 50)
    found = CAMERA.project(detect_hand(DepthMap(depth), CAMERA, 200))
    assert 585 < found[0] < 630
    assert abs(found[1] - 240) < 2
    assert 450 < found[2] < 500


def test_what_is_nearest_of_those_large_enough_is_found():
    for near, far_hand in ((4, True), (10, False)):
        depth = room(CAMERA)
        add_sphere(depth, CAMERA, np.array([-150.0, 0, 300]), near)  # 7 and 17 pixels in radius
        add_sphere(depth, CAMERA, np.array([150.0, 0, 600]), 50)
        assert (detect_hand(DepthMap(depth), CAMERA, 200)[0] > 0) == far_hand


def test_a_box_of_the_image_gives_the_same_centres():
    depth = np.zeros((480, 640), np.uint16)
    centre = np.array([60.0, -40, 500])
    add_sphere(depth, CAMERA, centre, 45)
    box = DepthMap(depth[100:300, 300:500], left=300, top=100)
    np.testing.assert_allclose(
        detect_hand(box, CAMERA, 200), detect_hand(DepthMap(depth), CAMERA, 200)
    )
    np.testing.assert_allclose(
        center_of_mass(box.depth, CAMERA, box.left, box.top), center_of_mass(depth, CAMERA)
    )
    np.testing.assert_allclose(
        com_in_cube(box, CAMERA, centre, 150), com_in_cube(DepthMap(depth), CAMERA, centre, 150)
    )


def test_the_centre_of_mass_by_hand():
    depth = np.zeros((480, 640), np.uint16)
    depth[240, [320, 330]] = 400
    depth[246, 328] = 700
    depth[0, 0], depth[0, 1] = 9, 1501  # outside 10..1500
    # mean pixel (326, 242), mean depth 500
    np.testing.assert_allclose(center_of_mass(depth, CAMERA), [6.0, 2.0, 500.0])
    np.testing.assert_allclose(center_of_mass(depth, CAMERA, near=500), [11.2, 8.4, 700.0])
    np.testing.assert_allclose(center_of_mass(depth, CAMERA, left=10, top=-10), [16.0, -8.0, 500.0])
    depth[0, 0] = 10
    assert center_of_mass(depth, CAMERA)[2] == pytest.approx(1510 / 4)


def test_the_centre_in_a_cube_leaves_out_what_is_beside_before_and_behind_it():
    depth = np.zeros((480, 640), np.uint16)
    depth[230:250, 330:350] = 520
    expected = center_of_mass(depth, CAMERA)
    depth[230:250, 371] = 500  # the cube ends before pixel 370
    depth[230:250, 300:310] = 440
    depth[230:250, 290:300] = 560
    com = np.array([0.0, 0.0, 500.0])
    np.testing.assert_allclose(com_in_cube(DepthMap(depth), CAMERA, com, 100), expected)


def test_nothing_measured_is_told():
    depth = np.zeros((480, 640), np.uint16)
    depth[:5] = 1600
    with pytest.raises(UserError, match="no pixel between 10 and 1500 mm"):
        center_of_mass(depth, CAMERA)
    with pytest.raises(UserError, match="no hand found: the depth map has no pixel between 10 and"):
        detect_hand(DepthMap(depth), CAMERA, 200)
    with pytest.raises(UserError, match=r"cube of 200 mm about \(0\.0, .* no measured pixel"):
        com_in_cube(DepthMap(depth), CAMERA, np.array([0.0, 0.0, 500.0]), 200)


def test_a_cube_beside_the_image_is_told():
    with pytest.raises(UserError, match="contains no measured pixel"):
        com_in_cube(DepthMap(room(CAMERA)), CAMERA, np.array([5000.0, 0.0, 1100.0]), 200)


def test_a_centre_at_zero_depth_is_told():
    with pytest.raises(UserError, match="not in front of the camera"):
        com_in_cube(DepthMap(room(CAMERA)), CAMERA, np.zeros(3), 200)


@pytest.mark.parametrize(("camera", "pixels"), [(CAMERA, 200), (SMALL, 50)])
def test_only_specks_are_told(camera, pixels):
    depth = np.zeros((camera.height, camera.width), np.uint16)
    depth[::20, ::20] = 500
    with pytest.raises(UserError, match=f"nothing between .* covers more than {pixels} pixels"):
        detect_hand(DepthMap(depth), camera, 200)
