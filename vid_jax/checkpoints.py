"""Checkpoints: the best and the latest two, written asynchronously, with Orbax."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp
from absl import logging
from orbax.checkpoint.checkpoint_managers import preservation_policy as policy

from vid_jax.errors import UserError

_MONITOR = "monitor"


class Checkpoints:
    """The `checkpoints/` folder of a workdir. Use as a context manager: leaving it waits for the last write."""

    def __init__(self, workdir: Path, mode: str = "min"):
        """`mode` says whether the smallest ('min') or the largest ('max') monitored value is the best."""
        self.folder = (workdir / "checkpoints").absolute()
        self._manager = ocp.CheckpointManager(
            self.folder,
            options=ocp.CheckpointManagerOptions(
                best_fn=lambda metrics: metrics[_MONITOR],
                best_mode=mode,
                preservation_policy=policy.AnyPreservationPolicy(
                    [
                        policy.LatestN(2),
                        # BestN keeps the last of the ascending order, so a loss is reversed.
                        policy.BestN(
                            get_metric_fn=lambda metrics: metrics[_MONITOR],
                            reverse=mode == "min",
                            n=1,
                            keep_checkpoints_without_metrics=False,
                        ),
                    ]
                ),
            ),
        )

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *exception) -> None:
        self._manager.close()

    def save(self, step: int, state: Any, meta: dict, monitor: float | None = None) -> None:
        """Writes the state and a JSON dict; `monitor` is the validation metric, None between validations.

        Raises:
            UserError: there is no room for it.
        """
        if step in self._manager.all_steps():
            return
        self._check_room(step, state)
        self._manager.save(
            step,
            args=ocp.args.Composite(
                state=ocp.args.StandardSave(state), meta=ocp.args.JsonSave(meta)
            ),
            metrics=None if monitor is None else {_MONITOR: monitor},
        )

    def best_step(self) -> int | None:
        """The step with the best monitored value; the latest if none was validated; None if there is none."""
        best = self._manager.best_step()
        return self._manager.latest_step() if best is None else best

    def chosen_step(self, which: str) -> int | None:
        """The step that `config.eval.checkpoint` names; None if there is no checkpoint.

        Raises:
            UserError: it is neither "best" nor "latest".
        """
        if which not in ("best", "latest"):
            raise UserError(f"eval.checkpoint={which!r} is unknown; use best or latest")
        return self.best_step() if which == "best" else self._manager.latest_step()

    def restore(self, step: int, abstract_state: Any) -> tuple[Any, dict]:
        """The state of `step`, placed as the abstract state says, and its JSON dict.

        Raises:
            UserError: there is no such checkpoint, or it is damaged.
        """
        steps = sorted(self._manager.all_steps())
        if step not in steps:
            found = ", ".join(map(str, steps)) or "none"
            raise UserError(f"{self.folder} has no checkpoint of step {step}; it has: {found}")
        try:
            restored = self._manager.restore(
                step,
                args=ocp.args.Composite(
                    state=ocp.args.StandardRestore(abstract_state), meta=ocp.args.JsonRestore()
                ),
            )
        # Orbax and TensorStore raise whatever the damaged file happens to break.
        except Exception as error:
            reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            raise UserError(
                f"{self.folder / str(step)} is damaged ({reason}); choose another with --step"
            ) from error
        return restored["state"], restored["meta"]

    def restore_latest(self, abstract_state: Any) -> tuple[int, Any, dict] | None:
        """The latest checkpoint that can be read, as (step, state, meta); damaged ones are set aside."""
        for step in sorted(self._manager.all_steps(), reverse=True):
            try:
                return step, *self.restore(step, abstract_state)
            except UserError as error:
                logging.warning("%s. Going back to the one before.", str(error).split(";")[0])
                self._set_aside(step)
        return None

    def _set_aside(self, step: int) -> None:
        aside = self.folder.parent / "damaged_checkpoints" / str(step)
        shutil.rmtree(aside, ignore_errors=True)
        aside.parent.mkdir(exist_ok=True)
        shutil.move(self.folder / str(step), aside)
        self._manager.reload()

    def _check_room(self, step: int, state: Any) -> None:
        needed = sum(leaf.nbytes for leaf in _arrays(state))
        free = shutil.disk_usage(self.folder).free
        if free < needed * 1.1:
            raise UserError(
                f"{self.folder} has {free / 1e6:.0f} MB free and the checkpoint of step {step} needs "
                f"{needed / 1e6:.0f}; make room and run the same command again to go on from the last one"
            )


def _arrays(state: Any) -> Iterable[jax.Array]:
    return (leaf for leaf in jax.tree.leaves(state) if isinstance(leaf, jax.Array))
