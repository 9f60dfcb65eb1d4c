"""Training on sequences of unlike lengths through the command line: a step for each shape, and resuming."""

import jax
import numpy as np
import pytest
import tiny_hands

import main
from vid_jax import sharding, train_state, workdir
from vid_jax.tasks.base import make_task


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sequences")
    tiny_hands.write_fhad(folder / "fhad", depth=False)
    for i, name in enumerate(tiny_hands.FHAD_SEQUENCES["train"]):
        tiny_hands.write_fhad_sequence(folder / "fhad", name, frames=2 + 3 * i, depth=False)
    return folder


def train(folder, workdir, **changes):
    keys = {
        "data.dir": folder / "prepared",
        "data.source": folder / "fhad",
        "data.lengths": (4, 8),
        "data.pool": 1,
        "data.noise_sigma": 5.0,
        "model.hidden": 4,
        "model.drop_rate": 0.3,
        "train.batch_size": 1,
        "train.epochs": 3,
    }
    keys |= {key.replace("__", "."): value for key, value in changes.items()}
    given = (f"--config.{key}={value}" for key, value in keys.items())
    config = "--config=configs/har_lstm_fhad.py:baseline"
    return main.main(["main.py", config, f"--workdir={workdir}", *given])


def latest(folder):
    config = workdir.load_config(folder)
    config.eval.checkpoint = "latest"
    task, mesh = make_task(config), sharding.create_mesh(1)
    return train_state.restore_evaluated(config, task, folder, mesh)


def test_a_stopped_run_ends_as_one_that_was_not(folder, tmp_path, capsys):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert train(folder, whole) == 0
    assert capsys.readouterr().err.count("A step is 1 examples") > 1
    for steps in (2, 3, 0):
        assert train(folder, parts, train__max_steps=steps) == 0
    (step, params, state), other = latest(whole), latest(parts)
    assert other[0] == step
    jax.tree.map(np.testing.assert_array_equal, (params, state), other[1:])
