import itertools

import hypothesis
import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np

from vid_jax.change_points import change_points, savings


def cost(vectors: np.ndarray, starts, penalties: np.ndarray) -> float:
    segments = np.split(vectors, starts[1:])
    within = sum(((segment - segment.mean(axis=0)) ** 2).sum() for segment in segments)
    return within + sum(penalties[start] for start in starts[1:])


@hypothesis.given(
    hnp.arrays(np.float64, (8, 2), elements=st.floats(-3, 3)),
    hnp.arrays(np.float64, 8, elements=st.floats(0, 5)),
)
def test_no_other_segmentation_costs_less(vectors, penalties):
    starts = change_points(vectors, penalties)
    assert starts[0] == 0
    assert (np.diff(starts) > 0).all()
    others = (
        (0, *inner)
        for number in range(len(vectors))
        for inner in itertools.combinations(range(1, len(vectors)), number)
    )
    least = min(cost(vectors, other, penalties) for other in others)
    np.testing.assert_allclose(cost(vectors, tuple(starts), penalties), least, atol=1e-9)


@hypothesis.given(
    hnp.arrays(np.float64, (8, 2), elements=st.floats(-3, 3)),
    hnp.arrays(np.float64, 8, elements=st.floats(0, 5)),
)
def test_change_points_spare_their_penalties_and_nothing_else_does(vectors, penalties):
    starts = change_points(vectors, penalties)
    spared = savings(vectors, starts)
    assert np.isnan(spared[0])
    free = np.zeros(8)
    for place in range(1, 8):
        without, with_it = sorted({*starts} - {place}), sorted({*starts, place})
        difference = cost(vectors, without, free) - cost(vectors, with_it, free)
        np.testing.assert_allclose(spared[place], difference, atol=1e-9)
        if place in starts:
            assert spared[place] >= penalties[place] - 1e-9
        else:
            assert spared[place] <= penalties[place] + 1e-9


def test_steps_are_found_and_a_slope_below_the_penalty_is_not():
    levels = np.repeat([0.0, 2.0, -1.0], [5, 3, 9])[:, None]
    np.testing.assert_array_equal(change_points(levels, np.ones(17)), [0, 5, 8])
    slope = np.linspace(0, 1, 10)[:, None]
    np.testing.assert_array_equal(change_points(slope, np.ones(10)), [0])


def test_one_vector_is_one_segment_and_equal_ones_too():
    np.testing.assert_array_equal(change_points(np.ones((1, 3)), np.ones(1)), [0])
    np.testing.assert_array_equal(change_points(np.ones((50, 3)), np.full(50, 0.1)), [0])


def test_long_sequences_take_no_time():
    rng = np.random.default_rng(0)
    scenes = np.repeat(rng.normal(size=(1000, 8)), 5, axis=0)
    vectors = scenes + 0.01 * rng.normal(size=scenes.shape)
    np.testing.assert_array_equal(
        change_points(vectors, np.full(len(vectors), 0.1)), np.arange(0, 5000, 5)
    )
