"""Reports on joints and actions of made-up sequences of crops."""

import numpy as np
import pytest
from tiny_hands import hand_depth, hand_points

from vid_jax.cameras import CAMERAS
from vid_jax.hand_joints import SKELETONS
from vid_jax.input_pipeline.depth_files import DepthMap
from vid_jax.input_pipeline.hand_crop import crop
from vid_jax.report import write_report
from vid_jax.tasks._pose_action_report import browse, evaluate

ACTIONS = ("pour_milk", "stir", "write")
LENGTHS = {"train": [3, 4, 2], "test": [2, 3, 4, 12]}
CUBE, SIZE = 200.0, 16


class Info:
    name = "hands_gestures"
    description = "crops of hands"
    actions = ACTIONS
    skeleton = SKELETONS["hands"]
    camera = CAMERAS["hands"]


class Dataset:
    """Sequences of frames of rows 0, 1, ... of a store for training, 100, 101, ... for testing."""

    info = Info

    def sequence_fields(self, split):
        numbers = np.arange(len(LENGTHS[split]))
        return {
            "sequence": np.array([f"{split}/{i}" for i in numbers]),
            "subject": np.array([f"subject {i % 2}" for i in numbers]),
            "action": numbers % 3,
            "length": np.array(LENGTHS[split]),
            "index": numbers,
        }

    def fields(self, split):
        known, lengths = self.sequence_fields(split), LENGTHS[split]
        rows = np.arange(sum(lengths)) + 100 * (split == "test")
        joints = np.stack([hand_points("hands", "a", row) for row in rows])
        return {
            "sequence": np.repeat(known["sequence"], lengths),
            "subject": np.repeat(known["subject"], lengths),
            "frame": np.concatenate([np.arange(n) for n in lengths]),
            "joints": joints,
            "com": joints[:, 3],
            "index": rows,
        }

    def crops(self, rows):
        joints = np.stack([hand_points("hands", "a", row) for row in rows])
        crops = [
            crop(DepthMap(hand_depth("hands", points)), Info.camera, points[3], CUBE, SIZE)
            for points in joints
        ]
        return {
            "depth": np.stack([c.depth for c in crops]),
            "joints": joints,
            "com": joints[:, 3],
            "cube": np.full(len(rows), CUBE, np.float32),
            "scale": np.array([c.scale for c in crops], np.float32),
            "offset": np.array([c.offset for c in crops], np.float32),
            "index": rows,
        }


def outputs(error=5.0):
    """Batches of 2 sequences, padded; joints err by so many mm, behind a sequence's end by far more."""
    known, truth = Dataset().sequence_fields("test"), Dataset().fields("test")["joints"]
    starts = np.concatenate([[0], np.cumsum(known["length"])])
    for rows in (np.arange(2), np.arange(2, 4)):
        longest = 4 if rows[0] == 0 else 16
        joints = np.full((2, longest, 21, 3), 1e6, np.float32)
        said = np.log(np.full((2, longest, 3), 1 / 3, np.float32))
        for row, i in enumerate(rows):
            length = known["length"][i]
            joints[row, :length] = truth[starts[i] : starts[i + 1]] + [0, error, 0]
            said[row, length - 1] = np.log(np.full(3, 0.1) + 0.7 * np.eye(3)[known["action"][i]])
        last = said[[0, 1], known["length"][rows] - 1]
        batch = {name: known[name][rows] for name in ("length", "action", "index")}
        yield batch | {"joints": joints, "log_probs": last, "frame_log_probs": said}


@pytest.fixture(scope="module")
def report():
    return evaluate(outputs(), Dataset(), "sequential", "predicted")


def test_frames_count_the_same_whatever_their_sequence(report, tmp_path):
    assert report.scalars["mean_error_mm"] == pytest.approx(5, abs=1e-4)
    assert report.scalars["frames"] == sum(LENGTHS["test"])
    assert report.scalars["top1_accuracy"] == 1
    assert report.scalars["sequences"] == len(LENGTHS["test"])
    assert report.scalars["top1_accuracy_seen/0.1"] == pytest.approx(2 / 4)  # first of equals
    write_report(report, tmp_path, "Joints and actions")


def test_the_summary_names_the_scheme_and_what_was_told(report):
    title, table = next(iter(report.tables.items()))
    assert title == "Joints and actions, sequential, action told: predicted"
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["network"][0] == pytest.approx(5, abs=1e-4)
    assert rows["network"][3] == 1
    assert rows["mean training pose"][0] > 5
    assert rows["mean training pose"][3] is None
    assert rows["commonest class"][0] is None
    assert rows["commonest class"][3] == pytest.approx(2 / 4)


def test_a_network_that_is_not_conditioned_is_told_nothing():
    report = evaluate(outputs(), Dataset(), "sequential", "")
    assert next(iter(report.tables)) == "Joints and actions, sequential"
    assert report.figures["First and last frames"].get_suptitle() == "hands_gestures, sequential"


def test_figures_are_of_joints_and_of_actions(report):
    assert {
        *("Frames within a threshold", "Error of each joint", "Confusion matrix"),
        *("First and last frames", "Surest sequence in time", "Worst sequence at moments"),
    } <= {*report.figures}
    figure = report.figures["First and last frames"]
    assert "told the predicted action" in figure.get_suptitle()
    axes = figure.subfigs[0].axes[0]
    assert axes.images
    assert len(axes.get_lines()) == 2 * len(Info.skeleton.chains)


def test_every_frame_and_every_sequence_is_listed(report):
    frames = report.files["Frames"]
    assert len(frames.rows) == sum(LENGTHS["test"])
    assert list(frames.rows[2][:2]) == ["test/1", 0]
    assert [row[0] for row in report.files["Predictions"].rows] == [f"test/{i}" for i in range(4)]


class Settings:
    skeleton = Info.skeleton


def test_browsing_shows_the_ends_of_sequences():
    figures = browse(Dataset(), Settings)
    assert set(figures) == {"train", "test"}
    last = figures["test"].subfigs[-1]
    assert last.get_suptitle() == "test/3: pour milk"
    captions = [axes.get_title(loc="left") for axes in last.axes]
    assert captions == [f"{t} of 12" for t in (1, 2, 3, 4, 5, 8, 9, 10, 11, 12)]
    assert len(figures["train"].subfigs) == 3
