"""Joint models of pose and action from the command line, on tiny data, and the parts that they start from."""

import csv
import json
import shutil

import jax
import numpy as np
import pytest
import tiny_hands

import main
from vid_jax import sharding, train_state, workdir
from vid_jax.models.pose_action import PARTS
from vid_jax.tasks.base import make_task

FRAMES = 3
POSE = {
    "network": "deep_prior_pp",
    "widths": (2, 16),
    "blocks": 1,
    "prior_components": 6,
    "prior_samples": 200,
}
ALONE = {f"model.{key}": value for key, value in POSE.items()} | {
    "model.prior_trainable": True,
    "data.crop_size": 8,
    "data.validation": "subject",
    "train.epochs": 1,
}
JOINT = {
    f"model.{part}.{key}": v for part in ("pose", "conditioned_pose") for key, v in POSE.items()
} | {
    "model.action.hidden": 4,
    "data.crop_size": 8,
    "data.max_length": 4,
    "data.lengths": (4,),
    "data.packing": 8,
    "data.validation": "subject",
    "train.epochs": 2,
}


def flags(folder, config, workdir, **changes):
    keys = {
        "data.dir": folder / "prepared",
        "data.source": folder / "fhad",
        "train.batch_size": 2,
    }
    keys |= {key.replace("__", "."): value for key, value in changes.items()}
    given = (f"--config.{key}={value}" for key, value in keys.items())
    return ["main.py", f"--config=configs/{config}", f"--workdir={workdir}", *given]


def train_joint(folder, workdir, variant="", **changes):
    parts = {f"init_from.{part}": folder / part for part in ("pose", "conditioned_pose", "action")}
    keys = JOINT | (parts if not variant else {}) | changes
    return main.main(flags(folder, f"pose_action_fhad.py:{variant}", workdir, **keys))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Data, the parts alone, and a boosted run: Subject_1 and Subject_2 train, Subject_3 validates."""
    folder = tmp_path_factory.mktemp("pose_action")
    tiny_hands.write_fhad(folder / "fhad", frames=FRAMES)
    for part, film in (("pose", ()), ("conditioned_pose", ("residual", "linear"))):
        changes = ALONE | {"model.film": film}
        run = flags(folder, "deepprior_film_fhad.py:cpu", folder / part, **changes)
        assert main.main(run) == 0
    small = {"model.hidden": 4, "data.validation": "subject", "train.epochs": 1}
    assert main.main(flags(folder, "har_lstm_fhad.py:baseline", folder / "action", **small)) == 0
    assert train_joint(folder, folder / "boosting") == 0
    return folder


def best(run):
    """Parameters and model state."""
    config, mesh = workdir.load_config(run), sharding.create_mesh(1)
    return train_state.restore_evaluated(config, make_task(config), run, mesh)[1:]


def error_of(capsys):
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    return lines[0]


def test_a_joint_run_reports_joints_and_actions(folder):
    metrics = json.loads((folder / "boosting/evaluation/metrics.json").read_text())
    assert metrics["mean_error_mm"] > 0
    assert 0 <= metrics["top1_accuracy"] <= metrics["top3_accuracy"] <= 1
    with (folder / "boosting/train_log.csv").open(newline="") as file:
        rows = [*csv.DictReader(file)]
    for row in rows:
        for name in ("log_loss", "squared_error", "combined", "error_mm"):
            assert float(row[f"train/{name}"]) > 0 < float(row[f"val/{name}"])
        wanted = 0.002 * float(row["train/log_loss"]) + 0.998 * float(row["train/squared_error"])
        assert float(row["train/loss"]) == pytest.approx(wanted, rel=0.2)  # batches differ in size
    assert [row["epoch"] for row in rows] == ["1", "2"]


def test_an_untrained_run_is_what_its_parts_are(folder, tmp_path):
    """Without any training; their constants come with them. It finds joints and actions in depth maps."""
    run = tmp_path / "run"
    parts = {f"init_from.{part}": folder / part for part in PARTS["sequential"]}
    assert train_joint(folder, run, "untrained", **parts | {"train.epochs": 0}) == 0
    params, state = best(run)
    for part in PARTS["sequential"]:
        own_params, own_state = best(folder / part)
        jax.tree.map(np.testing.assert_array_equal, params[part], own_params)
        for name, collection in own_state.items():
            jax.tree.map(np.testing.assert_array_equal, state[name][part], collection)
    for model in (run, folder / "boosting"):  # frame by frame, and as a whole
        output = tmp_path / f"{model.name}_out"
        depth = folder / "fhad/Video_files/Subject_1/put_salt/1/depth"
        command = ["--mode=predict", f"--workdir={model}", f"--input={depth}", f"--output={output}"]
        assert main.main(["main.py", *command]) == 0
        for name in ("joints.csv", "actions.csv"):
            with (output / name).open(newline="") as file:
                assert [*csv.reader(file)]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (dict(init_from__pose="action"), "init_from.pose=FOLDER/action is a run of hand_action"),
        (dict(init_from__action="pose"), "init_from.action=FOLDER/pose is a run of hand_pose"),
        (
            dict(init_from__conditioned_pose="boosting"),
            "is a run of pose_action; use one of hand_pose",
        ),
        (
            dict(init_from__conditioned_pose="pose"),
            "has model.film=(); set model.conditioned_pose.film",
        ),
        (dict(model__action__hidden=5), "has model.hidden=4; set model.action.hidden"),
        (dict(data__cube=180.0), "was trained with data.cube=0.0"),
    ],
)
def test_parts_of_another_kind_are_refused(folder, tmp_path, capsys, changes, words):
    sources = {
        key: folder / value if key.startswith("init_from") else value
        for key, value in changes.items()
    }
    changes = {key.replace("__", "."): value for key, value in sources.items()}
    assert train_joint(folder, tmp_path / "run", **changes) == 2
    assert words.replace("FOLDER", str(folder)) in error_of(capsys)


@pytest.mark.parametrize("kind", ["missing", "extra"])
def test_parts_with_other_parameters_are_refused(folder, tmp_path, capsys, kind):
    """Whatever their configs say."""
    source = shutil.copytree(folder / "pose", tmp_path / "pose")
    config = json.loads((source / "config.json").read_text())
    trainable = config["model"]["prior_trainable"]
    config["model"]["prior_trainable"] = not trainable
    changes = {"init_from.pose": source}
    (source / "config.json").write_text(json.dumps(config))
    if kind == "extra":
        changes["init_from.pose"] = folder / "pose"
        changes["model.pose.prior_trainable"] = False
    assert train_joint(folder, tmp_path / "run", **changes) == 2
    line = error_of(capsys)
    assert "init_from.pose" in line
    assert "prior_trainable" in line
