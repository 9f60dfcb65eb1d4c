"""What happens beside the optimisation: progress, the CSV and TensorBoard logs, early stopping."""

import csv
import dataclasses
import math
import sys
import time
from pathlib import Path
from typing import Protocol

from absl import logging
from tqdm import tqdm


@dataclasses.dataclass(frozen=True)
class Epoch:
    """What is known when an epoch has ended and its state has been validated."""

    number: int  # of epochs finished
    step: int  # of steps finished
    metrics: dict[str, float]  # train/..., val/..., learning_rate, examples_per_second
    monitor: float  # the value that picks the best checkpoint


class Hook(Protocol):
    """Called at the end of every epoch. Its state is a JSON dict that survives a resume."""

    def on_epoch(self, epoch: Epoch) -> None: ...
    def state(self) -> dict: ...
    def restore(self, state: dict) -> None: ...


class CsvLog:
    """train_log.csv: one row an epoch; rows after the step that a run resumes from are dropped."""

    def __init__(self, path: Path, resumed_step: int):
        self._path = path
        if path.exists():
            with path.open(newline="") as file:
                rows = [row for row in csv.DictReader(file) if int(row["step"]) <= resumed_step]
            self._write(rows)

    def on_epoch(self, epoch: Epoch) -> None:
        row = {"step": epoch.step, "epoch": epoch.number} | epoch.metrics
        if self._path.exists():
            with self._path.open("a", newline="") as file:
                csv.DictWriter(file, row).writerow(row)
        else:
            self._write([row])

    def state(self) -> dict:
        return {}

    def restore(self, state: dict) -> None:
        pass

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


class EarlyStopping:
    """Asks to stop after `patience` epochs without an improvement of more than `min_delta`."""

    def __init__(self, patience: int, min_delta: float, mode: str):
        self.patience = patience
        self.min_delta = min_delta
        self._sign = 1 if mode == "min" else -1
        self._best = math.inf
        self._epochs_without = 0

    def on_epoch(self, epoch: Epoch) -> None:
        value = self._sign * epoch.monitor
        if value < self._best - self.min_delta:
            self._best, self._epochs_without = value, 0
        else:
            self._epochs_without += 1

    @property
    def stop(self) -> bool:
        return 0 < self.patience <= self._epochs_without

    def state(self) -> dict:
        best = None if math.isinf(self._best) else self._best
        return {"best": best, "epochs_without": self._epochs_without}

    def restore(self, state: dict) -> None:
        self._best = math.inf if state["best"] is None else state["best"]
        self._epochs_without = state["epochs_without"]


class Progress:
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
        """`step` steps are finished. The first of this run, which warms up, is not timed."""
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


class SummaryLog:
    """Scalars of every epoch to TensorBoard."""

    def __init__(self, writer):
        self._writer = writer

    def on_epoch(self, epoch: Epoch) -> None:
        self._writer.scalars(epoch.step, epoch.metrics)

    def state(self) -> dict:
        return {}

    def restore(self, state: dict) -> None:
        pass


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
