import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vid_jax.metrics import video_summary


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(1, 9)), max_size=7),
    st.integers(0, 25),
)
def test_a_knapsack_is_as_valuable_as_the_best_of_all(things, capacity):
    values = np.array([value for value, _ in things], float)
    weights = np.array([weight for _, weight in things], int)
    marks = video_summary.knapsack(values, weights, capacity)
    chosen = np.array(list(itertools.product([False, True], repeat=len(things))))
    fits = chosen @ weights <= capacity
    assert weights[marks].sum() <= capacity
    assert values[marks].sum() == (chosen @ values)[fits].max()


def test_a_summary_shows_the_segments_of_the_highest_means_that_fit():
    segments = np.array([(0, 10), (10, 15), (15, 40), (40, 100)])
    scores = np.repeat([0.1, 0.9, 0.8, 0.2], [10, 5, 25, 60])
    marks = video_summary.summary(scores, segments)
    assert marks.nonzero()[0].tolist() == list(range(15))  # 10 and 5 of the 15 that fit
    np.testing.assert_array_equal(marks, video_summary.summary(scores - 5, segments) | marks)


def _pairs(x, y):
    first, second = np.triu_indices(len(x), 1)
    return np.sign(x[first] - x[second]), np.sign(y[first] - y[second])


def _ranks(x):
    return np.array([(x < own).sum() + (np.sum(x == own) + 1) / 2 for own in x])


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=12))
def test_correlations_are_those_of_pairs_and_of_ranks(scores):
    x, y = np.array(scores, float).T
    figures = video_summary.correlations(x, [y])
    if not np.ptp(x) or not np.ptp(y):
        assert np.isnan(figures["tau"])
        assert np.isnan(figures["rho"])
        return
    a, b = _pairs(x, y)
    tau = (a * b).sum() / np.sqrt((a != 0).sum() * (b != 0).sum())
    rho = np.corrcoef(_ranks(x), _ranks(y))[0, 1]
    assert figures == pytest.approx({"tau": tau, "rho": rho})


def test_users_who_score_all_frames_alike_are_left_out_of_correlations():
    scores = np.arange(5.0)
    users = [scores, np.ones(5), -scores]
    assert video_summary.correlations(scores, users) == pytest.approx(
        {"tau": 0, "rho": 0}, abs=1e-12
    )


def test_figures_are_mean_and_best_over_users():
    segments = video_summary.even_segments(100, 5)
    scores = np.zeros(100)
    scores[:15] = 1
    same, other = scores > 0, np.roll(scores, 50) > 0
    figures = video_summary.summary_figures(scores, segments, [scores, -scores], [same, other])
    assert figures == pytest.approx(
        {"f1_mean": 0.5, "f1_max": 1, "tau": 0, "rho": 0, "share": 0.15}, abs=1e-12
    )


@given(st.integers(1, 200), st.integers(1, 30))
def test_even_segments_cover_a_video_without_gaps(num_frames, length):
    segments = video_summary.even_segments(num_frames, length)
    frames = np.concatenate([np.arange(start, end) for start, end in segments])
    np.testing.assert_array_equal(frames, np.arange(num_frames))
    assert (np.diff(segments)[:-1] == length).all()


@given(st.integers(1, 400), st.integers(1, 30))
def test_a_summary_that_looks_at_nothing_spreads_over_the_video(num_frames, length):
    segments = video_summary.even_segments(num_frames, length)
    scores = video_summary.even_scores(num_frames, segments)
    number = round(0.15 * len(segments))
    assert scores[segments[:, 0]].sum() == max(number, 1)
    if number >= 2:
        assert scores[: num_frames // 2].any()
        assert scores[num_frames // 2 :].any()
