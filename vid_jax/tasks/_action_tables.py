"""The actions of one sequence as files."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vid_jax.report import Table, write_csv
from vid_jax.sequence_figures import action_curves
from vid_jax.tasks._action_results import spoken

_DPI = 110


class Running(NamedTuple):
    """What is said in the course of a sequence."""

    frames: Sequence[str | int]  # (k,) what the last frame that had been seen is called
    seen: np.ndarray  # (k,) how many frames had been seen, ascending
    probabilities: np.ndarray  # (k, c), NaN where nothing was said yet


def write_actions(
    output: Path,
    name: str,
    length: int,
    actions: Sequence[str],
    probabilities: np.ndarray,
    running: Running | None,
) -> None:
    """Writes actions.csv, the sequence and its probabilities, and what is said in its course.

    That is frame_actions.csv and, the same as curves, actions.png.

    Args:
        output: a folder, made if need be.
        name: of the sequence.
        length: its frames.
        actions: names (c,) of the classes.
        probabilities: (c,) of the whole sequence.
        running: None where nothing is known of it.
    """
    output.mkdir(parents=True, exist_ok=True)
    best = actions[int(probabilities.argmax())]
    row = [name, length, best, *map(float, probabilities)]
    table = Table(["sequence", "frames", "predicted", *actions], [row])
    write_csv(table, output / "actions.csv")
    if running is None:
        return
    pairs = zip(running.frames, running.probabilities.tolist(), strict=True)
    rows = [[frame, *shares] for frame, shares in pairs]
    write_csv(Table(["frame", *actions], rows), output / "frame_actions.csv")
    figure = action_curves(running.seen, running.probabilities, spoken(actions), name)
    figure.savefig(output / "actions.png", dpi=_DPI)
