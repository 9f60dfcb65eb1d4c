"""A kinematic right hand of 21 joints with flesh: from joint angles to joints and the spheres that bones sweep.

The hand's own frame has its origin in the wrist, x to the thumb's side (radial), y along the fingers (distal), z out of
the palm (palmar), in mm. Not turned, a hand shows the camera its palm, the fingers up and the thumb on the right.
"""

import dataclasses
import itertools
from typing import NamedTuple

import numpy as np

from vid_jax.hand_joints import FINGERS, SKELETONS

SKELETON = SKELETONS["hands"]
NUM_JOINTS = len(SKELETON.joints)

# Degrees, least and most. Of fingers: spread to the thumb's side, flexion of MCP, PIP and DIP. Of the thumb: its first
# bone away from the fingers in the palm's plane, and out of that plane; flexion of its next two joints.
ANGLE_LIMITS = np.array(
    [
        [(5, 70), (0, 60), (-5, 55), (-10, 75)],
        [(-12, 20), (-15, 90), (0, 110), (0, 75)],
        [(-12, 12), (-15, 90), (0, 110), (0, 75)],
        [(-14, 12), (-15, 90), (0, 110), (0, 75)],
        [(-25, 12), (-15, 90), (0, 110), (0, 75)],
    ],
    dtype=float,
)

# A hand 190 mm long, after anthropometric tables; mm in the hand's frame.
_KNUCKLES = np.array([(21, 20, 7), (25, 88, 0), (3, 92, -3), (-17, 86, -1), (-35, 76, 3)], float)
_BONES = np.array([(45, 33, 27), (43, 26, 22), (48, 30, 23), (45, 28, 23), (35, 20, 20)], float)
_FINGER_RADII = np.array(
    [
        (13, 11.5, 9.5, 7.5),
        (11, 8.8, 7.8, 6.3),
        (11, 9, 8, 6.5),
        (10.5, 8.6, 7.6, 6.2),
        (9.5, 7.5, 6.8, 5.5),
    ]
)
_WRIST_RADIUS = 15.0
_THUMB_BEND = np.array([-0.9, -0.15, 0.4])  # where the thumb's flexion takes it: across the palm

# Flesh of the palm that no joint stands for: x, y, z and radius.
_PALM = {
    "index base": (13, 14, 0, 13),
    "ring base": (-8, 13, 0, 13),
    "little base": (-18, 13, 1, 13),
    "web": (23, 56, 2, 9),
    "hypothenar": (-27, 34, 5, 13),
}
# In a frame that the wrist turns.
_FOREARM = {
    "wrist radial": (12, -8, 0, 17),
    "wrist ulnar": (-12, -8, 0, 17),
    "arm radial": (13, -240, 0, 31),
    "arm ulnar": (-13, -240, 0, 31),
}
_POINTS = (*SKELETON.joints, *_PALM, *_FOREARM)


def _bones(*pairs: tuple[str, str]) -> np.ndarray:
    return np.array([(_POINTS.index(one), _POINTS.index(other)) for one, other in pairs])


HAND_BONES = np.concatenate(
    [
        [bone for chain in SKELETON.chains for bone in itertools.pairwise(chain[1:])],
        _bones(
            ("wrist", "thumb MCP"),
            ("index base", "index MCP"),
            ("wrist", "middle MCP"),
            ("ring base", "ring MCP"),
            ("little base", "little MCP"),
            ("little base", "hypothenar"),
            ("hypothenar", "little MCP"),
            ("web", "thumb PIP"),
            ("web", "index base"),
            ("web", "thumb MCP"),
            ("index MCP", "middle MCP"),
            ("middle MCP", "ring MCP"),
            ("ring MCP", "little MCP"),
        ),
    ]
)  # pairs of points that a sphere is swept between
ARM_BONES = _bones(("wrist radial", "arm radial"), ("wrist ulnar", "arm ulnar"))


@dataclasses.dataclass(frozen=True)
class Subject:
    """A person's hand, mm: knuckles (5, 3), lengths (5, 3) of the bones after them, other points, radii (p,)."""

    knuckles: np.ndarray
    bones: np.ndarray
    radii: np.ndarray
    palm: np.ndarray
    forearm: np.ndarray


class HandPoses(NamedTuple):
    """Poses of n frames, degrees and mm.

    Attributes:
        angles: (n, 5, 4) within `ANGLE_LIMITS`.
        wrist: (n, 2) flexion towards the palm and bend towards the thumb, of the hand on its forearm.
        rotation: (n, 3) yaw of the palm to the left, pitch of the fingertips towards the camera, roll clockwise.
        position: (n, 3) of the middle finger's knuckle in the camera's frame.
    """

    angles: np.ndarray
    wrist: np.ndarray
    rotation: np.ndarray
    position: np.ndarray


class Hands(NamedTuple):
    """Points (n, points, 3) in the camera's frame, of which the first 21 are the joints, and radii (points,); mm."""

    points: np.ndarray
    radii: np.ndarray

    @property
    def joints(self) -> np.ndarray:
        return self.points[:, :NUM_JOINTS]


def random_subject(rng: np.random.Generator) -> Subject:
    """Someone with a size of hand, and with proportions and a thickness of fingers of their own."""
    size = rng.normal(1, 0.06)
    stretch = size * rng.normal(1, (0.05, 0.03, 0.03))  # of the palm along each axis
    fingers = (
        size * rng.normal(1, 0.03) * rng.normal(1, 0.03, (5, 1)) * rng.normal(1, 0.025, (5, 3))
    )
    thickness = size * rng.normal(1, 0.06)
    palm, forearm = (np.array([*flesh.values()], float) for flesh in (_PALM, _FOREARM))
    finger_radii = [*_FINGER_RADII[:, 0], *_FINGER_RADII[:, 1:].ravel()]
    radii = np.array([_WRIST_RADIUS, *finger_radii, *palm[:, 3], *forearm[:, 3]]) * thickness
    return Subject(
        _KNUCKLES * stretch,
        _BONES * fingers,
        radii,
        palm[:, :3] * stretch,
        forearm[:, :3] * stretch,
    )


def pose_hands(subject: Subject, poses: HandPoses) -> Hands:
    """A subject's hand in n poses."""
    n = len(poses.angles)
    directions = _finger_directions(np.deg2rad(poses.angles))
    along = np.cumsum(directions * subject.bones[..., None], axis=2)
    phalanges = (subject.knuckles[:, None] + along).reshape(n, 3 * len(FINGERS), 3)
    wrist = np.zeros((n, 1, 3))
    # The hand turns on the forearm by the wrist's angles, so in the hand's frame the forearm turns back.
    flexion, bend = np.deg2rad(poses.wrist).T
    forearm = subject.forearm @ _about(2, -bend) @ _about(0, flexion)
    fixed = [
        np.broadcast_to(points, (n, *points.shape)) for points in (subject.knuckles, subject.palm)
    ]
    points = np.concatenate([wrist, fixed[0], phalanges, fixed[1], forearm], axis=1)
    centre = subject.knuckles[SKELETON.reference - 1]
    turned = (points - centre) @ np.swapaxes(rotation_matrices(poses.rotation), 1, 2)
    return Hands(turned + poses.position[:, None], subject.radii)


def rotation_matrices(rotation: np.ndarray) -> np.ndarray:
    """(n, 3, 3), from the hand's frame to the camera's, of yaw, pitch and roll (n, 3) in degrees."""
    yaw, pitch, roll = np.deg2rad(rotation).T
    facing = np.diag([1.0, -1.0, -1.0])  # fingers up, palm to the camera
    return _about(2, roll) @ _about(0, pitch) @ _about(1, yaw) @ facing


def _finger_directions(angles: np.ndarray) -> np.ndarray:
    """Unit vectors (n, 5, 3 bones, 3) in the hand's frame of angles (n, 5, 4) in radians."""
    sideways, bent = angles[..., 0], np.cumsum(angles[..., 1:], axis=2)
    straight = np.stack([np.sin(sideways), np.cos(sideways), np.zeros_like(sideways)], axis=-1)
    palmar = np.array([0.0, 0.0, 1.0])
    directions = _turn(straight[:, :, None], palmar, bent)
    first = directions[:, 0, 0]
    towards = _THUMB_BEND - np.sum(_THUMB_BEND * first, axis=1, keepdims=True) * first
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    flexed = bent[:, 0] - bent[:, 0, :1]
    directions[:, 0] = _turn(first[:, None], towards[:, None], flexed)
    return directions


def _turn(start: np.ndarray, end: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """From one unit vector towards another that is perpendicular to it."""
    return np.cos(angle)[..., None] * start + np.sin(angle)[..., None] * end


def _about(axis: int, angle: np.ndarray) -> np.ndarray:
    """Rotations (n, 3, 3) about an axis, by the right-hand rule."""
    matrices = np.zeros((len(angle), 3, 3))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrices[:, axis, axis] = 1
    matrices[:, i, i] = matrices[:, j, j] = np.cos(angle)
    matrices[:, j, i] = np.sin(angle)
    matrices[:, i, j] = -matrices[:, j, i]
    return matrices
