"""Depth maps as files: 16-bit PNG, the packed PNG of NYU, the `.bin` of MSRA15, and arrays of NumPy."""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from vid_jax.cameras import Camera
from vid_jax.errors import UserError
from vid_jax.input_pipeline.mask_files import load_npy

_METRES = 20  # no sensor of hands measures only what is nearer, in mm


class EmptyDepth(UserError):
    """A depth map in which nothing was measured."""


class DepthMap(NamedTuple):
    """Depth in a box of a camera's image.

    Attributes:
        depth: (height, width) uint16 in mm, 0 where nothing was measured.
        left: column of the camera's image where the box begins.
        top: row where it begins.
        image_size: height and width of the camera's image, where the file says so.
    """

    depth: np.ndarray
    left: int = 0
    top: int = 0
    image_size: tuple[int, int] | None = None


def decode_png(data: bytes) -> DepthMap:
    """Depth of a PNG with one channel of 16 bits, in mm.

    Raises:
        ValueError: it is none.
    """
    image = _decode_image(data)
    if image.ndim == 3:
        raise ValueError("is a colour image; depth is one channel of 16 bits, in mm")
    if image.dtype != np.uint16:
        raise ValueError("holds 8-bit depth, which is too coarse; it must be 16-bit, in mm")
    return DepthMap(image)


def decode_nyu(data: bytes) -> DepthMap:
    """Depth of a colour PNG of NYU: mm, the upper eight bits in green, the lower in blue.

    Raises:
        ValueError: it is none.
    """
    image = _decode_image(data)
    if image.ndim != 3 or image.dtype != np.uint8:
        raise ValueError("is no colour image; NYU packs depth in green and blue of 8 bits each")
    blue, green = image[..., 0], image[..., 1]
    return DepthMap(green.astype(np.uint16) << 8 | blue)


def decode_msra_bin(data: bytes) -> DepthMap:
    """Depth of a `.bin` of MSRA15, rounded to mm: a half-open box of the image, 0 outside it.

    Six uint32 (image width and height, left, top, right, bottom), then float32 in mm, row by row.

    Raises:
        ValueError: it is cut off, or the box is impossible, or the values are no depth.
    """
    if len(data) < 24:
        raise ValueError("is cut off: its header has 24 bytes; get it again")
    image_width, image_height, left, top, right, bottom = struct.unpack_from("<6I", data)
    if not (left <= right <= image_width and top <= bottom <= image_height):
        raise ValueError(
            f"is no depth map: columns {left} to {right} and rows {top} to {bottom} of an image "
            f"{image_height}x{image_width}"
        )
    wanted = 24 + 4 * (right - left) * (bottom - top)
    if len(data) != wanted:
        problem = "is cut off" if len(data) < wanted else "is too long"
        raise ValueError(f"{problem}: {len(data)} bytes for a box of {wanted}; get it again")
    depth = np.frombuffer(data, "<f4", offset=24).reshape(bottom - top, right - left)
    return DepthMap(_to_millimetres(depth), left, top, (image_height, image_width))


# By the `depth_format` of prepared data: from the bytes of a file to its depth; ValueError says what is wrong.
DECODERS: dict[str, Callable[[bytes], DepthMap]] = {
    "png": decode_png,
    "nyu": decode_nyu,
    "msra_bin": decode_msra_bin,
}
_FORMATS = {".png": "png", ".bin": "msra_bin"}


def decode_depth(
    data: bytes, depth_format: str, where: str, camera: Camera | None = None
) -> DepthMap:
    """The depth map in the bytes of a file, checked.

    Raises:
        UserError: naming `where`; it cannot be decoded, holds no depth in mm, or is no image of the camera's.
    """
    try:
        depth_map = DECODERS[depth_format](data)
    except ValueError as error:
        raise UserError(f"{where} {error}") from error
    check_depth(depth_map.depth, where)
    if camera:
        check_size(depth_map, camera, where)
    return depth_map


def read_depth(path: Path, camera: Camera | None = None) -> DepthMap:
    """The depth map of a `.png` (16-bit), `.bin` (MSRA15) or `.npy` (integers or floats) in mm, checked.

    Raises:
        UserError: as `decode_depth`; or the file is of another kind, or cannot be read.
    """
    if path.suffix.lower() == ".npy":
        array = load_npy(path)
        check_depth(array, str(path))
        depth_map = DepthMap(_to_millimetres(array))
        if camera:
            check_size(depth_map, camera, str(path))
        return depth_map
    if path.suffix.lower() not in _FORMATS:
        raise UserError(f"{path} is no depth map: .png (16-bit), .npy or .bin (MSRA15) are read")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    return decode_depth(data, _FORMATS[path.suffix.lower()], str(path), camera)


def check_depth(depth: np.ndarray, where: str) -> None:
    """Checks that an array is depth in mm, before or after it is rounded.

    Raises:
        UserError: naming `where`; it is not (height, width), is 8-bit, in metres, empty or not finite.
    """
    if problem := _problem(depth):
        raise UserError(f"{where} {problem}")
    if not depth.any():
        raise EmptyDepth(f"{where} is empty: no pixel has a depth")


def check_size(depth_map: DepthMap, camera: Camera, where: str) -> None:
    """Checks that a depth map is of the camera's image.

    Raises:
        UserError: naming `where`; it is not.
    """
    height, width = depth_map.image_size or depth_map.depth.shape
    if (height, width) != (camera.height, camera.width):
        raise UserError(
            f"{where} is {height}x{width} and an image of the camera {camera.name} "
            f"{camera.height}x{camera.width}; name the camera that it was made with"
        )


def _decode_image(data: bytes) -> np.ndarray:
    """Image (height, width) or (height, width, 3) blue, green, red, as it is stored."""
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
    if image is None:
        raise ValueError("cannot be decoded; get it again")
    return image


def _problem(depth: np.ndarray) -> str:
    if depth.ndim != 2:
        return f"is an array of shape {depth.shape}; depth is (height, width)"
    if depth.dtype.kind not in "iuf" or depth.dtype.itemsize < 2:
        return "holds 8-bit depth, which is too coarse; it must be 16-bit or float, in mm"
    if not np.isfinite(depth).all():
        return "holds depth that is NaN or infinite; 0 stands for what was not measured"
    nearest, farthest = depth.min(initial=0), depth.max(initial=0)
    if nearest < 0 or farthest > np.iinfo(np.uint16).max:
        return f"holds depth from {nearest:g} to {farthest:g}; it must be 0 to 65535 mm"
    if 0 < farthest < _METRES:
        return f"holds depth of at most {farthest:g}, which looks like metres; it must be in mm"
    return ""


def _to_millimetres(depth: np.ndarray) -> np.ndarray:
    if problem := _problem(depth):
        raise ValueError(problem)
    return np.rint(depth).astype(np.uint16)
