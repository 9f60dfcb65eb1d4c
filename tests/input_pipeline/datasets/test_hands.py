import cv2
import numpy as np
import pytest

from vid_jax.input_pipeline.datasets import hand_sequences, hands
from vid_jax.input_pipeline.datasets.hand_gestures import ACTIONS
from vid_jax.input_pipeline.datasets.hands import Hands, HandsConfig

STILL = HandsConfig(
    name="few",
    subjects={"train": range(2), "test": range(40, 41)},
    per_subject={"train": 3, "test": 2},
)
ACTING = HandsConfig(
    name="few_gestures",
    subjects={"train": range(50, 51), "test": range(56, 57)},
    per_subject={"train": 1, "test": 1},
    gestures=True,
)


def _records(builder, split):
    return list(builder.as_dataset(split=split).as_numpy_iterator())


def _prepared(config, folder):
    builder = Hands(config=config, data_dir=folder)
    builder.download_and_prepare()
    return builder


def test_records_hold_the_drawn_frames(tmp_path):
    builder = _prepared(STILL, tmp_path)
    metadata = builder.info.metadata
    assert {key: metadata[key] for key in ("kind", "depth_format", "camera", "skeleton")} == {
        "kind": "hands",
        "depth_format": "png",
        "camera": "hands",
        "skeleton": "hands",
    }
    for split, subjects, count in (("train", (0, 1), 3), ("test", (40,), 2)):
        frames = [f for subject in subjects for f in hand_sequences.pose_frames(subject, count)]
        records = _records(builder, split)
        assert len(records) == len(frames)
        for record, frame in zip(records, frames):
            names = (record["sequence"], record["subject"], record["split"])
            assert names == (frame.sequence.encode(), frame.subject.encode(), split.encode())
            assert (record["frame"], record["action"], record["cube"]) == (frame.frame, -1, 200)
            assert (record["left"], record["top"]) == frame.box[:2]
            np.testing.assert_array_equal(record["joints"], frame.joints.astype(np.float32))
            np.testing.assert_array_equal(record["com"], frame.com.astype(np.float32))
            image = cv2.imdecode(np.frombuffer(record["depth"], np.uint8), cv2.IMREAD_UNCHANGED)
            assert image.dtype == np.uint16
            np.testing.assert_array_equal(image, frame.depth)


def test_gestures_are_named_by_subject_action_and_repetition(tmp_path, monkeypatch):
    monkeypatch.setattr(hands, "ACTIONS", ("pinch", "wave"))
    builder = _prepared(ACTING, tmp_path)
    assert [*builder.info.metadata["actions"]] == ["pinch", "wave"]
    records = _records(builder, "test")
    sequences = [*dict.fromkeys(record["sequence"].decode() for record in records)]
    assert sequences == ["S056/pinch/0", "S056/wave/0"]
    for record in records:
        assert ACTIONS[record["action"]] == record["sequence"].decode().split("/")[1]
    first = [r["frame"] for r in records if r["sequence"].decode() == sequences[0]]
    assert first == list(range(len(first)))


def test_subjects_of_training_and_test_are_disjoint_and_sizes_as_documented():
    configs = {name: Hands.builder_configs[name] for name in ("poses", "small", "gestures")}
    for config in configs.values():
        assert not {*config.subjects["train"]} & {*config.subjects["test"]}
    sizes = {
        name: [
            len(configs[name].subjects[split]) * configs[name].per_subject[split]
            for split in ("train", "test")
        ]
        for name in ("poses", "small")
    }
    assert sizes == {"poses": [20_000, 2_000], "small": [4_000, 500]}


@pytest.mark.parametrize("count", [1, 51])
def test_frames_are_the_same_however_many_are_asked_for(count):
    *_, last = hand_sequences.pose_frames(3, count)
    *_, same = (frame for frame in hand_sequences.pose_frames(3, 52) if frame.frame < count)
    np.testing.assert_array_equal(last.depth, same.depth)
    np.testing.assert_array_equal(last.joints, same.joints)
