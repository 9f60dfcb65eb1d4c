"""Ways to find the key frames of a film, for `benchmarks.shot_coverage`."""

import functools
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.generated_films import RATE
from vid_jax.histogram_embedding import histograms
from vid_jax.input_pipeline.candidates import CandidateStream, Sampling
from vid_jax.key_clip_analysis import Embed, analyse
from vid_jax.key_clip_settings import Settings
from vid_jax.key_frames import Rules, choose
from vid_jax.summary_baselines import DRAWS, by_chance, evenly

_DISTANCES = tuple(np.geomspace(0.1, 1.3, 16).round(3).tolist())
_SECONDS = (1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0)  # between key frames
_CONTENT = (8.0, 12.0, 16.0, 20.0, 23.0, 27.0, 32.0, 38.0)
_ADAPTIVE = (1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0)

Threshold = float | None  # None: as it is without being told anything


class Look(NamedTuple):
    """A film, and what is kept of it."""

    path: Path
    embed: Embed
    num_frames: int
    numbers: np.ndarray  # (c,) of the candidates, from 0
    times: np.ndarray
    embeddings: Mapping[str, np.ndarray]  # (c, d) each


class Method(NamedTuple):
    """Key frames of a film for each of some thresholds, and which ones are tried."""

    find: Callable[[Look, Sequence[Threshold]], list[np.ndarray]]
    tried: Sequence[float] = ()
    default: bool = False  # also as it is without being told anything


def _default(look: Look, thresholds: Sequence[Threshold]) -> list[np.ndarray]:
    settings = Settings(embedding="histogram") if look.embed is histograms else Settings()
    found = analyse(look.path, settings, look.embed)
    return [found.numbers[found.choice.kept] - 1 for _ in thresholds]


def _selected(
    selector: str, embedding: str, look: Look, thresholds: Sequence[Threshold]
) -> list[np.ndarray]:
    usable = np.ones(len(look.times), bool)
    rules = [Rules(selector=selector, threshold=threshold) for threshold in thresholds]
    chosen = [choose(look.embeddings[embedding], look.times, usable, own) for own in rules]
    return [look.numbers[choice.kept] for choice in chosen]


def _evenly(look: Look, thresholds: Sequence[Threshold]) -> list[np.ndarray]:
    return [evenly(look.num_frames, _count(look, seconds)) for seconds in thresholds]


def _by_chance(draw: int, look: Look, thresholds: Sequence[Threshold]) -> list[np.ndarray]:
    return [by_chance(look.num_frames, _count(look, seconds), draw) for seconds in thresholds]


def _count(look: Look, seconds: float) -> int:
    return max(round(look.num_frames / RATE / seconds), 1)


def _scenes(detector: str, look: Look, thresholds: Sequence[Threshold]) -> list[np.ndarray]:
    from benchmarks.peers import scenes_pyscenedetect

    own = scenes_pyscenedetect.THRESHOLDS[detector]
    given = [own if threshold is None else threshold for threshold in thresholds]
    return scenes_pyscenedetect.key_frames(look.path, detector, given)


def methods() -> dict[str, Method]:
    """By name; PySceneDetect's only where it is installed."""
    found = {
        "vid_jax": Method(_default, default=True),
        "change points": Method(
            functools.partial(_selected, "change_points", "network"), _DISTANCES
        ),
        "last kept": Method(functools.partial(_selected, "last_kept", "network"), _DISTANCES),
        "neighbours (published)": Method(
            functools.partial(_selected, "neighbour", "network"), _DISTANCES
        ),
        "histograms": Method(functools.partial(_selected, "neighbour", "histogram"), _DISTANCES),
        "uniform": Method(_evenly, _SECONDS),
    }
    found |= {f"random {i}": Method(functools.partial(_by_chance, i)) for i in range(DRAWS)}
    if importlib.util.find_spec("scenedetect"):
        for detector, tried in (("content", _CONTENT), ("adaptive", _ADAPTIVE)):
            find = functools.partial(_scenes, detector)
            found[f"PySceneDetect {detector}"] = Method(find, tried, default=True)
    return found


def look(path: Path, num_frames: int, embed: Embed) -> Look:
    """Looks through a film once."""
    candidates = list(CandidateStream(path, Sampling()))
    images = [candidate.image for candidate in candidates]
    numbers, times = np.array([(c.number - 1, c.timestamp) for c in candidates]).T
    embeddings = {"network": embed(images), "histogram": histograms(images)}
    return Look(path, embed, num_frames, numbers.astype(int), times, embeddings)


def embedder(workdir: str) -> Embed:
    """The latent numbers of images by a trained run, or by `pretrained:NAME`.

    Raises:
        UserError: the run is missing.
    """
    from vid_jax import predict_lib, pretrained
    from vid_jax.workdir import load_config

    folder = pretrained.folder(workdir)
    model = predict_lib.load_model(load_config(folder), folder)
    return model.task.embedder(model.eval_step(model.task.predicted), model.batch_size)
