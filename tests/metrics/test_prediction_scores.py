import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vid_jax.errors import UserError
from vid_jax.metrics.prediction_scores import STATISTICS, error_statistics

errors = hnp.arrays(
    st.sampled_from([np.float32, np.float64]),
    hnp.array_shapes(min_dims=4, max_dims=4, max_side=4),
    elements=st.floats(0, 1, width=32),
)


def between_neighbours(ordered: list[float], percent: float) -> float:
    """The value `percent` of the way from the first to the last, linear between neighbours."""
    position = percent / 100 * (len(ordered) - 1)
    low = int(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (position - low) * (ordered[high] - ordered[low])


@settings(max_examples=60, deadline=None)
@given(errors)
def test_statistics_are_those_of_a_sorted_list(squared_error):
    table = error_statistics(squared_error)
    assert table.shape == (len(squared_error), 7)
    assert table.dtype == np.float64
    for row, frame in zip(table, squared_error, strict=True):
        pixels = sorted(float(e) for e in frame.flat)
        expected = [statistics.fmean(pixels), statistics.pstdev(pixels)]
        expected += [between_neighbours(pixels, p) for p in (50, 75, 90, 95, 99)]
        np.testing.assert_allclose(row, expected, rtol=1e-9, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(errors)
def test_percentiles_rise_and_a_scale_carries_over(squared_error):
    table = error_statistics(squared_error)
    assert (np.diff(table[:, 2:], axis=1) >= 0).all()
    np.testing.assert_allclose(
        error_statistics(squared_error.astype(np.float64) * 4), table * 4, atol=1e-12
    )


def test_a_hundred_and_one_errors_by_hand():
    # 0, 1, ..., 100: percentile p is p; the variance of 0 to n is n (n + 2) / 12.
    frame = np.random.default_rng(0).permutation(101).reshape(1, 101, 1, 1)
    [row] = error_statistics(frame)
    by_name = dict(zip(STATISTICS, row, strict=True))
    assert by_name.pop("std") == pytest.approx((100 * 102 / 12) ** 0.5)
    assert by_name == {"mean": 50, "p50": 50, "p75": 75, "p90": 90, "p95": 95, "p99": 99}


def test_frames_and_order_of_pixels_do_not_mix():
    rng = np.random.default_rng(1)
    squared_error = rng.random((3, 4, 5, 3))
    shuffled = rng.permuted(squared_error.reshape(3, -1), axis=1).reshape(3, 5, 3, 4)
    np.testing.assert_allclose(error_statistics(shuffled), error_statistics(squared_error))
    np.testing.assert_array_equal(
        error_statistics(squared_error[1:2])[0], error_statistics(squared_error)[1]
    )


def test_small_errors_keep_their_digits():
    squared_error = np.full((1, 200, 200, 3), 0.1, np.float32)
    assert error_statistics(squared_error)[0, 0] == pytest.approx(np.float32(0.1), rel=1e-12)
    assert error_statistics(squared_error)[0, 1] == pytest.approx(0, abs=1e-12)


def test_frame_without_a_prediction_has_no_statistics():
    squared_error = np.ones((3, 2, 2, 1))
    squared_error[0, 1, 1] = np.nan
    table = error_statistics(squared_error)
    assert np.isnan(table[0]).all()
    np.testing.assert_array_equal(table[1:], [[1, 0, 1, 1, 1, 1, 1]] * 2)


def test_no_frames():
    assert error_statistics(np.empty((0, 4, 4, 3))).shape == (0, 7)


@pytest.mark.parametrize("bad", [-1e-6, np.inf])
def test_impossible_error_names_the_frame(bad):
    squared_error = np.zeros((4, 2, 2, 1))
    squared_error[2, 0, 1] = bad
    with pytest.raises(UserError, match="frame 2: a squared error is negative or infinite"):
        error_statistics(squared_error)
