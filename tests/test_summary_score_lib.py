import csv
import json
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
import scipy.io

from vid_jax.errors import UserError
from vid_jax.key_clip_settings import Settings
from vid_jax.key_clips import extract
from vid_jax.metrics import video_summary
from vid_jax.report import Table, write_csv
from vid_jax.summary_files import kind_of, read_annotations, read_shots, read_user_frames
from vid_jax.summary_score_lib import run, score

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
FRAMES = 240


def write_image(path: Path, colour) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((8, 8, 3), colour, np.uint8)[..., ::-1])


def write_video(path: Path, colours, frames_each=25) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (32, 24))
    for colour in colours:
        for _ in range(frames_each):
            writer.write(np.full((24, 32, 3), colour[::-1], np.uint8))
    writer.release()


def user_scores(users=3) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.repeat(rng.integers(1, 6, (users, FRAMES // 10)), 10, axis=1).astype(float)


def write_tvsum(path: Path, videos) -> Path:
    """As MATLAB writes a struct of cells in version 7.3."""
    with h5py.File(path, "w", userblock_size=512) as file:
        group = file.create_group("tvsum50")
        fields = {"video": [], "length": [], "nframes": [], "user_anno": []}
        for i, (name, scores) in enumerate(videos.items()):
            values = {
                "video": np.array([[ord(c)] for c in name], np.uint16),
                "length": np.array([[scores.shape[1] / 10]]),
                "nframes": np.array([[float(scores.shape[1])]]),
                "user_anno": scores,
            }
            for field, value in values.items():
                file[f"#refs#/{field}{i}"] = value
                fields[field].append([file[f"#refs#/{field}{i}"].ref])
        for field, refs in fields.items():
            group.create_dataset(field, data=np.array(refs, h5py.ref_dtype), dtype=h5py.ref_dtype)
    return path


def write_summe(path: Path, scores) -> Path:
    path.parent.mkdir(exist_ok=True)
    contents = {"user_score": scores.T, "FPS": 25.0, "nFrames": scores.shape[1]}
    scipy.io.savemat(path, contents)
    return path


def write_with_segments(path: Path, chosen, segments) -> Path:
    with h5py.File(path, "w") as file:
        file["video_1/user_summary"] = chosen.astype(np.float32)
        file["video_1/change_points"] = segments
    return path


def write_shots(path: Path, shots) -> Path:
    rows = [(i, *shot) for i, shot in enumerate(shots, start=1)]
    write_csv(Table(["shot", "start", "end"], rows), path)
    return path


def write_key_frames(path: Path, frames) -> Path:
    write_csv(Table(["frame"], [[frame] for frame in frames]), path)
    return path


def test_vsumm_folders_are_compared_by_users(tmp_path):
    truth, own = tmp_path / "UserSummary", tmp_path / "own"
    for user, colours in (("user1", [RED, GREEN]), ("user2", [RED, BLUE])):
        for i, colour in enumerate(colours):
            write_image(truth / "v21" / user / f"Frame{30 * i + 1}.png", colour)
    for i, colour in enumerate([RED, RED, GREEN]):
        write_image(own / "v21" / f"Frame{10 * i + 1}.png", colour)
    assert kind_of(truth) == kind_of(truth / "v21") == "frames"
    assert len(read_user_frames(truth)["v21"]) == 2
    report = score(own, truth)
    assert report.scalars == pytest.approx(
        {
            "cus_a": 0.75,
            "cus_e": 0.75,
            "precision": 0.5,
            "recall": 0.75,
            "f1": 0.6,
            "key_frames": 3,
        }
    )
    assert score(own / "v21", truth / "v21").scalars == report.scalars


def test_baselines_come_from_the_video_beside_vsumms_summaries(tmp_path):
    truth, own = tmp_path / "UserSummary", tmp_path / "own"
    for i, colour in enumerate([RED, GREEN, BLUE]):
        write_image(truth / "v21" / "user1" / f"Frame{i + 1}.png", colour)
        write_image(own / "v21" / f"Frame{i + 1}.png", colour)
    write_video(tmp_path / "database" / "v21.avi", [RED] * 4 + [GREEN] * 3 + [BLUE])
    report = score(own, truth, tmp_path / "out")
    assert report.scalars["f1"] == report.scalars["histogram_f1"] == 1
    assert report.scalars["uniform_f1"] < 1
    assert report.scalars["random_f1"] < 1
    assert report.scalars["random_spread_f1"] > 0
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["f1"] == 1
    assert (tmp_path / "out" / "index.html").exists()
    assert (tmp_path / "out" / "videos.png").exists()


def test_tvsums_users_are_read_and_scored_by_summaries_of_their_own(tmp_path):
    scores = {"video_a": user_scores(), "video-b": user_scores()[:, ::-1]}
    truth = write_tvsum(tmp_path / "ydata-tvsum50.mat", scores)
    assert kind_of(truth) == "scores"
    annotations = read_annotations(truth)
    assert [a.name for a in annotations] == list(scores)
    assert annotations[0].rate == 10
    np.testing.assert_array_equal(annotations[1].scores, scores["video-b"])
    own = {name: np.random.default_rng(1).random(FRAMES) for name in scores}
    np.savez(tmp_path / "own.npz", **own)
    report = score(tmp_path / "own.npz", truth)
    segments = video_summary.even_segments(FRAMES, 20)
    expected = []
    for name, users in scores.items():
        summaries = [video_summary.summary(user, segments) for user in users]
        expected.append(video_summary.summary_figures(own[name], segments, users, summaries))
    for figure in ("f1_mean", "f1_max", "tau", "rho", "share"):
        assert report.scalars[figure] == pytest.approx(np.mean([e[figure] for e in expected]))
    assert {"uniform_f1_mean", "random_tau"} <= set(report.scalars)
    assert "histogram_tau" not in report.scalars
    assert abs(report.scalars["random_tau"]) < 0.1


def test_a_change_of_colours_scores_where_the_video_is_beside_the_annotations(tmp_path):
    """Laid out as SumMe: GT/NAME.mat and videos/NAME.mp4."""
    chosen = np.zeros((1, 250))
    chosen[0, 125:150] = 1
    truth = write_summe(tmp_path / "GT" / "Two colours.mat", chosen)
    write_video(tmp_path / "videos" / "Two_colours.avi", [RED] * 5 + [GREEN] * 5)
    np.save(tmp_path / "own.npy", np.arange(250.0))
    scalars = score(tmp_path / "own.npy", truth).scalars
    assert scalars["histogram_tau"] > max(0.5, scalars["tau"])


def test_predicts_key_frames_are_read_as_they_are_written(tmp_path):
    write_video(tmp_path / "film.avi", [RED, GREEN, BLUE], frames_each=50)
    settings = Settings(embedding="histogram", min_contrast=0)
    found = extract(tmp_path / "film.avi", tmp_path / "out", settings)
    assert len(found.clips) == 3
    shots = write_shots(tmp_path / "shots.csv", [(1, 50), (51, 100), (101, 150)])
    assert score(tmp_path / "out", shots).scalars["f1"] == 1
    for i, colour in enumerate((RED, GREEN, BLUE)):
        write_image(tmp_path / "users" / "film" / "user1" / f"Frame{i}.png", colour)
    assert score(tmp_path / "out", tmp_path / "users").scalars["f1"] == 1
    chosen = np.zeros((1, 150))
    chosen[0, 50:100] = 1
    truth = write_summe(tmp_path / "GT" / "film.mat", chosen)
    assert score(tmp_path / "out", truth).scalars["share"] < 0.15


def test_a_users_own_scores_are_the_best_that_user_can_get(tmp_path):
    truth = write_tvsum(tmp_path / "t.mat", {"a": user_scores()})
    np.save(tmp_path / "own.npy", user_scores()[1])
    assert score(tmp_path / "own.npy", truth).scalars["f1_max"] == 1


def test_sumes_users_chose_frames_themselves(tmp_path):
    chosen = np.zeros((2, FRAMES))
    chosen[0, :18], chosen[1, 60:78] = 2, 1
    truth = write_summe(tmp_path / "GT" / "Air_Force_One.mat", chosen)
    write_summe(tmp_path / "GT" / "Jumps.mat", chosen)
    assert kind_of(truth) == kind_of(tmp_path / "GT") == "scores"
    assert [a.name for a in read_annotations(tmp_path / "GT")] == ["Air_Force_One", "Jumps"]
    [annotation] = read_annotations(truth)
    np.testing.assert_array_equal(annotation.chosen, chosen > 0)
    assert annotation.rate == 25


def test_segments_come_with_the_files_of_features(tmp_path):
    chosen = np.zeros((2, FRAMES), bool)
    chosen[:, 6:24] = True
    borders = np.array([(0, 5), (6, 23), (24, FRAMES - 1)])
    truth = write_with_segments(tmp_path / "eccv16.h5", chosen, borders)
    assert kind_of(truth) == "scores"
    np.save(tmp_path / "own.npy", chosen[0].astype(float))
    assert score(tmp_path / "own.npy", truth).scalars["f1_mean"] == 1
    write_with_segments(tmp_path / "gap.h5", chosen, borders + [[0, 0], [1, 0], [0, 0]])
    with pytest.raises(UserError, match=r"gap\.h5, video_1: change_points do not cover"):
        read_annotations(tmp_path / "gap.h5")


def test_clips_that_predict_wrote_are_segments_with_scores(tmp_path):
    chosen = np.zeros((1, FRAMES))
    chosen[0, 50:65] = 1
    truth = write_summe(tmp_path / "GT" / "a.mat", chosen)
    header = ["frame", "timestamp", "score", "clip_start", "clip_end"]
    rows = [(11, 0.4, None, 0.0, 2.0), (56, 2.2, 0.9, 2.0, 2.6), (100, 3.96, 0.1, 2.6, 4.8)]
    (tmp_path / "own").mkdir()
    write_csv(Table(header, rows), tmp_path / "own" / "keyframes.csv")
    assert score(tmp_path / "own", truth).scalars["f1_max"] == 1


def test_key_frames_are_scored_by_shots(tmp_path):
    truth = write_shots(tmp_path / "shots.csv", [(1, 50), (61, 100), (101, 150)])
    own = write_key_frames(tmp_path / "keyframes.csv", [1, 50, 55, 100])
    assert kind_of(truth) == "shots"
    np.testing.assert_array_equal(read_shots(truth)[None], [(0, 50), (60, 100), (100, 150)])
    report = score(own, truth, tmp_path / "out")
    assert report.scalars["precision"] == 2 / 4
    assert report.scalars["recall"] == 2 / 3
    with (tmp_path / "out" / "Key_frames_against_shots.csv").open() as file:
        methods = [row["method"] for row in csv.DictReader(file)]
    assert methods == ["summary", "uniform", "random", "random, spread"]


def test_the_table_is_shown(tmp_path, caplog):
    truth = write_shots(tmp_path / "shots.csv", [(1, 50)])
    with caplog.at_level("INFO", logger="absl"):
        run(write_key_frames(tmp_path / "keyframes.csv", [1]), truth)
    assert "Key frames against shots" in caplog.text
    assert "uniform" in caplog.text


@pytest.mark.parametrize(
    ("shots", "message"),
    [
        ([(1, 50), (40, 60)], "shots overlap"),
        ([(5, 4)], "shots overlap, or end before they start"),
        ([("a", 4)], "row 2: start and end are frame numbers"),
        ([], "holds no shots"),
    ],
)
def test_shots_that_cannot_be_are_refused(tmp_path, shots, message):
    truth = write_shots(tmp_path / "shots.csv", shots)
    with pytest.raises(UserError, match=message):
        read_shots(truth)


def test_what_does_not_fit_is_refused(tmp_path):
    truth = write_tvsum(tmp_path / "t.mat", {"a": user_scores(), "b": user_scores()})
    np.savez(tmp_path / "one.npz", a=np.zeros(FRAMES))
    with pytest.raises(UserError, match=r"one\.npz has nothing for b"):
        score(tmp_path / "one.npz", truth)
    np.savez(tmp_path / "short.npz", a=np.zeros(FRAMES), b=np.zeros(7))
    with pytest.raises(UserError, match=r"short\.npz, b: 7 scores, but users scored 240 frames"):
        score(tmp_path / "short.npz", truth)
    np.savez(tmp_path / "nan.npz", a=np.zeros(FRAMES), b=np.full(FRAMES, np.nan))
    with pytest.raises(UserError, match=r"nan\.npz, b: every frame needs a score"):
        score(tmp_path / "nan.npz", truth)


def test_other_truths_are_not_taken_for_summaries(tmp_path):
    (tmp_path / "labels.csv").write_text("video,start,end\na,1,2\n")
    scipy.io.savemat(tmp_path / "gt.mat", {"gt": np.zeros((2, 1))})
    (tmp_path / "broken.mat").write_bytes(b"nothing")
    (tmp_path / "empty").mkdir()
    for name in ("labels.csv", "gt.mat", "broken.mat", "empty", "missing"):
        assert kind_of(tmp_path / name) is None
    with pytest.raises(UserError, match="holds neither users' summaries nor shots"):
        score(tmp_path / "labels.csv", tmp_path / "labels.csv")


def test_key_frames_that_cannot_be_read_are_named(tmp_path):
    truth = write_shots(tmp_path / "shots.csv", [(1, 50)])
    with pytest.raises(UserError, match="nowhere does not exist"):
        score(tmp_path / "nowhere", truth)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty holds no key frames"):
        score(tmp_path / "empty", truth)
    (tmp_path / "table.csv").write_text("time\n3\n")
    with pytest.raises(UserError, match="a column frame with numbers from 1 is wanted"):
        score(tmp_path / "table.csv", truth)
    write_image(tmp_path / "truth" / "user1" / "Frame1.png", RED)
    with pytest.raises(UserError, match="images of the key frames are needed"):
        score(write_key_frames(tmp_path / "keyframes.csv", [1]), tmp_path / "truth")


def test_annotations_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(UserError, match=r"nowhere\.mat does not exist"):
        read_annotations(tmp_path / "nowhere.mat")
    scipy.io.savemat(tmp_path / "gt.mat", {"gt": np.zeros((2, 1))})
    with pytest.raises(UserError, match=r"gt\.mat is not a \.mat file with user_score"):
        read_annotations(tmp_path / "gt.mat")
    write_summe(tmp_path / "empty.mat", np.zeros((0, 0)))
    with pytest.raises(UserError, match=r"empty\.mat: user_score is empty"):
        read_annotations(tmp_path / "empty.mat")
    with h5py.File(tmp_path / "none.h5", "w"):
        pass
    with pytest.raises(UserError, match=r"none\.h5 holds no videos"):
        read_annotations(tmp_path / "none.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["video_1/features"] = np.zeros(3)
    with pytest.raises(UserError, match=r"other\.h5 is not laid out as TVSum's files"):
        read_annotations(tmp_path / "other.h5")
    write_tvsum(tmp_path / "flat.mat", {"a": np.zeros((1, 4))})
    with h5py.File(tmp_path / "flat.mat", "a") as file:
        file["#refs#/nframes0"][...] = 7
    with pytest.raises(UserError, match=r"flat\.mat, a: user_anno \(1, 4\) is not users by frames"):
        read_annotations(tmp_path / "flat.mat")


def test_images_that_cannot_be_decoded_are_named(tmp_path):
    write_image(tmp_path / "truth" / "user1" / "Frame1.png", RED)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "Frame1.png").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"Frame1\.png cannot be decoded as an image"):
        score(tmp_path / "own", tmp_path / "truth")


def test_clips_without_times_are_named(tmp_path):
    truth = write_summe(tmp_path / "GT" / "a.mat", np.ones((1, FRAMES)))
    own = write_key_frames(tmp_path / "keyframes.csv", [1])
    with pytest.raises(UserError, match=r"keyframes\.csv: no clips with scores as predict writes"):
        score(own, truth)
