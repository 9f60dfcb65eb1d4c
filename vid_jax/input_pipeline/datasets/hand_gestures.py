"""Gestures of a hand: named actions as smooth paths through postures, turns and places."""

from typing import NamedTuple

import numpy as np
from scipy.interpolate import PchipInterpolator

from vid_jax.input_pipeline.datasets.hand_model import HandPoses
from vid_jax.input_pipeline.datasets.hand_postures import POSTURES, clip_angles

LENGTHS = (20, 80)  # frames, least and most
_SEED = 5
_TREMOR = 1.5  # degrees and mm, standard deviation


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


def _circle(posture: str, turns: int) -> list[Key]:
    steps = [(30, 0), (21, 21), (0, 30), (-21, 21), (-30, 0), (-21, -21), (0, -30), (21, -21)]
    return [Key(posture, move=(x, 0, z)) for x, z in (*steps * turns, steps[0])]


# What is done in turn, several times over where it is repeated.
GESTURES: dict[str, list[Key]] = {
    "beckon": [Key("open"), Key("hook"), Key("open"), Key("hook"), Key("open"), Key("hook")],
    "count": [
        key
        for posture in ("point", "two", "three", "four", "spread")
        for key in (Key(posture), Key(posture, share=0.7))
    ],
    "fist_open_close": [Key("spread"), Key("fist"), Key("spread"), Key("fist"), Key("spread")],
    "flip": [Key("open", (-60, 0, 0)), Key("open", (60, 0, 0)), Key("open", (60, 0, 0), share=0.4)],
    "grasp": [
        Key("open", move=(0, 0, 40)),
        Key("ball", move=(0, 0, -25)),
        Key("cylinder", move=(0, 0, -30), share=0.7),
        Key("cylinder", (0, 10, 0), move=(0, -50, 10)),
    ],
    "pinch": [Key("relaxed"), Key("pinch"), Key("pinch", share=0.5), Key("relaxed")],
    "point": [
        Key("relaxed", (0, -10, 0), move=(0, 20, 30)),
        Key("point", (0, 20, 0), move=(0, -10, -30)),
        Key("point", (0, 20, 0), move=(0, -10, -30)),
    ],
    "pour": [
        Key("cylinder"),
        Key("cylinder", (0, 0, -60), move=(-25, -20, 0)),
        Key("cylinder", (0, 0, -66), move=(-30, -20, 0)),
        Key("cylinder"),
    ],
    "press_button": [
        Key("point"),
        Key("point", move=(0, 0, -60), share=0.6),
        Key("point", share=0.6),
        Key("point", move=(0, 0, -60), share=0.6),
        Key("point", share=0.6),
    ],
    "rotate_wrist": [
        Key("relaxed"),
        Key("relaxed", (45, 0, 0)),
        Key("relaxed", (-45, 0, 0), share=2),
        Key("relaxed", (45, 0, 0), share=2),
        Key("relaxed"),
    ],
    "snap": [
        Key("middle pinch"),
        Key("middle pinch", share=0.6),
        Key("gun", (0, 5, 8), share=0.25),
        Key("gun", share=0.6),
        Key("middle pinch", share=0.8),
        Key("gun", (0, 5, 8), share=0.25),
    ],
    "squeeze": [Key("cylinder"), Key("fist"), Key("cylinder"), Key("fist"), Key("cylinder")],
    "stir": _circle("pinch", turns=2),
    "swipe": [
        Key("open", (30, 0, 20), move=(80, 0, 0)),
        Key("open", (-30, 0, -20), move=(-80, 0, 0)),
        Key("open", (-30, 0, -20), move=(-80, 0, 0), share=0.5),
    ],
    "thumbs_up": [
        Key("relaxed"),
        Key("fist"),
        Key("thumbs up", (25, 0, 15)),
        Key("thumbs up", (25, 0, 15)),
    ],
    "wave": [
        Key("open", (0, 0, side * 25), (0, side * -12), (side * 20, 0, 0))
        for side in (1, -1, 1, -1, 1, -1)
    ],
}
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
    facing = habits.uniform((-20, -5, -25), (20, 25, 25))
    hold = habits.normal(0, 4, (5, 4))
    rng = np.random.default_rng([_SEED, number, subject, repetition])
    facing += rng.uniform(-8, 8, 3)
    hold += rng.normal(0, 3, (5, 4))
    place = rng.uniform((-70, -40, 410), (70, 40, 560))
    amplitude = rng.uniform(0.85, 1.1)

    keys = GESTURES[action]
    shares = np.array([key.share for key in keys[1:]]) * rng.uniform(0.75, 1.3, len(keys) - 1)
    times = np.concatenate([[0], np.cumsum(shares) / shares.sum()])
    length = int(np.clip(shares.sum() * rng.uniform(8, 16), *LENGTHS))
    paths = np.array([[*POSTURES[k.posture].ravel(), *k.turn, *k.wrist, *k.move] for k in keys])
    middle = paths.mean(axis=0) * ([1] * 20 + [0] * 8)
    paths = middle + amplitude * (paths - middle)
    values = PchipInterpolator(times, paths)(np.linspace(0, 1, length)) + _tremor(rng, length)
    angles, turn, wrist, move = np.split(values, [20, 23, 25], axis=1)
    angles = clip_angles(angles.reshape(-1, 5, 4) + hold)
    return HandPoses(angles, wrist, facing + turn, place + move)


def _tremor(rng: np.random.Generator, length: int) -> np.ndarray:
    """Slow wandering (length, 28), with a knot every eight frames."""
    knots = length // 8 + 2
    wandering = PchipInterpolator(np.linspace(0, 1, knots), rng.normal(0, _TREMOR, (knots, 28)))
    return wandering(np.linspace(0, 1, length))
