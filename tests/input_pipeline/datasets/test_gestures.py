import numpy as np
import pytest

from vid_jax.input_pipeline.datasets import gestures
from vid_jax.input_pipeline.datasets.gestures import REPETITIONS, SUBJECTS, Gestures
from vid_jax.input_pipeline.datasets.hand_gestures import ACTIONS
from vid_jax.input_pipeline.datasets.hand_sequences import gesture_frames, gesture_joints
from vid_jax.input_pipeline.datasets.hands import ACTORS
from vid_jax.input_pipeline.datasets.hands import SUBJECTS as POSERS
from vid_jax.input_pipeline.joint_records import read_joints


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gestures, "SUBJECTS", {"train": range(100, 102), "test": range(140, 141)})
        builder = Gestures(data_dir=tmp_path_factory.mktemp("gestures"))
        builder.download_and_prepare()
        return read_joints(builder)


def test_every_subject_performs_every_action_several_times(store):
    subjects, counts = np.unique(store.fields["subject"], return_counts=True)
    assert subjects.tolist() == ["S100", "S101", "S140"]
    assert counts.tolist() == [len(ACTIONS) * REPETITIONS] * 3
    assert set(store.fields["subject"][store.fields["split"] == "test"]) == {"S140"}
    for sequence, action in zip(store.fields["sequence"], store.fields["action"]):
        assert sequence.split("/")[1] == ACTIONS[action]


def test_joints_are_those_of_the_performance(store):
    for number in (0, 7, len(store.fields["action"]) - 1):
        subject, action, repetition = store.fields["sequence"][number].split("/")
        joints = store.joints[store.starts[number] : store.starts[number + 1]]
        np.testing.assert_array_equal(
            joints, gesture_joints(int(subject[1:]), action, int(repetition)).astype(np.float32)
        )
    assert store.starts[-1] == len(store.joints)


def test_depth_and_joints_are_of_the_same_performance():
    frame = next(gesture_frames(56, "pour", 1))
    np.testing.assert_array_equal(frame.joints, gesture_joints(56, "pour", 1)[0])


def test_subjects_are_of_this_data_set_alone():
    parts = [*SUBJECTS.values(), *POSERS.values(), *ACTORS.values()]
    numbers = [number for part in parts for number in part]
    assert len({*numbers}) == len(numbers)
