import json

import numpy as np
import pytest
import scipy.io

from vid_jax.errors import UserError
from vid_jax.score_files import read_tracks

NAN = np.nan


def tracks(path, kind="score"):
    return {t.name: np.asarray(t.values).tolist() for t in read_tracks(path, kind)}


def write(path, text):
    path.write_text(text, errors="surrogateescape")
    return path


def test_csv_of_several_videos_in_any_order(tmp_path):
    file = write(tmp_path / "s.csv", "Video,Score,frame\na,0.5,2\nb,1,1\na,,1\na,0.7,4\n")
    [a, b] = read_tracks(file, "score")
    assert (a.name, b.name) == ("a", "b")
    np.testing.assert_array_equal(a.values, [NAN, 0.5, NAN, 0.7])
    np.testing.assert_array_equal(b.values, [1])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("s.csv", "score\n0.5\n1\n"),
        ("s.csv", "frame,timestamp,score,score_normalised,label\n1,0.0,0.5,0,0\n2,0.1,1,1,1\n"),
        ("s.csv", "0.5\n1\n"),
        ("s.txt", "0.5 1"),
        ("s.txt", "0.5\n1\n"),
        ("s.txt", "0.5, 1"),
    ],
)
def test_text_of_a_single_video(tmp_path, name, text):
    assert tracks(write(tmp_path / name, text)) == {None: [0.5, 1]}


def test_empty_cell_of_a_single_column_keeps_its_place(tmp_path):
    [track] = read_tracks(write(tmp_path / "s.csv", 'score\n""\n1\n'), "score")
    np.testing.assert_array_equal(track.values, [NAN, 1])


def test_arrays(tmp_path):
    np.save(tmp_path / "s.npy", np.array([[0, 1, 1]], np.int8))
    assert tracks(tmp_path / "s.npy") == {None: [0, 1, 1]}
    np.savez(tmp_path / "named.npz", a=np.array([1.0]), b=np.array([True, False]))
    assert tracks(tmp_path / "named.npz") == {"a": [1], "b": [1, 0]}
    np.savez(tmp_path / "unnamed.npz", np.zeros(2), np.zeros(3))
    assert [(t.name, len(t.values)) for t in read_tracks(tmp_path / "unnamed.npz", "score")] == [
        (None, 2),
        (None, 3),
    ]


def test_json(tmp_path):
    file = write(tmp_path / "s.json", json.dumps({"a": [None, 1, 0.5], "b": [2]}))
    [a, b] = read_tracks(file, "score")
    np.testing.assert_array_equal(a.values, [NAN, 1, 0.5])
    assert b.name == "b"


def test_folder_in_natural_order_past_what_is_no_scores(tmp_path):
    np.save(tmp_path / "clip10.npy", np.zeros(3))
    write(tmp_path / "clip2.csv", "frame,score\n1,4\n")
    write(tmp_path / "clip1.txt", "1 2")
    write(tmp_path / "summary.csv", "method,AUC\nx,0.9\n")
    write(tmp_path / "index.html", "")
    write(tmp_path / "._clip2.csv", "litter")
    assert tracks(tmp_path) == {"clip1": [1, 2], "clip2": [4], "clip10": [0, 0, 0]}
    assert list(tracks(tmp_path)) == ["clip1", "clip2", "clip10"]


def test_labels_of_ucsd(tmp_path):
    file = write(tmp_path / "UCSDped1.m", "T={};\nT{end+1}.gt_frame = [5:90, 140:200];\n")
    [track] = read_tracks(file, "label")
    assert track == (None, [(5, 90), (140, 200)])


def test_labels_as_ranges_in_csv(tmp_path):
    text = "video,start,end\na,3,5\nb,,\na,9,9\nc\n"
    found = read_tracks(write(tmp_path / "l.csv", text), "label")
    assert found == [("a", [(3, 5), (9, 9)]), ("b", []), ("c", [])]


def test_labels_of_the_repacked_layout(tmp_path):
    gt = np.empty((1, 3), object)
    gt[0, 0], gt[0, 1] = np.array([[3, 9], [5, 9]]), np.array([[61], [180]], np.uint8)
    gt[0, 2] = np.zeros((0, 0))
    scipy.io.savemat(tmp_path / "ped2.mat", {"gt": gt})
    found = read_tracks(tmp_path / "ped2.mat", "label")
    assert found == [(None, [(3, 5), (9, 9)]), (None, [(61, 180)]), (None, [])]


@pytest.mark.parametrize(
    ("name", "text", "kind", "message"),
    [
        ("s.xlsx", "", "score", "s.xlsx: unknown format for scores"),
        ("s.m", "", "score", "s.m: unknown format for scores"),
        ("s.csv", "", "score", "s.csv: no column score; it has none"),
        ("s.csv", "video,frame\na,1\n", "score", "no column score; it has video, frame"),
        ("s.csv", "video,frame\na,1\n", "label", r"no column label \(or start and end\)"),
        ("s.csv", "video,score\n", "score", "s.csv holds no scores"),
        ("s.csv", "video,score\na,1\nb\n", "score", "s.csv, row 3: 1 cells, but 2 columns"),
        ("s.csv", "video,score\na,high\n", "score", "s.csv: 'high' is not a number"),
        ("s.csv", "frame,score\n0,1\n", "score", "s.csv: frame 0; frames are numbered from 1"),
        ("s.csv", "video,frame,score\na,2,1\na,2,1\n", "score", "video a: a frame is listed twice"),
        ("s.csv", "frame,score\n1.5,1\n", "score", "'1.5' is not a frame number"),
        ("s.csv", "frame,score\n,1\n", "score", "'' is not a frame number"),
        ("s.txt", "0.5 high", "score", "s.txt cannot be read"),
        ("s.npy", "not an array", "score", "s.npy cannot be read"),
        ("s.npz", "not an archive", "score", "s.npz cannot be read"),
        ("s.json", "[1, 2", "score", "s.json cannot be read"),
        ("s.json", "[1, 2]", "score", "s.json: expected an object"),
        ("s.json", '{"a": [1, "x"]}', "score", "s.json, a: expected a list"),
        ("s.m", "nothing", "label", "s.m: no frame ranges"),
        ("s.mat", "nothing", "label", "s.mat cannot be read"),
        ("s.mat", "nothing" * 50, "label", "s.mat cannot be read"),
        ("s.npy", "", "score", "s.npy cannot be read"),
        ("s.txt", "\udcff", "score", "s.txt cannot be read"),
    ],
)
def test_unreadable_files_are_named(tmp_path, name, text, kind, message):
    with pytest.raises(UserError, match=message):
        read_tracks(write(tmp_path / name, text), kind)


def test_arrays_of_the_wrong_kind(tmp_path):
    np.save(tmp_path / "s.npy", np.zeros((3, 4)))
    with pytest.raises(UserError, match=r"one score per frame, found an array of shape \(3, 4\)"):
        read_tracks(tmp_path / "s.npy", "score")
    np.save(tmp_path / "o.npy", np.array([None, 1]), allow_pickle=True)
    with pytest.raises(UserError, match=r"o.npy cannot be read"):
        read_tracks(tmp_path / "o.npy", "score")
    scipy.io.savemat(tmp_path / "x.mat", {"labels": np.zeros(3)})
    with pytest.raises(UserError, match=r"x.mat: no variable gt"):
        read_tracks(tmp_path / "x.mat", "label")
    scipy.io.savemat(tmp_path / "x.mat", {"gt": np.zeros((3, 3))})
    with pytest.raises(UserError, match=r"x.mat: gt of video 1 is not 2 x events"):
        read_tracks(tmp_path / "x.mat", "label")


def test_missing_path_and_empty_folder(tmp_path):
    with pytest.raises(UserError, match="absent does not exist"):
        read_tracks(tmp_path / "absent", "score")
    with pytest.raises(UserError, match="holds no scores"):
        read_tracks(tmp_path, "score")
    write(tmp_path / "all.csv", "video,score\na,1\nb,2\n")
    with pytest.raises(UserError, match=r"all.csv holds several videos"):
        read_tracks(tmp_path, "score")
