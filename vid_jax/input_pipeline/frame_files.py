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
    frames: dict[int, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.suffix.lower() not in IMAGE_SUFFIXES:
            continue
        digits = re.findall(r"\d+", path.stem)
        if not digits:
            raise UserError(f"{path}: no number in the name; frames are ordered by it")
        number = int(digits[-1])
        if number in frames:
            raise UserError(f"{path}: frame {number} is there twice, {frames[number].name} too")
        frames[number] = path
    return dict(sorted(frames.items()))


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


def resize_frame(frame: np.ndarray, frame_size: tuple[int, int], channels: int) -> np.ndarray:
    """The frame (height, width[, 3]) uint8 as models are fed it, (*frame_size, channels) uint8.

    Made grey before it is resized; the aspect ratio is not kept.
    """
    if channels == 1 and frame.ndim == 3:
        frame = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    elif channels == 3 and frame.ndim == 2:
        frame = cv2.cvtColor(frame, cv2.COLOR_GRAY2RGB)
    height, width = frame_size
    if frame.shape[:2] != (height, width):
        shrinks = height <= frame.shape[0] and width <= frame.shape[1]
        method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
        frame = cv2.resize(frame, (width, height), interpolation=method)
    return frame.reshape(height, width, channels)
