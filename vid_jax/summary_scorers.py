"""Figures of each video of a data set for anyone's summaries, and for summaries that look at little, by protocol.

A scorer takes the paths of summaries and truth, and gives video -> method -> figures. The method "summary" is what is
scored; the others are "uniform", "histogram" where the videos are at hand, and several "random" ones.

Raises:
    UserError: a file cannot be read, or summaries and truth do not fit each other.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from absl import logging

from vid_jax import summary_baselines as baselines
from vid_jax.errors import UserError, some
from vid_jax.metrics import key_frames, video_summary
from vid_jax.summary_files import Annotation, read_annotations, read_shots, read_user_frames
from vid_jax.summary_inputs import (
    Clips,
    FrameScores,
    read_frame_scores,
    read_key_frames,
    scores_of_clips,
)

Figures = dict[str, float]
T = TypeVar("T")

_SEGMENT = 2.0  # seconds; what TVSum's users scored at once
_RATE = 30.0  # frames a second where nothing tells


def score_key_frames(input_path: Path, truth_path: Path) -> dict[str, dict[str, Figures]]:
    """Key frames against those of users, by VSUMM's comparison."""
    truth = read_user_frames(truth_path)
    found = _matched(read_key_frames(input_path), truth, input_path, truth_path)
    sources = _videos(truth_path, truth)
    videos = {}
    for name, users in truth.items():
        images = found[name].images
        if images is None:
            raise UserError(f"{input_path}, {name}: the images of the key frames are needed")
        hues = [_hues(user) for user in users]
        own = _hues(images)
        videos[name] = {"summary": key_frames.user_comparison(own, hues)}
        if sources:
            glances = baselines.glance(sources[name])
            chosen = _baselines(len(glances.times), len(own))
            chosen["histogram"] = baselines.by_histograms(glances, len(own))
            videos[name] |= {
                method: key_frames.user_comparison(glances.hues[places], hues)
                for method, places in chosen.items()
            }
    return videos


def score_shots(input_path: Path, truth_path: Path) -> dict[str, dict[str, Figures]]:
    """Key frames against shots."""
    truth = read_shots(truth_path)
    found = _matched(read_key_frames(input_path), truth, input_path, truth_path)
    names = {name: name or truth_path.stem for name in truth}
    sources = _videos(truth_path, names.values())
    videos = {}
    for name, shots in truth.items():
        frames = found[name].numbers - 1
        chosen = {"summary": frames} | _baselines(shots[-1, 1], len(frames))
        if sources:
            glances = baselines.glance(sources[names[name]])
            chosen["histogram"] = glances.numbers[baselines.by_histograms(glances, len(frames))] - 1
        videos[names[name]] = {
            method: key_frames.shot_coverage(places, shots) for method, places in chosen.items()
        }
    return videos


def _baselines(total: int, count: int) -> dict[str, np.ndarray]:
    """Places of `count` key frames of `total` frames, without looking at any."""
    draws = range(baselines.DRAWS)
    return {"uniform": baselines.evenly(total, count)} | {
        f"random {i}": baselines.by_chance(total, count, i) for i in draws
    }


def score_frames(input_path: Path, truth_path: Path) -> dict[str, dict[str, Figures]]:
    """Scores of frames against those of users, by the protocol of TVSum and SumMe."""
    truth = {annotation.name: annotation for annotation in read_annotations(truth_path)}
    found = _matched(read_frame_scores(input_path), truth, input_path, truth_path)
    sources = _videos(truth_path, truth)
    videos = {}
    for name, annotation in truth.items():
        own = _frame_scores(found[name], annotation, input_path)
        segments = _segments(annotation, own)
        summaries = annotation.chosen
        if summaries is None:
            summaries = [video_summary.summary(user, segments) for user in annotation.scores]
        num_frames = annotation.scores.shape[1]
        scores = {"summary": own.values}
        scores["uniform"] = video_summary.even_scores(num_frames, segments)
        if sources:
            glances = baselines.glance(sources[name])
            scores["histogram"] = baselines.histogram_scores(glances, num_frames)
        for draw in range(baselines.DRAWS):
            scores[f"random {draw}"] = np.random.default_rng(draw).random(num_frames)
        videos[name] = {
            method: video_summary.summary_figures(values, segments, annotation.scores, summaries)
            for method, values in scores.items()
        }
    return videos


def _frame_scores(
    found: FrameScores | Clips, annotation: Annotation, input_path: Path
) -> FrameScores:
    num_frames = annotation.scores.shape[1]
    if isinstance(found, Clips):
        return scores_of_clips(found, num_frames, annotation.rate)
    if len(found.values) != num_frames:
        raise UserError(
            f"{input_path}, {annotation.name}: {len(found.values)} scores, but users scored {num_frames} frames; "
            "give one score a frame"
        )
    return found


def _segments(annotation: Annotation, scores: FrameScores) -> np.ndarray:
    """Those that come with the truth, else with the scores, else even ones."""
    for segments in (annotation.segments, scores.segments):
        if segments is not None:
            return segments
    length = round(_SEGMENT * (annotation.rate or _RATE))
    return video_summary.even_segments(annotation.scores.shape[1], length)


def _hues(images: Sequence[Path]) -> np.ndarray:
    found = []
    for path in images:
        image = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
        if image is None:
            raise UserError(f"{path} cannot be decoded as an image")
        found.append(key_frames.hue_histogram(image))
    return np.stack(found)


def _videos(truth_path: Path, names: Iterable[str]) -> dict[str, Path]:
    """The videos beside the truth; none at all where one is missing, as means would be of others."""
    found = {name: baselines.find_video(truth_path, name) for name in names}
    missing = [name for name, video in found.items() if video is None]
    if not missing:
        return found
    logging.warning(
        "No video of %s beside %s: summaries that need it are left out",
        some(missing, 3),
        truth_path,
    )
    return {}


def _matched(
    found: Mapping[str | None, T],
    truth: Mapping[str | None, object],
    input_path: Path,
    truth_path: Path,
) -> dict[str | None, T]:
    """What was found, under the names of the truth; the only one on both sides needs no name."""
    if len(found) == len(truth) == 1:
        return dict(zip(truth, found.values(), strict=True))
    by_key = {baselines.key(name or ""): own for name, own in found.items()}
    missing = [name for name in truth if baselines.key(name or "") not in by_key]
    if missing:
        raise UserError(f"{input_path} has nothing for {some(missing, 3)}, which {truth_path} has")
    return {name: by_key[baselines.key(name or "")] for name in truth}


SCORERS: dict[str, Callable[[Path, Path], dict[str, dict[str, Figures]]]] = {
    "frames": score_key_frames,
    "scores": score_frames,
    "shots": score_shots,
}
