import hypothesis.extra.numpy as arrays
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from vid_jax.errors import UserError
from vid_jax.metrics.action import (
    FRACTIONS,
    accuracy_by_fraction,
    action_metrics,
    at_fractions,
    class_accuracies,
    confusion_matrix,
    top_k,
)

NAMES = ["pour milk", "stir", "write", "give coin"]


@st.composite
def recognised(draw):
    n, c = draw(st.integers(1, 12)), draw(st.integers(1, 6))
    # Few values, so that ties are common.
    scores = draw(arrays.arrays(np.float32, (n, c), elements=st.sampled_from([-2.0, 0.0, 1.0])))
    return scores, draw(arrays.arrays(np.int32, n, elements=st.integers(0, c - 1)))


@given(recognised(), st.integers(1, 6))
def test_top_k_is_membership_of_the_first_of_a_stable_sort(example, k):
    scores, labels = example
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    assert top_k(scores, labels, k) == np.mean([y in row for y, row in zip(labels, order)])


@given(recognised())
def test_top_1_is_argmax_and_permutations_change_nothing(example):
    scores, labels = example
    assert top_k(scores, labels, 1) == np.mean(scores.argmax(1) == labels)
    assert top_k(scores[::-1], labels[::-1], 1) == top_k(scores, labels, 1)
    assert top_k(scores, labels, scores.shape[1]) == 1


@given(recognised())
def test_confusion_matrix_has_the_truth_in_rows(example):
    scores, labels = example
    predicted, classes = scores.argmax(1), scores.shape[1]
    counts = confusion_matrix(predicted, labels, classes)
    pairs = list(zip(labels.tolist(), predicted.tolist()))
    expected = [[pairs.count((row, column)) for column in range(classes)] for row in range(classes)]
    np.testing.assert_array_equal(counts, expected)


def test_class_accuracies_of_classes_that_do_not_occur_are_nan():
    accuracies = class_accuracies(np.array([0, 1, 1, 3]), np.array([0, 0, 1, 1]), 4)
    np.testing.assert_array_equal(accuracies, [0.5, 0.5, np.nan, np.nan])


def test_figures_by_hand():
    scores = np.log([[0.7, 0.1, 0.1, 0.1], [0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4]])
    figures = action_metrics(scores, np.array([0, 1, 0]), NAMES, ["a", "b", "b"])
    assert figures == pytest.approx(
        {
            "top1_accuracy": 1 / 3,
            "top3_accuracy": 2 / 3,
            "mean_class_accuracy": (1 / 2 + 0) / 2,
            "sequences": 3,
            "class_accuracy/pour_milk": 1 / 2,
            "class_accuracy/stir": 0,
            "class_accuracy/write": np.nan,
            "class_accuracy/give_coin": np.nan,
            "subject_accuracy/a": 1,
            "subject_accuracy/b": 0,
        },
        nan_ok=True,
    )


@pytest.mark.parametrize(("length", "places"), [(10, range(10)), (1, [0] * 10), (7, None)])
def test_a_fraction_ends_with_the_frame_that_completes_it(length, places):
    running = np.arange(length)[:, None]
    seen = at_fractions(running)[:, 0]
    if places is None:  # the first frame k with (k + 1) / length >= f
        places = [min(k for k in range(length) if (k + 1) / length >= f) for f in FRACTIONS]
    np.testing.assert_array_equal(seen, places)


def test_accuracy_grows_as_sequences_are_recognised():
    right, wrong = [0.0, -1.0], [-1.0, 0.0]
    scores = [np.array([wrong] * 5 + [right] * 5), np.array([right] * 4), np.array([wrong])]
    curve = accuracy_by_fraction(scores, np.zeros(3, int), np.array([0.1, 0.5, 0.6, 1.0]))
    np.testing.assert_allclose(curve, [1 / 3, 1 / 3, 2 / 3, 2 / 3])


@pytest.mark.parametrize(
    ("scores", "labels", "message"),
    [
        (np.zeros((0, 2)), [], "no sequence"),
        (np.zeros((2, 2)), [0], r"shape \(2, 2\) and labels of shape \(1,\)"),
        (np.array([[0, 1], [0, np.nan]]), [0, 0], "score of sequence 1 is NaN"),
        (np.zeros((2, 2)), [0, 2], "label of sequence 1 is 2, outside the 2 classes"),
        (np.zeros((2, 2)), [-1, 0], "label of sequence 0 is -1"),
    ],
)
def test_what_cannot_be_scored_is_named(scores, labels, message):
    with pytest.raises(UserError, match=message):
        top_k(scores, np.array(labels, int), 1)


def test_an_empty_sequence_is_named():
    with pytest.raises(UserError, match="sequence 1 has no frames"):
        accuracy_by_fraction([np.zeros((3, 2)), np.zeros((0, 2))], np.zeros(2, int))
