import numpy as np
import pytest

from vid_jax.input_pipeline.datasets.hand_gestures import (
    ACTIONS,
    GESTURES,
    LENGTHS,
    PAIRS,
    gesture,
)
from vid_jax.input_pipeline.datasets.hand_model import (
    ANGLE_LIMITS,
    NUM_JOINTS,
    pose_hands,
    random_subject,
)
from vid_jax.input_pipeline.datasets.hand_renderer import CAMERA


def test_actions_are_named():
    assert len(ACTIONS) == 20
    assert {"pinch", "wave", "point", "thumbs_up", "pour", "flip"} <= {*ACTIONS}
    assert list(ACTIONS) == sorted(ACTIONS)
    with pytest.raises(ValueError):
        gesture("juggle", 0, 0)


def test_every_action_begins_and_ends_at_rest():
    (start,) = {(keys[0][:-1]) for keys in GESTURES.values()}
    assert {keys[-1][:-1] for keys in GESTURES.values()} == {start}


@pytest.mark.parametrize(("action", "opposite"), PAIRS)
def test_pairs_pass_through_the_same_moments_in_the_same_time(action, opposite):
    moments, backwards = GESTURES[action], GESTURES[opposite][::-1]
    assert [key[:-1] for key in moments] == [key[:-1] for key in backwards]
    assert [key.share for key in moments[1:]] == [key.share for key in backwards[:-1]]
    assert moments != backwards[::-1]


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_is_smooth_within_the_limits_and_in_view(action):
    subject = random_subject(np.random.default_rng(0))
    for person, repetition in ((50, 0), (57, 2)):
        poses = gesture(action, person, repetition)
        assert LENGTHS[0] <= len(poses.angles) <= LENGTHS[1]
        assert (poses.angles >= ANGLE_LIMITS[..., 0]).all()
        assert (poses.angles <= ANGLE_LIMITS[..., 1]).all()
        joints = pose_hands(subject, poses).joints
        steps = np.linalg.norm(np.diff(joints, axis=0), axis=-1)
        assert steps.max() < 90  # mm a frame: a snap is quick
        assert 0.3 < steps.mean() < 25
        pixels = CAMERA.project(joints)[..., :2]
        assert (pixels >= 0).all()
        assert (pixels <= [CAMERA.width - 1, CAMERA.height - 1]).all()


def test_performances_differ_and_each_is_always_the_same():
    one, again, other = (gesture("wave", 50, repetition) for repetition in (0, 0, 1))
    for first, second in zip(one, again):
        np.testing.assert_array_equal(first, second)
    assert len(one.angles) != len(other.angles) or np.abs(one.rotation - other.rotation).max() > 1


def test_actions_are_told_apart_by_how_they_move():
    """The nearest training performance, resampled and centred, is of the same action far above chance."""

    def movement(action, subject, repetition):
        poses = gesture(action, subject, repetition)
        joints = pose_hands(random_subject(np.random.default_rng(subject)), poses).joints
        places = np.linspace(0, len(joints) - 1, 16).round().astype(int)
        return (joints[places] - joints.mean(axis=(0, 1))).reshape(16 * NUM_JOINTS, 3)

    train = {
        (action, subject, repetition): movement(action, subject, repetition)
        for action in ACTIONS
        for subject in range(4)
        for repetition in range(2)
    }
    keys, known = [*train], np.stack([*train.values()])
    right = 0
    for action in ACTIONS:
        errors = np.linalg.norm(known - movement(action, 9, 0), axis=-1).mean(axis=-1)
        right += keys[errors.argmin()][0] == action
    assert right > len(ACTIONS) / 4
