"""Recognising the action of files of joints, with a network that answers by the mean height of a joint."""

import csv
import logging

import numpy as np
import pytest

from vid_jax.cameras import CAMERAS
from vid_jax.errors import UserError
from vid_jax.hand_joints import SKELETONS
from vid_jax.metrics.action import frames_seen
from vid_jax.pose_files import write_poses
from vid_jax.tasks._action_files import inputs, predict

FHAD, SKELETON = CAMERAS["fhad"], SKELETONS["fhad"]
ACTIONS = ("pour_milk", "stir", "write")


def joints_of(frames=5):
    points = np.random.default_rng(0).normal(0, 30, (frames, 21, 3)) + [0, 0, 400]
    points[:, 0, 1] += 10 * np.arange(frames)
    return points


def write_skeleton(path, points, numbers=None):
    """As the benchmark publishes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    numbers = numbers or range(len(points))
    lines = [f"{n:04d} " + " ".join(f"{x:.4f}" for x in p.ravel()) for n, p in zip(numbers, points)]
    path.write_text("\n".join(lines) + "\n")
    return path


class Network:
    """Says class 1 the surer the more frames there are, and keeps the batch."""

    def __init__(self, said="frame"):
        self._said = said

    def __call__(self, batch):
        self.batch = batch
        b, t = batch["joints"].shape[:2]
        share = np.arange(1, t + 1) / (t + 1)
        said = np.log(np.stack([(1 - share) / 2, share, (1 - share) / 2], axis=-1))
        outputs = {"log_probs": said[batch["length"] - 1], "steps": batch["length"]}
        if self._said == "frame":
            outputs["frame_log_probs"] = np.broadcast_to(said, (b, t, 3))
        elif self._said == "fraction":
            seen = np.stack([frames_seen(length) for length in batch["length"]])
            outputs["fraction_log_probs"] = said[seen - 1]
        return outputs


def run(source, output, network=None, batch_size=2, **keys):
    network = network or Network()
    keys = dict(lengths=(8, 16)) | keys
    predict(network, batch_size, source, output, ACTIONS, SKELETON, **keys)
    return network.batch


def read(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_benchmark_file_gives_a_padded_batch_and_its_action(tmp_path, caplog):
    points = joints_of()
    source = write_skeleton(tmp_path / "Subject_1" / "stir" / "3" / "skeleton.txt", points)
    with caplog.at_level(logging.INFO, logger="absl"):
        batch = run(source, tmp_path / "output")
    assert "stir, 0.56" in caplog.text
    assert batch["joints"].shape == (2, 8, 21, 3)
    assert batch["joints"].dtype == np.float32
    np.testing.assert_allclose(batch["joints"][0, :5], points, atol=1e-3)
    assert not batch["joints"][:, 5:].any()
    assert batch["length"].tolist() == [5, 5]
    assert batch["mask"].tolist() == [1, 0]
    assert all(batch[name].dtype == np.int32 for name in ("length", "action", "index", "epoch"))
    [row] = read(tmp_path / "output" / "actions.csv")
    assert (row["sequence"], row["frames"], row["predicted"]) == ("3", "5", "stir")
    assert float(row["stir"]) == pytest.approx(5 / 9)
    rows = read(tmp_path / "output" / "frame_actions.csv")
    assert [r["frame"] for r in rows] == [f"{i:04d}" for i in range(5)]
    assert [float(r["stir"]) for r in rows] == pytest.approx([i / 9 for i in range(1, 6)])
    assert (tmp_path / "output" / "actions.png").stat().st_size


def test_frames_are_put_in_the_order_of_their_numbers(tmp_path):
    points = joints_of()
    source = write_skeleton(tmp_path / "a.txt", points[::-1], [10, 9, 3, 2, 1])
    batch = run(source, tmp_path / "output")
    np.testing.assert_allclose(batch["joints"][0, :5], points, atol=1e-3)


def test_joints_in_pixels_need_their_camera(tmp_path):
    points = joints_of()
    write_poses(tmp_path / "a.txt", points, FHAD, "uvd")
    batch = run(tmp_path / "a.txt", tmp_path / "output", camera="fhad")
    np.testing.assert_allclose(batch["joints"][0, :5], points, atol=0.01)


def test_long_sequences_are_cut_as_in_training(tmp_path):
    points = joints_of(9)
    source = write_skeleton(tmp_path / "a.txt", points)
    batch = run(source, tmp_path / "output", max_length=6, cut="start")
    np.testing.assert_allclose(batch["joints"][0, :6], points[3:], atol=1e-3)
    assert next(r["frame"] for r in read(tmp_path / "output" / "frame_actions.csv")) == "0003"
    assert run(write_skeleton(tmp_path / "b.txt", joints_of(20)), tmp_path / "b")["joints"].shape[
        :2
    ] == (2, 32)


@pytest.mark.parametrize(("frames", "listed"), [(20, range(1, 20, 2)), (5, range(5))])
def test_networks_of_whole_sequences_are_asked_of_beginnings(tmp_path, frames, listed):
    source = write_skeleton(tmp_path / "a.txt", joints_of(frames))
    run(source, tmp_path / "output", Network("fraction"))
    rows = read(tmp_path / "output" / "frame_actions.csv")
    assert [int(row["frame"]) for row in rows] == list(listed)
    [row] = read(tmp_path / "output" / "actions.csv")
    assert rows[-1]["stir"] == row["stir"]


def test_or_of_nothing(tmp_path):
    run(write_skeleton(tmp_path / "a.txt", joints_of()), tmp_path / "output", Network(""))
    assert {path.name for path in (tmp_path / "output").iterdir()} == {"actions.csv"}


def test_predicted_joints_are_read_without_the_frames_that_have_no_hand(tmp_path):
    points = joints_of(3)
    names = [j.replace(" ", "_") for j in SKELETON.joints]
    columns = [f"{name}_{axis}_mm" for name in names for axis in "xyz"]
    cells = [[4, *points[0].ravel()], [5, *[""] * 63], [6, *points[2].ravel()]]
    with (tmp_path / "joints.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["frame", *columns], *cells])
    batch = run(tmp_path / "joints.csv", tmp_path / "output")
    np.testing.assert_allclose(batch["joints"][0, :2], points[[0, 2]], rtol=1e-6)
    rows = read(tmp_path / "output" / "frame_actions.csv")
    assert [row["frame"] for row in rows] == ["4", "6"]


def test_files_are_found_at_any_depth_and_called_after_their_folders(tmp_path):
    for name in ("Subject_1/stir/1", "Subject_1/stir/2"):
        write_skeleton(tmp_path / name / "skeleton.txt", joints_of())
    write_skeleton(tmp_path / "own" / "mine.txt", joints_of())
    write_skeleton(tmp_path / ".hidden" / "mine.txt", joints_of())
    found = inputs(tmp_path)
    assert set(found) == {"Subject_1_stir_1", "Subject_1_stir_2", "mine"}
    assert found["mine"] == tmp_path / "own" / "mine.txt"
    assert set(inputs(tmp_path / "Subject_1" / "stir" / "1" / "skeleton.txt")) == {"1"}


def test_sources_without_joints_are_named(tmp_path):
    with pytest.raises(UserError, match="no such does not exist"):
        inputs(tmp_path / "no such")
    with pytest.raises(UserError, match=r"holds no joint files: wanted is a \.txt"):
        inputs(tmp_path)
    for folder in ("a", "b"):
        write_skeleton(tmp_path / folder / "mine.txt", joints_of())
    with pytest.raises(UserError, match="would both be mine; rename one"):
        inputs(tmp_path)


def test_files_of_other_hands_are_refused(tmp_path):
    source = write_skeleton(tmp_path / "a.txt", joints_of()[:, :14])
    with pytest.raises(UserError, match="14 joints a frame; the network was trained on 21"):
        run(source, tmp_path / "output")
    source = write_skeleton(tmp_path / "a.txt", joints_of(), [0, 1, 2, 2, 3])
    with pytest.raises(UserError, match="frame 2 is there twice"):
        run(source, tmp_path / "output")
    for content, message in (
        (b"frame,palm_x_mm\n1,2\n", "no column index_DIP_x_mm"),
        (b"\x89PNG\xff\xfe", r"joints\.csv is no \.csv file"),
    ):
        (tmp_path / "joints.csv").write_bytes(content)
        with pytest.raises(UserError, match=message):
            run(tmp_path / "joints.csv", tmp_path / "output")


@pytest.mark.parametrize(
    ("cell", "message"),
    [("", "holds no joints"), ("wide", "not a number"), ("nan", "not finite")],
)
def test_tables_without_joints_are_named(tmp_path, cell, message):
    names = [j.replace(" ", "_") for j in SKELETON.joints]
    columns = [f"{name}_{axis}_mm" for name in names for axis in "xyz"]
    with (tmp_path / "joints.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["frame", *columns], [1, *[cell] * 63]])
    with pytest.raises(UserError, match=message):
        run(tmp_path / "joints.csv", tmp_path / "output")
