"""Ranger against a float64 re-computation of RAdam and Lookahead; schedules; errors."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from configs import deepprior_synthetic
from configs.memae_ped2 import get_config
from vid_jax import optimizers
from vid_jax.errors import UserError


def optimizer_config(**changes):
    config = get_config().optimizer
    config.update(changes)
    return config


def run(config, gradients, start, **extra):
    optimizer = optimizers.create_optimizer(config, steps_per_epoch=10, total_steps=100)
    params = optimizers.init_params(config, jnp.float32(start))
    state = optimizer.init(params)
    trace = []
    for gradient in gradients:
        updates, state = optimizer.update(jnp.float32(gradient), state, params, **extra)
        params = optax.apply_updates(params, updates)
        trace.append(params)
    return trace


def float64_ranger(gradients, start, rate, eps=1e-8, b1=0.9, b2=0.999, period=6, alpha=0.5):
    """Liu et al., "On the Variance of the Adaptive Learning Rate", algorithm 2, inside Lookahead."""
    fast = slow = start
    m = v = 0.0
    limit = 2 / (1 - b2) - 1
    trace = []
    for t, g in enumerate(gradients, start=1):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        m_hat, v_hat = m / (1 - b1**t), v / (1 - b2**t)
        rho = limit - 2 * t * b2**t / (1 - b2**t)
        if rho >= 5:
            r = np.sqrt((rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho))
            fast -= rate * r * m_hat / (np.sqrt(v_hat) + eps)
        else:
            fast -= rate * m_hat
        if t % period == 0:
            slow = fast = slow + alpha * (fast - slow)
        trace.append((fast, slow))
    return trace


def test_ranger_agrees_with_float64():
    gradients = np.random.default_rng(0).normal(size=14)
    config = optimizer_config(name="ranger", learning_rate=0.01)
    for step, (ours, (fast, slow)) in enumerate(
        zip(run(config, gradients, 1.0), float64_ranger(gradients, 1.0, 0.01)), start=1
    ):
        np.testing.assert_allclose([ours.fast, ours.slow], [fast, slow], rtol=2e-5)
        assert bool(jnp.isclose(ours.fast, ours.slow, rtol=1e-6)) == (step % 6 == 0)


def test_radam_is_not_rectified_for_five_steps_and_starts_small_at_the_sixth():
    """With a constant gradient of 1 both bias-corrected moments are 1, so the step is the factor.

    The factor hangs on a difference of two numbers near 2,000 that float32 knows to 1e-5, hence 2 %.
    """
    trace = run(optimizer_config(name="radam", learning_rate=1.0), [1.0] * 6, 0.0)
    steps = -np.diff([0.0, *map(float, trace)])
    np.testing.assert_allclose(steps[:5], 1, rtol=1e-5)
    np.testing.assert_allclose(steps[5], 0.02582, rtol=0.02)


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_other_optimizers_descend(name):
    trace = run(optimizer_config(name=name, learning_rate=0.1), [1.0, 1.0], 1.0)
    assert trace[1] < trace[0] < 1


def test_muon_takes_orthogonal_steps_of_the_size_of_adams():
    """Liu et al., section 2.2: 0.2 sqrt(max(rows, columns)) U V'; Newton and Schulz's U V' are within a third."""
    gradient = jax.random.normal(jax.random.key(0), (3, 3, 2, 4))
    config = optimizer_config(name="muon", learning_rate=0.1)
    optimizer = optimizers.create_optimizer(config)
    kernel = jnp.zeros_like(gradient)
    updates, _ = optimizer.update({"k": gradient}, optimizer.init({"k": kernel}), {"k": kernel})
    update = -np.asarray(updates["k"]).reshape(18, 4) / (0.1 * 0.2 * 18**0.5)
    left, _, right = np.linalg.svd(np.asarray(gradient).reshape(18, 4), full_matrices=False)
    np.testing.assert_allclose(np.linalg.svd(update, compute_uv=False), 1, atol=0.35)
    np.testing.assert_allclose(np.diag(left.T @ update @ right.T), 1, atol=0.35)
    np.testing.assert_allclose(np.linalg.norm(update - left @ right, 2), 0, atol=0.35)


def test_muon_moves_biases_as_adam_with_nesterovs_momentum_does():
    muon = run(optimizer_config(name="muon", learning_rate=0.1), [1.0, -2.0], 1.0)
    nadam = optax.nadam(0.1)
    state, value = nadam.init(jnp.float32(1)), jnp.float32(1)
    for gradient, ours in zip([1.0, -2.0], muon, strict=True):
        updates, state = nadam.update(jnp.float32(gradient), state)
        value += updates
        np.testing.assert_allclose(ours, value, rtol=1e-6)


def test_clipping_bounds_the_gradient():
    config = optimizer_config(name="sgd", learning_rate=1.0, clip_norm=0.5)
    np.testing.assert_allclose(run(config, [100.0], 0.0)[0], -0.5, rtol=1e-5)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (dict(schedule="constant"), {0: 1.0, 99: 1.0}),
        (dict(schedule="cosine"), {0: 1.0, 50: 0.5, 100: 0.0}),
        (
            dict(schedule="step", decay_epochs=(3, 6), decay_rate=0.1),
            {29: 1.0, 31: 0.1, 61: 0.01},
        ),
        (dict(schedule="exponential", decay_rate=0.5), {0: 1.0, 10: 0.5, 20: 0.25}),
        (dict(schedule="inverse_time", decay_rate=0.5), {0: 1.0, 2: 0.5, 18: 0.1}),
        (dict(schedule="plateau"), {0: 1.0, 99: 1.0}),
        (
            dict(schedule="staged", decay_rate=0.5),
            {0: 0.1, 9: 0.1, 10: 1 / 3, 19: 1 / 3, 20: 1 / 8, 29: 1 / 8, 30: 1 / 16, 99: 2**-10},
        ),
        (
            dict(schedule="staged", decay_rate=0.5, warmup_epochs=1.0),
            {0: 0.0, 5: 0.5, 10: 0.1, 20: 1 / 3, 30: 1 / 8},
        ),
        (dict(schedule="constant", warmup_epochs=1.0), {0: 0.0, 5: 0.5, 10: 1.0}),
        (
            dict(schedule="inverse_time", decay_rate=0.5, warmup_epochs=1.0),
            {5: 0.5, 10: 1.0, 12: 0.5},
        ),
        (dict(schedule="plateau", warmup_epochs=1.0), {0: 0.0, 5: 0.5, 10: 1.0}),
    ],
)
def test_schedules(changes, expected):
    config = optimizer_config(learning_rate=1.0, **changes)
    schedule = optimizers.create_schedule(config, steps_per_epoch=10, total_steps=100)
    for step, rate in expected.items():
        np.testing.assert_allclose(schedule(step), rate, atol=1e-6)


def test_staged_is_the_schedule_of_deepprior():
    """Oberweger and Lepetit: 1e-3 / 10, / 3, then times exp(-0.04 epoch), epochs counted from 1."""
    config = deepprior_synthetic.get_config().optimizer
    schedule = optimizers.create_schedule(config, steps_per_epoch=7, total_steps=700)
    for epoch, rate in {1: 1e-4, 2: 1e-3 / 3, 3: 8.869e-4, 10: 6.703e-4, 100: 1.832e-5}.items():
        steps = np.arange(7 * epoch - 7, 7 * epoch)
        np.testing.assert_allclose([schedule(step) for step in steps], rate, rtol=2e-3)
        np.testing.assert_allclose(jax.jit(schedule)(jnp.int32(steps[-1])), rate, rtol=2e-3)


@pytest.mark.parametrize(("key", "name"), [("name", "adm"), ("schedule", "linear")])
def test_unknown_names_are_named_with_the_known_ones(key, name):
    config = optimizer_config(**{key: name})
    with pytest.raises(UserError, match=rf"optimizer\.{key}='{name}' is unknown; use one of"):
        optimizers.create_optimizer(config)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (dict(plateau_patience=0), "optimizer.plateau_patience=0 must be at least 1"),
        (dict(decay_rate=1.5), "optimizer.decay_rate=1.5 must lie between 0 and 1"),
        (dict(min_learning_rate=0.1), "optimizer.min_learning_rate=0.1 must be below"),
    ],
)
def test_a_plateau_that_cannot_lower_the_rate_is_refused(changes, words):
    with pytest.raises(UserError, match=words):
        optimizers.create_optimizer(optimizer_config(schedule="plateau", **changes))


@pytest.mark.parametrize("name", optimizers.OPTIMIZERS)
def test_scale_acts_as_another_learning_rate(name):
    """Over two synchronisations of Lookahead, whose updates must not be scaled afterwards."""
    gradients = np.random.default_rng(0).normal(size=14)
    changes = dict(name=name, weight_decay=0.1, warmup_epochs=0.5)
    scaled = run(
        optimizer_config(learning_rate=0.1, **changes), gradients, 1.0, learning_rate_scale=0.2
    )
    np.testing.assert_allclose(
        scaled, run(optimizer_config(learning_rate=0.02, **changes), gradients, 1.0), rtol=1e-5
    )


def test_state_of_ranger_is_that_of_optax():
    """Checkpoints depend on it."""
    params = optax.LookaheadParams.init_synced({"kernel": jnp.ones(3)})
    ours = optimizers.create_optimizer(optimizer_config(name="ranger")).init(params)
    fast = optax.chain(
        optax.scale_by_radam(),
        optax.add_decayed_weights(0.0),
        optax.scale_by_learning_rate(lambda step: 1.0),
    )
    assert jax.tree.structure(ours) == jax.tree.structure(
        optax.lookahead(fast, 6, 0.5).init(params)
    )


PARAMS = {
    "encoder": {"kernel": jnp.arange(1.0, 7.0), "bias": jnp.ones(2)},
    "memory": {"slots": jnp.linspace(0.1, 0.7, 5)},
}


def train_some(config, gradients=None, steps=8):
    """The parameters after some steps, by default on random gradients."""
    optimizer = optimizers.create_optimizer(config)
    params = optimizers.init_params(config, PARAMS)
    state = optimizer.init(params)
    rng = np.random.default_rng(0)
    for _ in range(steps):
        random = jax.tree.map(lambda p: jnp.asarray(rng.normal(size=p.shape), p.dtype), PARAMS)
        updates, state = optimizer.update(gradients or random, state, params)
        params = optax.apply_updates(params, updates)
    return params, state


@pytest.mark.parametrize("name", optimizers.OPTIMIZERS)
def test_frozen_parameters_keep_their_bits_and_have_no_moments(name):
    config = optimizer_config(
        name=name, learning_rate=0.1, weight_decay=0.1, trainable=("encoder/.*",)
    )
    params, state = train_some(config)
    for copy in filter(None, (optimizers.fast_params(params), optimizers.slow_params(params))):
        np.testing.assert_array_equal(copy["memory"]["slots"], PARAMS["memory"]["slots"])
        for part in ("kernel", "bias"):
            assert np.all(copy["encoder"][part] != PARAMS["encoder"][part])
    assert PARAMS["memory"]["slots"].shape not in {leaf.shape for leaf in jax.tree.leaves(state)}


def test_frozen_parameters_do_not_count_in_the_norm():
    gradients = jax.tree.map(jnp.zeros_like, PARAMS)
    gradients["encoder"]["bias"] = jnp.array([0.3, 0.4])
    gradients["memory"]["slots"] = jnp.full(5, 1e6)
    config = optimizer_config(
        name="sgd", learning_rate=1.0, clip_norm=0.5, trainable=("encoder/bias", ".*/kernel")
    )
    params, _ = train_some(config, gradients, steps=1)
    np.testing.assert_allclose(params["encoder"]["bias"], [0.7, 0.6], rtol=1e-6)


@pytest.mark.parametrize(
    ("trainable", "words"),
    [
        (
            ("encoder/.*", "decoder.*"),
            r"'decoder\.\*' matches no whole name; the network has encoder/",
        ),
        (("encoder",), "'encoder' matches no whole name; the network has encoder/bias, encoder/k"),
        ((), "is empty, so nothing would train; the network has encoder/bias"),
        (("(",), "is not a regular expression"),
    ],
)
def test_patterns_that_name_nothing_are_named(trainable, words):
    config = optimizer_config(trainable=trainable)
    with pytest.raises(UserError, match=words):
        jax.eval_shape(lambda: optimizers.create_optimizer(config).init(PARAMS))


@pytest.mark.parametrize(
    ("schedule", "key", "value", "message"),
    [
        ("step", "decay_epochs", (), "optimizer.decay_epochs is empty"),
        ("inverse_time", "decay_rate", -0.1, "optimizer.decay_rate=-0.1 must not be negative"),
    ],
)
def test_schedules_that_lack_what_they_need_are_refused(schedule, key, value, message):
    config = optimizer_config(**{"schedule": schedule, key: value})
    with pytest.raises(UserError, match=message):
        optimizers.create_schedule(config, 10, 100)
