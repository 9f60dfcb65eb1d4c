"""A few frames of a video in full size, without decoding all that lies between them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import numpy as np

from vid_jax.input_pipeline.video_reader import read_frames, upright


def read_chosen(
    source: Path, numbers: Sequence[int], times: Sequence[float]
) -> Iterator[np.ndarray]:
    """Frames (height, width[, 3]) uint8, RGB, as `read_frames` gives them, in order.

    Goes to the codec's key frame before each; where that does not lead to a frame of just that time, as in streams
    without times, the video is decoded from its beginning.

    Args:
        source: a video file or a folder of numbered images.
        numbers: (k,) of the frames, ascending.
        times: (k,) seconds, as they were read.
    """
    found = 0
    if not source.is_dir():
        for image in _sought(source, times):
            yield image
            found += 1
    wanted = iter(numbers[found:])
    number = next(wanted, None)
    for frame in read_frames(source) if number is not None else ():
        if frame.number == number:
            yield frame.image()
            number = next(wanted, None)
            if number is None:
                return


def _sought(path: Path, times: Sequence[float]) -> Iterator[np.ndarray]:
    """As many of the frames as can be found by their times."""
    with av.open(str(path), metadata_errors="ignore") as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        decoder = _Decoder(container, stream)
        for time in times:
            frame = decoder.frame_at(time)
            if frame is None:
                return
            yield upright(frame)


class _Decoder:
    """Decodes forwards; jumps where a codec's key frame lies between the last frame and the one wanted."""

    def __init__(self, container: av.container.InputContainer, stream: av.VideoStream):
        self._container = container
        self._stream = stream
        self._packets: Iterator[av.Packet] = iter(())
        self._frames: Iterator[av.VideoFrame] = iter(())
        self._at = -1  # timestamp of the last frame

    def frame_at(self, time: float) -> av.VideoFrame | None:
        """The frame of that time, later than those before; None where there is none."""
        wanted = round(time / self._stream.time_base)
        try:
            self._go_before(wanted)
            for frame in self._decode_until(wanted):
                if frame.pts is None or frame.pts > wanted:
                    return None
                self._at = frame.pts
                if frame.pts == wanted and not frame.is_corrupt:
                    return frame
        except av.error.FFmpegError:
            pass
        return None

    def _go_before(self, wanted: int) -> None:
        index = self._stream.index_entries
        start = index.search_timestamp(wanted)
        if self._at < 0 or start < 0 or index[start].timestamp > self._at:
            self._container.seek(wanted, stream=self._stream)
            self._packets = self._container.demux(self._stream)
            self._frames = iter(())

    def _decode_until(self, wanted: int) -> Iterator[av.VideoFrame]:
        yield from self._frames
        for packet in self._packets:
            early = packet.pts is not None and packet.pts < wanted
            self._stream.codec_context.skip_frame = "NONREF" if early else "DEFAULT"
            self._frames = iter(packet.decode())
            yield from self._frames
