"""A video's scores as files: tables, a timeline, and the video with its errors as heat."""

import dataclasses
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from absl import logging

from vid_jax import visualize
from vid_jax.metrics import anomaly
from vid_jax.report import score_table, write_csv
from vid_jax.video_writer import VideoWriter

# Time in seconds, frame as it came, score and error map, which frames at the ends may lack.
ScoredFrame = tuple[float | None, np.ndarray, float | None, np.ndarray | None]

_QUANTILES = np.linspace(0, 1, 101)
_ALARM_QUANTILE = 0.99  # of the training scores; the running score is 0.5 there
_FOLDER_RATE = 10.0  # frames a second of an annotated video made from a folder of images


def calibration_of(scores: Sequence[float], largest_errors: Sequence[float]) -> dict:
    """Quantiles of training scores, and of the largest errors of their frames, to read a running score by."""
    return {
        "training_score_quantiles": np.quantile(scores, _QUANTILES).tolist(),
        "training_largest_error": float(np.quantile(largest_errors, _ALARM_QUANTILE)),
    }


def write_scores(
    frames: Iterable[ScoredFrame], source: str, output: Path, calibration: dict
) -> None:
    """Writes the scores of a video's frames into the folder `output`, holding one frame at a time.

    scores.csv and scores.json hold frame, timestamp, score, score normalised by the video's minimum and maximum, and
    running score; annotated.mp4 shows the error as heat and the running score as a bar; timeline.png all scores. The
    running score is 0 at the lowest training score and 0.5 at the 99 % quantile.
    """
    quantiles = calibration["training_score_quantiles"]
    low, alarm = quantiles[0], float(np.interp(_ALARM_QUANTILE, _QUANTILES, quantiles))
    scale = 0.5 / max(alarm - low, 1e-12)
    output.mkdir(parents=True, exist_ok=True)
    times, scores = [], []
    with VideoWriter(output / "annotated.mp4") as video:
        for time, frame, score, error in frames:
            times.append(time)
            scores.append(np.nan if score is None else score)
            running = None if score is None else float(np.clip(scale * (score - low), 0, 1))
            seconds = (len(scores) - 1) / _FOLDER_RATE if time is None else time
            annotated = visualize.annotate_frame(
                frame,
                error,
                2 * calibration["training_largest_error"],
                running,
                threshold=0.5,
                caption=f"{int(seconds // 60)}:{seconds % 60:04.1f}",
            )
            video.write(annotated, seconds)
    scores = np.array(scores)
    timestamps = None if None in times else np.array(times)
    (normalised,) = anomaly.normalise([scores], "per_video")
    table = score_table(scores, normalised, timestamps=timestamps)
    running = np.clip(scale * (scores - low), 0, 1)
    table = dataclasses.replace(
        table,
        header=[*table.header, "score_running"],
        rows=[(*row, float(r)) for row, r in zip(table.rows, running, strict=True)],
    )
    write_csv(table, output / "scores.csv")
    records = [
        {k: None if v != v else v for k, v in zip(table.header, row, strict=True)}
        for row in table.rows
    ]
    (output / "scores.json").write_text(
        json.dumps({"source": source, "training_alarm": alarm, "frames": records}, indent=1)
    )
    figure = visualize.score_timeline(scores, source, threshold=alarm, timestamps=timestamps)
    figure.savefig(output / "timeline.png", dpi=120)
    logging.info(
        "%s: %d frames, %d above the alarm; see %s.",
        source,
        len(scores),
        int(np.sum(scores > alarm)),
        output,
    )
