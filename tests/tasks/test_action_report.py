"""Reports on actions of made-up sequences of joints, by networks that know the answers."""

import numpy as np
import pytest

from vid_jax.hand_joints import SKELETONS
from vid_jax.metrics.action import FRACTIONS
from vid_jax.tasks._action_report import browse, evaluate

ACTIONS = ("pour_milk", "stir", "write")
SEQUENCES = {"train": 12, "test": 7}


class Info:
    name = "gestures"
    description = "joints of hands"
    actions = ACTIONS
    skeleton = SKELETONS["hands"]


class Dataset:
    """Sequences of 4, 5, ... frames of each class in turn, in which the class's finger moves."""

    info = Info

    def fields(self, split):
        numbers = np.arange(SEQUENCES[split])
        return {
            "sequence": np.array([f"{split}/{i}" for i in numbers]),
            "subject": np.array([f"subject {i % 2}" for i in numbers]),
            "action": numbers % 3,
            "length": 4 + numbers,
            "index": numbers + 100,
        }

    def sequence(self, split, i):
        rng = np.random.default_rng(i)
        joints = rng.normal(0, 2, (4 + i, 21, 3)) + np.arange(21)[:, None] * 5
        joints[:, 8 + 3 * (i % 3), 1] += np.linspace(0, 80, 4 + i)
        return joints.astype(np.float32)

    def train_batches(self, start_step):
        assert start_step == 0
        joints = np.zeros((6, 16, 21, 3), np.float32)
        for i in range(6):
            joints[i, : 4 + i] = self.sequence("train", i)
        yield {"joints": joints, "length": 4 + np.arange(6), "action": np.arange(6) % 3}


def outputs(right=(0, 1, 2, 3, 4, 5), kind="frame", steps=0):
    """Batches of 4 and 3, padded to unlike lengths, recognised from the middle of each sequence on."""
    fields = Dataset().fields("test")
    for rows in (np.arange(4), np.arange(4, 7)):
        longest = 16 if rows[0] else 8
        said = np.full((len(rows), longest, 3), np.nan)
        lengths = fields["length"][rows]
        attention = np.full((len(rows), longest), np.nan)
        for row, i in enumerate(rows):
            seen, truth = np.arange(1, lengths[row] + 1) / lengths[row], fields["action"][i]
            certain = np.eye(3)[truth if i in right else (truth + 1) % 3] * 0.8 + 0.05
            wrong = np.eye(3)[(truth + 1) % 3] * 0.8 + 0.05
            said[row, : lengths[row]] = np.log(np.where(seen[:, None] > 0.5, certain, wrong))
            attention[row, : steps or lengths[row]] = 1 / (steps or lengths[row])
        batch = {name: fields[name][rows] for name in ("length", "action", "index")}
        batch["log_probs"] = said[np.arange(len(rows)), lengths - 1]
        if kind == "frame":
            batch |= {"frame_log_probs": said, "attention": attention}
        elif kind == "fraction":
            places = np.ceil(FRACTIONS * lengths[:, None] - 1e-6).astype(int) - 1
            batch["fraction_log_probs"] = np.take_along_axis(said, places[..., None], axis=1)
        if steps:
            batch["steps"] = np.full(len(rows), steps)
        yield batch


@pytest.fixture(scope="module")
def report():
    return evaluate(outputs(), Dataset())


def test_the_report_holds_the_figures_of_all_batches(report):
    assert report.scalars["top1_accuracy"] == pytest.approx(6 / 7)
    assert report.scalars["sequences"] == 7
    assert report.scalars["class_accuracy/pour_milk"] == pytest.approx(2 / 3)
    assert report.scalars["subject_accuracy/subject 0"] == pytest.approx(3 / 4)
    title, summary = next(iter(report.tables.items()))
    assert title == "Actions"
    assert [row[0] for row in summary.rows] == [
        "network",
        "support-vector machine",
        "support-vector machine, first frame",
        "commonest class",
    ]
    assert report.scalars["baseline/support-vector_machine/top1_accuracy"] == 1
    assert report.scalars["baseline/commonest_class/top1_accuracy"] == pytest.approx(3 / 7)


def test_accuracy_rises_with_what_has_been_seen(report):
    assert report.scalars["top1_accuracy_seen/0.4"] == 0
    assert report.scalars["top1_accuracy_seen/1"] == report.scalars["top1_accuracy"]


def test_figures_show_sequences_by_how_sure_the_network_was(report):
    assert {"Confusion matrix", "Accuracy by what has been seen", "Attention"} <= {*report.figures}
    shown = report.figures["Worst sequence in time"].axes[0].get_title(loc="left")
    assert shown == "test/6: pour milk, recognised as stir"
    assert {"Surest sequence at moments", "First and last frames"} <= {*report.figures}


def test_predictions_are_listed_with_all_probabilities(report):
    table = report.files["Predictions"]
    assert list(table.header)[:4] == ["sequence", "subject", "action", "predicted"]
    assert list(table.header)[4:] == ["pour milk", "stir", "write"]
    assert table.rows[6][:4] == ["test/6", "subject 0", "pour milk", "stir"]
    assert table.rows[6][4:] == pytest.approx([0.05, 0.85, 0.05])


def test_the_commonest_mistake_of_a_class_is_named(report):
    rows = {row[0]: row for row in report.tables["Classes"].rows}
    assert rows["pour milk"][-1] == "stir"
    assert rows["stir"][-1] is None


def test_networks_that_see_whole_sequences_may_say_something_of_beginnings(report):
    known = evaluate(outputs(kind="fraction"), Dataset())
    seen = {k: v for k, v in report.scalars.items() if k.startswith("top1_accuracy_seen")}
    assert {k: known.scalars[k] for k in seen} == seen
    [line, *_] = known.figures["Worst sequence in time"].axes[0].get_lines()
    assert line.get_xdata().tolist() == list(range(1, 11))
    unknown = evaluate(outputs(kind=""), Dataset())
    assert {"Accuracy by what has been seen", "Surest sequence in time"}.isdisjoint(unknown.figures)
    assert unknown.scalars["top1_accuracy"] == report.scalars["top1_accuracy"]


def test_attention_may_be_to_steps_that_sequences_were_resampled_to():
    report = evaluate(outputs(steps=6), Dataset())
    [axes, *_] = report.figures["Attention"].axes
    assert axes.get_xlim() == (0.5, 6.5)


def test_browsing_shows_training_sequences_beside_themselves_augmented():
    def augment(batch):
        return batch["joints"][:, ::2], (batch["length"] + 1) // 2

    figures = browse(Dataset(), augment)
    assert set(figures) == {"train", "test"}
    headings = [part.get_suptitle() for part in figures["train"].subfigs]
    assert headings[:4] == ["pour milk", "pour milk, augmented", "stir", "stir, augmented"]
    captions = [axes.get_title(loc="left") for axes in figures["train"].subfigs[1].axes]
    assert captions == ["1 of 2", "2 of 2"]
    assert len(browse(Dataset())["train"].subfigs) == 4
    assert figures["test"].subfigs[0].get_suptitle() == "test/0: pour milk"
