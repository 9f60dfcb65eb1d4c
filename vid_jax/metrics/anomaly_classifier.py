"""Supervised classifiers of frames, tested only on videos that they were not fitted on."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import LeaveOneGroupOut, StratifiedGroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from vid_jax.errors import UserError
from vid_jax.metrics.anomaly import check_scores, roc_auc

CLASSIFIERS = ("logistic_regression", "random_forest")

_CLASSES = ("normal", "abnormal")

Split = tuple[np.ndarray, np.ndarray]  # indices of the frames to fit on, and of those to test on


@dataclasses.dataclass(frozen=True)
class Classification:
    """What a classifier made of every video while it was fitted on others."""

    probabilities: list[np.ndarray]  # per video (frames,) of being abnormal; NaN if left out
    confusion: np.ndarray  # (2, 2) int, rows truth, columns predicted, normal first
    figures: dict[str, float]  # auc, precision, recall, accuracy, folds, frames
    importances: dict[str, float]  # feature name -> share, all adding up to 1


def classify(
    features: Sequence[np.ndarray],
    labels: Sequence[np.ndarray],
    names: Sequence[str],
    feature_names: Sequence[str],
    folds: int = 5,
    seed: int = 0,
) -> dict[str, Classification]:
    """Logistic regression and a random forest, cross-validated over whole videos.

    The classifiers of Microsoft's PredNet pipeline, which splits frames at random, so that a
    frame's neighbours are fitted on; here every frame is classified by a model that saw no frame
    of its video. Videos are put into folds of like shares of abnormal frames, fewer folds where
    there are fewer videos; where that would leave nothing of a class to fit on, each video is a
    fold of its own.

    `auc` is the area under the ROC of all frames' probabilities together. `precision` (NaN where
    no frame is called abnormal), `recall`, `accuracy` and the confusion matrix call a frame
    abnormal from a probability of 0.5. Importances are the forest's decrease of impurity, and the
    regression's absolute coefficients of standardised features, each averaged over the folds
    and scaled to add up to 1; they are all 0 where no feature tells anything.

    Args:
        features: per video (frames, features), NaN in the row of a frame that is not scored.
        labels: per video (frames,), 0 normal, 1 abnormal, -1 unlabelled.
        names: the videos', for errors.
        feature_names: (features,).
        folds: at least 2; how many to make where the videos allow it.
        seed: of the order in which videos are put into folds, and of the forest.

    Returns:
        For each of `CLASSIFIERS`. Frames without features or label count nowhere, and their
        probabilities are NaN.

    Raises:
        UserError: features and labels do not fit, or a class is not seen in at least two videos.
    """
    if len(features) < 2:
        raise UserError(
            f"{len(features)} labelled videos; a classifier that is tested on videos it was not "
            "fitted on needs at least 2"
        )
    if folds < 2:
        raise UserError(f"cross-validation over {folds} folds: give at least 2")
    check_scores([np.abs(f).max(axis=1) for f in features], labels, names)
    known = [np.isfinite(f).all(axis=1) & (y >= 0) for f, y in zip(features, labels, strict=True)]
    x = np.concatenate([f[k] for f, k in zip(features, known, strict=True)]).astype(np.float64)
    y = np.concatenate([t[k] for t, k in zip(labels, known, strict=True)]).astype(np.int64)
    video = np.repeat(np.arange(len(known)), [k.sum() for k in known])
    _check_classes(y, video, names)
    splits = _splits(y, video, folds, seed)
    results = {}
    for classifier in CLASSIFIERS:
        probability, importances = _cross_validate(classifier, x, y, splits, seed)
        confusion = confusion_matrix(y, probability >= 0.5)
        results[classifier] = Classification(
            [_spread(probability[video == i], k) for i, k in enumerate(known)],
            confusion,
            _figures(confusion, roc_auc(y, probability), len(splits)),
            dict(zip(feature_names, importances.tolist(), strict=True)),
        )
    return results


def _check_classes(y: np.ndarray, video: np.ndarray, names: Sequence[str]) -> None:
    for label, name in enumerate(_CLASSES):
        seen = np.unique(video[y == label])
        if len(seen) < 2:
            where = f"only in {names[seen[0]]}" if len(seen) else "in no video"
            raise UserError(
                f"scored frames labelled {label} ({name}) are {where}; a classifier that is tested "
                "on videos it was not fitted on needs them in at least 2"
            )


def _splits(y: np.ndarray, video: np.ndarray, folds: int, seed: int) -> list[Split]:
    folds = min(folds, len(np.unique(video)), np.bincount(y).min())
    stratified = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    splits = list(stratified.split(y, y, video))
    if all(len(test) and len(np.unique(y[fit])) == 2 for fit, test in splits):
        return splits
    return list(LeaveOneGroupOut().split(y, y, video))


def _cross_validate(
    classifier: str, x: np.ndarray, y: np.ndarray, splits: Sequence[Split], seed: int
) -> tuple[np.ndarray, np.ndarray]:
    probability = np.empty(len(y))
    importances = np.zeros(x.shape[1])
    for fit, test in splits:
        model = _make(classifier, seed).fit(x[fit], y[fit])
        probability[test] = model.predict_proba(x[test])[:, 1]
        importances += _importances(model)
    return probability, importances / (importances.sum() or 1.0)


def _make(classifier: str, seed: int) -> Pipeline:
    if classifier == "random_forest":
        model = RandomForestClassifier(random_state=seed)
    else:
        model = LogisticRegression(max_iter=1000)
    # The forest needs it too: its trees take features that differ by less than 1e-7 for constant.
    return make_pipeline(StandardScaler(), model)


def _importances(model: Pipeline) -> np.ndarray:
    last = model[-1]
    return last.feature_importances_ if hasattr(last, "estimators_") else np.abs(last.coef_[0])


def _figures(confusion: np.ndarray, auc: float, folds: int) -> dict[str, float]:
    called = confusion[:, 1].sum()
    return {
        "auc": auc,
        "precision": float(confusion[1, 1] / called) if called else math.nan,
        "recall": float(confusion[1, 1] / confusion[1].sum()),
        "accuracy": float(np.trace(confusion) / confusion.sum()),
        "folds": float(folds),
        "frames": float(confusion.sum()),
    }


def _spread(values: np.ndarray, where: np.ndarray) -> np.ndarray:
    spread = np.full(len(where), np.nan)
    spread[where] = values
    return spread
