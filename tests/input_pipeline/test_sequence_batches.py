"""What is kept of sequences, how far batches are padded, and which sequences they are of."""

import itertools

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from vid_jax.input_pipeline.sequence_batches import PooledOrder
from vid_jax.input_pipeline.sequence_lengths import kept_frames, padded_length

LENGTHS = np.array([7, 120, 33, 64, 65, 12, 90, 50, 41, 77, 28, 19])


@pytest.mark.parametrize(
    ("cut", "kept"), [("end", [0, 1, 2]), ("start", [4, 5, 6]), ("both", [2, 3, 4])]
)
def test_long_sequences_are_cut_where_the_config_says(cut, kept):
    first, lengths = kept_frames(np.array([7, 2, 3]), 3, cut)
    assert np.arange(first[0], first[0] + lengths[0]).tolist() == kept
    assert lengths.tolist() == [3, 2, 3]
    assert first[1:].tolist() == [0, 0]


def test_what_is_cut_is_counted_and_logged(log):
    kept_frames(LENGTHS, 64, "both")
    assert "4 of 12 sequences are longer than 64 frames and are cut at the start and end" in log()


def test_nothing_is_cut_without_a_maximum(log):
    first, lengths = kept_frames(LENGTHS, 0, "start")
    np.testing.assert_array_equal(lengths, LENGTHS)
    assert not first.any()
    assert "cut" not in log()


@pytest.mark.parametrize(
    ("longest", "padded"), [(1, 8), (8, 8), (9, 20), (20, 20), (21, 32), (32, 32), (33, 64)]
)
def test_a_batch_is_padded_to_the_next_boundary_or_power_of_two(longest, padded):
    assert padded_length(longest, (8, 20)) == padded


@hypothesis.settings(deadline=None)
@hypothesis.given(
    lengths=st.lists(st.integers(1, 200), min_size=3, max_size=40),
    batch_size=st.integers(1, 6),
    pool=st.integers(1, 9),
    seed=st.integers(0, 5),
)
def test_every_sequence_comes_once_an_epoch(lengths, batch_size, pool, seed):
    order = PooledOrder(np.array(lengths), batch_size, pool, seed)
    pools = 3 * len(lengths)  # whole epochs, and whole pools
    effective = max(1, min(pool, len(lengths) // batch_size))
    batches = [order.batch(step) for step in range(pools * effective)]
    places, epochs = (np.concatenate(parts) for parts in zip(*batches))
    for epoch in range(epochs.max() + 1):
        assert sorted(places[epochs == epoch]) == list(range(len(lengths)))


def test_the_order_is_a_function_of_seed_and_step():
    def batches(seed, steps):
        order = PooledOrder(LENGTHS, 2, 3, seed)
        return [order.batch(step)[0].tolist() for step in steps]

    whole = batches(0, range(12))
    assert batches(0, range(11, -1, -1)) == whole[::-1]
    assert batches(1, range(12)) != whole
    assert whole[:6] != whole[6:]  # another epoch, another order


def test_the_sequences_of_a_pool_are_dealt_out_by_length_in_any_order():
    order = PooledOrder(LENGTHS, 3, 4, 0)
    spans = [LENGTHS[order.batch(step)[0]] for step in range(20)]
    pools = [spans[first : first + 4] for first in range(0, 20, 4)]
    for pool in pools:
        by_length = sorted(pool, key=min)
        assert all(a.max() <= b.min() for a, b in itertools.pairwise(by_length))
    assert len({tuple(np.argsort([span.min() for span in pool])) for pool in pools}) > 1
