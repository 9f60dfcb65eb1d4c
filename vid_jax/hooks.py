"""What happens beside the optimisation: early stopping, the plateau of the learning rate, the logs, progress.

The loop calls every hook of one list and knows none of them. The schedule itself is in `optimizers`, the best
checkpoint, which holds the hooks' state too, in `checkpoints`.
"""

import csv
import dataclasses
import math
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from absl import logging
from ml_collections import ConfigDict
from tqdm import tqdm


@dataclasses.dataclass(frozen=True)
class Epoch:
    """What is known when an epoch has ended and its state has been validated."""

    number: int  # of epochs finished
    step: int  # of steps finished
    metrics: dict[str, float]  # train/..., val/..., learning_rate, examples_per_second
    monitor: float  # the value that picks the best checkpoint


class Hook:
    """What the loop calls and reads; a hook defines what it needs of it."""

    name = ""  # of its state in the checkpoint
    stop = False  # ends the training
    learning_rate_scale = 1.0  # times the schedule

    def on_step(self, step: int, loss: float) -> None:
        """`step` steps are finished."""

    def on_epoch(self, epoch: Epoch) -> None:
        """An epoch has ended."""

    def state(self) -> dict:
        """What survives a resume, as JSON."""
        return {}

    def restore(self, state: dict) -> None:
        """Takes up a `state`."""

    def close(self) -> None:
        """The training has ended, in whatever way."""


def create_steering(config: ConfigDict, mode: str) -> list[Hook]:
    """The hooks that act on the training; `mode` says whether the monitored metric is best at its 'min' or 'max'."""
    train, optimizer = config.train, config.optimizer
    steering: list[Hook] = [
        EarlyStopping(train.early_stopping_patience, train.early_stopping_min_delta, mode)
    ]
    if optimizer.schedule == "plateau":
        floor = optimizer.min_learning_rate / optimizer.learning_rate
        steering.append(
            Plateau(
                optimizer.plateau_patience,
                optimizer.plateau_min_delta,
                optimizer.decay_rate,
                floor,
                mode,
            )
        )
    return steering


def states(hooks: Iterable[Hook]) -> dict[str, dict]:
    """The states of those that have one, by name."""
    return {hook.name: hook.state() for hook in hooks if hook.name}


def restore(hooks: Iterable[Hook], meta: dict) -> None:
    """Restores the hooks whose states a checkpoint's `meta` holds."""
    for hook in hooks:
        if hook.name in meta:
            hook.restore(meta[hook.name])


def read_log(path: Path) -> list[dict[str, str]]:
    """The rows of a train_log.csv; none where there is no file."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [*csv.DictReader(file)]


class CsvLog(Hook):
    """train_log.csv: one row an epoch; rows after the step that a run resumes from are dropped."""

    def __init__(self, path: Path, resumed_step: int):
        self._path = path
        if path.exists():
            self._write([row for row in read_log(path) if int(row["step"]) <= resumed_step])

    def on_epoch(self, epoch: Epoch) -> None:
        row = {"step": epoch.step, "epoch": epoch.number} | epoch.metrics
        if self._path.exists():
            with self._path.open("a", newline="") as file:
                csv.DictWriter(file, row).writerow(row)
        else:
            self._write([row])

    def _write(self, rows: list[dict]) -> None:
        if not rows:
            self._path.unlink(missing_ok=True)
            return
        partial = self._path.with_suffix(".csv.partial")
        with partial.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
        partial.replace(self._path)


class SummaryLog(Hook):
    """Scalars of every epoch to TensorBoard."""

    def __init__(self, writer):
        self._writer = writer

    def on_epoch(self, epoch: Epoch) -> None:
        self._writer.scalars(epoch.step, epoch.metrics)


class _EpochsWithoutImprovement:
    """Counts the epochs since the monitored value last improved by more than `min_delta`."""

    def __init__(self, min_delta: float, mode: str):
        self._min_delta = min_delta
        self._sign = 1 if mode == "min" else -1
        self._best = math.inf
        self.count = 0

    def add(self, monitor: float) -> int:
        value = self._sign * monitor
        if value < self._best - self._min_delta:
            self._best, self.count = value, 0
        else:
            self.count += 1
        return self.count

    def state(self) -> dict:
        best = None if math.isinf(self._best) else self._best
        return {"best": best, "epochs_without": self.count}

    def restore(self, state: dict) -> None:
        self._best = math.inf if state["best"] is None else state["best"]
        self.count = state["epochs_without"]


class EarlyStopping(Hook):
    """Asks to stop after `patience` epochs without an improvement of more than `min_delta`; 0: never."""

    name = "early_stopping"

    def __init__(self, patience: int, min_delta: float, mode: str):
        self._patience = patience
        self._epochs = _EpochsWithoutImprovement(min_delta, mode)

    def on_epoch(self, epoch: Epoch) -> None:
        self._epochs.add(epoch.monitor)
        if self.stop:
            logging.info("Stopped early: %d epochs without improvement.", self._patience)

    @property
    def stop(self) -> bool:
        return 0 < self._patience <= self._epochs.count

    def state(self) -> dict:
        return self._epochs.state()

    def restore(self, state: dict) -> None:
        self._epochs.restore(state)


class Plateau(Hook):
    """Multiplies the learning rate by `decay_rate` after every `patience` epochs without an improvement of more than
    `min_delta`, down to `floor` times its first value."""

    name = "plateau"

    def __init__(self, patience: int, min_delta: float, decay_rate: float, floor: float, mode: str):
        self.learning_rate_scale = 1.0
        self._patience = patience
        self._decay_rate = decay_rate
        self._floor = floor
        self._epochs = _EpochsWithoutImprovement(min_delta, mode)

    def on_epoch(self, epoch: Epoch) -> None:
        if self._epochs.add(epoch.monitor) < self._patience:
            return
        self._epochs.count = 0
        self.learning_rate_scale = max(self.learning_rate_scale * self._decay_rate, self._floor)
        logging.info(
            "%d epochs without improvement: the learning rate is now %.3g times its first value.",
            self._patience,
            self.learning_rate_scale,
        )

    def state(self) -> dict:
        return self._epochs.state() | {"learning_rate_scale": self.learning_rate_scale}

    def restore(self, state: dict) -> None:
        self._epochs.restore(state)
        self.learning_rate_scale = state["learning_rate_scale"]


class Progress(Hook):
    """A bar on a terminal, a line now and then elsewhere; after ten steps, how long the whole will take."""

    ESTIMATE_AFTER_STEPS = 10
    ESTIMATE_AFTER_SECONDS = 60.0
    SECONDS_BETWEEN_LINES = 30.0

    def __init__(self, first_step: int, total_steps: int, steps_per_epoch: int, batch_size: int):
        self._first, self._total = first_step, total_steps
        self._steps_per_epoch, self._batch_size = steps_per_epoch, batch_size
        self._bar = tqdm(
            total=total_steps, initial=first_step, unit="step", disable=not sys.stderr.isatty()
        )
        self._start = self._last_line = None
        self._estimated = False

    def on_step(self, step: int, loss: float) -> None:
        # The first of this run, which warms up, is not timed.
        now = time.monotonic()
        if self._start is None:
            self._start, self._first, self._last_line = now, step, now
            self._bar.update(1)
            return
        done = step - self._first
        seconds_per_step = (now - self._start) / done
        left = (self._total - step) * seconds_per_step
        rate = self._batch_size / seconds_per_step
        self._bar.set_postfix_str(f"loss {loss:.5f}, {rate:.1f} examples/s", refresh=False)
        self._bar.update(1)
        if not self._estimated and (
            done >= self.ESTIMATE_AFTER_STEPS - 1 or now - self._start > self.ESTIMATE_AFTER_SECONDS
        ):
            self._estimated = True
            logging.info(
                "A step takes %s, %.2f examples/s: the remaining %d steps will take %s.",
                duration(seconds_per_step),
                rate,
                self._total - step,
                duration(left),
            )
        if self._bar.disable and now - self._last_line > self.SECONDS_BETWEEN_LINES:
            self._last_line = now
            logging.info(
                "Step %d of %d, epoch %.2f: loss %.5f, %.2f examples/s, %s left.",
                step,
                self._total,
                step / self._steps_per_epoch,
                loss,
                rate,
                duration(left),
            )

    def close(self) -> None:
        self._bar.close()


def duration(seconds: float) -> str:
    """A time to read: '0.42 s', '3 min 20 s', '5 h 12 min', '21 days'."""
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = seconds / 60
    if minutes < 60:
        return f"{int(minutes)} min {int(seconds % 60)} s"
    if minutes < 48 * 60:
        return f"{int(minutes // 60)} h {int(minutes % 60)} min"
    return f"{minutes / 60 / 24:.0f} days"
