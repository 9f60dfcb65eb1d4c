"""The files of the NYU hand pose data set, as published.

`train/` and `test/` hold `depth_1_NNNNNNN.png` from 1, of the first of three cameras, and `joint_data.mat`, whose
variable `joint_xyz` is (cameras, frames, 36, 3): x, y up, z in mm. 14 of the 36 joints are evaluated. Tompson, Stein,
LeCun and Perlin, Real-Time Continuous Pose Recovery of Human Hands Using Convolutional Networks, ACM TOG 2014.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vid_jax.cameras import CAMERAS
from vid_jax.errors import UserError
from vid_jax.hand_joints import NYU_EVALUATED
from vid_jax.input_pipeline.datasets import hand_files
from vid_jax.input_pipeline.datasets.hand_files import HandFrame
from vid_jax.input_pipeline.datasets.labelled_files import find_folder
from vid_jax.input_pipeline.frame_files import BadFrames
from vid_jax.mat_files import read_cells

DEPTH_FORMAT = "nyu"
HOMEPAGE = "https://jonathantompson.github.io/NYU_Hand_Pose_Dataset.htm"
# The edges in mm of the cubes: those of the code of Oberweger and Lepetit, "DeepPrior++", ICCV Workshops 2017.
CUBES = {"subject_1": 300, "subject_2": 250}
TEST_FRAMES_OF_SUBJECT_1 = 2440  # the first; the others are of a subject that is not in training
WANTED = (
    f"get the NYU hand pose data set from {HOMEPAGE} (cite Tompson et al., ACM TOG 2014), unpack it and "
    "name the folder that holds train/ and test/, both with joint_data.mat: "
    "--config.data.source=FOLDER"
)

_JOINTS = 36
_FILE = re.compile(r"depth_1_(\d+)\.png")


def find_root(source: Path) -> Path:
    """The folder that holds `train` and `test`, `source` or at most two levels below it.

    Raises:
        UserError: there is none, or a file of labels is missing.
    """
    root = find_folder(source, "train", "test")
    if root is None:
        raise UserError(f"config.data.source: {source} holds no train/ and test/; {WANTED}")
    for split in ("train", "test"):
        if not (root / split / "joint_data.mat").is_file():
            raise UserError(f"{root / split / 'joint_data.mat'} is missing; {WANTED}")
    return root


def read_records(root: Path, bad_frames: BadFrames) -> dict[str, Iterator[dict]]:
    """The records of "train" and "test", as `hand_records` describes them."""
    return {
        split: hand_files.read_records(
            read_frames(root, split, bad_frames), "nyu", DEPTH_FORMAT, bad_frames
        )
        for split in ("train", "test")
    }


def read_frames(root: Path, split: str, bad_frames: BadFrames) -> Iterator[HandFrame]:
    """The frames of "train" or "test" by their numbers.

    Raises:
        UserError: the labels are not as published; and unless bad frames are skipped: a file or
            its labels are missing or damaged.
    """
    folder, labels = root / split, root / split / "joint_data.mat"
    published = _read_joints(labels)
    files = hand_files.numbered_files(folder, "depth_1_*.png", _FILE, bad_frames)
    numbers = range(1, len(published) + 1)
    for number in hand_files.pair(
        files, numbers, folder, "depth_1_{:07d}.png".format, labels, bad_frames
    ):
        subject, sequence = "subject_1", split
        if split == "test":
            subject = "subject_1" if number <= TEST_FRAMES_OF_SUBJECT_1 else "subject_2"
            sequence = f"test_{subject[-1]}"
        joints = CAMERAS["nyu"].turned(published[number - 1])
        try:
            hand_files.check_joints(joints, "nyu", f"{labels}, frame {number}")
        except UserError as error:
            bad_frames.report(str(error))
            continue
        yield HandFrame(
            files[number], sequence, subject, number, joints, CUBES[subject], split=split
        )


def _read_joints(labels: Path) -> np.ndarray:
    """The evaluated joints (frames, 14, 3) float32 in the first camera's frame, y up."""
    joints = read_cells(labels, "joint_xyz")[0]
    if joints.ndim != 4 or joints.shape[2:] != (_JOINTS, 3):
        raise UserError(
            f"{labels}: joint_xyz is of shape {joints.shape}, not (cameras, frames, {_JOINTS}, 3); get "
            "it again"
        )
    return joints[0][:, NYU_EVALUATED].astype(np.float32)
