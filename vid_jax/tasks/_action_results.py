"""What reports on recognised actions have in common, whether from joints or from depth."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping

import numpy as np
from matplotlib.figure import Figure

from vid_jax import action_figures, sequence_figures
from vid_jax.metrics import action
from vid_jax.report import Report, Table, comparison_table
from vid_jax.sequence_figures import HandView

MODEL = "network"

_MOMENTS = 6  # frames of a sequence that are shown with the probabilities after them

Outputs = dict[str, np.ndarray]
View = Callable[[int, int], HandView]  # of a frame, from 0, of a sequence of the test split


@dataclasses.dataclass(frozen=True)
class Recognised:
    """What a network says of the sequences of a split, in order."""

    scores: np.ndarray  # (n, c) log-probabilities
    by_fraction: np.ndarray | None  # (n, f, c) of the beginnings by metrics.action.FRACTIONS
    running: list[np.ndarray] | None  # per sequence (t, c), after each frame
    attention: list[np.ndarray] | None  # per sequence (t,)


class Collector:
    """Takes the outputs of `eval_step` batch by batch and passes them on, keeping what is said of actions.

    Args:
        outputs: `log_probs` (b, c), `length` (b,); of a causal network `frame_log_probs` (b, t, c), else maybe
            `fraction_log_probs` (b, f, c); maybe `attention` (b, t), of which `steps` (b,) are valid, or `length`.
    """

    def __init__(self, outputs: Iterable[Outputs]):
        self._outputs = outputs
        self._kept: dict[str, list[np.ndarray]] = {}

    def __iter__(self):
        for output in self._outputs:
            for name in ("log_probs", "fraction_log_probs"):
                if name in output:
                    self._kept.setdefault(name, []).extend(output[name])
            steps = output.get("steps", output["length"])
            for name, valid in (("frame_log_probs", output["length"]), ("attention", steps)):
                if name in output:
                    rows = zip(output[name], valid, strict=True)
                    self._kept.setdefault(name, []).extend(row[:n] for row, n in rows)
            yield output

    def recognised(self) -> Recognised:
        """Of all batches that have passed."""
        running, by_fraction = (
            self._kept.get(name) for name in ("frame_log_probs", "fraction_log_probs")
        )
        if running:
            by_fraction = [action.at_fractions(rows) for rows in running]
        return Recognised(
            np.stack(self._kept["log_probs"]),
            None if by_fraction is None else np.stack(by_fraction),
            running,
            self._kept.get("attention"),
        )


def spoken(names: Iterable[str]) -> list[str]:
    """Names of classes as figures and tables show them."""
    return [name.replace("_", " ") for name in names]


def action_report(
    seen: Recognised,
    baselines: Mapping[str, np.ndarray],
    fields: Mapping[str, np.ndarray],
    names: Iterable[str],
    title: str,
) -> Report:
    """Accuracy of the network and of what it must beat: tables, scalars, and figures of all sequences together.

    Args:
        seen: of the test split.
        baselines: name -> scores (n, c).
        fields: `action`, `subject` and `sequence` (n,) of the test split.
        names: (c,) of the classes.
        title: says the data set and the protocol.
    """
    names, labels = spoken(names), fields["action"]
    subjects = fields["subject"] if len(set(fields["subject"])) > 1 else None
    scores = {MODEL: seen.scores, **baselines}
    metrics = {
        name: action.action_metrics(s, labels, names, subjects) for name, s in scores.items()
    }
    scalars = dict(metrics[MODEL])
    for name in baselines:
        key = name.replace(" ", "_").replace(",", "")
        scalars |= {f"baseline/{key}/{k}": v for k, v in metrics[name].items() if "/" not in k}
    counts = action.confusion_matrix(seen.scores.argmax(axis=1), labels, len(names))
    of_classes = {
        name: action.class_accuracies(s.argmax(axis=1), labels, len(names))
        for name, s in scores.items()
    }
    tables = {
        "Actions": comparison_table(metrics, action.ACTION_COLUMNS),
        "Classes": _class_table(of_classes, counts, names),
    }
    if subjects is not None:
        tables["Subjects, top-1"] = _subject_table(metrics, sorted(set(subjects)))
    accuracy = f"{title}: {100 * scalars['top1_accuracy']:.1f} %"
    figures = {
        "Confusion matrix": action_figures.confusion_figure(counts, names, accuracy),
        "Accuracy of each class": action_figures.class_bars(of_classes, names, title),
    }
    if seen.by_fraction is not None:
        shares = action.FRACTIONS
        curve = [action.top_k(at, labels, 1) for at in seen.by_fraction.swapaxes(0, 1)]
        scalars |= {f"top1_accuracy_seen/{f:g}": a for f, a in zip(shares, curve, strict=True)}
        figures["Accuracy by what has been seen"] = action_figures.fraction_curves(
            {MODEL: curve}, shares, title
        )
    return Report(scalars, tables, figures, {"Predictions": prediction_table(seen, fields, names)})


def sequence_report(
    seen: Recognised,
    fields: Mapping[str, np.ndarray],
    names: Iterable[str],
    skeleton,
    view: View,
    title: str,
) -> dict[str, Figure]:
    """Figures of the sequences that were recognised surest, middling and worst.

    Args:
        seen: of the test split.
        fields: `action`, `sequence` and `length` (n,) of it.
        names: (c,) of the classes.
        skeleton: of the views.
        view: a frame of a sequence.
        title: says the data set and the protocol.
    """
    names, figures = spoken(names), {}
    chosen = _chosen(seen.scores, fields["action"])
    headings = {
        rank: f"{fields['sequence'][i]}: {names[fields['action'][i]]}, recognised as "
        f"{names[seen.scores[i].argmax()]}"
        for rank, i in chosen.items()
    }
    rows = [
        [view(i, t) for t in sequence_figures.ends(fields["length"][i])] for i in chosen.values()
    ]
    figures["First and last frames"] = sequence_figures.view_rows(
        rows, [f"{rank}. {heading}" for rank, heading in headings.items()], skeleton, title
    )
    for rank, i in chosen.items() if seen.by_fraction is not None else ():
        known, shares = _course(seen, i, fields["length"][i])
        heading, truth = headings[rank], fields["action"][i]
        figures[f"{rank} sequence in time"] = sequence_figures.action_curves(
            known, shares, names, heading, truth
        )
        rows = np.unique(np.linspace(0, len(known) - 1, _MOMENTS).astype(int))
        views = [view(i, t) for t in known[rows] - 1]
        figures[f"{rank} sequence at moments"] = sequence_figures.action_moments(
            views, shares[rows], names, skeleton, heading, truth
        )
    if seen.attention is not None:
        weights = [seen.attention[i] for i in chosen.values()]
        figures["Attention"] = sequence_figures.attention_curves(
            weights, list(headings.values()), "Attention"
        )
    return figures


def prediction_table(seen: Recognised, fields: Mapping[str, np.ndarray], names: list[str]) -> Table:
    """Each sequence's true and recognised class and the probabilities of all."""
    rows = []
    for sequence, subject, label, scores in zip(
        fields["sequence"].tolist(),
        fields["subject"].tolist(),
        fields["action"].tolist(),
        seen.scores,
        strict=True,
    ):
        predicted = names[scores.argmax()]
        shares = np.exp(scores.astype(np.float64)).tolist()
        rows.append([sequence, subject, names[label], predicted, *shares])
    return Table(["sequence", "subject", "action", "predicted", *names], rows)


def _course(seen: Recognised, i: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers (k,) of frames that had been seen of a sequence, and the probabilities (k, c) after them."""
    if seen.running is not None:
        return np.arange(1, length + 1), np.exp(seen.running[i])
    known, first = np.unique(action.frames_seen(length), return_index=True)
    return known, np.exp(seen.by_fraction[i][first])


def _chosen(scores: np.ndarray, labels: np.ndarray) -> dict[str, int]:
    """Sequences by the probability of their true class."""
    order = np.argsort(-scores[np.arange(len(labels)), labels], kind="stable").tolist()
    ranks = {"Surest": order[0], "Middling": order[len(order) // 2], "Worst": order[-1]}
    return {rank: i for rank, i in ranks.items() if rank == "Surest" or i != order[0]}


def _class_table(
    accuracies: Mapping[str, np.ndarray], counts: np.ndarray, names: list[str]
) -> Table:
    wrong = counts - np.diag(counts.diagonal())
    rows = []
    for i, name in enumerate(names):
        mistaken = names[wrong[i].argmax()] if wrong[i].any() else None
        values = [float(of_method[i]) for of_method in accuracies.values()]
        rows.append([name, int(counts[i].sum()), *values, mistaken])
    return Table(["class, accuracy", "sequences", *accuracies, "most often mistaken for"], rows)


def _subject_table(metrics: Mapping[str, Mapping[str, float]], subjects) -> Table:
    rows = [[s, *(m[f"subject_accuracy/{s}"] for m in metrics.values())] for s in subjects]
    return Table(["subject", *metrics], rows)
