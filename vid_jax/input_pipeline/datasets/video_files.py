"""A folder of one's own videos: `train/`, `test/` and, optionally, `labels.csv`."""

import csv
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from absl import logging

from vid_jax.errors import UserError
from vid_jax.input_pipeline.frame_files import IMAGE_SUFFIXES

VIDEO_SUFFIXES = (
    ".264 .265 .3gp .asf .avi .dav .divx .flv .gif .h264 .h265 .hevc .m2ts .m4v .mjpeg .mjpg .mkv"
    " .mov .mp4 .mpeg .mpg .mts .mxf .ogv .ts .vob .webm .wmv .y4m"
)
_LABEL_COLUMNS = (
    ("video", "start", "end"),
    ("video", "start_seconds", "end_seconds"),
    ("video", "frame", "label"),
)


def list_videos(path: Path) -> dict[str, Path]:
    """Videos by name: a video file, a folder of images, or a folder that holds any of these.

    Raises:
        UserError: there is none, or a folder within `path` holds no images.
    """
    if not path.exists():
        raise UserError(f"{path} does not exist")
    if path.is_file() or _holds_images(path):
        return {path.name: path}
    videos = {}
    for entry in sorted(path.iterdir()):
        if entry.name.startswith("."):
            continue
        if entry.is_dir() and not _holds_images(entry):
            raise UserError(f"{entry} holds no images; a folder in {path} is one video's frames")
        if entry.is_dir() or entry.suffix.lower() in VIDEO_SUFFIXES.split():
            videos[entry.name] = entry
        else:
            logging.warning("%s is passed over: not the name of a video file", entry)
    if not videos:
        raise UserError(f"{path} holds no video files and no folders of images")
    return videos


def find_videos(source: Path) -> dict[str, dict[str, Path]]:
    """Videos by name in `train/` and `test/` of a folder.

    Raises:
        UserError: a part is missing or holds no videos.
    """
    for split in ("train", "test"):
        if not (source / split).is_dir():
            raise UserError(
                f"config.data.source: {source} holds no folder {split}/; train/ is for normal "
                "footage, test/ for footage to score (docs/your_own_videos.md)"
            )
    return {split: list_videos(source / split) for split in ("train", "test")}


def config_name(source: Path) -> str:
    """A name for the data set of a folder: the folder's own and a digest of its path."""
    slug = re.sub(r"[^A-Za-z0-9]+", "_", source.name)[:40]
    return f"{slug}_{hashlib.sha256(str(source).encode()).hexdigest()[:8]}"


def _holds_images(folder: Path) -> bool:
    return any(
        p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith(".") for p in folder.iterdir()
    )


class LabelFile:
    """Labels of test videos from a CSV file in one of three forms, told by its header.

    `video,start,end`: first and last frame of an abnormal stretch, counted from 1, inclusive;
    `video,start_seconds,end_seconds`: the same by time; `video,frame,label`: 0, 1 or -1 (unknown) for each frame.
    A row with nothing but the video says that all of it is normal. A video without a row is
    unlabelled.

    Raises:
        UserError: another header, a video that is not there, or a value that makes no sense.
    """

    def __init__(self, path: Path, videos: Sequence[str]):
        self.path = path
        self.rows: dict[str, list[tuple[float, float]]] = {}
        names = {Path(name).stem: name for name in videos} | {name: name for name in videos}
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            self.columns = tuple(cell.strip().lower() for cell in next(reader, ()))
            if self.columns not in _LABEL_COLUMNS:
                forms = " or ".join(",".join(columns) for columns in _LABEL_COLUMNS)
                raise UserError(f"{path}: the first line must be {forms}")
            for row in filter(None, reader):
                cells = [cell.strip() for cell in row]
                if cells[0] not in names:
                    raise UserError(f"{path}, line {reader.line_num}: no test video {cells[0]!r}")
                stretches = self.rows.setdefault(names[cells[0]], [])
                if any(cells[1:]):
                    stretches.append(self._pair(cells[1:], reader.line_num))

    def _pair(self, cells: list[str], line: int) -> tuple[float, float]:
        try:
            first, second = map(float, cells)
        except ValueError:
            first, second = np.nan, np.nan
        by_frame = self.columns[1] == "frame"
        if not (second in (-1, 0, 1) if by_frame else 0 <= first <= second):
            wanted = "a frame and a label" if by_frame else "a start and an end"
            raise UserError(f"{self.path}, line {line}: {','.join(cells)} is not {wanted}")
        return first, second

    def labels(
        self, video: str, numbers: np.ndarray, times: Sequence[float | None], last: int
    ) -> np.ndarray:
        """Labels (n,) int64 of frames of a video, 1 abnormal, 0 normal, -1 where it is unlabelled.

        Args:
            video: its name.
            numbers: (n,) which frames, counted from 1.
            times: (n,) their times in seconds, None where the video keeps no time.
            last: the number of the video's last frame.

        Raises:
            UserError: labels and frames do not match, or times label frames that have none.
        """
        if video not in self.rows:
            logging.warning("%s says nothing of %s: it stays unlabelled", self.path, video)
            return np.full(len(numbers), -1)
        first, second = np.array(self.rows[video]).reshape(-1, 2).T
        if self.columns[1] == "frame" and len(first):
            order = np.argsort(first)
            self._require(np.array_equal(first[order], np.arange(1, last + 1)), video, last)
            return second[order][numbers - 1].astype(int)
        if self.columns[1] == "start_seconds":
            if None in times:
                raise UserError(f"{self.path}: {video} keeps no times; label it by frame numbers")
            numbers = np.asarray(times)
        else:
            self._require(np.all((first >= 1) & (second <= last)), video, last)
        within = (first <= numbers[:, None]) & (numbers[:, None] <= second)
        return within.any(axis=1).astype(int)

    def _require(self, matches: bool, video: str, last: int) -> None:
        if not matches:
            raise UserError(f"{self.path}: labels of {video} do not match its frames 1 to {last}")
