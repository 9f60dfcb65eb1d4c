"""Writers of tiny data sets in the formats of their authors."""

import hashlib
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import scipy.io


def frame_image(clip: str, number: int) -> np.ndarray:
    """A frame (12, 16) uint8 that no other frame is equal to."""
    seed = int(hashlib.sha256(f"{clip} {number}".encode()).hexdigest()[:8], 16)
    return np.random.default_rng(seed).integers(0, 256, (12, 16), dtype=np.uint8)


def write_image(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, image)[1].tobytes())


def write_ped(root: Path, ped="ped2", suffix=".tif", mask_suffix=".bmp") -> Path:
    """Three training clips of 9, 7 and 8 frames and two test clips of 6 and 10.

    Test001 is abnormal in frames 2 to 3 and 6, and its masks are named `NNN`; Test002 in 4 to 10,
    and its masks are named `frameNNN`. The upper left pixel of an abnormal frame is abnormal.
    """
    for index, length in enumerate((9, 7, 8), start=1):
        for number in range(1, length + 1):
            clip = f"Train{index:03d}"
            write_image(root / "Train" / clip / f"{number:03d}{suffix}", frame_image(clip, number))
    abnormal = ({2, 3, 6}, set(range(4, 11)))
    for index, (length, prefix) in enumerate(((6, ""), (10, "frame")), start=1):
        clip = f"Test{index:03d}"
        for number in range(1, length + 1):
            write_image(root / "Test" / clip / f"{number:03d}{suffix}", frame_image(clip, number))
            mask = np.zeros((12, 16), np.uint8)
            mask[0, 0] = 255 * (number in abnormal[index - 1])
            write_image(root / "Test" / f"{clip}_gt" / f"{prefix}{number:03d}{mask_suffix}", mask)
    (root / "Test" / f"UCSD{ped}.m").write_text(
        "TestVideoFile = {};\n"
        "TestVideoFile{end+1}.gt_frame = [2:3, 6:6];\n"
        "TestVideoFile{end+1}.gt_frame = [4:10];\n"
    )
    return root


def write_video(path: Path, values, times=None, size=(48, 64)) -> Path:
    """A video of frames of one grey value each (or images), 10 a second or at the given times."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1" if path.suffix == ".mkv" else "mjpeg", rate=10)
        stream.height, stream.width = size
        stream.pix_fmt = "yuv444p" if path.suffix == ".mkv" else "yuvj420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for index, value in enumerate(values):
            image = np.broadcast_to(np.uint8(value), (*size, 3))
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24")
            frame.pts = round(1000 * (index / 10 if times is None else times[index]))
            frame.time_base = Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_cells(path: Path, variable: str, arrays) -> Path:
    """A .mat file with a 1 x n cell array."""
    cells = np.empty((1, len(arrays)), object)
    for index, array in enumerate(arrays):
        cells[0, index] = np.asarray(array)
    path.parent.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(path, {variable: cells}, do_compression=True)
    return path
