"""How fast generated hands are drawn, and how varied their poses are.

    python -m benchmarks.generated_hands --rounds=5 --json=generated_hands.json

Errors are mean joint errors on the test split of `hands/poses`, joints relative to the centre of the hand's surface: of
the mean training pose, and of the training pose that is nearest to each test pose, which a method would have to know
the truth to choose.
"""

import itertools
import time
from collections.abc import Iterable

import numpy as np

from benchmarks import results
from vid_jax.input_pipeline.datasets.hand_model import Hands, pose_hands, random_subject
from vid_jax.input_pipeline.datasets.hand_postures import random_poses
from vid_jax.input_pipeline.datasets.hand_renderer import (
    WHOLE_IMAGE,
    DepthSensor,
    random_scene,
    render_hand,
)
from vid_jax.input_pipeline.datasets.hand_sequences import pose_frames
from vid_jax.input_pipeline.datasets.hands import SUBJECTS
from vid_jax.input_pipeline.datasets.hands import Hands as HandsBuilder

_FRAMES = 200  # of a turn


def measure(rounds: int) -> list[results.Row]:
    """Frames a second of the fastest turn, and errors in mm."""
    per_subject = HandsBuilder.builder_configs["poses"].per_subject
    train, test = (
        _centred_joints(SUBJECTS[split], per_subject[split]) for split in ("train", "test")
    )
    nearest = np.concatenate([_errors(train, pose).min(keepdims=True) for pose in test])
    return [
        _row("frames a second in the hand's box", _fastest(_draw_boxes, rounds), ">= 300"),
        _row("frames a second of 640x480", _fastest(_draw_whole_images, rounds), ">= 30"),
        _row("mean training pose, error in mm", _errors(test, train.mean(axis=0)).mean(), ">= 40"),
        _row("nearest training pose, error in mm", nearest.mean(), ">= 20"),
    ]


def _row(figure: str, value: float, target: str) -> results.Row:
    return {"figure": figure, "value": round(float(value), 1), "target": target}


def _fastest(draw, rounds: int) -> float:
    """Frames a second, the background and the sensor's noise included."""
    durations = []
    for _ in range(rounds):
        start = time.perf_counter()
        draw()
        durations.append(time.perf_counter() - start)
    return _FRAMES / min(durations)


def _draw_boxes() -> None:
    for _ in pose_frames(SUBJECTS["train"][0], _FRAMES):
        pass


def _draw_whole_images() -> None:
    rng = np.random.default_rng(0)
    sensor = DepthSensor()
    hands = pose_hands(random_subject(rng), random_poses(rng, _FRAMES))
    for i in range(_FRAMES):
        scene = random_scene(rng, Hands(hands.points[i : i + 1], hands.radii))
        sensor.measure(render_hand(hands, i, scene, WHOLE_IMAGE).depth, rng)


def _centred_joints(subjects: Iterable[int], per_subject: int) -> np.ndarray:
    frames = itertools.chain.from_iterable(
        pose_frames(subject, per_subject) for subject in subjects
    )
    return np.stack([frame.joints - frame.com for frame in frames]).astype(np.float32)


def _errors(poses: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """Mean joint errors (n,) between poses (n, 21, 3) and a pose, mm."""
    return np.sqrt(np.square(poses - pose).sum(axis=-1)).mean(axis=-1)


def main() -> None:
    arguments = results.argument_parser(__doc__).parse_args()
    results.publish("Generated hands", measure(arguments.rounds), arguments.json)


if __name__ == "__main__":
    results.run(main)
