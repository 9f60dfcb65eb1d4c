"""What the loop knows of a system: the `Task` protocol, metrics as (sum, count), and how a task is found by name."""

import importlib
import pkgutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from ml_collections import ConfigDict

from vid_jax import tasks
from vid_jax.errors import UserError
from vid_jax.report import Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Batch = dict[str, Array]
Metrics = dict[str, tuple[Array, Array]]  # name -> (sum, count)
ModelState = dict[str, Any]  # Flax collections other than params: batch_stats, constants
Summaries = dict[
    str, dict[str, Array]
]  # images: (n, h, w, c) in [0, 1] by name; histograms: values by name


class Task(Protocol):
    """One system: which network, which loss, which metrics, which figures."""

    monitor: tuple[str, str]  # the validation metric that picks the best checkpoint; 'min' or 'max'

    predicted: tuple[str, ...] | None  # the outputs of `eval_step` that `predict` needs; None: all

    def prepare(self, dataset) -> ModelState:
        """Fits constants on the training data; they become the collection `constants` of the model state."""

    def batch_spec(self, batch_size: int) -> dict[str, jax.ShapeDtypeStruct]:
        """Shapes and types of a training batch."""

    def init(self, key: jax.Array, batch: Batch) -> tuple[Any, ModelState]:
        """Initialises parameters and model state."""

    def loss(
        self, params, model_state: ModelState, batch: Batch, key: jax.Array
    ) -> tuple[Array, tuple[ModelState, Metrics]]:
        """The training loss, with the updated model state and the metrics."""

    def eval_step(
        self, params, model_state: ModelState, batch: Batch
    ) -> tuple[Metrics, dict[str, Array]]:
        """Metrics over the batch's real examples (`mask`) and small outputs for each example."""

    def evaluate(self, outputs: Iterable[dict[str, np.ndarray]], dataset) -> Report:
        """Figures of merit from the outputs of `eval_step` on the test split, in order."""

    def summaries(self, params, model_state: ModelState, batch: Batch) -> Summaries:
        """Images and histograms for TensorBoard."""

    def warnings(self, metrics: dict[str, float]) -> list[str]:
        """What a user should hear about this epoch's metrics, one line each."""

    def calibrate(self, outputs: Iterable[dict[str, np.ndarray]]) -> dict:
        """What `predict` needs to know of the outputs of training examples, as JSON."""

    def inputs(self, source: Path) -> dict[str, Path]:
        """What `predict` can be run on in a folder or file, by name.

        Raises:
            UserError: there is nothing.
        """

    def predict(
        self, eval_step, batch_size: int, source: Path, output: Path, calibration: dict
    ) -> None:
        """Runs the model on one input and writes what users want from it into the folder `output`.

        `eval_step` takes a batch of `batch_size` and returns the outputs, all NumPy.
        """

    def browse(self, dataset) -> dict[str, "Figure"]:
        """Contact sheets, by split, of what the model is fed."""


def make_task(config: ConfigDict) -> Task:
    """The task that `config.task` names: `make(config)` of the module of that name in vid_jax/tasks.

    Raises:
        UserError: there is no such module.
    """
    names = [
        m.name
        for m in pkgutil.iter_modules(tasks.__path__)
        if m.name != "base" and m.name[0] != "_"
    ]
    if config.task not in names:
        raise UserError(f"task={config.task!r} is unknown; use one of {', '.join(sorted(names))}")
    return importlib.import_module(f"vid_jax.tasks.{config.task}").make(config)


def masked(values: Array, mask: Array) -> tuple[Array, Array]:
    """(sum, count) of the values of the real examples."""
    return jnp.sum(values * mask), jnp.sum(mask)


def add_metrics(total: dict | None, new: dict) -> dict:
    """Adds (sum, count) pairs name by name."""
    if total is None:
        return new
    return {name: tuple(a + b for a, b in zip(total[name], new[name])) for name in new}


def mean_metrics(metrics: dict, prefix: str = "") -> dict[str, float]:
    """The means to show: sum / count of each pair."""
    return {
        f"{prefix}{name}": float(total) / max(float(count), 1e-12)
        for name, (total, count) in metrics.items()
    }
