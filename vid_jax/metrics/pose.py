"""Figures of merit of hand poses, from the distances between predicted and true joints in mm.

Poses are (n, j, 3) points in mm, prediction and truth in the same frame of reference. A frame whose truth has a NaN has
no ground truth and counts nowhere.
"""

from collections.abc import Sequence

import numpy as np

from vid_jax.errors import UserError
from vid_jax.hand_joints import Skeleton

THRESHOLDS = np.arange(81.0)  # mm
YAW_EDGES = np.arange(-40.0, 41, 2)  # degrees, of bins, as are those below
PITCH_EDGES = np.arange(-10.0, 91, 2)

# The figures of `pose_metrics` that a table shows, and their headings.
POSE_COLUMNS = {
    "mean_error_mm": "mean error, mm",
    "max_error_under_20mm": "worst joint <= 20 mm",
    "max_error_under_40mm": "<= 40 mm",
    "max_error_under_80mm": "<= 80 mm",
    "max_error_auc_80mm": "AUC worst joint",
    "mean_error_auc_80mm": "AUC mean",
}

_TABLED_THRESHOLDS = (20, 40, 80)  # mm


def joint_errors(prediction: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Distances (n, j) in mm between predicted and true joints, NaN in frames without ground truth.

    Args:
        prediction: (n, j, 3) mm, finite wherever there is ground truth.
        truth: (n, j, 3) mm.

    Raises:
        UserError: the shapes do not fit, or a frame is not finite; names the frame, counted from 0.
    """
    prediction, truth = (np.asarray(poses, np.float64) for poses in (prediction, truth))
    for name, poses in (("prediction", prediction), ("truth", truth)):
        if poses.ndim != 3 or poses.shape[-1] != 3:
            raise UserError(f"the {name} has shape {poses.shape}; poses are (frames, joints, 3)")
    if prediction.shape != truth.shape:
        sizes = [f"{len(p)} frames of {p.shape[1]} joints" for p in (prediction, truth)]
        raise UserError(f"the prediction holds {sizes[0]}, but the truth {sizes[1]}")
    known = ~np.isnan(truth).any(axis=(1, 2))
    for name, poses in (("prediction", prediction), ("truth", truth)):
        bad = known & ~np.isfinite(poses).all(axis=(1, 2))
        if bad.any():
            raise UserError(
                f"frame {int(bad.argmax())} of the {name} has a joint that is not finite"
            )
    errors = np.full(truth.shape[:2], np.nan)
    errors[known] = np.linalg.norm(prediction[known] - truth[known], axis=-1)
    return errors


def known_errors(errors: np.ndarray) -> np.ndarray:
    """The rows of `joint_errors` with ground truth, (frames, j).

    Raises:
        UserError: there is none.
    """
    known = errors[np.isfinite(errors).all(axis=1)]
    if not known.size:
        raise UserError("no frame has ground truth")
    return known


def frames_within(frame_errors: np.ndarray) -> np.ndarray:
    """Fractions (81,) of frames whose error is at most each of `THRESHOLDS`, 0 to 80 mm.

    Args:
        frame_errors: (n,) mm, finite: of each frame's worst joint as in Taylor et al., "The Vitruvian Manifold", CVPR
            2012, or the mean over its joints.
    """
    return np.searchsorted(np.sort(frame_errors), THRESHOLDS, side="right") / len(frame_errors)


def threshold_area(fractions: np.ndarray) -> float:
    """The mean of a curve of `frames_within` over 0 to 80 mm, by trapezoids; 1 is perfect."""
    return float(np.trapezoid(fractions, THRESHOLDS) / (THRESHOLDS[-1] - THRESHOLDS[0]))


def pose_metrics(
    prediction: np.ndarray,
    truth: np.ndarray,
    subjects: Sequence[str] | None = None,
    joints: Sequence[str] | None = None,
) -> dict[str, float]:
    """The figures of poses, all subjects pooled, and each subject's and each joint's mean error.

    - `mean_error_mm`: the mean over all frames and joints.
    - `max_error_under_Dmm`: fraction of frames whose worst joint errs by at most D = 20, 40 or 80 mm.
    - `max_error_auc_80mm`, `mean_error_auc_80mm`: that fraction's mean over 0 to 80 mm, for the worst joint and for the
      mean over joints.
    - `joint_error_mm/JOINT`: mean over frames; spaces in names become underscores.
    - `subject_error_mm/SUBJECT`: mean over the subject's frames and joints; NaN if none has ground truth.
    - `frames`, and `frames_scored`, those with ground truth.

    Args:
        prediction: (n, j, 3) mm.
        truth: (n, j, 3) mm.
        subjects: (n,), who each frame is of.
        joints: (j,) names; their numbers if None.

    Raises:
        UserError: as of `joint_errors`, or no frame has ground truth.
    """
    errors = joint_errors(prediction, truth)
    known = known_errors(errors)
    worst = frames_within(known.max(axis=1))
    names = joints or [f"joint {i}" for i in range(errors.shape[1])]
    figures = {
        "mean_error_mm": float(known.mean()),
        **{f"max_error_under_{d}mm": float(worst[d]) for d in _TABLED_THRESHOLDS},
        "max_error_auc_80mm": threshold_area(worst),
        "mean_error_auc_80mm": threshold_area(frames_within(known.mean(axis=1))),
        "frames": float(len(errors)),
        "frames_scored": float(len(known)),
    }
    for name, error in zip(names, known.mean(axis=0), strict=True):
        figures[f"joint_error_mm/{name.replace(' ', '_')}"] = float(error)
    if subjects is not None:
        frame_errors = errors.mean(axis=1)
        for subject in sorted(set(subjects)):
            of_subject = frame_errors[np.asarray(subjects) == subject]
            scored = of_subject[np.isfinite(of_subject)]
            figures[f"subject_error_mm/{subject}"] = float(scored.mean()) if scored.size else np.nan
    return figures


def yaw_pitch(truth: np.ndarray, skeleton: Skeleton) -> tuple[np.ndarray, np.ndarray]:
    """How far the palm is turned away from the camera, in degrees, whichever way up it is in the image.

    The palm's long axis runs from the wrist to midway between the index and little knuckles. Pitch is its elevation
    from the image plane, positive where the fingers point at the camera, 90 straight at it. Yaw is the turn about the
    long axis, 0 where the palm or its back is as parallel to the image as the pitch allows, positive where the side on
    the right of the upright hand is the farther one.

    Args:
        truth: (n, j, 3) mm, x right, y down, z away.
        skeleton: names the joints.

    Returns:
        yaw (n,) in -90 to 90 and pitch (n,) in -90 to 90; NaN where the truth is.

    Raises:
        ValueError: the skeleton has no wrist or no knuckle (MCP) of index or little finger.
    """
    wrist, index, little = (
        truth[:, skeleton.joints.index(name)].astype(np.float64)
        for name in ("wrist", "index MCP", "little MCP")
    )
    long = (index + little) / 2 - wrist
    long /= np.linalg.norm(long, axis=-1, keepdims=True)
    pitch = np.arcsin(np.clip(-long[:, 2], -1, 1))
    right = np.stack([-long[:, 1], long[:, 0], np.zeros(len(long))], axis=-1)  # in the image plane
    away = np.cross(long, right)
    across = little - index
    along_right, along_away = ((across * axis).sum(-1) for axis in (right, away))
    yaw = np.arctan2(along_away * np.where(along_right < 0, -1, 1), np.abs(along_right))
    return np.degrees(yaw), np.degrees(pitch)


def errors_by_angle(
    frame_errors: np.ndarray, angles: np.ndarray, edges: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean error of the frames in each bin of an angle, for instance of `YAW_EDGES`.

    Args:
        frame_errors: (n,) mm; NaN counts nowhere.
        angles: (n,) degrees; those outside the edges count nowhere.
        edges: (bins + 1,); a bin holds its lower edge, the last one its upper edge also.

    Returns:
        means (bins,) in mm, NaN where a bin is empty, and counts (bins,).
    """
    known = np.isfinite(frame_errors) & np.isfinite(angles)
    counts, _ = np.histogram(angles[known], edges)
    sums, _ = np.histogram(angles[known], edges, weights=frame_errors[known])
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan), counts
