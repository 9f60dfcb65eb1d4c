import numpy as np
import pytest

from vid_jax.metrics.action_baselines import majority_scores, resampled, support_vector_scores


def waves(rng, classes, each=8):
    """Sequences of 4 joints: class by class another finger's joint moves, at any speed and place."""
    sequences, labels = [], np.repeat(np.arange(classes), each)
    for label in labels:
        length = rng.integers(5, 40)
        joints = rng.normal(0, 1, (length, 4, 3)) + rng.uniform(-300, 300, 3)
        joints[:, 1 + label, 0] += 50 * np.linspace(0, 1, length)
        sequences.append(joints)
    return sequences, labels


def test_the_commonest_class_is_the_likeliest():
    scores = majority_scores(np.array([2, 0, 2]), 4, 5)
    np.testing.assert_allclose(scores, np.tile([1 / 3, 0, 2 / 3, 0], (5, 1)))


@pytest.mark.parametrize("length", [1, 2, 9, 32, 50])
def test_resampling_is_linear_in_time(length):
    times = np.linspace(0, 1, length) if length > 1 else np.zeros(1)
    joints = np.broadcast_to(times[:, None, None], (length, 4, 3)) * [1, -2, 3]
    expected = np.linspace(0, times[-1], 32)[:, None] * [1, -2, 3]
    np.testing.assert_allclose(resampled(joints)[:, 2], expected, atol=1e-12)


@pytest.mark.parametrize("classes", [2, 3])
def test_a_machine_tells_motions_apart_but_not_by_their_first_frame(classes):
    rng = np.random.default_rng(0)
    (train, labels), (test, truth) = waves(rng, classes), waves(rng, classes)
    scores = support_vector_scores(train, labels, test, classes + 1, reference=0)
    assert scores.shape == (len(test), classes + 1)
    assert (scores.argmax(1) == truth).all()
    first = support_vector_scores(train, labels, test, classes + 1, reference=0, frames=1)
    assert (first.argmax(1) == truth).mean() < 0.75
    assert not (first.argmax(1) == classes).any()  # nothing of it was seen


def test_one_class_is_always_chosen():
    train, labels = waves(np.random.default_rng(0), 1)
    scores = support_vector_scores(train, labels + 2, train[:3], 4, reference=0)
    assert scores.argmax(1).tolist() == [2, 2, 2]
