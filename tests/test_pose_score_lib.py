import csv
import json
import logging

import numpy as np
import pytest

import main
from vid_jax.cameras import CAMERAS
from vid_jax.errors import UserError
from vid_jax.hand_joints import NYU_EVALUATED, SKELETONS
from vid_jax.metrics.pose import pose_metrics
from vid_jax.pose_files import write_poses
from vid_jax.pose_score_lib import run, score

NYU = CAMERAS["nyu"]


def example(frames=30, joints=14):
    rng = np.random.default_rng(0)
    truth = rng.uniform((-80, -80, 500), (80, 80, 700), (frames, joints, 3))
    return truth + rng.normal(0, 12, truth.shape), truth


def write(folder, prediction, truth, coordinates="uvd", camera=NYU, names=(None, None)):
    paths = folder / "predictions.txt", folder / "labels.txt"
    for path, points, of_frames in zip(paths, (prediction, truth), names, strict=True):
        write_poses(path, points, camera, coordinates, of_frames)
    return paths


def comparable(figures):
    return pytest.approx(figures, abs=1e-3)


@pytest.mark.parametrize("coordinates", ["uvd", "xyz"])
@pytest.mark.parametrize("name", CAMERAS)
def test_figures_are_those_of_the_poses(tmp_path, name, coordinates):
    joints = SKELETONS[name].joints
    prediction, truth = example(joints=len(joints))
    paths = write(tmp_path, prediction, truth, coordinates, CAMERAS[name])
    report = score(*paths, name, coordinates)
    assert report.scalars == comparable(pose_metrics(prediction, truth, joints=joints))
    assert not report.figures
    assert [row[0] for row in report.tables["Joints"].rows] == list(joints)
    assert next(iter(report.tables.values())).rows[0][1] == report.scalars["mean_error_mm"]


def test_intrinsics_in_numbers_give_numbered_joints(tmp_path):
    prediction, truth = example()
    report = score(*write(tmp_path, prediction, truth), "588.03,587.07,320,240,640x480")
    assert report.scalars == comparable(pose_metrics(prediction, truth))
    assert report.tables["Joints"].rows[0][0] == "joint 0"


def test_of_nyus_joints_the_evaluated_are_taken(tmp_path, caplog):
    _, published = example(joints=36)
    evaluated = published[:, NYU_EVALUATED]
    prediction = evaluated + 5
    expected = pose_metrics(prediction, evaluated, joints=SKELETONS["nyu"].joints)
    with caplog.at_level(logging.INFO, logger="absl"):
        report = score(*write(tmp_path, prediction, published), "nyu")
    assert "labels.txt: the 14 joints that are evaluated, of 36" in caplog.text
    assert report.scalars == comparable(expected)
    report = score(*write(tmp_path, published + 5, published), "nyu")
    assert report.scalars == comparable(expected)


def test_frames_are_matched_by_name_whatever_the_order(tmp_path, caplog):
    prediction, truth = example()
    expected = pose_metrics(prediction, truth, joints=SKELETONS["nyu"].joints)
    order = np.random.default_rng(1).permutation(len(truth))
    names = [f"{i:07d}" for i in range(1, len(truth) + 1)]
    shuffled = [str(int(names[i])) for i in order]  # without leading zeros
    paths = write(tmp_path, prediction[order], truth, names=(shuffled, names))
    with caplog.at_level(logging.INFO, logger="absl"):
        assert score(*paths, "nyu").scalars == comparable(expected)
    assert "30 frames matched by name" in caplog.text


def test_frames_without_names_are_matched_by_order(tmp_path, caplog):
    prediction, truth = example(frames=3)
    paths = write(tmp_path, prediction, truth, names=(None, ["b", "c", "a"]))
    with caplog.at_level(logging.INFO, logger="absl"):
        report = score(*paths, "nyu")
    assert "3 frames matched by order, as one side has no names" in caplog.text
    assert [row[0] for row in report.files["Frames"].rows] == ["b", "c", "a"]


def test_frame_numbers_that_start_again_need_the_same_order(tmp_path):
    prediction, truth = example(frames=4)
    again, other = ["0", "1", "0", "1"], ["0", "0", "1", "1"]
    assert score(*write(tmp_path, prediction, truth, names=(again, again)), "nyu")
    with pytest.raises(UserError, match=r"predictions.txt: frames cannot be matched by name"):
        score(*write(tmp_path, prediction, truth, names=(again, other)), "nyu")


@pytest.mark.parametrize(
    ("prediction", "truth", "names", "message"),
    [
        ((3, 14), (4, 14), None, r"predictions.txt holds 3 frames, but .*labels.txt 4"),
        ((3, 14), (3, 16), None, r"predictions.txt holds 14 joints a frame, but .*labels.txt 16"),
        (
            (2, 3),
            (2, 3),
            (["a", "b"], ["a", "c"]),
            r"predictions.txt has no frame c, which .*labels",
        ),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, prediction, truth, names, message):
    poses = [example(*size)[1] for size in (prediction, truth)]
    paths = write(tmp_path, *poses, names=names or (None, None))
    with pytest.raises(UserError, match=message):
        score(*paths, "nyu", output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_unknown_camera_is_named(tmp_path):
    with pytest.raises(UserError, match="camera 'kinect' is unknown"):
        score(*write(tmp_path, *example()), "kinect")


def test_run_shows_the_table_and_writes_the_report(tmp_path, caplog):
    prediction, truth = example()
    paths = write(tmp_path, prediction, truth)
    with caplog.at_level(logging.INFO, logger="absl"):
        run(*paths, "nyu", output=tmp_path / "out")
    expected = pose_metrics(prediction, truth, joints=SKELETONS["nyu"].joints)
    assert "mean error, mm" in caplog.text
    assert f"{expected['mean_error_mm']:.3f}" in caplog.text
    assert str(tmp_path / "out" / "index.html") in caplog.text
    assert {file.name for file in (tmp_path / "out").iterdir()} == {
        "Frames.csv",
        "Frames_within_a_threshold.png",
        "Joints.csv",
        "Mean_error_of_each_joint.png",
        "Pose_errors.csv",
        "index.html",
        "metrics.json",
    }
    written = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert written == comparable(expected)
    with (tmp_path / "out" / "Frames.csv").open() as file:
        rows = list(csv.DictReader(file))
    worst = np.linalg.norm(prediction - truth, axis=-1).argmax(axis=1)
    assert [row["worst joint"] for row in rows] == [SKELETONS["nyu"].joints[j] for j in worst]
    assert [row["frame"] for row in rows] == [str(i) for i in range(1, 31)]


@pytest.mark.parametrize("coordinates", ["uvd", "xyz"])
def test_from_the_command_line(tmp_path, coordinates, capsys):
    prediction, truth = example()
    source, labels = write(tmp_path, prediction, truth, coordinates)
    flags = [f"--input={source}", f"--truth={labels}", f"--output={tmp_path / 'out'}"]
    command = ["main.py", "--mode=score", "--camera=nyu", f"--coordinates={coordinates}", *flags]
    assert main.main(command) == 0
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    assert metrics["mean_error_mm"] == comparable(pose_metrics(prediction, truth)["mean_error_mm"])


def test_an_unknown_camera_from_the_command_line(tmp_path, capsys):
    source, labels = write(tmp_path, *example())
    flags = [f"--input={source}", f"--truth={labels}"]
    assert main.main(["main.py", "--mode=score", "--camera=nikon", *flags]) == 2
    assert "error: camera 'nikon' is unknown; use one of fhad," in capsys.readouterr().err
