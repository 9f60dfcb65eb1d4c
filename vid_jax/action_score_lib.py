"""Figures of merit of anyone's recognised actions, without a model."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from absl import logging

from vid_jax import action_figures
from vid_jax.action_files import (
    Predictions,
    Truth,
    key,
    read_predictions,
    read_truth,
    sequence_key,
)
from vid_jax.errors import UserError, some
from vid_jax.metrics import action
from vid_jax.report import Report, Table, comparison_table, log_summary, write_report


def run(input_path: Path, truth_path: Path, output: Path | None = None) -> None:
    """Scores, and shows the summary table; arguments and errors as of `score`."""
    report = score(input_path, truth_path, output)
    log_summary(report, input_path, output)


def score(input_path: Path, truth_path: Path, output: Path | None = None) -> Report:
    """Actions against true actions, by `vid_jax.metrics.action.action_metrics`.

    Sequences are matched by name where both sides have names, else by order. Where only the likeliest class is
    predicted, nothing is said of top-3.

    Args:
        input_path: see `read_predictions`.
        truth_path: see `read_truth`.
        output: a folder to write the report and its figures to.

    Returns:
        The report; its first table is the summary. Figures are made only with `output`.

    Raises:
        UserError: a file is not as described, or the two do not fit each other.
    """
    input_path, truth_path = Path(input_path), Path(truth_path)
    predictions, truth = read_predictions(input_path), read_truth(truth_path)
    order = _matched(predictions, truth, input_path, truth_path)
    names = _class_names(predictions, truth)
    labels = _numbered(truth.actions, names, truth_path)
    best = _numbered([predictions.best[i] for i in order], names, input_path)
    if predictions.scores is None:
        scores = np.equal.outer(best, np.arange(len(names))).astype(float)
    else:
        columns = _numbered(predictions.classes, names, input_path)
        scores = np.full((len(order), len(names)), -np.inf)
        scores[:, columns] = predictions.scores[order]
    figures = action.action_metrics(scores, labels, names)
    if predictions.scores is None:
        del figures["top3_accuracy"]
    counts = action.confusion_matrix(best, labels, len(names))
    accuracies = action.class_accuracies(best, labels, len(names))
    tables = {
        "Actions": comparison_table({"prediction": figures}, action.ACTION_COLUMNS),
        "Classes": Table(
            ["class", "sequences", "accuracy"],
            list(zip(names, counts.sum(axis=1).tolist(), accuracies.tolist(), strict=True)),
        ),
    }
    shown = truth.sequences or predictions.sequences or range(1, len(labels) + 1)
    rows = [[s, names[y], names[p]] for s, y, p in zip(shown, labels, best, strict=True)]
    files = {"Sequences": Table(["sequence", "action", "predicted"], rows)}
    drawings = {}
    if output:
        title = f"{len(labels):,} sequences: {100 * figures['top1_accuracy']:.1f} %"
        drawings["Confusion matrix"] = action_figures.confusion_figure(counts, names, title)
        drawings["Accuracy of each class"] = action_figures.class_bars(
            {"prediction": accuracies}, names, title
        )
    report = Report(figures, tables, drawings, files)
    if output:
        notes = [f"Recognised actions: {input_path}", f"True actions: {truth_path}"]
        write_report(report, Path(output), "Recognised actions against ground truth", notes)
    return report


def _matched(
    predictions: Predictions, truth: Truth, input_path: Path, truth_path: Path
) -> list[int]:
    """The place of each true sequence among the predictions."""
    number, wanted = len(predictions.best), len(truth.actions)
    if predictions.sequences is None or truth.sequences is None:
        if number != wanted:
            raise UserError(
                f"{input_path} holds {number} sequences, but {truth_path} {wanted}; without names on both sides their "
                "order must agree"
            )
        logging.info("%d sequences matched by order, as one side has no names", wanted)
        return list(range(wanted))
    places = {sequence_key(name): i for i, name in enumerate(predictions.sequences)}
    wanted = {sequence_key(name): name for name in truth.sequences}
    missing = [name for own, name in wanted.items() if own not in places]
    if missing:
        raise UserError(f"{input_path} has nothing for {some(missing, 3)}, which {truth_path} has")
    more = places.keys() - wanted.keys()
    unknown = more - set(map(sequence_key, truth.others))
    if unknown:
        names = [predictions.sequences[places[own]] for own in sorted(unknown)]
        raise UserError(f"{truth_path} has nothing for {some(names, 3)}, which {input_path} has")
    logging.info("%d sequences matched by name; %d more are not tested on", len(wanted), len(more))
    return [places[own] for own in wanted]


def _class_names(predictions: Predictions, truth: Truth) -> list[str]:
    """By number; where no side says, the names that occur, in order of the alphabet."""
    if known := truth.classes or predictions.classes:
        return known
    occurring = {key(name): name for name in [*predictions.best, *truth.actions]}
    if all(name.isdecimal() for name in occurring):
        return [str(i) for i in range(1 + max(map(int, occurring)))]
    return [occurring[name] for name in sorted(occurring)]


def _numbered(actions: Sequence[str], names: Sequence[str], path: Path) -> np.ndarray:
    """The numbers of the classes that are named, or are given by number."""
    numbers = {str(i): i for i in range(len(names))} | {key(n): i for i, n in enumerate(names)}
    unknown = [name for name in actions if key(name) not in numbers]
    if unknown:
        raise UserError(
            f"{path}: {unknown[0]!r} is none of the {len(names)} classes {some(names, 3)}"
        )
    return np.array([numbers[key(name)] for name in actions])
