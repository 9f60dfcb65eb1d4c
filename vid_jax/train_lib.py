"""The training loop: step, validate, checkpoint, stop. It knows tasks and data sets by their protocols only."""

import contextlib
import dataclasses
import functools
import math
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl import logging
from clu import parameter_overview
from jax.sharding import Mesh
from jaxtyping import Array
from ml_collections import ConfigDict

from vid_jax import hooks, init_from, optimizers, sharding
from vid_jax.allocator import return_freed_memory
from vid_jax.checkpoints import Checkpoints
from vid_jax.errors import Interrupted, UserError
from vid_jax.memory import check_fits
from vid_jax.tasks.base import (
    Batch,
    Metrics,
    ModelState,
    Task,
    add_metrics,
    make_task,
    mean_metrics,
)
from vid_jax.train_state import STATISTICS, STEP, TrainState, abstract, make_init, with_constants


def train(config: ConfigDict, workdir: Path) -> dict[str, float]:
    """Trains from the workdir's latest checkpoint, or from the start, to the last epoch.

    Returns:
        The metrics of the last epoch that was run; empty if there was nothing left to do.

    Raises:
        UserError: see its message.
        Interrupted: after SIGINT or SIGTERM, once the state is saved.
    """
    from vid_jax.input_pipeline import create_dataset
    from vid_jax.writers import SummaryWriter

    batch_size = global_batch_size(config)
    pass_size = examples_per_pass(config, batch_size)
    mesh = sharding.create_mesh(pass_size)
    dataset = create_dataset(config, batch_size)
    task = make_task(config)

    steps_per_epoch = dataset.info.steps_per_epoch
    all_steps = config.train.epochs * steps_per_epoch
    last_step = min(all_steps, config.train.max_steps or all_steps)
    schedule = optimizers.create_schedule(config.optimizer, steps_per_epoch, all_steps)
    optimizer = optimizers.create_optimizer(config.optimizer, steps_per_epoch, all_steps)
    init = make_init(config, task, optimizer, mesh)
    abstract_state = abstract(init, mesh)
    validate = make_validate(config, task, mesh, dataset, pass_size)
    summarise = jax.jit(task.summaries, out_shardings=sharding.replicated(mesh))

    with contextlib.ExitStack() as stack:
        checkpoints = stack.enter_context(Checkpoints(workdir, task.monitor[1]))
        loop_hooks = hooks.create_steering(config, task.monitor[1])
        restored = checkpoints.restore_latest(abstract_state)
        if restored:
            step, state, meta = restored
            epoch_metrics = meta["epoch_metrics"]
            hooks.restore(loop_hooks, meta)
            logging.info("Going on from the checkpoint of step %d.", step)
            if step >= last_step or stops(loop_hooks):
                logging.info("Nothing left to train: %d of %d steps are done.", step, last_step)
                return {}
        if last_step:  # compiled before anything is fitted: it may not fit into memory
            train_step = compile_train_step(config, task, optimizer, mesh, abstract_state)
        if not restored:
            step, epoch_metrics = 0, None
            state = with_constants(init(), task.prepare(dataset), mesh)
            state = init_from.load(config, state, mesh)
            if not last_step:
                logging.info("Training nothing (train.epochs=0): what is there is evaluated.")
                state, metrics, _ = validate(state)
                monitor = metrics[monitored_name(config, task)]
                checkpoints.save(0, state, {"epoch_metrics": None}, monitor)
                return metrics

        writer = None
        if jax.process_index() == 0:
            writer = SummaryWriter(workdir)
            stack.callback(writer.close)
            writer.config(config)
            csv_log = hooks.CsvLog(workdir / "train_log.csv", resumed_step=step)
            loop_hooks += [csv_log, hooks.SummaryLog(writer)]
        loop_hooks.append(hooks.Progress(step, last_step, steps_per_epoch, batch_size))
        for hook in loop_hooks:
            stack.callback(hook.close)
        stop_requested = stack.enter_context(catch_signals())
        batches = (sharding.put_batch(batch, mesh) for batch in dataset.train_batches(step))
        metrics, clock = {}, Clock(step, batch_size)

        while step < last_step and not stops(loop_hooks):
            until = min(
                next_multiple(step, steps_per_epoch),
                next_multiple(step, config.train.checkpoint_every),
                last_step,
            )
            scale = math.prod(hook.learning_rate_scale for hook in loop_hooks)
            state, step, epoch_metrics = run_steps(
                functools.partial(train_step, learning_rate_scale=scale),
                state,
                step,
                until,
                batches,
                epoch_metrics,
                loop_hooks,
                stop_requested,
            )
            monitor = None
            if step % steps_per_epoch == 0 or step == last_step:
                number = math.ceil(step / steps_per_epoch)
                metrics = mean_metrics(epoch_metrics, "train/")
                metrics["learning_rate"] = float(schedule(step - 1)) * scale
                metrics["examples_per_second"] = clock.examples_per_second(step)
                state, validation, batch = validate(state)
                check_finite(step, validation)
                metrics |= validation
                monitor = metrics[monitored_name(config, task)]
                log_epoch(number, metrics, task)
                for hook in loop_hooks:
                    hook.on_epoch(hooks.Epoch(number, step, metrics, monitor))
                every = config.train.summaries_every
                if every and (number % every == 0 or step == last_step):
                    params = optimizers.fast_params(state.params)
                    summaries = sharding.to_host(summarise(params, state.model_state, batch))
                    if writer:
                        writer.summaries(step, summaries)
                epoch_metrics, clock = None, Clock(step, batch_size)
            meta = {"epoch_metrics": epoch_metrics} | hooks.states(loop_hooks)
            checkpoints.save(step, state, meta, monitor)
            if stop_requested() and step < last_step:
                raise Interrupted(
                    f"Stopped after step {step} of {last_step}; the same command goes on from there."
                )
    return metrics


def run_steps(
    train_step: Callable,
    state: TrainState,
    step: int,
    until: int,
    batches: Iterator[Batch],
    epoch_metrics: dict | None,
    loop_hooks: list[hooks.Hook],
    stop_requested: Callable[[], bool],
) -> tuple[TrainState, int, dict]:
    """Takes steps until `until` or until a stop is requested; adds their metrics to the epoch's.

    Metrics are read one step late, so that the device does not wait for the host.
    """

    def read(step, metrics):
        metrics = sharding.to_host(metrics)
        means = mean_metrics(metrics)
        check_finite(step, means)
        for hook in loop_hooks:
            hook.on_step(step, means["loss"])
        pairs = {name: tuple(map(float, pair)) for name, pair in metrics.items()}
        return add_metrics(epoch_metrics, pairs)

    previous = None
    while step < until and not (previous and stop_requested()):
        state, metrics = train_step(state, next(batches))
        step += 1
        if previous:
            epoch_metrics = read(*previous)
        previous = step, metrics
    return state, step, read(*previous)


def stops(loop_hooks: list[hooks.Hook]) -> bool:
    """Whether one of them ends the training."""
    return any(hook.stop for hook in loop_hooks)


def global_batch_size(config: ConfigDict) -> int:
    """Examples in a step over all devices."""
    if config.train.batch_per_device:
        return config.train.batch_per_device * jax.device_count()
    return config.train.batch_size


def examples_per_pass(config: ConfigDict, batch_size: int) -> int:
    """Examples in each of the forward and backward passes that a step accumulates.

    Raises:
        UserError: passes of that size do not fill the batch.
    """
    size = config.train.microbatch or batch_size
    if batch_size % size:
        divisors = ", ".join(str(n) for n in range(1, batch_size) if batch_size % n == 0)
        raise UserError(
            f"train.microbatch={size} does not divide the batch of {batch_size}; use one of {divisors}"
        )
    return size


def compile_train_step(
    config: ConfigDict, task: Task, optimizer, mesh: Mesh, abstract_state: TrainState
) -> Callable[..., tuple[TrainState, Metrics]]:
    """Compiles `make_train_step`'s function, having checked that it fits, and logs its size.

    That of `task.batch_spec` comes first, those of batches of other shapes when they come.

    Raises:
        UserError: it needs more memory than is free.
    """
    batch_size = global_batch_size(config)
    pass_size = examples_per_pass(config, batch_size)
    step = make_train_step(config, task, optimizer, batch_size // pass_size, mesh)
    replicated = sharding.replicated(mesh)
    log_parameters(config, abstract_state)

    @functools.cache
    def compiled(structure, shapes: tuple[tuple[tuple[int, ...], np.dtype], ...]):
        specs = [jax.ShapeDtypeStruct(*spec, sharding=sharding.batched(mesh)) for spec in shapes]
        executable = (
            jax.jit(step, donate_argnums=0, out_shardings=(replicated, replicated))
            .lower(
                abstract_state,
                jax.tree.unflatten(structure, specs),
                jax.ShapeDtypeStruct((), jnp.float32, sharding=replicated),
            )
            .compile()
        )
        return_freed_memory()
        needed = check_fits(
            executable,
            f"set train.microbatch (now {pass_size}) to a smaller divisor of {batch_size}, set "
            "model.remat, or take the config's :cpu variant",
        )
        logging.info(
            "A step is %d examples in %d pass(es) and needs %.2f GB on each of %d %s device(s).",
            batch_size,
            batch_size // pass_size,
            needed / 1e9,
            mesh.size,
            jax.default_backend(),
        )
        return executable

    def compiled_for(batch):
        leaves, structure = jax.tree.flatten(batch)
        return compiled(structure, tuple((leaf.shape, leaf.dtype) for leaf in leaves))

    compiled_for(task.batch_spec(batch_size))

    def train_step(state: TrainState, batch: Batch, learning_rate_scale: float = 1.0):
        return compiled_for(batch)(state, batch, np.float32(learning_rate_scale))

    return train_step


def make_train_step(
    config: ConfigDict, task: Task, optimizer, passes: int, mesh: Mesh
) -> Callable[..., tuple[TrainState, Metrics]]:
    """One optimiser step on the mean gradient of `passes` equal parts of the batch.

    Called with the state, the batch and, if it is not 1, a number to multiply the learning rate by.
    """
    gradient = jax.grad(task.loss, has_aux=True)

    def train_step(
        state: TrainState, batch: Batch, learning_rate_scale: float | Array = 1.0
    ) -> tuple[TrainState, Metrics]:
        key = jax.random.fold_in(jax.random.key(config.seed), STEP)
        key = jax.random.fold_in(key, state.step)
        params = optimizers.fast_params(state.params)

        def one_pass(model_state, inputs):
            part, number = inputs
            gradients, (model_state, metrics) = gradient(
                params, model_state, part, jax.random.fold_in(key, number)
            )
            return model_state, (gradients, metrics)

        if passes == 1:
            model_state, (gradients, metrics) = one_pass(state.model_state, (batch, 0))
        else:
            model_state, gradients, metrics = accumulate(
                one_pass, params, state.model_state, split(batch, passes, mesh), passes
            )
        updates, opt_state = optimizer.update(
            gradients, state.opt_state, state.params, learning_rate_scale=learning_rate_scale
        )
        norm = optax.tree.norm(optimizers.trained(config.optimizer, gradients))
        metrics["gradient_norm"] = (norm, jnp.float32(1))
        state = state.replace(
            step=state.step + 1,
            params=optax.apply_updates(state.params, updates),
            opt_state=opt_state,
            model_state=model_state,
        )
        return state, metrics

    return train_step


def accumulate(one_pass: Callable, params, model_state: ModelState, parts: Batch, passes: int):
    """The model state after all passes, the mean of their gradients, the sum of their metrics."""

    def body(carry, inputs):
        model_state, gradients, metrics = carry
        model_state, (new_gradients, new_metrics) = one_pass(model_state, inputs)
        gradients = jax.tree.map(lambda a, b: a + b / passes, gradients, new_gradients)
        return (model_state, gradients, jax.tree.map(jnp.add, metrics, new_metrics)), None

    first = jax.tree.map(lambda x: x[0], parts)
    _, (_, metrics) = jax.eval_shape(one_pass, model_state, (first, 0))
    zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), (params, metrics))
    carry, _ = jax.lax.scan(body, (model_state, *zeros), (parts, jnp.arange(passes)))
    return carry


def split(batch: Batch, passes: int, mesh: Mesh) -> Batch:
    """(batch, ...) as (passes, batch / passes, ...), each part spread over all devices."""
    spec = jax.NamedSharding(mesh, jax.P(None, sharding.BATCH_AXIS))
    return jax.tree.map(
        lambda x: jax.lax.with_sharding_constraint(x.reshape(passes, -1, *x.shape[1:]), spec),
        batch,
    )


def make_validate(
    config: ConfigDict, task: Task, mesh: Mesh, dataset, batch_size: int
) -> Callable[[TrainState], tuple[TrainState, dict[str, float], Batch]]:
    """The function that validates both copies of the parameters.

    It returns the state, with new BatchNorm statistics of the slow copy, the metrics by name (val/..., and
    val_slow/... under Lookahead), and the first batch.
    """
    # Without the outputs for each example, XLA leaves out what only they need.
    metrics_step = jax.jit(
        lambda params, model_state, batch: task.eval_step(params, model_state, batch)[0],
        out_shardings=sharding.replicated(mesh),
    )
    statistics_step = jax.jit(
        lambda params, model_state, batch, key: task.loss(params, model_state, batch, key)[1][0]
    )

    def metrics_of(params, model_state, prefix):
        total = first = None
        for batch in dataset.eval_batches("validation", batch_size):
            batch = sharding.put_batch(batch, mesh)
            first = first or batch
            total = add_metrics(total, metrics_step(params, model_state, batch))
        return mean_metrics(sharding.to_host(total), prefix), first

    def slow_model_state(state: TrainState) -> ModelState:
        """BatchNorm statistics of the slow parameters over evenly spaced training examples."""
        momentum = config.train.batch_norm_momentum
        if momentum == 1 or "batch_stats" not in state.slow_model_state:
            return state.slow_model_state
        key = jax.random.fold_in(jax.random.key(config.seed), STATISTICS)
        every = max(
            1, dataset.info.num_examples["train"] // (config.eval.slow_batches * batch_size)
        )
        model_state = state.slow_model_state
        zeros = jax.tree.map(jnp.zeros_like, model_state["batch_stats"])
        model_state = {**model_state, "batch_stats": zeros}
        count = 0
        for batch in dataset.eval_batches("train", batch_size, every=every):
            if count == config.eval.slow_batches:
                break
            model_state = statistics_step(
                optimizers.slow_params(state.params),
                model_state,
                sharding.put_batch(batch, mesh),
                jax.random.fold_in(key, count),
            )
            count += 1
        # The running average started at zero; what it lacks is known, as in Adam's bias correction.
        weight = 1 - momentum**count
        statistics = jax.tree.map(lambda s: s / weight, model_state["batch_stats"])
        return {**model_state, "batch_stats": statistics}

    def validate(state: TrainState):
        metrics, first = metrics_of(optimizers.fast_params(state.params), state.model_state, "val/")
        slow = optimizers.slow_params(state.params)
        if slow is not None:
            state = state.replace(slow_model_state=slow_model_state(state))
            metrics |= metrics_of(slow, state.slow_model_state, "val_slow/")[0]
        return state, metrics, first

    return validate


def monitored_name(config: ConfigDict, task: Task) -> str:
    """The name in the log of the metric that picks the best checkpoint."""
    slow = config.eval.params == "slow" and config.optimizer.name == "ranger"
    return f"{'val_slow' if slow else 'val'}/{task.monitor[0]}"


def check_finite(step: int, metrics: dict[str, float]) -> None:
    """Stops a run that has left the numbers.

    Raises:
        UserError: naming the step and the metric.
    """
    for name, value in metrics.items():
        if not math.isfinite(value):
            raise UserError(
                f"{name} is {value} at step {step}; lower optimizer.learning_rate or set "
                "optimizer.clip_norm and run again: it goes on from the last checkpoint"
            )


def next_multiple(step: int, period: int) -> int:
    """The first multiple of `period` after `step`."""
    return (step // period + 1) * period


@dataclasses.dataclass(frozen=True)
class Clock:
    """Measures the throughput of an epoch."""

    first_step: int
    batch_size: int
    start: float = dataclasses.field(default_factory=time.monotonic)

    def examples_per_second(self, step: int) -> float:
        return (step - self.first_step) * self.batch_size / (time.monotonic() - self.start)


@contextlib.contextmanager
def catch_signals() -> Iterator[Callable[[], bool]]:
    """Turns the first SIGINT or SIGTERM into a request to stop; the second acts as usual."""
    received = []

    def handler(number, frame):
        received.append(number)
        logging.info("Saving; once more to stop at once.")
        restore()

    old = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore():
        for number, action in old.items():
            signal.signal(number, action)

    for number in old:
        signal.signal(number, handler)
    try:
        yield lambda: bool(received)
    finally:
        restore()


def log_parameters(config: ConfigDict, state: TrainState) -> None:
    """The table of parameters, and how many of them train where that is not all."""
    params = optimizers.fast_params(state.params)
    logging.info("%s", parameter_overview.get_parameter_overview(params, include_stats=False))
    if optimizers.freezes(config.optimizer):
        trained = optimizers.trained(config.optimizer, params)
        logging.info(
            "Training %s of %s parameters (optimizer.trainable).",
            *(f"{parameter_overview.count_parameters(tree):,}" for tree in (trained, params)),
        )


def log_epoch(number: int, metrics: dict[str, float], task: Task) -> None:
    """One line of figures, then what the task warns of."""
    shown = ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())
    logging.info("Epoch %d: %s.", number, shown)
    validation = {
        name.removeprefix("val/"): value
        for name, value in metrics.items()
        if name.startswith("val/")
    }
    for message in task.warnings(validation):
        logging.warning("%s", message)
