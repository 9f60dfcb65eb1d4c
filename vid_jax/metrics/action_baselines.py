"""What an action recogniser must beat: the commonest class, and a support-vector machine on joints."""

from collections.abc import Sequence

import numpy as np
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

RESAMPLED = 32  # frames

_PENALTY = 10.0  # the machine's C


def majority_scores(labels: np.ndarray, classes: int, number: int) -> np.ndarray:
    """Scores (number, classes) that are the shares of the classes among training labels (n,)."""
    shares = np.bincount(labels, minlength=classes) / len(labels)
    return np.tile(shares, (number, 1))


def resampled(joints: np.ndarray, frames: int = RESAMPLED) -> np.ndarray:
    """A sequence (t, j, 3) brought to (frames, j, 3), evenly in time and linearly between frames."""
    places = np.linspace(0, len(joints) - 1, frames)
    before = places.astype(int)
    after = np.minimum(before + 1, len(joints) - 1)
    share = (places - before)[:, None, None]
    return (1 - share) * joints[before] + share * joints[after]


def support_vector_scores(
    train: Sequence[np.ndarray],
    labels: np.ndarray,
    test: Sequence[np.ndarray],
    classes: int,
    reference: int,
    frames: int = RESAMPLED,
) -> np.ndarray:
    """Scores (n, classes) by a support-vector machine with Gaussian kernel on joints about a reference joint.

    Garcia-Hernando et al., CVPR 2018, compare with such classifiers; here each number is standardised over the
    training sequences, the kernel's gamma is 1 by their number, C is 10, and the classes are told apart in pairs.

    Args:
        train, test: sequences (t, j, 3) mm.
        labels: of the training sequences.
        classes: how many there are; those without a training sequence are never chosen.
        reference: the joint that the others are taken about.
        frames: that each sequence is resampled to; 1 is its first frame alone.
    """
    known = np.unique(labels)
    scores = np.full((len(test), classes), -np.inf)
    if len(known) == 1:
        scores[:, known] = 0
        return scores
    scaler = StandardScaler()
    fitted = scaler.fit_transform(_features(train, reference, frames))
    asked = scaler.transform(_features(test, reference, frames))
    # All products of features at once take a tenth of the time of the machine's own kernel.
    machine = SVC(C=_PENALTY, kernel="precomputed").fit(rbf_kernel(fitted), labels)
    decisions = machine.decision_function(rbf_kernel(asked, fitted))
    scores[:, known] = _of_pair(decisions) if len(known) == 2 else decisions
    return scores


def _features(sequences: Sequence[np.ndarray], reference: int, frames: int) -> np.ndarray:
    rows = [resampled(joints - joints[:, [reference]], frames).ravel() for joints in sequences]
    return np.array(rows, np.float32)


def _of_pair(decisions: np.ndarray) -> np.ndarray:
    """scikit-learn gives one number for two classes, positive for the second."""
    return np.stack([-decisions, decisions], axis=1)
