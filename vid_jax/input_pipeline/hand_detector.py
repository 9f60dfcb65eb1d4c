"""Finding the hand in a depth map: the nearest large thing, then the centre of what lies in a cube about it.

Oberweger & Lepetit, "DeepPrior++: Improving Fast and Accurate 3D Hand Pose Estimation", ICCV Workshops 2017.
"""

import itertools

import cv2
import numpy as np

from vid_jax.cameras import Camera
from vid_jax.errors import UserError
from vid_jax.input_pipeline.depth_files import DepthMap
from vid_jax.input_pipeline.hand_crop import Box, bounds, empty_box, within

NEAR, FAR = 10.0, 1500.0  # mm; where a hand may be
SLABS = 20
AREA = 200  # pixels of an image of 640x480 that a hand covers at least
REACH = 100  # pixels of an image 640 wide, to each side of what was found
REFINEMENTS = 5


def center_of_mass(
    depth: np.ndarray,
    camera: Camera,
    left: int = 0,
    top: int = 0,
    near: float = NEAR,
    far: float = FAR,
) -> np.ndarray:
    """The point (3,) mm at the mean pixel and mean depth of what is measured from near to far, in mm.

    `depth` (h, w) in mm begins at pixel (left, top) of the camera's image.

    Raises:
        UserError: nothing is.
    """
    inside = within(depth, near, far)
    count = np.count_nonzero(inside)
    if not count:
        raise UserError(f"the depth map has no pixel between {near:g} and {far:g} mm")
    u = left + np.arange(depth.shape[1]) @ np.count_nonzero(inside, 0) / count
    v = top + np.arange(depth.shape[0]) @ np.count_nonzero(inside, 1) / count
    return camera.unproject(np.array([u, v, depth[inside].mean()]))


def com_in_cube(depth_map: DepthMap, camera: Camera, com: np.ndarray, cube: float) -> np.ndarray:
    """The centre of mass of what lies in the cube (edge in mm) about `com` (3,) mm.

    Raises:
        UserError: nothing does, or `com` is not in front of the camera.
    """
    box = bounds("cube", com, cube, camera)
    part = _part(depth_map, box)
    if not within(part.depth, box.near, box.far).any():
        raise empty_box("cube", com, cube)
    return center_of_mass(part.depth, camera, part.left, part.top, box.near, box.far)


def detect_hand(depth_map: DepthMap, camera: Camera, cube: float) -> np.ndarray:
    """The centre (3,) mm of the nearest large thing between 10 and 1500 mm, as far as a cube (edge in mm) holds it.

    The depth is cut into 20 slabs; the largest connected patch of the nearest slab that has one of over 200 pixels is
    the first guess, and the centre of mass in the cube is taken five times. Numbers of pixels are of 640x480 and
    scaled to the camera's image.

    Raises:
        UserError: nothing is measured, or nothing is large enough.
    """
    depth = depth_map.depth
    measured = depth[within(depth, NEAR, FAR)]
    if not measured.size:
        raise UserError(
            f"no hand found: the depth map has no pixel between {NEAR:g} and {FAR:g} mm"
        )
    area = AREA * camera.width * camera.height / (640 * 480)
    reach = REACH * camera.width / 640
    edges = np.linspace(measured.min(), measured.max(), SLABS + 1)
    for near, far in itertools.pairwise(edges):
        slab = within(depth, near, far).astype(np.uint8)
        contours, _ = cv2.findContours(slab, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        contour = max(contours, key=cv2.contourArea, default=None)
        if contour is None or cv2.contourArea(contour) <= area:
            continue
        moments = cv2.moments(contour)
        u = depth_map.left + moments["m10"] / moments["m00"]
        v = depth_map.top + moments["m01"] / moments["m00"]
        box = Box(u - reach, v - reach, u + reach, v + reach, near, near + cube)
        part = _part(depth_map, box)
        com = center_of_mass(part.depth, camera, part.left, part.top, box.near, box.far)
        for _ in range(REFINEMENTS):
            com = com_in_cube(depth_map, camera, com, cube)
        return com
    raise UserError(
        f"no hand found: nothing between {NEAR:g} and {FAR:g} mm covers more than {area:g} pixels; "
        "give the hand's centre"
    )


def _part(depth_map: DepthMap, box: Box) -> DepthMap:
    """What a depth map holds of a box."""
    depth, left, top = depth_map[:3]
    height, width = depth.shape
    x0, x1 = np.clip(np.array([box.left, box.right]) - left, 0, width).astype(int)
    y0, y1 = np.clip(np.array([box.top, box.bottom]) - top, 0, height).astype(int)
    return DepthMap(depth[y0:y1, x0:x1], int(left + x0), int(top + y0))
