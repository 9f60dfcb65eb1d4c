"""The files of the First-Person Hand Action benchmark, as published.

A sequence is `Subject_S/ACTION/REPETITION`. Its depth is in `Video_files/<sequence>/depth/depth_NNNN.png`, its joints
in `Hand_pose_annotation_v1_1/<sequence>/skeleton.txt` (`_v1` in the first release): on each line a frame's number and
x, y, z of 21 joints in the depth camera's frame, in mm. `data_split_action_recognition.txt` says what is trained and
tested on. Garcia-Hernando, Yuan, Baek and Kim, First-Person Hand Action Benchmark with RGB-D Videos and 3D Hand Pose
Annotations, CVPR 2018.
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
from vid_jax.input_pipeline.datasets.labelled_files import find_folder
from vid_jax.input_pipeline.frame_files import BadFrames

DEPTH_FORMAT = "png"
CITATION = (
    "G. Garcia-Hernando, S. Yuan, S. Baek, T.-K. Kim. First-Person Hand Action Benchmark with RGB-D Videos and 3D Hand "
    "Pose Annotations. CVPR 2018."
)
HOMEPAGE = "https://guiggh.github.io/publications/first-person-hands/"
ANNOTATIONS = ("Hand_pose_annotation_v1_1", "Hand_pose_annotation_v1")
SPLIT_FILE = "data_split_action_recognition.txt"
ACTIONS = (  # in the order of their classes, spelt as published
    *("open_juice_bottle", "close_juice_bottle", "pour_juice_bottle"),
    *("open_peanut_butter", "close_peanut_butter", "prick", "sprinkle", "scoop_spoon", "put_sugar"),
    *("stir", "open_milk", "close_milk", "pour_milk", "drink_mug", "put_tea_bag", "put_salt"),
    *("open_liquid_soap", "close_liquid_soap", "pour_liquid_soap", "wash_sponge", "flip_sponge"),
    *("scratch_sponge", "squeeze_sponge", "open_soda_can", "use_flash", "write", "tear_paper"),
    *("squeeze_paper", "open_letter", "take_letter_from_enveloppe", "read_letter", "flip_pages"),
    *("use_calculator", "light_candle", "charge_cell_phone", "unfold_glasses", "clean_glasses"),
    *("open_wallet", "give_coin", "receive_coin", "give_card", "pour_wine", "toast_wine"),
    *("handshake", "high_five"),
)
IGNORED = (  # their authors say so
    "Subject_2/close_milk/4",
    "Subject_2/put_tea_bag/2",
    "Subject_4/flip_sponge/2",
)
CUBE = 200
WANTED = (
    f"get the First-Person Hand Action benchmark by its form on {HOMEPAGE} (cite Garcia-Hernando et al., "
    "CVPR 2018; for academic research, it may not be passed on), and name the folder that holds "
    f"Video_files/, Hand_pose_annotation_v1_1/ and {SPLIT_FILE}: --config.data.source=FOLDER"
)

_FILE = re.compile(r"depth_(\d+)\.png")
_SEQUENCE = re.compile(r"(Subject_\d+)/(\w+)/(\d+)")
_SPLITS = {"Training": "train", "Test": "test"}


def find_root(source: Path) -> Path:
    """The folder that holds videos, annotations and split, `source` or at most two levels below it.

    Raises:
        UserError: there is none, or a part is missing.
    """
    root = find_folder(source, "Video_files")
    if root is None:
        raise UserError(f"config.data.source: {source} holds no Video_files/; {WANTED}")
    if not any((root / name).is_dir() for name in ANNOTATIONS):
        raise UserError(f"config.data.source: {root} holds no {ANNOTATIONS[0]}/; {WANTED}")
    if not (root / SPLIT_FILE).is_file():
        raise UserError(f"config.data.source: {root} holds no {SPLIT_FILE}; {WANTED}")
    return root


def read_records(root: Path, bad_frames: BadFrames) -> dict[str, Iterator[dict]]:
    """The records of the one split "frames", as `hand_records` describes them."""
    frames = read_frames(root, bad_frames)
    return {"frames": hand_files.read_records(frames, "fhad", DEPTH_FORMAT, bad_frames)}


def read_frames(root: Path, bad_frames: BadFrames) -> Iterator[HandFrame]:
    """The frames of all sequences whose depth is there, by subject, action and repetition.

    Sequences of the split file without files are named in one line; those that are in neither of
    its parts have the split "".

    Raises:
        UserError: the split file is not as published, or no sequence has files; and unless bad
            frames are skipped: a file or a line is missing, added or damaged.
    """
    splits = read_splits(root / SPLIT_FILE)
    present = _sequences_with_depth(root / "Video_files")
    if not present:
        raise UserError(
            f"config.data.source: {root / 'Video_files'} holds no "
            f"Subject_1/put_salt/1/depth/depth_0000.png, ...; {WANTED}"
        )
    if absent := sorted(splits.keys() - present - {*IGNORED}, key=order):
        logging.warning(
            "%s lacks %d of the sequences in %s: %s",
            root / "Video_files",
            len(absent),
            SPLIT_FILE,
            some(absent),
        )
    for name in sorted(present - {*IGNORED}, key=order):
        split, action = splits.get(name, ("", class_of(name)))
        yield from _read_sequence(root, name, split, action, bad_frames)


def read_splits(path: Path) -> dict[str, tuple[str, int]]:
    """Split, "train" or "test", and class of each sequence.

    `Training n` and `Test n` begin the parts; the n lines below are a sequence and its class.

    Raises:
        UserError: the file is laid out otherwise, or contradicts itself or the names of the actions.
    """
    splits: dict[str, tuple[str, int]] = {}
    wanted = dict.fromkeys(_SPLITS.values(), 0)
    split = ""
    for number, line in enumerate(hand_files.read_lines(path), start=1):
        first, value = line.split() if len(line.split()) == 2 else ("", "")
        match = _SEQUENCE.fullmatch(first)
        if first in _SPLITS and value.isdecimal():
            split = _SPLITS[first]
            wanted[split] = int(value)
        elif not (match and split and value.isdecimal()):
            raise UserError(f"{path}, line {number}: {line!r} is no sequence and its class")
        elif first in splits:
            raise UserError(f"{path}, line {number}: {first} is there twice")
        elif match[2] in ACTIONS and ACTIONS.index(match[2]) != int(value):
            raise UserError(
                f"{path}, line {number}: {match[2]} is class {ACTIONS.index(match[2])}, not {value}"
            )
        elif int(value) >= len(ACTIONS):
            raise UserError(
                f"{path}, line {number}: {first} has class {value}; there are 0 to {len(ACTIONS) - 1}"
            )
        else:
            splits[first] = (split, int(value))
    for split, count in wanted.items():
        found = sum(part == split for part, _ in splits.values())
        if found != count or not count:
            raise UserError(
                f"{path} lists {found} sequences to {split} and announces {count}; get it again"
            )
    return splits


def is_sequence(name: str) -> bool:
    """Whether it is the published form of a sequence's name."""
    return bool(_SEQUENCE.fullmatch(name))


def class_of(name: str) -> int:
    """The class of a sequence by the action that it is named after; -1 where that is none of the actions."""
    action = name.split("/")[1]
    return ACTIONS.index(action) if action in ACTIONS else -1


def annotation_folder(root: Path) -> Path:
    """The folder of the newer annotations in the one that `find_root` finds."""
    return next(root / version for version in ANNOTATIONS if (root / version).is_dir())


def read_skeleton(labels: Path, bad_frames: BadFrames) -> dict[int, np.ndarray | None] | None:
    """Joints (21, 3) float32 in mm by the number of their frame; None where they are bad, which is reported.

    None instead of them all where the file is missing, empty or no text, which is reported too.
    """
    try:
        lines = hand_files.read_lines(labels)
    except UserError as error:
        bad_frames.report(str(error))
        return None
    if lines == [""]:
        bad_frames.report(f"{labels} has no frames")
        return None
    turned = CAMERAS["fhad"].turned
    numbered = enumerate(lines, start=1)
    return hand_files.parse_lines(numbered, _frame_number, turned, "fhad", labels, bad_frames)


def order(name: str) -> tuple[str, str, int]:
    """What sequences are sorted by: subject, action and repetition."""
    subject, action, repetition = name.split("/")
    return subject, action, int(repetition)


def _sequences_with_depth(videos: Path) -> set[str]:
    folders = (folder for folder in videos.glob("*/*/*/depth") if any(folder.glob("*.png")))
    names = {folder.parent.relative_to(videos).as_posix() for folder in folders}
    return {*filter(is_sequence, names)}


def _read_sequence(
    root: Path, name: str, split: str, action: int, bad_frames: BadFrames
) -> Iterator[HandFrame]:
    folder = root / "Video_files" / name / "depth"
    labels = annotation_folder(root) / name / "skeleton.txt"
    joints = read_skeleton(labels, bad_frames)
    if joints is None:
        return
    files = hand_files.numbered_files(folder, "*.png", _FILE, bad_frames)
    subject = name.partition("/")[0]
    for number in hand_files.pair(
        files, joints, folder, "depth_{:04d}.png".format, labels, bad_frames
    ):
        if joints[number] is not None:
            yield HandFrame(
                files[number], name, subject, number, joints[number], CUBE, action, split
            )


def _frame_number(name: str) -> int | None:
    return int(name) if name.isdecimal() else None
