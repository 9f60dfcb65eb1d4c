"""Pinhole cameras: between points in millimetres and pixels with depth.

Points are (..., 3) x, y, z in the camera's frame, x to the right, **y down**, z away from the camera, in mm. Data sets
that publish y upwards are turned when they are read; `Camera.y_up` says which. Pixels are (..., 3) u, v, z: column and
row, the centre of the first pixel at (0, 0), and the depth in mm.
"""

import dataclasses
import re
from typing import TypeVar

from vid_jax.errors import UserError

Points = TypeVar("Points")  # a NumPy or JAX array (..., 3)


@dataclasses.dataclass(frozen=True)
class Camera:
    """Intrinsics in pixels, and the size of the image; `y_up` is of the points as they are published."""

    name: str
    height: int
    width: int
    fx: float
    fy: float
    cx: float
    cy: float
    y_up: bool = False

    def project(self, points: Points) -> Points:
        """Pixels of points; a point at z = 0 is seen at the principal point."""
        xp = points.__array_namespace__()
        x, y, z = points[..., 0], points[..., 1], points[..., 2]
        inverse = xp.where(z == 0, 0.0, 1 / xp.where(z == 0, 1.0, z))
        return xp.stack(
            [self.cx + self.fx * x * inverse, self.cy + self.fy * y * inverse, z], axis=-1
        )

    def unproject(self, pixels: Points) -> Points:
        """Points of pixels with depth."""
        xp = pixels.__array_namespace__()
        u, v, z = pixels[..., 0], pixels[..., 1], pixels[..., 2]
        return xp.stack([(u - self.cx) * z / self.fx, (v - self.cy) * z / self.fy, z], axis=-1)

    def turned(self, points: Points) -> Points:
        """Points as published from points with y down, or the other way round."""
        xp = points.__array_namespace__()
        return points * xp.asarray([1.0, -1.0 if self.y_up else 1.0, 1.0], dtype=points.dtype)


CAMERAS = {
    camera.name: camera
    for camera in (
        Camera("fhad", 480, 640, 475.065948, 475.065857, 315.944855, 245.287079),
        Camera("icvl", 240, 320, 241.42, 241.42, 160, 120),
        Camera("msra15", 240, 320, 241.42, 241.42, 160, 120, y_up=True),
        Camera("nyu", 480, 640, 588.03, 587.07, 320, 240, y_up=True),
        Camera("hands", 480, 640, 475.0, 475.0, 320, 240),  # of the generated hands
    )
}


def find_camera(text: str) -> Camera:
    """A camera by name, or from `fx,fy,cx,cy,WIDTHxHEIGHT` in pixels.

    Raises:
        UserError: it is neither.
    """
    if text in CAMERAS:
        return CAMERAS[text]
    number = r"\s*(\d+\.?\d*)\s*"
    match = re.fullmatch(rf"{number},{number},{number},{number},\s*(\d+)x(\d+)\s*", text)
    if not match or not all(float(focal) > 0 for focal in match.groups()[:2]):
        raise UserError(
            f"camera {text!r} is unknown; use one of {', '.join(CAMERAS)}, or the numbers "
            "fx,fy,cx,cy,WIDTHxHEIGHT in pixels, as in 475.1,475.1,315.9,245.3,640x480"
        )
    *intrinsics, width, height = match.groups()
    return Camera(text, int(height), int(width), *map(float, intrinsics))
