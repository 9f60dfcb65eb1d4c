"""Running a trained workdir on anyone's videos or depth maps."""

import json
from pathlib import Path

from absl import logging
from ml_collections import ConfigDict

from vid_jax import pretrained
from vid_jax.errors import UserError
from vid_jax.evaluate_lib import TrainedModel, restore
from vid_jax.tasks.base import make_task


def load_model(config: ConfigDict, workdir: Path, step: int | None = None) -> TrainedModel:
    """The model of a run, or of a folder of an exported one.

    Raises:
        UserError: it is not there, or damaged.
    """
    if pretrained.is_exported(workdir):
        return pretrained.restore(config, workdir)
    return restore(config, workdir, step)


def predict(
    config: ConfigDict, workdir: Path, source: Path, output: Path, step: int | None = None
) -> None:
    """Writes a folder of results for every input of `source` into `output`.

    Args:
        config: the workdir's.
        workdir: the trained run, or a folder of an exported one.
        source: one input or a folder of them, as the task finds them.
        output: created; a single input's results go into it directly.
        step: of the checkpoint; the best by default.

    Raises:
        UserError: an input cannot be read; the others are done all the same.
    """
    inputs = make_task(config).inputs(source)
    calibration = workdir / "calibration.json"
    if not calibration.exists():
        raise UserError(
            f"{calibration} does not exist; run --mode=evaluate --workdir={workdir} first"
        )
    model = load_model(config, workdir, step)
    eval_step = model.eval_step(model.task.predicted)
    facts = json.loads(calibration.read_text())
    failures = []
    for name, path in inputs.items():
        folder = output if len(inputs) == 1 else output / name
        try:
            model.task.predict(eval_step, model.batch_size, path, folder, facts)
        except UserError as error:
            failures.append(str(error))
            logging.warning("%s", error)
    if failures:
        raise UserError(f"{len(failures)} of {len(inputs)} inputs failed; the first: {failures[0]}")
