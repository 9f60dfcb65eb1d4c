"""Crops of a hand from a depth map.

Oberweger, Wohlhart, Lepetit, "Hands Deep in Deep Learning for Hand Pose Estimation", CVWW 2015, crop a cube about the
hand's centre; the other crops take their box from the true joints, so that they suit comparisons only.
"""

from typing import NamedTuple

import numpy as np

from vid_jax.cameras import Camera
from vid_jax.errors import UserError
from vid_jax.input_pipeline.depth_files import DepthMap

CROPS = (
    "cube",  # of the given edge about the centre
    "joint_cube",  # about the centre to the farthest joint, as far in x as in y
    "joint_rectangle",  # in pixels, about the centre to the farthest joint of each axis
    "joint_square",  # the same, as far in x as in y
    "tight_rectangle",  # in pixels, from the first to the last joint, wherever the centre is
    "tight_box",  # the same in mm
)
MARGIN_MM = np.array([30.0, 30.0, 100.0])  # beyond the joints, where the box is one of points
MARGIN_PIXELS = np.array([40.0, 40.0, 100.0])  # where it is one of pixels; the last in mm
SURFACE_MM = 30  # neighbours farther apart in depth are not of one surface


class Box(NamedTuple):
    """Whole pixels of the camera's image, half-open, possibly outside it; and depths in mm."""

    left: float
    top: float
    right: float
    bottom: float
    near: float
    far: float


class Crop(NamedTuple):
    """A square of a depth map.

    Attributes:
        depth: (size, size) uint16 in mm as measured, also before `near` and behind `far`; 0 = no measurement, and
            outside the depth map.
        scale: (2,) crop pixels per image pixel, x and y.
        offset: (2,) crop pixel = scale * (u, v) + offset.
        near: mm; nearer surfaces hide the hand.
        far: mm; what lies behind is background.
    """

    depth: np.ndarray
    scale: np.ndarray
    offset: np.ndarray
    near: float
    far: float


def crop(
    depth_map: DepthMap,
    camera: Camera,
    com: np.ndarray,
    cube: float,
    size: int = 128,
    variant: str = "cube",
    interpolation: str = "nearest",
    joints: np.ndarray | None = None,
) -> Crop:
    """The hand about its centre `com` (3,) mm, `size` pixels wide and high.

    `cube` keeps the aspect: its longer side fills the crop, and the centre comes within half an image pixel of
    (size/2, size/2). The others stretch the box to the crop, its corners to 0 and size - 1. `bilinear` interpolates
    within a surface; at its edges and holes it takes the nearest pixel, as `nearest` does everywhere.

    Raises:
        UserError: as `bounds`; the interpolation is unknown; nothing is measured in the box between near and far.
    """
    if interpolation not in ("nearest", "bilinear"):
        raise UserError(f"interpolation {interpolation!r} is unknown; use nearest or bilinear")
    box = bounds(variant, com, cube, camera, joints)
    start, sides = np.array(box[:2]), np.array(box[2:4]) - box[:2]
    if min(sides) <= 0:
        raise empty_box(variant, com, cube)
    if variant == "cube":
        scale = np.full(2, size / max(sides))
        offset = (size - scale * sides) / 2 - scale * start
    else:
        scale = (size - 1) / sides
        offset = -scale * start
    columns, rows = (np.arange(size) - offset[:, None]) / scale[:, None]
    resample = _bilinear if interpolation == "bilinear" else _nearest
    depth = resample(depth_map, rows, columns)
    if not within(depth, box.near, box.far).any():
        raise empty_box(variant, com, cube)
    return Crop(depth, scale, offset, box.near, box.far)


def bounds(
    variant: str, com: np.ndarray, cube: float, camera: Camera, joints: np.ndarray | None = None
) -> Box:
    """The box of a variant in `CROPS` for the centre `com` (3,) and the joints (J, 3), mm; `cube` is an edge in mm.

    The sides of boxes in mm are seen at the centre's depth. Rectangles in pixels leave nothing out in front.

    Raises:
        UserError: the variant is unknown, the centre is not in front of the camera, or the joints are needed and
            missing.
    """
    if variant not in CROPS:
        raise UserError(f"crop {variant!r} is unknown; use one of {', '.join(CROPS)}")
    com = np.asarray(com, np.float64)
    if not (np.isfinite(com).all() and com[2] > 0):
        raise UserError(
            f"the hand's centre {_millimetres(com)} is not in front of the camera; give x, y, z in mm with z above 0"
        )
    if variant == "cube":
        return _box_of_points(com - cube / 2, com + cube / 2, com[2], camera)
    if joints is None or not np.isfinite(joints).all():
        raise UserError(
            f"crop {variant!r} needs the true joints, which are missing; use crop 'cube'"
        )
    joints = np.asarray(joints, np.float64)
    if variant == "tight_box":
        low, high = joints.min(0) - MARGIN_MM, joints.max(0) + MARGIN_MM
        return _box_of_points(low, high, com[2], camera)
    if variant == "joint_cube":
        reach = abs(joints - com).max(0)
        reach[:2] = reach[:2].max()
        reach += MARGIN_MM
        return _box_of_points(com - reach, com + reach, com[2], camera)
    return _box_of_pixels(variant, camera.project(com), camera.project(joints))


def within(depth: np.ndarray, near: float, far: float) -> np.ndarray:
    """Which pixels are measured, and from near to far, in mm."""
    return (depth >= max(near, 1)) & (depth <= far)


def empty_box(variant: str, com: np.ndarray, cube: float) -> UserError:
    """That the box of a crop contains no pixel."""
    box = f"the cube of {cube:g} mm" if variant == "cube" else f"the crop {variant!r}"
    return UserError(
        f"{box} about {_millimetres(com)} contains no measured pixel; check the centre, the camera and the depth's unit"
    )


def _millimetres(point: np.ndarray) -> str:
    return f"({', '.join(f'{value:.1f}' for value in point)}) mm"


def _box_of_points(low: np.ndarray, high: np.ndarray, depth: float, camera: Camera) -> Box:
    corners = np.array([[*low[:2], depth], [*high[:2], depth]])
    pixels = np.floor(camera.project(corners)[:, :2] + 0.5)
    return Box(*pixels.ravel().tolist(), float(low[2]), float(high[2]))


def _box_of_pixels(variant: str, com: np.ndarray, joints: np.ndarray) -> Box:
    low, high = joints.min(0) - MARGIN_PIXELS, joints.max(0) + MARGIN_PIXELS
    near, far = min(0.0, low[2]), high[2]
    if variant != "tight_rectangle":
        reach = np.maximum(com - low, high - com)
        if variant == "joint_square":
            reach[:2] = reach[:2].max()
            near, far = com[2] - reach[2], com[2] + reach[2]
        low, high = com - reach, com + reach
    corners = np.trunc([*low[:2], *high[:2]])
    return Box(*corners.tolist(), float(near), float(far))


def _nearest(depth_map: DepthMap, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    return _look_up(depth_map, np.floor(rows + 0.5), np.floor(columns + 0.5))


def _bilinear(depth_map: DepthMap, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    row, column = np.floor(rows), np.floor(columns)
    corners = np.stack(
        [_look_up(depth_map, row + down, column + right) for down in (0, 1) for right in (0, 1)]
    )
    below, right = (rows - row)[:, None], columns - column
    weights = ((1 - below) * (1 - right), (1 - below) * right, below * (1 - right), below * right)
    blend = sum(weight * corner for weight, corner in zip(weights, corners))
    nearest, farthest = corners.min(0), corners.max(0)
    surface = (nearest > 0) & (farthest - nearest <= SURFACE_MM)
    return np.where(surface, np.rint(blend), _nearest(depth_map, rows, columns)).astype(np.uint16)


def _look_up(depth_map: DepthMap, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Depth at each row and column of the camera's image, 0 outside the depth map."""
    height, width = depth_map.depth.shape
    rows = np.clip(rows - depth_map.top, -1, height).astype(np.intp)
    columns = np.clip(columns - depth_map.left, -1, width).astype(np.intp)
    values = depth_map.depth.take(rows, 0, mode="clip").take(columns, 1, mode="clip")
    values[(rows < 0) | (rows == height)] = 0
    values[:, (columns < 0) | (columns == width)] = 0
    return values
