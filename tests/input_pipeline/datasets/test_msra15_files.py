import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds
from tiny_hands import hand_depth, hand_points, msra_bin, write_msra15

from vid_jax.cameras import CAMERAS
from vid_jax.errors import UserError
from vid_jax.input_pipeline.datasets.msra15 import Msra15
from vid_jax.input_pipeline.datasets.msra15_files import CUBES, find_root, read_records
from vid_jax.input_pipeline.depth_files import DECODERS
from vid_jax.input_pipeline.frame_files import BadFrames


@pytest.fixture
def msra(tmp_path) -> Path:
    return write_msra15(tmp_path / "msra", ("P0", "P3", "P8"))


def read(root, policy="error"):
    bad_frames = BadFrames(policy)
    records = list(read_records(root, bad_frames)["frames"])
    return records, bad_frames.count


def names(records):
    return [f"{record['sequence']}/{record['frame']}" for record in records]


ALL = [f"{s}/{g}/{n}" for s in ("P0", "P3", "P8") for g in ("1", "Y") for n in range(4)]


def edit(labels: Path, change) -> None:
    """Rewrites joint.txt from its first line and its list of other lines."""
    first, *lines = labels.read_text().splitlines()
    labels.write_text("\n".join([*change(first, lines), ""]))


def test_records_hold_depth_joints_and_the_subjects_cube(msra, log):
    records, _ = read(find_root(msra))
    assert names(records) == ALL
    assert "msra lacks P0/2, P0/3, P0/4, P0/5, P0/6 and 142 more" in log()
    assert [record["cube"] for record in records[::8]] == [200, 180, 150]
    assert {record["subject"] for record in records} == {"P0", "P3", "P8"}
    for record in records:
        points = hand_points("msra15", record["sequence"], record["frame"])
        np.testing.assert_allclose(record["joints"], points, atol=1e-3)
        depth = DECODERS["msra_bin"](record["depth"])
        assert (record["left"], record["top"]) == depth[1:3]
        whole = np.zeros((240, 320), np.uint16)
        height, width = depth.depth.shape
        whole[depth.top : depth.top + height, depth.left : depth.left + width] = depth.depth
        np.testing.assert_array_equal(whole, hand_depth("msra15", points, background=0))
        assert np.isnan(record["com"]).all()
        assert (record["action"], record["split"]) == (-1, "")


def test_joints_lie_on_the_surface_they_are_seen_on(msra):
    """The turn of y and z is right: upside down they would fall beside the hand."""
    for record in read(msra)[0]:
        depth = DECODERS["msra_bin"](record["depth"])
        u, v, z = CAMERAS["msra15"].project(record["joints"]).T
        seen = depth.depth[np.rint(v).astype(int) - depth.top, np.rint(u).astype(int) - depth.left]
        assert np.abs(seen - z).max() < 40


def test_the_cubes_are_those_of_the_nine_subjects():
    assert [*CUBES.values()] == [200, 200, 200, 180, 180, 180, 170, 160, 150]


def test_the_order_of_listing_does_not_matter(msra, monkeypatch):
    expected, _ = read(msra)
    glob = Path.glob
    monkeypatch.setattr(Path, "glob", lambda *args: reversed(list(glob(*args))))
    records, _ = read(msra)
    assert names(records) == names(expected)
    for record, other in zip(records, expected, strict=True):
        assert record["depth"] == other["depth"]


def test_files_that_are_missing_added_or_there_twice(msra):
    folder = msra / "P3" / "1"
    (folder / "000002_depth.bin").rename(folder / "000004_depth.bin")
    with pytest.raises(UserError, match=r"P3/1/000002_depth\.bin is missing, and .*joint\.txt has"):
        read(msra)
    (folder / "000001_depth.bin").unlink()
    (folder / "000003_depth.bin").rename(folder / "3_depth.bin")
    shutil.copy(folder / "3_depth.bin", folder / "03_depth.bin")
    shutil.copy(folder / "3_depth.bin", folder / "copy.bin")
    records, count = read(msra, "skip")
    assert names(records) == [name for name in ALL if name not in {f"P3/1/{n}" for n in (1, 2, 3)}]
    assert count == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda folder: (folder / "000004_depth.bin").write_bytes(b""),
            r"000004_depth\.bin has no joints in .*P0/Y/joint\.txt",
        ),
        (
            lambda folder: shutil.copy(folder / "000003_depth.bin", folder / "3_depth.bin"),
            r"000003_depth\.bin and 3_depth\.bin are both frame 3",
        ),
        (
            lambda folder: shutil.copy(folder / "000003_depth.bin", folder / "copy of 3.bin"),
            r"copy of 3\.bin is no frame by its name",
        ),
        (
            lambda folder: [(folder / f"00000{n}_depth.bin").unlink() for n in (1, 2)],
            r"000001_depth\.bin to 000002_depth\.bin are missing, and .*joint\.txt has their",
        ),
        (
            lambda folder: (folder / "000001_depth.bin").write_bytes(bytes(30)),
            r"000001_depth\.bin is too long: 30 bytes for a box of 24",
        ),
        (
            lambda folder: (folder / "000001_depth.bin").write_bytes(
                msra_bin(hand_depth("fhad", hand_points("fhad", "", 0), 0), CAMERAS["fhad"])
            ),
            r"000001_depth\.bin is 480x640 and an image of the camera msra15 240x320",
        ),
        (
            lambda folder: edit(folder / "joint.txt", lambda first, lines: [first, *lines[1:]]),
            r"joint\.txt: 3 lines of joints, and the first line says 4",
        ),
        (
            lambda folder: edit(folder / "joint.txt", lambda first, lines: lines),
            r"joint\.txt: the first line is not the number of frames",
        ),
        (lambda folder: (folder / "joint.txt").unlink(), r"joint\.txt is missing"),
        (
            lambda folder: (folder / "joint.txt").write_bytes(b"\xff\xfe\x00"),
            r"joint\.txt is no text file; get it again",
        ),
    ],
)
def test_what_does_not_match_is_named(msra, change, message):
    change(msra / "P0" / "Y")
    with pytest.raises(
        UserError, match=rf"{message}.*; mend it or leave it out: --config.data.bad"
    ):
        read(msra)
    records, count = read(msra, "skip")
    assert count == 1
    assert names(records)[:4] == ALL[:4]
    assert names(records)[-16:] == ALL[-16:]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (lambda numbers: numbers[3:], r"60 numbers \(20 joints\); a hand of msra15 has 21 joints"),
        (lambda numbers: numbers[1:], r"62 numbers \(a broken line\); .* 63 numbers"),
        (lambda numbers: ["x", *numbers[1:]], "not numbers only"),
        (lambda numbers: [*numbers[:-1], "nan"], "the joint thumb tip is NaN or infinite"),
        (
            lambda numbers: [*numbers[:2], "450.0", *numbers[3:]],
            r"the joint wrist is behind the camera, z = -450 mm",
        ),
    ],
)
def test_joints_that_cannot_be(msra, line, message):
    def change(first, lines):
        lines[2] = " ".join(line(lines[2].split()))
        return [first, *lines]

    edit(msra / "P8" / "1" / "joint.txt", change)
    with pytest.raises(UserError, match=rf"P8/1/joint\.txt, line 4: {message}"):
        read(msra)
    records, count = read(msra, "skip")
    assert count == 1
    assert names(records) == [name for name in ALL if name != "P8/1/2"]


def test_frames_known_to_be_faulty_are_left_out(tmp_path, log):
    write_msra15(tmp_path, ("P3",), ("T",), frames=122)
    labels = tmp_path / "P3" / "T" / "joint.txt"

    def change(first, lines):
        lines[120] = "nan " * 63
        return [first, *lines]

    edit(labels, change)
    expected = [f"P3/T/{number}" for number in range(122) if number != 120]
    assert names(read(tmp_path)[0]) == expected
    assert "frames of P3/T that are known to be faulty are left out" in log()
    (labels.parent / "000120_depth.bin").unlink()
    assert names(read(tmp_path)[0]) == expected


def test_the_folder_of_subjects_is_found_or_asked_for(tmp_path, msra):
    assert find_root(tmp_path) == msra
    shutil.rmtree(msra)
    with pytest.raises(
        UserError,
        match=r"holds no P0/1/joint\.txt, \.\.\.; get the MSRA hand .* https://jimmysuen\.github\.io "
        r"\(cite Sun et al\., CVPR 2015; it may not be passed on\)",
    ):
        find_root(tmp_path)


def test_the_builder_keeps_the_bytes(msra, tmp_path):
    builder = Msra15(source=msra, data_dir=tmp_path / "prepared")
    builder.download_and_prepare()
    assert dict(builder.info.metadata) == {
        "kind": "hands",
        "depth_format": "msra_bin",
        "camera": "msra15",
        "skeleton": "msra15",
        "left_out": 0,
    }
    records = list(tfds.as_numpy(builder.as_dataset(split="frames")))
    assert [f"{r['sequence'].decode()}/{r['frame']}" for r in records] == ALL
    first = records[0]
    assert first["depth"] == (msra / "P0" / "1" / "000000_depth.bin").read_bytes()
    np.testing.assert_allclose(first["joints"], hand_points("msra15", "P0/1", 0), atol=1e-3)
    assert first["cube"] == 200


def test_without_a_source_the_error_says_what_to_get(tmp_path):
    with pytest.raises(UserError, match=r"msra15 is not downloaded: get .* name its folder"):
        Msra15(data_dir=tmp_path).download_and_prepare()
