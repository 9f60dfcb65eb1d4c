"""What the order of the frames is worth in generated gestures.

    python -m benchmarks.generated_gestures --json=generated_gestures.json

Accuracies on unseen subjects of classifiers that do not see the order: one has the first frame alone, the other how the
joints are distributed over all frames, which is the same however the frames are shuffled.
"""

from collections.abc import Iterable

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier

from benchmarks import results
from vid_jax.input_pipeline.datasets.gestures import REPETITIONS, SUBJECTS
from vid_jax.input_pipeline.datasets.hand_gestures import ACTIONS
from vid_jax.input_pipeline.datasets.hand_sequences import gesture_joints

BOUNDS = {"first frame": 0.5, "shuffled frames": 0.8}  # accuracies stay below

_QUANTILES = (0, 0.1, 0.25, 0.5, 0.75, 0.9, 1)
_TREES = 400


def accuracies(
    training_subjects: Iterable[int], test_subjects: Iterable[int], repetitions: int = REPETITIONS
) -> dict[str, float]:
    """Of each classifier of `BOUNDS`, from 0 to 1."""
    train, test = (
        _performances(subjects, repetitions) for subjects in (training_subjects, test_subjects)
    )
    return {
        "first frame": _accuracy(_first_frame, train, test),
        "shuffled frames": _accuracy(_distribution, train, test),
    }


def _performances(subjects: Iterable[int], repetitions: int) -> list[tuple[np.ndarray, int]]:
    """Joints (t, 21, 3) and class of each."""
    return [
        (gesture_joints(subject, action, repetition), number)
        for subject in subjects
        for number, action in enumerate(ACTIONS)
        for repetition in range(repetitions)
    ]


def _accuracy(features, train, test) -> float:
    (x, y), (x_test, y_test) = (
        (
            np.stack([features(_posture(joints)) for joints, _ in part]),
            [action for _, action in part],
        )
        for part in (train, test)
    )
    return ExtraTreesClassifier(_TREES, random_state=0).fit(x, y).score(x_test, y_test)


def _posture(joints: np.ndarray) -> np.ndarray:
    """(t, 138): joints in the palm's own axes and in the camera's, those axes, and the wrist's way, about mm."""
    wrist, index, middle, little = (joints[:, i] for i in (0, 2, 3, 5))
    up = _unit(middle - wrist)
    out = _unit(np.cross(index - wrist, little - wrist))
    axes = np.stack([up, np.cross(out, up), out], axis=1)
    relative = joints - wrist[:, None]
    parts = (relative @ axes.swapaxes(1, 2), 50 * axes, relative, wrist - wrist.mean(axis=0))
    return np.concatenate([part.reshape(len(joints), -1) for part in parts], axis=1)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def _first_frame(posture: np.ndarray) -> np.ndarray:
    return posture[0]


def _distribution(posture: np.ndarray) -> np.ndarray:
    quantiles = np.quantile(posture, _QUANTILES, axis=0)
    return np.concatenate([posture.mean(axis=0), posture.std(axis=0), quantiles.ravel()])


def main() -> None:
    arguments = results.argument_parser(__doc__).parse_args()
    rows = [
        {"classifier sees": name, "accuracy": round(accuracy, 3), "target": f"< {BOUNDS[name]}"}
        for name, accuracy in accuracies(SUBJECTS["train"], SUBJECTS["test"]).items()
    ]
    results.publish("Generated gestures", rows, arguments.json)


if __name__ == "__main__":
    results.run(main)
