"""Frames and labels in the layout that many code bases share, from Liu et al. (CVPR 2018).

`training/frames/VIDEO/NNN.jpg`, `testing/frames/VIDEO/NNN.jpg`, labels in `NAME.mat` or
`frame_labels_NAME.npy`, optional masks in `pixel_masks/VIDEO.npy`; NAME is the folder's. Labels are
in the order of the videos' names.
"""

import functools
from pathlib import Path

import numpy as np
from absl import logging

from vid_jax.errors import UserError
from vid_jax.input_pipeline.datasets.labelled_files import (
    LabelledVideo,
    Labels,
    event_labels,
    normal,
    read_frame_labels,
)
from vid_jax.input_pipeline.frame_files import list_frames


def find_videos(source: Path) -> dict[str, list[LabelledVideo]]:
    """Videos of "train" and "test".

    Raises:
        UserError: the layout is another, or the labels do not match the test videos.
    """
    training, testing = (_videos(source / part / "frames") for part in ("training", "testing"))
    labels = _labels(source, testing)
    return {
        "train": [LabelledVideo(path.name, path, normal) for path in training],
        "test": [
            LabelledVideo(path.name, path, of_video, _mask_file(source, path))
            for path, of_video in zip(testing, labels, strict=True)
        ],
    }


def _videos(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise UserError(
            f"config.data.source: {folder} is missing; name the folder of one data set, which holds "
            "training/frames/ and testing/frames/ (docs/data.md)"
        )
    videos = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    if not videos:
        raise UserError(f"{folder} holds no folders; each is one video's frames")
    return videos


def _mask_file(source: Path, video: Path) -> Path | None:
    file = source / "pixel_masks" / f"{video.name}.npy"
    return file if file.is_file() else None


def _labels(source: Path, testing: list[Path]) -> list[Labels]:
    if file := _one_file(source, f"{source.name}.mat", "*.mat"):
        return event_labels(file, len(testing))
    if file := _one_file(source, f"frame_labels_{source.name}.npy", "frame_labels_*.npy"):
        return _labels_of_all(file, testing)
    logging.info("%s holds no labels (docs/data.md): the test videos stay unlabelled", source)
    return [_unlabelled] * len(testing)


def _one_file(source: Path, name: str, pattern: str) -> Path | None:
    if (source / name).is_file():
        return source / name
    found = sorted(path for path in source.glob(pattern) if not path.name.startswith("."))
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise UserError(f"{source} holds {names}; keep the one with the labels, or name it {name}")
    return found[0] if found else None


def _unlabelled(length: int) -> np.ndarray:
    return np.full(length, -1)


def _labels_of_all(file: Path, testing: list[Path]) -> list[Labels]:
    """Labels of each test video from one array of all their frames."""
    labels = read_frame_labels(file)
    ends = np.cumsum([_length(video) for video in testing])
    if len(labels) != ends[-1]:
        raise UserError(
            f"{file} labels {len(labels)} frames and {testing[0].parent} holds {ends[-1]}; "
            "one of them is damaged: get both again"
        )
    return [functools.partial(_part, labels, start) for start in (0, *ends[:-1])]


def _part(labels: np.ndarray, start: int, length: int) -> np.ndarray:
    return labels[start : start + length]


def _length(video: Path) -> int:
    """Number of frames, with those that are missing between others."""
    numbers = list(list_frames(video))
    if not numbers:
        raise UserError(f"{video} holds no images; each folder is one video's frames")
    return numbers[-1] - numbers[0] + 1
