"""Actions of anyone's joint files, as tables and a figure."""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from absl import logging

from vid_jax.cameras import CAMERAS, find_camera
from vid_jax.errors import UserError, some
from vid_jax.hand_joints import Skeleton
from vid_jax.input_pipeline.sequence_lengths import kept_frames, padded_length
from vid_jax.metrics.action import frames_seen
from vid_jax.pose_files import read_poses
from vid_jax.tasks._action_tables import Running, write_actions

_TABLE = "joints.csv"  # what predicting poses writes
_WANTED = (
    "wanted is a .txt with a line a frame, its number and x y z of each joint in mm (as FHAD's skeleton.txt), "
    f"a {_TABLE} as predicted from depth, or a folder of them"
)

Outputs = dict[str, np.ndarray]


def inputs(source: Path) -> dict[str, Path]:
    """Joint files by name: a file, or a folder that holds such at any depth.

    A skeleton.txt and a joints.csv have the name of their folder.

    Raises:
        UserError: there is none.
    """
    if not source.exists():
        raise UserError(f"{source} does not exist")
    if source.is_file():
        return {_name(source.parent.name, source): source}
    files = sorted(
        path.relative_to(source)
        for path in source.rglob("*")
        if path.suffix.lower() == ".txt" or path.name == _TABLE
    )
    files = [file for file in files if not any(part.startswith(".") for part in file.parts)]
    found: dict[str, Path] = {}
    for file in files:
        name = _name("_".join(file.parent.parts) or source.name, file)
        if name in found:
            raise UserError(f"{source / file} and {found[name]} would both be {name}; rename one")
        found[name] = source / file
    if not found:
        raise UserError(f"{source} holds no joint files: {_WANTED}")
    return found


def predict(
    eval_step: Callable[[Outputs], Outputs],
    batch_size: int,
    source: Path,
    output: Path,
    actions: Sequence[str],
    skeleton: Skeleton,
    lengths: Sequence[int],
    max_length: int = 0,
    cut: str = "end",
    camera: str = "",
    trained_camera: str = "fhad",
) -> None:
    """Recognises the action of one joint file; writes what `write_actions` does.

    Args:
        eval_step: from a batch {"joints" (b, t, j, 3) float32, "length", "action" (-1), "index", "epoch" (b,) int32,
            "mask" (b,) float32} to outputs as `_action_report.evaluate` takes them.
        batch_size: of its batches.
        source: one of `inputs`.
        output: a folder, made if need be.
        actions: names of the classes.
        skeleton: of the training data.
        lengths, max_length, cut: of config.data.
        camera: of a file with u, v in pixels and the depth of each joint, as `find_camera` reads it; without it joints
            are x, y, z in mm.
        trained_camera: a name, by which the axes of x, y, z are known.

    Raises:
        UserError: the file is not as wanted; it names the line.
    """
    read = _read_table if source.name == _TABLE else _read_text
    frames, joints = read(source, skeleton, camera, trained_camera)
    kept = kept_frames(np.array([len(joints)]), max_length, cut)
    first, length = (int(value[0]) for value in kept)
    frames, joints = frames[first : first + length], joints[first : first + length]
    padded = np.zeros((padded_length(length, lengths), *joints.shape[1:]), np.float32)
    padded[:length] = joints
    outputs = eval_step(
        {
            "joints": np.repeat(padded[None], batch_size, axis=0),
            "length": np.full(batch_size, length, np.int32),
            "action": np.full(batch_size, -1, np.int32),
            "index": np.arange(batch_size, dtype=np.int32),
            "epoch": np.zeros(batch_size, np.int32),
            "mask": (np.arange(batch_size) == 0).astype(np.float32),
        }
    )
    shares = np.exp(outputs["log_probs"][0].astype(np.float64))
    name = _name(source.parent.name, source)
    write_actions(output, name, length, actions, shares, _running(outputs, frames))
    best = int(shares.argmax())
    logging.info("%s: %s, %.2f; see %s.", source, actions[best], shares[best], output)


def _running(outputs: Outputs, frames: Sequence[str]) -> Running | None:
    """After each frame, or of beginnings of the sequence."""
    if "frame_log_probs" in outputs:
        seen = np.arange(1, len(frames) + 1)
        log_probs = outputs["frame_log_probs"][0, : len(frames)]
    elif "fraction_log_probs" in outputs:
        seen, first = np.unique(frames_seen(len(frames)), return_index=True)
        log_probs = outputs["fraction_log_probs"][0][first]
    else:
        return None
    return Running([frames[n - 1] for n in seen], seen, np.exp(log_probs.astype(np.float64)))


def _name(folder: str, file: Path) -> str:
    return folder if file.name in (_TABLE, "skeleton.txt") else file.stem


def _read_text(
    source: Path, skeleton: Skeleton, camera: str, trained_camera: str
) -> tuple[list[str], np.ndarray]:
    lens = find_camera(camera) if camera else CAMERAS[trained_camera]
    poses = read_poses(source, lens, "uvd" if camera else "xyz")
    joints = poses.points.shape[1]
    if joints != len(skeleton.joints):
        raise UserError(
            f"{source}: {joints} joints a frame; the network was trained on {len(skeleton.joints)}"
        )
    names = poses.names or [str(i) for i in range(1, len(poses.points) + 1)]
    if not all(name.isdecimal() for name in names):
        return names, poses.points
    numbers = np.array(names, np.int64)
    order = np.argsort(numbers, kind="stable")
    twice = numbers[order][1:][np.diff(numbers[order]) == 0]
    if len(twice):
        raise UserError(f"{source}: frame {some(twice.tolist())} is there twice")
    return [names[i] for i in order], poses.points[order]


def _read_table(
    source: Path, skeleton: Skeleton, _camera: str, _trained_camera: str
) -> tuple[list[str], np.ndarray]:
    """Frames without a hand are left out."""
    names = [joint.replace(" ", "_") for joint in skeleton.joints]
    try:
        with source.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file)
            columns, rows = table.fieldnames or (), [*table]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{source} is no .csv file: {error}") from error
    wanted = {f"{name}_{axis}_mm" for name in names for axis in "xyz"} | {"frame"}
    if lacking := sorted(wanted - {*columns}):
        raise UserError(f"{source} has no column {lacking[0]}; is it of other joints?")
    rows = [row for row in rows if row[f"{names[0]}_x_mm"]]
    if not rows:
        raise UserError(f"{source} holds no joints")
    try:
        values = [[row[f"{name}_{axis}_mm"] for name in names for axis in "xyz"] for row in rows]
        joints = np.array(values, np.float64)
    except ValueError as error:
        raise UserError(f"{source}: a joint is not a number") from error
    if not np.isfinite(joints).all():
        raise UserError(f"{source}: a joint is not finite")
    return [row["frame"] for row in rows], joints.reshape(len(rows), -1, 3)
