import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from vid_jax.key_frames import SELECTORS, Rules, automatic_threshold, choose, joined


def scenes(lengths, noise=0.02, seed=0) -> np.ndarray:
    """Embeddings of scenes of these lengths, each near a vector of its own."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(len(lengths), 64))
    embeddings = np.repeat(centres, lengths, axis=0)
    return embeddings + noise * rng.normal(size=embeddings.shape)


def chosen(embeddings, rules, usable=None, cuts=None):
    number = len(embeddings)
    usable = np.ones(number, bool) if usable is None else usable
    return choose(embeddings, np.arange(number, dtype=float), usable, rules, cuts)


@pytest.mark.parametrize("selector", ["change_points", "last_kept", "neighbour"])
def test_each_scene_has_one_key_frame_without_a_threshold_given(selector):
    lengths = [6, 4, 9, 5, 7]
    choice = chosen(scenes(lengths), Rules(selector))
    starts = np.cumsum([0, *lengths[:-1]])
    np.testing.assert_array_equal(choice.starts, starts)
    np.testing.assert_array_equal(np.searchsorted(starts, choice.kept, side="right"), range(1, 6))


def test_neighbours_are_kept_that_are_farther_apart_than_the_threshold():
    embeddings = np.cumsum([0, 1, 3, 1, 2, 5], dtype=float)[:, None] + 7
    norm = np.sqrt(np.mean(embeddings**2))
    choice = chosen(embeddings, Rules("neighbour", threshold=2.5 / norm))
    np.testing.assert_array_equal(choice.kept, [0, 2, 5])
    np.testing.assert_allclose(choice.distances * norm, [np.nan, 1, 3, 1, 2, 5])
    np.testing.assert_allclose(choice.scores * norm, [np.nan, 3, 5])
    assert choice.threshold == 2.5 / norm


def test_drift_counts_from_the_last_kept_but_not_between_neighbours():
    embeddings = np.arange(10, dtype=float)[:, None] + 7
    norm = np.sqrt(np.mean(embeddings**2))
    last_kept = chosen(embeddings, Rules("last_kept", threshold=2.5 / norm))
    np.testing.assert_array_equal(last_kept.kept, [0, 3, 6, 9])
    neighbour = chosen(embeddings, Rules("neighbour", threshold=2.5 / norm))
    np.testing.assert_array_equal(neighbour.kept, [0])


def test_drift_is_one_scene_to_change_points():
    angles = np.linspace(0, 1, 10)
    embeddings = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert len(chosen(embeddings, Rules()).kept) == 1


def test_scenes_begin_where_the_curve_of_change_points_is_above_its_threshold():
    choice = chosen(scenes([6, 4, 9, 5, 7]), Rules(threshold=2.0))
    assert choice.threshold == 2.0
    np.testing.assert_array_equal(np.flatnonzero(choice.distances > 2.0), choice.starts[1:])


def test_light_that_changes_slowly_for_long_is_one_scene():
    embeddings = scenes([2000]) + np.linspace(0, 0.2, 2000)[:, None]
    assert len(chosen(embeddings, Rules()).kept) == 1
    assert len(chosen(embeddings, Rules(threshold=0.1)).kept) > 1


def test_a_cut_makes_a_short_scene_worth_a_key_frame():
    embeddings = scenes([8, 1, 8], noise=0.3) + 1.6 * scenes([17], noise=0, seed=1)
    cuts = np.zeros(17)
    cuts[[8, 9]] = 1
    assert len(chosen(embeddings, Rules()).kept) < 3
    np.testing.assert_array_equal(chosen(embeddings, Rules(), cuts=cuts).starts, [0, 8, 9])


@hypothesis.given(st.integers(1, 12), st.integers(1, 15), st.sampled_from(["k_medoids", "uniform"]))
def test_as_many_key_frames_as_asked_for_or_all(candidates, number, selector):
    embeddings = np.random.default_rng(candidates).integers(0, 3, (candidates, 2)).astype(float)
    choice = chosen(embeddings, Rules(selector, number=number))
    assert len(choice.kept) == min(number, candidates)
    assert choice.scores.sum() == pytest.approx(1)
    check_partition(choice, candidates)


def test_medoids_are_one_of_each_cluster():
    lengths = [5, 3, 8, 4]
    choice = chosen(scenes(lengths), Rules("k_medoids", number=4))
    starts = np.cumsum([0, *lengths[:-1]])
    np.testing.assert_array_equal(choice.starts, starts)
    np.testing.assert_allclose(choice.scores, np.array(lengths) / 20)


def test_uniform_needs_no_embeddings():
    choice = choose(None, np.arange(10.0), np.ones(10, bool), Rules("uniform", number=3))
    np.testing.assert_array_equal(choice.kept, [1, 4, 7])
    np.testing.assert_array_equal(choice.starts, [0, 3, 6])
    assert np.isnan(choice.distances).all()


@hypothesis.given(
    st.lists(st.integers(1, 5), min_size=1, max_size=6),
    st.sampled_from(sorted(SELECTORS)),
    st.integers(0, 2**16),
)
def test_every_selector_partitions_the_candidates_with_a_usable_key_frame_each(
    lengths, selector, seed
):
    embeddings = scenes(lengths, noise=0.3, seed=seed)
    usable = np.random.default_rng(seed).random(len(embeddings)) < 0.7
    choice = chosen(embeddings, Rules(selector, number=3), usable)
    check_partition(choice, len(embeddings))
    if usable.any():
        assert usable[choice.kept].all()
        assert np.isnan(choice.distances[~usable]).all()


def check_partition(choice, candidates):
    assert choice.starts[0] == 0
    edges = np.append(choice.starts, candidates)
    assert (choice.kept >= edges[:-1]).all()
    assert (choice.kept < edges[1:]).all()


def test_the_strongest_stay_where_key_frames_are_too_many_or_too_near():
    embeddings = np.cumsum([10, 3, 0, 1, 0, 0, 2, 4], dtype=float)[:, None]
    rules = Rules("neighbour", threshold=0.01)
    np.testing.assert_array_equal(chosen(embeddings, rules).kept, [0, 1, 3, 6, 7])
    few = chosen(embeddings, Rules("neighbour", threshold=0.01, max_count=3))
    np.testing.assert_array_equal(few.kept, [0, 1, 7])
    np.testing.assert_array_equal(few.starts, [0, 1, 7])
    apart = chosen(embeddings, Rules("neighbour", threshold=0.01, min_gap=2.0))
    np.testing.assert_array_equal(apart.kept, [0, 3, 7])


@pytest.mark.parametrize("selector", sorted(SELECTORS))
@pytest.mark.parametrize("number", [1, 2, 30])
def test_a_static_video_has_one_key_frame_unless_more_are_asked_for(selector, number):
    embeddings = np.full((number, 4), 3.0)
    for own in (embeddings, np.zeros((number, 4))):
        assert len(chosen(own, Rules(selector, number=1)).kept) == 1


def test_the_automatic_threshold_is_above_what_is_usual_and_within_its_bounds():
    rng = np.random.default_rng(0)
    usual = np.abs(rng.normal(0.2, 0.02, 200))
    distances = np.concatenate([[np.nan], usual, [1.2] * 20])
    assert usual.max() < automatic_threshold(distances) < 0.5
    assert automatic_threshold(np.array([np.nan])) == 0.3
    assert automatic_threshold(np.full(9, 0.01)) == 0.3
    assert automatic_threshold(np.full(9, 1.3)) == 0.8


def test_distances_do_not_depend_on_the_scale_and_joined_parts_weigh_the_same():
    embeddings = scenes([3, 4])
    one, other = (chosen(scale * embeddings, Rules()).distances for scale in (1, 1000))
    np.testing.assert_allclose(one, other)
    same = joined([[part, 50 * part] for part in np.array_split(embeddings, 3)])
    np.testing.assert_allclose(chosen(same, Rules()).distances, one)
    assert same.shape == (7, 128)
