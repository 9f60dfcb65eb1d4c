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

VERSION = "1.0.0"
FRAME_SIZE = (240, 360)
MIN_VISIBLE_PIXELS = 40  # an anomaly of which less is seen is neither labelled nor masked


def _clips(prefix: str, lengths: str) -> dict[str, int]:
    return {f"{prefix}{i:03d}": int(n) for i, n in enumerate(lengths.split(), 1)}


TRAIN_LENGTHS = _clips("Train", "120 150 150 180 180 150 150 120 180 180 180 180 180 150 150 150")
TEST_LENGTHS = _clips("Test", "180 180 150 180 150 180 180 180 120 150 180 180")

_PAVEMENT_TOP, _PAVEMENT_BOTTOM = 78, 212  # image rows
_LANES = (140.0, 204.0)  # rows where walkers set foot
_NOISE = 2.0  # standard deviation of the sensor noise, grey values
_DRIFT = 0.01  # amplitude of the illumination drift, relative
_SWELL = 230  # frames from one rush to the next
_CROWD = (0.004, 0.075)  # walkers a frame, at the quietest and at the busiest


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
    "cyclist": _Kind(figures.draw_cyclist, 0.058, 1.1),
    "skater": _Kind(figures.draw_skater, 0.055, 0.8),
    "runner": _Kind(figures.draw_runner, 0.065, 0.5),
    "wheelchair": _Kind(figures.draw_wheelchair, 0.042, 0.8),
    "cart": _Kind(figures.draw_cart, 0.048, 2.0),
    "on_grass": _WALKING,
}


def _group(kind: str, enters: int, heading: int, *people: tuple[int, float, bool]) -> list[_Event]:
    """Several of one kind together; each person: frames after the first, row, pale."""
    return [_Event(kind, enters + after, row, heading, pale) for after, row, pale in people]


_EVENTS: dict[str, list[_Event]] = {
    "Test001": _group("cyclist", 62, 1, (0, 168, True), (9, 146, False), (17, 186, True)),
    "Test002": _group("skater", 95, -1, (0, 175, True), (10, 150, True), (16, 192, False)),
    "Test003": _group("wheelchair", -60, 1, (0, 192, True), (10, 160, True)),
    "Test004": _group("cart", 48, -1, (0, 176, True)),
    "Test005": _group("cyclist", -55, -1, (0, 150, True), (8, 184, True))
    + _group("runner", 85, 1, (0, 176, True), (7, 158, True), (12, 192, False)),
    "Test006": _group(
        "on_grass", 60, 1, (0, 66, True), (8, 72, True), (15, 62, True), (22, 69, False)
    ),
    "Test007": _group("cart", -30, 1, (0, 160, False)),
    "Test008": _group("cyclist", 100, -1, (0, 145, True), (8, 172, False), (15, 194, True)),
    "Test009": _group("runner", 28, -1, (0, 165, True), (6, 150, False), (11, 188, True)),
    "Test010": _group("skater", -30, 1, (0, 146, True), (9, 190, True))
    + _group("cyclist", -18, -1, (0, 170, True)),
    "Test011": _group("cart", 92, 1, (0, 190, True)),
    "Test012": _group("on_grass", -70, -1, (0, 230, True), (10, 236, True))
    + _group("skater", 112, 1, (0, 165, True), (7, 188, True)),
}


def render_video(name: str, seed: int) -> PedestrianVideo:
    """Renders the video `name`, a key of TRAIN_LENGTHS or TEST_LENGTHS.

    A frame is labelled abnormal exactly where its mask is not empty: at least MIN_VISIBLE_PIXELS of
    anomalies are in view and not hidden by others.
    """
    length = {**TRAIN_LENGTHS, **TEST_LENGTHS}[name]
    generator = _generator(seed, name)
    movers = _crowd(generator, length, _rush_phase(generator, name)) + [
        _anomaly(generator, e) for e in _EVENTS.get(name, ())
    ]
    movers.sort(key=lambda mover: mover.row)
    background = _background(seed)
    gain = _illumination(generator, length)
    frames = np.empty((length, *FRAME_SIZE), np.uint8)
    masks = np.zeros((length, *FRAME_SIZE), bool)
    for frame in range(length):
        image, masks[frame] = _draw(background, movers, frame)
        noise = generator.standard_normal(FRAME_SIZE, np.float32) * np.float32(_NOISE)
        frames[frame] = np.clip(image * gain[frame] + noise + np.float32(0.5), 0, 255)
    return PedestrianVideo(frames, masks.any((1, 2)).astype(np.int8), masks)


def _generator(seed: int, name: str) -> np.random.Generator:
    return np.random.default_rng([zlib.crc32(f"{VERSION}/{name}".encode()), seed])


def _body_height(row: float) -> float:
    """Height in pixels of a person who stands on an image row: nearer is taller."""
    return 84 + 0.3 * (row - 128)


def _rush_phase(generator: np.random.Generator, name: str) -> float:
    """Where in the swell of the crowd a video starts, radians.

    Spread evenly over the test videos, so that density tells nothing about the anomalies.
    """
    if name in TEST_LENGTHS:
        return 2 * math.pi * (5 * list(TEST_LENGTHS).index(name) % 12) / 12
    return generator.uniform(0, 2 * math.pi)


def _crowd(generator: np.random.Generator, length: int, phase: float) -> list[_Mover]:
    """People who pass through while the video lasts: their number and clothes change in slow waves."""
    times = np.arange(-120, length + 120)
    swell = 0.5 + 0.5 * np.sin(2 * math.pi * times / _SWELL + phase)
    fashion = 0.5 + 0.5 * np.sin(2 * math.pi * times / 310 + generator.uniform(0, 2 * math.pi))
    quiet, busy = _CROWD
    rate = (quiet + (busy - quiet) * swell**1.5) * generator.uniform(0.7, 1.2)
    return [
        _walker(generator, passes=time + generator.uniform(), contrast=fashion[i])
        for i, time in enumerate(times)
        for _ in range(generator.poisson(rate[i]))
    ]


def _walker(generator: np.random.Generator, passes: float, contrast: float) -> _Mover:
    """A person who passes the middle of the view at a frame; contrast of the clothes in [0, 1]."""
    heading = int(generator.choice((-1, 1)))
    row = generator.uniform(*_LANES)
    pace = _WALKING.pace * _body_height(row) * generator.normal(1, 0.07)
    darkness = 40 + 50 * contrast + generator.normal(0, 5)
    shirt, trousers = 150 - darkness * generator.uniform(0.85, 1.15, 2)
    bag = 150 - 1.15 * darkness if generator.uniform() < 0.3 else None
    look = Look(shirt, trousers, skin=115.0, hair=70.0, bag=bag)
    x = FRAME_SIZE[1] / 2 - heading * pace * passes
    gait = generator.uniform(0, 2 * math.pi)
    return _Mover(_WALKING.draw, look, x, row, pace, heading, gait, _WALKING.shadow, False)


def _anomaly(generator: np.random.Generator, event: _Event) -> _Mover:
    kind = _ANOMALIES[event.kind]
    pace = kind.pace * _body_height(event.row) * generator.normal(1, 0.04)
    look = Look(214, 204, 170, 90, vehicle=208) if event.pale else Look(48, 40, 90, 30, vehicle=44)
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
    scene = 84 + _texture(generator, 1.0, 9) + _texture(generator, 12, 2)  # lawn
    pavement = scene[_PAVEMENT_TOP:_PAVEMENT_BOTTOM]
    rows = np.linspace(-3, 3, len(pavement), dtype=np.float32)[:, None]
    pavement[:] = (
        152 + rows + (_texture(generator, 1.0, 2) + _texture(generator, 9, 1))[: len(rows)]
    )
    for x in range(-160, width + 200, 74):  # joints of the slabs run to a vanishing point
        top = (round(180 + 0.72 * (x - 180)), _PAVEMENT_TOP)
        bottom = (round(180 + 1.25 * (x - 180)), _PAVEMENT_BOTTOM - 1)
        cv2.line(scene, top, bottom, 143.0, 1, cv2.LINE_AA)
    cv2.line(scene, (0, 138), (width, 138), 143.0, 1)
    for row in (_PAVEMENT_TOP, _PAVEMENT_BOTTOM - 1):
        cv2.line(scene, (0, row), (width, row), 172.0, 2)
    _draw_hedge(scene, generator)
    _draw_lamp(scene, (62, _PAVEMENT_TOP - 4))
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
