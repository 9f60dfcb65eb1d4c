"""Training step and scoring of a config: examples a second.

python -m benchmarks.train_step --config=configs/memae_ped2.py:cpu --batch_size=8
"""

import argparse
import importlib.util
import json
import statistics
import time

import jax
import numpy as np

from vid_jax import optimizers, sharding, train_lib
from vid_jax.tasks.base import make_task


def load_config(argument: str):
    """The config of `FILE` or `FILE:VARIANT`."""
    path, _, variant = argument.partition(":")
    spec = importlib.util.spec_from_file_location("benchmarked_config", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.get_config(variant)


def seconds_of(function, repeats: int) -> list[float]:
    """Times of calls after the first."""
    jax.block_until_ready(function())
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(function())
        times.append(time.perf_counter() - start)
    return times


def measure(config, repeats: int) -> dict[str, list[float]]:
    """Seconds of a training step and of scoring, each on one batch of noise."""
    task = make_task(config)
    batch_size = train_lib.global_batch_size(config)
    mesh = sharding.create_mesh(train_lib.examples_per_pass(config, batch_size))
    schedule = optimizers.create_schedule(config.optimizer, steps_per_epoch=1, total_steps=1)
    optimizer = optimizers.create_optimizer(config.optimizer, schedule)
    init = train_lib.make_init(config, task, optimizer, mesh)
    train_step = train_lib.compile_train_step(
        config, task, optimizer, mesh, train_lib.abstract(init, mesh)
    )
    rng = np.random.default_rng(0)
    batch = {
        name: rng.integers(0, 256, spec.shape).astype(spec.dtype)
        for name, spec in task.batch_spec(batch_size).items()
    }
    batch = sharding.put_batch(batch, mesh)
    masked = batch | sharding.put_batch({"mask": np.ones(batch_size, np.float32)}, mesh)
    state = init()
    score = jax.jit(task.eval_step)
    params, model_state = train_lib.evaluated_copy(config, init())

    def step():
        nonlocal state
        state, metrics = train_step(state, batch)
        return metrics

    return {
        "training step": seconds_of(step, repeats),
        "scoring": seconds_of(lambda: score(params, model_state, masked), repeats),
    }


def main() -> None:
    """Prints a line a measurement, and JSON on request."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--config", default="configs/memae_ped2.py:cpu")
    parser.add_argument("--batch_size", type=int, default=0, help="default: the config's")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    config = load_config(arguments.config)
    config.train.batch_size = arguments.batch_size or config.train.batch_size
    results = measure(config, arguments.repeats)
    if arguments.json:
        print(json.dumps(results))
        return
    size = train_lib.global_batch_size(config)
    print(f"{arguments.config}, batch {size}, {jax.default_backend()}, JAX {jax.__version__}")
    for name, times in results.items():
        middle = statistics.median(times)
        print(
            f"{name}: {size / middle:.2f} examples/s, {middle:.3f} s ({min(times):.3f} to {max(times):.3f})"
        )


if __name__ == "__main__":
    main()
