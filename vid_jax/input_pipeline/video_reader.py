"""Frames of a video file or of a folder of numbered images, one at a time."""

import dataclasses
import functools
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import cv2
import numpy as np

from vid_jax.errors import UserError
from vid_jax.input_pipeline.frame_files import decode_image, list_frames

_DEFAULT_RATE = 25  # frames a second, for raw streams that state neither times nor a rate
_GLANCE = 64  # pixels


@dataclasses.dataclass(frozen=True)
class RawFrame:
    """A frame as it comes from the decoder; `image` is None where that fails."""

    number: int
    timestamp: float | None  # seconds; None in a folder of images, which keeps no time
    image: Callable[[], np.ndarray] | None  # converts to (height, width[, 3]) uint8, RGB
    small: Callable[[int], np.ndarray] | None = None  # likewise, no side longer than that
    glance: Callable[[], np.ndarray] | None = None  # a coarse grey (height, width) uint8, quickly
    duration: float | None = None  # seconds; None in a folder of images


def iterate_video(path: Path | str) -> Iterator[tuple[float | None, np.ndarray]]:
    """Times in seconds (None in a folder of images) and frames (height, width[, 3]) uint8, RGB.

    Holds no more than a few frames at a time. Rotation that the container asks for is applied.

    Raises:
        UserError: the video or a frame of it cannot be read, or there is none.
    """
    for frame in read_frames(Path(path)):
        if frame.image is None:
            raise UserError(f"{path}: frame {frame.number} cannot be decoded")
        yield frame.timestamp, frame.image()


def read_frames(path: Path) -> Iterator[RawFrame]:
    """As `iterate_video`, but a frame that cannot be decoded comes with None for an image.

    Numbers are those of the file names in a folder, else they count from 1; a lost frame counts.

    Raises:
        UserError: nothing at all can be read.
    """
    if not path.exists():
        raise UserError(f"{path} does not exist")
    return _read_folder(path) if path.is_dir() else _read_file(path)


def declared_seconds(path: Path) -> float | None:
    """How long a video file says its pictures are shown; None where it does not, as a folder of images."""
    if path.is_dir():
        return None
    with av.open(str(path), metadata_errors="ignore") as container:
        stream = container.streams.video[0]
        if stream.duration:
            return float(stream.duration * stream.time_base)
        if container.duration is None or container.streams.audio:
            return None
        return (container.duration - max(container.start_time or 0, 0)) / av.time_base


def _read_folder(folder: Path) -> Iterator[RawFrame]:
    frames = list_frames(folder)
    if not frames:
        raise UserError(f"{folder} holds no images")
    for number, path in frames.items():
        image = decode_image(path.read_bytes())
        if image is None:
            yield RawFrame(number, None, None)
            continue
        ways = (np.asarray, _shrunk, _glance)
        yield RawFrame(number, None, *(functools.partial(way, image) for way in ways))


def _read_file(path: Path) -> Iterator[RawFrame]:
    try:
        container = av.open(str(path), metadata_errors="ignore")
    except av.error.FFmpegError as error:
        raise UserError(f"{path} cannot be read as a video ({error.strerror})") from error
    with container:
        if not container.streams.video:
            raise UserError(f"{path} holds no video stream")
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        rate = float(stream.average_rate or _DEFAULT_RATE)
        number, last, later = 0, -math.inf, 0.0
        for frame in _decode(container, stream):
            number += 1
            if frame is None or frame.is_corrupt:
                yield RawFrame(number, None, None)
                continue
            time = (number - 1) / rate if frame.time is None else frame.time
            if time + later < last:  # files joined end to end
                later = last + 1 / rate - time
            last = time + later
            duration = float(frame.duration * frame.time_base) if frame.duration else 1 / rate
            ways = (functools.partial(way, frame) for way in (upright, upright, _luma_glance))
            yield RawFrame(number, last, *ways, duration)
    if number == 0:
        raise UserError(f"{path} holds no frame that can be decoded")


def _decode(container, stream) -> Iterator[av.VideoFrame | None]:
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
            yield from packet.decode()
        except StopIteration:
            return
        except av.error.EOFError:
            return
        except av.error.FFmpegError:
            yield None


def upright(frame: av.VideoFrame, longest: int | None = None) -> np.ndarray:
    """A decoded frame as RGB, turned as the container asks; no side longer than that where given."""
    if longest is None:
        image = frame.to_ndarray(format="rgb24")
    else:
        size = _fitting(frame.width, frame.height, longest)
        image = frame.reformat(*size, "rgb24", interpolation="AREA").to_ndarray()
    quarter_turns = round(frame.rotation / 90)  # counterclockwise, as np.rot90 turns
    return np.ascontiguousarray(np.rot90(image, quarter_turns)) if quarter_turns else image


def _shrunk(image: np.ndarray, longest: int) -> np.ndarray:
    size = _fitting(*image.shape[1::-1], longest)
    if size == image.shape[1::-1]:
        return image
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _fitting(width: int, height: int, longest: int) -> tuple[int, int]:
    scale = min(1, longest / max(width, height))
    return max(1, round(scale * width)), max(1, round(scale * height))


def _luma_glance(frame: av.VideoFrame) -> np.ndarray:
    """Without a conversion where the luma can be taken as it lies in memory."""
    luma = frame.format.components[0]
    if frame.format.is_rgb or len(frame.planes) < 2 or luma.bits != 8:
        return _glance(upright(frame, _GLANCE))
    plane = frame.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    return _glance(rows[: frame.height, : frame.width])


def _glance(image: np.ndarray) -> np.ndarray:
    step = max(1, max(image.shape[:2]) // (4 * _GLANCE))
    image = np.ascontiguousarray(image[::step, ::step])
    if image.ndim == 3:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return _shrunk(image, _GLANCE)
