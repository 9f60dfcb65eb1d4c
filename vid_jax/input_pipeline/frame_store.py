"""All frames of a data set, decoded and resized once, in files that are read without loading them.

`<data dir>/frame_store/<data set>-<settings>/` holds `frames.bin` (frames, height, width, channels)
uint8, `masks.bin` (the published masks of each video in turn, one byte a pixel), `labels.npy`,
`timestamps.npy` and `index.json`.
"""

import collections
import dataclasses
import json
import math
import os
from pathlib import Path

import numpy as np
from absl import logging

from vid_jax.errors import UserError
from vid_jax.input_pipeline.frame_files import crop_mask, resize_frame
from vid_jax.input_pipeline.records import SourceFrame, count_frames, iterate_frames
from vid_jax.input_pipeline.stores import open_store, read_rows
from vid_jax.threads import map_ahead

_LAYOUT = 1  # of the files; another number makes every older store stale


@dataclasses.dataclass
class StoredVideo:
    """Rows [start, start + length) of the store: a video, or what lies between two gaps of one."""

    split: str
    name: str
    start: int
    length: int = 0
    mask_offset: int = 0  # bytes into masks.bin
    mask_size: tuple[int, int] | None = None  # (height, width) as published


class FrameStore:
    """An open frame store.

    Attributes:
        frames: (frames, height, width, channels) uint8, memory-mapped.
        labels: (frames,) int8, 1 abnormal, 0 normal, -1 unknown.
        timestamps: (frames,) float64 seconds, NaN where the source keeps no time.
        videos: in the order of their rows, `StoredVideo`.
        name, fingerprint: of the data set, and of what the store was made from.
    """

    def __init__(self, folder: Path):
        index = json.loads((folder / "index.json").read_text())
        self.folder = folder
        self.name: str = index["name"]
        self.fingerprint: str = index["fingerprint"]
        self.videos = [StoredVideo(**video) for video in index["videos"]]
        self.frames = np.memmap(folder / "frames.bin", np.uint8, "r", shape=tuple(index["shape"]))
        self.labels = np.load(folder / "labels.npy")
        self.timestamps = np.load(folder / "timestamps.npy")

    def windows(
        self, rows: np.ndarray, num_frames: int, steps: np.ndarray | None = None
    ) -> np.ndarray:
        """Windows (len(rows), num_frames, height, width, channels) uint8 that begin at `rows`.

        With `steps`, one a window, its frames are so many rows apart.

        Raises:
            UserError: the store ends before a window does.
        """
        windows = _aligned((len(rows), num_frames, *self.frames.shape[1:]))
        frame_bytes = math.prod(self.frames.shape[1:])
        items = windows
        if steps is not None:
            rows = (rows[:, None] + steps[:, None] * np.arange(num_frames)).ravel()
            items = windows.reshape(-1, *windows.shape[2:])
        read_rows(self.folder / "frames.bin", rows, frame_bytes, items)
        return windows

    def masks(self, start: int) -> np.ndarray | None:
        """Masks (length, height, width) bool of the video that starts at a row, memory-mapped.

        At the published size; None where there are none.
        """
        video = next((video for video in self.videos if video.start == start), None)
        if video is None or video.mask_size is None:
            return None
        shape = (video.length, *video.mask_size)
        return np.memmap(self.folder / "masks.bin", bool, "r", video.mask_offset, shape)


def _aligned(shape: tuple[int, ...]) -> np.ndarray:
    """An uninitialised uint8 array that TensorFlow takes over without a copy."""
    size, alignment = math.prod(shape), 64
    buffer = np.empty(size + alignment, np.uint8)
    offset = -buffer.ctypes.data % alignment
    return buffer[offset : offset + size].reshape(shape)


def open_frame_store(builder, config) -> FrameStore:
    """Opens the frame store of a prepared data set, built first where it is missing or stale.

    Raises:
        UserError: the disk is too small for it.
    """
    data = config.data
    settings = {"frame_size": list(data.frame_size), "channels": data.channels, "layout": _LAYOUT}
    if data.resize != "stretch":
        settings["resize"] = data.resize

    def shape() -> tuple[int, ...]:
        total = sum(count_frames(builder, split) for split in _splits(builder))
        return total, *data.frame_size, data.channels

    folder = open_store(
        builder,
        data,
        "frame_store",
        settings,
        ("frames.bin", np.uint8),
        lambda: (math.prod(shape()), f"{shape()[0]:,} frames"),
        lambda folder: _write(builder, folder, settings, shape()[0]) | {"shape": shape()},
    )
    return FrameStore(folder)


def _splits(builder) -> list[str]:
    return sorted(builder.info.splits, key=("train", "validation", "test").index)


def _write(builder, folder: Path, settings: dict, total: int) -> dict:
    """Writes all but the index, and returns what it says of the videos."""
    frame_size, resize = tuple(settings["frame_size"]), settings.get("resize", "stretch")
    labels = np.full(total, -1, np.int8)
    timestamps = np.full(total, np.nan)
    parts: list[StoredVideo] = []
    numbers: list[tuple[int, int]] = []  # first and last published frame number of each part

    def load(item: tuple[str, SourceFrame]):
        split, source = item
        frame = resize_frame(source.image(), frame_size, settings["channels"], resize)
        mask = source.mask()
        if mask is not None and resize == "crop":
            mask = crop_mask(mask, frame_size)
        return split, source, frame, mask

    items = (
        (split, frame) for split in _splits(builder) for frame in iterate_frames(builder, split)
    )
    with open(folder / "frames.bin", "wb") as frame_file, open(folder / "masks.bin", "wb") as masks:
        for row, (split, source, frame, mask) in enumerate(map_ahead(load, items)):
            size = None if mask is None else mask.shape[:2]
            current = (parts[-1].split, parts[-1].name) if parts else None
            if current != (split, source.video) or source.number != numbers[-1][1] + 1:
                parts.append(StoredVideo(split, source.video, row, 0, masks.tell(), size))
                numbers.append((source.number, source.number))
            if size != parts[-1].mask_size:
                raise UserError(
                    f"{source.video}: the mask of frame {source.number} is not as others"
                )
            parts[-1].length += 1
            numbers[-1] = (numbers[-1][0], source.number)
            frame_file.write(frame)
            if mask is not None:
                mask = mask != 0 if mask.ndim == 2 else mask.any(-1)
                if mask.any():
                    masks.write(np.ascontiguousarray(mask))
                else:
                    masks.seek(mask.size, os.SEEK_CUR)  # a hole in the file takes no disk
            labels[row] = source.label
            timestamps[row] = source.timestamp
            logging.log_every_n_seconds(logging.INFO, "%d of %d frames stored", 10, row, total)
        masks.truncate()
    np.save(folder / "labels.npy", labels)
    np.save(folder / "timestamps.npy", timestamps)
    return {"videos": [dataclasses.asdict(part) for part in _name_parts(parts, numbers)]}


def _name_parts(parts: list[StoredVideo], numbers: list[tuple[int, int]]) -> list[StoredVideo]:
    """Names the parts of a video with gaps by the frames they hold, `Test004_1-80`."""
    count = collections.Counter((part.split, part.name) for part in parts)
    for part, (first, last) in zip(parts, numbers, strict=True):
        if count[part.split, part.name] > 1:
            part.name = f"{part.name}_{first}-{last}"
    return parts
