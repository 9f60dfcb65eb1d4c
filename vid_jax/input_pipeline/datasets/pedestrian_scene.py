"""A generated surveillance scene: people on a walkway between lawns, and what does not belong there.

A stand-in for UCSD Ped2 that needs no download: the same geometry (240x360, grey), the same clips and
the same kinds of anomaly, with exact pixel masks. A video depends on (VERSION, seed, name) alone.
"""

import dataclasses
import math
import zlib
from collections.abc import Callable

import cv2
import numpy as np

from vid_jax.input_pipeline.datasets import pedestrian_figures as figures
from vid_jax.input_pipeline.datasets.pedestrian_figures import Canvas, Look, Pose

VERSION = "1.1.0"
FRAME_SIZE = (240, 360)
MIN_VISIBLE_PIXELS = 40  # an anomaly of which less is seen is neither labelled nor masked


def _clips(prefix: str, lengths: str) -> dict[str, int]:
    return {f"{prefix}{i:03d}": int(n) for i, n in enumerate(lengths.split(), 1)}


TRAIN_LENGTHS = _clips("Train", "120 150 150 180 180 150 150 120 180 180 180 180 180 150 150 150")
TEST_LENGTHS = _clips("Test", "180 180 150 180 150 180 180 180 120 150 180 180")

_LENGTHS = TRAIN_LENGTHS | TEST_LENGTHS

_PAVEMENT_TOP, _PAVEMENT_BOTTOM = 78, 212  # image rows
_LANES = (134.0, 202.0)  # rows where walkers set foot
_NOISE = 2.0  # standard deviation of the sensor noise, grey values
_DRIFT = 0.01  # amplitude of the illumination drift, relative
_SWELL = 230  # frames from one rush to the next
_SHADE = 0.17  # of the light, where the shade of the leaves is strongest
_LEAF = 14.0  # pixels, scale of the pattern of the shade
_WIND = 6.0  # pixels a frame by which the shade moves at its fastest, times the gust
_CLOUDS = 200  # frames from one sunny spell to the next
_CROWD = (0.0026, 0.084)  # walkers a frame, at the quietest and at the busiest


@dataclasses.dataclass(frozen=True)
class PedestrianVideo:
    """frames uint8 (n, 240, 360); labels int8 (n,), 1 = abnormal; masks bool (n, 240, 360)."""

    frames: np.ndarray
    labels: np.ndarray
    masks: np.ndarray


@dataclasses.dataclass(frozen=True)
class _Event:
    """An anomaly: its kind enters the view at a frame, on a row, heading right (+1) or left (-1)."""

    kind: str
    enters: int
    row: float
    heading: int
    pale: bool


@dataclasses.dataclass(frozen=True)
class _Mover:
    """A figure on a straight path at a constant pace."""

    draw: Callable[[Canvas, Pose, Look], None]
    look: Look
    x: float  # at frame 0
    row: float
    pace: float  # pixels a frame
    heading: int
    gait: float  # at frame 0, radians
    shadow: float  # length in body heights
    abnormal: bool

    def pose(self, frame: int) -> Pose:
        way = self.pace * frame
        height = _body_height(self.row)
        gait = self.gait + 2 * math.pi * way / (0.95 * height)
        return Pose(self.x + self.heading * way, self.row, height, self.heading, gait)


@dataclasses.dataclass(frozen=True)
class _Kind:
    draw: Callable[[Canvas, Pose, Look], None]
    pace: float  # body heights a frame
    shadow: float


_WALKING = _Kind(figures.draw_walker, 0.034, 0.5)
_ANOMALIES = {
    "cyclist": _Kind(figures.draw_cyclist, 0.035, 1.1),
    "skater": _Kind(figures.draw_skater, 0.034, 0.8),
    "runner": _Kind(figures.draw_runner, 0.036, 0.5),
    "wheelchair": _Kind(figures.draw_wheelchair, 0.030, 0.8),
    "cart": _Kind(figures.draw_cart, 0.032, 1.7),
    "on_grass": _WALKING,
}

_PALE, _DARK = True, False
_RIGHT, _LEFT = 1, -1
_EVENTS = {
    "Test001": (
        _Event("cyclist", 66, 178, _RIGHT, _PALE),
        _Event("cyclist", 70, 152, _LEFT, _DARK),
        _Event("cyclist", 84, 194, _LEFT, _PALE),
    ),
    "Test002": (
        _Event("skater", 96, 182, _LEFT, _PALE),
        _Event("skater", 101, 158, _RIGHT, _PALE),
        _Event("skater", 112, 170, _RIGHT, _PALE),
        _Event("skater", 128, 196, _LEFT, _DARK),
    ),
    "Test003": (
        _Event("wheelchair", -92, 192, _RIGHT, _PALE),
        _Event("wheelchair", -88, 165, _LEFT, _PALE),
        _Event("wheelchair", -84, 180, _LEFT, _PALE),
    ),
    "Test004": (_Event("cart", 52, 172, _LEFT, _DARK),),
    "Test005": (
        _Event("cyclist", -66, 155, _LEFT, _PALE),
        _Event("runner", -60, 188, _RIGHT, _PALE),
        _Event("runner", -54, 170, _LEFT, _PALE),
        _Event("runner", -50, 162, _LEFT, _PALE),
    ),
    "Test006": (
        _Event("on_grass", 80, 66, _RIGHT, _PALE),
        _Event("on_grass", 86, 74, _RIGHT, _PALE),
        _Event("on_grass", 94, 62, _LEFT, _DARK),
        _Event("on_grass", 88, 236, _LEFT, _PALE),
    ),
    "Test007": (_Event("cart", -70, 160, _RIGHT, _DARK), _Event("skater", -54, 194, _LEFT, _PALE)),
    "Test008": (
        _Event("cyclist", 104, 150, _LEFT, _PALE),
        _Event("cyclist", 110, 190, _RIGHT, _DARK),
    ),
    "Test009": (
        _Event("runner", 48, 168, _LEFT, _PALE),
        _Event("runner", 51, 154, _RIGHT, _DARK),
        _Event("runner", 58, 182, _RIGHT, _PALE),
        _Event("runner", 62, 192, _LEFT, _PALE),
    ),
    "Test010": (
        _Event("skater", -68, 152, _RIGHT, _PALE),
        _Event("skater", -64, 194, _LEFT, _PALE),
        _Event("cyclist", -60, 172, _LEFT, _PALE),
    ),
    "Test011": (
        _Event("cart", 98, 186, _RIGHT, _PALE),
        _Event("cyclist", 100, 158, _RIGHT, _PALE),
        _Event("skater", 103, 200, _LEFT, _PALE),
    ),
    "Test012": (
        _Event("on_grass", -85, 232, _LEFT, _PALE),
        _Event("on_grass", -78, 228, _LEFT, _PALE),
        _Event("on_grass", -70, 236, _LEFT, _PALE),
        _Event("skater", 118, 170, _RIGHT, _PALE),
        _Event("skater", 121, 192, _LEFT, _PALE),
        _Event("skater", 124, 156, _RIGHT, _PALE),
    ),
}

# The frames of each test video at which the crowd is densest and the shade is strongest: in the midst of
# the abnormal frames of half of the videos and of the normal ones of the others, in all four combinations,
# so that over the test set neither says what is abnormal.
_CROWD_PEAK = dict(zip(TEST_LENGTHS, (122, 50, 125, 115, 35, 42, 145, 142, 85, 115, 50, 150)))
_SHADE_PEAK = dict(zip(TEST_LENGTHS, (30, 140, 125, 115, 110, 132, 145, 142, 25, 40, 50, 150)))


def render_video(name: str, seed: int) -> PedestrianVideo:
    """Renders the video `name`, a key of TRAIN_LENGTHS or TEST_LENGTHS.

    A frame is labelled abnormal exactly where its mask is not empty: at least MIN_VISIBLE_PIXELS of
    anomalies are in view and not hidden by others.
    """
    length = _LENGTHS[name]
    generator = _generator(seed, name)
    movers = _crowd(generator, name)
    movers += [_anomaly(generator, event) for event in _EVENTS.get(name, ())]
    movers.sort(key=lambda mover: mover.row)
    background = _background(seed)
    gain = _illumination(generator, length)
    shade = _shade(generator, name)
    frames = np.empty((length, *FRAME_SIZE), np.uint8)
    masks = np.zeros((length, *FRAME_SIZE), bool)
    for frame in range(length):
        image, masks[frame] = _draw(background, movers, frame)
        noise = generator.standard_normal(FRAME_SIZE, np.float32) * np.float32(_NOISE)
        light = gain[frame] * shade(frame)
        frames[frame] = np.clip(image * light + noise + np.float32(0.5), 0, 255)
    return PedestrianVideo(frames, masks.any((1, 2)).astype(np.int8), masks)


def _generator(seed: int, name: str) -> np.random.Generator:
    # 1.0.0: a version that moves an event leaves the rest of the scene as it was.
    return np.random.default_rng([zlib.crc32(f"1.0.0/{name}".encode()), seed])


def _body_height(row: float) -> float:
    """Height in pixels of a person who stands on an image row: nearer is taller."""
    return 72 + 0.28 * (row - 134)


def _crowd(generator: np.random.Generator, name: str) -> list[_Mover]:
    """People who pass through while the video lasts; their number changes in slow waves."""
    length = _LENGTHS[name]
    peak = _CROWD_PEAK.get(name, generator.uniform(0, _SWELL))
    times = np.arange(-150, length + 150)
    swell = 0.5 + 0.5 * np.cos(2 * math.pi * (times - peak) / _SWELL)
    quiet, busy = _CROWD
    due = np.cumsum((quiet + (busy - quiet) * swell) * generator.uniform(0.8, 1.2))
    passing = np.searchsorted(due, np.arange(generator.uniform(), due[-1]))
    contrast = generator.uniform()
    return [_walker(generator, times[i] + generator.normal(0, 6), contrast) for i in passing]


def _walker(generator: np.random.Generator, passes: float, contrast: float) -> _Mover:
    """A person who passes the middle of the view at a frame; contrast of the clothes in [0, 1]."""
    heading = int(generator.choice((-1, 1)))
    row = generator.uniform(*_LANES)
    pace = _WALKING.pace * _body_height(row) * generator.normal(1, 0.05)
    darkness = generator.uniform(35, 85) + 25 * contrast
    shirt, trousers = 150 - darkness * generator.uniform((0.9, 0.75), (1.15, 1.0))
    bag = 150 - 1.1 * darkness if generator.uniform() < 0.3 else None
    look = Look(shirt, trousers, skin=112.0, hair=80.0, bag=bag)
    x = FRAME_SIZE[1] / 2 - heading * pace * passes
    gait = generator.uniform(0, 2 * math.pi)
    return _Mover(_WALKING.draw, look, x, row, pace, heading, gait, _WALKING.shadow, False)


def _anomaly(generator: np.random.Generator, event: _Event) -> _Mover:
    kind = _ANOMALIES[event.kind]
    pace = kind.pace * _body_height(event.row) * generator.normal(1, 0.04)
    if event.pale:
        look = Look(194, 186, 165, 105, vehicle=178 if event.kind == "cart" else 186)
    else:
        look = Look(60, 54, 95, 40, bag=200, vehicle=100 if event.kind == "cart" else 56)
    reach = 0.5 * kind.shadow * _body_height(event.row)
    edge = -reach if event.heading > 0 else FRAME_SIZE[1] + reach
    x = edge - event.heading * pace * event.enters
    gait = generator.uniform(0, 2 * math.pi)
    return _Mover(kind.draw, look, x, event.row, pace, event.heading, gait, kind.shadow, True)


def _illumination(generator: np.random.Generator, length: int) -> np.ndarray:
    """Relative brightness of each frame, float32 (length,): slow waves around one."""
    phase, period = generator.uniform(0, 2 * math.pi), generator.uniform(150, 400)
    wave = np.sin(2 * math.pi * np.arange(length) / period + phase)
    return (1 + _DRIFT * wave).astype(np.float32)


def _shade(generator: np.random.Generator, name: str) -> Callable[[int], np.ndarray]:
    """Relative brightness (240, 360), float32, of a frame under swaying leaves, as the sun comes and goes."""
    height, width = FRAME_SIZE
    layers = []
    for _ in range(2):
        noise = generator.standard_normal((2 * height, 2 * width), np.float32)
        leaves = cv2.GaussianBlur(noise, (0, 0), _LEAF)
        phase, gust = generator.uniform(0, 2 * math.pi), generator.uniform(0.6, 1.4)
        layers.append((leaves / leaves.std(), phase, gust))
    peak = _SHADE_PEAK.get(name, generator.uniform(0, _CLOUDS))
    strength = _SHADE * generator.uniform(0.5, 1)

    def shade(frame: int) -> np.ndarray:
        sun = strength * (0.5 + 0.5 * math.cos(2 * math.pi * (frame - peak) / _CLOUDS))
        dark = np.zeros(FRAME_SIZE, np.float32)
        for leaves, phase, gust in layers:
            sway = _WIND * gust * frame
            x = width + (width / 2 - 5) * math.sin(phase + 2 * sway / width)
            y = height + (height / 2 - 5) * math.sin(1.7 * phase + 0.8 * sway / height)
            dark += cv2.getRectSubPix(leaves, (width, height), (x, y))
        return 1 - np.float32(sun) * np.clip(dark / 1.4 + 0.3, 0, 2)

    return shade


def _draw(
    background: np.ndarray, movers: list[_Mover], frame: int
) -> tuple[np.ndarray, np.ndarray]:
    """One frame without noise, uint8, and its mask, bool; movers are ordered from far to near."""
    canvas = Canvas(background.copy(), np.zeros(FRAME_SIZE, np.uint8))
    placed = [(mover, mover.pose(frame)) for mover in movers]
    visible = [(m, p) for m, p in placed if abs(p.x - FRAME_SIZE[1] / 2) < 180 + 1.3 * p.height]
    for mover, pose in visible:
        figures.draw_shadow(canvas, pose, mover.shadow)
    for mover, pose in visible:
        if mover.abnormal:
            canvas.ink = 255
        elif canvas.ink is not None:
            canvas.ink = 0
        mover.draw(canvas, pose, mover.look)
    mask = canvas.mask > 0
    if np.count_nonzero(mask) < MIN_VISIBLE_PIXELS:
        mask[:] = False
    return cv2.GaussianBlur(canvas.image, (3, 3), 0.6), mask


def _background(seed: int) -> np.ndarray:
    """The empty scene, uint8: wall and hedge, lawn, walkway of slabs, lawn."""
    generator = _generator(seed, "background")
    width = FRAME_SIZE[1]
    scene = 84 + _texture(generator, 0.8, 8)  # lawn
    pavement = scene[_PAVEMENT_TOP:_PAVEMENT_BOTTOM]
    rows = np.linspace(-3, 3, len(pavement), dtype=np.float32)[:, None]
    pavement[:] = 152 + rows + _texture(generator, 0.8, 2)[: len(rows)]
    for x in range(-160, width + 200, 74):  # joints of the slabs run to a vanishing point
        top = (round(180 + 0.72 * (x - 180)), _PAVEMENT_TOP)
        bottom = (round(180 + 1.25 * (x - 180)), _PAVEMENT_BOTTOM - 1)
        cv2.line(scene, top, bottom, 146.0, 1, cv2.LINE_AA)
    cv2.line(scene, (0, 138), (width, 138), 146.0, 1)
    for row in (_PAVEMENT_TOP, _PAVEMENT_BOTTOM - 1):
        cv2.line(scene, (0, row), (width, row), 172.0, 2)
    _draw_hedge(scene, generator)
    _draw_lamp(scene, (296, _PAVEMENT_TOP - 4))
    return np.clip(cv2.GaussianBlur(scene, (3, 3), 0.7), 0, 255).astype(np.uint8)


def _texture(generator: np.random.Generator, scale: float, amplitude: float) -> np.ndarray:
    """Smooth noise over the frame, float32: grain size in pixels, standard deviation in greys."""
    noise = cv2.GaussianBlur(generator.standard_normal(FRAME_SIZE, np.float32), (0, 0), scale)
    return noise * np.float32(amplitude / noise.std())


def _draw_hedge(scene: np.ndarray, generator: np.random.Generator) -> None:
    for _ in range(900):
        x, y = generator.uniform(-5, FRAME_SIZE[1] + 5), generator.normal(11, 5)
        tone = 46 + 20 * generator.uniform() - 0.6 * (y - 11)
        cv2.circle(
            scene, (round(x), round(y)), int(generator.integers(2, 5)), tone, -1, cv2.LINE_AA
        )


def _draw_lamp(scene: np.ndarray, foot: tuple[int, int]) -> None:
    x, y = foot
    cv2.line(scene, (x, y), (x, 6), 40.0, 2, cv2.LINE_AA)
    cv2.ellipse(scene, (x, 6), (6, 3), 0, 0, 360, 205.0, -1, cv2.LINE_AA)
