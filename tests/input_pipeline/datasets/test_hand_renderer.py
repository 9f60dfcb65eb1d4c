import numpy as np
import pytest

from vid_jax.input_pipeline.datasets.hand_model import (
    NUM_JOINTS,
    Hands,
    pose_hands,
    random_subject,
)
from vid_jax.input_pipeline.datasets.hand_postures import random_poses
from vid_jax.input_pipeline.datasets.hand_renderer import (
    CAMERA,
    MAX_DEPTH,
    WHOLE_IMAGE,
    DepthSensor,
    hand_box,
    random_scene,
    render_hand,
)

COUNT = 30


@pytest.fixture(scope="module")
def hands():
    rng = np.random.default_rng(4)
    return pose_hands(random_subject(rng), random_poses(rng, COUNT))


@pytest.fixture(scope="module")
def scenes(hands):
    return [
        random_scene(np.random.default_rng(i), Hands(hands.points[i : i + 1], hands.radii))
        for i in range(COUNT)
    ]


@pytest.fixture(scope="module")
def renderings(hands, scenes):
    return [render_hand(hands, i, scenes[i]) for i in range(COUNT)]


def test_surfaces_are_a_radius_before_the_joints_that_are_seen(hands, renderings):
    seen = 0
    for joints, rendering in zip(hands.joints, renderings):
        pixels = np.rint(CAMERA.project(joints)[:, :2]).astype(int)
        for (u, v), joint, radius in zip(pixels, joints, hands.radii):
            if not (0 <= u < CAMERA.width and 0 <= v < CAMERA.height):
                continue
            depth = rendering.depth[v, u]
            assert depth < joint[2]  # nothing is seen through
            seen += joint[2] - 1.5 * radius <= depth
    assert seen > 0.5 * COUNT * NUM_JOINTS


def test_a_box_holds_the_hand_and_is_a_crop_of_the_whole_image(hands, scenes, renderings):
    for i in range(COUNT):
        box = hand_box(hands.joints[i])
        pixels = CAMERA.project(hands.joints[i])[:, :2]
        on_image = np.clip(pixels, 0, [CAMERA.width - 1, CAMERA.height - 1])
        assert (on_image >= [box.left, box.top]).all()
        assert (on_image < [box.right, box.bottom]).all()
        whole = renderings[i]
        part = (slice(box.top, box.bottom), slice(box.left, box.right))
        assert whole.hand.sum() == whole.hand[part].sum()
        rendering = render_hand(hands, i, scenes[i], box)
        np.testing.assert_array_equal(rendering.depth, whole.depth[part])
        np.testing.assert_array_equal(rendering.hand, whole.hand[part])
        np.testing.assert_allclose(rendering.com, whole.com, atol=1e-2)


def test_a_box_shows_a_quarter_more_than_250_mm_around_the_centre(hands):
    for joints in hands.joints:
        box = hand_box(joints)
        if box.left > 0 and box.top > 0 and box.right < CAMERA.width and box.bottom < CAMERA.height:
            assert box.shape[0] == box.shape[1]
            assert box.shape[0] / CAMERA.fx * joints[:, 2].mean() >= 1.25 * 250


def test_the_centre_is_the_mean_of_the_hands_visible_surface(renderings):
    for rendering in renderings[:5]:
        rows, columns = np.nonzero(rendering.hand)
        pixel = np.array([columns.mean(), rows.mean(), rendering.depth[rendering.hand].mean()])
        np.testing.assert_allclose(rendering.com, CAMERA.unproject(pixel), atol=1e-2)


def test_the_background_is_behind_the_hand(hands, scenes, renderings):
    for joints, scene, rendering in zip(hands.joints, scenes, renderings):
        # What is not the hand is its forearm or behind every joint.
        assert scene.nearest > joints[:, 2].max()
        assert (scene.points[:, 2] - scene.radii >= scene.nearest - 1e-6).all()
        assert rendering.depth[rendering.hand].max() < scene.nearest


def test_backgrounds_differ(scenes):
    assert {len(scene.planes) for scene in scenes} == {0, 1, 2}
    assert {bool(len(scene.points)) for scene in scenes} == {False, True}


def test_a_hand_out_of_view_is_an_error(hands, scenes):
    away = Hands(hands.points + [2000, 0, 0], hands.radii)
    with pytest.raises(ValueError, match="nothing of the hand"):
        render_hand(away, 0, scenes[0])


def test_the_sensor_is_unbiased_noisier_far_away_and_blind_beyond_its_range():
    sensor, rng = DepthSensor(), np.random.default_rng(0)

    def noise(depth):
        measured = sensor.measure(np.full(WHOLE_IMAGE.shape, depth, np.float32), rng)
        assert measured.dtype == np.uint16
        found = measured[measured > 0].astype(float)
        assert 0.99 < len(found) / measured.size < 1  # some pixels are lost
        assert abs(found.mean() - depth) < 0.05
        return found.std()

    assert 0.5 < noise(400) < 1.5
    assert noise(1200) > 3 * noise(500)
    for empty in (np.inf, MAX_DEPTH + 1):
        assert not sensor.measure(np.full((50, 60), empty, np.float32), rng).any()


def test_the_sensor_loses_pixels_at_edges_and_repeats_itself():
    depth = np.full(WHOLE_IMAGE.shape, 900, np.float32)
    depth[:, 320:] = 500
    measured = DepthSensor().measure(depth, np.random.default_rng(1))
    lost = (measured == 0).mean(axis=0)
    assert 0.25 < lost[319:321].mean() < 0.45
    assert lost[:318].mean() < 0.01
    again = DepthSensor().measure(depth, np.random.default_rng(1))
    np.testing.assert_array_equal(measured, again)
