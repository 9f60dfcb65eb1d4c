"""Films of known shots: pans and zooms over photographs and excerpts of videos, joined in four ways.

A film's kind says what is hard in it: "hard" has cuts only; "dissolve" lets neighbours blend into each other; "flash"
has bursts of light within shots; in "drift" shots are long, the camera goes far, and light and tint change slowly.
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from vid_jax.errors import UserError
from vid_jax.input_pipeline.frame_files import IMAGE_SUFFIXES
from vid_jax.input_pipeline.image_split import held_out
from vid_jax.input_pipeline.video_reader import iterate_video

KINDS = ("hard", "dissolve", "flash", "drift")
RATE = 25  # frames a second
SIZE = (180, 320)
SHOTS = 20

_LENGTHS = (45, 200)  # frames of a shot over a photograph; the logarithm is evenly distributed
_EXCERPT = (50, 100)  # frames of an excerpt
_DISSOLVE = (10, 25)  # frames of a transition
_CUT = 40  # mean absolute difference of neighbouring frames of a video, of 255
_EXCERPTS = (1, 4)  # of videos in a film


@dataclasses.dataclass(frozen=True)
class Excerpt:
    """A stretch of a video without a cut; excerpts of one scene are never in the same film."""

    scene: tuple[str, int]
    frames: np.ndarray  # (n, height, width, 3) uint8, of SIZE


@dataclasses.dataclass(frozen=True)
class Sources:
    """What films are made of."""

    photographs: Sequence[Path]
    excerpts: Sequence[Excerpt]


@dataclasses.dataclass(frozen=True)
class Shot:
    """`frame` gives its frames (height, width, 3) uint8, RGB, from 0 to `length` - 1."""

    length: int
    frame: Callable[[int], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Film:
    """Shots one after another; neighbours blend over as many frames as `overlaps` says."""

    parts: Sequence[Shot]
    overlaps: Sequence[int]

    @property
    def num_frames(self) -> int:
        return sum(shot.length for shot in self.parts) - sum(self.overlaps)

    @property
    def shots(self) -> np.ndarray:
        """Each shot's frames [first, end) (s, 2), from 0, without transitions."""
        lengths = np.array([shot.length for shot in self.parts])
        before, after = np.array([0, *self.overlaps]), np.array([*self.overlaps, 0])
        starts = np.cumsum(lengths - before) - lengths + before
        return np.stack([starts, np.cumsum(lengths - before) - after], axis=1)

    def frames(self) -> Iterator[np.ndarray]:
        """All frames (height, width, 3) uint8, RGB."""
        before = 0
        for place, shot in enumerate(self.parts):
            after = self.overlaps[place] if place < len(self.overlaps) else 0
            yield from map(shot.frame, range(before, shot.length - after))
            for i in range(after):
                later = self.parts[place + 1].frame(i)
                yield _blend(shot.frame(shot.length - after + i), later, (i + 1) / (after + 1))
            before = after


def find_sources(photographs: Path, videos: Path) -> tuple[Sources, Sources]:
    """What films for tuning are made of, and what films to report on: nothing is in both.

    Photographs to report on are the fifth that the autoencoder's training holds out; excerpts alternate.

    Raises:
        UserError: a folder is missing, or holds too little for a film.
    """
    for flag, folder in (("photographs", photographs), ("videos", videos)):
        if not folder.is_dir():
            raise UserError(f"--{flag}={folder} is no folder; give one of your own")
    paths = sorted(
        path
        for path in photographs.rglob("*")
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
    )
    names = [path.relative_to(photographs).as_posix() for path in paths]
    marks = held_out(names, 0.2, 42)
    files = sorted(path for path in videos.iterdir() if path.is_file())
    excerpts = [excerpt for path in files for excerpt in _excerpts(path)]
    parts = [
        Sources(
            [path for path, own in zip(paths, marks, strict=True) if own == report], own_excerpts
        )
        for report, own_excerpts in ((False, excerpts[::2]), (True, excerpts[1::2]))
    ]
    for part in parts:
        if len(part.photographs) < SHOTS or not part.excerpts:
            raise UserError(
                f"{photographs} and {videos} are too little for films: wanted are {SHOTS} photographs among "
                f"those held out and two stretches of {_EXCERPT[0]} frames without a cut"
            )
    return tuple(parts)


def _excerpts(path: Path) -> list[Excerpt]:
    """The stretches of a video, none longer than a shot."""
    scenes: list[list[np.ndarray]] = []
    for _, image in iterate_video(path):
        frame = _covered(image)
        if not scenes or np.abs(frame.astype(np.int16) - scenes[-1][-1]).mean() > _CUT:
            scenes.append([])
        scenes[-1].append(frame)
    return [
        Excerpt((path.name, number), np.stack(scene[start : start + _EXCERPT[1]]))
        for number, scene in enumerate(scenes)
        for start in range(0, len(scene) - _EXCERPT[0] + 1, _EXCERPT[1])
    ]


def _covered(image: np.ndarray) -> np.ndarray:
    """The middle of an image, of SIZE."""
    height, width = image.shape[:2]
    scale = max(SIZE[0] / height, SIZE[1] / width)
    size = (max(round(scale * width), SIZE[1]), max(round(scale * height), SIZE[0]))
    image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    top, left = (size[1] - SIZE[0]) // 2, (size[0] - SIZE[1]) // 2
    return image[top : top + SIZE[0], left : left + SIZE[1]]


def make_film(kind: str, seed: int, sources: Sources) -> Film:
    """A film of one of `KINDS`; the same for the same arguments."""
    rng = np.random.default_rng([KINDS.index(kind), seed])
    chosen = rng.permutation(len(sources.photographs))[:SHOTS]
    shots = [_photographed(sources.photographs[i], kind, rng) for i in chosen]
    places = rng.permutation(SHOTS)
    excerpts = _of_different_scenes(sources.excerpts, rng.integers(*_EXCERPTS), rng)
    for place, excerpt in zip(places, excerpts, strict=False):
        shots[place] = Shot(len(excerpt.frames), excerpt.frames.__getitem__)
    if kind == "flash":
        shots = [_flashed(shot, rng) for shot in shots]
    overlaps = [0] * (SHOTS - 1)
    if kind == "dissolve":
        longest = [min(a.length, b.length) // 4 for a, b in itertools.pairwise(shots)]
        overlaps = np.minimum(rng.integers(*_DISSOLVE, SHOTS - 1), longest).tolist()
    return Film(shots, overlaps)


def _of_different_scenes(
    excerpts: Sequence[Excerpt], number: int, rng: np.random.Generator
) -> list[Excerpt]:
    by_scene = {excerpts[i].scene: excerpts[i] for i in rng.permutation(len(excerpts))}
    return list(by_scene.values())[:number]


def _photographed(path: Path, kind: str, rng: np.random.Generator) -> Shot:
    """A camera's way over a photograph; in "drift" it is long, and light and colour change evenly."""
    photograph = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    if photograph is None:
        raise UserError(f"{path} cannot be decoded; leave it out")
    length = round(np.exp(rng.uniform(*np.log(_LENGTHS))))
    far = kind == "drift"
    zooms = np.linspace(*rng.uniform(1.05, 1.8 if far else 1.35, 2), length)
    start, end = rng.uniform(-1, 1, (2, 2)) if far else rng.uniform(-1, 1, 2) + _steps(rng)
    centres = np.clip(np.linspace(start, end, length), -1, 1)
    if not far:
        return Shot(length, lambda i: _view(photograph, zooms[i], centres[i]))
    ends = rng.uniform(0.6, 1.3, (2, 1)) * rng.uniform(0.85, 1.15, (2, 3))
    gains = np.linspace(*ends.astype(np.float32), length)

    def tinted(i: int) -> np.ndarray:
        view = _view(photograph, zooms[i], centres[i])
        return np.minimum(view * gains[i], 255).astype(np.uint8)

    return Shot(length, tinted)


def _steps(rng: np.random.Generator) -> np.ndarray:
    """From where to where a calm camera goes, of half a photograph."""
    return np.outer([-0.5, 0.5], rng.uniform(-0.5, 0.5, 2))


def _view(photograph: np.ndarray, zoom: float, centre: np.ndarray) -> np.ndarray:
    """What a camera sees; `centre` (x, y) from -1 to 1 keeps it within the photograph."""
    size = np.array(photograph.shape[1::-1])
    window = np.array(SIZE[::-1])
    scale = zoom * (window / size).max()
    shift = window / 2 - scale * size / 2 - centre * (scale * size - window) / 2
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    return cv2.warpAffine(photograph, matrix, SIZE[::-1], borderMode=cv2.BORDER_REPLICATE)


def _flashed(shot: Shot, rng: np.random.Generator) -> Shot:
    """One or two flashes of light, each dying away."""
    ages = np.arange(shot.length) - rng.integers(5, shot.length - 10, (rng.integers(1, 3), 1))
    light = np.where(ages >= 0, 0.5 ** (np.maximum(ages, 0) / 2), 0).max(axis=0)
    white = np.full((*SIZE, 3), 255, np.uint8)
    return Shot(shot.length, lambda i: _blend(shot.frame(i), white, light[i]))


def _blend(image: np.ndarray, other: np.ndarray, share: float) -> np.ndarray:
    return cv2.addWeighted(image, 1 - share, other, share, 0)


def write_film(film: Film, path: Path) -> None:
    """Encodes a film."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=RATE)
        stream.height, stream.width = SIZE
        stream.pix_fmt, stream.bit_rate = "yuv420p", 2_000_000
        stream.time_base = Fraction(1, RATE)
        for image in film.frames():
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
