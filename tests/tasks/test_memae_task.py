import dataclasses

import jax
import numpy as np
import pytest

from configs.memae_ped2 import get_config
from vid_jax.tasks.base import make_task, mean_metrics


def test_what_is_made_of_pseudo_anomalies_is_compared_with_their_targets():
    config = get_config()
    config.data.frame_size, config.data.num_frames = (16, 16), 8
    config.data.pseudo_anomaly_probability = 0.5
    config.model.width, config.model.memory_slots = 1 / 32, 0
    task = make_task(config)
    rng = np.random.default_rng(0)
    batch = {
        key: rng.integers(0, 256, spec.shape, np.uint8) for key, spec in task.batch_spec(3).items()
    }
    assert set(batch) == {"video", "target"}
    key = jax.random.key(0)
    params, state = task.init(key, batch)
    standardise = lambda frames: frames / 127.5 - 1  # noqa: E731
    reconstruction, _ = task.network.apply(
        {"params": params, **state},
        standardise(batch["video"]),
        train=True,
        mutable=["batch_stats"],
        rngs={"dropout": key},
    )[0]
    loss, _ = task.loss(params, state, batch, key)
    expected = np.mean(np.square(reconstruction - standardise(batch["target"])))
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


@pytest.mark.parametrize("margin", [0.01, 4.0])
def test_what_moves_in_pseudo_anomalies_costs_what_its_error_lacks_of_the_margin(margin):
    config = get_config()
    config.data.update(frame_size=(16, 16), num_frames=8, pseudo_anomaly_margin=margin)
    config.data.pseudo_anomaly_probability = 0.5
    task = make_task(config)
    task = dataclasses.replace(task, network=Half())
    spec = task.batch_spec(4)
    assert {name: (s.shape, s.dtype.name) for name, s in spec.items()} == {
        "video": ((4, 8, 16, 16, 1), "uint8"),
        "pseudo_anomaly": ((4,), "bool"),
    }
    rng = np.random.default_rng(0)
    video = rng.integers(0, 256, spec["video"].shape, np.uint8)
    video[:, 1:, :6] = video[:, :1, :6] // 2 * 2 + rng.integers(0, 2, (4, 7, 6, 16, 1), np.uint8)
    flags = np.array([False, True, True, False])
    loss, (_, metrics) = task.loss(
        {}, {}, {"video": video, "pseudo_anomaly": flags}, jax.random.key(0)
    )
    squares = np.square((video / 127.5 - 1) / 2)
    hinged = np.where(np.arange(16)[:, None, None] < 6, squares, np.maximum(margin - squares, 0))
    errors, costs = (x.mean((1, 2, 3, 4)) for x in (squares, hinged))
    np.testing.assert_allclose(loss, np.where(flags, costs, errors).mean(), rtol=1e-5)
    means = mean_metrics(metrics)
    np.testing.assert_allclose(means["reconstruction"], errors[~flags].mean(), rtol=1e-5)
    np.testing.assert_allclose(
        means["reconstruction_of_pseudo_anomalies"], errors[flags].mean(), rtol=1e-5
    )
    assert metrics["reconstruction"][1] == metrics["reconstruction_of_pseudo_anomalies"][1] == 2
    metrics, _ = task.eval_step({}, {}, {"video": video, "mask": np.ones(4, np.float32)})
    np.testing.assert_allclose(mean_metrics(metrics)["loss"], errors.mean(), rtol=1e-5)


class Half:
    """A network that gives back half of what it sees."""

    memory_slots = 0

    def apply(self, variables, video, train, **_):
        return ((video / 2, None), {}) if train else (video / 2, None)


class Echo:
    """A network that gives back what it sees."""

    memory_slots = 0

    def apply(self, variables, video, train, **_):
        self.seen = video
        return ((video, None), {}) if train else (video, None)


def test_training_sees_crops_of_windows_and_of_their_targets_and_evaluation_whole_windows():
    config = get_config()
    config.data.update(frame_size=(32, 48), num_frames=4, random_crop=(16, 24))
    config.data.pseudo_anomaly_probability = 0.5
    task = dataclasses.replace(make_task(config), network=Echo())
    rows, columns = np.indices((32, 48), np.uint8)
    video = np.broadcast_to((5 * rows + columns)[..., None], (7, 4, 32, 48, 1))
    loss, _ = task.loss({}, {}, {"video": video, "target": video}, jax.random.key(0))
    assert loss == 0
    assert task.network.seen.shape == (7, 4, 16, 24, 1)
    whole = {
        tuple(np.ravel(video[0, 0, i : i + 16, j : j + 24])) for i in range(17) for j in range(25)
    }
    for window in np.rint(127.5 * (np.asarray(task.network.seen) + 1)).astype(np.uint8):
        assert {tuple(np.ravel(frame)) for frame in window} <= whole
        assert (window == window[0]).all()
    task.eval_step({}, {}, {"video": video, "mask": np.ones(7, np.float32)})
    assert task.network.seen.shape == (7, 4, 32, 48, 1)
