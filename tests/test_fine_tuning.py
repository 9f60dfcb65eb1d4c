"""Starting from other runs' parameters, and training only some: what is taken, what stays, what is refused."""

import csv
import json
import os
import re
import shutil
import signal
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import main
from vid_jax import hooks, init_from, optimizers, sharding, train_state, workdir
from vid_jax.checkpoints import Checkpoints
from vid_jax.errors import UserError
from vid_jax.tasks.base import make_task


def best(folder: Path) -> tuple[int, dict, dict]:
    """Step, parameters and model state of a run's best checkpoint."""
    config = workdir.load_config(folder)
    return train_state.restore_evaluated(config, make_task(config), folder, sharding.create_mesh(1))


def latest(folder: Path) -> train_state.TrainState:
    """The state of a run's latest checkpoint."""
    config = workdir.load_config(folder)
    mesh = sharding.create_mesh(1)
    optimizer = optimizers.create_optimizer(config.optimizer)
    init = train_state.make_init(config, make_task(config), optimizer, mesh)
    with Checkpoints(folder) as checkpoints:
        return checkpoints.restore_latest(train_state.abstract(init, mesh))[1]


def assert_identical(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


def validation_losses(folder: Path) -> dict[int, list[float]]:
    """Step -> losses of the fast and the slow copy."""
    with (folder / "train_log.csv").open(newline="") as file:
        return {
            int(row["step"]): [float(row[name]) for name in ("val/loss", "val_slow/loss")]
            for row in csv.DictReader(file)
        }


def test_a_run_starts_from_exactly_the_parameters_of_another(tiny_run, tmp_path, capsys):
    """It neither learns nor updates statistics, so both copies have the loss of the checkpoint they start from."""
    changes = dict(
        init_from__all=tiny_run.workdir,
        optimizer__learning_rate=0.0,
        train__batch_norm_momentum=1.0,
        train__max_steps=1,
        seed=1,
    )
    assert main.main(tiny_run.flags(tmp_path, **changes)) == 0
    step, params, model_state = best(tiny_run.workdir)
    assert f"Starting from step {step} of {tiny_run.workdir}" in capsys.readouterr().err
    loss = validation_losses(tiny_run.workdir)[step][0]
    assert validation_losses(tmp_path) == {1: [loss, loss]}
    state = latest(tmp_path)
    for copy, statistics in zip(state.params, (state.model_state, state.slow_model_state)):
        assert_identical(copy, params)
        assert_identical(statistics, model_state)


def test_what_other_runs_have_learnt_is_evaluated_untrained(tiny_run, tmp_path, capsys):
    changes = dict(init_from__all=tiny_run.workdir, train__epochs=0, seed=1)
    for _ in range(2):
        assert main.main(tiny_run.flags(tmp_path, **changes)) == 0
    step, params, model_state = best(tmp_path)
    assert step == 0
    _, old_params, old_model_state = best(tiny_run.workdir)
    assert_identical((params, model_state), (old_params, old_model_state))
    reports = [
        json.loads((folder / "evaluation" / "metrics.json").read_text())
        for folder in (tmp_path, tiny_run.workdir)
    ]
    assert {k: v for k, v in reports[0].items() if k != "step"} == {
        k: v for k, v in reports[1].items() if k != "step"
    }
    log = capsys.readouterr().err
    assert "Training nothing (train.epochs=0)" in log
    assert "Nothing left to train: 0 of 0 steps are done." in log


def test_the_rest_trains_and_a_resumed_run_does_not_read_the_source(
    tiny_run, tmp_path, monkeypatch, capsys
):
    source = shutil.copytree(tiny_run.workdir, tmp_path / "source")
    changes = dict(
        init_from__all=source,
        optimizer__trainable="('decoder.*', 'output/.*')",
        optimizer__weight_decay=0.1,
        train__microbatch=2,
        seed=1,
    )
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert main.main(tiny_run.flags(whole, **changes)) == 0
    assert re.search(r"Training [\d,]+ of [\d,]+ parameters", capsys.readouterr().err)
    note = hooks.Progress.on_step

    def interrupt_at_4(self, step, loss):
        note(self, step, loss)
        if step == 4:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(hooks.Progress, "on_step", interrupt_at_4)
    assert main.main(tiny_run.flags(parts, **changes)) == 130
    monkeypatch.undo()
    _, start, _ = best(source)
    shutil.rmtree(source)
    assert main.main(tiny_run.flags(parts, **changes)) == 0

    state = latest(whole)
    assert_identical(latest(parts), state)
    trained = optimizers.trained(workdir.load_config(whole).optimizer, start)
    assert 0 < len(trained) < len(jax.tree.leaves(start))
    for params in state.params:
        for name, value in optimizers.named_leaves(params).items():
            same = np.array_equal(value, optimizers.named_leaves(start)[name])
            assert same == (name not in trained), name


class Joint:
    """A network that holds another under `pose/net`, beside a part of its own."""

    def __init__(self, part):
        self.part = part

    def batch_spec(self, batch_size):
        return self.part.batch_spec(batch_size)

    def init(self, key, batch):
        params, model_state = self.part.init(key, batch)
        params = {"pose": {"net": params}, "head": {"bias": jnp.full(3, 7.0)}}
        return params, {name: {"pose": {"net": c}} for name, c in model_state.items()}


@pytest.mark.parametrize("name", ["adam", "ranger"])
def test_a_whole_network_becomes_part_of_another(tiny_run, name):
    config = workdir.load_config(tiny_run.workdir)
    mesh = sharding.create_mesh(1)
    config.seed, config.optimizer.name = 1, name
    config.init_from = {"all": "", "pose/net": str(tiny_run.workdir)}
    optimizer = optimizers.create_optimizer(config.optimizer)
    fresh = train_state.make_init(config, Joint(make_task(config)), optimizer, mesh)()
    state = init_from.load(config, fresh, mesh)
    _, params, model_state = best(tiny_run.workdir)
    copies = [(optimizers.fast_params(state.params), state.model_state)]
    if name == "ranger":
        copies.append((state.params.slow, state.slow_model_state))
    for copy, statistics in copies:
        assert_identical(copy, {"pose": {"net": params}, "head": {"bias": jnp.full(3, 7.0)}})
        assert_identical(statistics["batch_stats"]["pose"]["net"], model_state["batch_stats"])
    assert_identical(state.opt_state, fresh.opt_state)
    # A step may take over the memory of each leaf, so no two may share it.
    pointers = [leaf.unsafe_buffer_pointer() for leaf in jax.tree.leaves(state) if leaf.size > 1]
    assert len(set(pointers)) == len(pointers)


def shapes(**leaves):
    return {name: jax.ShapeDtypeStruct(shape, jnp.float32) for name, shape in leaves.items()}


@pytest.mark.parametrize(
    ("here", "there", "prefix", "words"),
    [
        ({"a": (2,), "b": (1,)}, {"a": (3,), "b": (1,)}, "all", "a is (2,) here and (3,) there"),
        ({"a": (2,)}, {"a": (2,), "b": (3,)}, "all", "params/b is missing here"),
        ({"a": (2,), "b": (1,)}, {"a": (2,)}, "all", "params/b is missing there"),
        ({"a": (2,)}, {"a": (2,)}, "pose", "params/pose/a is missing here"),
        ({"a": (2,)}, dict.fromkeys("abcdef", (2,)), "all", "params/d is missing here, ...;"),
    ],
)
def test_networks_that_differ_are_told_apart_by_name(here, there, prefix, words):
    with pytest.raises(UserError, match=re.escape(words)) as raised:
        init_from.graft(
            {"params": shapes(**here)}, {"params": shapes(**there)}, prefix, Path("/runs/pose")
        )
    assert f"init_from.{prefix}=/runs/pose is of another network" in str(raised.value)


def test_what_cannot_be_started_from_is_refused_before_data_is_read(tiny_run, tmp_path, capsys):
    empty = tmp_path / "empty"
    empty.mkdir()
    shutil.copy(tiny_run.workdir / "config.json", empty)
    other_size = "params/memory/slots is (11, "
    for changes, words in (
        (dict(init_from__all="/no/such"), ["init_from.all=/no/such", "does not exist"]),
        (dict(init_from__all=empty), [f"init_from.all={empty}", "holds no checkpoint"]),
        (
            dict(init_from__all=tiny_run.workdir, model__memory_slots=11),
            [f"init_from.all={tiny_run.workdir}", other_size, "here and (10, "],
        ),
        (dict(optimizer__trainable="('head/.*',)"), ["'head/.*'", "the network has "]),
    ):
        flags = tiny_run.flags(tmp_path / "run", data__dir=tmp_path / "prepared", **changes)
        assert main.main(flags) == 2
        error = capsys.readouterr().err
        for word in words:
            assert word in error
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "prepared").exists()


@pytest.mark.parametrize(
    ("before", "now", "allowed"),
    [("/a", "/moved", True), ("", "", True), ("", "/a", False), ("/a", "", False)],
)
def test_only_the_path_of_a_source_may_change(tmp_path, before, now, allowed):
    (tmp_path / "checkpoints/3").mkdir(parents=True)
    config = main.parse_flags(["main.py", "--config=configs/memae_ped2.py", "--workdir=x"]).config
    config.init_from.all = before
    (tmp_path / "config.json").write_text(config.to_json())
    config.init_from.all = now
    if allowed:
        workdir.record_config(config, tmp_path)
        assert json.loads((tmp_path / "config.json").read_text())["init_from"]["all"] == now
    else:
        with pytest.raises(UserError, match=r"init_from\.all was"):
            workdir.record_config(config, tmp_path)
