import csv
import json
import logging

import numpy as np
import pytest

from vid_jax.action_files import is_truth
from vid_jax.action_score_lib import run, score
from vid_jax.errors import UserError
from vid_jax.input_pipeline.datasets.fhad_files import ACTIONS
from vid_jax.metrics.action import action_metrics

CLASSES = ["pour milk", "stir", "write", "give coin"]
NAMES = [f"Subject_{i % 2}/any/{i}" for i in range(8)]
RNG = np.random.default_rng(0)
LABELS = np.array([0, 1, 2, 0, 1, 2, 0, 0])
SCORES = RNG.dirichlet(np.ones(4), 8)
SCORES[:5] += 2 * np.eye(4)[LABELS[:5]]


def write(path, header, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def write_probabilities(path, names=NAMES, scores=SCORES):
    return write(path, ["sequence", *CLASSES], [[n, *row] for n, row in zip(names, scores)])


def write_truth(path, names=NAMES, labels=LABELS):
    return write(path, ["sequence", "action"], [[n, CLASSES[y]] for n, y in zip(names, labels)])


def write_best(path, best, header=("sequence", "predicted"), names=NAMES):
    return write(path, header, [[n, b] for n, b in zip(names, best)])


def expected():
    return pytest.approx(action_metrics(SCORES, LABELS, CLASSES), nan_ok=True)


def test_probabilities_are_matched_by_name(tmp_path, caplog):
    order = RNG.permutation(8)
    truth = write_truth(tmp_path / "truth.csv", [NAMES[i] for i in order], LABELS[order])
    predictions = write_probabilities(tmp_path / "predictions.csv")
    with caplog.at_level(logging.INFO, logger="absl"):
        report = score(predictions, truth)
    assert "8 sequences matched by name" in caplog.text
    assert report.scalars == expected()
    assert not report.figures
    assert report.files["Sequences"].rows[0][0] == NAMES[order[0]]
    rows = {row[0]: row[1:] for row in report.tables["Classes"].rows}
    assert rows["pour milk"][0] == 4
    assert rows["give coin"][0] == 0


def test_without_names_the_order_counts(tmp_path, caplog):
    predictions = write(tmp_path / "predictions.csv", CLASSES, SCORES)
    truth = write(tmp_path / "truth.csv", ["action"], [[y] for y in LABELS])
    with caplog.at_level(logging.INFO, logger="absl"):
        assert score(predictions, truth).scalars == expected()
    assert "matched by order" in caplog.text


@pytest.mark.parametrize("spelling", [str.upper, lambda name: name.replace(" ", "_")])
def test_the_likeliest_class_alone_gives_no_top_3(tmp_path, spelling):
    best = [spelling(CLASSES[i]) for i in SCORES.argmax(1)]
    predictions = write_best(tmp_path / "predictions.csv", best)
    figures = score(predictions, write_truth(tmp_path / "truth.csv")).scalars
    assert "top3_accuracy" not in figures
    wanted = action_metrics(SCORES, LABELS, CLASSES)
    assert figures["top1_accuracy"] == wanted["top1_accuracy"]
    assert figures["mean_class_accuracy"] == pytest.approx(wanted["mean_class_accuracy"])


def test_numbers_of_classes_do(tmp_path):
    predictions = write_best(tmp_path / "predictions.csv", SCORES.argmax(1))
    truth = write_best(tmp_path / "truth.csv", LABELS, ("sequence", "action"))
    report = score(predictions, truth)
    assert report.scalars["top1_accuracy"] == np.mean(SCORES.argmax(1) == LABELS)
    assert [row[0] for row in report.tables["Classes"].rows] == ["0", "1", "2", "3"]


def write_split(path):
    """Of two sequences that are trained on and three that are tested on, one of which does not count."""
    path.write_text(
        "Training 2\nSubject_1/stir/1 9\nSubject_1/stir/2 9\n"
        "Test 3\nSubject_2/stir/1 9\nSubject_2/close_milk/4 11\nSubject_2/write/1 25\n"
    )
    return path


def test_of_the_benchmarks_split_the_test_counts(tmp_path, caplog):
    names = ["Subject_2_write_1", "Subject_2_stir_1", "Subject_1_stir_2"]
    predictions = write_best(tmp_path / "predictions.csv", ["write", "write", "stir"], names=names)
    with caplog.at_level(logging.INFO, logger="absl"):
        report = score(predictions, write_split(tmp_path / "split.txt"))
    assert "2 sequences matched by name; 1 more are not tested on" in caplog.text
    assert report.scalars["top1_accuracy"] == 0.5
    assert report.scalars["class_accuracy/write"] == 1
    assert len(report.tables["Classes"].rows) == len(ACTIONS)


def test_a_folder_of_predictions_is_read_by_its_folders(tmp_path):
    for name, row in zip(NAMES, SCORES):
        cells = [[name.rsplit("/")[-1], 9, "stir", *row]]
        folder = tmp_path / "predicted" / name.replace("/", "_")
        write(folder / "actions.csv", ["sequence", "frames", "predicted", *CLASSES], cells)
    assert score(tmp_path / "predicted", write_truth(tmp_path / "truth.csv")).scalars == expected()
    write(folder / "actions.csv", ["sequence", "stir"], [["a", 1]])
    with pytest.raises(UserError, match=r"Subject_1_any_7/actions\.csv: its columns are not those"):
        score(tmp_path / "predicted", tmp_path / "truth.csv")


def test_an_evaluations_own_table_is_read_on_both_sides(tmp_path):
    cells = [[n, "me", CLASSES[y], "stir", *row] for n, y, row in zip(NAMES, LABELS, SCORES)]
    header = ["sequence", "subject", "action", "predicted", *CLASSES]
    table = write(tmp_path / "Predictions.csv", header, cells)
    assert score(table, table).scalars == expected()


def test_the_report_is_written(tmp_path, caplog):
    predictions = write_probabilities(tmp_path / "predictions.csv")
    with caplog.at_level(logging.INFO, logger="absl"):
        run(predictions, write_truth(tmp_path / "truth.csv"), tmp_path / "report")
    assert "top-1" in caplog.text
    files = {path.name for path in (tmp_path / "report").iterdir()}
    assert {"index.html", "Confusion_matrix.png", "Accuracy_of_each_class.png"} <= files
    figures = json.loads((tmp_path / "report" / "metrics.json").read_text())
    assert figures["sequences"] == 8


def test_only_files_of_true_actions_are_taken_for_such(tmp_path):
    assert is_truth(write_truth(tmp_path / "truth.csv"))
    assert is_truth(write_split(tmp_path / "split.txt"))
    assert not is_truth(write(tmp_path / "labels.csv", ["video", "frame", "label"], []))
    assert not is_truth(tmp_path / "missing.csv")
    assert not is_truth(tmp_path)
    (tmp_path / "labels.npy").write_bytes(bytes(range(256)))
    assert not is_truth(tmp_path / "labels.npy")


def test_files_that_do_not_fit_each_other_are_refused(tmp_path):
    predictions, truth = tmp_path / "predictions.csv", write_truth(tmp_path / "truth.csv")
    write_probabilities(predictions, NAMES[:5])
    with pytest.raises(UserError, match=r"predictions\.csv has nothing for Subject_1/any/5"):
        score(predictions, truth)
    write_probabilities(predictions)
    with pytest.raises(UserError, match=r"truth\.csv has nothing for Subject_1/any/7"):
        score(predictions, write_truth(truth, NAMES[:7]))
    write(predictions, CLASSES, SCORES[:3])
    with pytest.raises(UserError, match=r"holds 3 sequences, but .*truth\.csv 7"):
        score(predictions, truth)
    write_best(predictions, ["juggle"] * 8)
    best = write_best(tmp_path / "best.csv", [9] * 8, ("sequence", "action"))
    with pytest.raises(UserError, match=r"best\.csv: '9' is none of the 4 classes pour milk"):
        score(write_probabilities(predictions), best)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("sequence,stir\n", "holds 0 sequences"),
        ("sequence\na\n", "no column predicted; it has sequence"),
        ("sequence,stir\na,1\na,2\n", "the sequence a is there twice"),
        ("sequence,stir,Stir\na,1,2\n", "the column stir is there twice"),
        ("sequence,stir\na,1,2\n", "line 2: 3 cells, but 2 columns"),
        ("sequence,stir\na,\n", "line 2: '' is not a number"),
        ("sequence,stir\na,nan\n", "line 2: a score is NaN"),
        ("sequence,predicted\na,\n", "line 2: predicted is empty"),
    ],
)
def test_broken_predictions_are_named(tmp_path, text, message):
    (tmp_path / "predictions.csv").write_text(text)
    with pytest.raises(UserError, match=message):
        score(tmp_path / "predictions.csv", write_truth(tmp_path / "truth.csv"))


def test_what_is_missing_or_no_table_is_named(tmp_path):
    truth = write_truth(tmp_path / "truth.csv")
    with pytest.raises(UserError, match=r"missing\.csv does not exist"):
        score(tmp_path / "missing.csv", truth)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"holds no SEQUENCE/actions\.csv"):
        score(tmp_path / "empty", truth)
    (tmp_path / "image.csv").write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(UserError, match=r"image.csv is no .csv file"):
        score(tmp_path / "image.csv", truth)
    with pytest.raises(UserError, match="holds no true actions; wanted is a split file"):
        score(write_probabilities(tmp_path / "predictions.csv"), tmp_path / "image.csv")
