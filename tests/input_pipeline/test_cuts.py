import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from vid_jax.input_pipeline.cuts import CutWatch

RATE = 25


def watched(frames) -> CutWatch:
    watch = CutWatch()
    for number, frame in enumerate(frames):
        watch.see(number / RATE, frame, 1 / RATE)
    return watch


def scene(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (9, 16), dtype=np.uint8)


def still(seed: int, number: int) -> list[np.ndarray]:
    return [scene(seed)] * number


@hypothesis.given(st.integers(1, 39))
def test_a_cut_is_found_at_its_frame(place):
    watch = watched(still(1, place) + still(2, 40 - place))
    time, sure = watch.find(0, 1.6)
    assert (time, sure) == (place / RATE, 1.0)


def test_jumps_are_mean_absolute_differences():
    watch = watched([scene(1), scene(2)])
    expected = np.abs(scene(1).astype(float) - scene(2)).mean()
    np.testing.assert_allclose(watch.jumps, [0, expected], rtol=1e-6)


def test_a_flash_is_no_cut():
    frames = still(1, 40)
    for age in range(12):
        light = 0.5 ** (age / 2)
        frames[15 + age] = (frames[15 + age] * (1 - light) + 255 * light).astype(np.uint8)
    time, sure = watched(frames).find(0, 1.6)
    assert time == 15 / RATE
    assert sure == 0


def test_a_dissolve_and_motion_are_no_cuts():
    weights = np.clip((np.arange(40) - 10) / 20, 0, 1)
    dissolve = [((1 - w) * scene(1) + w * scene(2)).astype(np.uint8) for w in weights]
    assert watched(dissolve).find(0, 1.6)[1] == 0
    motion = [np.roll(scene(1), step, axis=1) for step in range(40)]
    assert watched(motion).find(0, 1.6)[1] == 0


def test_nothing_can_be_found_where_there_is_no_frame():
    watch = watched(still(1, 3))
    assert watch.find(0.05, 0.06) == (0.06, 0.0)
    assert watch.find(0, 0.08)[1] == 0


def test_later_frames_change_nothing_that_is_decided():
    frames = still(1, 20) + still(2, 30)
    for number in range(25, 50):
        watch = watched(frames[:number])
        if watch.decided >= 20 / RATE:
            assert watch.find(0, watch.decided) == (20 / RATE, 1.0)
    assert watched(frames).decided == pytest.approx(49 / RATE - 0.6)


def test_the_end_is_that_of_the_last_frame():
    assert watched(still(1, 3)).end == pytest.approx(3 / RATE)
    assert watched(still(1, 1)).end == pytest.approx(1 / RATE)
