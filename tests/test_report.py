import csv
import json
import math
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from matplotlib.figure import Figure

from vid_jax.report import (
    Report,
    Table,
    comparison_table,
    format_table,
    score_table,
    write_csv,
    write_report,
)


def small_report() -> Report:
    figure = Figure(figsize=(2, 1))
    figure.add_subplot().plot([0, 1])
    return Report(
        scalars={"auc": 0.875, "undefined": math.nan, "frames": 12.0},
        tables={
            "Frame scores": Table(["method", "AUC"], [["<model>", 0.875], ["darkness", math.nan]]),
        },
        figures={"Score timeline, Test001": figure},
        files={"Test001": Table(["frame", "score"], [[i, i / 3] for i in range(60)])},
    )


class Links(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found, self.images = [], 0
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.images += tag == "img"
        self.found += [v for k, v in attributes if k in ("href", "src")]


def test_everything_is_written(tmp_path):
    write_report(small_report(), tmp_path / "evaluation", "Title & more", ["a note"])
    folder = tmp_path / "evaluation"
    assert {f.name for f in folder.iterdir()} == {
        "metrics.json",
        "Frame_scores.csv",
        "Test001.csv",
        "Score_timeline_Test001.png",
        "index.html",
    }
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics == {"auc": 0.875, "undefined": None, "frames": 12}
    with (folder / "Frame_scores.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["method", "AUC"], ["<model>", "0.875"], ["darkness", ""]]


def test_page_stands_alone(tmp_path):
    write_report(small_report(), tmp_path, "Title & more", ["a note"])
    text = (tmp_path / "index.html").read_text()
    links = Links(text)
    assert links.images == 1
    assert links.found
    assert all((tmp_path / link).is_file() for link in links.found)
    assert "http" not in text
    assert "url(" not in text
    assert "Title &amp; more" in text
    assert "&lt;model&gt;" in text
    assert "a note" in text
    assert text.index("Frame scores") < text.index("<figure>")
    assert "prefers-color-scheme: dark" in text
    assert "width=device-width" in text
    assert len(re.findall("<tr>", text)) == 3 + 4  # a file is linked, not shown


def test_interrupted_write_leaves_the_old_report(tmp_path):
    write_report(small_report(), tmp_path, "old")
    before = {f.name: f.read_bytes() for f in tmp_path.iterdir()}

    class Broken(Figure):
        def savefig(self, *args, **kwargs):
            raise OSError("No space left on device")

    report = Report({"auc": 0.1}, {"Frame scores": Table(["a"], [[1]])}, {"x": Broken()})
    with pytest.raises(OSError, match="No space"):
        write_report(report, tmp_path, "new")
    assert {f.name: f.read_bytes() for f in tmp_path.iterdir()} == before


def test_rewriting_replaces_and_leaves_other_files_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    (tmp_path / ".partial").mkdir()  # left by a killed run
    write_report(small_report(), tmp_path, "old")
    write_report(Report({"auc": 0.5}, {}, {}), tmp_path, "new")
    assert json.loads((tmp_path / "metrics.json").read_text()) == {"auc": 0.5}
    assert "new" in (tmp_path / "index.html").read_text()
    assert (tmp_path / "mine.txt").read_text() == "keep"
    assert not (tmp_path / ".partial").exists()


def test_names_that_collide_as_files_are_kept_apart(tmp_path):
    table = Table(["a"], [[1]])
    write_report(Report({}, {"a/b": table, "a b": table, "A_b": table}, {}), tmp_path, "t")
    assert {f.name for f in tmp_path.glob("*.csv")} == {"a_b.csv", "a_b_2.csv", "A_b_3.csv"}


def test_format_table():
    table = comparison_table(
        {"MemAE": {"auc": 0.91449, "n": 3}, "darkness": {"auc": math.nan}},
        {"auc": "AUC", "n": "frames"},
    )
    assert format_table(table).splitlines() == [
        "method      AUC  frames",
        "--------  -----  ------",
        "MemAE     0.914       3",
        "darkness    n/a     n/a",
    ]


def test_score_table_round_trip(tmp_path):
    table = score_table(
        np.array([math.nan, 0.1]),
        np.array([math.nan, 1.0]),
        np.array([-1, 1], np.int8),
        np.array([0.0, 0.04]),
    )
    write_csv(table, tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text().splitlines() == [
        "frame,timestamp,score,score_normalised,label",
        "1,0.0,,,",
        "2,0.04,0.1,1.0,1",
    ]
    assert list(score_table(np.zeros(1), np.zeros(1)).header) == [
        "frame",
        "score",
        "score_normalised",
    ]
