"""What is found out about actions of a test split of joint sequences, and what a recogniser is fed, as figures."""

from collections import deque
from collections.abc import Callable, Iterable

import numpy as np
from matplotlib.figure import Figure

from vid_jax import sequence_figures
from vid_jax.metrics.action_baselines import majority_scores, support_vector_scores
from vid_jax.report import Report, joined
from vid_jax.sequence_figures import HandView
from vid_jax.tasks._action_results import Collector, Outputs, action_report, sequence_report, spoken

_SHOWN = 4  # training sequences, each beside itself augmented
_SHOWN_TESTED = 6
_FRAMES = 8  # of a training sequence

# From a training batch to its augmented joints (b, t, j, 3) mm and lengths (b,).
Augment = Callable[[dict[str, np.ndarray]], tuple[np.ndarray, np.ndarray]]


def evaluate(outputs: Iterable[Outputs], dataset) -> Report:
    """Accuracy of the recognised actions beside that of guessing, of the first frame and of a support-vector machine.

    Args:
        outputs: of `eval_step` over the test split in order: `log_probs` (b, c); `length`, `action` and `index` (b,);
            of a causal network `frame_log_probs` (b, t, c), what it says having seen the frames up to each, else
            `fraction_log_probs` (b, f, c), what it says of the beginnings by `metrics.action.FRACTIONS`; and with
            attention its weights `attention` (b, t), of which `steps` (b,) are valid.
        dataset: `JointSequences`.
    """
    collector = Collector(outputs)
    deque(collector, maxlen=0)
    seen = collector.recognised()
    info, fields = dataset.info, dataset.fields("test")
    title = f"{info.name}, {info.description}"

    def view(sequence: int, frame: int) -> HandView:
        joints = dataset.sequence("test", sequence)
        return HandView(f"{frame + 1} of {len(joints)}", joints[frame])

    report = action_report(seen, _baselines(dataset), fields, info.actions, info.name)
    figures = sequence_report(seen, fields, info.actions, info.skeleton, view, title)
    return joined(report, Report({}, {}, figures))


def browse(dataset, augment: Augment | None = None) -> dict[str, Figure]:
    """A few sequences of each split as skeletons, training sequences above themselves augmented.

    Args:
        dataset: `JointSequences`.
        augment: None where nothing is augmented.
    """
    info = dataset.info
    names = spoken(info.actions)
    batch = next(iter(dataset.train_batches(0)))
    changed = augment(batch) if augment else None
    rows, headings = [], []
    for i, label in enumerate(batch["action"][:_SHOWN]):
        rows.append(_spread(batch["joints"][i], batch["length"][i]))
        headings.append(names[label])
        if changed:
            rows.append(_spread(changed[0][i], changed[1][i]))
            headings.append(f"{names[label]}, augmented")
    title = f"{info.name}: training sequences"
    figures = {"train": sequence_figures.view_rows(rows, headings, info.skeleton, title)}
    fields = dataset.fields("test")
    chosen = np.linspace(0, len(fields["action"]) - 1, _SHOWN_TESTED).astype(int)
    rows, headings = [], []
    for i in np.unique(chosen).tolist():
        joints = dataset.sequence("test", i)
        rows.append(_views(joints, sequence_figures.ends(len(joints))))
        headings.append(f"{fields['sequence'][i]}: {names[fields['action'][i]]}")
    title = f"{info.name}: first and last frames of test sequences"
    figures["test"] = sequence_figures.view_rows(rows, headings, info.skeleton, title)
    return figures


def _baselines(dataset) -> dict[str, np.ndarray]:
    """Scores of test sequences by what is fitted on the training sequences."""
    train, test = dataset.fields("train"), dataset.fields("test")
    classes, labels = len(dataset.info.actions), train["action"]
    sequences = {
        split: [dataset.sequence(split, i) for i in range(len(fields["action"]))]
        for split, fields in (("train", train), ("test", test))
    }
    machine = (sequences["train"], labels, sequences["test"], classes)
    reference = dataset.info.skeleton.reference
    return {
        "support-vector machine": support_vector_scores(*machine, reference),
        "support-vector machine, first frame": support_vector_scores(*machine, reference, 1),
        "commonest class": majority_scores(labels, classes, len(test["action"])),
    }


def _spread(joints: np.ndarray, length: int) -> list[HandView]:
    """Frames of a padded sequence, evenly in time."""
    return _views(joints[:length], np.linspace(0, length - 1, min(_FRAMES, length)).astype(int))


def _views(joints: np.ndarray, frames: np.ndarray) -> list[HandView]:
    return [HandView(f"{t + 1} of {len(joints)}", joints[t]) for t in frames]
