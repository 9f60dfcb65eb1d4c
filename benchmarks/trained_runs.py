"""Trainings through main.py in processes of their own, whose figures are read again where they are there already."""

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from vid_jax.errors import UserError

_MAIN = Path(__file__).parents[1] / "main.py"


def metrics_of(workdir: Path, flags: Sequence[str]) -> dict[str, float]:
    """The test figures of a run, trained with these flags of main.py where they are not there yet.

    Raises:
        UserError: the training failed.
    """
    metrics = workdir / "evaluation" / "metrics.json"
    if not metrics.exists():
        command = [sys.executable, str(_MAIN), f"--workdir={workdir}", *flags]
        start = time.monotonic()
        if subprocess.run(command).returncode:
            raise UserError(f"{workdir}: the training failed, see above")
        print(f"{workdir.name}: {time.monotonic() - start:.0f} s", flush=True)
    return json.loads(metrics.read_text())


def key_flags(changes: Mapping[str, object]) -> list[str]:
    """The flags that set keys of a config."""
    return [f"--config.{key}={value}" for key, value in changes.items()]
