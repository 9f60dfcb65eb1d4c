"""Sequences of depth maps as files, and text files of where the hand is in them."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vid_jax.errors import UserError
from vid_jax.input_pipeline.datasets.hand_files import read_lines
from vid_jax.input_pipeline.depth_files import DepthMap, check_depth, read_depth
from vid_jax.input_pipeline.frame_files import by_number, last_number
from vid_jax.input_pipeline.mask_files import load_npy

DEPTH_SUFFIXES = (".bin", ".npy", ".png")

_LEAST_DEPTH = 10.0  # mm; every hand is nearer only where the unit is metres


class DepthFrame(NamedTuple):
    """A depth map of a sequence that has not been read yet."""

    number: int  # the last in the file's name; in an array of many from 1
    path: Path
    read: Callable[[], DepthMap]


def list_depth_files(folder: Path) -> list[Path]:
    """The files in a folder that are depth maps by their suffix, but hidden ones."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in DEPTH_SUFFIXES and not path.name.startswith(".")
    )


def list_depth_frames(source: Path) -> list[DepthFrame]:
    """The depth maps of a folder in the order of the last number in their names, or of one file.

    An `.npy` that is alone may hold (frames, height, width).

    Raises:
        UserError: of several files one has no number in its name, or two have the same; or an array cannot be read.
    """
    paths = list_depth_files(source) if source.is_dir() else [source]
    if len(paths) > 1:
        return [
            DepthFrame(number, path, functools.partial(read_depth, path))
            for number, path in by_number(paths).items()
        ]
    (path,) = paths
    if path.suffix.lower() == ".npy" and (depth := load_npy(path, mmap_mode="r")).ndim == 3:
        return [
            DepthFrame(row + 1, path, functools.partial(_read_row, depth, row, path))
            for row in range(len(depth))
        ]
    number = last_number(path)
    number = 1 if number is None else number
    return [DepthFrame(number, path, functools.partial(read_depth, path))]


def read_centres(path: Path, frames: Sequence[DepthFrame]) -> list[np.ndarray | None]:
    """The hand's centre (3,) in mm in each frame from a text file; None where the file has none.

    A line holds x (to the right), y (down) and z (away from the camera) between spaces, tabs or commas, after the
    frame's file name or number, or there is a line for each frame in order. `invalid` for the three says that there is
    no hand. Empty lines and lines that begin with # are passed over.

    Raises:
        UserError: the file is missing, its lines are not as described or are not those of the frames, or in metres.
    """
    names, centres = [], []
    for number, line in enumerate(read_lines(path), start=1):
        words = line.replace(",", " ").split()
        if not words or words[0].startswith("#"):
            continue
        name, centre = _parse(words, f"{path}, line {number}")
        names.append(name)
        centres.append(centre)
    depths = [centre[2] for centre in centres if centre is not None]
    if depths and 0 < max(depths) < _LEAST_DEPTH:
        raise UserError(
            f"{path}: no centre is {_LEAST_DEPTH:g} mm away; centres must be in mm, not in metres"
        )
    if not any(names):
        if len(centres) != len(frames):
            raise UserError(
                f"{path} has {len(centres)} centres for {len(frames)} frames; begin the lines with the frames' names"
            )
        return centres
    if not all(names):
        raise UserError(f"{path}: lines must begin with the frame's name, all or none of them")
    known = dict(zip(map(_key, names), centres, strict=True))
    if len(known) < len(names):
        raise UserError(f"{path}: a frame is there twice; its lines must be of one sequence")
    return [known.get(frame.number, known.get(frame.path.stem)) for frame in frames]


def _read_row(depth: np.ndarray, row: int, path: Path) -> DepthMap:
    check_depth(depth[row], f"{path}, frame {row + 1},")
    return DepthMap(np.rint(depth[row]).astype(np.uint16))


def _parse(words: Sequence[str], where: str) -> tuple[str, np.ndarray | None]:
    """A line's name, empty where it has none, and its centre."""
    if words[-1] == "invalid":
        return "" if words[0] == "invalid" else words[0], None
    try:
        *name, x, y, z = words
        centre = np.array([x, y, z], np.float64)
    except ValueError:
        name, centre = words, None
    if centre is None or len(name) > 1:
        raise UserError(
            f"{where}: {' '.join(words)!r} is not x y z of a hand's centre in mm, after the frame's name if it is "
            "given, or invalid"
        )
    return "".join(name), centre


def _key(name: str) -> int | str:
    stem = Path(name).stem
    return int(stem) if stem.isdigit() else stem
