"""Text files of hand poses as the field exchanges them: one line a frame, three numbers a joint."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from absl import logging

from vid_jax.cameras import Camera
from vid_jax.errors import UserError

COORDINATES = ("uvd", "xyz")
Coordinates = Literal["uvd", "xyz"]

_NUMBER = re.compile(
    r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(nan|inf|infinity)", re.IGNORECASE
)
_MOST_OUTSIDE = 0.1  # share of joints left of or above the image that pixels may have
_LEAST_DEPTH = 10.0  # mm; the depth of every joint is below it only where the unit is metres


class Poses(NamedTuple):
    """The poses of a file, and what its lines begin with."""

    points: np.ndarray  # (n, j, 3) mm, x right, y down, z away
    names: list[str] | None  # (n,) file names or frame numbers; None where there are none


class _Line(NamedTuple):
    number: int  # from 1
    words: list[str]


def read_poses(path: Path, camera: Camera, coordinates: Coordinates = "uvd") -> Poses:
    """The poses of a text file.

    A line holds u v d (pixels and depth) or x y z of each joint, in mm, between spaces, tabs or commas, after the
    frame's file name or number if it is given. Empty lines, lines that begin with # and, as in MSRA15's `joint.txt`, a
    first line with nothing but the number of frames are passed over. x y z are as the camera's data set publishes them:
    y upwards where `camera.y_up`, z of either sign.

    Args:
        path: the file.
        camera: takes pixels to points, and says which way y is.
        coordinates: "uvd" or "xyz".

    Raises:
        UserError: the file cannot be read, its lines are not as described, or the numbers are those of the other
            coordinates or in metres; names the file and the line.
    """
    path = Path(path)
    if coordinates not in COORDINATES:
        raise UserError(
            f"--coordinates={coordinates} is unknown; use one of {', '.join(COORDINATES)}"
        )
    lines = _read_lines(path)
    names, values = _parse(lines, path)
    depth = np.abs(values[..., 2]).max()
    if depth < _LEAST_DEPTH:
        raise UserError(f"{path}: no depth is above {depth:g}; poses must be in mm, not in metres")
    to_points = _from_uvd if coordinates == "uvd" else _from_xyz
    return Poses(to_points(values, camera, path, lines), names)


def write_poses(
    path: Path,
    points: np.ndarray,
    camera: Camera,
    coordinates: Coordinates = "uvd",
    names: Sequence[str] | None = None,
) -> None:
    """Writes poses so that `read_poses`, and other people's programs, can read them.

    Args:
        path: the file.
        points: (n, j, 3) mm, x right, y down, z away; x y z are written as the camera's data set publishes them, with z
            positive.
        camera: takes points to pixels, and says which way y is published.
        coordinates: "uvd" or "xyz".
        names: (n,) file names or frame numbers, without spaces or commas, to begin the lines with.
    """
    points = np.asarray(points, np.float64)
    values = camera.project(points) if coordinates == "uvd" else camera.turned(points)
    rows = [" ".join(f"{number:.4f}" for number in frame.ravel()) for frame in values]
    if names is not None:
        rows = [f"{name} {row}" for name, row in zip(names, rows, strict=True)]
    heading = f"# {' '.join(coordinates)} of {points.shape[1]} joints a frame; d and x y z in mm"
    Path(path).write_text("\n".join([heading, *rows]) + "\n", encoding="utf-8")


def _read_lines(path: Path) -> list[_Line]:
    if not path.is_file():
        raise UserError(f"{path} is not a file; poses are read from a text file, one line a frame")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not a text file; poses are text, one line a frame") from error
    if "\0" in text:
        raise UserError(f"{path} is not a text file; poses are text, one line a frame")
    lines = [
        _Line(number, line.replace(",", " ").split())
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip(" \t,") and not line.lstrip().startswith("#")
    ]
    if lines and lines[0].words == [str(len(lines) - 1)]:
        lines = lines[1:]
    if not lines:
        raise UserError(
            f"{path} holds no poses; it must have one line a frame, three numbers a joint"
        )
    return lines


def _parse(lines: Sequence[_Line], path: Path) -> tuple[list[str] | None, np.ndarray]:
    """What the lines begin with, and the numbers (n, j, 3)."""
    first = lines[0].words
    is_named = len(first) % 3 == 1 or not _NUMBER.fullmatch(first[0])
    width = len(first)
    if width - is_named == 0 or (width - is_named) % 3:
        raise UserError(
            f"{path}, line {lines[0].number}: {width - is_named} numbers; a frame has three a joint, "
            "after its file name or number if that is given"
        )
    for number, words in lines:
        if len(words) != width:
            raise UserError(
                f"{path}, line {number}: {len(words)} values, but {width} in line {lines[0].number}"
            )
        for word in words[is_named:]:
            if not _NUMBER.fullmatch(word):
                raise UserError(f"{path}, line {number}: {word!r} is not a number")
    names = [words[0] for _, words in lines] if is_named else None
    values = np.array([words[is_named:] for _, words in lines], np.float64)
    bad = ~np.isfinite(values).all(axis=1)
    if bad.any():
        raise UserError(f"{path}, line {lines[bad.argmax()].number}: a number is not finite")
    return names, values.reshape(len(lines), -1, 3)


def _from_uvd(pixels: np.ndarray, camera: Camera, path: Path, lines: Sequence[_Line]) -> np.ndarray:
    outside = float((pixels < 0).any(axis=-1).mean())
    if outside > _MOST_OUTSIDE:
        raise UserError(
            f"{path}: {outside:.0%} of the joints have a negative u, v or d, so these look like points in mm; "
            "use --coordinates=xyz"
        )
    bad = (pixels[..., 2] <= 0).any(axis=1)
    if bad.any():
        number = lines[bad.argmax()].number
        raise UserError(f"{path}, line {number}: a joint has no depth above 0; u v d need it in mm")
    return camera.unproject(pixels)


def _from_xyz(points: np.ndarray, camera: Camera, path: Path, lines: Sequence[_Line]) -> np.ndarray:
    behind = (points[..., 2] < 0).any(axis=1)
    before = (points[..., 2] > 0).any(axis=1)
    if behind.any() and before.any():
        odd = behind if behind.sum() <= before.sum() else before
        raise UserError(
            f"{path}, line {lines[odd.argmax()].number}: z has another sign than elsewhere; x y z are measured "
            "from the camera, not from the hand"
        )
    x, y = points[..., 0], points[..., 1]
    if (x >= 0).all() and (y >= 0).all() and (x < camera.width).all() and (y < camera.height).all():
        logging.warning(
            "%s: all x and y lie within the image of %d x %d, so these may be pixels; "
            "if so, use --coordinates=uvd",
            path,
            camera.width,
            camera.height,
        )
    points = camera.turned(points)
    return np.concatenate([points[..., :2], np.abs(points[..., 2:])], axis=-1)
