"""Files of per-frame scores and labels, in the formats people keep them in."""

import csv
import json
import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from absl import logging

from vid_jax.errors import UserError
from vid_jax.mat_files import read_events
from vid_jax.metrics.ucsd_labels import parse_ucsd_ranges

Kind = Literal["score", "label"]
Ranges = Sequence[tuple[int, int]]

_FOLDER_FORMATS = (".csv", ".npy", ".txt")
_SCORES_OF_VIDEO = "scores.csv"  # what predict writes into each video's folder
_UNREADABLE = (
    OSError,
    ValueError,
    TypeError,
    EOFError,
    csv.Error,
    zipfile.BadZipFile,
)


class Track(NamedTuple):
    """What a file says of one video."""

    name: str | None  # None where the format keeps no names
    values: np.ndarray | Ranges  # (frames,) float64, NaN where absent; or abnormal ranges, from 1


def read_tracks(path: Path, kind: Kind) -> list[Track]:
    """Scores or labels of each video of a file or folder.

    Both: a folder with one `.csv`, `.npy` or `.txt` per video (so also what evaluation and
    prediction write: `scores_NAME.csv`, `NAME/scores.csv`); a `.csv` with columns `video` (may
    be left out for a single video), `frame` (from 1; rows are in order without it) and `score` or
    `label`; a `.npz` or a JSON object with one array per video; a `.npy` or `.txt` with all
    frames. Labels also: a `.csv` with columns `video`, `start`, `end` of abnormal ranges (from 1,
    inclusive; both empty for a video without any), the UCSD `.m`, and a `.mat` whose `gt` holds an
    array [starts; ends] per video.

    Raises:
        UserError: the path is missing, its format unknown or its content not as described.
    """
    path = Path(path)
    if path.is_dir():
        return _read_folder(path, kind)
    if not path.is_file():
        raise UserError(f"{path} does not exist")
    readers = _READERS | (_LABEL_READERS if kind == "label" else {})
    if path.suffix.lower() not in readers:
        raise UserError(
            f"{path}: unknown format for {kind}s; use a folder with a file per video, or one of "
            f"{', '.join(readers)}"
        )
    try:
        tracks = readers[path.suffix.lower()](path, kind)
    except _UNREADABLE as error:
        reason = (str(error).splitlines() or ["it is cut short"])[0]
        raise UserError(f"{path} cannot be read as {path.suffix}: {reason}") from error
    if not tracks:
        raise UserError(f"{path} holds no {kind}s")
    return tracks


def _read_folder(folder: Path, kind: Kind) -> list[Track]:
    inside = [*folder.iterdir(), *folder.glob(f"*/{_SCORES_OF_VIDEO}")]
    files = [f for f in inside if f.suffix.lower() in _FOLDER_FORMATS and f.is_file()]
    tracks = []
    for file in sorted((f for f in files if f.name[0] != "."), key=_natural):
        if file.suffix.lower() == ".csv" and not _has_column(file, kind):
            logging.info("%s has no column %s and is passed over", file, kind)
            continue
        of_file = read_tracks(file, kind)
        if len(of_file) > 1:
            raise UserError(f"{file} holds several videos; a folder needs one file per video")
        tracks.append(Track(_name_of(file, folder), of_file[0].values))
    if not tracks:
        raise UserError(f"{folder} holds no {kind}s: no {', '.join(_FOLDER_FORMATS)} file")
    return tracks


def _name_of(file: Path, folder: Path) -> str | None:
    if file.name == _SCORES_OF_VIDEO:
        return None if file.parent == folder else file.parent.name
    return file.stem.removeprefix("scores_")


def _natural(file: Path) -> list[str | int]:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", str(file))]


def _read_csv(path: Path, kind: Kind) -> list[Track]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = [[cell.strip() for cell in row] for row in csv.reader(file) if row]
    if rows and len(rows[0]) == 1 and _is_number(rows[0][0]):
        return _read_text(path, kind)
    header = [cell.lower() for cell in rows[0]] if rows else []
    is_ranges = kind == "label" and {"start", "end"} <= set(header)
    if kind not in header and not is_ranges:
        choice = " (or start and end)" if kind == "label" else ""
        raise UserError(f"{path}: no column {kind}{choice}; it has {', '.join(header) or 'none'}")
    videos: dict[str | None, list[dict[str, str]]] = {}
    for number, row in enumerate(rows[1:], start=2):
        if is_ranges and len(row) == 1:
            row = row + [""] * (len(header) - 1)
        if len(row) != len(header):
            raise UserError(f"{path}, row {number}: {len(row)} cells, but {len(header)} columns")
        cells = dict(zip(header, row, strict=True))
        videos.setdefault(cells.get("video"), []).append(cells)
    if is_ranges:
        return [Track(name, _ranges(cells, path)) for name, cells in videos.items()]
    return [Track(name, _column(cells, kind, path)) for name, cells in videos.items()]


def _column(rows: list[dict[str, str]], kind: Kind, path: Path) -> np.ndarray:
    values = np.array([_number(row[kind], path) for row in rows])
    if "frame" not in rows[0]:
        return values
    frames = np.array([_whole(row["frame"], path) for row in rows])
    video = f", video {rows[0]['video']}" if "video" in rows[0] else ""
    if frames.min() < 1:
        raise UserError(f"{path}{video}: frame {frames.min()}; frames are numbered from 1")
    if len(np.unique(frames)) < len(frames):
        raise UserError(f"{path}{video}: a frame is listed twice")
    full = np.full(frames.max(), np.nan)
    full[frames - 1] = values
    return full


def _ranges(rows: list[dict[str, str]], path: Path) -> Ranges:
    filled = [row for row in rows if row["start"] or row["end"]]
    return [(_whole(row["start"], path), _whole(row["end"], path)) for row in filled]


def _read_text(path: Path, _kind: Kind) -> list[Track]:
    numbers = path.read_text(encoding="utf-8-sig").replace(",", " ").split()
    return [Track(None, np.array(numbers, np.float64))]


def _read_npy(path: Path, kind: Kind) -> list[Track]:
    return [Track(None, _vector(np.load(path, allow_pickle=False), path, kind))]


def _read_npz(path: Path, kind: Kind) -> list[Track]:
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: _vector(archive[name], f"{path}, {name}", kind) for name in archive.files}
    unnamed = all(re.fullmatch(r"arr_\d+", name) for name in arrays)
    return [Track(None if unnamed else name, values) for name, values in arrays.items()]


def _read_json(path: Path, kind: Kind) -> list[Track]:
    videos = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(videos, dict):
        raise UserError(f'{path}: expected an object such as {{"video": [{kind}, ...]}}')
    tracks = []
    for name, values in videos.items():
        if not isinstance(values, list) or not all(
            value is None or isinstance(value, int | float) for value in values
        ):
            raise UserError(f"{path}, {name}: expected a list with one {kind} per frame")
        filled = [np.nan if value is None else value for value in values]
        tracks.append(Track(name, np.array(filled, np.float64)))
    return tracks


def _read_ucsd(path: Path, _kind: Kind) -> list[Track]:
    return [Track(None, r) for r in parse_ucsd_ranges(path.read_text(), str(path))]


def _read_mat(path: Path, _kind: Kind) -> list[Track]:
    return [Track(None, events) for events in read_events(path)]


def _vector(array: np.ndarray, where: Path | str, kind: Kind) -> np.ndarray:
    if array.ndim == 2 and 1 in array.shape:
        array = array.ravel()
    if array.ndim != 1 or array.dtype.kind not in "biuf":
        raise UserError(
            f"{where}: expected one {kind} per frame, found an array of shape {array.shape} "
            f"and type {array.dtype}"
        )
    return array.astype(np.float64)


def _has_column(path: Path, kind: Kind) -> bool:
    with path.open(newline="", encoding="utf-8-sig") as file:
        header = [cell.strip().lower() for cell in next(csv.reader(file), [])]
    is_ranges = kind == "label" and {"start", "end"} <= set(header)
    return kind in header or is_ranges or (len(header) == 1 and _is_number(header[0]))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _number(text: str, path: Path) -> float:
    if text and not _is_number(text):
        raise UserError(f"{path}: {text!r} is not a number")
    return float(text) if text else np.nan


def _whole(text: str, path: Path) -> int:
    value = _number(text, path)
    if not float(value).is_integer():
        raise UserError(f"{path}: {text!r} is not a frame number")
    return int(value)


_READERS: dict[str, Callable[[Path, Kind], list[Track]]] = {
    ".csv": _read_csv,
    ".json": _read_json,
    ".npy": _read_npy,
    ".npz": _read_npz,
    ".txt": _read_text,
}
_LABEL_READERS: dict[str, Callable[[Path, Kind], list[Track]]] = {
    ".m": _read_ucsd,
    ".mat": _read_mat,
}
