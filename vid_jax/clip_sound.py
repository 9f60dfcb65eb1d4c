"""The sound of clips that were encoded anew without it."""

import heapq
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from absl import logging

_BACK = 0.5  # seconds; packets of sound lie near those of the pictures shown with them
_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)  # AAC


def add_sound(source: Path, path: Path, start: float, end: float) -> None:
    """Adds to an MP4 what is heard in a video between two times in seconds, as AAC.

    Where the video has no sound the clip stays as it is; where its sound cannot be read, too, with a warning.
    """
    with_sound = path.with_suffix(".sound.mp4")
    try:
        with av.open(str(source), metadata_errors="ignore") as reader:
            if not reader.streams.audio or not reader.streams.audio[0].rate:
                return
            _write(reader, path, with_sound, start, end)
    except av.error.FFmpegError as error:
        with_sound.unlink(missing_ok=True)
        logging.warning("%s: its sound is left out (%s).", path, error)
    else:
        with_sound.replace(path)


def _write(
    reader: av.container.InputContainer, path: Path, with_sound: Path, start: float, end: float
) -> None:
    sound = reader.streams.audio[0]
    rate = min(_RATES, key=lambda own: abs(own - sound.rate))
    layout = "mono" if sound.channels == 1 else "stereo"
    with av.open(str(path)) as silent, av.open(str(with_sound), "w") as writer:
        pictures = silent.streams.video[0]
        video = writer.add_stream_from_template(pictures)
        audio = writer.add_stream("aac", rate=rate, layout=layout)

        def shown() -> Iterator[av.Packet]:
            for packet in silent.demux(pictures):
                if packet.size:
                    packet.stream = video
                    yield packet

        def heard() -> Iterator[av.Packet]:
            for frame in _heard(reader, av.AudioResampler("fltp", layout, rate), start, end):
                yield from audio.encode(frame)
            yield from audio.encode()

        for packet in heapq.merge(shown(), heard(), key=lambda own: own.dts * own.time_base):
            writer.mux(packet)


def _heard(
    reader: av.container.InputContainer, resampler: av.AudioResampler, start: float, end: float
) -> Iterator[av.AudioFrame]:
    """Samples from `start` to `end`, whose times begin at 0."""
    for frame in _decode(reader, start):
        if frame.time is None or frame.time >= end:
            return
        for own in resampler.resample(frame):
            samples, rate = own.to_ndarray(), own.sample_rate
            first = max(0, round((start - frame.time) * rate))
            kept = samples[:, first : max(first, round((end - frame.time) * rate))]
            if not kept.size:
                continue
            cut = av.AudioFrame.from_ndarray(np.ascontiguousarray(kept), "fltp", own.layout.name)
            cut.sample_rate, cut.time_base = rate, Fraction(1, rate)
            cut.pts = round((frame.time - start) * rate) + first
            yield cut


def _decode(reader: av.container.InputContainer, start: float) -> Iterator[av.AudioFrame]:
    """Frames from a little before `start`; packets that cannot be decoded are passed over."""
    sound = reader.streams.audio[0]
    reader.seek(round(max(start - _BACK, 0.0) / sound.time_base), stream=sound)
    for packet in reader.demux(sound):
        try:
            yield from packet.decode()
        except av.error.InvalidDataError:
            continue
