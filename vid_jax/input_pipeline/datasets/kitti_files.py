"""KITTI's raw recordings, as published, in the splits of PredNet.

`<date>/<date>_drive_NNNN_sync/image_03/data/NNNNNNNNNN.png`, the frames of the right colour camera
counted from 0, and the time of each in `image_03/timestamps.txt`. Geiger, Lenz, Stiller and Urtasun,
Vision meets Robotics: The KITTI Dataset, IJRR 2013. The splits are those of Lotter, Kreiman and Cox,
Deep Predictive Coding Networks for Video Prediction and Unsupervised Learning, ICLR 2017.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from absl import logging

from vid_jax.errors import UserError

HOMEPAGE = "https://www.cvlibs.net/datasets/kitti/raw_data.php"
HELD_OUT = {
    "validation": ("2011_09_26_drive_0005",),  # city
    "test": (
        "2011_09_26_drive_0104",  # city
        "2011_09_26_drive_0079",  # residential
        "2011_09_26_drive_0070",  # road
    ),
}

_RECORDING = re.compile(r"(\d{4}_\d\d_\d\d_drive_\d{4})_sync")
_NOT_TRAINED_ON = frozenset(("calibration", "campus", "person"))  # PredNet's are of the others


def find_recordings(source: Path) -> dict[str, dict[str, Path]]:
    """Folders `image_03` of the recordings at any depth of `source`, by split and name.

    All recordings but the held-out ones are trained on, whatever their category: it shows only
    where a folder bears its name, and then `campus`, `person` and `calibration` are passed over.

    Raises:
        UserError: a recording of a split is missing or there twice, or none is left to train on.
    """
    found: dict[str, Path] = {}
    for name, folder in _walk(source):
        if name in found:
            raise UserError(f"{folder}: the recording {name} is there twice, {found[name]} too")
        found[name] = folder
    missing = [
        f"{name}_sync ({split})"
        for split, names in HELD_OUT.items()
        for name in names
        if name not in found
    ]
    if missing:
        raise UserError(
            f"config.data.source: {source} lacks the recordings {', '.join(missing)}; "
            f"get their synced and rectified data from {HOMEPAGE}"
        )
    splits = {split: {name: found.pop(name) for name in HELD_OUT[split]} for split in HELD_OUT}
    if not found:
        raise UserError(
            f"config.data.source: {source} holds no recordings to train on beside the held-out "
            f"ones; get their synced and rectified data from {HOMEPAGE}"
        )
    return {"train": dict(sorted(found.items())), **splits}


def _walk(folder: Path) -> Iterator[tuple[str, Path]]:
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith(".") or not entry.is_dir():
            continue
        match = _RECORDING.fullmatch(entry.name)
        if match and (entry / "image_03" / "data").is_dir():
            yield match[1], entry / "image_03"
        elif entry.name in _NOT_TRAINED_ON:
            logging.info("%s is passed over: PredNet does not train on it", entry)
        else:
            yield from _walk(entry)


def read_times(file: Path) -> np.ndarray:
    """Seconds (n,) float64 since the first frame, of a file with a date and time a line.

    Raises:
        UserError: a line is no such time.
    """
    times = []
    for number, line in enumerate(file.read_text().splitlines(), start=1):
        try:
            times.append(np.datetime64(line.strip(), "ns"))
        except ValueError as error:
            raise UserError(f"{file}, line {number}: {line!r} is no date and time") from error
    return (np.array(times) - times[0]) / np.timedelta64(1, "s") if times else np.empty(0)
