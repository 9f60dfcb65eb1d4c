import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vid_jax.metrics import pose_baselines
from vid_jax.metrics.pose_baselines import mean_pose, nearest_poses


def poses(count, joints):
    return hnp.arrays(np.float64, (count, joints, 3), elements=st.integers(-5, 5).map(float))


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(1, 9), st.integers(1, 9), st.integers(1, 4))
def test_nearest_pose_is_that_of_plain_loops(data, m, n, joints):
    seen, truth = data.draw(poses(m, joints)), data.draw(poses(n, joints))
    errors = [[np.linalg.norm(s - t, axis=-1).mean() for s in seen] for t in truth]
    found = nearest_poses(seen, truth)
    np.testing.assert_allclose([row[i] for row, i in zip(errors, found)], np.min(errors, axis=1))


def test_chunks_do_not_change_the_answer(monkeypatch):
    rng = np.random.default_rng(0)
    seen, truth = rng.normal(size=(50, 4, 3)), rng.normal(size=(30, 4, 3))
    whole = nearest_poses(seen, truth)
    monkeypatch.setattr(pose_baselines, "_CHUNK_PAIRS", 70)
    np.testing.assert_array_equal(nearest_poses(seen, truth), whole)


def test_a_pose_seen_in_training_is_found_and_the_first_of_equals():
    seen = np.random.default_rng(0).normal(size=(20, 5, 3))
    seen[7] = seen[3]
    np.testing.assert_array_equal(nearest_poses(seen, seen[[3, 7, 19]]), [3, 3, 19])


def test_frames_without_ground_truth_are_left_out():
    seen = np.stack([np.full((2, 3), v) for v in (np.nan, 1.0, 3.0)])
    truth = np.stack([np.full((2, 3), v) for v in (3.0, np.nan, 0.0)])
    np.testing.assert_array_equal(nearest_poses(seen, truth), [2, -1, 1])
    np.testing.assert_array_equal(mean_pose(seen), np.full((2, 3), 2.0))
    assert nearest_poses(seen, truth[:0]).shape == (0,)


def test_mean_pose_is_exact_in_float32():
    seen = np.full((100_000, 1, 3), 0.1, np.float32)
    assert mean_pose(seen) == pytest.approx(np.full((1, 3), np.float32(0.1)), rel=1e-9)


def test_search_is_fast():
    rng = np.random.default_rng(0)
    seen, truth = (rng.normal(size=(n, 21, 3)).astype(np.float32) for n in (20_000, 100))
    start = time.perf_counter()
    nearest_poses(seen, truth)
    assert time.perf_counter() - start < 3  # 60 s for 2,000
