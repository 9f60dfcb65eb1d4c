import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vid_jax.input_pipeline.image_split import held_out


@given(st.sets(st.text("abc/", min_size=1, max_size=6), max_size=20), st.randoms())
def test_what_is_held_out_does_not_depend_on_the_order_of_names(names, random):
    names = sorted(names)
    shuffled = random.sample(names, len(names))
    chosen = {name for name, own in zip(names, held_out(names, 0.2, 42), strict=True) if own}
    again = {n for n, own in zip(shuffled, held_out(shuffled, 0.2, 42), strict=True) if own}
    assert chosen == again
    assert len(chosen) == int(0.2 * len(names))


def test_another_seed_holds_out_others():
    names = [f"{i:03d}" for i in range(100)]
    marks = [held_out(names, 0.2, seed) for seed in (1, 2)]
    assert np.count_nonzero(marks[0] & marks[1]) < 15


def test_of_the_30607_photographs_of_caltech256_6121_are_held_out():
    assert held_out([str(i) for i in range(30_607)], 0.2, 42).sum() == 6_121
