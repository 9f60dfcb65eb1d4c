"""Figures of merit of anyone's hand poses, without a model."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from absl import logging

from vid_jax import pose_figures
from vid_jax.cameras import Camera, find_camera
from vid_jax.errors import UserError
from vid_jax.hand_joints import NYU_EVALUATED, SKELETONS
from vid_jax.metrics import pose
from vid_jax.pose_files import Coordinates, Poses, read_poses
from vid_jax.report import Report, Table, comparison_table, log_summary, write_report

_NYU_PUBLISHED = 36  # joints


def run(
    input_path: Path,
    truth_path: Path,
    camera: str,
    coordinates: Coordinates = "uvd",
    output: Path | None = None,
) -> None:
    """Scores, and shows the summary table; arguments and errors as of `score`."""
    report = score(input_path, truth_path, camera, coordinates, output)
    log_summary(report, input_path, output)


def score(
    input_path: Path,
    truth_path: Path,
    camera: str,
    coordinates: Coordinates = "uvd",
    output: Path | None = None,
) -> Report:
    """Poses against true poses, by `vid_jax.metrics.pose.pose_metrics`.

    Frames are matched by what their lines begin with where both files have that, else by order. Of NYU's 36 joints the
    14 that the field evaluates are taken. For the format see `read_poses`.

    Args:
        input_path: predicted poses.
        truth_path: true poses, of the same frames and in the same coordinates.
        camera: a name or intrinsics, see `find_camera`; a data set's name also names the joints.
        coordinates: of both files, "uvd" or "xyz".
        output: a folder to write the report, its figures and each frame's error to.

    Returns:
        The report; its first table is the summary. Figures are made only with `output`.

    Raises:
        UserError: the camera is unknown, a file cannot be read, or the files do not fit each other.
    """
    input_path, truth_path = Path(input_path), Path(truth_path)
    lens = find_camera(camera)
    predicted = _evaluated(read_poses(input_path, lens, coordinates), lens, input_path)
    truth = _evaluated(read_poses(truth_path, lens, coordinates), lens, truth_path)
    predicted = _matched(predicted, truth, input_path, truth_path)
    joints = _joint_names(lens, truth.points.shape[1])
    metrics = pose.pose_metrics(predicted.points, truth.points, joints=joints)
    errors = pose.joint_errors(predicted.points, truth.points)
    tables = {
        "Pose errors": comparison_table({"prediction": metrics}, pose.POSE_COLUMNS),
        "Joints": _joint_table(errors, joints),
    }
    files = {"Frames": _frame_table(errors, joints, truth.names or predicted.names)}
    figures = {}
    if output:
        curves = {
            "worst joint": pose.frames_within(errors.max(axis=1)),
            "mean over joints": pose.frames_within(errors.mean(axis=1)),
        }
        figures["Frames within a threshold"] = pose_figures.threshold_curves(
            curves, f"{len(errors):,} frames", xlabel="error, mm"
        )
        bars = {"prediction": errors.mean(axis=0)}
        figures["Mean error of each joint"] = pose_figures.joint_bars(
            bars, joints, f"{metrics['mean_error_mm']:.2f} mm over all joints"
        )
    report = Report(metrics, tables, figures, files)
    if output:
        notes = [
            f"Predicted poses: {input_path}",
            f"True poses: {truth_path}",
            f"Camera {camera}, coordinates {coordinates}",
        ]
        write_report(report, Path(output), "Hand poses against ground truth", notes)
    return report


def _evaluated(poses: Poses, camera: Camera, path: Path) -> Poses:
    if camera.name != "nyu" or poses.points.shape[1] != _NYU_PUBLISHED:
        return poses
    logging.info("%s: the %d joints that are evaluated, of 36", path, len(NYU_EVALUATED))
    return poses._replace(points=poses.points[:, NYU_EVALUATED])


def _matched(predicted: Poses, truth: Poses, input_path: Path, truth_path: Path) -> Poses:
    """The predictions in the order of the truth."""
    sizes = [poses.points.shape for poses in (predicted, truth)]
    for axis, what in ((0, "frames"), (1, "joints a frame")):
        if sizes[0][axis] != sizes[1][axis]:
            raise UserError(
                f"{input_path} holds {sizes[0][axis]} {what}, but {truth_path} {sizes[1][axis]}"
            )
    if predicted.names is None or truth.names is None:
        logging.info("%d frames matched by order, as one side has no names", len(truth.points))
        return predicted
    have, wanted = _keys(predicted.names), _keys(truth.names)
    if have != wanted:
        for names, path in ((have, input_path), (wanted, truth_path)):
            if len(set(names)) < len(names):
                raise UserError(
                    f"{path}: frames cannot be matched by name, as some are listed twice; give both files the same "
                    "order, or unique names"
                )
        places = {name: i for i, name in enumerate(have)}
        missing = [name for name in wanted if name not in places]
        if missing:
            raise UserError(f"{input_path} has no frame {missing[0]}, which {truth_path} has")
        predicted = Poses(predicted.points[[places[name] for name in wanted]], truth.names)
    logging.info("%d frames matched by name", len(wanted))
    return predicted


def _keys(names: Sequence[str]) -> list[str]:
    """Names, and numbers without leading zeros."""
    return [str(int(name)) if name.isdecimal() else name for name in names]


def _joint_names(camera: Camera, joints: int) -> list[str]:
    skeleton = SKELETONS.get(camera.name)
    if skeleton and len(skeleton.joints) == joints:
        return list(skeleton.joints)
    return [f"joint {i}" for i in range(joints)]


def _joint_table(errors: np.ndarray, joints: Sequence[str]) -> Table:
    rows = [
        [name, float(of_joint.mean()), float(np.median(of_joint)), float(of_joint.max())]
        for name, of_joint in zip(joints, errors.T, strict=True)
    ]
    return Table(["joint", "mean error, mm", "median", "largest"], rows)


def _frame_table(errors: np.ndarray, joints: Sequence[str], names: Sequence[str] | None) -> Table:
    names = names or range(1, len(errors) + 1)
    rows = [
        [name, float(frame.mean()), float(frame.max()), joints[frame.argmax()]]
        for name, frame in zip(names, errors, strict=True)
    ]
    return Table(["frame", "mean error, mm", "largest", "worst joint"], rows)
