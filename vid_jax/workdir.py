"""The folder of a run: who holds it, with which config it was made, what was said in it."""

import contextlib
import fcntl
import json
from collections.abc import Iterator
from pathlib import Path

from absl import logging
from ml_collections import ConfigDict

from vid_jax import default_config
from vid_jax.errors import UserError

# Keys that may differ between a run and its resumption: paths, logging and what is only reported.
MAY_CHANGE = (
    "data.dir",
    "data.eval_num_frames",
    "data.eval_overlap",
    "data.source",
    "eval.action",
    "eval.checkpoint",
    "eval.extrap_start_time",
    "eval.output_mode",
    "eval.score",
    "eval.smoothing_sigma",
    "train.checkpoint_every",
    "train.max_steps",
    "train.summaries_every",
)


@contextlib.contextmanager
def hold(workdir: Path) -> Iterator[None]:
    """Creates the workdir and locks it for this process.

    The lock is the operating system's and dies with the process, however that ends.

    Raises:
        UserError: another process holds the workdir, or it cannot be written.
    """
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        lock = open(workdir / ".lock", "a+")  # noqa: SIM115 -- entered below
    except OSError as error:
        raise UserError(f"--workdir={workdir} cannot be written: {error.strerror}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(
                f"--workdir={workdir} is in use by another run; wait for it or choose another folder"
            ) from error
        yield


def load_config(workdir: Path) -> ConfigDict:
    """The config that the workdir was made with; keys that came into being since then have their defaults.

    Raises:
        UserError: there is none.
    """
    path = workdir / "config.json"
    try:
        stored = _tuples(json.loads(path.read_text()))
        config = default_config.of_keys(stored["data"])
        config.update(stored)
        config.task, config.model  # noqa: B018 -- there is no run without
        return config
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist; name the folder of a run") from error
    except json.JSONDecodeError as error:
        raise UserError(f"{path} is not valid JSON ({error}); restore it or start anew") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path} is not the config of a run ({error}); restore it or start anew"
        ) from error


def has_checkpoints(workdir: Path) -> bool:
    """Whether a run in this folder would go on rather than start."""
    return any((workdir / "checkpoints").glob("[0-9]*"))


def record_config(config: ConfigDict, workdir: Path) -> None:
    """Writes config.json, after comparing it with that of the checkpoints, if there are any.

    Raises:
        UserError: the workdir was made with other values of keys that change the result.
    """
    path = workdir / "config.json"
    if path.exists() and has_checkpoints(workdir):
        old, new = (flatten(json.loads(c.to_json())) for c in (load_config(workdir), config))
        changed = {
            key: (old.get(key), new.get(key))
            for key in sorted(old.keys() | new.keys())
            if old.get(key) != new.get(key)
        }
        refused = [key for key, values in changed.items() if not _may_change(key, *values)]
        if refused:
            raise UserError(
                f"--workdir={workdir} was made with another config: "
                + ", ".join(f"{k} was {changed[k][0]!r}, is {changed[k][1]!r}" for k in refused)
                + "; use the old values or another folder"
            )
        for key, (before, after) in changed.items():
            logging.info("Config: %s changes from %r to %r.", key, before, after)
    partial = path.with_suffix(".json.partial")
    partial.write_text(config.to_json(indent=2, sort_keys=True) + "\n")
    partial.replace(path)


def _may_change(key: str, old, new) -> bool:
    if key.startswith("predict."):
        return True
    if key.startswith("init_from."):  # a resumed run does not read it; the folder may have moved
        return bool(old) == bool(new)
    return key in MAY_CHANGE or (key == "train.epochs" and None not in (old, new) and new > old)


def flatten(tree, prefix: str = "") -> dict:
    """{"a": {"b": 1}} as {"a.b": 1}."""
    if not isinstance(tree, dict):
        return {prefix: tree}
    return {
        key: value
        for name, branch in tree.items()
        for key, value in flatten(branch, f"{prefix}.{name}" if prefix else name).items()
    }


def _tuples(tree):
    if isinstance(tree, dict):
        return {name: _tuples(branch) for name, branch in tree.items()}
    return tuple(map(_tuples, tree)) if isinstance(tree, list) else tree
