"""What the readers of labelled hands have in common: frames paired with labels by their numbers."""

import dataclasses
import functools
import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from vid_jax.cameras import CAMERAS, Camera
from vid_jax.errors import UserError
from vid_jax.hand_joints import SKELETONS
from vid_jax.input_pipeline.depth_files import decode_depth
from vid_jax.input_pipeline.frame_files import BadFrames
from vid_jax.threads import map_ahead


@dataclasses.dataclass(frozen=True)
class HandFrame:
    """A file of depth and its labels, as `hand_records.hand_features` describes them."""

    path: Path
    sequence: str
    subject: str
    frame: int
    joints: np.ndarray
    cube: float
    action: int = -1
    split: str = ""


def read_records(
    frames: Iterable[HandFrame], dataset: str, depth_format: str, bad_frames: BadFrames
) -> Iterator[dict]:
    """Records of frames, each file of depth checked against the data set's camera."""
    load = functools.partial(_load, camera=CAMERAS[dataset], depth_format=depth_format)
    for loaded in map_ahead(load, frames):
        if isinstance(loaded, UserError):
            bad_frames.report(str(loaded))
        else:
            yield loaded


def _load(frame: HandFrame, camera: Camera, depth_format: str) -> dict | UserError:
    record = dataclasses.asdict(frame)
    path = record.pop("path")
    try:
        data = path.read_bytes()
        depth_map = decode_depth(data, depth_format, str(path), camera)
    except UserError as error:
        return error
    return record | {
        "depth": data,
        "left": depth_map.left,
        "top": depth_map.top,
        "com": np.full(3, np.nan, np.float32),
    }


def parse_joints(numbers: list[str], dataset: str, where: str) -> np.ndarray:
    """Joints (joints, 3) float32 from the numbers of a line, as they are published.

    Raises:
        UserError: naming `where`; the numbers are too few or too many, or no numbers, or NaN.
    """
    joints = len(SKELETONS[dataset].joints)
    if len(numbers) != 3 * joints:
        found = f"{len(numbers) / 3:g} joints" if len(numbers) % 3 == 0 else "a broken line"
        raise UserError(
            f"{where}: {len(numbers)} numbers ({found}); a hand of {dataset} has {joints} joints, "
            f"{3 * joints} numbers"
        )
    try:
        return np.array(numbers, np.float32).reshape(joints, 3)
    except ValueError as error:
        raise UserError(f"{where}: not numbers only") from error


def check_joints(joints: np.ndarray, dataset: str, where: str) -> np.ndarray:
    """The joints (joints, 3) in the camera's frame.

    Raises:
        UserError: naming `where` and a joint that is NaN or not before the camera.
    """
    for name, joint in zip(SKELETONS[dataset].joints, joints, strict=True):
        if not np.isfinite(joint).all():
            raise UserError(f"{where}: the joint {name} is NaN or infinite")
        if joint[2] <= 0:
            raise UserError(f"{where}: the joint {name} is behind the camera, z = {joint[2]:g} mm")
    return joints


def read_lines(path: Path) -> list[str]:
    """The lines of a text file but empty ones at its end.

    Raises:
        UserError: it is missing, or no text.
    """
    if not path.is_file():
        raise UserError(f"{path} is missing")
    try:
        return path.read_text().rstrip().split("\n")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no text file; get it again") from error


def parse_lines(
    lines: Iterable[tuple[int, str]],
    key: Callable[[str], Hashable],
    to_points: Callable[[np.ndarray], np.ndarray],
    dataset: str,
    labels: Path,
    bad_frames: BadFrames,
) -> dict[Hashable, np.ndarray | None]:
    """Joints in the camera's frame by the key of their frame; None where they are bad, which is reported.

    Args:
        lines: line numbers and lines: what names the frame, and the numbers as published.
        key: of a frame, from what names it; None where that names none.
        to_points: from the published numbers (joints, 3) to points in the camera's frame.
        labels: the file they are from.
    """
    parsed: dict[Hashable, np.ndarray | None] = {}
    for number, line in lines:
        where = f"{labels}, line {number}"
        name, *numbers = line.split() or [""]
        frame = key(name)
        if frame is None:
            bad_frames.report(f"{where}: {name!r} names no frame")
        elif frame in parsed:
            bad_frames.report(f"{where}: frame {name} is there twice")
            parsed[frame] = None
        else:
            try:
                points = to_points(parse_joints(numbers, dataset, where))
                parsed[frame] = check_joints(points, dataset, where)
            except UserError as error:
                bad_frames.report(str(error))
                parsed[frame] = None
    return parsed


def numbered_files(
    folder: Path, glob: str, pattern: re.Pattern, bad_frames: BadFrames
) -> dict[int, Path | None]:
    """Files by the number in their names; hidden files are passed over.

    A file by `glob` whose name has no number by the pattern's group is reported, and so are two with
    the same number, which then has None.
    """
    files: dict[int, list[Path]] = {}
    for path in sorted(folder.glob(glob)):
        if path.name.startswith("."):
            continue
        if match := pattern.fullmatch(path.name):
            files.setdefault(int(match[1]), []).append(path)
        else:
            bad_frames.report(f"{path} is no frame by its name")
    for number, paths in files.items():
        if len(paths) > 1:
            bad_frames.report(f"{paths[0]} and {paths[1].name} are both frame {number}")
    return {number: paths[0] if len(paths) == 1 else None for number, paths in files.items()}


def pair(
    files: Mapping[int, Path | None],
    labelled: Iterable[int],
    folder: Path,
    name: Callable[[int], str],
    labels: Path,
    bad_frames: BadFrames,
) -> list[int]:
    """Numbers that have both a file and a label, ascending; what has only one of them is reported.

    Args:
        name: the name of a frame's file by its number, as published.
        labels: the file of the labels.
    """
    labelled = {*labelled}
    for first, last in _runs(labelled - files.keys()):
        missing = f"{folder / name(first)} is missing"
        if last > first:
            missing = f"{folder / name(first)} to {name(last)} are missing"
        bad_frames.report(f"{missing}, and {labels} has their joints")
    for number in sorted(files.keys() - labelled):
        if files[number]:
            bad_frames.report(f"{files[number]} has no joints in {labels}")
    return sorted(number for number in files.keys() & labelled if files[number])


def _runs(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """First and last of each run of consecutive numbers."""
    runs: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs
