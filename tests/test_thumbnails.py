"""Thumbnails of as many values as a bottleneck."""

import numpy as np

from vid_jax import thumbnails


def test_sizes_are_near_the_proportions_and_of_exactly_so_many_values():
    nearest, *exact = thumbnails.sizes(2304, 96, 192)
    assert abs(np.log(nearest[1] / nearest[0] / 2)) < 0.1
    assert 0.97 * 2304 < 3 * nearest[0] * nearest[1] <= 2304
    assert sorted(exact) == [(16, 48), (24, 32)]
    assert thumbnails.sizes(32, 16, 32) == [(2, 5)]


def test_smooth_images_survive_and_details_do_not():
    x = np.linspace(-1, 1, 64, dtype=np.float32)
    smooth = np.broadcast_to(x[None, None, :, None], (1, 32, 64, 3)).copy()
    found = thumbnails.through_thumbnail(smooth, (8, 16))
    assert np.abs(found - smooth).mean() < 0.02
    checks = np.where(np.indices((32, 64)).sum(0) % 2, 1, -1)[None, ..., None].astype(np.float32)
    checks = np.broadcast_to(checks, (1, 32, 64, 3)).copy()
    np.testing.assert_allclose(thumbnails.through_thumbnail(checks, (8, 16)), 0, atol=1e-5)
