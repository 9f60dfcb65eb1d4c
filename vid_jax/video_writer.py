"""Writing video whose frames come one by one."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np


class VideoWriter:
    """H.264 in MP4 with each frame (height, width, 3) uint8 RGB, even in height and width, at its own time."""

    _CLOCK = 90_000  # ticks a second

    def __init__(self, path: Path):
        self._container = av.open(str(path), "w")
        self._stream = None

    def __enter__(self) -> "VideoWriter":
        return self

    def write(self, frame: np.ndarray, seconds: float) -> None:
        if self._stream is None:
            self._stream = self._container.add_stream("libx264", rate=30)
            self._stream.height, self._stream.width = frame.shape[:2]
            self._stream.pix_fmt = "yuv420p"
            self._stream.codec_context.time_base = Fraction(1, self._CLOCK)
        image = av.VideoFrame.from_ndarray(frame, format="rgb24")
        image.pts = round(seconds * self._CLOCK)
        image.time_base = self._stream.codec_context.time_base
        self._container.mux(self._stream.encode(image))

    def __exit__(self, *exception) -> None:
        if self._stream is not None:
            self._container.mux(self._stream.encode())
        self._container.close()
