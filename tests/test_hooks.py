"""Hooks of the loop: what they decide, and that they decide it alike after any resume."""

import json

import pytest

from configs.memae_ped2 import get_config
from vid_jax import hooks


def steering(mode="min", **changes):
    """The hooks that a config asks for; changes are config keys with __ for the dot."""
    config = get_config()
    config.update_from_flattened_dict({k.replace("__", "."): v for k, v in changes.items()})
    return hooks.create_steering(config, mode)


def after_each(values, mode="min", **changes):
    """(stop, learning-rate scale) after each epoch of a run that is resumed after every epoch."""
    loop_hooks = steering(mode, **changes)
    trace = []
    for value in values:
        for hook in loop_hooks:
            hook.on_epoch(hooks.Epoch(1, 1, {}, value))
        stop = any(hook.stop for hook in loop_hooks)
        trace.append((stop, loop_hooks[-1].learning_rate_scale))
        meta = json.loads(json.dumps(hooks.states(loop_hooks)))
        loop_hooks = steering(mode, **changes)
        hooks.restore(loop_hooks, meta)
    return trace


@pytest.mark.parametrize(
    ("mode", "patience", "min_delta", "values", "stops"),
    [
        ("min", 2, 0.1, (1.0, 0.8, 0.75, 0.74, 0.1), [False, False, False, True, False]),
        ("max", 1, 0.0, (0.5, 0.6, 0.6), [False, False, True]),
        ("min", 0, 0.0, (1.0, 1.0, 1.0), [False, False, False]),
    ],
)
def test_early_stopping_counts_epochs_without_improvement(mode, patience, min_delta, values, stops):
    changes = dict(
        train__early_stopping_patience=patience, train__early_stopping_min_delta=min_delta
    )
    assert [stop for stop, _ in after_each(values, mode, **changes)] == stops


@pytest.mark.parametrize(
    ("mode", "values", "scales"),
    [
        ("min", (1.0, 0.8, 0.75, 0.74, 0.1, 0.1, 0.1), [1, 1, 1, 0.5, 0.5, 0.5, 0.25]),
        ("max", (0.5, 0.7, 0.7, 0.7, 0.9), [1, 1, 1, 0.5, 0.5]),
        ("min", (1.0,) * 9, [1, 1, 0.5, 0.5, 0.25, 0.25, 0.2, 0.2, 0.2]),
    ],
)
def test_plateau_lowers_the_learning_rate_down_to_its_floor(mode, values, scales):
    changes = dict(
        optimizer__schedule="plateau",
        optimizer__learning_rate=0.01,
        optimizer__min_learning_rate=0.002,
        optimizer__decay_rate=0.5,
        optimizer__plateau_patience=2,
        optimizer__plateau_min_delta=0.1,
    )
    trace = after_each(values, mode, **changes)
    assert [scale for _, scale in trace] == pytest.approx(scales)


def test_a_checkpoint_that_knows_only_early_stopping_is_restored():
    changes = dict(optimizer__schedule="plateau", train__early_stopping_patience=3)
    stopping, plateau = steering(**changes)
    meta = {"epoch_metrics": None, "early_stopping": {"best": 0.5, "epochs_without": 2}}
    hooks.restore([stopping, plateau], meta)
    assert not stopping.stop
    stopping.on_epoch(hooks.Epoch(1, 1, {}, 0.6))
    assert stopping.stop
    assert plateau.learning_rate_scale == 1


def test_csv_log_drops_rows_after_the_step_it_resumes_from(tmp_path):
    path = tmp_path / "train_log.csv"
    for resumed_step, numbers in ((0, (1, 2, 3)), (4, (3,))):
        log = hooks.CsvLog(path, resumed_step)
        for number in numbers:
            log.on_epoch(hooks.Epoch(number, 2 * number, {"val/loss": number + resumed_step}, 0.0))
    assert path.read_text().split() == ["step,epoch,val/loss", "2,1,1", "4,2,2", "6,3,7"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.42, "0.42 s"),
        (42, "42 s"),
        (200, "3 min 20 s"),
        (18720, "5 h 12 min"),
        (1.8e6, "21 days"),
    ],
)
def test_durations_read_well(seconds, text):
    assert hooks.duration(seconds) == text
