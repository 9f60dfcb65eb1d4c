import numpy as np
import pytest

from vid_jax.cameras import Camera
from vid_jax.input_pipeline.datasets.swept_spheres import (
    Box,
    Rays,
    draw_swept_spheres,
    no_surface,
)

CAMERA = Camera("tiny", 60, 80, 90.0, 95.0, 40.0, 31.0)
WHOLE = Box(0, 0, 80, 60)


def _depth(points, radii, bones, box=WHOLE):
    rays = Rays(CAMERA, box)
    depth = no_surface(rays)
    draw_swept_spheres(depth, rays, np.array(points, float), np.array(radii, float), bones)
    return depth


def _many_spheres(points, radii, bones, count=2000):
    """Depth by the nearest of many spheres along each bone."""
    v, u = np.mgrid[:60, :80]
    rays = np.stack([(u - CAMERA.cx) / CAMERA.fx, (v - CAMERA.cy) / CAMERA.fy, np.ones_like(u)], -1)
    nearest = np.full((60, 80), np.inf)
    for one, other in bones:
        for share in np.linspace(0, 1, count):
            centre = np.add(points[one], share * np.subtract(points[other], points[one]))
            radius = radii[one] + share * (radii[other] - radii[one])
            a, b = np.sum(rays**2, axis=-1), rays @ centre
            root = b * b - a * (centre @ centre - radius**2)
            near = np.where(root >= 0, (b - np.sqrt(np.maximum(root, 0))) / a, np.inf)
            nearest = np.minimum(nearest, near)
    return nearest


@pytest.mark.parametrize(
    ("points", "radii"),
    [
        ([(-40, -20, 400), (50, 30, 430)], [15, 9]),
        ([(0, 0, 300), (12, -8, 420)], [12, 20]),  # nearly along the view
        ([(0, 0, 300), (3, 2, 460)], [30, 8]),  # within the cone's opening
        ([(-300, 10, 350), (0, 0, 350)], [20, 20]),  # half outside the image
    ],
)
def test_depth_is_that_of_many_spheres_along_the_bone(points, radii):
    bones = np.array([(0, 1)])
    depth, reference = _depth(points, radii, bones), _many_spheres(points, radii, bones)
    both = np.isfinite(depth) & np.isfinite(reference)
    assert both.sum() > 50
    # Outlines differ by a pixel here and there, where surfaces are seen edge-on.
    assert (np.isfinite(depth) != np.isfinite(reference)).sum() <= 3
    difference = np.abs(depth[both] - reference[both])
    assert np.quantile(difference, 0.98) < 0.1
    assert difference.max() < 2


def test_a_box_shows_what_the_whole_image_shows_there():
    points, bones = [(-40, -20, 400), (50, 30, 430), (10, 60, 380)], np.array([(0, 1), (1, 2)])
    box = Box(21, 17, 60, 49)
    whole = _depth(points, [15, 9, 12], bones)
    assert np.isfinite(whole).any()
    np.testing.assert_array_equal(_depth(points, [15, 9, 12], bones, box), whole[17:49, 21:60])


def test_nothing_to_draw_and_nothing_in_view_leave_the_image_empty():
    none = np.zeros((0, 2), int)
    assert np.isinf(_depth(np.zeros((0, 3)), [], none)).all()
    assert np.isinf(_depth([(900, 0, 400), (950, 0, 400)], [10, 10], np.array([(0, 1)]))).all()
