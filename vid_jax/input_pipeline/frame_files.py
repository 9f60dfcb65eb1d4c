"""Numbered image files in a folder, and what to do where one is bad."""

import itertools
import re
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from absl import logging

from vid_jax.errors import UserError

IMAGE_SUFFIXES = frozenset((".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff"))


class BadFrames:
    """What is done about a bad frame: an error ("error"), or a warning and a count ("skip")."""

    def __init__(self, policy: str):
        self.policy = policy
        self.count = 0

    def report(self, message: str) -> None:
        if self.policy == "error":
            raise UserError(f"{message}; mend it or leave it out: --config.data.bad_frames=skip")
        logging.warning("left out: %s", message)
        self.count += 1


def list_frames(folder: Path) -> dict[int, Path]:
    """The images of a folder by the last number in their names, in its order.

    Hidden files (`.DS_Store`, `._001.tif`) and other kinds of files are passed over.

    Raises:
        UserError: an image has no number in its name, or two have the same.
    """
    return by_number(
        path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
    )


def by_number(paths: Iterable[Path]) -> dict[int, Path]:
    """Files by the last number in their names, in its order.

    Raises:
        UserError: a name has no number, or two have the same.
    """
    files: dict[int, Path] = {}
    for path in paths:
        number = last_number(path)
        if number is None:
            raise UserError(f"{path}: no number in the name; frames are ordered by it")
        if number in files:
            raise UserError(f"{path}: frame {number} is there twice, {files[number].name} too")
        files[number] = path
    return dict(sorted(files.items()))


def last_number(path: Path) -> int | None:
    """The last number in a file's name; None where it has none."""
    digits = re.findall(r"\d+", path.stem)
    return int(digits[-1]) if digits else None


def report_gaps(path: Path, numbers: Iterable[int], bad_frames: BadFrames) -> None:
    """Reports each gap in the ascending frame numbers of a video."""
    for before, after in itertools.pairwise(numbers):
        if after != before + 1:
            missing = (
                f"frames {before + 1} to {after - 1}"
                if after > before + 2
                else f"frame {before + 1}"
            )
            bad_frames.report(f"{path}: no {missing}")


def decode_image(data: bytes) -> np.ndarray | None:
    """Image (height, width) or (height, width, 3) RGB, uint8; None where it cannot be decoded."""
    if not data:
        return None
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_ANYCOLOR)
    if image is None or image.ndim == 2:
        return image
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def resize_frame(
    frame: np.ndarray, frame_size: tuple[int, int], channels: int, resize: str = "stretch"
) -> np.ndarray:
    """The frame (height, width[, 3]) uint8 as models are fed it, (*frame_size, channels) uint8.

    Made grey before it is resized. "stretch" does not keep the aspect ratio; "crop" scales the
    frame until it covers `frame_size` and takes the middle.
    """
    if channels == 1 and frame.ndim == 3:
        frame = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    elif channels == 3 and frame.ndim == 2:
        frame = cv2.cvtColor(frame, cv2.COLOR_GRAY2RGB)
    if resize == "crop":
        scale = _covering_scale(frame, frame_size)
        frame = _scale(frame, *(round(side * scale) for side in frame.shape[:2]))
        frame = _middle(frame, *frame_size)
    else:
        frame = _scale(frame, *frame_size)
    return np.ascontiguousarray(frame).reshape(*frame_size, channels)


def crop_mask(mask: np.ndarray, frame_size: tuple[int, int]) -> np.ndarray:
    """The part of a published mask that the resize "crop" shows, at the published scale."""
    scale = _covering_scale(mask, frame_size)
    return _middle(mask, *(max(1, round(side / scale)) for side in frame_size))


def _covering_scale(image: np.ndarray, size: tuple[int, int]) -> float:
    return max(size[0] / image.shape[0], size[1] / image.shape[1])


def _scale(image: np.ndarray, height: int, width: int) -> np.ndarray:
    if image.shape[:2] == (height, width):
        return image
    shrinks = height <= image.shape[0] and width <= image.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return cv2.resize(image, (width, height), interpolation=method)


def _middle(image: np.ndarray, height: int, width: int) -> np.ndarray:
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    return image[top : top + height, left : left + width]
