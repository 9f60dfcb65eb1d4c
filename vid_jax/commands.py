"""What `main.py` can be asked to do, each a function of a config and folders.

What can be found wrong without TensorFlow is found before it is imported.
"""

import contextlib
import os
from pathlib import Path

import jax
from absl import logging
from ml_collections import ConfigDict

from vid_jax import (
    evaluate_lib,
    hooks,
    init_from,
    logs,
    optimizers,
    predict_lib,
    train_lib,
    workdir,
)
from vid_jax.checkpoints import Checkpoints
from vid_jax.errors import UserError
from vid_jax.input_pipeline import check_source, create_dataset
from vid_jax.tasks.base import make_task
from vid_jax.train_state import abstract_variables


def initialize_processes() -> None:
    """Joins the other processes of a multi-host run.

    JAX finds them from the cluster's environment; where there is none to ask, from the variables
    JAX_COORDINATOR_ADDRESS (host:port of process 0), JAX_NUM_PROCESSES and JAX_PROCESS_ID.
    """
    numbers = (os.environ.get(name) for name in ("JAX_NUM_PROCESSES", "JAX_PROCESS_ID"))
    num_processes, process_id = (None if number is None else int(number) for number in numbers)
    jax.distributed.initialize(num_processes=num_processes, process_id=process_id)


def train(config: ConfigDict, folder: Path) -> None:
    """Trains or resumes, then evaluates the best checkpoint."""
    if config.train.epochs_of:
        config.train.epochs = chosen_epochs(Path(config.train.epochs_of))
    check(config)
    if not workdir.has_checkpoints(folder):
        init_from.check(config)
    with contextlib.ExitStack() as stack:
        if jax.process_index() == 0:
            stack.enter_context(workdir.hold(folder))
            stack.enter_context(logs.to_file(folder / "run.log"))
            workdir.record_config(config, folder)
        log_devices()
        train_lib.train(config, folder)
        evaluate_lib.evaluate(config, folder)


def chosen_epochs(folder: Path) -> int:
    """After how many epochs the validation of a workdir's run was best.

    Raises:
        UserError: the run has no validated checkpoint.
    """
    mode = make_task(workdir.load_config(folder)).monitor[1]
    with Checkpoints(folder, mode) as checkpoints:
        best = checkpoints.best_step()
    for row in hooks.read_log(folder / "train_log.csv"):
        if int(row["step"]) == best:
            logging.info("train.epochs=%s, as the validation of %s chose.", row["epoch"], folder)
            return int(row["epoch"])
    raise UserError(f"train.epochs_of={folder} holds no validated checkpoint; train it first")


def evaluate(config: ConfigDict, folder: Path, step: int | None) -> None:
    """Evaluates a checkpoint of a workdir."""
    check(config)
    if not folder.is_dir():
        raise UserError(f"--workdir={folder} does not exist; train first")
    with logs.to_file(folder / "run.log"):
        log_devices()
        evaluate_lib.evaluate(config, folder, step)


def predict(
    config: ConfigDict,
    folder: Path,
    source: Path,
    output: Path,
    step: int | None,
    camera: str | None,
) -> None:
    """Runs a workdir's model on videos or depth maps."""
    if camera:
        if "predict" not in config:
            raise UserError(f"--camera={camera}: {config.task} needs no camera")
        config.predict.camera = camera
    make_task(config)
    log_devices()
    predict_lib.predict(config, folder, source, output, step)


def browse(config: ConfigDict, output: Path) -> None:
    """Writes contact sheets of what the model is fed."""
    check(config)
    output.mkdir(parents=True, exist_ok=True)
    dataset = create_dataset(config, train_lib.global_batch_size(config))
    for name, figure in make_task(config).browse(dataset).items():
        path = output / f"browse_{name}.png"
        figure.savefig(path, dpi=110)
        logging.info("Wrote %s", path)


def check(config: ConfigDict) -> None:
    """Finds what is wrong with a config.

    Raises:
        UserError: it names the key.
    """
    task = make_task(config)
    optimizers.create_optimizer(config.optimizer)
    if optimizers.freezes(config.optimizer):
        params, _ = abstract_variables(config, task)
        optimizers.trained(config.optimizer, params)
    train_lib.examples_per_pass(config, train_lib.global_batch_size(config))
    check_source(config)


def log_devices() -> None:
    """Says what the run will run on."""
    logging.info(
        "JAX %s on %d %s device(s), process %d of %d.",
        jax.__version__,
        jax.device_count(),
        jax.default_backend(),
        jax.process_index() + 1,
        jax.process_count(),
    )
