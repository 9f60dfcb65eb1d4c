import jax
import numpy as np

from configs.memae_ped2 import get_config
from vid_jax.tasks.base import make_task


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
