"""Training, evaluating and sharing the key clips' autoencoder through the command line."""

import json

import cv2
import numpy as np
import pytest
from tiny_data import write_video

import main
from vid_jax import export, pretrained
from vid_jax.errors import UserError
from vid_jax.evaluate_lib import restore
from vid_jax.input_pipeline import create_dataset
from vid_jax.workdir import load_config

CONFIG = "configs/keyclip_caltech256.py"
SIZE = (16, 32)


def smooth_image(seed: int) -> np.ndarray:
    """(20, 30, 3) uint8, few details."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (3, 4, 3), dtype=np.uint8)
    return cv2.resize(small, (30, 20), interpolation=cv2.INTER_LINEAR)


def run_flags(folder, workdir, **changes) -> list[str]:
    keys = {
        "data.dataset": "images",
        "data.source": folder / "photographs",
        "data.dir": folder / "prepared",
        "data.frame_size": SIZE,
        "model.widths": (4, 6, 8, 6),
        "model.latent_channels": 4,
        "optimizer.name": "adam",
        "optimizer.learning_rate": 1e-2,
        "train.loss": "l1",
        "train.epochs": 24,
        "train.batch_size": 8,
    }
    keys |= {key.replace("__", "."): value for key, value in changes.items()}
    return [
        "main.py",
        f"--config={CONFIG}",
        f"--workdir={workdir}",
        *(f"--config.{key}={value}" for key, value in keys.items()),
    ]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a finished run's data and workdir. Do not change it."""
    folder = tmp_path_factory.mktemp("keyclip")
    for number in range(40):
        path = folder / "photographs" / f"kind_{number % 3}" / f"image_{number:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        image = smooth_image(number)
        path.write_bytes(cv2.imencode(".png", image[..., 0] if number == 5 else image)[1].tobytes())
    assert main.main(run_flags(folder, folder / "run")) == 0
    return folder


def log_column(workdir, name: str) -> list[float]:
    header, *rows = (workdir / "train_log.csv").read_text().splitlines()
    return [float(row.split(",")[header.split(",").index(name)]) for row in rows]


def test_losses_of_training_and_evaluation_modes_agree(run):
    """Each BatchNorm has statistics of its own, so that running ones fit what they normalise."""
    training = log_column(run / "run", "train/loss")
    validation = log_column(run / "run", "val/loss")
    assert training[-1] < 0.8 * training[0]
    assert validation[-1] == pytest.approx(training[-1], rel=0.15)


def test_report_compares_with_thumbnails_of_as_many_values(run):
    metrics = json.loads((run / "run/evaluation/metrics.json").read_text())
    assert metrics["bottleneck_values"] == 32
    best = metrics["baseline/thumbnail_2x5/l1"]
    assert metrics["percent_better_than_thumbnail/l1"] == pytest.approx(
        100 * (1 - metrics["l1"] / best)
    )
    assert metrics["loss"] == pytest.approx(metrics["l1"])
    page = (run / "run/evaluation/index.html").read_text()
    assert all(name in page for name in ("Evenly spaced", "Smallest losses", "2x5"))


def test_browse_shows_both_splits(run, tmp_path):
    assert main.main([*run_flags(run, run / "run"), "--mode=browse", f"--output={tmp_path}"]) == 0
    assert {p.name for p in tmp_path.iterdir()} == {"browse_train.png", "browse_test.png"}


def test_exported_model_is_the_trained_one(run, tmp_path, monkeypatch):
    folder = tmp_path / "pretrained" / "tiny"
    export.main([f"--workdir={run / 'run'}", f"--output={folder}"])
    monkeypatch.setattr(pretrained, "_FOLDER", folder.parent)
    assert pretrained.folder("pretrained:tiny") == folder
    assert pretrained.is_exported(folder)
    assert not pretrained.is_exported(run / "run")
    exported = pretrained.restore(load_config(folder), folder)
    original = restore(load_config(run / "run"), run / "run")
    assert exported.step == original.step
    dataset = create_dataset(load_config(run / "run"), 8)
    found = [
        next(model.outputs(dataset.eval_batches("test", model.batch_size)))
        for model in (exported, original)
    ]
    np.testing.assert_array_equal(found[0]["embedding"], found[1]["embedding"])
    video = write_video(tmp_path / "film.mkv", [100] * 20)
    flags = [f"--input={video}", f"--output={tmp_path / 'out'}", "--mode=predict"]
    assert main.main(["main.py", "--workdir=pretrained:tiny", *flags]) == 0
    assert (tmp_path / "out/keyframes.csv").exists()
    assert main.main(["main.py", "--workdir=pretrained:tiny", "--mode=evaluate"]) == 2


def test_video_becomes_key_frames(run, tmp_path):
    values = [
        10 * (index // 20) + 100 * (index // 20 % 2) + np.arange(64)[None, :, None]
        for index in range(60)
    ]
    video = write_video(tmp_path / "film.mkv", values)
    flags = ["main.py", f"--workdir={run / 'run'}", "--mode=predict", f"--input={video}"]
    assert main.main([*flags, f"--output={tmp_path / 'out'}"]) == 0
    header, *rows = (tmp_path / "out/keyframes.csv").read_text().splitlines()
    assert "timestamp" in header
    assert rows


def test_unknown_pretrained_model_is_named(capsys):
    with pytest.raises(UserError, match=r"pretrained:nothing: no such model"):
        pretrained.folder("pretrained:nothing")
    assert str(pretrained.folder("runs/some")) == "runs/some"
    flags = ["--mode=predict", "--workdir=pretrained:nothing", "--input=a", "--output=b"]
    assert main.main(["main.py", *flags]) == 2
    assert "pretrained:nothing: no such model ships" in capsys.readouterr().err


def test_exported_parameters_of_another_network_are_refused(run, tmp_path):
    export.export(run / "run", tmp_path)
    config = load_config(tmp_path)
    config.model.widths = (4, 6, 8, 8)
    with pytest.raises(UserError, match="another config"):
        pretrained.restore(config, tmp_path)


def test_run_without_evaluation_cannot_be_exported(run, tmp_path):
    (tmp_path / "config.json").write_bytes((run / "run/config.json").read_bytes())
    with pytest.raises(UserError, match=r"calibration\.json does not exist"):
        export.export(tmp_path, tmp_path / "out")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("train__loss", "psnr", "train.loss='psnr' is unknown"),
        ("train__alpha", 1.5, "train.alpha=1.5"),
        ("data__frame_size", (16, 30), "frame_size"),
        ("data__validation_fraction", 0.01, "holds none out"),
        ("data__dataset", "caltech256", "no folders like 001.ak47"),
        ("data__dataset", "generated_images", "generated_images has none"),
        ("data__source", "", "the folder of the images"),
    ],
)
def test_mistakes_are_named(run, tmp_path, capsys, key, value, message):
    assert main.main(run_flags(run, tmp_path / "run", **{key: value})) == 2
    assert message in capsys.readouterr().err
