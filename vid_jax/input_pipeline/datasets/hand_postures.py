"""Postures of the fingers by name, of which gestures are made, and random poses of a hand before the camera."""

import numpy as np

from vid_jax.cameras import CAMERAS
from vid_jax.input_pipeline.datasets.hand_model import ANGLE_LIMITS, HandPoses

CAMERA = CAMERAS["hands"]

# Degrees in the order of `ANGLE_LIMITS`: thumb, index, middle, ring, little.
_STRAIGHT, _BENT, _FIST = (0, 5, 5), (55, 55, 30), (82, 100, 60)


def _posture(thumb, *fingers, spread=(4, 0, -4, -9)) -> np.ndarray:
    return np.array([thumb, *((side, *bent) for side, bent in zip(spread, fingers))], float)


_WIDE = (14, 2, -9, -20)
POSTURES = {
    "open": _posture((50, 15, 5, 5), *[_STRAIGHT] * 4),
    "spread": _posture((65, 10, 0, 0), *[(-5, 3, 3)] * 4, spread=_WIDE),
    "relaxed": _posture((40, 30, 15, 15), (20, 28, 15), (27, 33, 18), (32, 36, 20), (35, 38, 20)),
    "fist": _posture((28, 48, 35, 45), *[_FIST] * 4),
    "thumbs up": _posture((65, 5, 0, -5), *[_FIST] * 4),
    "point": _posture((28, 48, 35, 45), _STRAIGHT, *[_FIST] * 3),
    "gun": _posture((65, 10, 0, 0), _STRAIGHT, *[_FIST] * 3),
    "two": _posture((25, 50, 35, 45), _STRAIGHT, _STRAIGHT, _FIST, _FIST, spread=(13, -6, -4, -8)),
    "three": _posture((22, 52, 35, 40), *[_STRAIGHT] * 3, (75, 85, 50), spread=(13, 0, -11, -10)),
    "four": _posture((15, 50, 45, 45), *[_STRAIGHT] * 4, spread=(12, 2, -7, -17)),
    "pinch": _posture((30, 50, 22, 28), (50, 52, 25), (30, 35, 20), (25, 30, 18), (22, 28, 15)),
    "middle pinch": _posture(
        (25, 55, 22, 28), (12, 18, 10), (58, 52, 25), (35, 45, 25), (38, 45, 25)
    ),
    "cylinder": _posture((40, 52, 20, 25), *[_BENT] * 3, (55, 50, 28), spread=(6, 1, -5, -10)),
    "ball": _posture((55, 45, 15, 20), *[(28, 38, 22)] * 4, spread=(14, 2, -8, -18)),
    "hook": _posture((45, 15, 10, 15), *[(5, 85, 50)] * 4),
}

_YAW, _PITCH, _ROLL = (-90.0, 90.0), (-40.0, 60.0), (-180.0, 180.0)  # degrees
_WRIST = (10.0, 7.0)  # degrees, standard deviations
_DISTANCES = (350.0, 650.0)  # mm
_REACH = 125.0  # mm around the middle knuckle that the image shows


def clip_angles(angles: np.ndarray) -> np.ndarray:
    """Angles (..., 5, 4) within what joints allow."""
    return np.clip(angles, ANGLE_LIMITS[..., 0], ANGLE_LIMITS[..., 1])


def random_poses(rng: np.random.Generator, count: int) -> HandPoses:
    """Fingers bent or stretched one by one, on a hand somewhere before the camera that shows its palm or a side.

    Behind the back of a hand, bent fingers would be hidden.
    """
    share = rng.beta(0.5, 0.5, (count, 5, 3))
    share[..., 0] = rng.uniform(size=(count, 5))
    least, most = ANGLE_LIMITS[:, :3, 0], ANGLE_LIMITS[:, :3, 1]
    angles = np.empty((count, 5, 4))
    angles[..., :3] = least + share * (most - least)
    # The last joint of a finger follows the one before; the thumb's joints are all bent on their own.
    angles[:, 1:, 3] = 0.6 * angles[:, 1:, 2]
    angles[:, 0, 3] = rng.uniform(*ANGLE_LIMITS[0, 3], count)
    angles += rng.normal(0, 4, angles.shape)
    rotation = rng.uniform(*np.transpose([_YAW, _PITCH, _ROLL]), (count, 3))
    wrist = rng.normal(0, 1, (count, 2)).clip(-2, 2) * _WRIST
    return HandPoses(clip_angles(angles), wrist, rotation, random_positions(rng, count))


def random_positions(rng: np.random.Generator, count: int) -> np.ndarray:
    """Positions (n, 3) from which the image shows the whole hand."""
    z = rng.uniform(*_DISTANCES, count)
    half = np.array([CAMERA.width / CAMERA.fx, CAMERA.height / CAMERA.fy]) / 2 * z[:, None] - _REACH
    return np.concatenate([half * rng.uniform(-1, 1, (count, 2)), z[:, None]], axis=1)
