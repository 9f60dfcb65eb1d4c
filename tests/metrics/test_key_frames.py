import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from vid_jax.metrics import key_frames


def test_a_hue_histogram_counts_the_pixels_of_each_hue():
    image = np.zeros((2, 4, 3), np.uint8)
    image[0] = (255, 0, 0)  # hue 0, as are black pixels
    image[1, :2] = (0, 255, 0)  # 120 degrees, a third of the circle
    image[1, 2:] = (0, 0, 255)  # 240 degrees
    expected = np.zeros(16)
    expected[[0, 16 // 3, 2 * 16 // 3]] = 0.5, 0.25, 0.25
    np.testing.assert_allclose(key_frames.hue_histogram(image), expected)


def test_a_grey_image_has_the_hue_of_black():
    image = np.arange(12, dtype=np.uint8).reshape(3, 4)
    np.testing.assert_array_equal(key_frames.hue_histogram(image), np.eye(16)[0])


@given(
    nps.arrays(np.float64, st.tuples(st.integers(0, 4), st.just(2)), elements=st.floats(0, 1)),
    nps.arrays(np.float64, st.tuples(st.integers(0, 4), st.just(2)), elements=st.floats(0, 1)),
)
def test_matches_are_the_most_of_any_order(frames, others):
    few, many = sorted((frames, others), key=len)
    most = max(
        sum(np.abs(a - b).sum() < 0.5 for a, b in zip(few, order, strict=False))
        for order in itertools.permutations(many)
    )
    assert key_frames.count_matches(frames, others) == most


def test_the_comparison_of_user_summaries_is_each_users_own_and_then_the_mean():
    a, b, c = np.eye(16)[:3]
    figures = key_frames.user_comparison(np.stack([a, a, b]), [np.stack([a, b]), np.stack([a, c])])
    assert figures == pytest.approx(
        {
            "cus_a": (1 + 1 / 2) / 2,
            "cus_e": (1 / 2 + 2 / 2) / 2,
            "precision": (2 / 3 + 1 / 3) / 2,
            "recall": (1 + 1 / 2) / 2,
            "f1": (4 / 5 + 2 / 5) / 2,
            "key_frames": 3,
        }
    )


def test_no_key_frames_agree_with_nobody():
    figures = key_frames.user_comparison(np.zeros((0, 16)), [np.eye(16)[:2]])
    assert figures == dict.fromkeys(figures, 0)


def test_a_second_key_frame_of_a_shot_and_one_in_a_transition_hit_nothing():
    shots = np.array([(2, 10), (15, 20), (20, 30), (40, 50)])
    frames = [1, 2, 9, 10, 14, 19, 20, 50]
    assert key_frames.shot_coverage(np.array(frames), shots) == pytest.approx(
        {"precision": 3 / 8, "recall": 3 / 4, "f1": 6 / 12, "key_frames": 8}
    )


@given(
    st.lists(st.integers(0, 60), max_size=8),
    st.lists(st.integers(1, 50), min_size=2, max_size=8, unique=True),
)
def test_shot_coverage_counts_what_a_loop_counts(frames, borders):
    borders = sorted(borders)
    shots = np.array(list(itertools.pairwise(borders)))
    hit = sum(any(start <= frame < end for frame in frames) for start, end in shots)
    figures = key_frames.shot_coverage(np.array(frames, int), shots)
    assert figures["recall"] == hit / len(shots)
    assert figures["precision"] == (hit / len(frames) if frames else 0)


def test_measures_without_a_reference_are_those_of_their_formulas():
    embeddings = np.array([[0.0, 0], [3, 4], [6, 8], [0, 1]])
    assert key_frames.summary_measures(embeddings, np.array([0, 2])) == pytest.approx(
        {
            "compression": 0.5,
            "coverage": (0 + 5 + 0 + 1) / 4,
            "diversity": 10,
            "least_diversity": 10,
        }
    )
    alone = key_frames.summary_measures(embeddings, np.array([0]))
    assert np.isnan(alone["diversity"])
    assert np.isnan(alone["least_diversity"])


def test_the_mean_of_figures_leaves_out_what_is_no_number():
    means = key_frames.mean_figures(
        [{"a": 1.0, "b": np.nan}, {"a": 2.0, "b": np.nan}, {"a": np.nan, "b": np.nan}]
    )
    assert means["a"] == 1.5
    assert np.isnan(means["b"])
