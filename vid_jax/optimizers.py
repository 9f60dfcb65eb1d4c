"""Optimisers and learning-rate schedules by name, which parameters they train, and Lookahead's two copies of these."""

import re

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array
from ml_collections import ConfigDict
from optax import contrib

from vid_jax.errors import UserError

OPTIMIZERS = ("ranger", "radam", "adam", "adamw", "amsgrad", "sgd", "muon")
SCHEDULES = ("constant", "cosine", "step", "exponential", "inverse_time", "plateau", "staged")
_EVERYTHING = (".*",)
_MUON_RMS = 0.2  # of a kernel's updates, of about the size of Adam's


def create_schedule(config: ConfigDict, steps_per_epoch: int, total_steps: int) -> optax.Schedule:
    """Learning rate as a function of the step.

    Args:
        config: `optimizer` group: learning_rate, schedule, warmup_epochs (linear, before the schedule). Schedules are
            constant; cosine, to 0 at the end; step, times decay_rate at each of decay_epochs; exponential, times
            decay_rate every epoch; inverse_time, divided by 1 + decay_rate * step (Keras's decay); plateau,
            constant here and scaled by `hooks.Plateau`; staged, a tenth and a third of the rate in the first two
            epochs, then times decay_rate ** epoch (DeepPrior++ with exp(-0.04)).

    Raises:
        UserError: unknown schedule, or one without what it needs.
    """
    peak = config.learning_rate
    warmup = round(config.warmup_epochs * steps_per_epoch)
    if config.schedule == "constant":
        schedule = optax.constant_schedule(peak)
    elif config.schedule == "cosine":
        schedule = optax.cosine_decay_schedule(peak, max(1, total_steps - warmup))
    elif config.schedule == "step":
        if not config.decay_epochs:
            raise UserError("optimizer.decay_epochs is empty: optimizer.schedule=step needs epochs")
        boundaries = [round(e * steps_per_epoch) - warmup for e in config.decay_epochs]
        schedule = optax.piecewise_constant_schedule(
            peak, dict.fromkeys(boundaries, config.decay_rate)
        )
    elif config.schedule == "exponential":
        schedule = optax.exponential_decay(peak, steps_per_epoch, config.decay_rate)
    elif config.schedule == "inverse_time":
        if config.decay_rate < 0:
            raise UserError(f"optimizer.decay_rate={config.decay_rate} must not be negative")

        def schedule(step):
            return peak / (1 + config.decay_rate * step)

    elif config.schedule == "staged":

        def schedule(step):
            epoch = 1 + step // steps_per_epoch
            stages = [epoch == 1, epoch == 2]
            return peak * jnp.select(stages, [1 / 10, 1 / 3], config.decay_rate**epoch)

    elif config.schedule == "plateau":
        _check_plateau(config)
        schedule = optax.constant_schedule(peak)
    else:
        raise UserError(
            f"optimizer.schedule={config.schedule!r} is unknown; use one of {', '.join(SCHEDULES)}"
        )
    if not warmup:
        return schedule
    return optax.join_schedules([optax.linear_schedule(0.0, peak, warmup), schedule], [warmup])


def _check_plateau(config: ConfigDict) -> None:
    if config.plateau_patience < 1:
        raise UserError(f"optimizer.plateau_patience={config.plateau_patience} must be at least 1")
    if not 0 < config.decay_rate < 1:
        raise UserError(
            f"optimizer.decay_rate={config.decay_rate} must lie between 0 and 1 with "
            "optimizer.schedule=plateau"
        )
    if not 0 <= config.min_learning_rate < config.learning_rate:
        raise UserError(
            f"optimizer.min_learning_rate={config.min_learning_rate} must be below "
            f"optimizer.learning_rate={config.learning_rate} and not negative"
        )


def create_optimizer(
    config: ConfigDict, steps_per_epoch: int = 1, total_steps: int = 1
) -> optax.GradientTransformationExtraArgs:
    """The `optimizer` group's transformation, on its schedule; `ranger` is Lookahead around RAdam.

    The length of the training changes the learning rate and nothing of the state. Initialise it with `init_params`
    of the parameters. `update` takes `learning_rate_scale`, by default 1, to multiply the schedule by.

    Raises:
        UserError: unknown optimiser or schedule, or `trainable` holds what is no regular expression; from `init`
            and `update`: see `trained`.
    """
    schedule = create_schedule(config, steps_per_epoch, total_steps)
    _check_patterns(config)

    def update(gradients, state, params=None, *, learning_rate_scale=1.0):
        # In the schedule, because Lookahead passes no extra arguments to its fast optimiser.
        scaled = _transformation(config, lambda step: schedule(step) * learning_rate_scale)
        return scaled.update(gradients, state, params)

    return optax.GradientTransformationExtraArgs(_transformation(config, schedule).init, update)


def _transformation(config: ConfigDict, schedule: optax.Schedule) -> optax.GradientTransformation:
    """Clipping, decay and freezing are inside Lookahead's fast optimiser: its updates must not be altered."""
    moments = dict(b1=config.b1, b2=config.b2, eps=config.eps)
    decay = optax.add_decayed_weights(config.weight_decay)
    rate = optax.scale_by_learning_rate(schedule)
    if config.name in ("ranger", "radam"):
        fast = [optax.scale_by_radam(**moments), decay, rate]
    elif config.name == "adam":
        fast = [decay, optax.scale_by_adam(**moments), rate]
    elif config.name == "adamw":
        fast = [optax.scale_by_adam(**moments), decay, rate]
    elif config.name == "amsgrad":
        fast = [decay, optax.scale_by_amsgrad(**moments), rate]
    elif config.name == "sgd":
        fast = [decay, optax.trace(config.momentum), rate]
    elif config.name == "muon":
        fast = [_muon(config, schedule)]
    else:
        raise UserError(
            f"optimizer.name={config.name!r} is unknown; use one of {', '.join(OPTIMIZERS)}"
        )
    if config.clip_norm:
        fast.insert(0, optax.clip_by_global_norm(config.clip_norm))
    optimizer = optax.chain(*fast)
    if freezes(config):
        optimizer = optax.partition(
            {"trained": optimizer, "frozen": optax.set_to_zero()},
            lambda params: _labels(config, params),
        )
    if config.name == "ranger":
        return optax.lookahead(optimizer, config.sync_period, config.slow_step_size)
    return optimizer


def _muon(config: ConfigDict, schedule: optax.Schedule) -> optax.GradientTransformation:
    """Orthogonal steps of kernels, of the size of Adam's, which all other parameters take.

    Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024); for their size, Liu et al., "Muon
    is Scalable for LLM Training" (arXiv 2502.16982, section 2.2). Of a convolution's kernel, as of any, the last axis
    has a matrix's columns and all others its rows.
    """

    def rows_and_columns(params):
        def of(leaf):
            if leaf.ndim < 2:
                return None
            return contrib.MuonDimensionNumbers(tuple(range(leaf.ndim - 1)), leaf.ndim - 1)

        return jax.tree.map(of, params)

    return contrib.muon(
        schedule,
        beta=config.momentum,
        weight_decay=config.weight_decay,
        adam_weight_decay=config.weight_decay,
        adam_b1=config.b1,
        adam_b2=config.b2,
        eps=config.eps,
        muon_weight_dimension_numbers=rows_and_columns,
        consistent_rms=_MUON_RMS,
    )


def freezes(config: ConfigDict) -> bool:
    """Whether `optimizer.trainable` may leave parameters out."""
    return tuple(config.trainable) != _EVERYTHING


def trained(config: ConfigDict, params) -> dict[str, Array]:
    """The leaves of a single copy of the parameters whose name fully matches one of `optimizer.trainable`, by name.

    Raises:
        UserError: a pattern matches no name, or there are no patterns.
    """
    leaves = named_leaves(params)
    some = f"the network has {', '.join(list(leaves)[:3])}, ..."
    if not config.trainable:
        raise UserError(f"optimizer.trainable is empty, so nothing would train; {some}")
    for pattern in config.trainable:
        if not any(re.fullmatch(pattern, name) for name in leaves):
            raise UserError(f"optimizer.trainable={pattern!r} matches no whole name; {some}")
    return {
        name: leaf
        for name, leaf in leaves.items()
        if any(re.fullmatch(pattern, name) for pattern in config.trainable)
    }


def named_leaves(tree) -> dict[str, Array]:
    """The leaves of a tree by their names, as in the logged table of parameters: 'encoder/Conv_0/kernel'."""
    return {_name(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def _labels(config: ConfigDict, params):
    names = trained(config, params)
    return jax.tree_util.tree_map_with_path(
        lambda path, _: "trained" if _name(path) in names else "frozen", params
    )


def _name(path) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")


def _check_patterns(config: ConfigDict) -> None:
    for pattern in config.trainable:
        try:
            re.compile(pattern)
        except re.error as error:
            raise UserError(
                f"optimizer.trainable={pattern!r} is not a regular expression: {error}"
            ) from error


def init_params(config: ConfigDict, params):
    """The parameters in the form that `create_optimizer`'s transformation updates."""
    return optax.LookaheadParams.init_synced(params) if config.name == "ranger" else params


def fast_params(params):
    """The parameters that gradients are taken at."""
    return params.fast if isinstance(params, optax.LookaheadParams) else params


def slow_params(params):
    """Lookahead's slow average, or None where the optimiser keeps a single copy."""
    return params.slow if isinstance(params, optax.LookaheadParams) else None
