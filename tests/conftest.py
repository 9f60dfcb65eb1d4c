"""What tests of several parts share: one compilation cache, and a tiny run through the command line."""

import dataclasses
import json
import os
from pathlib import Path

# Tiny networks compile for longer than they run. XLA reads this when JAX first computes.
os.environ["XLA_FLAGS"] = " ".join(
    [os.environ.get("XLA_FLAGS", ""), "--xla_backend_optimization_level=0"]
)

import jax
import pytest
from tiny_data import write_ped

import main

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(scope="session", autouse=True)
def compilation_cache(tmp_path_factory):
    """The same tiny networks are compiled again and again."""
    folder = tmp_path_factory.mktemp("jax_cache")
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    return folder


@dataclasses.dataclass(frozen=True)
class TinyRun:
    """A folder of data and the flags of a run that takes seconds: 11 windows, 4 a step, 3 steps an epoch."""

    data: Path
    workdir: Path

    def flags(self, workdir: Path | None = None, **changes) -> list[str]:
        """The command line's arguments; changes are config keys with __ for the dot, None to leave out."""
        keys = {
            "data.source": self.data / "ped",
            "data.dir": self.data / "prepared",
            "data.frame_size": "(16, 16)",
            "data.num_frames": 4,
            "model.width": 1 / 32,
            "model.memory_slots": 10,
            "model.shrink_threshold": 0.05,
            "optimizer.learning_rate": 1e-3,
            "train.epochs": 2,
            "train.batch_size": 4,
            "eval.slow_batches": 2,
        }
        keys |= {key.replace("__", "."): value for key, value in changes.items()}
        return [
            "main.py",
            f"--config={REPOSITORY / 'configs' / 'memae_ped2.py'}",
            f"--workdir={workdir or self.workdir}",
            *(f"--config.{key}={value}" for key, value in keys.items() if value is not None),
        ]

    def metrics(self, workdir: Path | None = None) -> dict[str, float]:
        """The evaluation's numbers."""
        return json.loads(((workdir or self.workdir) / "evaluation/metrics.json").read_text())


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory) -> TinyRun:
    """A finished run on a tiny data set in Ped2's format. Do not change it."""
    folder = tmp_path_factory.mktemp("tiny_run")
    write_ped(folder / "ped")
    run = TinyRun(folder, folder / "run")
    assert main.main(run.flags()) == 0
    return run
