"""The loop: exact resume, devices, microbatches, early stopping, and what ends a run."""

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

import main
from configs.memae_ped2 import get_config
from vid_jax import hooks, optimizers, sharding, train_lib, train_state
from vid_jax.checkpoints import Checkpoints
from vid_jax.tasks.base import make_task

REPOSITORY = Path(__file__).parents[1]


def final_state(config_flags, workdir):
    """The latest checkpoint's state as host arrays."""
    config = main.parse_flags(config_flags).config
    mesh = sharding.create_mesh(config.train.batch_size)
    task = make_task(config)
    optimizer = optimizers.create_optimizer(config.optimizer)
    abstract = train_state.abstract(train_state.make_init(config, task, optimizer, mesh), mesh)
    with Checkpoints(workdir) as checkpoints:
        step, state, _ = checkpoints.restore_latest(abstract)
    return step, jax.device_get(state)


def assert_identical(a, b):
    assert a[0] == b[0]
    jax.tree.map(np.testing.assert_array_equal, a[1], b[1])


def losses(workdir):
    with (workdir / "train_log.csv").open(newline="") as file:
        return [
            [float(row[c]) for c in ("train/loss", "val/loss", "val_slow/loss")]
            for row in csv.DictReader(file)
        ]


def rows(workdir):
    """train_log.csv as text, without the throughput."""
    with (workdir / "train_log.csv").open(newline="") as file:
        return [
            {name: text for name, text in row.items() if name != "examples_per_second"}
            for row in csv.DictReader(file)
        ]


def interrupt_at(step_to_stop, monkeypatch):
    """From now on a run gets SIGTERM when it learns of this step's metrics, one step later."""
    note = hooks.Progress.on_step

    def on_step(self, step, loss):
        note(self, step, loss)
        if step == step_to_stop:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(hooks.Progress, "on_step", on_step)


def run_python(code, *arguments, **environment):
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=REPOSITORY,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=600,
    )


KILL_AT_STEP_5 = """
import os, pathlib, signal, sys, time
from vid_jax import hooks
checkpoint = pathlib.Path(sys.argv[2].removeprefix("--workdir=")) / "checkpoints/3"
take_note = hooks.Progress.on_step
def kill_at_5(self, step, loss):
    take_note(self, step, loss)
    if step == 5:
        while not checkpoint.exists():  # it is written while training goes on
            time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGKILL)
hooks.Progress.on_step = kill_at_5
import main
main.main(sys.argv)
"""


def test_killed_run_resumes_bit_for_bit(tiny_run, tmp_path, compilation_cache):
    """The run dies at step 5 of 6; its last checkpoint is that of step 3; its lock dies with it."""
    flags = tiny_run.flags(tmp_path)
    killed = run_python(
        KILL_AT_STEP_5, *flags[1:], JAX_COMPILATION_CACHE_DIR=str(compilation_cache)
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert final_state(flags, tmp_path)[0] == 3
    assert main.main(flags) == 0
    assert_identical(final_state(flags, tmp_path), final_state(flags, tiny_run.workdir))
    assert losses(tmp_path) == losses(tiny_run.workdir)


def test_interrupt_saves_and_the_same_command_goes_on(tiny_run, tmp_path, monkeypatch, capsys):
    flags = tiny_run.flags(tmp_path)
    interrupt_at(4, monkeypatch)
    assert main.main(flags) == 130
    assert "Stopped after step 5 of 6; the same command goes on" in capsys.readouterr().err
    monkeypatch.undo()
    assert main.main(flags) == 0
    assert_identical(final_state(flags, tmp_path), final_state(flags, tiny_run.workdir))
    # The epoch that was interrupted counts all its steps.
    assert losses(tmp_path) == losses(tiny_run.workdir)


def test_resumes_in_the_middle_of_patience_and_plateau(tiny_run, tmp_path, monkeypatch):
    """No epoch counts as an improvement but the first; the rate falls after epoch 3, the run ends after epoch 5.

    It is interrupted in epoch 3, one epoch into both patiences, and in epoch 5, at the lowered rate.
    """
    changes = dict(
        train__epochs=9,
        train__early_stopping_patience=4,
        train__early_stopping_min_delta=10.0,
        optimizer__schedule="plateau",
        optimizer__plateau_patience=2,
        optimizer__plateau_min_delta=10.0,
    )
    whole, parts = (
        tiny_run.flags(tmp_path / "a", **changes),
        tiny_run.flags(tmp_path / "b", **changes),
    )
    assert main.main(whole) == 0
    for step in (7, 12):
        interrupt_at(step, monkeypatch)
        assert main.main(parts) == 130
        monkeypatch.undo()
    assert main.main(parts) == 0
    rates = [float(row["learning_rate"]) for row in rows(tmp_path / "a")]
    np.testing.assert_allclose(rates, [1e-3, 1e-3, 1e-3, 1e-4, 1e-4], rtol=1e-6)
    assert rows(tmp_path / "b") == rows(tmp_path / "a")
    assert_identical(final_state(parts, tmp_path / "b"), final_state(whole, tmp_path / "a"))


def test_losses_do_not_depend_on_the_number_of_devices(tiny_run, tmp_path):
    """Six simulated devices, of which a batch of 6 uses all and one of 4 would use four."""
    changes = dict(train__batch_size=6, model__encoder_drop_rates=(0.5, 0.5, 0.0, 0.0))
    one, six = tmp_path / "one", tmp_path / "six"
    assert main.main(tiny_run.flags(one, **changes)) == 0
    code = "import main, sys; sys.exit(main.main(sys.argv))"
    result = run_python(
        code,
        *tiny_run.flags(six, **changes)[1:],
        XLA_FLAGS=os.environ["XLA_FLAGS"] + " --xla_force_host_platform_device_count=6",
    )
    assert result.returncode == 0, result.stderr
    assert "on 6 cpu device(s)" in result.stderr
    np.testing.assert_allclose(losses(six), losses(one), rtol=2e-4)
    for key in ("auc_micro_raw", "pixel_auroc"):
        assert tiny_run.metrics(six)[key] == pytest.approx(tiny_run.metrics(one)[key], abs=0.02)


def test_microbatches_give_the_same_mean_gradient():
    """With BatchNorm on fixed statistics a step in four passes is the step in one."""
    config = get_config()
    config.data.frame_size, config.data.num_frames = (16, 16), 4
    config.model.width, config.model.memory_slots = 1 / 32, 10
    config.model.encoder_drop_rates = config.model.decoder_drop_rates = (0.0,) * 4
    config.train.batch_size = 4
    config.optimizer.name = "sgd"
    task = make_task(config)
    mesh = sharding.create_mesh(1)
    optimizer = optimizers.create_optimizer(config.optimizer)
    state = train_state.make_init(config, task, optimizer, mesh)()

    class InEvaluationMode:
        """The task's loss without BatchNorm's dependence on the batch."""

        def loss(self, params, model_state, batch, key):
            mask = np.ones(len(batch["video"]), np.float32)
            metrics, _ = task.eval_step(params, model_state, {**batch, "mask": mask})
            return metrics["loss"][0] / metrics["loss"][1], (model_state, metrics)

    video = np.random.default_rng(0).integers(0, 256, (4, 4, 16, 16, 1), dtype=np.uint8)
    results = [
        jax.jit(train_lib.make_train_step(config, InEvaluationMode(), optimizer, passes, mesh))(
            state, {"video": video}
        )
        for passes in (1, 4)
    ]
    (whole, whole_metrics), (parts, parts_metrics) = results
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-7), whole.params, parts.params
    )
    np.testing.assert_allclose(whole_metrics["loss"], parts_metrics["loss"], rtol=1e-5)


def test_microbatches_of_pseudo_anomalies_train_through_main(tiny_run, tmp_path, capsys):
    changes = dict(train__microbatch=2, train__epochs=1, eval__params="slow")
    changes["data__pseudo_anomaly_probability"] = 0.5
    assert main.main(tiny_run.flags(tmp_path, **changes)) == 0
    assert "in 2 pass(es)" in capsys.readouterr().err


def test_pseudo_anomalies_with_a_margin_train_through_main(tiny_run, tmp_path):
    changes = dict(train__microbatch=2, train__epochs=1, eval__params="slow")
    changes |= dict(data__pseudo_anomaly_probability=0.5, data__pseudo_anomaly_margin=1.0)
    assert main.main(tiny_run.flags(tmp_path, **changes)) == 0
    (row,) = csv.DictReader((tmp_path / "train_log.csv").read_text().splitlines())
    assert float(row["train/reconstruction"]) > 0
    assert float(row["train/reconstruction_of_pseudo_anomalies"]) > 0
    assert "val/reconstruction_of_pseudo_anomalies" not in row


def test_overfits_one_batch():
    config = get_config()
    config.data.frame_size, config.data.num_frames = (16, 16), 8
    config.model.width, config.model.memory_slots = 1 / 8, 50
    config.model.encoder_drop_rates = config.model.decoder_drop_rates = (0.0,) * 4
    config.train.batch_size = 2
    config.optimizer.name, config.optimizer.learning_rate = "adam", 3e-3
    task = make_task(config)
    mesh = sharding.create_mesh(2)
    optimizer = optimizers.create_optimizer(config.optimizer)
    init = train_state.make_init(config, task, optimizer, mesh)
    step = train_lib.compile_train_step(
        config, task, optimizer, mesh, train_state.abstract(init, mesh)
    )
    state = init()
    ramp = np.linspace(0, 255, 16, dtype=np.uint8)
    video = np.stack([np.broadcast_to(r[None, :, None], (8, 16, 16)) for r in (ramp, ramp[::-1])])
    batch = sharding.put_batch({"video": video[..., None]}, mesh)
    values = []
    for _ in range(150):
        state, metrics = step(state, batch)
        values.append(float(metrics["reconstruction"][0] / metrics["reconstruction"][1]))
    assert values[-1] < 0.02 * values[0]


def test_early_stopping_ends_the_run_and_stays_ended(tiny_run, tmp_path, capsys):
    changes = dict(
        train__epochs=9, train__early_stopping_patience=1, train__early_stopping_min_delta=10.0
    )
    for _ in range(2):
        assert main.main(tiny_run.flags(tmp_path, **changes)) == 0
        assert len(losses(tmp_path)) == 2
    log = capsys.readouterr().err
    assert "Stopped early: 1 epochs without improvement." in log
    assert "Nothing left to train: 6 of 27 steps are done." in log


def test_statistics_of_slow_parameters_are_recomputed(tiny_run):
    """After step 6 fast and slow are in step, so their losses differ by the statistics alone."""
    rows = losses(tiny_run.workdir)
    _, state = final_state(tiny_run.flags(), tiny_run.workdir)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7),
        state.params.fast,
        state.params.slow,
    )
    statistics = [
        state.model_state["batch_stats"]["encoder_0"],
        state.slow_model_state["batch_stats"]["encoder_0"],
    ]
    means = [s["BatchNorm_0"]["var"] for s in statistics]
    # Running statistics start at 1 and have seen 6 batches; recomputed ones have forgotten the start.
    np.testing.assert_allclose(means[0] - 0.9**6, (1 - 0.9**6) * means[1], rtol=0.5, atol=0.05)
    assert rows[-1][1] != rows[-1][2]


def test_a_batch_that_devices_do_not_divide_uses_fewer_of_them():
    mesh = sharding.create_mesh(7)
    assert 7 % mesh.size == 0
