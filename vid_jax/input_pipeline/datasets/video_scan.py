"""What is kept of a video that stays where it is: which frames it has, and its checksum."""

import dataclasses
import hashlib
from pathlib import Path

import numpy as np

from vid_jax.errors import UserError
from vid_jax.input_pipeline.frame_files import BadFrames, list_frames, report_gaps
from vid_jax.input_pipeline.video_reader import read_frames


@dataclasses.dataclass(frozen=True)
class Scan:
    """The frames of a video that can be decoded."""

    numbers: np.ndarray  # (n,) from 1
    times: list[float | None]  # seconds; None in a folder of images, which keeps no time
    length: int  # of the video, with what cannot be decoded
    size: tuple[int, int]  # height, width


def scan_video(path: Path, bad_frames: BadFrames) -> Scan | None:
    """Decodes a video; reports what cannot be read, and returns None where nothing can."""
    numbers, good, times, size = [], [], [], None
    try:
        for frame in read_frames(path):
            numbers.append(frame.number)
            if frame.image is not None:
                good.append(frame.number)
                times.append(frame.timestamp)
                size = size or frame.image().shape[:2]
        if not good:
            raise UserError(f"{path} holds no frame that can be decoded")
    except UserError as error:
        bad_frames.report(str(error))
        return None
    for number in sorted({*numbers} - {*good}):
        bad_frames.report(f"{path}: frame {number} cannot be decoded")
    report_gaps(path, numbers, bad_frames)
    first, last = numbers[0], numbers[-1]
    return Scan(np.array(good) - first + 1, times, last - first + 1, size)


def video_record(name: str, path: Path, scan: Scan, labels: np.ndarray) -> dict:
    """The record of a video (`records.video_features`) with the labels of its good frames."""
    return {
        "video": name,
        "path": str(path),
        "sha256": _checksum(path),
        "timestamps": np.array(scan.times, np.float64),  # None becomes NaN
        "labels": labels.astype(np.int64),
    }


def _checksum(path: Path) -> str:
    """SHA-256 of a file, or of all the images of a folder in their order."""
    digest = hashlib.sha256()
    for file in [path] if path.is_file() else list_frames(path).values():
        with file.open("rb") as opened:
            while chunk := opened.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()
