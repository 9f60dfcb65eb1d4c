"""Depth of spheres swept along bones, by the equations of their outlines."""

from typing import NamedTuple

import numpy as np

from vid_jax.cameras import Camera


class Box(NamedTuple):
    """Pixels of a camera's image: columns left..right-1 and rows top..bottom-1."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def shape(self) -> tuple[int, int]:
        return self.bottom - self.top, self.right - self.left


class Rays:
    """Directions (x, y, 1) of the pixels of a box: x (1, w), y (h, 1) and their squared lengths (h, w)."""

    def __init__(self, camera: Camera, box: Box):
        self.camera, self.box = camera, box
        columns, rows = np.arange(box.left, box.right), np.arange(box.top, box.bottom)
        self.x = ((columns - camera.cx) / camera.fx).astype(np.float32)[None]
        self.y = ((rows - camera.cy) / camera.fy).astype(np.float32)[:, None]
        self.squares = self.x * self.x + (self.y * self.y + 1)


def no_surface(rays: Rays) -> np.ndarray:
    """Depth float32 (h, w) of an empty image: infinite."""
    return np.full(rays.box.shape, np.inf, np.float32)


def draw_swept_spheres(
    depth: np.ndarray, rays: Rays, points: np.ndarray, radii: np.ndarray, bones: np.ndarray
) -> None:
    """Brings depth float32 (h, w) in mm forward to where the nearest surface is.

    Args:
        points: (p, 3) in front of the camera.
        radii: (p,) of the sphere at each point.
        bones: (k, 2) numbers of the points between which a sphere moves while its radius goes from one to the other.
            Neither of the two spheres holds the other.
    """
    boxes = _outlines(rays, points, radii)
    ends = np.unique(bones)
    with np.errstate(invalid="ignore", divide="ignore"):
        _draw_spheres(depth, rays, points[ends], radii[ends], boxes[ends])
        _draw_sides(depth, rays, points, radii, boxes, bones)


def _draw_spheres(
    depth: np.ndarray, rays: Rays, points: np.ndarray, radii: np.ndarray, boxes: np.ndarray
) -> None:
    """The nearer t of |t ray - centre|^2 = radius^2; a ray that misses has the root of a negative number, NaN."""
    constants = np.sum(points**2, axis=1) - radii**2
    for box, centre, constant in zip(boxes.tolist(), points.tolist(), constants.tolist()):
        rows, columns, x, y, squares = _inside(rays, box)
        half = _dot(x, y, centre)
        root = half * half
        root -= constant * squares
        half -= np.sqrt(root, out=root)
        half /= squares
        part = depth[rows, columns]
        np.fmin(part, half, out=part)


def _draw_sides(
    depth: np.ndarray,
    rays: Rays,
    points: np.ndarray,
    radii: np.ndarray,
    boxes: np.ndarray,
    bones: np.ndarray,
) -> None:
    """The cone between two spheres.

    With start a, bone b and radius r + s q at the fraction s of the bone, the sphere at s is met at t where
    |t ray - a - s b|^2 = (r + s q)^2. The least such t has a zero derivative by s, which gives
    s = (t ray.b + r q - a.b) / m with m = b.b - q^2, and a quadratic equation in t.
    """
    start, end = points[bones].swapaxes(0, 1)
    bone = end - start
    first, last = radii[bones].T
    growth = last - first
    m = np.sum(bone**2, axis=1) - growth**2
    k = (first * growth - np.sum(start * bone, axis=1)) / m
    axes = bone / np.sqrt(m)[:, None]
    feet = start + k[:, None] * bone
    constants = np.sum(start**2, axis=1) - first**2 - m * k**2
    least, most = -k * np.sqrt(m), (1 - k) * np.sqrt(m)
    joined = np.concatenate(
        [
            np.minimum(*boxes[bones, :2].swapaxes(0, 1)),
            np.maximum(*boxes[bones, 2:].swapaxes(0, 1)),
        ],
        axis=1,
    )
    values = (joined, axes, feet, constants, (least + most) / 2, (most - least) / 2)
    for box, axis, foot, constant, middle, reach in zip(*(value.tolist() for value in values)):
        rows, columns, x, y, squares = _inside(rays, box)
        along = _dot(x, y, axis)
        half = _dot(x, y, foot)
        square = along * along
        np.subtract(squares, square, out=square)
        root = half * half
        root -= constant * square
        half -= np.sqrt(root, out=root)
        half /= square
        along *= half
        along -= middle
        np.abs(along, out=along)
        part = depth[rows, columns]
        np.fmin(part, half, out=part, where=along <= reach)


def _inside(rays: Rays, box: list[int]) -> tuple:
    """Slices of the rays' box, and x, y and squared lengths there."""
    left, top, right, bottom = box
    rows, columns = slice(top, bottom), slice(left, right)
    return rows, columns, rays.x[:, columns], rays.y[rows], rays.squares[rows, columns]


def _dot(x: np.ndarray, y: np.ndarray, vector: list[float]) -> np.ndarray:
    return x * vector[0] + (y * vector[1] + vector[2])


def _outlines(rays: Rays, points: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Boxes (p, 4) left, top, right and bottom around the spheres, within the rays' box and relative to it."""
    camera, box = rays.camera, rays.box
    height, width = box.shape
    low_x, high_x = _extent(points[:, 0], points[:, 2], radii)
    low_y, high_y = _extent(points[:, 1], points[:, 2], radii)
    columns = camera.cx - box.left + camera.fx * np.stack([low_x, high_x])
    rows = camera.cy - box.top + camera.fy * np.stack([low_y, high_y])
    left, right = np.clip(np.floor(columns) + [[0], [2]], 0, width)
    top, bottom = np.clip(np.floor(rows) + [[0], [2]], 0, height)
    return np.stack([left, top, right, bottom], axis=1).astype(int)


def _extent(
    across: np.ndarray, away: np.ndarray, radii: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Tangents of the angles between which a sphere is seen."""
    angle = np.arctan2(across, away)
    half = np.arcsin(np.minimum(radii / np.hypot(across, away), 1))
    limit = np.pi / 2 - 1e-3  # what surrounds the camera is seen everywhere
    return np.tan(np.clip(angle - half, -limit, limit)), np.tan(
        np.clip(angle + half, -limit, limit)
    )
