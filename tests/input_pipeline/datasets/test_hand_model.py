import numpy as np
import pytest

from vid_jax.cameras import CAMERAS
from vid_jax.hand_joints import SKELETONS
from vid_jax.input_pipeline.datasets.hand_model import (
    ANGLE_LIMITS,
    HandPoses,
    pose_hands,
    random_subject,
    rotation_matrices,
)
from vid_jax.input_pipeline.datasets.hand_postures import POSTURES, random_poses

JOINTS = SKELETONS["hands"].joints
BONES = SKELETONS["hands"].bones


@pytest.fixture
def subject():
    return random_subject(np.random.default_rng(0))


def _posed(subject, posture: str, rotation=(0, 0, 0)):
    """Joints (21, 3) by name, the middle knuckle at 400 mm."""
    pose = HandPoses(
        POSTURES[posture][None],
        np.zeros((1, 2)),
        np.array([rotation], float),
        np.array([[0, 0, 400.0]]),
    )
    return dict(zip(JOINTS, pose_hands(subject, pose).joints[0]))


def _lengths(joints: np.ndarray) -> np.ndarray:
    return np.stack([np.linalg.norm(joints[:, a] - joints[:, b], axis=1) for a, b in BONES], axis=1)


def test_bones_keep_their_lengths_and_differ_between_subjects(subject):
    poses = random_poses(np.random.default_rng(1), 100)
    lengths = _lengths(pose_hands(subject, poses).joints)
    np.testing.assert_allclose(lengths, lengths[:1].repeat(100, axis=0), rtol=1e-6)
    other = random_subject(np.random.default_rng(2))
    assert (np.abs(_lengths(pose_hands(other, poses).joints)[0] - lengths[0]) > 0.05).all()


def test_random_poses_are_within_the_limits_of_the_joints():
    poses = random_poses(np.random.default_rng(1), 500)
    assert (poses.angles >= ANGLE_LIMITS[..., 0]).all()
    assert (poses.angles <= ANGLE_LIMITS[..., 1]).all()
    for name, posture in POSTURES.items():
        assert (posture >= ANGLE_LIMITS[..., 0]).all(), name
        assert (posture <= ANGLE_LIMITS[..., 1]).all(), name


def test_hands_are_before_the_camera_and_nearly_always_within_the_image(subject):
    camera = CAMERAS["hands"]
    joints = pose_hands(subject, random_poses(np.random.default_rng(1), 1000)).joints
    assert joints[..., 2].min() > 200
    pixels = camera.project(joints)[..., :2]
    inside = (pixels >= 0) & (pixels <= [camera.width - 1, camera.height - 1])
    assert inside.all(axis=(1, 2)).mean() > 0.99


def test_a_right_hand_that_shows_its_palm_has_the_thumb_on_the_right(subject):
    palm = _posed(subject, "open")
    assert palm["thumb tip"][0] > palm["index MCP"][0] > palm["little MCP"][0]
    assert palm["middle tip"][1] < palm["middle MCP"][1] < palm["wrist"][1]  # fingers up, y down
    back = _posed(subject, "open", (180, 0, 0))
    assert back["thumb tip"][0] < back["index MCP"][0] < back["little MCP"][0]


def test_fingers_bend_towards_the_palm_which_faces_the_camera(subject):
    open_hand, fist = _posed(subject, "open"), _posed(subject, "fist")
    for finger in ("index", "middle", "ring", "little"):
        assert fist[f"{finger} PIP"][2] < open_hand[f"{finger} PIP"][2] - 20
        reach = [
            np.linalg.norm(hand[f"{finger} tip"] - hand["wrist"]) for hand in (open_hand, fist)
        ]
        assert reach[1] < 0.7 * reach[0]


def test_yaw_pitch_and_roll_turn_as_documented(subject):
    def fingers(rotation):
        hand = _posed(subject, "open", rotation)
        return hand["middle MCP"] - hand["wrist"]

    assert fingers((0, 40, 0))[2] < -30  # fingertips to the camera
    assert fingers((0, 0, 40))[0] > 30  # clockwise
    turned = _posed(subject, "open", (40, 0, 0))
    assert (
        turned["index MCP"][2] < turned["little MCP"][2]
    )  # the palm to the left: the index comes near
    matrices = rotation_matrices(np.array([[10, 20, 30], [-50, 60, 170.0]]))
    np.testing.assert_allclose(np.linalg.det(matrices), 1)


def test_joints_are_named_and_ordered_as_in_first_person_hand_action(subject):
    hand = _posed(subject, "spread")
    for finger in ("thumb", "index", "middle", "ring", "little"):
        reach = [
            np.linalg.norm(hand[f"{finger} {part}"] - hand["wrist"])
            for part in ("MCP", "PIP", "DIP", "tip")
        ]
        assert reach == sorted(reach)


def test_the_wrist_leaves_the_joints_and_turns_the_forearm(subject):
    def hands(wrist):
        pose = HandPoses(
            POSTURES["open"][None], np.array([wrist], float), np.zeros((1, 3)), np.zeros((1, 3))
        )
        return pose_hands(subject, pose)

    straight, flexed, bent = hands((0, 0)), hands((30, 0)), hands((0, 20))
    np.testing.assert_array_equal(straight.joints, flexed.joints)
    elbows = [hand.points[0, -2:].mean(axis=0) for hand in (straight, flexed, bent)]
    assert elbows[1][2] < elbows[0][2] - 50  # the palm closes on the forearm, both before the wrist
    assert elbows[2][0] > elbows[0][0] + 30  # the thumb's side closes on the forearm


def test_poses_depend_on_the_seed_alone(subject):
    one, other = (random_poses(np.random.default_rng(3), 10) for _ in range(2))
    np.testing.assert_array_equal(
        pose_hands(subject, one).points, pose_hands(subject, other).points
    )
