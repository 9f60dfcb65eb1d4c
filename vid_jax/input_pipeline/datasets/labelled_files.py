"""What the readers of data sets with published frame labels have in common."""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np

from vid_jax.errors import UserError
from vid_jax.input_pipeline.mask_files import load_npy
from vid_jax.mat_files import read_events
from vid_jax.metrics.ucsd_labels import ranges_to_labels

Labels = Callable[[int], np.ndarray]  # from a video's number of frames: (frames,) 1, 0 or -1


@dataclasses.dataclass(frozen=True)
class LabelledVideo:
    """A video, file or folder of frames, with its labels and the file of its masks.

    Without `labels` a frame is abnormal where its mask has a pixel that is not 0.
    """

    name: str
    path: Path
    labels: Labels | None
    masks: Path | None = None


def normal(length: int) -> np.ndarray:
    """Labels of a training video."""
    return np.zeros(length, np.int8)


def event_labels(path: Path, videos: int) -> list[Labels]:
    """Labels of each test video, in order, from a `.mat` file of events (`read_events`).

    Raises:
        UserError: it cannot be read, or has events of more or fewer videos.
    """
    events = read_events(path)
    if len(events) != videos:
        raise UserError(f"{path} labels {len(events)} videos and there are {videos} test videos")
    return [
        functools.partial(ranges_to_labels, ranges, source=f"{path}, video {number}")
        for number, ranges in enumerate(events, start=1)
    ]


def read_frame_labels(path: Path) -> np.ndarray:
    """Labels (frames,) of 0 and 1 from a `.npy` file of shape (frames,) or (1, frames).

    Raises:
        UserError: the file is missing, cannot be read or holds something else.
    """
    labels = np.atleast_1d(load_npy(path).squeeze())
    if labels.ndim != 1 or not np.isin(labels, (0, 1)).all():
        raise UserError(f"{path} does not hold 0 or 1 for each frame; get it again")
    return labels


def find_folder(source: Path, *parts: str) -> Path | None:
    """The folder that holds folders `parts`, `source` or at most two levels below it."""
    for level in ([source], source.glob("*"), source.glob("*/*")):
        for folder in sorted(level):
            if all((folder / part).is_dir() for part in parts):
                return folder
    return None
