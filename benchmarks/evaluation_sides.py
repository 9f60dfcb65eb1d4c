"""Passes over the test split of a config with data. They import TensorFlow, which reads it."""

from collections import deque
from collections.abc import Callable
from pathlib import Path

from benchmarks import ours
from vid_jax import evaluate_lib
from vid_jax.checkpoints import Checkpoints
from vid_jax.input_pipeline import create_dataset


def whole(config: str) -> Callable[[], object]:
    """From an untrained checkpoint to the written report: calibration, scores, baselines, figures of merit."""
    experiment = ours.assemble(config)
    workdir = Path(experiment.config.data.source).parent / "run"
    with Checkpoints(workdir) as checkpoints:
        checkpoints.save(0, experiment.init(), {}, monitor=0.0)
    return lambda: evaluate_lib.evaluate(experiment.config, workdir)


def scores_of_stored_frames(config: str) -> Callable[[], object]:
    """From the frame store to scores and error maps, compiled beforehand: what grows with the video."""
    eval_step, dataset = _eval_step_and_dataset(config)
    return lambda: deque(map(eval_step, dataset.eval_batches("test")), maxlen=0)


def scores_of_windows_in_memory(config: str) -> Callable[[], object]:
    """The same without reading."""
    eval_step, dataset = _eval_step_and_dataset(config)
    batches = list(dataset.eval_batches("test"))
    return lambda: deque(map(eval_step, batches), maxlen=0)


def _eval_step_and_dataset(config: str):
    experiment = ours.assemble(config)
    dataset = create_dataset(experiment.config, experiment.config.train.batch_size)
    return experiment.untrained_model().eval_step(), dataset
