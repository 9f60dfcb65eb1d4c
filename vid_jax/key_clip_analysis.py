"""From a video to the choice of its key frames and clips, in one pass and in bounded memory."""

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from pathlib import Path

import numpy as np
from absl import logging

from vid_jax.errors import UserError
from vid_jax.histogram_embedding import histograms
from vid_jax.input_pipeline.candidates import Candidate, CandidateStream, Sampling
from vid_jax.input_pipeline.video_reader import declared_seconds
from vid_jax.key_clip_settings import Settings, check
from vid_jax.key_frames import Choice, choose, joined

BATCH = 8  # candidates embedded at a time; of more the processor's cache holds less, and each waits longer
_TAIL, _TAIL_SHARE = 0.5, 0.01  # seconds, and of all, that may be missing without a word

Embed = Callable[[Sequence[np.ndarray]], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Analysis:
    """What one pass over a video found: arrays of its candidates, but `frame_times` is of its frames."""

    numbers: np.ndarray  # of frames
    times: np.ndarray  # seconds
    sharpness: np.ndarray
    usable: np.ndarray
    choice: Choice
    clips: list[tuple[float, float]]  # seconds, one for each key frame, without gaps
    frame_times: np.ndarray  # seconds, of the frames that can be decoded
    num_lost: int  # frames that cannot
    declared: float  # seconds that the file says it has, or that were decoded

    @property
    def seconds(self) -> float:
        """From the first frame to the end of the last."""
        return self.clips[-1][1] - self.clips[0][0]

    @property
    def loss(self) -> str:
        """What could not be decoded, in a sentence; empty where it is nothing."""
        cut_off = self.declared - self.seconds > max(_TAIL, _TAIL_SHARE * self.declared)
        if not self.num_lost and not cut_off:
            return ""
        of_all = f" of {self.declared:.2f} s" if cut_off else ""
        every = self.num_lost + len(self.frame_times)
        return (
            f"{self.num_lost} of {every} frames cannot be decoded and are left out; "
            f"{self.seconds:.2f} s{of_all} are there."
        )


def analyse(source: Path, settings: Settings, embed: Embed | None = None) -> Analysis:
    """Chooses the key frames and clips of a video.

    A few frames are in memory at a time, and the embedding of each candidate.

    Args:
        source: a video file or a folder of numbered images.
        settings: see there.
        embed: from images (height, width, 3) uint8, RGB, to embeddings (n, d); embedding=histogram needs none.

    Raises:
        UserError: a setting makes no sense, the source cannot be read, or `embed` is missing.
    """
    check(settings)
    embeds = _embeds(settings, embed)
    stream = CandidateStream(source, Sampling(settings.samples_per_second, settings.window))
    rows, parts = [], []
    with futures.ThreadPoolExecutor(1) as embedder:  # at work while the next frames are decoded
        for batch in _batches(stream):
            rows += [(c.number, c.timestamp, c.sharpness, c.brightness, c.contrast) for c in batch]
            futures.wait(parts[-1:])
            parts.append(embedder.submit(_embedded, batch, embeds))
    numbers, times, sharpness, brightness, contrast = map(np.array, zip(*rows))
    usable = (
        (brightness >= settings.min_brightness)
        & (contrast >= settings.min_contrast)
        & (sharpness >= settings.min_sharpness * np.median(sharpness))
    )
    _warn(source, settings, usable)
    vectors = joined([part.result() for part in parts]) if embeds else None
    del parts
    gaps = [stream.cuts.find(*gap) for gap in itertools.pairwise(times)]
    choice = choose(vectors, times, usable, settings.rules, np.array([0, *(s for _, s in gaps)]))
    edges = [stream.cuts.times[0], *(gaps[i - 1][0] for i in choice.starts[1:]), stream.cuts.end]
    analysis = Analysis(
        numbers,
        times,
        sharpness,
        usable,
        choice,
        list(itertools.pairwise(map(float, edges))),
        np.array(stream.cuts.times),
        stream.num_lost,
        declared_seconds(source) or edges[-1] - edges[0],
    )
    if analysis.loss:
        logging.warning("%s: %s", source, analysis.loss)
    return analysis


def _embeds(settings: Settings, embed: Embed | None) -> list[Embed]:
    if settings.selector == "uniform":
        return []
    if settings.embedding == "histogram":
        return [histograms]
    if embed is None:
        raise UserError(
            f"embedding={settings.embedding} needs a trained network; use embedding=histogram"
        )
    return [embed, histograms] if settings.embedding == "both" else [embed]


def _embedded(batch: Sequence[Candidate], embeds: Sequence[Embed]) -> list[np.ndarray]:
    images = [candidate.image for candidate in batch]
    return [embed(images) for embed in embeds]


def _batches(candidates: CandidateStream) -> Iterator[list[Candidate]]:
    iterator = iter(candidates)
    while batch := list(itertools.islice(iterator, BATCH)):
        yield batch


def _warn(source: Path, settings: Settings, usable: np.ndarray) -> None:
    if not usable.any():
        logging.warning("%s: all is black, flat or blurred; taken as it is.", source)
    if settings.number > (usable.sum() or len(usable)):
        logging.warning(
            "%s: number=%d, but there are only %d candidates; all are kept.",
            source,
            settings.number,
            usable.sum() or len(usable),
        )
