"""The joints of the First-Person Hand Action benchmark, without its depth: annotations and split file are enough.

Garcia-Hernando, Yuan, Baek and Kim, First-Person Hand Action Benchmark with RGB-D Videos and 3D Hand Pose Annotations,
CVPR 2018. See `fhad_files` for the layout.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from absl import logging

from vid_jax.errors import UserError, some
from vid_jax.input_pipeline.datasets import fhad_files
from vid_jax.input_pipeline.datasets.fhad_files import ANNOTATIONS, IGNORED, SPLIT_FILE
from vid_jax.input_pipeline.datasets.labelled_files import find_folder
from vid_jax.input_pipeline.frame_files import BadFrames

WANTED = (
    f"get the First-Person Hand Action benchmark by its form on {fhad_files.HOMEPAGE} (cite Garcia-Hernando et al., "
    "CVPR 2018; for academic research, it may not be passed on), and name the folder that holds "
    f"{ANNOTATIONS[0]}/ and {SPLIT_FILE}: --config.data.source=FOLDER"
)


def find_root(source: Path) -> Path:
    """The folder that holds annotations and split, `source` or at most two levels below it.

    Raises:
        UserError: there is none, or the split file is missing.
    """
    folders = (find_folder(source, name) for name in ANNOTATIONS)
    root = next((folder for folder in folders if folder), None)
    if root is None:
        raise UserError(f"config.data.source: {source} holds no {ANNOTATIONS[0]}/; {WANTED}")
    if not (root / SPLIT_FILE).is_file():
        raise UserError(f"config.data.source: {root} holds no {SPLIT_FILE}; {WANTED}")
    return root


def read_records(root: Path, bad_frames: BadFrames) -> Iterator[dict]:
    """The records of all sequences as `joint_records` describes them: in the split file's order, then those not in it.

    Sequences that their authors say to ignore are left out.

    Raises:
        UserError: there are no joints at all, or the split file is not as published; and unless bad frames are
            skipped: it names a sequence without joints, or a line is damaged or there twice.
    """
    splits = fhad_files.read_splits(root / SPLIT_FILE)
    annotations = fhad_files.annotation_folder(root)
    names = {
        path.parent.relative_to(annotations) for path in annotations.glob("*/*/*/skeleton.txt")
    }
    present = {path.as_posix() for path in names if fhad_files.is_sequence(path.as_posix())}
    if not present:
        raise UserError(
            f"config.data.source: {annotations} holds no Subject_1/put_salt/1/skeleton.txt, ...; {WANTED}"
        )
    others = sorted(present - splits.keys(), key=fhad_files.order)
    for name in (*splits, *others):
        if name in IGNORED:
            continue
        if name not in present:
            bad_frames.report(
                f"{SPLIT_FILE} lists {name}, and {annotations / name / 'skeleton.txt'} is missing"
            )
            continue
        split, action = splits.get(name, ("", fhad_files.class_of(name)))
        frames, joints = _read_joints(annotations / name / "skeleton.txt", bad_frames)
        if len(frames):
            yield {
                "sequence": name,
                "subject": name.partition("/")[0],
                "split": split,
                "action": action,
                "frames": frames,
                "joints": joints,
            }


def _read_joints(labels: Path, bad_frames: BadFrames) -> tuple[np.ndarray, np.ndarray]:
    """Numbers (t,) of the frames of a sequence, ascending, and joints (t, 21, 3) in mm; none where it is bad."""
    joints = fhad_files.read_skeleton(labels, bad_frames) or {}
    frames = sorted(number for number, points in joints.items() if points is not None)
    gaps = [f"{a} and {b}" for a, b in itertools.pairwise(frames) if b > a + 1]
    if gaps:
        logging.warning("%s: no frames between %s", labels, some(gaps))
    return np.array(frames, np.int64), np.array([joints[number] for number in frames], np.float32)
