import numpy as np

from vid_jax.histogram_embedding import histograms


def test_distances_are_those_of_colours_not_of_places():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    red, blue = (np.full((8, 8, 3), colour, np.uint8) for colour in ((200, 0, 0), (0, 0, 200)))
    found = histograms([image, image[::-1, ::-1], red, blue])
    assert found.shape == (4, 256)
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(found[0], found[1])
    np.testing.assert_allclose(np.linalg.norm(found[2] - found[3]), np.sqrt(2), rtol=1e-6)


def test_half_of_the_colours_shared_is_the_hellinger_distance_of_a_half():
    one = np.zeros((2, 2, 3), np.uint8)
    half = one.copy()
    half[0] = 255
    found = histograms([one, half])
    hellinger = np.sqrt(1 - np.sqrt(0.5))
    np.testing.assert_allclose(
        np.linalg.norm(found[0] - found[1]), np.sqrt(2) * hellinger, rtol=1e-6
    )
