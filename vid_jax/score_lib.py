"""Figures of merit of anyone's per-frame anomaly scores, without a model."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from absl import logging

from vid_jax import visualize
from vid_jax.errors import UserError, some
from vid_jax.metrics import anomaly
from vid_jax.metrics.ucsd_labels import ranges_to_labels
from vid_jax.report import Report, Table, comparison_table, log_summary, score_table, write_report
from vid_jax.score_files import Track, read_tracks


def run(input_path: Path, truth_path: Path, output: Path | None = None) -> None:
    """Scores, and shows the summary table; arguments and errors as of `score`."""
    report = score(input_path, truth_path, output)
    log_summary(report, input_path, output)


def score(input_path: Path, truth_path: Path, output: Path | None = None) -> Report:
    """Scores against labels, under every protocol of `vid_jax.metrics.anomaly.frame_metrics`.

    Videos are matched by name where both sides have names, else by order. Frames without a score
    (NaN) or label (NaN or -1) count nowhere. For the formats see `read_tracks`.

    Args:
        input_path: per-frame scores, higher is more abnormal.
        truth_path: per-frame labels or abnormal ranges.
        output: a folder to write the report, timelines and a ROC to.

    Returns:
        The report; its first table is the summary. Figures are made only with `output`.

    Raises:
        UserError: a file cannot be read, or scores and labels do not fit each other.
    """
    input_path, truth_path = Path(input_path), Path(truth_path)
    pairs = _match(
        read_tracks(input_path, "score"), read_tracks(truth_path, "label"), input_path, truth_path
    )
    names = [name for name, _, _ in pairs]
    scores = [np.asarray(values, np.float64) for _, values, _ in pairs]
    labels = [
        _frame_labels(truth, len(s), name, input_path, truth_path)
        for (name, _, truth), s in zip(pairs, scores, strict=True)
    ]
    metrics = anomaly.frame_metrics(scores, labels, names)
    if not metrics["frames_scored"]:
        raise UserError(f"no frame has both a score in {input_path} and a label in {truth_path}")
    normalised = anomaly.normalise(scores, "per_video")
    tables = {
        "Frame scores": comparison_table({"scores": metrics}, anomaly.FRAME_COLUMNS),
        "Videos": _video_table(names, scores, labels),
    }
    files = {
        name: score_table(s, n, y)
        for name, s, n, y in zip(names, scores, normalised, labels, strict=True)
    }
    figures = {}
    if output:
        points = {"scores": anomaly.roc_points(scores, labels)}
        areas = {"scores": metrics["auc_micro_per_video"]}
        figures["ROC"] = visualize.roc_figure(points, areas, "All frames, per-video normalised")
        for name, s, y in zip(names, scores, labels, strict=True):
            figures[f"Timeline, {name}"] = visualize.score_timeline(s, name, y)
    report = Report(metrics, tables, figures, files)
    if output:
        notes = [f"Scores: {input_path}", f"Labels: {truth_path}"]
        write_report(report, Path(output), "Anomaly scores against labels", notes)
    return report


def _video_table(
    names: Sequence[str], scores: Sequence[np.ndarray], labels: Sequence[np.ndarray]
) -> Table:
    areas = anomaly.video_areas(scores, labels)
    rows = []
    for name, s, y, area in zip(names, scores, labels, areas, strict=True):
        _, counted = anomaly.select_frames([s], [y])
        rows.append([name, len(s), len(counted), int(counted.sum()), float(area)])
    return Table(["video", "frames", "scored and labelled", "abnormal", "AUC"], rows)


def _match(
    scores: list[Track], truth: list[Track], input_path: Path, truth_path: Path
) -> list[tuple[str, np.ndarray, Track]]:
    """(name, scores, labels or ranges) of each video."""
    scores, truth = _split(scores, truth), _split(truth, scores)
    if all(track.name is not None for track in scores + truth):
        by_name = _by_key(scores, input_path)
        wanted = _by_key(truth, truth_path)
        for have, lack, path in ((wanted, by_name, input_path), (by_name, wanted, truth_path)):
            missing = [track.name for key, track in have.items() if key not in lack]
            if missing:
                raise UserError(
                    f"{path} has nothing for {some(missing, 3)}; add it, or leave it out"
                )
        logging.info("%d videos matched by name", len(wanted))
        return [(track.name, by_name[key].values, track) for key, track in wanted.items()]
    if len(scores) != len(truth):
        raise UserError(
            f"{input_path} holds {len(scores)} videos, but {truth_path} {len(truth)}; "
            "without names on both sides their order must agree"
        )
    logging.info("%d videos matched by order, as one side has no names", len(scores))
    return [
        (s.name or t.name or f"video {i}", s.values, t)
        for i, (s, t) in enumerate(zip(scores, truth, strict=True), start=1)
    ]


def _split(tracks: list[Track], other: list[Track]) -> list[Track]:
    """One unnamed array of all frames, cut into the videos of the other side, if it fits them."""
    [first, *more] = tracks
    arrays = all(isinstance(track.values, np.ndarray) for track in [first, *other])
    if more or first.name is not None or len(other) == 1 or not arrays:
        return tracks
    lengths = [len(track.values) for track in other]
    if sum(lengths) != len(first.values):
        return tracks
    return [Track(None, part) for part in np.split(first.values, np.cumsum(lengths)[:-1])]


def _by_key(tracks: list[Track], path: Path) -> dict[str, Track]:
    """Tracks by their names as file names may spell them, without a video's file ending."""
    stems = (re.sub(r"\.[A-Za-z]\w{1,3}$", "", track.name) for track in tracks)
    keyed = {
        re.sub(r"\W+", "_", stem).lower(): track for stem, track in zip(stems, tracks, strict=True)
    }
    if len(keyed) < len(tracks):
        raise UserError(f"{path}: two videos have the same name but for case and punctuation")
    return keyed


def _frame_labels(
    truth: Track, num_frames: int, name: str, input_path: Path, truth_path: Path
) -> np.ndarray:
    mend = f"{input_path} must hold one score per frame, empty or NaN where there is none"
    where = f"{truth_path}, {name}"
    if not isinstance(truth.values, np.ndarray):
        try:
            return ranges_to_labels(truth.values, num_frames, where)
        except UserError as error:
            raise UserError(f"{error}; {mend}") from error
    if len(truth.values) != num_frames:
        raise UserError(f"{where}: {len(truth.values)} labels, but {num_frames} scores; {mend}")
    values = np.nan_to_num(truth.values, nan=-1)
    if not np.isin(values, (-1, 0, 1)).all():
        raise UserError(f"{where}: labels must be 0, 1 or -1 (unlabelled)")
    return values.astype(np.int8)
