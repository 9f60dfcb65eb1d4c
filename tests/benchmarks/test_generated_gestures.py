from benchmarks.generated_gestures import BOUNDS, accuracies


def test_the_order_of_the_frames_is_needed():
    measured = accuracies(range(100, 106), range(140, 144), repetitions=2)
    assert measured.keys() == BOUNDS.keys()
    for name, bound in BOUNDS.items():
        assert measured[name] < bound
    assert measured["shuffled frames"] > 0.3  # and the frames are worth something
