"""Starting from what other runs have learnt: `config.init_from` maps a prefix of this network's names to a workdir."""

from pathlib import Path
from typing import Any

from absl import logging
from jax.sharding import Mesh
from ml_collections import ConfigDict

from vid_jax import optimizers
from vid_jax.errors import UserError
from vid_jax.tasks.base import make_task
from vid_jax.train_state import TrainState, abstract_variables, restore_evaluated, with_variables
from vid_jax.workdir import has_checkpoints, load_config

_WHOLE = "all"
_DIFFERENCES_SHOWN = 3


def check(config: ConfigDict) -> None:
    """Compares this network with those it starts from, without reading their parameters.

    Raises:
        UserError: a workdir holds no checkpoint, or names or shapes differ.
    """
    sources = _sources(config)
    variables = _abstract_collections(config) if sources else {}
    for prefix, workdir in sources.items():
        source_config = _source_config(prefix, workdir)
        if not has_checkpoints(workdir):
            raise UserError(f"init_from.{prefix}={workdir} holds no checkpoint; train it first")
        variables = graft(variables, _abstract_collections(source_config), prefix, workdir)


def load(config: ConfigDict, state: TrainState, mesh: Mesh) -> TrainState:
    """The state of step 0, with the variables under each prefix taken from a workdir's best checkpoint.

    These are the parameters and every collection of the model state, of the copy that the workdir's `eval.params`
    names; under Lookahead both copies start from them.

    Raises:
        UserError: as in `check`, or the checkpoint is damaged.
    """
    sources = _sources(config)
    if not sources:
        return state
    variables = {"params": optimizers.fast_params(state.params), **state.model_state}
    for prefix, workdir in sources.items():
        source_config = _source_config(prefix, workdir)
        step, params, model_state = restore_evaluated(
            source_config, make_task(source_config), workdir, mesh
        )
        variables = graft(variables, {"params": params, **model_state}, prefix, workdir)
        logging.info("Starting from step %d of %s (init_from.%s).", step, workdir, prefix)
    params = variables.pop("params")
    return with_variables(state, params, variables)


def graft(
    here: dict[str, Any], there: dict[str, Any], prefix: str, workdir: Path
) -> dict[str, Any]:
    """The variables `here` with all of those `there` in the place of what is under `prefix`.

    Args:
        here, there: collection -> nested dict of arrays, or of their shapes.
        prefix: names joined by "/", or "all".
        workdir: where `there` is from.

    Raises:
        UserError: names or shapes under the prefix differ; it names the first that do.
    """
    path = [] if prefix == _WHOLE else prefix.split("/")
    replaced, differences = dict(here), []
    for collection in sorted(here.keys() | there.keys()):
        new = there.get(collection, {})
        old = _subtree(here.get(collection, {}), path)
        differences += _differences(old, new, [collection, *path])
        if new and not differences:
            replaced[collection] = _replace(here[collection], path, new)
    if differences:
        shown = ", ".join(differences[:_DIFFERENCES_SHOWN])
        more = ", ..." if len(differences) > _DIFFERENCES_SHOWN else ""
        raise UserError(
            f"init_from.{prefix}={workdir} is of another network: {shown}{more}; set this one's "
            "model keys as they are in the config.json there"
        )
    return replaced


def _differences(old: dict, new: dict, path: list[str]) -> list[str]:
    """What keeps `new` from taking the place of `old`, a phrase for each name."""
    shapes = [{n: x.shape for n, x in optimizers.named_leaves(tree).items()} for tree in (old, new)]
    here, there = shapes
    differences = []
    for name in sorted(here.keys() | there.keys()):
        full_name = "/".join([*path, name])
        if name not in here:
            differences.append(f"{full_name} is missing here")
        elif name not in there:
            differences.append(f"{full_name} is missing there")
        elif here[name] != there[name]:
            differences.append(f"{full_name} is {here[name]} here and {there[name]} there")
    return differences


def _subtree(tree: dict, path: list[str]) -> dict:
    for name in path:
        tree = tree.get(name, {}) if isinstance(tree, dict) else {}
    return tree


def _replace(tree: dict, path: list[str], new: dict) -> dict:
    if not path:
        return new
    return {**tree, path[0]: _replace(tree[path[0]], path[1:], new)}


def _sources(config: ConfigDict) -> dict[str, Path]:
    """The workdirs that are set; a whole comes before its parts."""
    named = [
        (prefix, Path(workdir).expanduser())
        for prefix, workdir in config.init_from.items()
        if workdir
    ]
    return dict(sorted(named, key=lambda source: (source[0] != _WHOLE, source[0])))


def _source_config(prefix: str, workdir: Path) -> ConfigDict:
    try:
        return load_config(workdir)
    except UserError as error:
        raise UserError(f"init_from.{prefix}={workdir}: {error}") from error


def _abstract_collections(config: ConfigDict) -> dict[str, Any]:
    params, model_state = abstract_variables(config, make_task(config))
    return {"params": params, **model_state}
