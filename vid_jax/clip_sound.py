"""The sound of clips that were encoded anew without it."""

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

_BACK = 0.5  # seconds; packets of sound lie near those of the pictures shown with them


def add_sound(source: Path, path: Path, start: float, end: float) -> None:
    """Adds to an MP4 what is heard in a video between two times in seconds, as AAC; nothing where it has no sound."""
    with av.open(str(source), metadata_errors="ignore") as reader:
        if not reader.streams.audio:
            return
        with_sound = path.with_suffix(".sound.mp4")
        with av.open(str(path)) as silent, av.open(str(with_sound), "w") as writer:
            pictures = silent.streams.video[0]
            video = writer.add_stream_from_template(pictures)
            rate = reader.streams.audio[0].rate
            layout = "mono" if reader.streams.audio[0].channels == 1 else "stereo"
            audio = writer.add_stream("aac", rate=rate, layout=layout)
            for packet in silent.demux(pictures):
                if packet.size:
                    packet.stream = video
                    writer.mux(packet)
            for frame in _heard(reader, av.AudioResampler("fltp", layout, rate), start, end):
                writer.mux(audio.encode(frame))
            writer.mux(audio.encode())
    with_sound.replace(path)


def _heard(
    reader: av.container.InputContainer, resampler: av.AudioResampler, start: float, end: float
) -> Iterator[av.AudioFrame]:
    """Samples from `start` to `end`, whose times begin at 0."""
    sound = reader.streams.audio[0]
    reader.seek(round(max(start - _BACK, 0.0) / sound.time_base), stream=sound)
    for frame in reader.decode(sound):
        if frame.time is None or frame.time >= end:
            return
        for own in resampler.resample(frame):
            samples = own.to_ndarray()
            first = max(0, round((start - frame.time) * own.sample_rate))
            last = round((end - frame.time) * own.sample_rate)
            if first >= min(last, samples.shape[1]):
                continue
            kept = np.ascontiguousarray(samples[:, first:last])
            cut = av.AudioFrame.from_ndarray(kept, "fltp", own.layout.name)
            cut.sample_rate = own.sample_rate
            cut.pts = round((frame.time - start) * own.sample_rate) + first
            cut.time_base = own.time_base
            yield cut
