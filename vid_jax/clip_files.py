"""Clips of a video as files: copied as they are encoded, or cut to the frame and encoded anew."""

import contextlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import av
import numpy as np

from vid_jax.clip_sound import add_sound
from vid_jax.errors import UserError
from vid_jax.input_pipeline.video_reader import read_frames
from vid_jax.video_writer import VideoWriter

Span = tuple[float, float]  # seconds; the end not included

_CONTAINERS = {".mp4", ".mov", ".mkv", ".webm", ".avi"}  # that clips are written to as well
_ANY_CODEC = ".mkv"
_BACK = (0.0, 2.0, 10.0, 60.0, float("inf"))  # seconds
_LATE = 2.0  # seconds; so much later in the file lies no sound of a picture


def copy_clips(source: Path, spans: Sequence[Span], folder: Path) -> list[tuple[Path, float]]:
    """Writes clips with sound without encoding, and says when each really begins.

    That is at the codec's key frame at or before the clip's start: what comes before it is shown too.

    Raises:
        UserError: the source is not a video file, or its streams cannot be copied.
    """
    if source.is_dir():
        raise UserError(f"{source}: images cannot be copied into clips; use clips=exact")
    suffix = source.suffix.lower() if source.suffix.lower() in _CONTAINERS else _ANY_CODEC
    clips = []
    for number, span in enumerate(spans, start=1):
        path = folder / f"{number:04d}{suffix}"
        try:
            clips.append((path, _copy(source, span, path)))
        except (av.error.FFmpegError, ValueError) as error:
            raise UserError(
                f"{source}: its streams cannot be copied into {suffix} ({error}); use clips=exact"
            ) from error
    return clips


def _copy(source: Path, span: Span, path: Path) -> float:
    """Copies a clip; seeks farther back where that did not lead before its start, as in streams without an index."""
    for back in _BACK:
        with av.open(str(source), metadata_errors="ignore") as reader:
            video = reader.streams.video[0]
            streams = [video, *reader.streams.audio]
            reader.seek(round(max(span[0] - back, 0.0) / video.time_base), stream=video)
            packets = _clip_packets(_with_times(reader.demux(streams)), video.index, span)
            first = next(packets, None)
            if first is None or (_shown(first) > span[0] and back < span[0]):
                continue
            with av.open(str(path), "w") as writer:
                copies = {
                    stream.index: writer.add_stream_from_template(stream) for stream in streams
                }
                begin, offset = _shown(first), first.dts * first.time_base
                for packet in itertools.chain([first], packets):
                    shift = round(offset / packet.time_base)
                    packet.dts, packet.pts = packet.dts - shift, packet.pts - shift
                    packet.stream = copies[packet.stream_index]
                    writer.mux(packet)
            return begin
    raise UserError(f"{source}: nothing can be copied at {span[0]:.2f} s; use clips=exact")


def _clip_packets(packets: Iterable[av.Packet], video: int, span: Span) -> Iterator[av.Packet]:
    """From the last key frame of stream `video` that is not after the start, or else the first, to the end.

    From the first picture on, in the order of decoding, that is shown after the end, none is kept: the few before the
    end that come later need it.
    """
    held: list[av.Packet] = []
    for packet in packets:
        is_video = packet.stream_index == video
        if is_video and packet.is_keyframe and (not held or _shown(packet) <= span[0]):
            held = [packet]
        elif held:
            held.append(packet)
        if held and is_video and packet.dts * packet.time_base > span[0]:
            break
    if not held:
        return
    begin, ended = _shown(held[0]), False
    for packet in itertools.chain(held, packets):
        if packet.dts * packet.time_base >= span[1] + _LATE:
            return
        is_video = packet.stream_index == video
        ended = ended or (is_video and _shown(packet) >= span[1])
        if begin <= _shown(packet) < span[1] and not (is_video and ended):
            yield packet


def _with_times(packets: Iterable[av.Packet]) -> Iterator[av.Packet]:
    """Packets that hold something, with the times of decoding that are missing after a jump made up."""
    waiting: dict[int, list[av.Packet]] = {}
    for packet in packets:
        if packet.size == 0 or (packet.pts is None and packet.dts is None):
            continue
        if packet.pts is None:
            packet.pts = packet.dts
        own = waiting.setdefault(packet.stream_index, [])
        own.append(packet)
        if packet.dts is None:
            continue
        for earlier, later in zip(own[-2::-1], own[:0:-1]):
            earlier.dts = later.dts - 1
        yield from own
        own.clear()


def _shown(packet: av.Packet) -> float:
    return float(packet.pts * packet.time_base)


def cut_clips(
    source: Path, spans: Sequence[Span], times: Sequence[float], folder: Path
) -> list[tuple[Path, float]]:
    """Writes clips of just these frames as H.264 in MP4, with what is heard meanwhile, in one pass over the frames.

    Args:
        source: a video file or a folder of images.
        spans: ascending, none overlapping another.
        times: seconds of the frames that can be decoded, in order.
        folder: exists.
    """
    clips = []
    frames = _timed(source, times)
    time, image = next(frames)
    for number, (start, end) in enumerate(spans, start=1):
        path = folder / f"{number:04d}.mp4"
        while time < start:
            time, image = next(frames)
        clips.append((path, time))
        with VideoWriter(path) as writer:
            while time < end:
                writer.write(_even(image()), time - clips[-1][1])
                time, image = next(frames, (np.inf, None))
        if not source.is_dir():
            add_sound(source, path, clips[-1][1], end)
    return clips


def _timed(source: Path, times: Sequence[float]) -> Iterator:
    images = (frame.image for frame in read_frames(source) if frame.image is not None)
    with contextlib.closing(images):
        yield from zip(times, images, strict=False)


def _even(image: np.ndarray) -> np.ndarray:
    """With height and width as encoders want them."""
    if image.ndim == 2:
        image = np.repeat(image[..., None], 3, axis=2)
    height, width = image.shape[:2]
    return np.pad(image, [(0, height % 2), (0, width % 2), (0, 0)], mode="edge")
