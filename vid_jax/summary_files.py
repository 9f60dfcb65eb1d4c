"""What users chose from videos, as the field publishes it: TVSum, SumMe, VSUMM; and lists of shots."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from vid_jax.errors import UserError
from vid_jax.input_pipeline.frame_files import IMAGE_SUFFIXES, list_frames

Kind = Literal["frames", "scores", "shots"]

_SHOT_COLUMNS = {"shot", "start", "end"}


class Annotation(NamedTuple):
    """What users think of a video's frames."""

    name: str
    scores: np.ndarray  # (users, n) float64, of each frame
    chosen: np.ndarray | None  # (users, n) bool, where users chose frames themselves
    segments: np.ndarray | None  # (s, 2) frames [first, end), from 0
    rate: float | None  # frames a second


def kind_of(path: Path) -> Kind | None:
    """What truth it holds: users' key frames, users' scores of frames, shots, or None of these.

    Only what tells it is read.
    """
    if path.is_dir():
        if any(True for _ in _user_folders(path)):
            return "frames"
        files = sorted(path.glob("*.mat"))
        return "scores" if files and "user_score" in _variables(files[0]) else None
    ending = path.suffix.lower()
    if not path.is_file() or ending not in (".mat", ".h5", ".hdf5", ".csv"):
        return None
    if ending == ".csv":
        return "shots" if set(_header(path)) >= _SHOT_COLUMNS else None
    if ending == ".mat" and not {"tvsum50", "user_score"} & set(_variables(path)):
        return None
    return "scores"


def read_annotations(path: Path) -> list[Annotation]:
    """Users' scores of frames, by video.

    TVSum's `ydata-tvsum50.mat` (version 7.3), SumMe's `GT` folder or one `.mat` of it, or the `.h5` file of either in
    which segments come along (a group a video with `user_summary` and `change_points`).

    Raises:
        UserError: a file cannot be read, or is not as described.
    """
    if path.is_dir():
        return [_summe(file) for file in sorted(path.glob("*.mat"))]
    if not _is_hdf5(path):
        return [_summe(path)]
    import h5py

    try:
        with h5py.File(path) as file:
            found = _tvsum(file, path) if "tvsum50" in file else _with_segments(file, path)
    except (OSError, KeyError, TypeError, ValueError, IndexError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path} is not laid out as TVSum's files: {reason}") from error
    if not found:
        raise UserError(f"{path} holds no videos")
    return found


def read_user_frames(folder: Path) -> dict[str, list[list[Path]]]:
    """The images of the key frames of each user of each video, as VSUMM keeps them: `VIDEO/user1/Frame120.jpeg`.

    A folder of users is one video.

    Raises:
        UserError: an image has no number in its name.
    """
    videos: dict[str, list[list[Path]]] = {}
    for user in sorted(_user_folders(folder)):
        frames = list(list_frames(user).values())
        videos.setdefault(user.parent.resolve().name, []).append(frames)
    return videos


def read_shots(path: Path) -> dict[str | None, np.ndarray]:
    """Frames [first, end), from 0, of each shot (s, 2), by video; None is a video without a name.

    The file is a table with the columns `shot`, `start`, `end` (frames from 1, both included), and `video` where there
    are several. Shots need not touch: frames between them belong to a transition.

    Raises:
        UserError: a cell is no number, or shots overlap.
    """
    videos: dict[str | None, list[tuple[int, int]]] = {}
    for number, row in enumerate(read_rows(path), start=2):
        try:
            shot = int(row["start"]) - 1, int(row["end"])
        except (TypeError, ValueError) as error:
            raise UserError(f"{path}, row {number}: start and end are frame numbers") from error
        videos.setdefault(row.get("video") or None, []).append(shot)
    if not videos:
        raise UserError(f"{path} holds no shots")
    for name, shots in videos.items():
        borders = np.array(sorted(shots))
        if (np.diff(borders.ravel()) < 0).any() or (borders[:, 0] == borders[:, 1]).any():
            raise UserError(f"{path}, video {name or 1}: shots overlap, or end before they start")
        videos[name] = borders
    return videos


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a table, by the columns' names in small letters.

    Raises:
        UserError: it is no table.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            return [{(name or "").lower(): cell for name, cell in row.items()} for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} cannot be read as a table: {error}") from error


def _user_folders(folder: Path) -> Iterable[Path]:
    """Folders `user*` with images, directly within a folder or within one for each video."""
    for user in [*folder.glob("[uU]ser*"), *folder.glob("*/[uU]ser*")]:
        if user.is_dir() and any(f.suffix.lower() in IMAGE_SUFFIXES for f in user.iterdir()):
            yield user


def _header(path: Path) -> list[str]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        return [cell.strip().lower() for cell in next(csv.reader(file), [])]


def _is_hdf5(path: Path) -> bool:
    import h5py

    if not path.is_file():
        raise UserError(f"{path} does not exist")
    return h5py.is_hdf5(path)


def _variables(path: Path) -> list[str]:
    """Names at the top of a .mat or .h5 file; none where it cannot be read."""
    import h5py
    import scipy.io

    try:
        if h5py.is_hdf5(path):
            with h5py.File(path) as file:
                return list(file)
        return [name for name, _, _ in scipy.io.whosmat(path)]
    except (OSError, ValueError, TypeError, NotImplementedError, scipy.io.matlab.MatReadError):
        return []


def _tvsum(file, path: Path) -> list[Annotation]:
    videos = file["tvsum50"]
    found = []
    for i in range(len(videos["video"])):
        fields = {
            name: np.asarray(file[videos[name][i, 0]])
            for name in ("video", "length", "nframes", "user_anno")
        }
        name = "".join(map(chr, fields["video"].ravel()))
        num_frames, seconds = (float(fields[key].ravel()[0]) for key in ("nframes", "length"))
        scores = fields["user_anno"].astype(float)
        if scores.ndim != 2 or scores.shape[1] != num_frames:
            raise UserError(f"{path}, {name}: user_anno {scores.shape} is not users by frames")
        found.append(
            Annotation(name, scores, None, None, num_frames / seconds if seconds else None)
        )
    return found


def _with_segments(file, path: Path) -> list[Annotation]:
    found = []
    for key in sorted(file, key=lambda key: (len(key), key)):  # video_2 before video_10
        video = file[key]
        name = np.asarray(video["video_name"]).item() if "video_name" in video else key
        name = name.decode() if isinstance(name, bytes) else str(name)
        chosen = np.asarray(video["user_summary"]) > 0
        segments = np.asarray(video["change_points"]).astype(int) + (0, 1)  # ends were included
        touching = (segments[1:, 0] == segments[:-1, 1]).all() and (np.diff(segments) > 0).all()
        if not touching or segments[0, 0] != 0 or segments[-1, 1] != chosen.shape[1]:
            raise UserError(
                f"{path}, {key}: change_points do not cover the {chosen.shape[1]} frames without gaps"
            )
        found.append(Annotation(name, chosen.astype(float), chosen, segments, None))
    return found


def _summe(path: Path) -> Annotation:
    import scipy.io

    try:
        contents = scipy.io.loadmat(path, variable_names=("user_score", "FPS"))
        scores = np.asarray(contents["user_score"], float).T
    except (OSError, ValueError, TypeError, KeyError, NotImplementedError) as error:
        raise UserError(f"{path} is not a .mat file with user_score, as SumMe's are") from error
    if scores.ndim != 2 or not scores.size:
        raise UserError(f"{path}: user_score is empty")
    rate = float(contents["FPS"].ravel()[0]) if "FPS" in contents else None
    return Annotation(path.stem, scores, scores > 0, None, rate)
