"""Writers of tiny films of known shots."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

SIZE = (48, 80)


def scene(number: int, size=SIZE) -> np.ndarray:
    """An image of coloured tiles (height, width, 3) uint8, unlike that of any other number."""
    rng = np.random.default_rng(number)
    tiles = rng.integers(0, 256, (3, 5, 3), dtype=np.uint8)
    height, width = size
    rows = np.arange(height) * len(tiles) // height
    return tiles[rows[:, None], np.arange(width) * tiles.shape[1] // width]


def film(lengths: Sequence[int], size=SIZE) -> list[np.ndarray]:
    """Frames of still scenes, as many of each as given, with noise that differs from frame to frame."""
    frames = []
    for number, length in enumerate(lengths):
        rng = np.random.default_rng(1000 + number)
        for _ in range(length):
            noise = rng.integers(-4, 5, (*size, 3))
            frames.append(np.clip(scene(number, size) + noise, 0, 255).astype(np.uint8))
    return frames


def write_film(
    path: Path,
    frames: Sequence[np.ndarray],
    rate: float = 25,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    times: Sequence[float] | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """A video of these frames, `rate` a second or at the given times."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(rate).limit_denominator(1000))
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pixels
        stream.options = options or {}
        tick = 1 / Fraction(rate).limit_denominator(1000) if times is None else Fraction(1, 1000)
        stream.codec_context.time_base = tick
        for index, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24")
            frame.pts = index if times is None else round(1000 * times[index])
            frame.time_base = tick
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path
