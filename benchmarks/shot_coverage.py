"""Which share of the shots of generated films has a key frame, and which share of the key frames a shot of its own.

    python -m benchmarks.shot_coverage --photographs=FOLDER --videos=FOLDER --workdir=RUN

For each kind of film the mean F1 of precision (shots hit for each key frame) and recall (shots hit for each shot).
Thresholds, where a method has one, are those that are best on other films, of other photographs and other excerpts;
"default" is a method as it is without being told anything.
"""

import functools
import multiprocessing
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from absl import logging

from benchmarks import results
from benchmarks.generated_films import KINDS, find_sources, make_film, write_film
from benchmarks.shot_methods import Threshold, embedder, look, methods
from vid_jax.histogram_embedding import histograms
from vid_jax.metrics.key_frames import mean_figures, shot_coverage

REST = KINDS[1:]  # all but hard cuts
TARGET = "0.95 on hard cuts, the best on the rest"

_TUNING_SEED = 1_000_000

Chosen = Mapping[str, Sequence[Threshold]]
Job = tuple[str, int, bool, Chosen]  # kind, seed, whether it is reported, thresholds by method
Scores = dict[tuple[str, Threshold], dict[str, float]]


class _Worker:
    """Makes films and finds key frames in them; one a process."""

    def __init__(self, photographs: Path, videos: Path, workdir: str):
        cv2.setNumThreads(1)  # there are several processes
        self.sources = find_sources(photographs, videos)
        self.embed = embedder(workdir) if workdir else histograms
        self.methods = methods()

    def measure(self, job: Job) -> Scores:
        kind, seed, reported, chosen = job
        film = make_film(kind, seed, self.sources[reported])
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "film.mp4"
            write_film(film, path)
            seen = look(path, film.num_frames, self.embed)
            return {
                (name, threshold): shot_coverage(frames, film.shots)
                for name, thresholds in chosen.items()
                for threshold, frames in zip(
                    thresholds, self.methods[name].find(seen, thresholds), strict=True
                )
            }


@functools.cache
def _worker(*sources) -> _Worker:
    """The one of this process."""
    return _Worker(*sources)


def _measure(sources: tuple, job: Job) -> Scores:
    return _worker(*sources).measure(job)


def tuned(scores: Sequence[Scores], tried: Chosen) -> Chosen:
    """Of each method that has one, the threshold of the best mean F1."""
    best = {}
    for name, thresholds in tried.items():
        means = [
            np.mean([own[name, threshold]["f1"] for own in scores]) for threshold in thresholds
        ]
        best[name] = [thresholds[int(np.argmax(means))]]
    return best


def rows(scores: Mapping[str, Sequence[Scores]]) -> list[results.Row]:
    """A row a method and threshold, from the scores of films by kind."""
    found = {}
    for name, threshold in next(iter(scores.values()))[0]:
        of_films = {kind: [own[name, threshold] for own in films] for kind, films in scores.items()}
        found[name, threshold] = _row(name, threshold, of_films)
    draws = [found.pop(key) for key in list(found) if key[0].startswith("random ")]
    table = list(found.values())
    if draws:
        numbers = [name for name, cell in draws[0].items() if isinstance(cell, float)]
        means = {name: float(np.mean([draw[name] for draw in draws])) for name in numbers}
        spread = {name: float(np.std([draw[name] for draw in draws], ddof=1)) for name in numbers}
        table += [draws[0] | means | {"method": "random"}]
        table += [draws[0] | spread | {"method": "random, spread", "threshold": None}]
    return table


def _row(
    name: str, threshold: Threshold, films: Mapping[str, Sequence[Mapping[str, float]]]
) -> results.Row:
    by_kind = {kind: mean_figures(own)["f1"] for kind, own in films.items()}
    total = mean_figures([figures for own in films.values() for figures in own])
    return {
        "method": name,
        "threshold": "default" if threshold is None else threshold,
        **by_kind,
        "rest": float(np.mean([by_kind[kind] for kind in films if kind in REST])),
        "precision": total["precision"],
        "recall": total["recall"],
        "key frames": total["key_frames"],
    }


def jobs(number: int, reported: bool, chosen: Chosen) -> Iterable[Job]:
    """`number` films, as many of each kind."""
    first = 0 if reported else _TUNING_SEED
    for i in range(number):
        yield KINDS[i % len(KINDS)], first + i // len(KINDS), reported, chosen


def main() -> None:
    parser = results.argument_parser(__doc__)
    parser.add_argument("--photographs", type=Path, required=True, help="folder of images")
    parser.add_argument("--videos", type=Path, required=True, help="folder of videos")
    results.add_key_clip_workdir(parser)
    parser.add_argument("--films", type=results.positive, default=100)
    parser.add_argument("--tuning_films", type=results.positive, default=20)
    parser.add_argument("--processes", type=results.positive, default=2)
    arguments = parser.parse_args()
    sources = arguments.photographs, arguments.videos, arguments.workdir
    find_sources(arguments.photographs, arguments.videos)  # what is wrong is said once
    every = methods()
    if "PySceneDetect content" not in every:
        logging.warning("PySceneDetect is not installed: pip install -r requirements-bench.txt")
    tried = {name: method.tried for name, method in every.items() if method.tried}
    spawn = multiprocessing.get_context("spawn")
    measure = functools.partial(_measure, sources)
    with spawn.Pool(arguments.processes) as pool:
        best = tuned(pool.map(measure, jobs(arguments.tuning_films, False, tried), 1), tried)
        chosen = {
            name: [*([None] if method.default else []), *best.get(name, [])]
            for name, method in every.items()
        }
        by_chance = [name for name in every if name.startswith("random ")]
        chosen |= dict.fromkeys(by_chance, best["uniform"])  # as many key frames
        reported = list(jobs(arguments.films, True, chosen))
        scores = {kind: [] for kind in KINDS}
        for (kind, *_), own in zip(reported, pool.imap(measure, reported), strict=True):
            scores[kind].append(own)
    title = f"Shot coverage, F1 on {arguments.films} generated films; target of vid_jax: {TARGET}"
    results.publish(title, rows(scores), arguments.json)


if __name__ == "__main__":
    results.run(main)
