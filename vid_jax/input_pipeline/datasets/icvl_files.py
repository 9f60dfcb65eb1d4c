"""The files of the ICVL hand posture data set, as published.

`Training/labels.txt` and `Testing/test_seq_1.txt`, `test_seq_2.txt` name on each line an image in `Depth/` beside them,
and u, v and depth in mm of 16 joints; the same files in one folder, with `train.txt`, are read too. Tang, Chang, Tejani
and Kim, Latent Regression Forest: Structured Estimation of 3D Articulated Hand Posture, CVPR 2014.

Of the training images those in a folder of their recording, `201403121135/image_0000.png`, are as recorded; those in a
folder of an angle before it, `22-5/201403121135/image_0000.png`, are turned copies, and passed over.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from vid_jax.cameras import CAMERAS
from vid_jax.errors import UserError
from vid_jax.input_pipeline.datasets import hand_files
from vid_jax.input_pipeline.datasets.hand_files import HandFrame
from vid_jax.input_pipeline.frame_files import BadFrames

DEPTH_FORMAT = "png"
HOMEPAGE = "https://labicvl.github.io/hand.html"
CUBE = 250  # that of the code of Oberweger and Lepetit, "DeepPrior++", ICCV Workshops 2017
WANTED = (
    f"get the ICVL hand posture data set from {HOMEPAGE} (cite Tang et al., CVPR 2014), unpack Training "
    "and Testing in one folder and name it: --config.data.source=FOLDER"
)

_LABELS = {  # where they may be
    "train": (("Training/labels.txt",), ("train.txt",), ("labels.txt",)),
    "test": (
        ("Testing/test_seq_1.txt", "Testing/test_seq_2.txt"),
        ("test_seq_1.txt", "test_seq_2.txt"),
    ),
}
_FILE = re.compile(r"image_(\d+)\.png")
_ANGLE = re.compile(r"-?\d{1,3}(-5)?")  # whole or half degrees; a recording is a date of 12 digits


def find_root(source: Path) -> Path:
    """The folder that holds the labels of training and test, `source` or at most two levels below it.

    Raises:
        UserError: there is none, or no images beside the labels.
    """
    for level in ([source], source.glob("*"), source.glob("*/*")):
        for folder in sorted(level):
            if all(_label_files(folder, split) for split in _LABELS):
                return folder
    raise UserError(
        f"config.data.source: {source} holds no Training/labels.txt and Testing/test_seq_1.txt with "
        f"Depth/ beside them; {WANTED}"
    )


def read_records(root: Path, bad_frames: BadFrames) -> dict[str, Iterator[dict]]:
    """The records of "train" and "test", as `hand_records` describes them."""
    return {
        split: hand_files.read_records(
            read_frames(root, split, bad_frames), "icvl", DEPTH_FORMAT, bad_frames
        )
        for split in _LABELS
    }


def read_frames(root: Path, split: str, bad_frames: BadFrames) -> Iterator[HandFrame]:
    """The frames of "train" or "test" as recorded, by recording and number.

    Raises:
        UserError: unless bad frames are skipped: a file or a line is missing, added or damaged.
    """
    for labels in _label_files(root, split):
        lines = enumerate(hand_files.read_lines(labels), start=1)
        joints = hand_files.parse_lines(
            [(number, line) for number, line in lines if not _ANGLE.fullmatch(line.split("/")[0])],
            _frame,
            CAMERAS["icvl"].unproject,
            "icvl",
            labels,
            bad_frames,
        )
        for sequence in sorted({name for name, _ in joints}):
            folder = labels.parent / "Depth" / sequence
            files = hand_files.numbered_files(folder, "*.png", _FILE, bad_frames)
            labelled = [number for name, number in joints if name == sequence]
            for number in hand_files.pair(
                files, labelled, folder, "image_{:04d}.png".format, labels, bad_frames
            ):
                if (points := joints[sequence, number]) is not None:
                    yield HandFrame(files[number], sequence, "", number, points, CUBE, split=split)


def _frame(name: str) -> tuple[str, int] | None:
    """Recording and number of an image by its path."""
    sequence, _, file = name.rpartition("/")
    match = _FILE.fullmatch(file)
    return (sequence, int(match[1])) if match and sequence else None


def _label_files(folder: Path, split: str) -> list[Path]:
    """The files of a split's labels that are there."""
    for names in _LABELS[split]:
        files = [folder / name for name in names if (folder / name).is_file()]
        if files and (files[0].parent / "Depth").is_dir():
            return files
    return []
