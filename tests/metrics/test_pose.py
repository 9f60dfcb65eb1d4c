import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.transform import Rotation

from vid_jax.errors import UserError
from vid_jax.hand_joints import SKELETONS
from vid_jax.metrics import pose

FHAD = SKELETONS["fhad"]
NAN = np.nan

poses = hnp.arrays(
    np.float64,
    st.tuples(st.integers(1, 12), st.integers(1, 5), st.just(3)),
    elements=st.integers(-90, 90).map(float),
)


def brute_errors(prediction, truth):
    return [[math.dist(p, t) for p, t in zip(a, b)] for a, b in zip(prediction, truth)]


def brute_curve(values):
    return [sum(v <= d for v in values) / len(values) for d in range(81)]


def brute_area(curve):
    return sum((a + b) / 2 for a, b in itertools.pairwise(curve)) / 80


@settings(max_examples=60, deadline=None)
@given(poses, st.randoms(use_true_random=False))
def test_figures_are_those_of_plain_loops(truth, random):
    prediction = truth + [random.randint(-60, 60) for _ in range(3)]
    errors = brute_errors(prediction, truth)
    worst, mean = [max(row) for row in errors], [sum(row) / len(row) for row in errors]
    figures = pose.pose_metrics(prediction, truth)
    np.testing.assert_allclose(pose.joint_errors(prediction, truth), errors)
    assert figures["mean_error_mm"] == pytest.approx(sum(mean) / len(mean))
    for d in (20, 40, 80):
        assert figures[f"max_error_under_{d}mm"] == brute_curve(worst)[d]
    assert figures["max_error_auc_80mm"] == pytest.approx(brute_area(brute_curve(worst)))
    assert figures["mean_error_auc_80mm"] == pytest.approx(brute_area(brute_curve(mean)))
    for j in range(truth.shape[1]):
        of_joint = [row[j] for row in errors]
        assert figures[f"joint_error_mm/joint_{j}"] == pytest.approx(np.mean(of_joint))


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(np.float64, st.integers(1, 40), elements=st.integers(0, 100).map(float)))
def test_curve_rises_to_the_share_within_80_mm(errors):
    curve = pose.frames_within(errors)
    assert curve.tolist() == brute_curve(errors)
    assert (np.diff(curve) >= 0).all()
    assert 0 <= pose.threshold_area(curve) <= 1


def test_exact_predictions_have_an_area_of_one_and_hopeless_ones_of_none():
    truth = np.zeros((4, 2, 3))
    figures = pose.pose_metrics(truth, truth)
    assert (figures["mean_error_mm"], figures["max_error_auc_80mm"]) == (0, 1)
    figures = pose.pose_metrics(truth + [0, 0, 81], truth)
    assert (figures["mean_error_mm"], figures["max_error_auc_80mm"]) == (81, 0)


def test_table_shows_figures_that_exist():
    figures = pose.pose_metrics(np.zeros((1, 1, 3)), np.zeros((1, 1, 3)))
    assert set(pose.POSE_COLUMNS) <= set(figures)


def test_pooled_mean_weighs_frames_and_subjects_have_their_own():
    truth = np.zeros((4, 2, 3))
    prediction = truth + np.array([1, 2, 3, 10])[:, None, None] * [1, 0, 0]
    figures = pose.pose_metrics(
        prediction, truth, subjects=["P0", "P0", "P0", "P1"], joints=["wrist", "index tip"]
    )
    assert figures["mean_error_mm"] == 4
    assert figures["subject_error_mm/P0"] == 2
    assert figures["subject_error_mm/P1"] == 10
    assert figures["joint_error_mm/index_tip"] == 4


def test_frames_without_ground_truth_count_nowhere():
    truth = np.zeros((3, 2, 3))
    truth[1, 0, 2] = NAN
    prediction = truth + [3, 4, 0]
    figures = pose.pose_metrics(prediction, truth, subjects=["a", "b", "a"])
    assert figures["mean_error_mm"] == 5
    assert (figures["frames"], figures["frames_scored"]) == (3, 2)
    assert figures["subject_error_mm/a"] == 5
    assert math.isnan(figures["subject_error_mm/b"])
    assert np.isnan(pose.joint_errors(prediction, truth)[1]).all()


def test_float32_and_lists_are_taken():
    truth = np.zeros((2, 2, 3), np.float32)
    assert pose.pose_metrics((truth + 1).tolist(), truth)["mean_error_mm"] == pytest.approx(3**0.5)


@pytest.mark.parametrize(
    ("prediction", "truth", "message"),
    [
        (np.zeros((2, 6)), np.zeros((2, 6)), r"prediction has shape \(2, 6\); poses are \(frames"),
        (np.zeros((2, 4, 3)), np.zeros((2, 4, 2)), r"the truth has shape \(2, 4, 2\)"),
        (
            np.zeros((2, 4, 3)),
            np.zeros((2, 5, 3)),
            "prediction holds 2 frames of 4 joints, but the truth 2 frames of 5",
        ),
        (np.zeros((2, 4, 3)), np.full((2, 4, 3), NAN), "no frame has ground truth"),
        (np.zeros((0, 4, 3)), np.zeros((0, 4, 3)), "no frame has ground truth"),
    ],
)
def test_what_does_not_fit_is_named(prediction, truth, message):
    with pytest.raises(UserError, match=message):
        pose.pose_metrics(prediction, truth)


@pytest.mark.parametrize("value", [NAN, np.inf])
def test_prediction_that_is_not_finite_names_the_frame(value):
    truth = np.zeros((5, 2, 3))
    prediction = truth.copy()
    prediction[3, 1, 0] = value
    with pytest.raises(UserError, match="frame 3 of the prediction has a joint that is not finite"):
        pose.joint_errors(prediction, truth)
    truth[3] = NAN
    assert np.isnan(pose.joint_errors(prediction, truth)[3]).all()


def test_infinite_truth_names_the_frame():
    truth = np.zeros((5, 2, 3))
    truth[2, 1, 0] = np.inf
    with pytest.raises(UserError, match="frame 2 of the truth"):
        pose.joint_errors(np.zeros((5, 2, 3)), truth)


# Angles of the palm.


def upright_hand():
    """(1, 21, 3): a right hand, its fingers up, its palm at the camera and parallel to the image."""
    hand = np.zeros((1, 21, 3))
    hand[0, FHAD.joints.index("index MCP")] = (30, -90, 0)
    hand[0, FHAD.joints.index("little MCP")] = (-30, -90, 0)
    return hand


def turned(axis, degrees):
    """About an axis of the camera; with y down, from x to y is clockwise in the image."""
    return upright_hand() @ Rotation.from_euler(axis, degrees, degrees=True).as_matrix().T


def test_palm_parallel_to_the_image_has_no_angle_however_it_is_turned_in_it():
    for roll in (0, 33, 90, 180, -120):
        np.testing.assert_allclose(pose.yaw_pitch(turned("z", roll), FHAD), 0, atol=1e-9)


def test_fingers_towards_the_camera_are_pitched_up():
    yaw, pitch = pose.yaw_pitch(turned("x", 40), FHAD)
    hand = turned("x", 40)
    assert hand[0, FHAD.joints.index("index MCP"), 2] < 0  # nearer than the wrist
    np.testing.assert_allclose((yaw[0], pitch[0]), (0, 40), atol=1e-9)
    np.testing.assert_allclose(pose.yaw_pitch(turned("x", -10), FHAD)[1], -10)
    np.testing.assert_allclose(pose.yaw_pitch(turned("x", 90), FHAD)[1], 90)


def test_yaw_is_positive_where_the_right_side_is_farther():
    hand = turned("y", -25)
    assert hand[0, FHAD.joints.index("index MCP"), 2] > 0
    np.testing.assert_allclose(pose.yaw_pitch(hand, FHAD)[0], 25)
    back = turned("y", 180 - 25)  # the back of the hand, its right side farther
    np.testing.assert_allclose(pose.yaw_pitch(back, FHAD)[0], 25)


@settings(max_examples=50, deadline=None)
@given(st.floats(-80, 80), st.floats(-80, 80), st.floats(-180, 180))
def test_angles_are_those_of_turns_about_the_palm_then_x_then_the_view(yaw, pitch, roll):
    rotation = Rotation.from_euler("ZXY", (roll, pitch, -yaw), degrees=True)
    hand = upright_hand() @ rotation.as_matrix().T + [10, 20, 500]
    np.testing.assert_allclose(pose.yaw_pitch(hand, FHAD), [[yaw], [pitch]], atol=1e-6)


def test_skeletons_without_knuckles_have_no_angles():
    with pytest.raises(ValueError):
        pose.yaw_pitch(np.zeros((1, 14, 3)), SKELETONS["nyu"])


def test_errors_by_angle_are_means_of_bins():
    angles = np.array([-40, -38.5, -38, 0, 40, 41, -41, 10, NAN])
    errors = np.array([1.0, 3, 5, 7, 9, 100, 100, NAN, 100])
    means, counts = pose.errors_by_angle(errors, angles, pose.YAW_EDGES)
    assert len(means) == 40
    np.testing.assert_array_equal(means[[0, 1, 20, 39]], [2, 5, 7, 9])
    assert np.isnan(np.delete(means, [0, 1, 20, 39])).all()
    assert counts.sum() == 5


def test_bins_are_two_degrees_over_the_published_range():
    assert (pose.YAW_EDGES[0], pose.YAW_EDGES[-1]) == (-40, 40)
    assert (pose.PITCH_EDGES[0], pose.PITCH_EDGES[-1]) == (-10, 90)
    assert set(np.diff(pose.YAW_EDGES)) | set(np.diff(pose.PITCH_EDGES)) == {2}
