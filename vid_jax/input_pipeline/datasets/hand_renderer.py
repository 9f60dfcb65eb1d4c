"""Depth maps of hands as a structured-light sensor would take them: forearm, background, noise and holes."""

import dataclasses
import math
from typing import NamedTuple

import cv2
import numpy as np

from vid_jax.cameras import CAMERAS
from vid_jax.input_pipeline.datasets.hand_model import ARM_BONES, HAND_BONES, Hands
from vid_jax.input_pipeline.datasets.swept_spheres import (
    Box,
    Rays,
    draw_swept_spheres,
    no_surface,
)

CAMERA = CAMERAS["hands"]
WHOLE_IMAGE = Box(0, 0, CAMERA.width, CAMERA.height)
BOX_EDGE = 1.25 * 250  # mm, of the box around a hand: what cubes of up to 250 mm show, and a margin
MAX_DEPTH = 1500.0  # mm, beyond which the sensor measures nothing

_NOISE = (
    4e-6  # standard deviation of the noise in mm over the squared depth in mm: 0.8 mm at 450 mm
)
_STEP = 20.0  # mm between neighbouring pixels' depths at which measurements begin to fail
_LOST_AT_EDGES, _LOST = 0.35, 0.002  # shares of the pixels without a measurement
_CLEARANCE = 40.0  # mm that the background stays behind the hand
_NEIGHBOURS = np.ones((3, 3), np.uint8)
_TABLE_SIZE = 1 << 20


class Rendering(NamedTuple):
    """What a camera sees of a hand in a box, free of noise.

    Attributes:
        depth: (h, w) float32 in mm, infinite or many metres where there is nothing.
        hand: (h, w) bool, where the nearest surface is the hand's without its forearm.
        com: (3,) in mm: mean pixel and mean depth of the hand's surface, projected back.
    """

    depth: np.ndarray
    hand: np.ndarray
    com: np.ndarray


@dataclasses.dataclass(frozen=True)
class Scene:
    """What is behind a hand.

    Attributes:
        nearest: depth in mm that no plane comes before.
        planes: (k, 3) a, b and c; the depth along a ray (x, y, 1) is 1 / (a x + b y + c), where that is positive.
        points: (p, 3) and radii: (p,) of bodies in mm.
        bones: (b, 2) pairs of points between which a body reaches.
    """

    nearest: float
    planes: np.ndarray
    points: np.ndarray
    radii: np.ndarray
    bones: np.ndarray


def random_scene(rng: np.random.Generator, hands: Hands) -> Scene:
    """A wall, a table, somebody and things, each there or not, behind a hand and half its forearm in n frames."""
    half_arm = hands.points[:, ARM_BONES].mean(axis=2)
    nearest = max(hands.joints[..., 2].max(), half_arm[..., 2].max()) + _CLEARANCE
    planes, bodies = [], []
    if rng.random() < 0.5:
        tilt = rng.uniform((-0.5, -0.5, 1), (0.5, 0.5, 1))
        planes.append(tilt / rng.uniform(nearest + 100, 2 * MAX_DEPTH))
    if rng.random() < 0.4:
        planes.append([0, 1 / rng.uniform(120, 400), rng.uniform(-1, 1) / MAX_DEPTH])
    if rng.random() < 0.3:
        width = rng.uniform(120, 170)
        x, top, z = rng.uniform((-300, -150, 50), (300, 150, 400)) + (0, 0, nearest + width)
        bodies.append([(x, top + width, z, width), (x, top + 700, z, width)])
        bodies.append([(x, top - 120, z, 90), (x, top - 90, z, 85)])
    for _ in range(rng.integers(4)):
        bodies.append(
            _thing(rng, rng.uniform((-350, -250), (350, 250)), nearest + rng.uniform(0, 400))
        )
    if rng.random() < 0.3:
        beside = hands.joints[..., :2].mean(axis=(0, 1)) + rng.uniform(-130, 130, 2)
        bodies.append(_thing(rng, beside, nearest))
    spheres = np.array(bodies).reshape(-1, 4)
    return Scene(
        nearest,
        np.array(planes).reshape(-1, 3),
        spheres[:, :3],
        spheres[:, 3],
        np.arange(len(spheres)).reshape(-1, 2),
    )


def _thing(rng: np.random.Generator, place: np.ndarray, nearest: float) -> list[tuple]:
    """A ball, bottle or stick that begins at a depth, as two spheres."""
    radius = rng.uniform(12, 60)
    x, y = place
    away = rng.uniform((-90, -90, 0), (90, 90, 120)) + 0.1 * radius
    z = nearest + radius
    return [(x, y, z, radius), (x + away[0], y + away[1], z + away[2], radius)]


class DepthSensor:
    """Turns true depths into measurements; its noise comes from tables, which are faster than a generator."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self._noise = rng.standard_normal(_TABLE_SIZE, np.float32) * np.float32(_NOISE)
        self._luck = rng.random(_TABLE_SIZE, np.float32)

    def measure(self, depth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Depth uint16 in mm, 0 where there is no measurement, of depth (h, w) float32 in mm."""
        first, second = rng.integers(_TABLE_SIZE - depth.size, size=2)
        noise = self._noise[first : first + depth.size].reshape(depth.shape)
        luck = self._luck[second : second + depth.size].reshape(depth.shape)
        near = np.minimum(depth, MAX_DEPTH)
        edge = cv2.morphologyEx(near, cv2.MORPH_GRADIENT, _NEIGHBOURS) > _STEP
        measured = near * near
        measured *= noise
        measured += near
        lost = luck < _LOST_AT_EDGES
        lost &= edge
        lost |= luck < _LOST
        lost |= near >= MAX_DEPTH
        np.copyto(measured, 0, where=lost)
        return np.rint(measured, out=measured).astype(np.uint16)


def hand_box(joints: np.ndarray) -> Box:
    """The part of the image around the middle of the joints (21, 3) that shows `BOX_EDGE` mm there."""
    x, y, z = joints.mean(axis=0)
    u, v, _ = CAMERA.project(np.array([x, y, z]))
    half = math.ceil(BOX_EDGE / 2 / z * CAMERA.fx)
    left, top = round(u) - half, round(v) - half
    return Box(
        max(left, 0),
        max(top, 0),
        min(left + 2 * half, CAMERA.width),
        min(top + 2 * half, CAMERA.height),
    )


def render_hand(hands: Hands, frame: int, scene: Scene, box: Box = WHOLE_IMAGE) -> Rendering:
    """One of n hands with its forearm before a scene.

    Raises:
        ValueError: nothing of the hand is seen.
    """
    rays = Rays(CAMERA, box)
    points = hands.points[frame]
    hand, depth = no_surface(rays), no_surface(rays)
    draw_swept_spheres(hand, rays, points, hands.radii, HAND_BONES)
    draw_swept_spheres(depth, rays, points, hands.radii, ARM_BONES)
    _draw_scene(depth, rays, scene)
    seen = hand < depth
    np.minimum(depth, hand, out=depth)
    return Rendering(depth, seen, _centre(hand, seen, box))


def _draw_scene(depth: np.ndarray, rays: Rays, scene: Scene) -> None:
    draw_swept_spheres(depth, rays, scene.points, scene.radii, scene.bones)
    for a, b, c in scene.planes.tolist():
        nearness = rays.x * a + (rays.y * b + c)
        # The nearer of both, and no nearer than allowed; what is not before the camera is infinitely far.
        np.clip(nearness, 1e-9, 1 / scene.nearest, out=nearness)
        np.minimum(depth, np.reciprocal(nearness, out=nearness), out=depth)


def _centre(depth: np.ndarray, seen: np.ndarray, box: Box) -> np.ndarray:
    mask = seen.view(np.uint8)
    moments = cv2.moments(mask, binaryImage=True)
    if not moments["m00"]:
        raise ValueError("nothing of the hand is seen")
    column, row = moments["m10"] / moments["m00"], moments["m01"] / moments["m00"]
    return CAMERA.unproject(np.array([column + box.left, row + box.top, cv2.mean(depth, mask)[0]]))
