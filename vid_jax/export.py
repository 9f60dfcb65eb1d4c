"""A trained run as a few files that ship with the package.

python -m vid_jax.export --workdir=RUN --output=vid_jax/pretrained/NAME
"""

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np

from vid_jax import pretrained
from vid_jax.errors import UserError
from vid_jax.evaluate_lib import restore
from vid_jax.optimizers import named_leaves
from vid_jax.workdir import load_config


def export(workdir: Path, output: Path) -> Path:
    """Writes config.json, calibration.json, and the parameters and statistics of the checkpoint that is evaluated.

    Paths of the config, which mean nothing elsewhere, are left empty.

    Returns:
        The file of the parameters.

    Raises:
        UserError: the run has no checkpoint, or was not evaluated.
    """
    config = load_config(workdir)
    calibration = workdir / "calibration.json"
    if not calibration.exists():
        raise UserError(
            f"{calibration} does not exist; run --mode=evaluate --workdir={workdir} first"
        )
    model = restore(config, workdir)
    config.data.source = config.data.dir = ""
    output.mkdir(parents=True, exist_ok=True)
    variables = {"params": model.params, "model_state": model.model_state}
    leaves = named_leaves(jax.device_get(variables))
    np.savez(output / pretrained.FILE, step=model.step, **leaves)
    (output / "config.json").write_text(json.dumps(json.loads(config.to_json()), indent=1) + "\n")
    shutil.copyfile(calibration, output / calibration.name)
    return output / pretrained.FILE


def main(arguments: Sequence[str] | None = None) -> None:
    """Exports what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workdir", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    chosen = parser.parse_args(arguments)
    try:
        file = export(chosen.workdir, chosen.output)
    except UserError as error:
        sys.exit(str(error))
    print(f"{file}: {file.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
