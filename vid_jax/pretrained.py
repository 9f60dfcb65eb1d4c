"""Trained models that ship with the package, by name: `--workdir=pretrained:NAME`.

Each is a folder of `vid_jax/pretrained` with a workdir's config.json and calibration.json, and `parameters.npz` instead
of checkpoints. `python -m vid_jax.export` makes one.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from ml_collections import ConfigDict

from vid_jax.errors import UserError

if TYPE_CHECKING:
    from vid_jax.evaluate_lib import TrainedModel

FILE = "parameters.npz"
PREFIX = "pretrained:"

_FOLDER = Path(__file__).parent / "pretrained"


def folder(workdir: str) -> Path:
    """The folder that `pretrained:NAME` names, which can be read as a workdir; any other name is itself a folder.

    Raises:
        UserError: no model of that name ships.
    """
    if not workdir.startswith(PREFIX):
        return Path(workdir)
    name = workdir.removeprefix(PREFIX)
    names = sorted(path.parent.name for path in _FOLDER.glob(f"*/{FILE}"))
    if name not in names:
        raise UserError(
            f"--workdir={workdir}: no such model ships; there is {', '.join(names) or 'none'}"
        )
    return _FOLDER / name


def is_exported(workdir: Path) -> bool:
    """Whether a folder holds an exported model rather than a run."""
    return (workdir / FILE).is_file()


def restore(config: ConfigDict, workdir: Path) -> "TrainedModel":
    """The model of a folder of exported parameters, as `evaluate_lib.restore` gives that of a run.

    Raises:
        UserError: the parameters are not those of the config's network.
    """
    # Here, for the command line asks for a folder before it imports JAX.
    import jax
    import numpy as np

    from vid_jax import sharding, train_lib
    from vid_jax.evaluate_lib import TrainedModel
    from vid_jax.optimizers import named_leaves
    from vid_jax.tasks.base import make_task
    from vid_jax.train_state import abstract_variables

    task = make_task(config)
    batch_size = train_lib.examples_per_pass(config, train_lib.global_batch_size(config))
    mesh = sharding.create_mesh(batch_size)
    params, model_state = abstract_variables(config, task)
    wanted = {"params": params, "model_state": model_state}
    with np.load(workdir / FILE) as stored:
        leaves, step = dict(stored), int(stored["step"])
    names = named_leaves(wanted)
    wrong = [name for name, leaf in names.items() if leaves.get(name, leaf).shape != leaf.shape]
    if missing := names.keys() - leaves.keys() or wrong:
        raise UserError(
            f"{workdir / FILE} lacks or has in another shape {sorted(missing)[0]}: it was exported with another config"
        )
    tree = jax.tree.unflatten(jax.tree.structure(wanted), [leaves[name] for name in names])
    placed = jax.device_put(tree, sharding.replicated(mesh))
    return TrainedModel(task, step, placed["params"], placed["model_state"], mesh, batch_size)
