"""The files of the MSRA hand gesture database, as published.

`P0` to `P8` are subjects, each with a folder for each gesture: `NNNNNN_depth.bin` from 0, and `joint.txt`, whose first
line is the number of frames and whose others are the joints of frame 0, 1, ...: x, y up, z towards the camera, in mm.
Sun, Wei, Liang, Tang and Sun, Cascaded Hand Pose Regression, CVPR 2015.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from absl import logging

from vid_jax.cameras import CAMERAS
from vid_jax.errors import UserError, some
from vid_jax.input_pipeline.datasets import hand_files
from vid_jax.input_pipeline.datasets.hand_files import HandFrame
from vid_jax.input_pipeline.frame_files import BadFrames

DEPTH_FORMAT = "msra_bin"
HOMEPAGE = "https://jimmysuen.github.io"
SUBJECTS = tuple(f"P{number}" for number in range(9))
GESTURES = (*"123456789", "I", "IP", "L", "MP", "RP", "T", "TIP", "Y")
# Edges in mm of the cubes about the subjects' hands, and frames whose depth or joints are wrong: those of the code of
# Oberweger and Lepetit, "DeepPrior++", ICCV Workshops 2017.
CUBES = dict(zip(SUBJECTS, (200, 200, 200, 180, 180, 180, 170, 160, 150), strict=True))
FAULTY = {
    "P2/MP": {173, 174, 175, *range(345, 355), 356, 359, 360},
    "P2/TIP": {172, 173, 174},
    "P3/T": {120, 489},
    "P8/4": {168},
}
WANTED = (
    f"get the MSRA hand gesture database (cvpr15_MSRAHandGestureDB) from its authors, {HOMEPAGE} (cite "
    "Sun et al., CVPR 2015; it may not be passed on), unpack it and name its folder: "
    "--config.data.source=FOLDER"
)

_FILE = re.compile(r"(\d+)_depth\.bin")


def find_root(source: Path) -> Path:
    """The folder that holds the subjects, `source` or at most two levels below it.

    Raises:
        UserError: there is none.
    """
    for level in ([source], source.glob("*"), source.glob("*/*")):
        for folder in sorted(level):
            if _holds_subjects(folder):
                return folder
    raise UserError(f"config.data.source: {source} holds no P0/1/joint.txt, ...; {WANTED}")


def read_records(root: Path, bad_frames: BadFrames) -> dict[str, Iterator[dict]]:
    """The records of the one split "frames", as `hand_records` describes them."""
    frames = read_frames(root, bad_frames)
    return {"frames": hand_files.read_records(frames, "msra15", DEPTH_FORMAT, bad_frames)}


def read_frames(root: Path, bad_frames: BadFrames) -> Iterator[HandFrame]:
    """The frames of all sequences, subject/gesture, that are there; one line names what is not.

    Raises:
        UserError: unless bad frames are skipped: a file or a line is missing, added or damaged.
    """
    present = [name for name in _sequences() if (root / name).is_dir()]
    if missing := [name for name in _sequences() if name not in present]:
        logging.warning("%s lacks %s", root, some(missing))
    if faulty := [name for name in present if name in FAULTY]:
        logging.info("frames of %s that are known to be faulty are left out", ", ".join(faulty))
    for name in present:
        yield from _read_sequence(root, name, bad_frames)


def _holds_subjects(folder: Path) -> bool:
    subjects = [subject for subject in SUBJECTS if (folder / subject).is_dir()]
    return any((folder / s / g / "joint.txt").is_file() for s in subjects for g in GESTURES)


def _sequences() -> list[str]:
    return [f"{subject}/{gesture}" for subject in SUBJECTS for gesture in GESTURES]


def _read_sequence(root: Path, name: str, bad_frames: BadFrames) -> list[HandFrame]:
    folder = root / name
    faulty = FAULTY.get(name, set())
    files = hand_files.numbered_files(folder, "*.bin", _FILE, bad_frames)
    files = {number: path for number, path in files.items() if number not in faulty}
    labels = folder / "joint.txt"
    try:
        lines = _read_lines(labels)
    except UserError as error:  # lines are counted: without one of them all are in doubt
        bad_frames.report(str(error))
        return []
    labelled = {*range(len(lines))} - faulty
    frames = []
    for number in hand_files.pair(
        files, labelled, folder, "{:06d}_depth.bin".format, labels, bad_frames
    ):
        try:
            joints = _parse(lines[number], f"{labels}, line {number + 2}")
        except UserError as error:
            bad_frames.report(str(error))
            continue
        subject = name.split("/")[0]
        frames.append(HandFrame(files[number], name, subject, number, joints, CUBES[subject]))
    return frames


def _read_lines(labels: Path) -> list[str]:
    first, *lines = hand_files.read_lines(labels)
    if not first.strip().isdecimal():
        raise UserError(f"{labels}: the first line is not the number of frames")
    if int(first) != len(lines):
        raise UserError(f"{labels}: {len(lines)} lines of joints, and the first line says {first}")
    return lines


def _parse(line: str, where: str) -> np.ndarray:
    published = hand_files.parse_joints(line.split(), "msra15", where)
    joints = CAMERAS["msra15"].turned(published * np.array([1, 1, -1], np.float32))
    return hand_files.check_joints(joints, "msra15", where)
