"""PredNet from the command line on a tiny data set, and what its task refuses."""

import csv
import itertools
import json

import numpy as np
import pytest
from tiny_data import write_image, write_ped

import main
from configs import prednet_kitti, prednet_ped1, prednet_ped2, prednet_videos
from vid_jax.errors import UserError
from vid_jax.tasks.base import make_task

TINY = {
    "data.frame_size": "(16, 16)",
    "data.num_frames": 4,
    "data.samples_per_epoch": 8,
    "data.validation": "shortest_video",
    "data.eval_num_frames": 4,
    "data.eval_overlap": 2,
    "model.stack_sizes": "(4, 6)",
    "model.R_stack_sizes": "(3, 4, 6)",
    "model.A_filter_sizes": "(3, 3)",
    "model.Ahat_filter_sizes": "(3, 3, 3)",
    "model.R_filter_sizes": "(3, 5, 3)",
    "train.layer_loss_weights": "(1.0, 0.1, 0.1)",
    "train.epochs": 2,
    "train.batch_size": 4,
    "eval.extrap_start_time": 2,
}


def run(command, folder, **changes):
    keys = TINY | {"data.source": folder / "ped", "data.dir": folder / "prepared"}
    keys |= {key.replace("__", "."): value for key, value in changes.items()}
    return main.main(["main.py", *command, *(f"--config.{k}={v}" for k, v in keys.items())])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Data, and a finished run in `run`."""
    folder = tmp_path_factory.mktemp("prednet")
    write_ped(folder / "ped")
    command = ["--config=configs/prednet_ped2.py:cpu", f"--workdir={folder / 'run'}"]
    assert run(command, folder) == 0
    return folder


@pytest.fixture(scope="module")
def metrics(folder):
    return json.loads((folder / "run/evaluation/metrics.json").read_text())


def test_every_frame_but_the_first_is_scored_once(folder, metrics):
    assert metrics["frames_scored"] == (6 - 1) + (10 - 1)
    with (folder / "run/evaluation/scores_Test002.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["score"] != "" for row in rows] == [False] + [True] * 9
    assert [row["label"] for row in rows] == ["0"] * 3 + ["1"] * 7


def test_evaluation_stands_beside_trivial_predictions(folder, metrics):
    for name in ("", "baseline/copy_last/", "baseline/blurred_1/", "baseline/mixed_0.5/"):
        assert metrics[f"prediction/{name}mse"] > 0
        assert -1 <= metrics[f"prediction/{name}ssim"] <= 1
    mse = [
        value
        for key, value in metrics.items()
        if key.startswith("prediction/baseline/") and key.endswith("/mse")
    ]
    ratio = metrics["prediction/mse"] / min(mse)
    assert metrics["prediction/mse_over_best_trivial"] == pytest.approx(ratio)
    for method in ("PredNet", "copy_last"):
        for name in ("mean", "std", "p50", "p75", "p90", "p95", "p99"):
            assert 0 <= metrics[f"statistic/{method}/{name}/auc_micro_raw"] <= 1
    quoted = metrics["statistic/PredNet/p75/auc_micro_per_video"]
    assert metrics["auc_micro_per_video"] == pytest.approx(quoted)
    assert 0 <= metrics["baseline/frame_difference/auc_micro_raw"] <= 1
    assert 0 <= metrics["classifier/random_forest/auc"] <= 1
    assert metrics["extrapolation/model/mse_frame_3"] > 0
    page = (folder / "run/evaluation/index.html").read_text()
    for title in ("Prediction of", "Extrapolation", "Confusion", "Statistics of the error"):
        assert title in page


def test_mse_of_copy_last_is_that_of_the_frames(folder, metrics):
    from vid_jax.input_pipeline.frame_files import decode_image, resize_frame

    errors = []
    for clip in ("Test001", "Test002"):
        paths = sorted((folder / "ped/Test" / clip).glob("*.tif"))
        frames = [resize_frame(decode_image(p.read_bytes()), (16, 16), 1) / 255 for p in paths]
        errors += [np.mean((b - a) ** 2) for a, b in itertools.pairwise(frames)]
    assert metrics["prediction/baseline/copy_last/mse"] == pytest.approx(np.mean(errors))


def test_train_log_has_the_error_beside_that_of_the_last_frame(folder):
    with (folder / "run/train_log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["2", "4"]
    assert all(float(row["val/mse"]) > 0 < float(row["val/mse_of_copy_last"]) for row in rows)


@pytest.mark.parametrize(
    ("mode", "shape"),
    [
        ("", None),
        ("R1", (8, 8, 4)),
        ("all", (16 * 16 + 3,)),
        ("prediction", (16, 16, 1)),
        ("error", (3,)),
    ],
)
def test_predict_agrees_with_evaluate_and_writes_what_it_is_asked_for(
    folder, tmp_path, mode, shape
):
    command = ["--mode=predict", f"--workdir={folder / 'run'}", f"--output={tmp_path}"]
    command += [f"--input={folder / 'ped/Test/Test002'}", f"--config.eval.output_mode={mode}"]
    assert main.main(["main.py", *command]) == 0
    with (folder / "run/evaluation/scores_Test002.csv").open(newline="") as file:
        wanted = [row["score"] for row in csv.DictReader(file)]
    with (tmp_path / "scores.csv").open(newline="") as file:
        found = [row["score"] for row in csv.DictReader(file)]
    assert [f == "" for f in found] == [w == "" for w in wanted]
    np.testing.assert_allclose(
        [float(f) for f in found if f], [float(w) for w in wanted if w], rtol=1e-4
    )
    if shape is not None:
        output = np.load(tmp_path / f"output_{mode}.npy")
        assert output.shape == (10, *shape)
        assert np.isfinite(output).all()


def test_a_score_that_was_not_calibrated_is_refused(folder, tmp_path, capsys):
    command = ["--mode=predict", f"--workdir={folder / 'run'}", f"--output={tmp_path}"]
    command += [f"--input={folder / 'ped/Test/Test002'}", "--config.eval.score=std"]
    assert main.main(["main.py", *command]) == 2
    assert "calibration.json is of eval.score=p75, not of std" in capsys.readouterr().err


def test_footage_that_stands_still(tmp_path):
    frame = np.random.default_rng(0).integers(0, 256, (16, 16), dtype=np.uint8)
    for clip in ("train/a", "train/b", "test/a"):
        for number in range(8):
            write_image(tmp_path / "ped" / clip / f"{number:03d}.png", frame)
    command = ["--config=configs/prednet_videos.py:cpu", f"--workdir={tmp_path / 'run'}"]
    assert run(command, tmp_path, train__epochs=1) == 0
    metrics = json.loads((tmp_path / "run/evaluation/metrics.json").read_text())
    assert metrics["prediction/baseline/copy_last/mse"] == 0
    assert metrics["prediction/mse_over_best_trivial"] is None


def test_extrapolation_is_fine_tuned_from_a_trained_run(folder, tmp_path):
    command = ["--config=configs/prednet_ped2.py:cpu", f"--workdir={tmp_path / 'fine'}"]
    changes = {"init_from__all": folder / "run", "train__extrap_start_time": 2}
    assert run(command, folder, **changes) == 0
    log = (tmp_path / "fine/run.log").read_text()
    assert str(folder / "run") in log


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data.frame_size": (60, 96)}, r"data.frame_size=\(60, 96\): .*\(56, 96\) and \(64, 96\)"),
        ({"model.R_filter_sizes": (3, 3)}, r"model.R_filter_sizes=\(3, 3\): 2 values .* 4"),
        ({"train.time_loss_weights": (0.0, 1.0)}, "train.time_loss_weights.*2 values.*10"),
        ({"train.layer_loss_weights": (1.0,)}, "train.layer_loss_weights.*1 values.*4"),
        ({"data.num_frames": 1}, "data.num_frames=1: .* at least 2"),
        ({"data.eval_num_frames": 1}, "data.eval_num_frames=1: .* at least 2"),
        ({"data.eval_overlap": 30}, "data.eval_overlap=30 .* less than the 30 frames"),
        ({"train.extrap_start_time": 10}, "train.extrap_start_time=10 must be from 1 to 9"),
        ({"eval.extrap_start_time": -1}, "eval.extrap_start_time=-1 must be from 1 to 29"),
        (
            {"model.R_filter_sizes": (0, 3, 3, 3)},
            r"model.R_filter_sizes=\(0, 3, 3, 3\).*at least 1",
        ),
        ({"model.stack_sizes": (16, 0, 64)}, "model.stack_sizes: all must be at least 1"),
        (
            {"data.pseudo_anomaly_probability": 0.1},
            "data.pseudo_anomaly_probability=0.1 is for task=memae only",
        ),
        ({"data.random_crop": (8, 8)}, r"data.random_crop=\(8, 8\) is for task=memae only"),
        ({"eval.score": "p42"}, "eval.score='p42' is unknown; use one of mean, std"),
        (
            {"eval.output_mode": "R7"},
            "eval.output_mode='R7' is unknown; use one of all, prediction",
        ),
    ],
)
def test_sizes_that_do_not_fit_are_named(changes, message):
    config = prednet_ped2.get_config("cpu")
    config.update_from_flattened_dict(changes)
    with pytest.raises(UserError, match=message):
        make_task(config)


@pytest.mark.parametrize("variant", ["", "all_layers", "extrapolate"])
def test_kitti_is_as_published(variant):
    task = make_task(prednet_kitti.get_config(variant))
    assert task.window == (15 if variant == "extrapolate" else 10, 128, 160, 3)
    assert task.time_loss_weights[0] == 0
    assert sum(task.time_loss_weights) == pytest.approx(1)


def test_demos_are_consistent():
    for module in (prednet_ped1, prednet_ped2, prednet_kitti):
        make_task(module.get_config("demo"))
    make_task(prednet_videos.get_config())


@pytest.mark.parametrize("module", [prednet_ped1, prednet_ped2, prednet_kitti, prednet_videos])
def test_unknown_variants_are_refused(module):
    with pytest.raises(ValueError, match="variant 'x' is unknown"):
        module.get_config("x")


def test_a_black_prediction_is_told():
    task = make_task(prednet_ped2.get_config("cpu"))
    assert task.warnings({"lit": 0.5}) == []
    (warning,) = task.warnings({"lit": 0.0})
    assert "model.R_stack_sizes" in warning
