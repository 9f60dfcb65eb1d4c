import collections
import pathlib
import tarfile

import numpy as np
import pytest
from tiny_data import frame_image, write_image, write_ped

from vid_jax.errors import UserError
from vid_jax.input_pipeline.datasets import ucsd_files
from vid_jax.input_pipeline.frame_files import BadFrames, decode_image

PED2 = pathlib.Path(__file__).parents[3] / "shared" / "data" / "ucsd_ped2"


def read(root, ped="ped2", policy="error"):
    bad_frames = BadFrames(policy)
    train = list(ucsd_files.read_training(root, ped, bad_frames))
    return train, list(ucsd_files.read_test(root, ped, bad_frames)), bad_frames.count


@pytest.mark.parametrize("suffix", [".tif", ".png", ".bmp"])
def test_records_hold_the_published_frames_in_order(tmp_path, suffix):
    train, test, _ = read(write_ped(tmp_path / "ped", suffix=suffix))
    clips = ["Train001"] * 9 + ["Train002"] * 7 + ["Train003"] * 8
    assert [record["video"] for record in train] == clips
    assert [record["frame"] for record in test] == [*range(1, 7), *range(1, 11)]
    for record in train + test:
        expected = frame_image(record["video"], record["frame"])
        np.testing.assert_array_equal(decode_image(record["image"]), expected)


def test_jpeg_frames_keep_their_bytes(tmp_path):
    root = write_ped(tmp_path / "ped", suffix=".jpg")
    assert read(root)[0][1]["image"] == (root / "Train" / "Train001" / "002.jpg").read_bytes()


@pytest.mark.parametrize("mask_suffix", [".bmp", ".png"])
def test_labels_and_masks_of_both_naming_habits(tmp_path, mask_suffix):
    train, test, _ = read(write_ped(tmp_path / "ped", mask_suffix=mask_suffix))
    labels = [record["label"] for record in test]
    assert labels == [0, 1, 1, 0, 0, 1] + [0] * 3 + [1] * 7
    assert [bool(decode_image(record["mask"]).any()) for record in test] == [x == 1 for x in labels]
    assert {(record["label"], record["mask"]) for record in train} == {(0, b"")}


def test_litter_is_passed_over(ped):
    before = read(ped)
    for folder in (ped / "Test", ped / "Test" / "Test001", ped / "Test" / "Test001_gt"):
        (folder / ".DS_Store").write_bytes(b"\0")
        (folder / "._001.tif").write_bytes(b"\0")
    (ped / "Train" / "._Train001").mkdir()
    assert read(ped) == before


def test_clips_without_published_masks(ped):
    for mask in (ped / "Test" / "Test002_gt").iterdir():
        mask.unlink()
    (ped / "Test" / "Test002_gt").rmdir()
    assert {bool(r["mask"]) for r in read(ped)[1] if r["video"] == "Test002"} == {False}


def test_source_may_be_any_folder_of_the_tree(tmp_path):
    root = write_ped(tmp_path / "UCSD_Anomaly_Dataset.v1p2" / "UCSDped2")
    for source in (root, root.parent, root.parent.parent):
        assert ucsd_files.find_root(source, "ped2") == root
    with pytest.raises(UserError, match=r"UCSDped1\.m is missing"):
        ucsd_files.find_root(root, "ped1")
    with pytest.raises(UserError, match="holds neither Train/ and Test/ nor UCSDped2/"):
        ucsd_files.find_root(root / "Train", "ped2")


def test_archive_is_unpacked_and_a_truncated_one_is_an_error(tmp_path):
    tree = tmp_path / "UCSD_Anomaly_Dataset.v1p2"
    root = write_ped(tree / "UCSDped2")
    archive = tmp_path / "UCSD_Anomaly_Dataset.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tree, tree.name)
    assert read(ucsd_files.extract(archive, "ped2", tmp_path / "a")) == read(root)
    archive.write_bytes(archive.read_bytes()[:2000])
    with pytest.raises(UserError, match=r"UCSD_Anomaly_Dataset\.tar\.gz cannot be unpacked"):
        ucsd_files.extract(archive, "ped2", tmp_path / "b")


def test_the_frame_that_is_corrupt_as_published_is_replaced(tmp_path, log):
    root = write_ped(tmp_path / "ped", ped="ped1")
    for number in range(1, 144):
        for folder in ("Test017", "Test017_gt"):
            write_image(root / "Test" / folder / f"{number:03d}.tif", frame_image(folder, number))
    for index in range(3, 17):
        write_image(root / "Test" / f"Test{index:03d}" / "001.tif", frame_image("", 1))
    labels = root / "Test" / "UCSDped1.m"
    labels.write_text("TestVideoFile{end+1}.gt_frame = [];\n" * 17)
    (root / "Test" / "Test017" / "142.tif").write_bytes(b"II*\0")
    _, test, _ = read(root, "ped1")
    images = {record["frame"]: record["image"] for record in test if record["video"] == "Test017"}
    assert len(images) == 143
    assert images[142] == images[141] != images[143]
    assert log().count("142.tif is corrupt as published") == 1


def break_gap(root):
    (root / "Test" / "Test002" / "005.tif").unlink()
    (root / "Test" / "Test002_gt" / "frame005.bmp").unlink()


def break_first(root):
    (root / "Train" / "Train001" / "001.tif").unlink()


def break_frame(root):
    (root / "Test" / "Test002" / "005.tif").write_bytes(b"II*\0")


def break_mask(root):
    (root / "Test" / "Test002_gt" / "frame005.bmp").write_bytes(b"BM")


def lose_mask(root):
    (root / "Test" / "Test002_gt" / "frame005.bmp").unlink()


def lose_last(root):
    (root / "Test" / "Test002" / "010.tif").unlink()
    (root / "Test" / "Test002_gt" / "frame010.bmp").unlink()


def lose_label_line(root):
    labels = root / "Test" / "UCSDped2.m"
    labels.write_text("\n".join(labels.read_text().splitlines()[:2]))


@pytest.mark.parametrize(
    ("damage", "message", "train", "test"),
    [
        (break_gap, "Test002: no frame 5", 24, 15),
        (break_first, "Train001: no frame 1", 23, 16),
        (break_frame, r"Test002/005\.tif cannot be decoded", 24, 15),
        (break_mask, r"Test002_gt/frame005\.bmp cannot be decoded", 24, 15),
        (lose_mask, "Test002_gt: frame 5 has no mask", 24, 15),
        (lose_last, r"UCSDped2\.m, .*Test002: range 4:10 does not lie within frames 1:9", 24, 15),
        (lose_label_line, r"UCSDped2\.m labels 1 clips and .*Test holds 2", 24, 6),
    ],
)
def test_damage_is_an_error_or_is_left_out(ped, log, damage, message, train, test):
    damage(ped)
    with pytest.raises(UserError, match=message):
        read(ped)
    found_train, found_test, count = read(ped, policy="skip")
    assert (len(found_train), len(found_test), count) == (train, test, 1)
    assert "left out: " in log()


@pytest.mark.parametrize(
    ("name", "message"),
    [("x.tif", "no number in the name"), ("3.tif", "frame 3 is there twice")],
)
def test_names_that_do_not_number_the_frames(ped, name, message):
    write_image(ped / "Train" / "Train001" / name, frame_image("", 1))
    with pytest.raises(UserError, match=message):
        read(ped)


def test_an_empty_clip_is_an_error(ped):
    (ped / "Train" / "Train004").mkdir()
    with pytest.raises(UserError, match="Train004 holds no frames"):
        read(ped)


@pytest.mark.skipif(not PED2.is_dir(), reason="needs the real UCSD Ped2")
def test_real_ped2_counts():
    train, test, _ = read(PED2)
    assert (len(train), len(test), sum(r["label"] for r in test)) == (2550, 2010, 1648)
    assert min(collections.Counter(r["video"] for r in train).values()) == 120
