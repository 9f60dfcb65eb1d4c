"""Generated depth maps of hands with their labels: single poses and gestures, each the same however many are made."""

import dataclasses
from collections.abc import Iterator

import numpy as np

from vid_jax.input_pipeline.datasets.hand_gestures import ACTIONS, gesture
from vid_jax.input_pipeline.datasets.hand_model import Hands, Subject, pose_hands, random_subject
from vid_jax.input_pipeline.datasets.hand_postures import random_poses
from vid_jax.input_pipeline.datasets.hand_renderer import (
    Box,
    DepthSensor,
    Scene,
    hand_box,
    random_scene,
    render_hand,
)

VERSION = "1.0.0"
_SEED = 0
_BLOCK = 50  # poses that are drawn together
# What the generators of random numbers are for, after the seed and the subject's number.
_BODY, _POSES, _SCENE, _NOISE, _GESTURE_SCENE, _GESTURE_NOISE = range(6)
_SENSOR = DepthSensor()


@dataclasses.dataclass(frozen=True)
class HandFrame:
    """A measured depth map uint16 (h, w) of a box in the image, with labels in mm that are exact.

    Attributes:
        frame: counted from 0 within the sequence.
        action: its place in `hand_gestures.ACTIONS`, or -1.
        joints: (21, 3).
        com: (3,) of the hand's visible surface.
    """

    sequence: str
    subject: str
    frame: int
    action: int
    depth: np.ndarray
    box: Box
    joints: np.ndarray
    com: np.ndarray


def subject_name(number: int) -> str:
    return f"S{number:03d}"


def pose_frames(number: int, count: int) -> Iterator[HandFrame]:
    """The first frames of a subject's endless series of unrelated poses, each before another background."""
    name, subject = subject_name(number), _subject(number)
    for frame in range(count):
        block, i = divmod(frame, _BLOCK)
        if i == 0:
            hands = pose_hands(subject, random_poses(_generator(number, _POSES, block), _BLOCK))
        hand = Hands(hands.points[i : i + 1], hands.radii)
        scene = random_scene(_generator(number, _SCENE, frame), hand)
        noise = _generator(number, _NOISE, frame)
        yield HandFrame(name, name, frame, -1, *_measure(hand, 0, scene, noise))


def gesture_frames(number: int, action: str, repetition: int) -> Iterator[HandFrame]:
    """A subject's performance of an action before one background."""
    name, place = subject_name(number), ACTIONS.index(action)
    sequence = f"{name}/{action}/{repetition}"
    hands = pose_hands(_subject(number), gesture(action, number, repetition))
    scene = random_scene(_generator(number, _GESTURE_SCENE, place, repetition), hands)
    for frame in range(len(hands.points)):
        noise = _generator(number, _GESTURE_NOISE, place, repetition, frame)
        yield HandFrame(sequence, name, frame, place, *_measure(hands, frame, scene, noise))


def gesture_joints(number: int, action: str, repetition: int) -> np.ndarray:
    """Joints (t, 21, 3) in mm of the same performance."""
    return pose_hands(_subject(number), gesture(action, number, repetition)).joints


def _measure(
    hands: Hands, frame: int, scene: Scene, noise: np.random.Generator
) -> tuple[np.ndarray, Box, np.ndarray, np.ndarray]:
    joints = hands.joints[frame]
    box = hand_box(joints)
    rendering = render_hand(hands, frame, scene, box)
    return _SENSOR.measure(rendering.depth, noise), box, joints, rendering.com


def _subject(number: int) -> Subject:
    return random_subject(_generator(number, _BODY))


def _generator(*key: int) -> np.random.Generator:
    return np.random.default_rng([_SEED, *key])
