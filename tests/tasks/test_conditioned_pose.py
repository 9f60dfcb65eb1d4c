"""Hand pose conditioned on the action, from the command line on tiny data, and what its task tells the network."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny_hands

import main
from configs import deepprior_film_fhad, deepprior_film_synthetic
from vid_jax.errors import UserError
from vid_jax.input_pipeline import create_dataset
from vid_jax.input_pipeline.datasets import fhad_files, hand_gestures
from vid_jax.tasks import _pose_parts
from vid_jax.tasks.base import make_task

CONFIG = "--config=configs/deepprior_film_fhad.py:cpu"
TINY = {
    "data.crop_size": 16,
    "model.widths": "(4, 8)",
    "model.blocks": 2,
    "model.prior_components": 8,
    "model.prior_samples": 500,
    "train.epochs": 1,
    "train.batch_size": 4,
}


def flags(folder, *command, **changes):
    keys = TINY | {"data.source": folder / "fhad", "data.dir": folder / "prepared"}
    keys |= {key.replace("__", "."): value for key, value in changes.items()}
    return ["main.py", *command, *(f"--config.{key}={value}" for key, value in keys.items())]


def run(folder, workdir, **changes):
    return main.main(flags(folder, CONFIG, f"--workdir={workdir}", **changes))


def config_of(folder, **changes):
    return main.parse_flags(flags(folder, CONFIG, "--workdir=none", **changes)).config


def error_of(capsys):
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    return lines[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Data, and a finished run in `run`."""
    folder = tmp_path_factory.mktemp("conditioned_pose")
    tiny_hands.write_fhad(folder / "fhad")
    assert run(folder, folder / "run") == 0
    return folder


@pytest.fixture(scope="module")
def dataset(folder):
    return create_dataset(config_of(folder), 4)


def test_the_result_names_what_the_network_was_told(folder):
    page = folder / "run/evaluation/index.html"
    assert "action: uniform" in page.read_text()
    metrics = json.loads((folder / "run/evaluation/metrics.json").read_text())
    assert metrics["mean_error_mm"] > 0
    command = ["main.py", "--mode=evaluate", f"--workdir={folder / 'run'}"]
    assert main.main([*command, "--config.eval.action=ground_truth"]) == 0
    assert "action: ground_truth" in page.read_text()
    told = json.loads((folder / "run/evaluation/metrics.json").read_text())
    assert told["mean_error_mm"] != metrics["mean_error_mm"]
    assert main.main(command) == 0
    assert json.loads((folder / "run/evaluation/metrics.json").read_text()) == metrics


def test_prediction_is_told_no_action(folder, tmp_path, capsys):
    source = folder / "fhad/Video_files/Subject_1/put_salt/1/depth"
    command = ["main.py", "--mode=predict", f"--workdir={folder / 'run'}", f"--input={source}"]
    assert main.main([*command, "--config.eval.action=ground_truth", f"--output={tmp_path}"]) == 2
    assert "depth maps alone come without actions" in error_of(capsys)
    assert main.main([*command, f"--output={tmp_path}"]) == 0
    assert [*tmp_path.rglob("joints.csv")]


def task_of(folder, dataset, **changes):
    """A task that draws nothing but actions, its parameters and model state, and a batch."""
    task = make_task(config_of(folder, **changes))
    batch = next(dataset.eval_batches("train", 4))
    params, state = jax.jit(task.init)(jax.random.key(1), batch)
    state["constants"] = task.prepare(dataset)
    return task, params, state, batch


def other_actions(batch):
    return batch | {"action": (batch["action"] + 1) % 45}


@pytest.mark.parametrize(("equiprobable", "sees"), [(1.0, False), (0.0, True)])
def test_training_tells_the_action_unless_all_are_as_likely(folder, dataset, equiprobable, sees):
    task, params, state, batch = task_of(folder, dataset, model__equiprobable=equiprobable)
    loss = jax.jit(jax.grad(task.loss, has_aux=True))
    gradients, (_, metrics) = loss(params, state, batch, jax.random.key(0))
    _, (_, others) = loss(params, state, other_actions(batch), jax.random.key(0))
    assert (metrics["error_mm"][0] != others["error_mm"][0]) == sees
    films = {
        jax.tree_util.keystr(path): leaf
        for path, leaf in jax.tree_util.tree_leaves_with_path(gradients)
        if "film" in jax.tree_util.keystr(path)
    }
    assert len(films) == 2 * (2 + 2)
    assert all(jnp.abs(leaf).max() > 0 for leaf in films.values())
    seen = {int(action) for action in batch["action"]}
    kernel = films["['trunk']['regressor']['film_hidden_1']['dense']['kernel']"]
    assert {*np.flatnonzero(np.abs(kernel).sum(1)).tolist()} == (seen if sees else {*range(45)})


@pytest.mark.parametrize(("action", "sees"), [("uniform", False), ("ground_truth", True)])
def test_evaluation_tells_what_it_says(folder, dataset, action, sees):
    task, params, state, batch = task_of(
        folder, dataset, eval__action=action, model__equiprobable=0.5
    )
    step = jax.jit(task.eval_step)
    told, same, others = (
        step(params, state, b)[1]["joints"] for b in (batch, batch, other_actions(batch))
    )
    np.testing.assert_array_equal(told, same)
    assert np.array_equal(told, others) != sees


def test_actions_are_drawn_for_each_example():
    action = jnp.arange(4000) % 5
    drawn = _pose_parts.conditioning(jax.random.key(0), action, 5, 0.25)
    known = np.eye(5)[np.asarray(action)]
    hidden = np.isclose(drawn, 0.2).all(1)
    np.testing.assert_array_equal(np.asarray(drawn)[~hidden], known[~hidden])
    assert hidden.mean() == pytest.approx(0.25, abs=0.03)
    again = _pose_parts.conditioning(jax.random.key(0), action, 5, 0.25)
    np.testing.assert_array_equal(drawn, again)
    for probability, wanted in ((0.0, known), (1.0, np.full((4000, 5), 0.2))):
        drawn = _pose_parts.conditioning(jax.random.key(1), action, 5, probability)
        np.testing.assert_allclose(drawn, wanted)


def test_a_frame_of_no_class_is_named(folder, dataset, monkeypatch):
    fields = dataset.fields
    monkeypatch.setattr(
        dataset, "fields", lambda split: fields(split) | {"action": np.full(99, -1)}
    )
    with pytest.raises(UserError, match=r"fhad: Subject_\S+ is of class -1, not one of 0 to 44"):
        make_task(config_of(folder)).prepare(dataset)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model__film": "('residual', 'tail')"}, ["model.film=", "tail", "residual, linear"]),
        ({"model__network": "deep_prior"}, ["model.film=", "no residual blocks", "deep_prior_pp"]),
        (
            {"model__film": "('prior',)", "model__prior_components": 0},
            ["model.film=('prior',)", "model.prior_components"],
        ),
        ({"data__dataset": "msra15"}, ["model.film=", "no actions", "hands_gestures"]),
        ({"data__dataset": "hands"}, ["model.film=", "no actions", "fhad"]),
        ({"model__equiprobable": 1.5}, ["model.equiprobable=1.5", "0 to 1"]),
        ({"eval__action": "predicted"}, ["eval.action='predicted'", "uniform, ground_truth"]),
        ({"eval__action": "mean"}, ["eval.action='mean'", "uniform, ground_truth"]),
        ({"eval__action": "uniform", "model__film": "()"}, ["eval.action='uniform'", "model.film"]),
    ],
)
def test_wrong_values_are_named(folder, changes, words):
    with pytest.raises(UserError) as error:
        make_task(config_of(folder, **changes))
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize(
    ("module", "actions"),
    [
        (deepprior_film_fhad, fhad_files.ACTIONS),
        (deepprior_film_synthetic, hand_gestures.ACTIONS),
    ],
)
def test_published_configs_are_consistent(module, actions):
    for variant in ("", "cpu"):
        task = make_task(module.get_config(variant))
        assert task.network.conditioned
        assert task.settings.actions == actions
        assert (task.equiprobable, task.eval_action) == (1.0, "uniform")
    with pytest.raises(ValueError, match="variant 'x' is unknown"):
        module.get_config("x")
