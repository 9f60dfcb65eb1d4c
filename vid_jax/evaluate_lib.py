"""Evaluating a workdir: its best checkpoint on the test split, and what `predict` needs of the training split."""

import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from absl import logging
from ml_collections import ConfigDict

from vid_jax import sharding, train_lib
from vid_jax.hooks import read_log
from vid_jax.report import Report, format_table, write_report
from vid_jax.tasks.base import ModelState, Task, make_task
from vid_jax.train_state import restore_evaluated

CALIBRATION_EXAMPLES = 256


@dataclasses.dataclass(frozen=True)
class TrainedModel:
    """A task with the parameters of a checkpoint."""

    task: Task
    step: int
    params: Any
    model_state: ModelState
    mesh: jax.sharding.Mesh
    batch_size: int

    def outputs(self, batches: Iterator[dict[str, np.ndarray]]) -> Iterator[dict[str, np.ndarray]]:
        """What `eval_step` gives, for the real examples only."""
        eval_step = self.eval_step()
        for batch in batches:
            outputs = eval_step(batch)
            real = outputs["mask"] > 0
            yield {name: array[real] for name, array in outputs.items()}

    def eval_step(
        self, names: Sequence[str] | None = None
    ) -> Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]:
        """The compiled function from this process's batches to outputs and small inputs of all.

        With `names` only these outputs, and nothing that they do not need is computed.
        """

        @jax.jit
        def step(params, model_state, batch):
            _, outputs = self.task.eval_step(params, model_state, batch)
            outputs = {name: outputs[name] for name in names or outputs}
            per_example = {k: v for k, v in batch.items() if getattr(v, "ndim", None) == 1}
            return outputs | per_example

        return lambda batch: sharding.to_host(
            step(self.params, self.model_state, sharding.put_batch(batch, self.mesh))
        )


def restore(config: ConfigDict, workdir: Path, step: int | None = None) -> TrainedModel:
    """The model of a workdir's best checkpoint, or of a given step.

    Raises:
        UserError: there is no checkpoint, or it is damaged.
    """
    batch_size = train_lib.examples_per_pass(config, train_lib.global_batch_size(config))
    mesh = sharding.create_mesh(batch_size)
    task = make_task(config)
    step, params, model_state = restore_evaluated(config, task, workdir, mesh, step)
    return TrainedModel(task, step, params, model_state, mesh, batch_size)


def evaluate(config: ConfigDict, workdir: Path, step: int | None = None) -> Report:
    """Evaluates on the test split and writes `evaluation/` and `calibration.json` of the workdir.

    Raises:
        UserError: see `restore`, and the data set.
    """
    from vid_jax.input_pipeline import create_dataset
    from vid_jax.learning_curves import learning_curves

    model = restore(config, workdir, step)
    dataset = create_dataset(config, train_lib.global_batch_size(config))
    logging.info("Evaluating the checkpoint of step %d.", model.step)
    every = max(1, dataset.info.num_examples["train"] // CALIBRATION_EXAMPLES)
    calibration = model.task.calibrate(
        model.outputs(dataset.eval_batches("train", model.batch_size, every))
    )
    report = model.task.evaluate(
        model.outputs(dataset.eval_batches("test", model.batch_size)), dataset
    )
    log = read_log(workdir / "train_log.csv")
    curves = learning_curves(log, model.task.monitor[0], model.step)
    report = dataclasses.replace(
        report,
        scalars={"step": model.step} | report.scalars,
        figures=report.figures | ({"Learning curves": curves} if curves else {}),
    )
    if jax.process_index() > 0:
        return report
    (workdir / "calibration.json").write_text(json.dumps(calibration, indent=1) + "\n")
    folder = workdir / "evaluation"
    title = f"{config.task} on {dataset.info.name}"
    note = (
        f"Step {model.step} of {workdir.name}, {dataset.info.description}; settings in config.json."
    )
    write_report(report, folder, title, [note])
    for name, table in report.tables.items():
        logging.info("%s: %s\n%s", title, name.lower(), format_table(table))
    logging.info("Report: %s", folder / "index.html")
    return report
