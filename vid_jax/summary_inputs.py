"""Anyone's summaries of videos, to be scored: key frames, or scores of frames."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from absl import logging

from vid_jax.errors import UserError
from vid_jax.input_pipeline.frame_files import IMAGE_SUFFIXES, list_frames
from vid_jax.score_files import read_tracks
from vid_jax.summary_files import read_rows

KEY_FRAMES = "keyframes.csv"  # what predict writes into each video's folder


class KeyFrames(NamedTuple):
    """Key frames of a video."""

    numbers: np.ndarray  # (n,) frames from 1
    images: Sequence[Path] | None  # as many; None where there are none


class FrameScores(NamedTuple):
    """Scores of a video's frames."""

    values: np.ndarray  # (n,)
    segments: np.ndarray | None  # (s, 2) frames [first, end), from 0, where they come along


class Clips(NamedTuple):
    """Clips that follow each other, and what each scores."""

    starts: np.ndarray  # (c,) seconds, ascending
    scores: np.ndarray  # (c,), NaN where a clip has none
    rate: float  # frames a second


def read_key_frames(path: Path) -> dict[str | None, KeyFrames]:
    """Key frames by video; None is a single video without a name.

    A `keyframes.csv` as predict writes it or any table with a column `frame` (from 1; `video` where there are several),
    a folder that holds one, a folder of images with frame numbers in their names, or a folder of such folders.

    Raises:
        UserError: there are none, or a file is not as described.
    """
    if path.is_file():
        return _read_table(path)
    if not path.is_dir():
        raise UserError(f"{path} does not exist")
    if _holds_key_frames(path):
        return {None: _read_folder(path)}
    folders = [f for f in sorted(path.iterdir()) if f.is_dir() and _holds_key_frames(f)]
    if not folders:
        raise UserError(f"{path} holds no key frames: neither {KEY_FRAMES} nor numbered images")
    return {folder.name: _read_folder(folder) for folder in folders}


def read_frame_scores(path: Path) -> dict[str | None, FrameScores | Clips]:
    """Scores of frames by video; None is a single video without a name.

    What `vid_jax.score_files.read_tracks` reads, or the `keyframes.csv` of predict (the folder that holds it, or a
    folder of such), whose clips still want the video's number of frames, see `scores_of_clips`.

    Raises:
        UserError: there are none, or a file is not as described.
    """
    tables = {None: path} if path.is_file() and path.name == KEY_FRAMES else {}
    if path.is_dir():
        if (path / KEY_FRAMES).is_file():
            tables = {None: path / KEY_FRAMES}
        else:
            tables = {file.parent.name: file for file in sorted(path.glob(f"*/{KEY_FRAMES}"))}
    if tables:
        return {name: _clips(file) for name, file in tables.items()}
    tracks = read_tracks(path, "score")
    if len(tracks) > 1 and any(track.name is None for track in tracks):
        raise UserError(f"{path}: several videos without names")
    for track in tracks:
        if np.isnan(track.values).any():
            raise UserError(f"{path}, {track.name or 'the video'}: every frame needs a score")
    return {track.name: FrameScores(track.values, None) for track in tracks}


def scores_of_clips(clips: Clips, num_frames: int, rate: float | None) -> FrameScores:
    """Of each frame the score of its clip, with the clips as segments; a clip without a score has the others' mean.

    Args:
        clips: of the video.
        num_frames: of the video.
        rate: frames a second, where it is known better than from the clips.
    """
    known = clips.scores[~np.isnan(clips.scores)]
    scores = np.where(np.isnan(clips.scores), known.mean() if len(known) else 0, clips.scores)
    firsts = np.round(clips.starts * (rate or clips.rate)).astype(int)
    firsts[0] = 0
    firsts, places = np.unique(np.minimum(firsts, num_frames - 1), return_index=True)
    segments = np.stack([firsts, np.append(firsts[1:], num_frames)], axis=1)
    return FrameScores(np.repeat(scores[places], np.diff(segments).ravel()), segments)


def _clips(path: Path) -> Clips:
    rows = _rows(path)
    try:
        starts = np.array([float(row["clip_start"]) for row in rows])
        scores = np.array([float(row["score"] or "nan") for row in rows])
        frame, seconds = int(rows[-1]["frame"]), float(rows[-1]["timestamp"])
    except (KeyError, ValueError) as error:
        raise UserError(f"{path}: no clips with scores as predict writes them ({error})") from error
    seconds -= starts[0]  # of the first frame, which need not be shown at 0
    return Clips(starts - starts[0], scores, (frame - 1) / seconds if seconds else 1.0)


def _holds_key_frames(folder: Path) -> bool:
    return any(
        file.name == KEY_FRAMES or file.suffix.lower() in IMAGE_SUFFIXES
        for file in folder.iterdir()
    )


def _read_folder(folder: Path) -> KeyFrames:
    table = folder / KEY_FRAMES
    if table.is_file():
        [frames] = _read_table(table).values()
        return frames
    images = list_frames(folder)
    return KeyFrames(np.array(list(images)), list(images.values()))


def _read_table(path: Path) -> dict[str | None, KeyFrames]:
    videos: dict[str | None, list[dict[str, str]]] = {}
    for row in _rows(path):
        videos.setdefault(row.get("video") or None, []).append(row)
    return {name: _key_frames(rows, path) for name, rows in videos.items()}


def _key_frames(rows: Sequence[dict[str, str]], path: Path) -> KeyFrames:
    try:
        numbers = np.array([int(row["frame"]) for row in rows])
    except (KeyError, ValueError) as error:
        raise UserError(f"{path}: a column frame with numbers from 1 is wanted") from error
    images = [path.parent / row["image"] for row in rows if row.get("image")]
    missing = [image for image in images if not image.is_file()]
    if missing:
        logging.warning("%s is missing, so that images of key frames are not compared", missing[0])
    return KeyFrames(numbers, images if len(images) == len(rows) and not missing else None)


def _rows(path: Path) -> list[dict[str, str]]:
    rows = read_rows(path)
    if not rows:
        raise UserError(f"{path} holds no key frames")
    return rows
