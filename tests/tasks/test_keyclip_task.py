import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import keyclip_caltech256
from vid_jax.tasks.base import make_task

HEIGHT, WIDTH = 16, 32
COUNT = 200


def seen_in_training(**data) -> np.ndarray:
    """What the network is given, as uint8, of images whose pixels hold their row and column."""
    config = keyclip_caltech256.get_config()
    config.data.update(frame_size=(HEIGHT, WIDTH), **data)
    seen = []

    @dataclasses.dataclass(frozen=True)
    class Identity:
        def apply(self, _variables, image, train, mutable):
            seen.append(image)
            return image, {}

    task = dataclasses.replace(make_task(config), network=Identity())
    rows, columns = np.indices((HEIGHT, WIDTH), np.uint8)
    image = np.stack([rows, columns, 0 * rows], axis=-1)
    batch = {"image": jnp.array(np.repeat(image[None], COUNT, 0))}
    (loss, (_, metrics)) = task.loss({}, {}, batch, jax.random.key(0))
    assert float(loss) == pytest.approx(0, abs=1e-6)
    assert int(metrics["loss"][1]) == COUNT
    return np.asarray(jnp.round((seen[0] + 1) * 127.5)).astype(int)


def test_without_augmentation_training_sees_the_images():
    rows, columns = np.indices((HEIGHT, WIDTH))
    for image in seen_in_training():
        np.testing.assert_array_equal(image[..., 0], rows)
        np.testing.assert_array_equal(image[..., 1], columns)


def test_crops_lie_anywhere_in_their_images():
    images = seen_in_training(random_crop=(8, 16))
    assert images.shape == (COUNT, 8, 16, 3)
    tops, lefts = images[:, 0, 0, 0], images[:, 0, 0, 1]
    np.testing.assert_array_equal(
        images[..., 0] - tops[:, None, None], np.indices((8, 16))[0][None].repeat(COUNT, 0)
    )
    np.testing.assert_array_equal(
        images[..., 1] - lefts[:, None, None], np.indices((8, 16))[1][None].repeat(COUNT, 0)
    )
    assert set(tops) == set(range(9))
    assert set(lefts) == set(range(17))


def test_some_images_are_mirrored():
    images = seen_in_training(flip_probability=0.25)
    mirrored = images[:, 0, 0, 1] == WIDTH - 1
    np.testing.assert_array_equal(
        images[mirrored][..., ::-1, 1], images[~mirrored][:1, ..., 1].repeat(mirrored.sum(), 0)
    )
    assert 0.1 < mirrored.mean() < 0.4
