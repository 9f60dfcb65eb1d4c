"""The table of joint models: that every row starts from parts of its own kind, and what is made of the figures."""

import json
import subprocess
from pathlib import Path

import pytest

from benchmarks.pose_action_table import PARTS, ROWS, Runs, summary
from vid_jax import init_from, workdir
from vid_jax.command_line import parse_flags
from vid_jax.tasks.base import make_task
from vid_jax.train_state import abstract_variables

FIGURES = {"mean_error_mm": 20.0, "top1_accuracy": 0.5, "top3_accuracy": 0.75}


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """Whose commands are read and recorded, but train nothing."""
    configs = {}

    def record(command):
        flags = parse_flags(command[1:])
        make_task(flags.config)
        folder = Path(flags.workdir)
        (folder / "evaluation").mkdir(parents=True)
        workdir.record_config(flags.config, folder)
        (folder / "evaluation/metrics.json").write_text(json.dumps(FIGURES))
        configs[folder] = flags.config
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", record)
    return Runs(tmp_path, ["--config.train.epochs=2"]), configs


@pytest.mark.parametrize("name", ROWS)
def test_rows_start_from_their_parts(name, runs):
    runs, configs = runs
    assert runs.joint(name, 1) == FIGURES
    config = configs[runs.workdir(name, 1)]
    untrained = "untrained" in name
    assert config.train.epochs == (0 if untrained else 2)
    assert config.seed == 1
    assert {*ROWS[name].sources.values()} <= PARTS.keys()
    assert runs.joint(name, 1) == FIGURES  # read again
    here = variables(config)
    for part, source in config.init_from.items():
        if source:
            here = init_from.graft(here, variables(configs[Path(source)]), part, source)


def variables(config):
    params, model_state = abstract_variables(config, make_task(config))
    return {"params": params, **model_state}


def test_summary_has_mean_and_spread():
    results = [FIGURES, FIGURES | {"mean_error_mm": 22.0}]
    row = summary("boosting", results)
    assert (row["code"], row["seeds"], row["mm"], row["mm, all"]) == ("11d", 2, 21.0, [20.0, 22.0])
    assert row["mm +-"] == pytest.approx(2**0.5)
    assert row["top-1 +-"] == 0
    assert summary("boosting", results[:1])["mm +-"] is None
