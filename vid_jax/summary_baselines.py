"""Summaries that any method has to beat: evenly spread, by chance, and by colour histograms alone."""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vid_jax.histogram_embedding import histograms
from vid_jax.input_pipeline.candidates import CandidateStream, Sampling
from vid_jax.key_frames import Rules, choose
from vid_jax.metrics.key_frames import hue_histogram

DRAWS = 10  # of summaries by chance

_VIDEO_FOLDERS = ("database", "video", "videos")
_VIDEO_SUFFIXES = frozenset((".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm"))


class Glances(NamedTuple):
    """What is kept of a video: of one frame a second or so."""

    numbers: np.ndarray  # (c,) frames from 1
    times: np.ndarray  # (c,) seconds
    embeddings: np.ndarray  # (c, d) colour histograms
    hues: np.ndarray  # (c, 16)


def find_video(truth: Path, name: str) -> Path | None:
    """The video of that name near the annotations, as the data sets are laid out; None where there is none."""
    parents = [truth, *truth.resolve().parents[:2]]
    for folder in (parent / own for parent in parents for own in _VIDEO_FOLDERS):
        if not folder.is_dir():
            continue
        for file in sorted(folder.iterdir()):
            if file.suffix.lower() in _VIDEO_SUFFIXES and key(file.stem) == key(name):
                return file
    return None


def key(name: str) -> str:
    """A video's name, however it is spelled in file names."""
    return re.sub(r"\W+", "_", name).lower()


def glance(video: Path) -> Glances:
    """Looks through a video once.

    Raises:
        UserError: it cannot be decoded.
    """
    seen = [
        (c.number, c.timestamp, histograms([c.image])[0], hue_histogram(c.image))
        for c in CandidateStream(video, Sampling())
    ]
    return Glances(*map(np.stack, zip(*seen, strict=True)))


def by_histograms(glances: Glances, count: int) -> np.ndarray:
    """Places among the glances of `count` key frames: medoids of colour histograms."""
    usable = np.ones(len(glances.times), bool)
    rules = Rules(selector="k_medoids", number=count)
    return choose(glances.embeddings, glances.times, usable, rules).kept


def evenly(total: int, count: int) -> np.ndarray:
    """The middles of `count` equal parts of `total`, from 0."""
    count = min(count, total)
    return ((np.arange(count) + 0.5) * total / count).astype(int)


def by_chance(total: int, count: int, draw: int) -> np.ndarray:
    """`count` different numbers below `total`, in order."""
    return np.sort(np.random.default_rng(draw).permutation(total)[:count])


def histogram_scores(glances: Glances, num_frames: int) -> np.ndarray:
    """Scores (num_frames,): how much the colours differ from those about a second before."""
    before = np.diff(glances.embeddings, axis=0, prepend=glances.embeddings[:1])
    change = np.linalg.norm(before, axis=1)
    places = np.searchsorted(glances.numbers, np.arange(1, num_frames + 1), side="right") - 1
    return change[np.maximum(places, 0)]
