"""Gestures of a hand: named actions as smooth paths through postures, turns and places.

Every action begins and ends with the hand at rest. Most come in pairs that pass through the same frames, the one
forwards and the other backwards, so that only the order of the frames tells them apart.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from vid_jax.input_pipeline.datasets.hand_model import HandPoses
from vid_jax.input_pipeline.datasets.hand_postures import POSTURES, clip_angles

VERSION = "1.1.0"
LENGTHS = (20, 80)  # frames, least and most
_FRAMES = (5, 9.5)  # of an action that lasts 1, least and most
_UNEVEN = 0.45  # of the logarithm of how long each part of an action lasts
_REST = 0.4
_SEED = 5
_TREMOR = 2.5  # degrees and mm, standard deviation


class Key(NamedTuple):
    """A moment of an action.

    Attributes:
        posture: of the fingers.
        turn: degrees of yaw, pitch and roll, and wrist: of flexion and bend, from where the action begins.
        move: mm to the right, down and away.
        share: of the time of the action that leads here from the moment before.
    """

    posture: str
    turn: tuple[float, float, float] = (0, 0, 0)
    wrist: tuple[float, float] = (0, 0)
    move: tuple[float, float, float] = (0, 0, 0)
    share: float = 1


def _at_rest(keys: Iterable[Key]) -> list[Key]:
    rest = Key("relaxed")
    return [rest, rest._replace(share=_REST), *keys, rest, rest._replace(share=_REST)]


def _backwards(keys: list[Key]) -> list[Key]:
    """The same moments in the opposite order, as long after each other."""
    shares = [key.share for key in (keys[0], *keys[:0:-1])]  # the first leads nowhere
    return [key._replace(share=share) for key, share in zip(keys[::-1], shares, strict=True)]


def _circle(posture: str, turns: int) -> list[Key]:
    steps = [(30, 0), (21, 21), (0, 30), (-21, 21), (-30, 0), (-21, -21), (0, -30), (21, -21)]
    return [Key(posture, move=(x, 0, z), share=0.45) for x, z in (*steps * turns, steps[0])]


# By the names of an action and of the same backwards, what is done between the rests.
_PAIRS: dict[tuple[str, str], list[Key]] = {
    ("count_up", "count_down"): [
        key
        for posture in ("point", "two", "three", "four", "spread")
        for key in (Key(posture, share=0.9), Key(posture, share=0.35))
    ],
    ("flip", "flip_back"): [
        Key("open", (-60, 0, 0)),
        Key("open", (-60, 0, 0), share=0.4),
        Key("open", (60, 0, 0), share=1.5),
        Key("open", (60, 0, 0), share=0.4),
    ],
    ("pick_up", "put_down"): [
        Key("ball", move=(0, 25, -30)),
        Key("cylinder", move=(0, 30, -35), share=0.7),
        Key("cylinder", (0, 10, 0), move=(0, -50, 10)),
        Key("cylinder", (0, 10, 0), move=(0, -50, 10), share=0.6),
    ],
    ("screw", "unscrew"): [
        key
        for _ in range(2)
        for key in (
            Key("ball", (0, 0, 35), share=0.8),
            Key("cylinder", (0, 0, 35), share=0.5),
            Key("cylinder", (0, 0, -35)),
            Key("ball", (0, 0, -35), share=0.5),
        )
    ],
    ("stir_left", "stir_right"): _circle("pinch", turns=2),
    ("swipe_left", "swipe_right"): [
        Key("open", (25, 0, 0), move=(70, 0, 0)),
        Key("open", (-25, 0, 0), move=(-70, 0, 0), share=1.2),
        Key("fist", (-25, 0, 0), move=(-70, 0, 0)),
        Key("fist", (25, 0, 0), move=(70, 0, 0), share=1.2),
    ],
    ("zoom_in", "zoom_out"): [
        key for _ in range(2) for key in (Key("pinch", share=0.8), Key("spread"), Key("fist"))
    ],
}
_SINGLES: dict[str, list[Key]] = {
    "beckon": [Key("open"), Key("hook"), Key("open"), Key("hook"), Key("open")],
    "pinch": [Key("pinch"), Key("pinch", share=0.5), Key("relaxed"), Key("pinch")],
    "point": [
        Key("point", (0, 20, 0), move=(0, -10, -30)),
        Key("point", (0, 20, 0), move=(0, -10, -30)),
    ],
    "pour": [
        Key("cylinder"),
        Key("cylinder", (0, 0, -60), move=(-25, -20, 0)),
        Key("cylinder", (0, 0, -66), move=(-30, -20, 0)),
        Key("cylinder"),
    ],
    "thumbs_up": [
        Key("fist"),
        Key("thumbs up", (25, 0, 15)),
        Key("thumbs up", (25, 0, 15)),
    ],
    "wave": [
        Key("open", (0, 0, side * 25), (0, side * -12), (side * 20, 0, 0))
        for side in (1, -1, 1, -1, 1)
    ],
}


def _gestures() -> dict[str, list[Key]]:
    named = {name: _at_rest(keys) for name, keys in _SINGLES.items()}
    for (name, opposite), keys in _PAIRS.items():
        named[name] = _at_rest(keys)
        named[opposite] = _backwards(named[name])
    return dict(sorted(named.items()))


PAIRS = tuple(_PAIRS)  # of actions through the same frames
GESTURES = _gestures()
ACTIONS = tuple(GESTURES)  # a class is the place in it


def gesture(action: str, subject: int, repetition: int) -> HandPoses:
    """Poses of the frames of one performance, which depends on the three arguments alone.

    Performances differ in length, pace, amplitude, place, the direction that the hand faces, and in how its fingers
    are held; people have habits in the last two.

    Raises:
        ValueError: there is no such action.
    """
    number = ACTIONS.index(action)
    habits = np.random.default_rng([_SEED, number, subject])
    facing = habits.uniform((-45, -25, -60), (45, 40, 60))
    hold = habits.normal(0, 6, (5, 4))
    rng = np.random.default_rng([_SEED, number, subject, repetition])
    facing += rng.uniform(-15, 15, 3)
    hold += rng.normal(0, 4, (5, 4))
    place = rng.uniform((-70, -40, 410), (70, 40, 560))
    amplitude = rng.uniform(0.6, 1.1)

    keys = GESTURES[action]
    shares = np.array([key.share for key in keys[1:]]) * np.exp(
        rng.uniform(-_UNEVEN, _UNEVEN, len(keys) - 1)
    )
    times = np.concatenate([[0], np.cumsum(shares) / shares.sum()])
    length = int(np.clip(shares.sum() * rng.uniform(*_FRAMES), *LENGTHS))
    paths = np.array([[*POSTURES[k.posture].ravel(), *k.turn, *k.wrist, *k.move] for k in keys])
    paths = paths[0] + amplitude * (paths - paths[0])
    values = _smooth(times, paths, length) + _tremor(rng, length)
    angles, turn, wrist, move = np.split(values, [20, 23, 25], axis=1)
    angles = clip_angles(angles.reshape(-1, 5, 4) + hold)
    return HandPoses(angles, wrist, facing + turn, place + move)


def _tremor(rng: np.random.Generator, length: int) -> np.ndarray:
    """Slow wandering (length, 28), with a knot every eight frames."""
    knots = length // 8 + 2
    return _smooth(np.linspace(0, 1, knots), rng.normal(0, _TREMOR, (knots, 28)), length)


def _smooth(times: np.ndarray, values: np.ndarray, length: int) -> np.ndarray:
    """Values (length, d), evenly in time from 0 to 1, of a path through `values` (n, d)."""
    from scipy.interpolate import PchipInterpolator  # slow, and the names need it not

    return PchipInterpolator(times, values)(np.linspace(0, 1, length))
