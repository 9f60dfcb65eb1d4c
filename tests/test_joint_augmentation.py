"""Changes of sequences of joints: what each one keeps, and what it is drawn by."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vid_jax.joint_augmentation import Ranges, augmented, draw_batch

LENGTH = np.array([20, 9, 1])
ALL = Ranges(20.0, 0.1, 0.5, 0.3, 2.0)


def sequences(time=24, seed=0):
    rng = np.random.default_rng(seed)
    joints = (500 + 50 * rng.normal(size=(3, time, 21, 3))).astype(np.float32)
    for row, frames in enumerate(LENGTH):
        joints[row, frames:] = 0
    return joints


@functools.partial(jax.jit, static_argnames="ranges")
def _changed(joints, ranges, epoch, seed):
    draws = draw_batch(seed, np.arange(3), jnp.full(3, epoch), ranges)
    return augmented(joints, LENGTH, draws, ranges)


def changed(joints, ranges, epoch=0, seed=3):
    return jax.device_get(_changed(joints, ranges, epoch, seed))


def distances(joints):
    return np.linalg.norm(joints[:, None] - joints[:, :, None], axis=-1)


def test_no_range_changes_nothing():
    joints = sequences()
    x, length = changed(joints, Ranges())
    np.testing.assert_allclose(x, joints, atol=1e-3)
    assert length.tolist() == LENGTH.tolist()
    assert not Ranges().any
    assert ALL.any


def test_rotations_keep_distances_and_the_mean_and_stay_in_their_range():
    joints = sequences()
    x, _ = changed(joints, Ranges(rotation_range=20.0))
    flat, old = np.asarray(x[0, :20]).reshape(-1, 3), joints[0, :20].reshape(-1, 3)
    np.testing.assert_allclose(flat.mean(0), old.mean(0), atol=0.01)
    np.testing.assert_allclose(distances(x[0, :20]), distances(joints[0, :20]), atol=0.05)
    turn = np.linalg.lstsq(old - old.mean(0), flat - flat.mean(0), rcond=None)[0]
    angle = np.degrees(np.arccos((np.trace(turn) - 1) / 2))
    assert 0.1 < angle <= 20
    assert np.linalg.det(turn) == pytest.approx(1, abs=1e-3)


def test_scales_multiply_all_distances_alike():
    joints = sequences()
    x, _ = changed(joints, Ranges(scale_sigma=0.1))
    new, old = distances(x[0, :20]), distances(joints[0, :20])
    factor = new.sum() / old.sum()
    assert factor != pytest.approx(1, abs=1e-4)
    np.testing.assert_allclose(new, factor * old, atol=0.05)


def test_warped_time_keeps_the_ends_and_the_order():
    joints = np.zeros((3, 24, 21, 3), np.float32)
    joints[:] = np.arange(24)[:, None, None]
    x, length = changed(joints, Ranges(time_warp=0.8))
    assert length.tolist() == LENGTH.tolist()
    times = x[0, :20, 0, 0]
    np.testing.assert_allclose(times[[0, -1]], [0, 19], atol=1e-3)
    assert (np.diff(times) > 0).all()
    assert np.abs(times - np.arange(20)).max() > 0.3


def test_crops_cut_the_ends_and_keep_the_speed():
    joints = np.zeros((3, 24, 21, 3), np.float32)
    joints[:] = np.arange(24)[:, None, None]
    x, length = changed(joints, Ranges(crop=0.5))
    assert (length <= LENGTH).all()
    assert (length >= 1).all()
    assert (length < LENGTH).any()
    for row in range(3):
        times = x[row, : length[row], 0, 0]
        assert times[0] >= 0
        assert times[-1] <= LENGTH[row] - 1
        np.testing.assert_allclose(np.diff(times), 1, atol=0.07)


def test_noise_is_of_its_size_and_not_in_the_padding():
    joints = sequences()
    x, _ = changed(joints, Ranges(noise_sigma=2.0))
    difference = np.asarray(x - joints)
    assert difference[0, :20].std() == pytest.approx(2, rel=0.1)
    assert not difference[0, 20:].any()


def test_draws_are_of_seed_sequence_and_epoch_and_of_nothing_else():
    joints = sequences()
    x, _ = changed(joints, ALL)
    again, _ = changed(joints, ALL)
    np.testing.assert_array_equal(x, again)
    for other in (changed(joints, ALL, epoch=1), changed(joints, ALL, seed=4)):
        assert np.abs(other[0] - x).max() > 1


def test_padding_changes_nothing():
    joints = sequences()
    x, length = changed(joints, ALL)
    padded = np.concatenate([joints, np.zeros_like(joints)], axis=1)
    longer, lengths = changed(padded, ALL)
    assert lengths.tolist() == length.tolist()
    np.testing.assert_allclose(longer[:, :24], x, atol=1e-3)
