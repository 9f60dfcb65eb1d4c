"""Hand pose from the command line on tiny data, and what its task computes."""

import csv
import json
import os
import shutil
import signal

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny_hands
from PIL import Image

import main
from configs import deepprior_fhad, deepprior_icvl, deepprior_msra15, deepprior_nyu
from configs import deepprior_synthetic as synthetic
from vid_jax import evaluate_lib, hooks
from vid_jax.input_pipeline import create_dataset
from vid_jax.input_pipeline.hand_augmentation import normalised_depth, normalised_joints
from vid_jax.tasks._hand_crops import hands_of
from vid_jax.tasks.base import make_task

CONFIG = "--config=configs/deepprior_msra15.py:cpu"
GESTURES = ("1", "Y")
FRAMES = 3
TINY = {
    "data.crop_size": 32,
    "data.validation": "subject",
    "model.widths": "(4, 8)",
    "model.blocks": 1,
    "model.prior_components": 8,
    "model.prior_samples": 500,
    "train.epochs": 2,
    "train.batch_size": 3,
}


def flags(folder, *command, **changes):
    keys = TINY | {"data.source": folder / "msra15", "data.dir": folder / "prepared"}
    keys |= {key.replace("__", "."): value for key, value in changes.items()}
    return ["main.py", *command, *(f"--config.{key}={value}" for key, value in keys.items())]


def train(folder, workdir, **changes):
    return main.main(flags(folder, CONFIG, f"--workdir={workdir}", **changes))


def evaluate(workdir, *changes):
    return main.main(["main.py", "--mode=evaluate", f"--workdir={workdir}", *changes])


def config_of(folder, **changes):
    return main.parse_flags(flags(folder, CONFIG, "--workdir=none", **changes)).config


def error_of(capsys):
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    return lines[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Data, and a finished run in `run`: P1 trains in 2 steps an epoch, P2 validates, P0 tests."""
    folder = tmp_path_factory.mktemp("hand_pose")
    tiny_hands.write_msra15(folder / "msra15", gestures=GESTURES, frames=FRAMES)
    assert train(folder, folder / "run") == 0
    return folder


@pytest.fixture
def copy_of_run(folder, tmp_path):
    return shutil.copytree(folder / "run", tmp_path / "run")


@pytest.fixture(scope="module")
def metrics(folder):
    return json.loads((folder / "run/evaluation/metrics.json").read_text())


def truth(subject):
    """Joints (frames, 21, 3) in mm, in the order of the files."""
    frames = [(f"{subject}/{gesture}", n) for gesture in GESTURES for n in range(FRAMES)]
    return np.array([tiny_hands.hand_points("msra15", *frame) for frame in frames], np.float64)


def mean_distance(poses, others):
    return np.linalg.norm(poses - others, axis=-1).mean()


def table(folder, name):
    with (folder / f"run/evaluation/{name}.csv").open(newline="") as file:
        return [*csv.DictReader(file)]


def test_figures_are_those_of_the_written_predictions(folder, metrics):
    rows = table(folder, "Predictions")
    assert [(row.pop("sequence"), row.pop("frame")) for row in rows] == [
        (f"P0/{gesture}", str(n)) for gesture in GESTURES for n in range(FRAMES)
    ]
    joints = np.array([[*row.values()] for row in rows], float).reshape(-1, 21, 3)
    errors = np.linalg.norm(joints - truth("P0"), axis=-1)
    assert metrics["mean_error_mm"] == pytest.approx(errors.mean(), rel=1e-3)
    assert metrics["joint_error_mm/wrist"] == pytest.approx(errors[:, 0].mean(), rel=1e-3)
    frames = table(folder, "Frames")
    shown = [float(row["mean error, mm"]) for row in frames]
    np.testing.assert_allclose(shown, errors.mean(1), rtol=1e-3)


def test_baselines_stand_beside_the_network(folder, metrics):
    """From the labels alone; the centre is the middle finger's first joint."""
    test, trained = truth("P0"), truth("P1")
    centred, wanted = trained - trained[:, 5:6], test - test[:, 5:6]
    mean = mean_distance(centred.mean(0), wanted)
    assert metrics["baseline/mean_pose/mean_error_mm"] == pytest.approx(mean, rel=1e-3)
    nearest = [min(mean_distance(pose, other) for pose in centred) for other in wanted]
    assert metrics["baseline/nearest_pose/mean_error_mm"] <= mean
    assert metrics["baseline/nearest_pose/mean_error_mm"] == pytest.approx(
        np.mean(nearest), rel=0.05
    )
    assert metrics["center_error_mm"] == pytest.approx(0, abs=1e-3)
    page = (folder / "run/evaluation/index.html").read_text()
    for words in (
        "mean training pose",
        "nearest training pose",
        "joint",
        "held-out training subject P2",
        "leave_one_subject_out",
        "Worst frames",
        "Frames within a threshold",
    ):
        assert words in page


def test_ranges_are_logged(folder):
    with (folder / "run/train_log.csv").open(newline="") as file:
        rows = [*csv.DictReader(file)]
    assert [row["step"] for row in rows] == ["2", "4"]
    for row in rows:
        for name in ("error_mm", "joint_range", "coordinate_range", "loss"):
            assert float(row[f"train/{name}"]) > 0 < float(row[f"val/{name}"])
    joints = truth("P2")
    reach = np.abs(joints - joints[:, 5:6]).max((1, 2)).mean() / 100  # cubes of 200 mm
    assert float(rows[0]["val/joint_range"]) == pytest.approx(reach, rel=1e-3)
    log = (folder / "run/run.log").read_text()
    assert "Joints in half cubes" in log
    assert "Coordinates of the prior" in log


def test_evaluation_again_gives_the_same(folder, copy_of_run, metrics):
    shutil.rmtree(copy_of_run / "evaluation")
    assert evaluate(copy_of_run) == 0
    assert json.loads((copy_of_run / "evaluation/metrics.json").read_text()) == metrics


def test_data_that_moved_are_still_those_of_the_prior(folder, copy_of_run, tmp_path, metrics):
    """Copied to another machine, files have other times; nothing that was learnt hangs on those."""
    shutil.copytree(folder / "msra15", tmp_path / "copy", copy_function=shutil.copyfile)
    moved = [f"--config.data.source={tmp_path / 'copy'}", f"--config.data.dir={tmp_path}"]
    assert evaluate(copy_of_run, *moved) == 0
    found = json.loads((copy_of_run / "evaluation/metrics.json").read_text())
    assert found["mean_error_mm"] == pytest.approx(metrics["mean_error_mm"], rel=1e-5)


def test_other_centres_than_those_of_training(copy_of_run):
    assert evaluate(copy_of_run, "--config.data.center=detector") == 0
    page = (copy_of_run / "evaluation/index.html").read_text()
    assert "without ground truth" in page
    metrics = json.loads((copy_of_run / "evaluation/metrics.json").read_text())
    assert metrics["center_error_mm"] > 1


@pytest.mark.parametrize(
    "change",
    ["data.shift_sigma=9", "data.prior_augmentation=('none',)", "seed=1", "data.held_out=P1"],
)
def test_a_prior_of_other_poses_is_refused(copy_of_run, capsys, change):
    before = (copy_of_run / "evaluation/metrics.json").read_text()
    assert evaluate(copy_of_run, f"--config.{change}") == 2
    assert "this run's prior was fitted on other training frames" in error_of(capsys)
    assert (copy_of_run / "evaluation/metrics.json").read_text() == before


def test_a_run_that_was_stopped_goes_on_bit_for_bit(folder, tmp_path, monkeypatch):
    note = hooks.Progress.on_step

    def stop_at_2(self, step, loss):
        note(self, step, loss)
        if step == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(hooks.Progress, "on_step", stop_at_2)
        assert train(folder, tmp_path / "run") == 130
    assert train(folder, tmp_path / "run") == 0
    config = config_of(folder)
    ours, theirs = (evaluate_lib.restore(config, path / "run", 4) for path in (tmp_path, folder))
    for name in ("params", "model_state"):
        jax.tree.map(np.testing.assert_array_equal, getattr(ours, name), getattr(theirs, name))


def test_the_prior_that_was_fitted_is_the_one_that_is_kept(folder):
    config = config_of(folder)
    model = evaluate_lib.restore(config, folder / "run", 4)
    fitted = model.task.prepare(create_dataset(config, 3))
    constants = model.model_state["constants"]
    for name in ("components", "mean"):
        np.testing.assert_array_equal(constants["prior"][name], fitted["prior"][name])
    np.testing.assert_array_equal(constants["fingerprint"], fitted["fingerprint"])
    assert "prior" not in model.params


def test_browse(folder, tmp_path):
    assert main.main(flags(folder, CONFIG, "--mode=browse", f"--output={tmp_path}")) == 0
    names = sorted(path.name for path in tmp_path.glob("*.png"))
    assert {"browse_depth_1.png", "browse_test.png", "browse_train.png"} <= {*names}
    for name in names:
        with Image.open(tmp_path / name) as image:
            assert min(image.size) > 100
            assert len(image.convert("L").getcolors()) > 10


def test_joints_without_a_prior_about_centres_that_a_network_refines(folder, tmp_path):
    refinement = tmp_path / "refinement"
    keys = {
        "data.crop_size": 72,
        "data.dataset": "msra15",
        "data.source": folder / "msra15",
        "data.dir": folder / "prepared",
        "data.validation": "subject",
        "train.epochs": 1,
        "train.batch_size": 3,
    }
    config = "--config=configs/com_refinement_synthetic.py:demo"
    command = [config, *(f"--config.{key}={value}" for key, value in keys.items())]
    assert main.main(["main.py", f"--workdir={refinement}", *command]) == 0
    found = json.loads((refinement / "evaluation/metrics.json").read_text())
    assert found.keys() >= {"center_error_mm", "baseline/as_cropped/center_error_mm"}
    changes = dict(
        model__prior_components=0,
        model__com_refinement=True,
        data__crop_size=72,
        init_from__com_refinement=refinement,
    )
    workdir = tmp_path / "run"
    assert train(folder, workdir, train__epochs=1, **changes) == 0
    metrics = json.loads((workdir / "evaluation/metrics.json").read_text())
    assert metrics["mean_error_mm"] > 0 < metrics["center_error_mm"]
    assert "refined" in (workdir / "evaluation/index.html").read_text()
    model = evaluate_lib.restore(config_of(folder, **changes), workdir)
    assert "constants" not in model.model_state
    assert "com_refinement" in model.params


def test_a_network_of_other_hands_is_tuned(folder, tmp_path):
    """With all of it comes its prior, which is of other training frames by intent."""
    changes = dict(data__held_out="P1", init_from__all=folder / "run", train__epochs=1)
    assert train(folder, tmp_path / "run", **changes) == 0
    assert (tmp_path / "run/evaluation/metrics.json").exists()


@pytest.fixture(scope="module")
def dataset(folder):
    return create_dataset(config_of(folder), 3)


def fitted(folder, dataset, **changes):
    """A task without dropout and augmentation, its parameters, model state and a batch."""
    plain = {"data__augmentation": "('none',)", "model__drop_rate": 0.0}
    task = make_task(config_of(folder, **plain, **changes))
    batch = next(dataset.eval_batches("validation", 3))
    params, state = jax.jit(task.init)(jax.random.key(1), batch)
    if constants := task.prepare(dataset):
        state["constants"] = constants
    return task, params, state, batch


def in_batch_statistics(task, params, state, batch):
    """Coordinates and pose as training sees them, and the true pose, in float64."""
    hands = hands_of(batch)
    apply = jax.jit(lambda v, x: task.network.apply(v, x, train=True, mutable=["batch_stats"]))
    outputs, _ = apply({"params": params, **state}, normalised_depth(hands))
    return (np.float64(x) for x in (*outputs, normalised_joints(hands)))


DISTANCES = {
    "l2": lambda d: (d**2).sum(-1),
    "l1": lambda d: abs(d).sum(-1),
    "huber": lambda d: np.where(abs(d) < 0.1, d**2 / 2, 0.1 * abs(d) - 0.005).sum(-1),
}


@pytest.mark.parametrize("loss", DISTANCES)
def test_the_loss_is_of_the_coordinates_of_a_fixed_prior(folder, dataset, loss):
    task, params, state, batch = fitted(folder, dataset, train__loss=loss)
    value, (_, metrics) = jax.jit(task.loss)(params, state, batch, jax.random.key(0))
    coordinates, pose, joints = in_batch_statistics(task, params, state, batch)
    prior = state["constants"]["prior"]
    np.testing.assert_allclose(pose, coordinates @ prior["components"] + prior["mean"], atol=1e-5)
    wanted = DISTANCES[loss](coordinates - (joints - prior["mean"]) @ prior["components"].T)
    assert float(value) == pytest.approx(wanted.mean(), rel=1e-4)
    half = batch["cube"].mean() / 2
    error = half * mean_distance(pose.reshape(3, -1, 3), joints.reshape(3, -1, 3))
    total, count = metrics["error_mm"]
    assert float(total / count) == pytest.approx(error, rel=1e-4)


@pytest.mark.parametrize("changes", [{"prior_components": 0}, {"prior_trainable": True}])
def test_the_loss_is_of_the_pose_where_there_is_no_fixed_prior(folder, dataset, changes):
    changes = {f"model__{key}": value for key, value in changes.items()} | {"train__loss": "l2"}
    task, params, state, batch = fitted(folder, dataset, **changes)
    value, _ = jax.jit(task.loss)(params, state, batch, jax.random.key(0))
    _, pose, joints = in_batch_statistics(task, params, state, batch)
    assert float(value) == pytest.approx(DISTANCES["l2"](pose - joints).mean(), rel=1e-4)


def test_a_prior_is_trained_on_request(folder, dataset):
    task, params, state, batch = fitted(folder, dataset, model__prior_trainable=True)
    gradients, _ = jax.jit(jax.grad(task.loss, has_aux=True))(
        params, state, batch, jax.random.key(0)
    )
    assert {*gradients["prior"]} == {"components_change", "mean_change"}
    assert all(jnp.abs(change).max() > 0 for change in gradients["prior"].values())
    _, params, _, _ = fitted(folder, dataset)
    assert "prior" not in params


def test_training_augments_and_evaluation_does_not(folder, dataset):
    _, params, state, batch = fitted(folder, dataset)
    task = make_task(config_of(folder, data__augmentation="('rot',)", model__drop_rate=0.0))
    loss, eval_step = jax.jit(task.loss), jax.jit(task.eval_step)
    losses = [
        float(loss(params, state, batch | {"epoch": np.full(3, epoch)}, jax.random.key(0))[0])
        for epoch in (0, 0, 1)
    ]
    assert losses[0] == losses[1] != losses[2]
    outputs = [
        eval_step(params, state, batch | {"epoch": np.full(3, epoch)})[1]["joints"]
        for epoch in (0, 1)
    ]
    np.testing.assert_array_equal(*outputs)


def test_padding_does_not_count(folder, dataset):
    task, params, state, batch = fitted(folder, dataset)
    eval_step = jax.jit(task.eval_step)
    whole, outputs = eval_step(params, state, batch)
    part, _ = eval_step(params, state, batch | {"mask": np.float32([1, 1, 0])})
    hands = hands_of(batch)
    errors = np.linalg.norm(outputs["joints"] - hands.joints, axis=-1).mean(-1)
    assert float(part["error_mm"][0]) == pytest.approx(errors[:2].sum(), rel=1e-4)
    assert (float(whole["error_mm"][1]), float(part["error_mm"][1])) == (3, 2)


def test_joints_that_reach_far_raise_an_alarm(folder):
    task = make_task(config_of(folder))
    assert task.warnings({"joint_range": 1.1}) == []
    (warning,) = task.warnings({"joint_range": 7.5})
    assert "7.5 half cubes" in warning
    assert "data.cube" in warning


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("model.network=resnet", ["model.network='resnet'", "deep_prior, deep_prior_pp"]),
        ("model.layout=bottleneck", ["model.layout='bottleneck'", "separate_skip"]),
        ("model.widths=()", ["model.widths=()"]),
        ("model.widths=(8,0,8)", ["model.widths=(8, 0, 8)"]),
        ("model.blocks=0", ["model.blocks=0"]),
        ("model.drop_rate=1.0", ["model.drop_rate=1.0"]),
        ("model.drop_rate=-0.1", ["model.drop_rate=-0.1"]),
        ("model.prior_components=64", ["model.prior_components=64", "1 to 63"]),
        ("model.prior_components=-1", ["model.prior_components=-1", "0 for no prior"]),
        ("model.prior_samples=0", ["model.prior_samples=0"]),
        ("model.prior_samples=7", ["model.prior_samples=7", "at least 8"]),
        ("model.dtype=float33", ["model.dtype='float33'"]),
        ("train.loss=l3", ["train.loss='l3'", "l2, huber, l1"]),
        ("data.dataset=hnads", ["data.dataset='hnads'", "msra15"]),
        ("data.crop_size=50", ["data.crop_size=50", "multiples of"]),
        ("data.crop_size=0", ["data.crop_size=0"]),
        ("data.crop_size=-32", ["data.crop_size=-32"]),
        ("data.protocol=cross_subject", ["data.protocol='cross_subject'", "leave_one_subject_out"]),
        ("data.held_out=P9", ["data.held_out='P9'", "P0, P1, P2"]),
        ("data.validation=some", ["data.validation='some'", "fraction, subject, test, none"]),
        ("data.validation=none", ["data.validation=none", "eval.checkpoint=latest"]),
        ("data.validation_fraction=1.0", ["data.validation_fraction=1.0"]),
        ("data.validation_subject=P0", ["data.validation_subject='P0'", "P1, P2"]),
        ("data.samples_per_epoch=-1", ["data.samples_per_epoch=-1"]),
        ("data.center=wrist", ["data.center='wrist'", "joint, depth, detector"]),
        ("data.cube=-1.0", ["data.cube=-1.0"]),
        ("data.cube=0.2", ["data.cube=0.2", "not in metres"]),
        ("data.crop=v2", ["data.crop='v2'", "joint_rectangle"]),
        ("data.interpolation=cubic", ["data.interpolation='cubic'", "bilinear"]),
        ("data.augmentation=()", ["data.augmentation=()", "com, rot, sc, none"]),
        ("data.augmentation=('rot', 'flip')", ["data.augmentation=", "flip", "rot+com"]),
        ("data.prior_augmentation=('rot+cm',)", ["data.prior_augmentation=", "rot+cm"]),
        ("data.draws=often", ["data.draws='often'", "fresh", "fixed"]),
        ("data.shift_sigma=-5.0", ["data.shift_sigma=-5.0", "at least 0"]),
        ("data.rotation_range=-1.0", ["data.rotation_range=-1.0"]),
        ("data.scale_sigma=-0.1", ["data.scale_sigma=-0.1"]),
        ("data.bad_frames=drop", ["data.bad_frames='drop'", "skip"]),
        ("data.source=/no/such", ["data.source", "/no/such"]),
    ],
)
def test_wrong_values_are_named(folder, tmp_path, capsys, change, words):
    key, _, value = change.partition("=")
    assert train(folder, tmp_path / "run", **{key: value}) == 2
    error = error_of(capsys)
    for word in words:
        assert word in error
    assert not [*tmp_path.glob("run/checkpoints/*")]


@pytest.mark.parametrize(
    "module", [deepprior_fhad, deepprior_icvl, deepprior_msra15, deepprior_nyu, synthetic]
)
def test_published_configs_are_consistent(module):
    task = make_task(module.get_config())
    assert task.network.trunk.outputs == 30
    assert task.settings.crop_size == 128
    make_task(module.get_config("cpu"))
    with pytest.raises(ValueError, match="variant 'x' is unknown"):
        module.get_config("x")
