"""A long video of 1280x720 at 30 frames a second, and ways to go through it."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import cv2
import numpy as np

if TYPE_CHECKING:
    from vid_jax.key_clip_analysis import Embed
    from vid_jax.key_clip_settings import Settings

RATE, SIZE = 30, (720, 1280)
_SHOT = 150  # frames


def write_video(path: Path, seconds: int) -> None:
    """Pans over generated images, one a shot, as H.264 of `SIZE`."""
    from vid_jax.input_pipeline.datasets.generated_images import draw_image

    height, width = SIZE
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"preset": "veryfast"})
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        stream.time_base = Fraction(1, RATE)
        for number in range(seconds * RATE):
            shot, i = divmod(number, _SHOT)
            if i == 0:
                wide = cv2.resize(draw_image(shot), (width + _SHOT, height + _SHOT))
            frame = np.ascontiguousarray(wide[i : i + height, i : i + width])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def repeat_video(source: Path, path: Path, times: int) -> None:
    """The packets of a video again and again."""
    with av.open(str(source)) as reader:
        stream = reader.streams.video[0]
        packets = [packet for packet in reader.demux(stream) if packet.size]
        length = sum(packet.duration for packet in packets)
        stamps = [(packet.pts, packet.dts) for packet in packets]
        with av.open(str(path), "w") as writer:
            copy = writer.add_stream_from_template(stream)
            for turn in range(times):
                for packet, (pts, dts) in zip(packets, stamps, strict=True):
                    packet.pts, packet.dts = pts + turn * length, dts + turn * length
                    packet.stream, packet.time_base = copy, stream.time_base
                    writer.mux(packet)


def extraction(path: str, workdir: str) -> Callable[[], object]:
    """From the file to the folder of results; the network is loaded beforehand. Without one, by histograms."""
    from vid_jax.key_clips import extract

    settings, embed = _settings(workdir)
    output = Path(path).with_name(f"results_by_{settings.embedding}")
    return lambda: extract(Path(path), output, settings, embed)


def analysis(path: str, workdir: str) -> Callable[[], object]:
    """The same, but nothing is written."""
    from vid_jax.key_clip_analysis import analyse

    settings, embed = _settings(workdir)
    return lambda: analyse(Path(path), settings, embed)


def _settings(workdir: str) -> tuple["Settings", "Embed | None"]:
    from benchmarks.shot_methods import embedder
    from vid_jax.key_clip_settings import Settings

    if not workdir:
        return Settings(embedding="histogram", overwrite=True), None
    return Settings(overwrite=True), embedder(workdir)


def decoding(path: str) -> Callable[[], object]:
    """The frames of the file as the decoder has them."""
    from vid_jax.input_pipeline.video_reader import read_frames

    return lambda: sum(1 for _ in read_frames(Path(path)))


def scenes(path: str, detector: str) -> Callable[[], object]:
    """PySceneDetect with its own threshold."""
    from benchmarks.peers.scenes_pyscenedetect import THRESHOLDS, key_frames

    return lambda: key_frames(Path(path), detector, [THRESHOLDS[detector]])
