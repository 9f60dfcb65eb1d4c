import jax
import numpy as np

from vid_jax.random_crop import random_crop


def test_crops_of_videos_and_of_their_targets_lie_at_the_same_places():
    rows, columns = np.indices((6, 9))
    places = np.stack([rows, columns], -1)
    video = np.broadcast_to(places, (200, 3, 6, 9, 2))
    frames = np.arange(3)[:, None, None, None]
    crops, others = random_crop(jax.random.key(0), (4, 5), video, video[..., :1] + 10 * frames)
    assert crops.shape == (200, 3, 4, 5, 2)
    tops, lefts = crops[:, 0, 0, 0, 0], crops[:, 0, 0, 0, 1]
    assert set(tops.tolist()) == set(range(3))
    assert set(lefts.tolist()) == set(range(5))
    for crop, other, top, left in zip(crops, others, tops, lefts):
        expected = places[top : top + 4, left : left + 5]
        np.testing.assert_array_equal(crop, np.broadcast_to(expected, crop.shape))
        np.testing.assert_array_equal(other, expected[..., :1] + 10 * frames)
