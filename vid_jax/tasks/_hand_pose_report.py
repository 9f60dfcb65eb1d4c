"""What is found out about poses of a test split, and what a network of hands is fed, as figures."""

from collections.abc import Iterable

import jax
import numpy as np
from absl import logging
from matplotlib.figure import Figure

from vid_jax import hand_figures, pose_figures
from vid_jax.errors import UserError
from vid_jax.input_pipeline.hand_augmentation import (
    Hands,
    augmented,
    crop_pixels,
    draw_batch,
    normalised_depth,
)
from vid_jax.metrics import pose
from vid_jax.metrics.pose_baselines import mean_pose, nearest_poses
from vid_jax.report import Report, Table, comparison_table
from vid_jax.tasks._hand_crops import CropSettings, hands_of

_MODEL = "network"
_SHOWN = 8  # crops on a sheet

Outputs = dict[str, np.ndarray]


def evaluate(
    outputs: Iterable[Outputs], dataset, center: str, fingerprint: np.ndarray | None
) -> Report:
    """Errors of the predicted joints beside those of the mean and the nearest training pose.

    Args:
        outputs: of `eval_step` over the test split in order: `joints` (b, j, 3) and `com` (b, 3) in mm, and where there
            is a prior its `prior_fingerprint` (b, 8).
        dataset: the test and the training frames.
        center: how the hand's centre was found.
        fingerprint: (8,) of the prior that this data set would be given; None where there is none.
    """
    joints, com = _collect(outputs, fingerprint)
    test, train = dataset.fields("test"), dataset.fields("train")
    truth, skeleton = test["joints"], dataset.info.skeleton
    centred = train["joints"] - train["com"][:, None]
    nearest = nearest_poses(centred, truth - com[:, None])
    predictions = {
        _MODEL: joints,
        "nearest training pose (oracle)": centred[nearest] + com[:, None],
        "mean training pose": mean_pose(centred) + com[:, None],
    }
    subjects = test["subject"] if len(set(test["subject"])) > 1 else None
    metrics = {
        name: pose.pose_metrics(p, truth, subjects, skeleton.joints)
        for name, p in predictions.items()
    }
    errors = {name: pose.joint_errors(p, truth) for name, p in predictions.items()}
    scalars = metrics[_MODEL] | {
        "center_error_mm": float(
            np.linalg.norm(com - truth[:, skeleton.reference], axis=-1).mean()
        ),
    }
    for name, key in (
        ("nearest training pose (oracle)", "nearest_pose"),
        ("mean training pose", "mean_pose"),
    ):
        scalars |= {f"baseline/{key}/{k}": v for k, v in metrics[name].items() if "/" not in k}
    logging.info("The hand's centre in these figures: %s.", center)
    title = f"{dataset.info.name}, centre: {center}"
    tables = {
        f"Joint errors, hand's centre: {center}": comparison_table(metrics, pose.POSE_COLUMNS),
        "Joints": _joint_table(errors, skeleton.joints),
    }
    if subjects is not None:
        tables["Subjects"] = _subject_table(metrics, sorted(set(subjects)))
    return Report(
        scalars,
        tables,
        _curves(errors, truth, skeleton, title)
        | _sheets(dataset, test, joints, errors[_MODEL].mean(1)),
        {"Frames": _frame_table(test, errors[_MODEL], com), "Predictions": _poses(test, joints)},
    )


def evaluate_centers(outputs: Iterable[Outputs], dataset, center: str) -> Report:
    """Distances of refined centres from the reference joint, beside those of what needs no network.

    Args:
        outputs: of `eval_step` over the test split in order: `com` (b, 3) in mm.
        dataset: the test and the training frames.
        center: how the crops' centre was found.
    """
    refined = np.concatenate([output["com"] for output in outputs])
    test, train = dataset.fields("test"), dataset.fields("train")
    reference = dataset.info.skeleton.reference
    mean_offset = (train["joints"][:, reference] - train["com"]).mean(0)
    centers = {
        "refined": refined,
        "moved by the mean of training": test["com"] + mean_offset,
        f"as cropped ({center})": test["com"],
    }
    distances = {
        name: np.linalg.norm(c - test["joints"][:, reference], axis=-1)
        for name, c in centers.items()
    }
    summary = {
        name: {
            "center_error_mm": float(d.mean()),
            "center_error_median_mm": float(np.median(d)),
            "center_error_90_percent_mm": float(np.percentile(d, 90)),
        }
        for name, d in distances.items()
    }
    columns = ("mean distance, mm", "median", "90 %")
    keys = list(summary["refined"])
    title = f"{dataset.info.name}: distance of the hand's centre from the reference joint"
    scalars = dict(summary["refined"])
    for name, key in zip(list(summary)[1:], ("mean_offset", "as_cropped")):
        scalars |= {f"baseline/{key}/{k}": v for k, v in summary[name].items()}
    return Report(
        scalars,
        {"Centre of the hand": comparison_table(summary, dict(zip(keys, columns)))},
        {
            "Frames within a distance": pose_figures.threshold_curves(
                {name: pose.frames_within(d) for name, d in distances.items()},
                title,
                "distance of the centre, mm",
            )
        },
    )


def browse(dataset, settings: CropSettings) -> dict[str, Figure]:
    """Depth maps with joints and centre, training crops beside their augmented selves, and test crops."""
    skeleton, camera = settings.skeleton, settings.camera
    figures = {}
    for number, (row, depth, corner) in enumerate(dataset.raw_examples(), start=1):
        hand = dataset.crops(np.array([row]))
        size = settings.crop_size
        ends = (np.array([[0, 0], [size, size]]) - hand["offset"]) / hand["scale"]
        figures[f"depth_{number}"] = hand_figures.depth_overview(
            depth,
            dataset.frame_name(row),
            skeleton,
            camera.project(hand["joints"][0]),
            camera.project(hand["com"][0]),
            tuple(ends.ravel()),
            corner,
        )
    for split in ("train", "test"):
        rows = _spread(dataset.fields(split)["index"], _SHOWN)
        hands = _hands(dataset, rows)
        names = [dataset.frame_name(row) for row in rows]
        if split == "test":
            pixels = crop_pixels(hands, hands.joints, camera)
            figures[split] = hand_figures.browse_sheet(
                _images(hands), pixels, names, skeleton, f"{dataset.info.name}: test crops"
            )
            continue
        draws = draw_batch(
            settings.seed, rows, np.zeros_like(rows), settings.modes, settings.ranges
        )
        changed = jax.tree.map(np.asarray, augmented(hands, draws, camera))
        pairs = map(
            hand_figures.CropPair,
            _images(hands),
            crop_pixels(hands, hands.joints, camera),
            _images(changed),
            crop_pixels(changed, changed.joints, camera),
            map(_describe, draws.shift, draws.angle, draws.factor),
        )
        title = f"{dataset.info.name}: training crops, each beside itself augmented"
        figures[split] = hand_figures.crop_panel(list(pairs), skeleton, title)
    return figures


def _collect(outputs: Iterable[Outputs], fingerprint) -> tuple[np.ndarray, np.ndarray]:
    joints, com = [], []
    for output in outputs:
        joints.append(output["joints"])
        com.append(output["com"])
        if fingerprint is not None and (output["prior_fingerprint"] != fingerprint).any():
            raise UserError(
                "this run's prior was fitted on other training frames or with other settings than the data set now "
                "gives; evaluate with the data and the config that it was trained with"
            )
    return np.concatenate(joints), np.concatenate(com)


def _joint_table(errors: dict[str, np.ndarray], joints) -> Table:
    means = [np.nanmean(e, axis=0) for e in errors.values()]
    rows = [[name, *map(float, values)] for name, *values in zip(joints, *means, strict=True)]
    return Table(["joint, mean error in mm", *errors], rows)


def _subject_table(metrics: dict[str, dict[str, float]], subjects) -> Table:
    rows = [[s, *(m[f"subject_error_mm/{s}"] for m in metrics.values())] for s in subjects]
    return Table(["subject, mean error in mm", *metrics], rows)


def _frame_table(fields, errors: np.ndarray, com: np.ndarray) -> Table:
    header = ["sequence", "frame", "mean error, mm", "largest", "com x, mm", "com y", "com z"]
    values = np.column_stack([errors.mean(1), errors.max(1), com]).tolist()
    names = zip(fields["sequence"].tolist(), fields["frame"].tolist())
    return Table(header, [[*name, *row] for name, row in zip(names, values, strict=True)])


def _poses(fields, joints: np.ndarray) -> Table:
    header = [f"{axis}{joint}" for joint in range(joints.shape[1]) for axis in "xyz"]
    names = zip(fields["sequence"].tolist(), fields["frame"].tolist())
    rows = joints.reshape(len(joints), -1).tolist()
    return Table(
        ["sequence", "frame", *header],
        [[*name, *row] for name, row in zip(names, rows, strict=True)],
    )


def _curves(errors: dict[str, np.ndarray], truth, skeleton, title: str) -> dict[str, Figure]:
    known = {name: pose.known_errors(e) for name, e in errors.items()}
    figures = {
        "Frames within a threshold": pose_figures.threshold_curves(
            {name: pose.frames_within(e.max(1)) for name, e in known.items()}, title
        ),
        "Error of each joint": pose_figures.joint_bars(
            {name: e.mean(0) for name, e in known.items()}, skeleton.joints, title
        ),
    }
    if {"wrist", "index MCP", "little MCP"} <= set(skeleton.joints):
        angles = pose.yaw_pitch(truth, skeleton)
        for name, values, edges in zip(
            ("yaw", "pitch"), angles, (pose.YAW_EDGES, pose.PITCH_EDGES)
        ):
            curves = {
                method: pose.errors_by_angle(e.mean(1), values, edges)[0]
                for method, e in errors.items()
            }
            figures[f"Error by {name}"] = pose_figures.angle_curves(curves, edges, name, title)
    return figures


def _sheets(dataset, fields, joints: np.ndarray, errors: np.ndarray) -> dict[str, Figure]:
    """The frames of the smallest, the median and the largest errors."""
    order = np.argsort(errors)
    order = order[np.isfinite(errors[order])]
    middle = max(0, len(order) // 2 - _SHOWN // 2)
    chosen = {
        "Best": order[:_SHOWN],
        "Median": order[middle:][:_SHOWN],
        "Worst": order[::-1][:_SHOWN],
    }
    figures = {}
    for name, frames in chosen.items():
        rows = fields["index"][frames]
        hands = _hands(dataset, rows)
        figures[f"{name} frames"] = hand_figures.prediction_sheet(
            _images(hands),
            crop_pixels(hands, hands.joints, dataset.info.camera),
            crop_pixels(hands, joints[frames], dataset.info.camera),
            errors[frames],
            dataset.info.skeleton,
            f"{name} frames of {dataset.info.name}",
            [dataset.frame_name(row) for row in rows],
        )
    return figures


def _spread(rows: np.ndarray, count: int) -> np.ndarray:
    """So many of the rows, evenly spaced."""
    return rows[np.arange(min(count, len(rows))) * len(rows) // min(count, len(rows))]


def _hands(dataset, rows: np.ndarray) -> Hands:
    return hands_of(dataset.crops(rows))


def _images(hands: Hands) -> np.ndarray:
    return np.asarray(normalised_depth(hands))[..., 0]


def _describe(shift, angle, factor) -> str:
    parts = []
    if np.any(shift):
        parts.append(f"com {', '.join(f'{s:+.0f}' for s in np.asarray(shift))} mm")
    if angle:
        parts.append(f"rot {np.degrees(angle):.0f}°")
    if factor != 1:
        parts.append(f"sc {factor:.2f}")
    return ", ".join(parts) or "none"
