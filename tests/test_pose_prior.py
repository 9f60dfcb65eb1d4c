"""The linear prior: poses as augmentation makes them, and principal components by their definition."""

import jax.numpy as jnp
import numpy as np
import pytest

from vid_jax import pose_prior
from vid_jax.cameras import CAMERAS
from vid_jax.input_pipeline.hand_augmentation import (
    Hands,
    Ranges,
    augmented,
    draw_batch,
    normalised_joints,
)

CAMERA = CAMERAS["fhad"]
RANGES = Ranges(shift_sigma=8.0, rotation_range=120.0, scale_sigma=0.05)


def hands_of(number=6, joints=7, seed=0):
    rng = np.random.default_rng(seed)
    com = rng.uniform((-60, -50, 400), (60, 50, 600), (number, 3))
    return {
        "joints": np.float32(com[:, None] + rng.normal(0, 40, (number, joints, 3))),
        "com": np.float32(com),
        "cube": np.float32(rng.uniform(180, 260, number)),
    }


def sample(fields, modes=("rot+com+sc",), number=50, seed=3, ranges=RANGES):
    return pose_prior.sample_poses(fields, CAMERA, modes, ranges, number, seed)


@pytest.mark.parametrize("modes", [("com",), ("rot",), ("sc",), ("rot+com+sc", "none")])
def test_sampled_poses_are_those_of_augmented_crops(modes):
    """Of a single hand, so that which one is drawn does not matter."""
    fields, number = hands_of(1), 40
    hands = Hands(
        depth=jnp.zeros((number, 4, 4)),
        scale=jnp.ones((number, 2)),
        offset=jnp.zeros((number, 2)),
        **{name: jnp.repeat(jnp.asarray(x), number, 0) for name, x in fields.items()},
    )
    index = jnp.arange(number)
    draws = draw_batch(3, index, jnp.zeros_like(index), modes, RANGES)
    wanted = normalised_joints(augmented(hands, draws, CAMERA))
    np.testing.assert_allclose(sample(fields, modes, number), wanted, atol=1e-4)


def test_without_augmentation_poses_are_those_of_the_data():
    fields = hands_of()
    poses = sample(fields, ("none",), 200)
    own = (fields["joints"] - fields["com"][:, None]) / (fields["cube"][:, None, None] / 2)
    distance = np.abs(poses[:, None] - own.reshape(1, 6, -1)).max(-1)
    assert distance.min(1).max() < 1e-4
    counts = np.bincount(distance.argmin(1), minlength=6)
    assert counts.min() > 10  # 200 / 6, drawn with replacement


def test_chunks_do_not_show(monkeypatch):
    fields = hands_of()
    whole = sample(fields)
    monkeypatch.setattr(pose_prior, "_CHUNK", 17)
    np.testing.assert_allclose(sample(fields), whole, rtol=1e-5, atol=1e-5)
    assert whole.shape == (50, 21)


def test_samples_are_a_function_of_the_seed():
    fields = hands_of()
    np.testing.assert_array_equal(sample(fields), sample(fields))
    assert not np.allclose(sample(fields), sample(fields, seed=4))


def decoded(poses, prior):
    z = (poses - prior["mean"]) @ prior["components"].T
    return z, z @ prior["components"] + prior["mean"]


def test_components_are_orthonormal_and_the_strongest_come_first():
    poses = sample(hands_of(), number=500)
    prior = pose_prior.fit(poses, 8)
    assert prior["mean"].shape == (21,)
    assert prior["components"].shape == (8, 21)
    assert prior["mean"].dtype == prior["components"].dtype == np.float32
    np.testing.assert_allclose(prior["mean"], poses.mean(0), atol=1e-5)
    np.testing.assert_allclose(prior["components"] @ prior["components"].T, np.eye(8), atol=1e-5)
    z, _ = decoded(poses, prior)
    variance = z.var(0)
    assert (np.diff(variance) <= 1e-6).all()
    # Nothing of the same size holds more of the variance than the largest eigenvalues.
    eigenvalues = np.linalg.eigvalsh(np.cov(poses.astype(np.float64).T, bias=True))[::-1]
    np.testing.assert_allclose(variance, eigenvalues[:8], rtol=1e-3)


def test_decoding_undoes_encoding_as_far_as_the_components_reach():
    poses = sample(hands_of(), number=500)
    centred = poses - poses.mean(0)
    errors = []
    for components in (3, 10, 21):
        _, back = decoded(poses, pose_prior.fit(poses, components))
        errors.append(((back - poses) ** 2).sum() / (centred**2).sum())
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 1e-9


def test_poses_of_few_dimensions_need_few_components():
    rng = np.random.default_rng(0)
    poses = (rng.normal(size=(300, 4)) @ rng.normal(size=(4, 63)) + rng.normal(size=63)).astype(
        "f4"
    )
    _, back = decoded(poses, pose_prior.fit(poses, 4))
    np.testing.assert_allclose(back, poses, atol=1e-4)


SETTINGS = {
    "modes": ("com", "rot"),
    "ranges": (5.0, 180.0, 0.02),
    "samples": 100,
    "components": 30,
    "seed": 0,
}


def test_a_fingerprint_stays_until_something_changes():
    fields = hands_of()
    known = pose_prior.fingerprint(fields, SETTINGS)
    assert (known.shape, known.dtype) == ((8,), np.uint32)
    moved = fields | {"com": fields["com"] + 1, "sequence": np.array(["a"] * 6)}
    np.testing.assert_array_equal(known, pose_prior.fingerprint(moved, dict(SETTINGS)))
    turned = dict(reversed(SETTINGS.items()))
    np.testing.assert_array_equal(known, pose_prior.fingerprint(fields, turned))
    changes = {
        "modes": ("rot", "com"),
        "ranges": (5.0, 180.0, 0.03),
        "samples": 101,
        "components": 29,
        "seed": 1,
    }
    others = [SETTINGS | {key: value} for key, value in changes.items()]
    prints = [pose_prior.fingerprint(fields, other) for other in others]
    for name in ("joints", "cube"):
        prints.append(pose_prior.fingerprint(fields | {name: fields[name] + 1}, SETTINGS))
    fewer = {name: values[1:] for name, values in fields.items()}
    prints += [known, pose_prior.fingerprint(fewer, SETTINGS)]
    assert len({tuple(x.tolist()) for x in prints}) == len(changes) + 4
