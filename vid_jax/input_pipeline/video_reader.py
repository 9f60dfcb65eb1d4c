"""Frames of a video file or of a folder of numbered images, one at a time."""

import dataclasses
import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np

from vid_jax.errors import UserError
from vid_jax.input_pipeline.frame_files import decode_image, list_frames

_DEFAULT_RATE = 25  # frames a second, for raw streams that state neither times nor a rate


@dataclasses.dataclass(frozen=True)
class RawFrame:
    """A frame as it comes from the decoder; `image` is None where that fails."""

    number: int
    timestamp: float | None  # seconds; None in a folder of images, which keeps no time
    image: Callable[[], np.ndarray] | None  # converts to (height, width[, 3]) uint8, RGB


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


def _read_folder(folder: Path) -> Iterator[RawFrame]:
    frames = list_frames(folder)
    if not frames:
        raise UserError(f"{folder} holds no images")
    for number, path in frames.items():
        image = decode_image(path.read_bytes())
        yield RawFrame(
            number, None, None if image is None else functools.partial(np.asarray, image)
        )


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
        number = 0
        for frame in _decode(container, stream):
            number += 1
            if frame is None or frame.is_corrupt:
                yield RawFrame(number, None, None)
                continue
            time = (number - 1) / rate if frame.time is None else frame.time
            yield RawFrame(number, time, functools.partial(_upright, frame))
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


def _upright(frame: av.VideoFrame) -> np.ndarray:
    image = frame.to_ndarray(format="rgb24")
    quarter_turns = round(frame.rotation / 90)  # counterclockwise, as np.rot90 turns
    return np.ascontiguousarray(np.rot90(image, quarter_turns)) if quarter_turns else image
