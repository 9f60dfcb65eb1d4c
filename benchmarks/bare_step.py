"""A training step of MemAE as a script of one's own would have it: the network, Optax and `jax.jit`, nothing else."""

import json
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from vid_jax import losses
from vid_jax.models.memae import MemAE


def train_step(config: str) -> Callable[[], Any]:
    """One training step of a config in JSON, on a batch of noise."""
    config = json.loads(config)
    data, model, train = config["data"], config["model"], config["train"]
    network = MemAE(
        channels=tuple(model["channels"]),
        width=model["width"],
        memory_slots=model["memory_slots"],
        memory_addressing=model["memory_addressing"],
        memory_temperature=model["memory_temperature"],
        shrink_threshold=model["shrink_threshold"],
        dtype=jnp.dtype(model["dtype"]),
    )
    adam = config["optimizer"]
    optimizer = optax.adam(adam["learning_rate"], adam["b1"], adam["b2"])
    shape = (train["batch_size"], data["num_frames"], *data["frame_size"], data["channels"])
    video = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)

    def standardise(video):
        return (video.astype(jnp.float32) / 255 - data["mean"]) / data["std"]

    @jax.jit
    def init(video):
        variables = network.init(jax.random.key(0), standardise(video[:1]), train=False)
        return variables, optimizer.init(variables["params"])

    @jax.jit
    def step(variables, opt_state, video):
        video = standardise(video)

        def loss(params):
            (reconstruction, weights), updated = network.apply(
                variables | {"params": params}, video, train=True, mutable=["batch_stats"]
            )
            error = losses.squared_error(reconstruction, video)
            entropy = losses.attention_entropy(weights)
            return jnp.mean(error + train["entropy_weight"] * entropy), updated

        params = variables["params"]
        gradients, updated = jax.grad(loss, has_aux=True)(params)
        updates, opt_state = optimizer.update(gradients, opt_state)
        return {"params": optax.apply_updates(params, updates), **updated}, opt_state

    state = init(video)

    def run():
        nonlocal state
        state = jax.block_until_ready(step(*state, video))

    return run
