"""Figures of merit of recognised actions, from the (log-)probabilities of classes.

Scores are (n, c), higher is likelier; labels are (n,) classes 0 to c - 1. Of classes with equal scores the first is
taken for the likelier, as argmax does.
"""

from collections.abc import Sequence

import numpy as np

from vid_jax.errors import UserError

FRACTIONS = np.arange(1, 11) / 10  # of a sequence that have been seen

# The figures of `action_metrics` that a table shows, and their headings.
ACTION_COLUMNS = {
    "top1_accuracy": "top-1",
    "top3_accuracy": "top-3",
    "mean_class_accuracy": "mean of classes",
}


def top_k(scores: np.ndarray, labels: np.ndarray, k: int) -> float:
    """Fraction of sequences whose class is among the k likeliest.

    Raises:
        UserError: see `check_scores`.
    """
    scores, labels = check_scores(scores, labels)
    own = scores[np.arange(len(labels)), labels][:, None]
    before = np.arange(scores.shape[1]) < labels[:, None]
    rank = ((scores > own) | ((scores == own) & before)).sum(axis=1)
    return float((rank < k).mean())


def confusion_matrix(predicted: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Counts (c, c): sequences of each class, by rows, that were taken for each class, by columns."""
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (labels, predicted), 1)
    return counts


def class_accuracies(predicted: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Fractions (c,) of each class's sequences that were recognised, NaN where it has none."""
    counts = confusion_matrix(predicted, labels, classes)
    totals = counts.sum(axis=1)
    return np.where(totals > 0, counts.diagonal() / np.maximum(totals, 1), np.nan)


def frames_seen(length: int, fractions: np.ndarray = FRACTIONS) -> np.ndarray:
    """How many frames (f,) of a sequence have been seen when fractions of it have: ceil(f length), at least 1."""
    return np.maximum(np.ceil(np.round(fractions * length, 6)), 1).astype(int)


def at_fractions(scores: np.ndarray, fractions: np.ndarray = FRACTIONS) -> np.ndarray:
    """Of a sequence's running scores (t, c), those (f, c) when fractions of it had been seen."""
    return scores[frames_seen(len(scores), fractions) - 1]


def accuracy_by_fraction(
    scores: Sequence[np.ndarray], labels: np.ndarray, fractions: np.ndarray = FRACTIONS
) -> np.ndarray:
    """Top-1 accuracy (f,) when only the first part of each sequence has been seen.

    Args:
        scores: per sequence (t, c), the classes' after each of its t frames.
        labels: (n,).
        fractions: (f,) of the sequences' lengths, above 0, at most 1.

    Raises:
        UserError: a sequence has no frames, or see `check_scores`.
    """
    for number, of_sequence in enumerate(scores):
        if not len(of_sequence):
            raise UserError(f"sequence {number} has no frames")
    seen = np.stack([at_fractions(np.asarray(s), fractions) for s in scores], axis=1)
    return np.array([top_k(at, labels, 1) for at in seen])


def action_metrics(
    scores: np.ndarray,
    labels: np.ndarray,
    names: Sequence[str],
    subjects: Sequence[str] | None = None,
) -> dict[str, float]:
    """The figures of actions, all sequences pooled, and the accuracy of each class and each subject.

    - `top1_accuracy`, `top3_accuracy`: fractions of sequences.
    - `mean_class_accuracy`: the mean over the classes that occur, each counting the same.
    - `class_accuracy/CLASS`: NaN if none of the class occurs; spaces in names become underscores.
    - `subject_accuracy/SUBJECT`.
    - `sequences`.

    Args:
        scores: (n, c).
        labels: (n,).
        names: (c,) of the classes.
        subjects: (n,), who performed each sequence.

    Raises:
        UserError: see `check_scores`.
    """
    scores, labels = check_scores(scores, labels)
    predicted = scores.argmax(axis=1)
    of_classes = class_accuracies(predicted, labels, len(names))
    figures = {
        "top1_accuracy": top_k(scores, labels, 1),
        "top3_accuracy": top_k(scores, labels, 3),
        "mean_class_accuracy": float(np.nanmean(of_classes)),
        "sequences": float(len(labels)),
    }
    for name, accuracy in zip(names, of_classes, strict=True):
        figures[f"class_accuracy/{name.replace(' ', '_')}"] = float(accuracy)
    if subjects is not None:
        for subject in sorted(set(subjects)):
            own = np.asarray(subjects) == subject
            figures[f"subject_accuracy/{subject}"] = float((predicted == labels)[own].mean())
    return figures


def check_scores(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same as arrays.

    Raises:
        UserError: there is no sequence, the shapes do not fit, a score is NaN, or a label is outside the classes;
            names the sequence, counted from 0.
    """
    scores, labels = np.asarray(scores), np.asarray(labels)
    if scores.ndim != 2 or labels.shape != scores.shape[:1]:
        raise UserError(
            f"scores of shape {scores.shape} and labels of shape {labels.shape}; "
            "they are (sequences, classes) and (sequences,)"
        )
    if not len(labels):
        raise UserError("there is no sequence to score")
    bad = np.isnan(scores).any(axis=1)
    if bad.any():
        raise UserError(f"a score of sequence {int(bad.argmax())} is NaN")
    outside = (labels < 0) | (labels >= scores.shape[1])
    if outside.any():
        row = int(outside.argmax())
        raise UserError(
            f"the label of sequence {row} is {labels[row]}, outside the {scores.shape[1]} classes"
        )
    return scores, labels
