"""The state of a training: how it starts, what is restored of it, which of its parameters are evaluated."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import struct
from jax.sharding import Mesh
from jaxtyping import Array
from ml_collections import ConfigDict

from vid_jax import optimizers, sharding
from vid_jax.checkpoints import Checkpoints
from vid_jax.errors import UserError
from vid_jax.tasks.base import ModelState, Task

INIT, STEP, STATISTICS = range(3)  # what random keys are for


@struct.dataclass
class TrainState:
    """All that a checkpoint holds; under Lookahead `params` is the pair of fast and slow parameters."""

    step: Array
    params: Any
    opt_state: optax.OptState
    model_state: ModelState  # BatchNorm statistics of the fast parameters, constants
    slow_model_state: ModelState | None  # the same of the slow ones, as of the last validation


def make_init(config: ConfigDict, task: Task, optimizer, mesh: Mesh) -> Callable[[], TrainState]:
    """The function that makes the state of step 0 on all devices."""

    def init() -> TrainState:
        params, model_state = init_variables(config, task)
        params = optimizers.init_params(config.optimizer, params)
        return TrainState(
            step=jnp.zeros((), jnp.int32),
            params=params,
            opt_state=optimizer.init(params),
            model_state=model_state,
            slow_model_state=None if optimizers.slow_params(params) is None else model_state,
        )

    # Runs once: compiling it well would take longer than it saves.
    quickly = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
    return jax.jit(init, out_shardings=sharding.replicated(mesh), compiler_options=quickly)


def init_variables(config: ConfigDict, task: Task) -> tuple[Any, ModelState]:
    """Parameters and model state of step 0, drawn by the config's seed."""
    key = jax.random.fold_in(jax.random.key(config.seed), INIT)
    example = jax.tree.map(lambda spec: jnp.zeros(spec.shape, spec.dtype), task.batch_spec(1))
    return task.init(key, example)


def abstract_variables(config: ConfigDict, task: Task) -> tuple[Any, ModelState]:
    """Shapes of `init_variables`, without computing them."""
    return jax.eval_shape(lambda: init_variables(config, task))


def abstract(init: Callable[[], TrainState], mesh: Mesh) -> TrainState:
    """Shapes and placement of the state, to compile for and to restore into."""
    return jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding.replicated(mesh)),
        jax.eval_shape(init),
    )


def with_constants(state: TrainState, constants: ModelState, mesh: Mesh) -> TrainState:
    """The state with the constants that the task has fitted on the training data."""
    if not constants:
        return state
    constants = jax.device_put(constants, sharding.replicated(mesh))
    params = optimizers.fast_params(state.params)
    return with_variables(state, params, {**state.model_state, "constants": constants})


def with_variables(state: TrainState, params, model_state: ModelState) -> TrainState:
    """The state with these parameters and this model state, under Lookahead in both copies."""
    if optimizers.slow_params(state.params) is None:
        return state.replace(params=params, model_state=model_state)
    # The copies must not share memory, which the step writes over.
    slow, slow_model_state = jax.tree.map(jnp.copy, (params, model_state))
    return state.replace(
        params=optax.LookaheadParams(fast=params, slow=slow),
        model_state=model_state,
        slow_model_state=slow_model_state,
    )


def evaluated_copy(config: ConfigDict, state: TrainState) -> tuple[Any, ModelState]:
    """The parameters and model state that `eval.params` names; the only ones where there is one copy."""
    if config.eval.params == "slow" and state.slow_model_state is not None:
        return optimizers.slow_params(state.params), state.slow_model_state
    return optimizers.fast_params(state.params), state.model_state


def restore_evaluated(
    config: ConfigDict, task: Task, workdir: Path, mesh: Mesh, step: int | None = None
) -> tuple[int, Any, ModelState]:
    """Step and `evaluated_copy` of the checkpoint that `eval.checkpoint` names, or of that of a given step.

    Raises:
        UserError: there is no checkpoint, or it is damaged.
    """
    optimizer = optimizers.create_optimizer(config.optimizer)
    abstract_state = abstract(make_init(config, task, optimizer, mesh), mesh)
    with Checkpoints(workdir, task.monitor[1]) as checkpoints:
        step = checkpoints.chosen_step(config.eval.checkpoint) if step is None else step
        if step is None:
            raise UserError(f"{checkpoints.folder} holds no checkpoint; train first")
        state, _ = checkpoints.restore(step, abstract_state)
    return step, *evaluated_copy(config, state)
