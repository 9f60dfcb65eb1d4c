"""Our sides: what a config asks for, put together as `train_lib` and `evaluate_lib` do. No TensorFlow."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from ml_collections import ConfigDict

from vid_jax import evaluate_lib, optimizers, sharding, train_lib, train_state
from vid_jax.tasks.base import Batch, Task, make_task


@dataclasses.dataclass(frozen=True)
class Experiment:
    """What a step is made of."""

    config: ConfigDict
    task: Task
    mesh: jax.sharding.Mesh
    optimizer: optax.GradientTransformation
    init: Callable[[], train_state.TrainState]

    def batch(self) -> dict[str, np.ndarray]:
        """A global batch of noise."""
        rng = np.random.default_rng(0)
        spec = self.task.batch_spec(train_lib.global_batch_size(self.config))
        return {
            name: rng.integers(1, 256, array.shape).astype(array.dtype)
            for name, array in spec.items()
        }

    def train_step(self) -> Callable[[train_state.TrainState, Batch], tuple]:
        """The compiled step."""
        state = train_state.abstract(self.init, self.mesh)
        return train_lib.compile_train_step(
            self.config, self.task, self.optimizer, self.mesh, state
        )

    def untrained_model(self) -> evaluate_lib.TrainedModel:
        """The model of step 0."""
        params, model_state = train_state.evaluated_copy(self.config, self.init())
        batch_size = train_lib.global_batch_size(self.config)
        return evaluate_lib.TrainedModel(self.task, 0, params, model_state, self.mesh, batch_size)


def assemble(config: str) -> Experiment:
    """The experiment of a config in JSON."""
    config = ConfigDict(json.loads(config))
    task = make_task(config)
    batch_size = train_lib.global_batch_size(config)
    mesh = sharding.create_mesh(train_lib.examples_per_pass(config, batch_size))
    optimizer = optimizers.create_optimizer(config.optimizer)
    init = train_state.make_init(config, task, optimizer, mesh)
    return Experiment(config, task, mesh, optimizer, init)


def train_step(config: str) -> Callable[[], Any]:
    """One training step on a batch that is on the device."""
    experiment = assemble(config)
    compiled = experiment.train_step()
    state = experiment.init()
    batch = sharding.put_batch(experiment.batch(), experiment.mesh)

    def run():
        nonlocal state
        state, metrics = compiled(state, batch)
        return jax.block_until_ready((state, metrics))

    return run


def compilation(config: str) -> Callable[[], Any]:
    """From a config to the compiled training step; what JAX has of one it forgets before the next."""

    def run():
        jax.clear_caches()
        return assemble(config).train_step()

    return run


def scoring(config: str) -> Callable[[], dict[str, np.ndarray]]:
    """From a batch of windows in memory to what the evaluation needs of them."""
    experiment = assemble(config)
    eval_step = experiment.untrained_model().eval_step()
    batch = experiment.batch()
    batch["mask"] = np.ones(len(next(iter(batch.values()))), np.float32)
    return lambda: eval_step(batch)


def matrix_product(size: int, dtype: str) -> Callable[[], jax.Array]:
    """A product of two (size, size) matrices of `dtype`, accumulated in float32."""
    keys = jax.random.split(jax.random.key(0))
    a, b = (jax.random.normal(key, (size, size), dtype) for key in keys)
    product = jax.jit(lambda a, b: jnp.matmul(a, b, preferred_element_type=jnp.float32))
    return lambda: jax.block_until_ready(product(a, b))
