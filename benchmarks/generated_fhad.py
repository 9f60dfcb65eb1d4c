"""A folder laid out as First-Person Hand Action, of generated hands in files about as large as the published ones."""

import dataclasses
from pathlib import Path

import cv2
import numpy as np

from vid_jax.cameras import CAMERAS
from vid_jax.input_pipeline.datasets import fhad_files
from vid_jax.input_pipeline.datasets.hand_model import Hands, pose_hands, random_subject
from vid_jax.input_pipeline.datasets.hand_postures import random_poses
from vid_jax.input_pipeline.datasets.hand_renderer import DepthSensor, random_scene, render_hand
from vid_jax.threads import map_ahead

_SEQUENCE = 60  # frames at most
# A table 0.6 m away at the image's bottom and out of reach above its middle, as in `Scene.planes`. Of the published
# depth maps two thirds are measured, with less noise; what counts here is that the files have as many bytes.
_TABLE = (0.0, 2.5e-3, 4.1e-4)


def write_hands(folder: Path, num_frames: int) -> None:
    """Depth maps, joints and the split: sequences of up to 60 frames, the first and every other one to test on."""
    length = min(_SEQUENCE, -(-num_frames // 2))
    starts = range(0, num_frames, length)
    names = [f"Subject_1/{fhad_files.ACTIONS[0]}/{number}" for number, _ in enumerate(starts, 1)]
    for name, start in zip(names, starts, strict=True):
        _write_sequence(folder, name, min(length, num_frames - start), seed=start)
    lines = []
    for part, listed in (("Training", names[1::2]), ("Test", names[::2])):
        lines += [f"{part} {len(listed)}", *(f"{name} 0" for name in listed)]
    (folder / fhad_files.SPLIT_FILE).write_text("\n".join(lines) + "\n")


def _write_sequence(folder: Path, name: str, num_frames: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    hands = pose_hands(random_subject(rng), random_poses(rng, num_frames))
    scene = dataclasses.replace(random_scene(rng, hands), planes=np.array([_TABLE]))
    depth = folder / "Video_files" / name / "depth"
    depth.mkdir(parents=True)
    sensor = DepthSensor()

    def write_frame(frame: int) -> None:
        seen = render_hand(hands, frame, scene).depth
        measured = sensor.measure(seen, np.random.default_rng([seed, frame]))
        cv2.imwrite(str(depth / f"depth_{frame:04d}.png"), measured)

    for _ in map_ahead(write_frame, range(num_frames)):
        pass
    _write_joints(folder / "Hand_pose_annotation_v1_1" / name / "skeleton.txt", hands)


def _write_joints(path: Path, hands: Hands) -> None:
    """The joints where the camera of First-Person Hand Action sees them in the same pixels."""
    joints = CAMERAS["fhad"].unproject(CAMERAS["hands"].project(hands.joints))
    path.parent.mkdir(parents=True)
    lines = (
        f"{frame:04d} {' '.join(f'{value:.4f}' for value in points.ravel())}\n"
        for frame, points in enumerate(joints)
    )
    path.write_text("".join(lines))
