import shutil
from pathlib import Path

import numpy as np
import pytest
from tiny_hands import FHAD_SEQUENCES, hand_points, numbers, write_fhad, write_fhad_sequence

from vid_jax.cameras import CAMERAS
from vid_jax.errors import UserError
from vid_jax.input_pipeline.datasets.fhad_files import SPLIT_FILE
from vid_jax.input_pipeline.datasets.fhad_joint_files import find_root, read_records
from vid_jax.input_pipeline.datasets.fhad_joints import FhadJoints
from vid_jax.input_pipeline.frame_files import BadFrames
from vid_jax.input_pipeline.joint_records import read_joints

SEQUENCES = [*FHAD_SEQUENCES["train"], *FHAD_SEQUENCES["test"]]
FIRST = SEQUENCES[0]


@pytest.fixture
def fhad(tmp_path) -> Path:
    return write_fhad(tmp_path / "fhad", depth=False)


def skeleton_of(root, sequence, version="_v1_1"):
    return root / f"Hand_pose_annotation{version}" / sequence / "skeleton.txt"


def read(root, policy="error"):
    bad_frames = BadFrames(policy)
    records = list(read_records(find_root(root), bad_frames))
    return records, bad_frames.count


def test_annotations_and_split_file_are_enough(fhad):
    assert sorted(path.name for path in fhad.iterdir()) == ["Hand_pose_annotation_v1_1", SPLIT_FILE]
    records, bad = read(fhad)
    assert [record["sequence"] for record in records] == SEQUENCES  # the split file's order
    assert bad == 0
    classes = {"put_salt": 15, "pour_milk": 12, "high_five": 44}
    for record in records:
        subject, action, repetition = record["sequence"].split("/")
        assert record["subject"] == subject
        assert record["action"] == classes[action]
        assert record["split"] == ("train" if repetition == "2" else "test")
        assert record["frames"].tolist() == [0, 1, 2]
        points = [hand_points("fhad", record["sequence"], frame) for frame in range(3)]
        np.testing.assert_allclose(
            record["joints"], CAMERAS["fhad"].turned(np.stack(points)), atol=1e-3
        )


@pytest.mark.parametrize("levels", ["", "dataset", "a/b"])
def test_the_folder_is_found_and_older_annotations_are_read(tmp_path, levels):
    write_fhad(tmp_path / "fhad" / levels, version="_v1", depth=False)
    assert len(read(tmp_path / "fhad")[0]) == len(SEQUENCES)


def test_of_the_whole_data_set_the_same_is_read(tmp_path, fhad):
    whole, _ = read(write_fhad(tmp_path / "whole"))
    for record, alone in zip(whole, read(fhad)[0], strict=True):
        assert record["sequence"] == alone["sequence"]
        np.testing.assert_array_equal(record["joints"], alone["joints"])


def test_what_is_missing_is_named(tmp_path, fhad):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty holds no Hand_pose_annotation_v1_1/"):
        find_root(tmp_path / "empty")
    for sequence in SEQUENCES:
        skeleton_of(fhad, sequence).unlink()
    with pytest.raises(UserError, match=r"v1_1 holds no Subject_1/put_salt/1/skeleton\.txt"):
        read(fhad, "skip")
    (fhad / SPLIT_FILE).unlink()
    with pytest.raises(UserError, match=f"holds no {SPLIT_FILE}"):
        find_root(fhad)


def test_ignored_sequences_are_left_out_and_unlisted_ones_have_no_split(fhad):
    for sequence in ("Subject_2/close_milk/4", "Subject_3/juggle/1", "Subject_3/high_five/9"):
        write_fhad_sequence(fhad, sequence, depth=False)
    records, _ = read(fhad)
    others = [(record["sequence"], record["split"], record["action"]) for record in records]
    assert others[len(SEQUENCES) :] == [
        ("Subject_3/high_five/9", "", 44),
        ("Subject_3/juggle/1", "", -1),
    ]


def test_a_listed_sequence_without_joints_is_named(fhad, log):
    skeleton_of(fhad, FIRST).unlink()
    with pytest.raises(UserError, match=f"{SPLIT_FILE} lists {FIRST}, and .*skeleton.txt is miss"):
        read(fhad)
    records, bad = read(fhad, "skip")
    assert (len(records), bad) == (len(SEQUENCES) - 1, 1)
    assert f"left out: {SPLIT_FILE} lists {FIRST}" in log()


def test_a_sequence_without_frames_is_named(fhad):
    skeleton_of(fhad, FIRST).write_text("\n")
    with pytest.raises(UserError, match=f"{FIRST}/skeleton.txt has no frames"):
        read(fhad)
    records, bad = read(fhad, "skip")
    assert (len(records), bad) == (len(SEQUENCES) - 1, 1)


def test_frames_are_ordered_by_their_numbers_and_gaps_are_named(fhad, log):
    points = {number: hand_points("fhad", "other", number) for number in (3, 0, 5, 2)}
    lines = [f"{number} {numbers(joints)}" for number, joints in points.items()]
    skeleton_of(fhad, FIRST).write_text("\n".join(lines))
    record = read(fhad)[0][0]
    assert record["frames"].tolist() == [0, 2, 3, 5]
    np.testing.assert_allclose(record["joints"][1], CAMERAS["fhad"].turned(points[2]), atol=1e-3)
    assert "skeleton.txt: no frames between 0 and 2, 3 and 5" in log()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1 1 2 3", "line 4: 3 numbers"),
        (f"1 {numbers(np.full(63, np.nan))}", "line 4: frame 1 is there twice"),
        (f"7 {numbers(np.full(63, np.nan))}", "line 4: the joint wrist is NaN"),
    ],
)
def test_bad_lines_are_named_and_left_out(fhad, line, message):
    file = skeleton_of(fhad, FIRST)
    file.write_text(f"{file.read_text()}{line.replace('1 1 2 3', '3 1 2 3')}\n")
    with pytest.raises(UserError, match=message):
        read(fhad)
    records, bad = read(fhad, "skip")
    assert bad == 1
    assert records[0]["frames"].tolist() == ([0, 2] if "twice" in message else [0, 1, 2])


def test_a_class_that_there_is_not_is_refused(fhad):
    write_fhad_sequence(fhad, "Subject_1/juggle/1", depth=False)
    text = (
        (fhad / SPLIT_FILE).read_text().replace("Training 3", "Training 4\nSubject_1/juggle/1 45")
    )
    (fhad / SPLIT_FILE).write_text(text)
    with pytest.raises(UserError, match="line 2: Subject_1/juggle/1 has class 45; there are 0 to"):
        read(fhad)


def test_the_data_set_holds_the_records(fhad, tmp_path):
    builder = FhadJoints(source=fhad, data_dir=tmp_path / "prepared")
    builder.download_and_prepare()
    shutil.rmtree(fhad)
    store = read_joints(FhadJoints(data_dir=tmp_path / "prepared"))
    assert store.fields["sequence"].tolist() == SEQUENCES
    assert np.diff(store.starts).tolist() == [3] * len(SEQUENCES)
    assert builder.info.metadata["left_out"] == 0


def test_without_a_source_it_says_where_the_data_are(tmp_path):
    with pytest.raises(UserError, match="fhad_joints is not downloaded: get the First-Person"):
        FhadJoints(data_dir=tmp_path).download_and_prepare()
