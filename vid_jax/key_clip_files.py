"""Key frames and clips as files: images, clips, tables, figures, and a page that shows them."""

import contextlib
import dataclasses
import json
import math
import re
from pathlib import Path

import cv2
import numpy as np

from vid_jax import clip_files
from vid_jax.errors import UserError
from vid_jax.input_pipeline.chosen_frames import read_chosen
from vid_jax.key_clip_analysis import Analysis
from vid_jax.key_clip_settings import Settings
from vid_jax.key_frame_figures import contact_sheet, distance_curve
from vid_jax.report import Report, Table, write_report

_IMAGES = "keyframes"  # folders in the output
_CLIPS = "clips"
_IMAGE_NAME, _CLIP_NAME = r"\d{4,}_frame\d+\.\w+", r"\d{4,}\.\w+"
_CURVE_FILE = "distance_curve.png"  # that not every selector has
_CURVE_LABELS = {"change_points": "squared distance spared"}
_JPEG_QUALITY = 95
_SHOWN = 60  # key frames on the contact sheet
_THUMBNAIL = 360  # pixels wide
_COLUMNS = (
    "frame",
    "timestamp",
    "score",
    "clip_start",
    "clip_end",
    "sharpness",
    "image",
    "clip",
    "clip_file_start",
)


def check_output(source: Path, output: Path, overwrite: bool) -> None:
    """Checks that results can be written to a folder.

    Raises:
        UserError: it is a file, holds the source, or holds something and `overwrite` is not set.
    """
    if output.resolve() in (source.resolve(), *source.resolve().parents):
        raise UserError(f"{source} lies in the output folder {output}; name another one")
    if output.exists() and not output.is_dir():
        raise UserError(f"{output} is a file; --output names a folder")
    if output.is_dir() and any(output.iterdir()) and not overwrite:
        raise UserError(f"{output} is not empty; name another folder or set overwrite=True")


def write_results(source: Path, output: Path, settings: Settings, analysis: Analysis) -> None:
    """Writes all there is to see of the key frames and clips of a video into a folder.

    `keyframes/` holds the key frames, `clips/` the clips, `keyframes.csv` and `keyframes.json` their times, scores and
    files, and `index.html` shows them with a contact sheet and the curve of distances.
    """
    _remove_results(output)
    output.mkdir(parents=True, exist_ok=True)
    try:
        clips = _write_clips(source, output / _CLIPS, settings, analysis)
        images, thumbnails = _write_images(source, output / _IMAGES, settings, analysis)
    except UserError:
        _remove_results(output)
        raise
    rows = _rows(analysis, images, clips)
    facts = _facts(source, settings, analysis)
    records = [dict(zip(_COLUMNS, map(_json, row), strict=True)) for row in rows]
    text = json.dumps(facts | {"keyframes": records}, indent=1, allow_nan=False)
    (output / "keyframes.json").write_text(text + "\n", encoding="utf-8")
    write_report(
        Report(
            {name: value for name, value in facts.items() if isinstance(value, int | float)},
            {"keyframes": Table(_COLUMNS, rows)},
            _figures(source, settings, analysis, thumbnails),
        ),
        output,
        f"Key frames of {source.name}",
        _notes(facts, analysis.loss),
    )


def _remove_results(output: Path) -> None:
    """What would not be written over; nothing that has another name than results have."""
    for name, pattern in ((_IMAGES, _IMAGE_NAME), (_CLIPS, _CLIP_NAME)):
        for path in (output / name).glob("*"):
            if re.fullmatch(pattern, path.name):
                path.unlink()
        with contextlib.suppress(OSError):  # it holds something else, or is not there
            (output / name).rmdir()
    (output / _CURVE_FILE).unlink(missing_ok=True)


def _write_images(
    source: Path, folder: Path, settings: Settings, analysis: Analysis
) -> tuple[list[str], dict[int, np.ndarray]]:
    """Names of the files, and thumbnails of those that the contact sheet shows."""
    folder.mkdir(exist_ok=True)
    kept = analysis.choice.kept
    numbers = analysis.numbers[kept]
    shown = set(np.linspace(0, len(kept) - 1, min(_SHOWN, len(kept))).round().astype(int).tolist())
    names, thumbnails = [], {}
    frames = read_chosen(source, numbers.tolist(), analysis.times[kept].tolist())
    for i, (number, image) in enumerate(zip(numbers, frames, strict=True)):
        names.append(f"{i + 1:04d}_frame{number:06d}.{settings.image_format}")
        stored = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        quality = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
        data = cv2.imencode(f".{settings.image_format}", stored, quality)[1]
        (folder / names[-1]).write_bytes(data.tobytes())
        if i in shown:
            size = (_THUMBNAIL, max(1, round(_THUMBNAIL * image.shape[0] / image.shape[1])))
            thumbnails[i] = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return names, thumbnails


def _write_clips(
    source: Path, folder: Path, settings: Settings, analysis: Analysis
) -> list[tuple[str | None, float | None]]:
    """Names of the files, and when each begins."""
    if settings.clips == "none":
        return [(None, None)] * len(analysis.clips)
    folder.mkdir(exist_ok=True)
    if settings.clips == "copy":
        written = clip_files.copy_clips(source, analysis.clips, folder)
    else:
        written = clip_files.cut_clips(source, analysis.clips, analysis.frame_times, folder)
    return [(path.name, start) for path, start in written]


def _rows(
    analysis: Analysis, images: list[str], clips: list[tuple[str | None, float | None]]
) -> list[tuple]:
    choice = analysis.choice
    return [
        (
            int(analysis.numbers[place]),
            float(analysis.times[place]),
            float(choice.scores[i]),
            *analysis.clips[i],
            float(analysis.sharpness[place]),
            f"{_IMAGES}/{images[i]}",
            clips[i][0] and f"{_CLIPS}/{clips[i][0]}",
            clips[i][1],
        )
        for i, place in enumerate(choice.kept)
    ]


def _facts(source: Path, settings: Settings, analysis: Analysis) -> dict:
    choice = analysis.choice
    return {
        "source": str(source),
        "num_frames": len(analysis.frame_times),
        "num_frames_lost": analysis.num_lost,
        "seconds": analysis.seconds,
        "seconds_declared": analysis.declared,
        "num_candidates": len(analysis.times),
        "num_keyframes": len(choice.kept),
        "threshold_used": choice.threshold,
        "settings": dataclasses.asdict(settings),
    }


def _notes(facts: dict, loss: str) -> list[str]:
    settings = facts["settings"]
    way = settings["selector"].replace("_", " ")
    if settings["selector"] != "uniform":
        way += f" of {settings['embedding']}"
    summary = (
        f"{_counted(facts['num_keyframes'])} of {facts['num_candidates']} candidates in "
        f"{facts['seconds']:.1f} s, by {way}."
    )
    return [summary, loss] if loss else [summary]


def _figures(
    source: Path, settings: Settings, analysis: Analysis, thumbnails: dict[int, np.ndarray]
) -> dict:
    choice = analysis.choice
    kept = choice.kept
    captions = [
        f"{_clock(analysis.times[kept[i]])}  clip {_clock(analysis.clips[i][0])} to "
        f"{_clock(analysis.clips[i][1])}"
        for i in thumbnails
    ]
    left_out = len(kept) - len(thumbnails)
    title = f"{source.name}: {_counted(len(kept))}" + (
        f", {left_out} not shown" if left_out else ""
    )
    figures = {"contact sheet": contact_sheet(list(thumbnails.values()), captions, title)}
    if np.isfinite(choice.distances).any():
        figures["distance curve"] = distance_curve(
            analysis.times,
            choice.distances,
            choice.threshold,
            kept,
            analysis.clips,
            f"{source.name}: {settings.selector.replace('_', ' ')}, {settings.embedding}",
            _CURVE_LABELS.get(settings.selector, "distance"),
        )
    return figures


def _counted(number: int) -> str:
    return f"{number} key frame" + ("s" if number != 1 else "")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds * 10), 600)
    return f"{minutes}:{rest / 10:04.1f}"


def _json(cell: str | float | None) -> str | float | None:
    return None if isinstance(cell, float) and math.isnan(cell) else cell
