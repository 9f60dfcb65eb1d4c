"""What joint models do with poses and answers, against the formulas in NumPy; and frames packed and unpacked."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import log_softmax

from vid_jax.models.action_mixing import (
    MIXINGS,
    hidden_at_random,
    mixed,
    moving_average,
    next_average,
)
from vid_jax.models.packed_sequences import PackedSequences

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(2, 3, 5)).astype(np.float32)
FIRST, SECOND = log_softmax(LOGITS, axis=-1)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_mixings_are_the_formulas(share):
    geometric = (1 - share) * FIRST + share * SECOND
    mean = (1 - share) * np.exp(FIRST) + share * np.exp(SECOND)
    logits = log_softmax((1 - share) * LOGITS[0] + share * LOGITS[1], axis=-1)
    for mixing, wanted in (
        ("log_unnormalised", geometric),
        ("log_normalised", logits),
        ("probabilities", np.log(mean)),
    ):
        assert mixing in MIXINGS
        found = mixed(FIRST, SECOND, share, mixing)
        np.testing.assert_allclose(found, wanted, atol=1e-5)
        gradient = jax.grad(lambda x: mixed(x, SECOND, share, mixing).sum())(jnp.array(FIRST))  # noqa: B023
        assert np.isfinite(gradient).all()


def test_moving_average_starts_at_the_first_pose():
    poses = RNG.normal(size=(2, 4, 6)).astype(np.float32)
    wanted = [poses[:, 0]]
    for t in range(1, 4):
        wanted.append(0.4 * wanted[-1] + 0.6 * poses[:, t])
    np.testing.assert_allclose(moving_average(poses, 0.4), np.stack(wanted, 1), rtol=1e-5)
    np.testing.assert_array_equal(moving_average(poses, 0.0), poses)
    started = np.array([False, True])
    found = next_average(poses[:, 0], poses[:, 1], started, 0.4)
    np.testing.assert_array_equal(found[0], poses[0, 1])
    np.testing.assert_allclose(found[1], wanted[1][1], rtol=1e-5)


def test_actions_are_hidden_with_the_probability():
    action = jnp.array(np.eye(4)[RNG.integers(4, size=2000)], jnp.float32)
    key = jax.random.key(0)
    np.testing.assert_array_equal(hidden_at_random(key, action, 0.0), action)
    np.testing.assert_array_equal(hidden_at_random(key, action, 1.0), np.full((2000, 4), 0.25))
    hidden = np.asarray(hidden_at_random(key, action, 0.3) == 0.25).all(1)
    assert hidden.mean() == pytest.approx(0.3, abs=0.04)


def test_packed_frames_are_unpacked_and_their_sequences_found():
    """Three sequences of 2, 3 and 1 frames in 8 packed ones."""
    positions = np.array([[1, 0, 0], [2, 3, 4], [6, 0, 0]])
    positions[0, 1] = 5
    sequences = PackedSequences(
        depth=np.zeros((8, 2, 2, 1)),
        mask=np.array([0, 1, 1, 1, 1, 1, 1, 0], np.float32),
        com=np.zeros((8, 3)),
        cube=np.ones(8),
        positions=jnp.array(positions),
        length=jnp.array([2, 3, 1]),
    )
    np.testing.assert_array_equal(
        sequences.valid, [[True, True, False], [True] * 3, [True, False, False]]
    )
    values = np.arange(16.0).reshape(8, 2)
    np.testing.assert_array_equal(sequences.unpacked(jnp.array(values)), values[positions])
    owners = sequences.spread(jnp.array([10, 20, 30]))
    np.testing.assert_array_equal(owners[1:7], [10, 20, 20, 20, 10, 30])
