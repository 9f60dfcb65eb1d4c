"""Optimisers and learning-rate schedules by name, and the two parameter copies of Lookahead."""

import optax
from ml_collections import ConfigDict

from vid_jax.errors import UserError

OPTIMIZERS = ("ranger", "radam", "adam", "adamw", "sgd")
SCHEDULES = ("constant", "cosine", "step", "exponential")


def create_schedule(config: ConfigDict, steps_per_epoch: int, total_steps: int) -> optax.Schedule:
    """Learning rate as a function of the step.

    Args:
        config: `optimizer` group: learning_rate, schedule (constant; cosine, to 0 at the end; step, times
            decay_rate at each of decay_epochs; exponential, times decay_rate every epoch), warmup_epochs (linear).

    Raises:
        UserError: unknown schedule.
    """
    peak = config.learning_rate
    warmup = round(config.warmup_epochs * steps_per_epoch)
    if config.schedule == "constant":
        schedule = optax.constant_schedule(peak)
    elif config.schedule == "cosine":
        schedule = optax.cosine_decay_schedule(peak, max(1, total_steps - warmup))
    elif config.schedule == "step":
        boundaries = [round(e * steps_per_epoch) - warmup for e in config.decay_epochs]
        schedule = optax.piecewise_constant_schedule(
            peak, dict.fromkeys(boundaries, config.decay_rate)
        )
    elif config.schedule == "exponential":
        schedule = optax.exponential_decay(peak, steps_per_epoch, config.decay_rate)
    else:
        raise UserError(
            f"optimizer.schedule={config.schedule!r} is unknown; use one of {', '.join(SCHEDULES)}"
        )
    if not warmup:
        return schedule
    return optax.join_schedules([optax.linear_schedule(0.0, peak, warmup), schedule], [warmup])


def create_optimizer(
    config: ConfigDict, steps_per_epoch: int = 1, total_steps: int = 1
) -> optax.GradientTransformationExtraArgs:
    """The `optimizer` group's transformation, on its schedule; `ranger` is Lookahead around RAdam.

    The length of the training changes the learning rate and nothing of the state.

    Clipping and decay are inside Lookahead's fast optimiser, because its updates must not be altered.
    Initialise it with `init_params` of the parameters.

    Raises:
        UserError: unknown optimiser or schedule.
    """
    moments = dict(b1=config.b1, b2=config.b2, eps=config.eps)
    decay = optax.add_decayed_weights(config.weight_decay)
    if config.name in ("ranger", "radam"):
        fast = [optax.scale_by_radam(**moments), decay]
    elif config.name == "adam":
        fast = [decay, optax.scale_by_adam(**moments)]
    elif config.name == "adamw":
        fast = [optax.scale_by_adam(**moments), decay]
    elif config.name == "sgd":
        fast = [decay, optax.trace(config.momentum)]
    else:
        raise UserError(
            f"optimizer.name={config.name!r} is unknown; use one of {', '.join(OPTIMIZERS)}"
        )
    if config.clip_norm:
        fast.insert(0, optax.clip_by_global_norm(config.clip_norm))
    schedule = create_schedule(config, steps_per_epoch, total_steps)
    optimizer = optax.chain(*fast, optax.scale_by_learning_rate(schedule))
    if config.name == "ranger":
        return optax.lookahead(optimizer, config.sync_period, config.slow_step_size)
    return optimizer


def init_params(config: ConfigDict, params):
    """The parameters in the form that `create_optimizer`'s transformation updates."""
    return optax.LookaheadParams.init_synced(params) if config.name == "ranger" else params


def fast_params(params):
    """The parameters that gradients are taken at."""
    return params.fast if isinstance(params, optax.LookaheadParams) else params


def slow_params(params):
    """Lookahead's slow average, or None where the optimiser keeps a single copy."""
    return params.slow if isinstance(params, optax.LookaheadParams) else None
