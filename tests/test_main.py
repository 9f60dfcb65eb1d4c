"""Every mode through the command line, on a tiny data set in Ped2's format."""

import csv
import json
import shutil

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tiny_data import frame_image, write_image, write_video

import main
from vid_jax import workdir_config
from vid_jax.hooks import read_log


def read_csv(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def numbers(rows, column):
    return np.array([float(row[column]) if row[column] else np.nan for row in rows])


@pytest.fixture
def copy_of_run(tiny_run, tmp_path):
    """A workdir that may be changed."""
    return shutil.copytree(tiny_run.workdir, tmp_path / "run")


def test_train_leaves_a_complete_workdir(tiny_run):
    config = json.loads((tiny_run.workdir / "config.json").read_text())
    assert config["train"]["batch_size"] == 4
    rows = read_csv(tiny_run.workdir / "train_log.csv")
    assert [(row["epoch"], row["step"]) for row in rows] == [("1", "3"), ("2", "6")]
    for column in ("train/loss", "val/loss", "val_slow/loss", "learning_rate", "val/entropy"):
        assert np.isfinite(numbers(rows, column)).all()
    log = (tiny_run.workdir / "run.log").read_text()
    for text in (
        "encoder_0/conv/kernel",
        "GB on each",
        "Epoch 2: ",
        "frame_difference",
        "index.html",
    ):
        assert text in log
    assert (tiny_run.workdir / "calibration.json").exists()


def test_evaluation_stands_beside_its_baselines(tiny_run):
    metrics = tiny_run.metrics()
    for key in ("auc_micro_per_video", "auc_micro_raw", "auc_macro", "eer_raw"):
        for method in ("", "baseline/frame_difference/", "baseline/pca/"):
            assert 0 <= metrics[method + key] <= 1
    assert 0 <= metrics["pixel_auroc"] <= 1
    assert 0 <= metrics["pixel_auc_ucsd"] <= 1
    # Windows of 4: the first 2 and the last frame of each video have no score.
    assert metrics["frames_scored"] == (6 - 3) + (10 - 3)
    page = (tiny_run.workdir / "evaluation/index.html").read_text()
    for picture in (tiny_run.workdir / "evaluation").glob("*.png"):
        assert picture.name in page
    rows = read_csv(tiny_run.workdir / "evaluation/scores_Test002.csv")
    assert [row["label"] for row in rows] == ["0"] * 3 + ["1"] * 7
    assert np.isfinite(numbers(rows, "score")).tolist() == [False] * 2 + [True] * 7 + [False]


def test_report_shows_timelines_last(tiny_run):
    page = (tiny_run.workdir / "evaluation/index.html").read_text()
    names = ("ROC_raw_scores", "Highest_scores", "Lowest_scores", "Scores_of_Test001")
    places = [page.index(f"{name}.png") for name in names]
    assert places == sorted(places)


def test_event_file_has_what_tensorboard_shows(tiny_run):
    events = EventAccumulator(str(tiny_run.workdir), size_guidance={"images": 0})
    events.Reload()
    tags = events.Tags()
    tensors = set(tags["tensors"])
    assert {"train/loss", "val/loss", "learning_rate", "config"} <= tensors
    assert "reconstruction/input_reconstruction_error" in " ".join(tensors)
    for histogram in ("mean_weight_of_slot", "norm_of_slot", "largest_weight_of_query"):
        assert f"memory/{histogram}" in tensors
    assert "_hparams_/session_start_info" in tensors
    assert [event.step for event in events.Tensors("val/loss")] == [3, 6]
    (text,) = events.Tensors("config")
    assert b'"batch_size": 4' in text.tensor_proto.string_val[0]


def test_same_command_again_only_evaluates(tiny_run, copy_of_run, capsys):
    before = read_csv(copy_of_run / "train_log.csv")
    shutil.rmtree(copy_of_run / "evaluation")
    assert main.main(tiny_run.flags(copy_of_run)) == 0
    assert "Nothing left to train: 6 of 6 steps are done." in capsys.readouterr().err
    assert read_csv(copy_of_run / "train_log.csv") == before
    assert tiny_run.metrics(copy_of_run) == tiny_run.metrics()


def test_more_epochs_go_on(tiny_run, copy_of_run, capsys):
    assert main.main(tiny_run.flags(copy_of_run, train__epochs=3)) == 0
    log = capsys.readouterr().err
    assert "train.epochs changes from 2 to 3" in log
    assert "Going on from the checkpoint of step 6." in log
    assert [row["step"] for row in read_csv(copy_of_run / "train_log.csv")] == ["3", "6", "9"]


def test_evaluate_needs_no_config_and_takes_overrides(tiny_run, copy_of_run):
    arguments = ["main.py", "--mode=evaluate", f"--workdir={copy_of_run}"]
    shutil.rmtree(copy_of_run / "evaluation")
    assert main.main(arguments) == 0
    assert tiny_run.metrics(copy_of_run) == tiny_run.metrics()
    assert main.main([*arguments, "--step=3", "--config.eval.smoothing_sigma=1.0"]) == 0
    metrics = tiny_run.metrics(copy_of_run)
    assert metrics["step"] == 3
    assert 0 <= metrics["auc_micro_per_video_smoothed"] <= 1


def test_config_of_a_workdir_is_what_was_resolved(tiny_run):
    config = workdir_config.get_config(str(tiny_run.workdir))
    assert config.data.frame_size == (16, 16)
    assert config.optimizer.decay_epochs == ()


def predict(tiny_run, source, output):
    return main.main(
        [
            "main.py",
            "--mode=predict",
            f"--workdir={tiny_run.workdir}",
            f"--input={source}",
            f"--output={output}",
        ]
    )


def test_predict_on_a_folder_of_frames_agrees_with_evaluate(tiny_run, tmp_path):
    assert predict(tiny_run, tiny_run.data / "ped/Test/Test002", tmp_path) == 0
    ours = read_csv(tmp_path / "scores.csv")
    theirs = read_csv(tiny_run.workdir / "evaluation/scores_Test002.csv")
    np.testing.assert_allclose(numbers(ours, "score"), numbers(theirs, "score"), rtol=1e-5)
    np.testing.assert_allclose(
        numbers(ours, "score_normalised"), numbers(theirs, "score_normalised"), atol=1e-4
    )
    frames = json.loads((tmp_path / "scores.json").read_text())["frames"]
    assert [frame["frame"] for frame in frames] == list(range(1, 11))
    assert frames[0]["score"] is None
    assert (tmp_path / "timeline.png").stat().st_size > 0


def test_predict_on_a_folder_of_videos(tiny_run, tmp_path):
    videos = tmp_path / "videos"
    times = [0.0, 0.1, 0.3, 0.4, 0.7, 0.8]
    write_video(videos / "a.mkv", [10, 60, 110, 160, 210, 250], times)
    write_video(videos / "b.avi", [0, 50, 100, 150, 200])
    assert predict(tiny_run, videos, tmp_path / "out") == 0
    rows = read_csv(tmp_path / "out/a.mkv/scores.csv")
    np.testing.assert_allclose(numbers(rows, "timestamp"), times, atol=1e-3)
    assert np.isfinite(numbers(rows, "score")).tolist() == [False] * 2 + [True] * 3 + [False]
    assert len(read_csv(tmp_path / "out/b.avi/scores.csv")) == 5


def test_annotated_video_keeps_frames_and_times(tiny_run, tmp_path):
    from vid_jax.input_pipeline.video_reader import iterate_video

    times = [0.0, 0.1, 0.3, 0.4, 0.7, 0.8]
    source = write_video(tmp_path / "a.mkv", [10, 60, 110, 160, 210, 250], times)
    assert predict(tiny_run, source, tmp_path / "out") == 0
    written = list(iterate_video(tmp_path / "out/annotated.mp4"))
    np.testing.assert_allclose([time for time, _ in written], times, atol=1e-3)
    # The picture is above the bar; without a score there is no heat over it.
    np.testing.assert_allclose(written[0][1][:40, :40].mean(), 10, atol=4)


def test_predict_does_the_rest_when_one_input_fails(tiny_run, tmp_path, capsys):
    videos = tmp_path / "videos"
    write_video(videos / "b.avi", [0, 50, 100, 150, 200])
    write_video(videos / "short.avi", [0, 50])
    (videos / "broken.mp4").write_bytes(b"no video")
    assert predict(tiny_run, videos, tmp_path / "out") == 2
    assert len(read_csv(tmp_path / "out/b.avi/scores.csv")) == 5
    error = capsys.readouterr().err
    assert "short.avi has 2 frames, fewer than a window of 4" in error
    assert "error: 2 of 3 inputs failed" in error
    assert "broken.mp4" in error


def test_score_prints_the_figures_of_evaluate(tiny_run, tmp_path, capsys):
    status = main.main(
        [
            "main.py",
            "--mode=score",
            f"--input={tiny_run.workdir / 'evaluation'}",
            f"--truth={tiny_run.data / 'ped/Test/UCSDped2.m'}",
            f"--output={tmp_path}",
        ]
    )
    assert status == 0
    figures = json.loads((tmp_path / "metrics.json").read_text())
    for key in ("auc_micro_per_video", "auc_micro_raw", "auc_macro", "average_precision_raw"):
        assert figures[key] == pytest.approx(tiny_run.metrics()[key])
    assert "AUC per-video" in capsys.readouterr().err


def test_browse_writes_contact_sheets(tiny_run, tmp_path):
    flags = [flag for flag in tiny_run.flags() if "workdir" not in flag]
    assert main.main([*flags, "--mode=browse", f"--output={tmp_path}"]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"browse_train.png", "browse_test.png"}


def test_your_own_videos_without_labels(tiny_run, tmp_path):
    source = tmp_path / "mine"
    for name in ("train/a.avi", "train/b.avi", "test/c.avi"):
        write_video(source / name, range(0, 200, 25))
    changes = dict(data__dataset="videos", data__source=source, train__epochs=1)
    assert main.main(tiny_run.flags(tmp_path / "run", **changes)) == 0
    assert tiny_run.metrics(tmp_path / "run") == {"step": 2}
    assert len(read_csv(tmp_path / "run/evaluation/scores_c.avi.csv")) == 8


def test_autoencoder_without_memory(tiny_run, tmp_path):
    changes = dict(model__memory_slots=0, train__epochs=1, optimizer__name="adam")
    assert main.main(tiny_run.flags(tmp_path / "run", **changes)) == 0
    (row,) = read_csv(tmp_path / "run/train_log.csv")
    assert "train/entropy" not in row
    assert "val_slow/loss" not in row
    assert row["train/loss"] == row["train/reconstruction"]


def test_help_lists_the_flags(capsys):
    assert main.main(["main.py", "--help"]) == 0
    assert "--workdir" in capsys.readouterr().out


def test_gap_in_the_numbering_is_named(tiny_run, tmp_path, capsys):
    source = shutil.copytree(tiny_run.data / "ped", tmp_path / "ped")
    (source / "Train/Train001/005.tif").unlink()
    changes = dict(data__source=source, data__dir=tmp_path / "prepared")
    assert main.main(tiny_run.flags(tmp_path / "run", **changes)) == 2
    assert "Train001" in capsys.readouterr().err
    write_image(source / "Train/Train001/005.tif", frame_image("Train001", 5))


def test_as_many_epochs_as_the_validation_of_another_run_chose(tiny_run, tmp_path):
    best = min(read_log(tiny_run.workdir / "train_log.csv"), key=lambda row: float(row["val/loss"]))
    workdir = tmp_path / "run"
    flags = tiny_run.flags(
        workdir, train__epochs_of=tiny_run.workdir, eval__checkpoint="latest", train__epochs=7
    )
    assert main.main(flags) == 0
    assert read_log(workdir / "train_log.csv")[-1]["epoch"] == best["epoch"]
    assert tiny_run.metrics(workdir)["step"] == int(best["step"])
