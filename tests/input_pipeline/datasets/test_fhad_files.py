import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds
from tiny_hands import (
    FHAD_SEQUENCES,
    hand_depth,
    hand_points,
    png,
    write_fhad,
    write_fhad_sequence,
)

from vid_jax.cameras import CAMERAS
from vid_jax.errors import UserError
from vid_jax.input_pipeline.datasets.fhad import Fhad
from vid_jax.input_pipeline.datasets.fhad_files import ACTIONS, find_root, read_records, read_splits
from vid_jax.input_pipeline.depth_files import DECODERS
from vid_jax.input_pipeline.frame_files import BadFrames

SEQUENCES = sorted([*FHAD_SEQUENCES["train"], *FHAD_SEQUENCES["test"]])
ALL = [f"{sequence}/{number}" for sequence in SEQUENCES for number in range(3)]


@pytest.fixture
def fhad(tmp_path) -> Path:
    return write_fhad(tmp_path / "fhad")


def depth_of(root, sequence):
    return root / "Video_files" / sequence / "depth"


def skeleton_of(root, sequence, version="_v1_1"):
    return root / f"Hand_pose_annotation{version}" / sequence / "skeleton.txt"


def read(root, policy="error"):
    bad_frames = BadFrames(policy)
    records = list(read_records(root, bad_frames)["frames"])
    return records, bad_frames.count


def names(records):
    return [f"{record['sequence']}/{record['frame']}" for record in records]


def test_records_hold_depth_joints_split_and_class(fhad):
    records, _ = read(find_root(fhad))
    assert names(records) == ALL
    classes = {"put_salt": 15, "pour_milk": 12, "high_five": 44}
    for record in records:
        subject, action, repetition = record["sequence"].split("/")
        assert record["subject"] == subject
        assert record["action"] == classes[action]
        assert record["split"] == ("train" if repetition == "2" else "test")
        assert record["cube"] == 200
        points = hand_points("fhad", record["sequence"], record["frame"])
        np.testing.assert_allclose(record["joints"], points, atol=1e-3)
        depth = DECODERS["png"](record["depth"]).depth
        np.testing.assert_array_equal(depth, hand_depth("fhad", points))
        u, v, z = CAMERAS["fhad"].project(record["joints"]).T
        assert np.abs(depth[np.rint(v).astype(int), np.rint(u).astype(int)] - z).max() < 40


def test_there_are_45_actions_in_the_published_order():
    assert len({*ACTIONS}) == 45
    published = {
        "put_sugar": 8,
        "drink_mug": 13,
        "use_flash": 24,
        "flip_pages": 31,
        "give_card": 40,
    }
    assert {action: ACTIONS.index(action) for action in published} == published


def test_the_first_release_of_the_annotations_is_read_too(tmp_path, fhad):
    first = write_fhad(tmp_path / "first", version="_v1")
    for record, other in zip(read(first)[0], read(fhad)[0], strict=True):
        np.testing.assert_array_equal(record["joints"], other["joints"])


def test_lines_and_files_in_another_order_are_the_same_frames(fhad, monkeypatch):
    expected, _ = read(fhad)
    for sequence in SEQUENCES:
        skeleton = skeleton_of(fhad, sequence)
        skeleton.write_text("\n".join(reversed(skeleton.read_text().splitlines())))
    glob = Path.glob
    monkeypatch.setattr(Path, "glob", lambda *args: reversed(list(glob(*args))))
    for record, other in zip(read(fhad)[0], expected, strict=True):
        np.testing.assert_array_equal(record.pop("joints"), other.pop("joints"))
        np.testing.assert_equal(record, other)


def test_repetitions_are_in_the_order_of_their_numbers(tmp_path):
    train = [f"Subject_1/prick/{number}" for number in (10, 9, 2)]
    write_fhad(tmp_path, {"train": train, "test": ["Subject_1/prick/1"]}, frames=1)
    repetitions = [record["sequence"].split("/")[-1] for record in read(tmp_path)[0]]
    assert repetitions == ["1", "2", "9", "10"]


def test_the_three_bad_sequences_are_ignored(tmp_path, log):
    bad = ["Subject_2/close_milk/4", "Subject_2/put_tea_bag/2", "Subject_4/flip_sponge/2"]
    write_fhad(tmp_path, {"train": ["Subject_1/prick/1", *bad], "test": ["Subject_1/prick/2"]}, 1)
    assert names(read(tmp_path)[0]) == ["Subject_1/prick/1/0", "Subject_1/prick/2/0"]
    shutil.rmtree(tmp_path / "Video_files" / "Subject_2")
    read(tmp_path)
    assert "lacks" not in log()


def test_a_part_of_the_sequences_is_enough(fhad, log):
    shutil.rmtree(fhad / "Video_files" / "Subject_1")
    shutil.rmtree(depth_of(fhad, "Subject_3/high_five/2"))
    records, _ = read(fhad)
    assert names(records) == [
        name for name in ALL if name.startswith(("Subject_2", "Subject_3/high_five/1"))
    ]
    assert log().count("lacks") == 1
    assert (
        "Video_files lacks 3 of the sequences in data_split_action_recognition.txt: "
        "Subject_1/put_salt/1, Subject_1/put_salt/2, Subject_3/high_five/2"
    ) in log()


def test_none_of_the_sequences_is_not_enough(fhad):
    shutil.rmtree(fhad / "Video_files")
    depth_of(fhad, SEQUENCES[0]).mkdir(parents=True)
    with pytest.raises(
        UserError, match=r"holds no Subject_1/put_salt/1/depth/depth_0000\.png, .*ge"
    ):
        read(fhad)


def test_sequences_in_no_split(fhad):
    write_fhad_sequence(fhad, "Subject_5/give_coin/1", 1)
    write_fhad_sequence(fhad, "Subject_5/juggle/1", 1)
    records = {record["sequence"]: record for record in read(fhad)[0]}
    for name, action in (("give_coin", 38), ("juggle", -1)):
        record = records[f"Subject_5/{name}/1"]
        assert (record["split"], record["action"]) == ("", action)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda depth, _: (depth / "depth_0001.png").rename(depth / "depth_0003.png"),
            r"put_salt/1/depth/depth_0001\.png is missing, and .*put_salt/1/skeleton\.txt has",
        ),
        (
            lambda depth, _: shutil.copy(depth / "depth_0001.png", depth / "depth_0003.png"),
            r"depth_0003\.png has no joints in .*skeleton\.txt",
        ),
        (
            lambda depth, _: (depth / "depth_0001.png").rename(depth / "first.png"),
            r"first\.png is no frame by its name",
        ),
        (
            lambda depth, _: shutil.copy(depth / "depth_0001.png", depth / "depth_1.png"),
            r"depth_0001\.png and depth_1\.png are both frame 1",
        ),
        (
            lambda depth, _: (depth / "depth_0001.png").write_bytes(png(np.zeros((9, 9), "u1"))),
            r"depth_0001\.png holds 8-bit depth, which is too coarse",
        ),
        (
            lambda depth, _: (depth / "depth_0001.png").write_bytes(png(np.ones((480, 640), "u2"))),
            r"depth_0001\.png holds depth of at most 1, which looks like metres",
        ),
        (
            lambda depth, _: (depth / "depth_0001.png").write_bytes(
                png(np.full((240, 320), 500, "u2"))
            ),
            r"depth_0001\.png is 240x320 and an image of the camera fhad 480x640",
        ),
        (lambda _, skeleton: skeleton.unlink(), r"put_salt/1/skeleton\.txt is missing"),
    ],
)
def test_what_does_not_match_is_named(fhad, change, message):
    sequence = "Subject_1/put_salt/1"
    change(depth_of(fhad, sequence), skeleton_of(fhad, sequence))
    with pytest.raises(
        UserError, match=rf"{message}.*; mend it or leave it out: --config.data.bad"
    ):
        read(fhad)
    records, count = read(fhad, "skip")
    assert count >= 1
    assert names(records)[-15:] == ALL[-15:]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (lambda words: words[:61], r"60 numbers \(20 joints\); a hand of fhad has 21 joints, 63"),
        (lambda words: words[:-1], r"62 numbers \(a broken line\)"),
        (lambda words: [*words[:5], "nan", *words[6:]], "the joint thumb MCP is NaN or infinite"),
        (
            lambda words: [*words[:3], "-5", *words[4:]],
            "the joint wrist is behind the camera, z = -5",
        ),
        (lambda words: [*words[:3], "5mm", *words[4:]], "not numbers only"),
        (lambda words: ["0", *words[1:]], "frame 0 is there twice"),
        (lambda words: ["one", *words[1:]], "'one' names no frame"),
        (lambda words: [], "'' names no frame"),
    ],
)
def test_lines_that_cannot_be(fhad, line, message):
    skeleton = skeleton_of(fhad, "Subject_1/put_salt/1")
    lines = skeleton.read_text().splitlines()
    lines[1] = " ".join(line(lines[1].split()))
    skeleton.write_text("\n".join(lines))
    with pytest.raises(UserError, match=rf"put_salt/1/skeleton\.txt, line 2: {message}"):
        read(fhad)
    records, _ = read(fhad, "skip")
    left_out = {ALL[1], ALL[0]} if "twice" in message else {ALL[1]}
    assert names(records) == [name for name in ALL if name not in left_out]


GOOD = "Training 1\nSubject_1/prick/1 5\nTest 1\nSubject_1/prick/2 5\n"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Training 1\n", "", r", line 1: 'Subject_1/prick/1 5' is no sequence and its class"),
        ("prick/2 5", "prick 5", r", line 4: 'Subject_1/prick 5' is no sequence and its class"),
        ("prick/2 5", "prick/2", r", line 4: 'Subject_1/prick/2' is no sequence and its class"),
        ("prick/2 5", "prick/1 5", r", line 4: Subject_1/prick/1 is there twice"),
        ("prick/2 5", "prick/2 6", r", line 4: prick is class 5, not 6"),
        ("Training 1", "Training 2", r" lists 1 sequences to train and announces 2; get it again"),
        ("Test 1\n", "", r" lists 2 sequences to train and announces 1; get it again"),
    ],
)
def test_a_split_file_that_is_laid_out_otherwise(tmp_path, old, new, message):
    path = tmp_path / "split.txt"
    path.write_text(GOOD)
    assert read_splits(path) == {
        "Subject_1/prick/1": ("train", 5),
        "Subject_1/prick/2": ("test", 5),
    }
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(UserError, match=rf"split\.txt{message}"):
        read_splits(path)


@pytest.mark.parametrize(
    "part", ["Video_files", "Hand_pose_annotation_v1_1", "data_split_action_recognition.txt"]
)
def test_parts_that_are_missing_are_asked_for(fhad, tmp_path, part):
    assert find_root(tmp_path) == fhad
    (fhad / part).rename(fhad / "away")
    with pytest.raises(
        UserError,
        match=rf"holds no {part}/?; get the First-Person Hand Action benchmark by its form on .* \(cite "
        r"Garcia-Hernando et al\., CVPR 2018; for academic research, it may not be passed on\)",
    ):
        find_root(fhad)


def test_the_builder_keeps_the_bytes(fhad, tmp_path):
    builder = Fhad(source=fhad, data_dir=tmp_path / "prepared")
    builder.download_and_prepare()
    records = list(tfds.as_numpy(builder.as_dataset(split="frames")))
    assert [f"{r['sequence'].decode()}/{r['frame']}" for r in records] == ALL
    expected = (depth_of(fhad, SEQUENCES[0]) / "depth_0000.png").read_bytes()
    assert records[0]["depth"] == expected
    assert records[0]["split"] == b"test"
    assert (builder.info.metadata["depth_format"], builder.info.metadata["camera"]) == (
        "png",
        "fhad",
    )


def test_the_builder_counts_what_is_left_out(fhad, tmp_path):
    (depth_of(fhad, SEQUENCES[0]) / "depth_0000.png").unlink()
    builder = Fhad(source=fhad, data_dir=tmp_path / "prepared", bad_frames="skip")
    builder.download_and_prepare()
    assert builder.info.metadata["left_out"] == 1
    assert builder.info.splits["frames"].num_examples == len(ALL) - 1
