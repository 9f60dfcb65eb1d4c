import shutil
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import tensorflow_datasets as tfds
from tiny_hands import hand_depth, hand_points, png, write_nyu

from vid_jax.cameras import CAMERAS
from vid_jax.errors import UserError
from vid_jax.input_pipeline.datasets.nyu import Nyu
from vid_jax.input_pipeline.datasets.nyu_files import find_root, read_records
from vid_jax.input_pipeline.depth_files import DECODERS
from vid_jax.input_pipeline.frame_files import BadFrames


@pytest.fixture
def nyu(tmp_path) -> Path:
    return write_nyu(tmp_path / "nyu")


def read(root, split, policy="error"):
    bad_frames = BadFrames(policy)
    return list(read_records(root, bad_frames)[split]), bad_frames.count


def frames(records):
    return [record["frame"] for record in records]


def change_joints(root, split, change):
    path = root / split / "joint_data.mat"
    contents = scipy.io.loadmat(path)
    scipy.io.savemat(path, {"joint_xyz": change(contents["joint_xyz"])})


def test_records_hold_packed_depth_and_the_evaluated_joints(nyu):
    for split, count, sequence in (("train", 4, "train"), ("test", 3, "test_1")):
        records, _ = read(find_root(nyu), split)
        assert frames(records) == [*range(1, count + 1)]
        for record in records:
            assert (record["sequence"], record["subject"]) == (sequence, "subject_1")
            assert (record["split"], record["action"], record["cube"]) == (split, -1, 300)
            points = hand_points("nyu", split, record["frame"])
            np.testing.assert_allclose(record["joints"], points, atol=1e-3)
            depth = DECODERS["nyu"](record["depth"]).depth
            np.testing.assert_array_equal(depth, hand_depth("nyu", points))
            u, v, z = CAMERAS["nyu"].project(record["joints"]).T
            assert np.abs(depth[np.rint(v).astype(int), np.rint(u).astype(int)] - z).max() < 40


def test_the_second_test_subject_begins_with_frame_2441(tmp_path):
    write_nyu(tmp_path, test=2442, written=(1, 2440, 2441, 2442))
    records, count = read(tmp_path, "test", "skip")
    assert count == 1
    assert [(r["frame"], r["sequence"], r["subject"], r["cube"]) for r in records] == [
        (1, "test_1", "subject_1", 300),
        (2440, "test_1", "subject_1", 300),
        (2441, "test_2", "subject_2", 250),
        (2442, "test_2", "subject_2", 250),
    ]
    with pytest.raises(
        UserError,
        match=r"depth_1_0000002\.png to depth_1_0002439\.png are missing, and .*\.mat has",
    ):
        read(tmp_path, "test")


def test_the_order_of_listing_does_not_matter(nyu, monkeypatch):
    expected, _ = read(nyu, "train")
    glob = Path.glob
    monkeypatch.setattr(Path, "glob", lambda *args: reversed(list(glob(*args))))
    np.testing.assert_equal(read(nyu, "train")[0], expected)


@pytest.mark.parametrize(
    ("change", "message", "left"),
    [
        (
            lambda root: (root / "train" / "depth_1_0000002.png").unlink(),
            r"train/depth_1_0000002\.png is missing, and .*train/joint_data\.mat has their joints",
            [1, 3, 4],
        ),
        (
            lambda root: change_joints(root, "train", lambda joints: joints[:, :3]),
            r"train/depth_1_0000004\.png has no joints in .*joint_data\.mat",
            [1, 2, 3],
        ),
        (
            lambda root: shutil.copy(
                root / "train" / "depth_1_0000002.png", root / "train" / "depth_1_2.png"
            ),
            r"depth_1_0000002\.png and depth_1_2\.png are both frame 2",
            [1, 3, 4],
        ),
        (
            lambda root: (root / "train" / "depth_1_0000002.png").write_bytes(
                png(np.full((480, 640), 500, np.uint16))
            ),
            r"depth_1_0000002\.png is no colour image; NYU packs depth in green and blue",
            [1, 3, 4],
        ),
        (
            lambda root: change_joints(
                root,
                "train",
                lambda joints: np.where(
                    np.arange(4)[:, None, None] == 1, [0, 0, -1], np.zeros_like(joints) + 500
                ),
            ),
            r"joint_data\.mat, frame 2: the joint little tip is behind the camera, z = -1 mm",
            [1, 3, 4],
        ),
        (
            lambda root: change_joints(
                root,
                "train",
                lambda joints: np.where(np.arange(4)[:, None, None] == 1, np.nan, joints),
            ),
            r"joint_data\.mat, frame 2: the joint little tip is NaN or infinite",
            [1, 3, 4],
        ),
    ],
)
def test_what_does_not_match_is_named(nyu, change, message, left):
    change(nyu)
    with pytest.raises(
        UserError, match=rf"{message}.*; mend it or leave it out: --config.data.bad"
    ):
        read(nyu, "train")
    records, count = read(nyu, "train", "skip")
    assert (frames(records), count) == (left, 1)


def test_labels_of_another_shape(nyu):
    change_joints(nyu, "test", lambda joints: joints[:, :, :20])
    with pytest.raises(
        UserError,
        match=r"test/joint_data\.mat: joint_xyz is of shape \(3, 3, 20, 3\), not \(cameras, frames, 36",
    ):
        read(nyu, "test")


def test_parts_that_are_missing_are_asked_for(nyu, tmp_path):
    assert find_root(tmp_path) == nyu
    (nyu / "test" / "joint_data.mat").unlink()
    with pytest.raises(UserError, match=r"test/joint_data\.mat is missing; get the NYU hand pose"):
        find_root(tmp_path)
    shutil.rmtree(nyu / "test")
    with pytest.raises(
        UserError, match=r"holds no train/ and test/; get .* \(cite Tompson et al\., ACM TOG 2014\)"
    ):
        find_root(tmp_path)


def test_the_builder_keeps_the_bytes(nyu, tmp_path):
    builder = Nyu(source=nyu, data_dir=tmp_path / "prepared")
    builder.download_and_prepare()
    for split, count in (("train", 4), ("test", 3)):
        records = list(tfds.as_numpy(builder.as_dataset(split=split)))
        assert frames(records) == [*range(1, count + 1)]
        assert records[1]["depth"] == (nyu / split / "depth_1_0000002.png").read_bytes()
        assert records[1]["joints"].shape == (14, 3)
    assert builder.info.metadata["depth_format"] == "nyu"
