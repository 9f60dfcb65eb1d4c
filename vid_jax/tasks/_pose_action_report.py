"""What is found out about joints and actions of a test split of depth sequences, and what a joint model is fed."""

from collections.abc import Iterable, Mapping

import numpy as np
from matplotlib.figure import Figure

from vid_jax import pose_figures, sequence_figures
from vid_jax.input_pipeline.hand_augmentation import crop_pixels, normalised_depth
from vid_jax.metrics import action, pose
from vid_jax.metrics.action_baselines import majority_scores
from vid_jax.metrics.pose_baselines import mean_pose
from vid_jax.report import Report, Table, comparison_table, joined
from vid_jax.sequence_figures import HandView
from vid_jax.tasks._action_results import (
    MODEL,
    Collector,
    Outputs,
    action_report,
    sequence_report,
    spoken,
)
from vid_jax.tasks._hand_crops import CropSettings, hands_of

_SHOWN = 6  # sequences of a split
_MEAN_POSE, _COMMONEST = "mean training pose", "commonest class"
_COLUMNS = {
    "mean_error_mm": "mean error, mm",
    "max_error_under_20mm": "worst joint <= 20 mm",
    "max_error_auc_80mm": "AUC worst joint",
    **action.ACTION_COLUMNS,
}


def evaluate(outputs: Iterable[Outputs], dataset, scheme: str, conditioning: str) -> Report:
    """Errors of the joints beside the mean pose's, and accuracy of the actions beside guessing.

    Args:
        outputs: of `eval_step` over the test split in order: `joints` (b, t, j, 3) mm, `log_probs` (b, c),
            `frame_log_probs` (b, t, c) where the recogniser is causal, `attention` (b, t) where it has one, and
            `length`, `action` and `index` (b,).
        dataset: `HandCropSequences`.
        scheme: config.model.scheme, for the titles.
        conditioning: config.eval.action, what the pose network was told; "" where it is not conditioned.
    """
    collector = Collector(outputs)
    joints = np.concatenate(
        [of_sequence[:n] for o in collector for of_sequence, n in zip(o["joints"], o["length"])]
    )
    seen, info = collector.recognised(), dataset.info
    frames, sequences = dataset.fields("test"), dataset.sequence_fields("test")
    told = f", told the {conditioning.replace('_', ' ')} action" if conditioning else ""
    title = f"{info.name}, {scheme}{told}"
    poses = _pose_report(joints, dataset, title)
    labels = dataset.sequence_fields("train")["action"]
    guessed = majority_scores(labels, len(info.actions), len(sequences["action"]))
    actions = action_report(seen, {_COMMONEST: guessed}, sequences, info.actions, title)
    first = np.concatenate([[0], np.cumsum(sequences["length"])])

    def view(sequence: int, frame: int) -> HandView:
        row = first[sequence] + frame
        caption = f"{frame + 1} of {sequences['length'][sequence]}"
        return _views(dataset, frames["index"][[row]], [caption], joints[[row]])[0]

    summary = comparison_table(
        {
            MODEL: poses.scalars | actions.scalars,
            _MEAN_POSE: _baseline(poses.scalars, _MEAN_POSE),
            _COMMONEST: _baseline(actions.scalars, _COMMONEST),
        },
        _COLUMNS,
    )
    name = f"Joints and actions, {scheme}" + (f", action told: {conditioning}" if told else "")
    figures = sequence_report(seen, sequences, info.actions, info.skeleton, view, title)
    return joined(Report({}, {name: summary}, {}), poses, actions, Report({}, {}, figures))


def browse(dataset, settings: CropSettings) -> dict[str, Figure]:
    """First and last crops of a few sequences of each split, with their joints.

    Args:
        dataset: `HandCropSequences`.
        settings: of the crops.
    """
    figures = {}
    names = spoken(dataset.info.actions)
    for split in ("train", "test"):
        frames, sequences = dataset.fields(split), dataset.sequence_fields(split)
        ends = np.cumsum(sequences["length"])
        chosen = np.unique(np.linspace(0, len(ends) - 1, _SHOWN).astype(int))
        rows, headings = [], []
        for i in chosen:
            length = sequences["length"][i]
            numbers = sequence_figures.ends(length)
            captions = [f"{t + 1} of {length}" for t in numbers]
            own = frames["index"][ends[i] - length + numbers]
            rows.append(_views(dataset, own, captions))
            headings.append(f"{sequences['sequence'][i]}: {names[sequences['action'][i]]}")
        figures[split] = sequence_figures.view_rows(
            rows, headings, settings.skeleton, f"{dataset.info.name}: first and last {split} crops"
        )
    return figures


def _pose_report(joints: np.ndarray, dataset, title: str) -> Report:
    """Of the joints (frames, j, 3) of all frames, each counting the same."""
    train, test, skeleton = dataset.fields("train"), dataset.fields("test"), dataset.info.skeleton
    truth, subjects = test["joints"], test["subject"]
    mean = mean_pose(train["joints"] - train["com"][:, None]) + test["com"][:, None]
    predictions = {MODEL: joints, _MEAN_POSE: mean}
    subjects = subjects if len(set(subjects)) > 1 else None
    metrics = {
        name: pose.pose_metrics(p, truth, subjects, skeleton.joints)
        for name, p in predictions.items()
    }
    errors = {name: pose.joint_errors(p, truth) for name, p in predictions.items()}
    known = {name: pose.known_errors(e) for name, e in errors.items()}
    own = {k: v for k, v in metrics[_MEAN_POSE].items() if "/" not in k}
    prefix = _prefix(_MEAN_POSE)
    worst = {name: pose.frames_within(e.max(1)) for name, e in known.items()}
    bars = {name: e.mean(0) for name, e in known.items()}
    return Report(
        metrics[MODEL] | {prefix + k: v for k, v in own.items()},
        {"Joint errors": comparison_table(metrics, pose.POSE_COLUMNS)},
        {
            "Frames within a threshold": pose_figures.threshold_curves(worst, title),
            "Error of each joint": pose_figures.joint_bars(bars, skeleton.joints, title),
        },
        {"Frames": _frame_table(test, errors[MODEL])},
    )


def _frame_table(fields: Mapping[str, np.ndarray], errors: np.ndarray) -> Table:
    columns = fields["sequence"], fields["frame"], errors.mean(1), errors.max(1)
    header = ["sequence", "frame", "mean error, mm", "largest"]
    return Table(header, list(zip(*(column.tolist() for column in columns), strict=True)))


def _prefix(baseline: str) -> str:
    return f"baseline/{baseline.replace(' ', '_')}/"


def _baseline(scalars: Mapping[str, float], name: str) -> dict[str, float]:
    prefix = _prefix(name)
    return {k.removeprefix(prefix): v for k, v in scalars.items() if k.startswith(prefix)}


def _views(
    dataset, rows: np.ndarray, captions: list[str], predicted: np.ndarray | None = None
) -> list[HandView]:
    """Crops at rows of the store with their true joints, and predicted ones (n, j, 3) in mm if there are."""
    hands, camera = hands_of(dataset.crops(rows)), dataset.info.camera
    crops = np.asarray(normalised_depth(hands))[..., 0]
    truth = np.asarray(crop_pixels(hands, hands.joints, camera))
    found = [None] * len(rows)
    if predicted is not None:
        found = np.asarray(crop_pixels(hands, predicted, camera))
    return list(map(HandView, captions, truth, crops, found))
