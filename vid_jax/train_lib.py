"""The training loop: step, validate, checkpoint, stop. It knows tasks and data sets by their protocols only."""

import contextlib
import dataclasses
import math
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import optax
from absl import logging
from clu import parameter_overview
from flax import struct
from jax.sharding import Mesh
from jaxtyping import Array
from ml_collections import ConfigDict

from vid_jax import hooks, optimizers, sharding
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

_INIT, _STEP, _STATISTICS = range(3)  # what random keys are for


@struct.dataclass
class TrainState:
    """All that a checkpoint holds; under Lookahead `params` is the pair of fast and slow parameters."""

    step: Array
    params: Any
    opt_state: optax.OptState
    model_state: ModelState  # BatchNorm statistics of the fast parameters, constants
    slow_model_state: ModelState | None  # the same of the slow ones, as of the last validation


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
    train_step = compile_train_step(config, task, optimizer, mesh, abstract_state)
    validate = make_validate(config, task, mesh, dataset, pass_size)
    summarise = jax.jit(task.summaries, out_shardings=sharding.replicated(mesh))

    with contextlib.ExitStack() as stack:
        checkpoints = stack.enter_context(Checkpoints(workdir, task.monitor[1]))
        stopping = hooks.EarlyStopping(
            config.train.early_stopping_patience,
            config.train.early_stopping_min_delta,
            task.monitor[1],
        )
        restored = checkpoints.restore_latest(abstract_state)
        if restored:
            step, state, meta = restored
            epoch_metrics = meta["epoch_metrics"]
            stopping.restore(meta["early_stopping"])
            logging.info("Going on from the checkpoint of step %d.", step)
        else:
            step, epoch_metrics = 0, None
            state = with_constants(init(), task.prepare(dataset), mesh)
        if step >= last_step or stopping.stop:
            logging.info("Nothing left to train: %d of %d steps are done.", step, last_step)
            return {}

        epoch_hooks: list[hooks.Hook] = [stopping]
        writer = None
        if jax.process_index() == 0:
            writer = SummaryWriter(workdir)
            stack.callback(writer.close)
            writer.config(config)
            csv_log = hooks.CsvLog(workdir / "train_log.csv", resumed_step=step)
            epoch_hooks += [csv_log, hooks.SummaryLog(writer)]
        progress = hooks.Progress(step, last_step, steps_per_epoch, batch_size)
        stack.callback(progress.close)
        stop_requested = stack.enter_context(catch_signals())
        batches = dataset.train_batches(step)
        metrics, clock = {}, Clock(step, batch_size)

        while step < last_step and not stopping.stop:
            until = min(
                next_multiple(step, steps_per_epoch),
                next_multiple(step, config.train.checkpoint_every),
                last_step,
            )
            state, step, epoch_metrics = run_steps(
                train_step,
                state,
                step,
                until,
                batches,
                mesh,
                epoch_metrics,
                progress,
                stop_requested,
            )
            monitor = None
            if step % steps_per_epoch == 0 or step == last_step:
                number = math.ceil(step / steps_per_epoch)
                metrics = mean_metrics(epoch_metrics, "train/")
                metrics["learning_rate"] = float(schedule(step - 1))
                metrics["examples_per_second"] = clock.examples_per_second(step)
                state, validation, batch = validate(state)
                check_finite(step, validation)
                metrics |= validation
                monitor = metrics[monitored_name(config, task)]
                log_epoch(number, metrics, task)
                for hook in epoch_hooks:
                    hook.on_epoch(hooks.Epoch(number, step, metrics, monitor))
                every = config.train.summaries_every
                if every and (number % every == 0 or step == last_step):
                    params = optimizers.fast_params(state.params)
                    summaries = sharding.to_host(summarise(params, state.model_state, batch))
                    if writer:
                        writer.summaries(step, summaries)
                epoch_metrics, clock = None, Clock(step, batch_size)
            meta = {"epoch_metrics": epoch_metrics, "early_stopping": stopping.state()}
            checkpoints.save(step, state, meta, monitor)
            if stop_requested() and step < last_step:
                raise Interrupted(
                    f"Stopped after step {step} of {last_step}; the same command goes on from there."
                )
        if stopping.stop:
            logging.info("Stopped early: %d epochs without improvement.", stopping.patience)
    return metrics


def run_steps(
    train_step: Callable,
    state: TrainState,
    step: int,
    until: int,
    batches: Iterator,
    mesh: Mesh,
    epoch_metrics: dict | None,
    progress: hooks.Progress,
    stop_requested: Callable[[], bool],
) -> tuple[TrainState, int, dict]:
    """Takes steps until `until` or until a stop is requested; adds their metrics to the epoch's.

    Metrics are read one step late, so that the device does not wait for the host.
    """

    def read(step, metrics):
        metrics = sharding.to_host(metrics)
        means = mean_metrics(metrics)
        check_finite(step, means)
        progress.on_step(step, means["loss"])
        pairs = {name: tuple(map(float, pair)) for name, pair in metrics.items()}
        return add_metrics(epoch_metrics, pairs)

    previous = None
    while step < until and not (previous and stop_requested()):
        state, metrics = train_step(state, sharding.put_batch(next(batches), mesh))
        step += 1
        if previous:
            epoch_metrics = read(*previous)
        previous = step, metrics
    return state, step, read(*previous)


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


def make_init(config: ConfigDict, task: Task, optimizer, mesh: Mesh) -> Callable[[], TrainState]:
    """The function that makes the state of step 0 on all devices."""

    def init() -> TrainState:
        key = jax.random.fold_in(jax.random.key(config.seed), _INIT)
        example = jax.tree.map(lambda spec: jnp.zeros(spec.shape, spec.dtype), task.batch_spec(1))
        params, model_state = task.init(key, example)
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

    def replace(model_state):
        return None if model_state is None else {**model_state, "constants": constants}

    return state.replace(
        model_state=replace(state.model_state), slow_model_state=replace(state.slow_model_state)
    )


def compile_train_step(
    config: ConfigDict, task: Task, optimizer, mesh: Mesh, abstract_state: TrainState
) -> Callable[[TrainState, Batch], tuple[TrainState, Metrics]]:
    """Compiles the training step, having checked that it fits, and logs its size.

    Raises:
        UserError: it needs more memory than is free.
    """
    batch_size = global_batch_size(config)
    pass_size = examples_per_pass(config, batch_size)
    batch = jax.tree.map(
        lambda spec: jax.ShapeDtypeStruct(spec.shape, spec.dtype, sharding=sharding.batched(mesh)),
        task.batch_spec(batch_size),
    )
    step = make_train_step(config, task, optimizer, batch_size // pass_size, mesh)
    replicated = sharding.replicated(mesh)
    lowered = jax.jit(step, donate_argnums=0, out_shardings=(replicated, replicated)).lower(
        abstract_state, batch
    )
    log_parameters(abstract_state)
    compiled = lowered.compile()
    needed = check_fits(
        compiled,
        f"set train.microbatch (now {pass_size}) to a smaller divisor of {batch_size}, set "
        "model.remat, or take the config's :cpu variant",
    )
    # XLA counts the body of a loop once.
    flops = (lowered.cost_analysis() or {}).get("flops", 0.0) * (batch_size // pass_size)
    logging.info(
        "A step of %d examples: %.3g GFLOP in %d pass(es), %.2f GB on each of %d %s device(s).",
        batch_size,
        flops / 1e9,
        batch_size // pass_size,
        needed / 1e9,
        mesh.size,
        jax.default_backend(),
    )
    return compiled


def make_train_step(
    config: ConfigDict, task: Task, optimizer, passes: int, mesh: Mesh
) -> Callable[[TrainState, Batch], tuple[TrainState, Metrics]]:
    """One optimiser step on the mean gradient of `passes` equal parts of the batch."""
    gradient = jax.grad(task.loss, has_aux=True)

    def train_step(state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        key = jax.random.fold_in(jax.random.key(config.seed), _STEP)
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
        updates, opt_state = optimizer.update(gradients, state.opt_state, state.params)
        metrics["gradient_norm"] = (optax.tree.norm(gradients), jnp.float32(1))
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
    eval_step = jax.jit(task.eval_step, out_shardings=(sharding.replicated(mesh), None))
    statistics_step = jax.jit(
        lambda params, model_state, batch, key: task.loss(params, model_state, batch, key)[1][0]
    )

    def metrics_of(params, model_state, prefix):
        total = first = None
        for batch in dataset.eval_batches("validation", batch_size):
            batch = sharding.put_batch(batch, mesh)
            first = first or batch
            total = add_metrics(total, eval_step(params, model_state, batch)[0])
        return mean_metrics(sharding.to_host(total), prefix), first

    def slow_model_state(state: TrainState) -> ModelState:
        """BatchNorm statistics of the slow parameters over evenly spaced training examples."""
        momentum = config.train.batch_norm_momentum
        key = jax.random.fold_in(jax.random.key(config.seed), _STATISTICS)
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


def evaluated_copy(config: ConfigDict, state: TrainState) -> tuple[Any, ModelState]:
    """The parameters and model state that `eval.params` names; the only ones where there is one copy."""
    if config.eval.params == "slow" and state.slow_model_state is not None:
        return optimizers.slow_params(state.params), state.slow_model_state
    return optimizers.fast_params(state.params), state.model_state


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


def log_parameters(state: TrainState) -> None:
    """The table of parameters."""
    params = optimizers.fast_params(state.params)
    logging.info("%s", parameter_overview.get_parameter_overview(params, include_stats=False))


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
