import json
import logging
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from vid_jax.errors import UserError
from vid_jax.metrics.anomaly import frame_metrics, normalise
from vid_jax.report import Table, score_table, write_csv
from vid_jax.score_lib import run, score

NAMES = ("Test001", "Test002", "Test003")
RANGES = ([(11, 20)], [(1, 5), (31, 40)], [])


def example():
    rng = np.random.default_rng(0)
    labels = [np.zeros(n, np.int8) for n in (30, 40, 25)]
    for y, ranges in zip(labels, RANGES, strict=True):
        for first, last in ranges:
            y[first - 1 : last] = 1
    scores = [rng.normal(size=len(y)) + y for y in labels]
    for s in scores:
        s[:8] = s[-7:] = np.nan
    return scores, labels


def long_csv(path: Path, column: str, arrays):
    rows = [f"video,frame,{column}"]
    for name, array in zip(NAMES, arrays, strict=True):
        rows += [f"{name},{i},{value}" for i, value in enumerate(array, start=1)]
    path.write_text("\n".join(rows))
    return path


def with_running_score(table):
    """As prediction writes it: one column more."""
    rows = [(*row, 0.5) for row in table.rows]
    return Table([*table.header, "score_running"], rows)


def write_scores(folder: Path, form: str, scores) -> Path:
    path = folder / "scores"
    if form == "folder of csv":
        path.mkdir()
        for name, s, n in zip(NAMES, scores, normalise(scores, "per_video"), strict=True):
            write_csv(score_table(s, n), path / f"scores_{name.lower()}.csv")
        (path / "Frame_scores.csv").write_text("method,AUC\nscores,0.9\n")
        return path
    if form == "folders of csv":
        for name, s, n in zip(NAMES, scores, normalise(scores, "per_video"), strict=True):
            (path / f"{name}.mp4").mkdir(parents=True)
            table = with_running_score(score_table(s, n, timestamps=np.arange(len(s)) / 10))
            write_csv(table, path / f"{name}.mp4" / "scores.csv")
        return path
    if form == "folder of npy":
        path.mkdir()
        for name, s in zip(NAMES, scores, strict=True):
            np.save(path / f"{name}.npy", s)
        return path
    if form == "csv":
        return long_csv(folder / "scores.csv", "score", scores)
    if form == "json":
        values = {n: [None if np.isnan(x) else x for x in s] for n, s in zip(NAMES, scores)}
        (folder / "scores.json").write_text(json.dumps(values))
        return folder / "scores.json"
    if form == "one npy":
        np.save(folder / "scores.npy", np.concatenate(scores))
        return folder / "scores.npy"
    np.savez(folder / "scores.npz", **dict(zip(NAMES, scores, strict=True)))
    return folder / "scores.npz"


def write_truth(folder: Path, form: str, labels) -> Path:
    path = folder / "truth"
    if form == "m":
        lines = [
            "T{end+1}.gt_frame = [" + ", ".join(f"{a}:{b}" for a, b in r) + "];" for r in RANGES
        ]
        path = folder / "truth.m"
        path.write_text("\n".join(lines))
    elif form == "ranges csv":
        rows = [f"{n},{a},{b}" for n, r in zip(NAMES, RANGES) for a, b in r or [("", "")]]
        path = folder / "truth.csv"
        path.write_text("\n".join(["video,start,end", *rows]))
    elif form == "mat":
        gt = np.empty((1, 3), object)
        for i, ranges in enumerate(RANGES):
            gt[0, i] = np.array(ranges).reshape(-1, 2).T
        path = folder / "truth.mat"
        scipy.io.savemat(path, {"gt": gt})
    elif form == "folder of npy":
        path.mkdir()
        for name, y in zip(NAMES, labels, strict=True):
            np.save(path / f"{name}.npy", y)
    elif form == "one npy":
        path = folder / "truth.npy"
        np.save(path, np.concatenate(labels)[None])
    else:
        path = long_csv(folder / "truth.csv", "label", labels)
    return path


FORMS_OF_SCORES = ("folder of csv", "folders of csv", "folder of npy", "csv", "json", "npz")
FORMS_OF_TRUTH = ("m", "ranges csv", "mat", "folder of npy", "csv", "one npy")


@pytest.mark.parametrize("truth_form", FORMS_OF_TRUTH)
@pytest.mark.parametrize("score_form", FORMS_OF_SCORES)
def test_every_format_gives_the_same_figures(tmp_path, score_form, truth_form):
    scores, labels = example()
    report = score(
        write_scores(tmp_path, score_form, scores), write_truth(tmp_path, truth_form, labels)
    )
    expected = frame_metrics(scores, labels)
    assert report.scalars == pytest.approx(expected, nan_ok=True)
    summary = next(iter(report.tables.values()))
    assert summary.rows[0][:2] == ["scores", pytest.approx(expected["auc_micro_per_video"])]


def test_one_array_of_all_frames_is_cut_by_the_labels(tmp_path):
    scores, labels = example()
    report = score(write_scores(tmp_path, "one npy", scores), write_truth(tmp_path, "csv", labels))
    assert report.scalars == pytest.approx(frame_metrics(scores, labels), nan_ok=True)


def test_unlabelled_and_unscored_frames_are_left_out(tmp_path):
    (tmp_path / "s.json").write_text('{"a": [null, 1, 2, 3]}')
    (tmp_path / "l.json").write_text('{"a": [1, 0, -1, 1]}')
    figures = score(tmp_path / "s.json", tmp_path / "l.json").scalars
    assert (figures["frames_scored"], figures["frames_abnormal"]) == (2, 1)


def test_matching_is_by_name_whatever_the_order(tmp_path):
    (tmp_path / "s.json").write_text('{"b": [1, 0], "a": [0, 1]}')
    (tmp_path / "l.json").write_text('{"a": [0, 1], "b": [1, 0]}')
    assert score(tmp_path / "s.json", tmp_path / "l.json").scalars["auc_macro"] == 1


def test_how_videos_were_matched_is_logged(tmp_path, caplog):
    scores, labels = example()
    path = write_scores(tmp_path, "json", scores)
    with caplog.at_level(logging.INFO, logger="absl"):
        score(path, write_truth(tmp_path, "csv", labels))
        score(path, write_truth(tmp_path, "m", labels))
    assert "3 videos matched by name" in caplog.text
    assert "3 videos matched by order" in caplog.text


def test_run_shows_the_table(tmp_path, caplog):
    scores, labels = example()
    source, truth = write_scores(tmp_path, "csv", scores), write_truth(tmp_path, "m", labels)
    with caplog.at_level(logging.INFO, logger="absl"):
        run(source, truth, tmp_path / "out")
    auc = frame_metrics(scores, labels)["auc_micro_per_video"]
    assert "AUC per-video" in caplog.text
    assert f"{auc:.3f}" in caplog.text
    assert str(tmp_path / "out" / "index.html") in caplog.text


def test_a_single_video_needs_no_name(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "scores.csv").write_text("frame,score\n1,0.1\n2,0.9\n")
    (tmp_path / "labels.csv").write_text("video,start,end\nclip.mp4,2,2\n")
    for source in (tmp_path / "out", tmp_path / "out" / "scores.csv"):
        report = score(source, tmp_path / "labels.csv")
        assert report.scalars["auc_micro_raw"] == 1
        assert "clip.mp4" in report.files


def test_report_is_written_and_can_be_scored_again(tmp_path):
    scores, labels = example()
    source, truth = write_scores(tmp_path, "csv", scores), write_truth(tmp_path, "m", labels)
    first = score(source, truth, tmp_path / "out")
    files = {f.name for f in (tmp_path / "out").iterdir()}
    assert {"index.html", "metrics.json", "ROC.png", "Test001.csv", "Timeline_Test001.png"} <= files
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["videos"] == 3
    again = score(tmp_path / "out", truth)
    assert again.scalars == pytest.approx(first.scalars, nan_ok=True)


@pytest.mark.parametrize(
    ("scores", "labels", "message"),
    [
        ({"a": [1, 2]}, {"a": [0, 1, 1]}, "l.json, a: 3 labels, but 2 scores; .*s.json must hold"),
        ({"a": [1], "b": [1]}, {"a": [0]}, "l.json has nothing for b"),
        ({"a": [1]}, {"a": [0], "b": [1]}, "s.json has nothing for b"),
        ({"a": [1]}, {"a": [2]}, "l.json, a: labels must be 0, 1 or -1"),
        ({"a b": [1], "a_b": [1]}, {"a b": [0], "a_b": [1]}, "s.json: two videos have the same"),
        ({"a": [None]}, {"a": [1]}, "no frame has both a score in .*s.json and a label"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, scores, labels, message):
    (tmp_path / "s.json").write_text(json.dumps(scores))
    (tmp_path / "l.json").write_text(json.dumps(labels))
    with pytest.raises(UserError, match=message):
        score(tmp_path / "s.json", tmp_path / "l.json")


def test_infinite_score_names_the_video(tmp_path):
    np.savez(tmp_path / "s.npz", a=np.array([1, np.inf]))
    (tmp_path / "l.json").write_text('{"a": [0, 1]}')
    with pytest.raises(UserError, match="a: the score of frame 1 is infinite"):
        score(tmp_path / "s.npz", tmp_path / "l.json")


def test_scores_that_were_cut_do_not_fit_ranges(tmp_path):
    scores, labels = example()
    np.savez(tmp_path / "s.npz", **{n: s[8:-7] for n, s in zip(NAMES, scores, strict=True)})
    with pytest.raises(UserError, match=r"truth.m, Test001: range 11:20 .* one score per frame"):
        score(tmp_path / "s.npz", write_truth(tmp_path, "m", labels))


def test_different_numbers_of_videos_without_names(tmp_path):
    scores, labels = example()
    np.savez(tmp_path / "s.npz", *scores[:2])
    with pytest.raises(UserError, match=r"s.npz holds 2 videos, but .*truth.m 3"):
        score(tmp_path / "s.npz", write_truth(tmp_path, "m", labels))
