import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds
from tiny_hands import hand_depth, hand_points, png, write_icvl

from vid_jax.cameras import CAMERAS
from vid_jax.errors import UserError
from vid_jax.input_pipeline.datasets.icvl import Icvl
from vid_jax.input_pipeline.datasets.icvl_files import find_root, read_records
from vid_jax.input_pipeline.depth_files import DECODERS
from vid_jax.input_pipeline.frame_files import BadFrames

TRAIN = [f"{recording}/{n}" for recording in ("201403121135", "201403121140") for n in range(4)]
TEST = [f"test_seq_{sequence}/{n}" for sequence in (1, 2) for n in range(3)]


@pytest.fixture
def icvl(tmp_path) -> Path:
    return write_icvl(tmp_path / "icvl")


def read(root, split, policy="error"):
    bad_frames = BadFrames(policy)
    return list(read_records(root, bad_frames)[split]), bad_frames.count


def names(records):
    return [f"{record['sequence']}/{record['frame']}" for record in records]


@pytest.mark.parametrize("official", [True, False])
def test_records_are_of_images_as_recorded(tmp_path, official):
    root = find_root(write_icvl(tmp_path / "icvl", official=official))
    for split, expected in (("train", TRAIN), ("test", TEST)):
        records, _ = read(root, split)
        assert names(records) == expected
        for record in records:
            assert (record["split"], record["subject"], record["action"]) == (split, "", -1)
            assert record["cube"] == 250
            points = hand_points("icvl", record["sequence"], record["frame"])
            np.testing.assert_allclose(record["joints"], points, atol=1e-3)
            depth = DECODERS["png"](record["depth"]).depth
            np.testing.assert_array_equal(depth, hand_depth("icvl", points))
            u, v, z = CAMERAS["icvl"].project(record["joints"]).T
            assert np.abs(depth[np.rint(v).astype(int), np.rint(u).astype(int)] - z).max() < 40


def test_lines_and_files_in_another_order_are_the_same_frames(icvl, monkeypatch):
    expected, _ = read(icvl, "train")
    labels = icvl / "Training" / "labels.txt"
    labels.write_text("\n".join(reversed(labels.read_text().splitlines())))
    glob = Path.glob
    monkeypatch.setattr(Path, "glob", lambda *args: reversed(list(glob(*args))))
    np.testing.assert_equal(read(icvl, "train")[0], expected)


def test_one_test_sequence_is_enough(icvl):
    (icvl / "Testing" / "test_seq_2.txt").unlink()
    assert names(read(find_root(icvl), "test")[0]) == TEST[:3]


def line(change):
    """Changes the words of the second line of the training labels."""

    def apply(training):
        lines = (training / "labels.txt").read_text().splitlines()
        lines[1] = " ".join(change(lines[1].split()))
        (training / "labels.txt").write_text("\n".join(lines))

    return apply


def image(data):
    def apply(training):
        (training / "Depth" / "201403121135" / "image_0001.png").write_bytes(data)

    return apply


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda training: (training / "Depth" / "201403121135" / "image_0001.png").unlink(),
            r"201403121135/image_0001\.png is missing, and .*Training/labels\.txt has their joints",
        ),
        (line(lambda words: ["nothing"]), r"labels\.txt, line 2: 'nothing' names no frame"),
        (
            line(lambda words: [*words[:4], "nan", *words[5:]]),
            r"labels\.txt, line 2: the joint thumb root is NaN or infinite",
        ),
        (
            line(lambda words: words[:46]),
            r"labels\.txt, line 2: 45 numbers \(15 joints\); a hand of icvl has 16 joints, 48",
        ),
        (image(b"no image"), r"201403121135/image_0001\.png cannot be decoded; get it again"),
        (image(png(np.zeros((240, 320), np.uint8))), r"image_0001\.png holds 8-bit depth"),
    ],
)
def test_what_does_not_match_is_named(icvl, change, message):
    change(icvl / "Training")
    with pytest.raises(
        UserError, match=rf"{message}.*; mend it or leave it out: --config.data.bad"
    ):
        read(icvl, "train")
    records, _ = read(icvl, "train", "skip")
    assert names(records) == [TRAIN[0], *TRAIN[2:]]


def test_images_without_a_line_and_lines_there_twice(icvl):
    folder = icvl / "Training" / "Depth" / "201403121140"
    shutil.copy(folder / "image_0000.png", folder / "image_0004.png")
    with pytest.raises(UserError, match=r"image_0004\.png has no joints in .*labels\.txt"):
        read(icvl, "train")
    assert names(read(icvl, "train", "skip")[0]) == TRAIN
    line(lambda words: ["201403121135/image_0000.png", *words[1:]])(icvl / "Training")
    with pytest.raises(
        UserError, match=r"labels\.txt, line 2: frame 201403121135/image_0000\.png is there twice"
    ):
        read(icvl, "train")
    assert names(read(icvl, "train", "skip")[0]) == TRAIN[2:]


def test_parts_that_are_missing_are_asked_for(icvl, tmp_path):
    assert find_root(tmp_path) == icvl
    shutil.rmtree(icvl / "Testing" / "Depth")
    with pytest.raises(
        UserError,
        match=r"holds no Training/labels\.txt and Testing/test_seq_1\.txt with Depth/ beside them; "
        r"get the ICVL hand posture data set from .* \(cite Tang et al\., CVPR 2014\)",
    ):
        find_root(tmp_path)


def test_the_builder_keeps_the_bytes(icvl, tmp_path):
    builder = Icvl(source=icvl, data_dir=tmp_path / "prepared")
    builder.download_and_prepare()
    records = list(tfds.as_numpy(builder.as_dataset(split="test")))
    assert [f"{r['sequence'].decode()}/{r['frame']}" for r in records] == TEST
    depth = (icvl / "Testing" / "Depth" / "test_seq_1" / "image_0000.png").read_bytes()
    assert records[0]["depth"] == depth
    assert builder.info.splits["train"].num_examples == len(TRAIN)
