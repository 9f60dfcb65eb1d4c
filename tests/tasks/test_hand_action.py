"""The task of hand actions: its loss, what it says of sequences and their beginnings, and bad settings."""

import csv
import functools
import types

import jax
import numpy as np
import pytest

from configs import har_lstm_fhad, har_lstm_synthetic
from vid_jax.errors import UserError
from vid_jax.input_pipeline.joint_sources import ACTIONS
from vid_jax.metrics.action import FRACTIONS, top_k
from vid_jax.tasks import _action_parts
from vid_jax.tasks.base import make_task

CLASSES = len(ACTIONS["gestures"])
LENGTH = np.array([12, 5, 9, 1], np.int32)


def make_config(variant="", **changes):
    config = har_lstm_synthetic.get_config(variant)
    config.model.hidden = 4
    config.data.lengths, config.data.max_length = (12, 24), 12
    if variant == "best":
        config.model.resample = 6
    config.lock()
    config.update_from_flattened_dict({k.replace("__", "."): v for k, v in changes.items()})
    return config


def make_batch(time=12, seed=0):
    rng = np.random.default_rng(seed)
    joints = (600 + 50 * rng.normal(size=(4, time, 21, 3))).astype(np.float32)
    joints[np.arange(time) >= LENGTH[:, None]] = 0
    return {
        "joints": joints,
        "length": LENGTH,
        "action": np.array([3, 0, 19, 7], np.int32),
        "index": np.arange(4, dtype=np.int32),
        "epoch": np.zeros(4, np.int32),
    }


class Sequences:
    """As much of a data set as constants are fitted on."""

    info = types.SimpleNamespace(num_examples={"train": 3})

    def sequence(self, split, i):
        return make_batch()["joints"][i, : LENGTH[i]]


@functools.cache
def started(variant="", **changes):
    """A task, parameters of which none is 0, its state, and its evaluation of a batch, compiled once."""
    task = make_task(make_config(variant, **changes))
    shapes, _ = jax.eval_shape(task.init, jax.random.key(0), make_batch())
    rng = np.random.default_rng(1)
    params = jax.tree.map(lambda p: rng.normal(0, 0.3, p.shape).astype(np.float32), shapes)
    state = {"constants": task.prepare(Sequences())}
    evaluate = jax.jit(task.eval_step)

    def evaluated(batch, params=params):
        return jax.device_get(evaluate(params, state, batch))

    return task, params, state, evaluated


def evaluated(variant="", batch=None, **changes):
    *_, evaluate = started(variant, **changes)
    return evaluate((batch or make_batch()) | {"mask": np.ones(4, np.float32)})


@pytest.fixture(scope="module")
def best():
    return evaluated("best")


def test_constants_are_of_the_training_sequences():
    config = make_config("best", model__pca=5)
    found = _action_parts.fit(config.model, Sequences())
    initial = _action_parts.initial_constants(config.model)
    assert {k: v.shape for k, v in found.items()} == {k: v.shape for k, v in initial.items()}
    frames = np.concatenate([Sequences().sequence("train", i) for i in range(3)])
    thumb = np.linalg.norm(frames[:, 1] - frames[:, 0], axis=-1).mean()
    assert found["bone_lengths"][0] == pytest.approx(thumb, rel=1e-5)


def test_batches_have_the_shapes_that_are_announced():
    for longest, time in ((12, 12), (0, 24), (100, 128)):
        task = make_task(make_config(data__max_length=longest))
        spec = task.batch_spec(4)
        batch = make_batch(time)
        assert {k: (v.shape, v.dtype) for k, v in spec.items()} == {
            k: (v.shape, v.dtype) for k, v in batch.items()
        }


def test_losses_and_ranks_are_of_the_log_probabilities(best):
    metrics, outputs = best
    log_probs, action = outputs["log_probs"], make_batch()["action"]
    np.testing.assert_allclose(np.exp(log_probs).sum(-1), 1, atol=1e-5)
    target = 0.9 * np.eye(CLASSES)[action] + 0.1 / CLASSES
    total, count = metrics["loss"]
    assert count == 4
    assert total == pytest.approx(-(target * log_probs).sum(), rel=1e-4)
    for k in (1, 3):
        assert metrics[f"top{k}"] == pytest.approx((4 * top_k(log_probs, action, k), 4))


def test_answers_that_are_all_alike_are_not_right():
    _, params, _, evaluate = started()
    silent = jax.tree.map(np.zeros_like, params)
    metrics, _ = evaluate(make_batch() | {"mask": np.ones(4, np.float32)}, silent)
    assert [metrics["top1"][0], metrics["top3"][0]] == [1, 1]  # of class 0, the first of all


def test_padded_examples_do_not_count():
    *_, evaluate = started()
    batch = make_batch() | {"mask": np.array([1, 1, 0, 0], np.float32)}
    metrics, _ = evaluate(batch)
    batch["joints"] = batch["joints"].copy()
    batch["joints"][2:] = 7
    again, _ = evaluate(batch)
    assert metrics["loss"][1] == 2
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), metrics, again)


def test_beginnings_are_recognised_by_themselves(best):
    _, outputs = best
    assert "frame_log_probs" not in outputs
    assert outputs["steps"].tolist() == [6] * 4
    found = outputs["fraction_log_probs"]
    assert found.shape == (4, len(FRACTIONS), CLASSES)
    np.testing.assert_allclose(found[:, -1], outputs["log_probs"], atol=1e-5)
    half = list(FRACTIONS).index(0.5)
    batch = make_batch()
    batch["length"] = np.array([6, 3, 5, 1], np.int32)  # ceil(0.5 * length)
    _, cut = evaluated("best", batch)
    np.testing.assert_allclose(found[:, half], cut["log_probs"], atol=1e-5)


def test_answers_after_each_frame_do_not_see_the_rest():
    _, outputs = evaluated()
    assert "fraction_log_probs" not in outputs
    batch = make_batch()
    batch["length"] = np.minimum(LENGTH, 4)
    _, cut = evaluated("", batch)
    last = batch["length"] - 1
    np.testing.assert_allclose(
        outputs["frame_log_probs"][np.arange(4), last], cut["log_probs"], atol=1e-5
    )


def test_the_length_of_the_whole_is_not_known_at_the_beginning():
    task, params, state, _ = started(model__features=("middle_mcp", "log_length"))
    batch = make_batch() | {"mask": np.ones(4, np.float32)}
    _, outputs = jax.eval_shape(task.eval_step, params, state, batch)
    assert "frame_log_probs" not in outputs


def test_training_is_augmented_and_reaches_every_parameter():
    task, params, state, _ = started(
        "best", model__members=2, model__layers=1, model__bidirectional=False
    )
    batch = make_batch()
    (loss, (_, metrics)), gradient = jax.jit(jax.value_and_grad(task.loss, has_aux=True))(
        params, state, batch, jax.random.key(1)
    )
    assert metrics["loss"][0] / metrics["loss"][1] == pytest.approx(float(loss), rel=1e-5)
    assert all(np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(gradient))
    joints, length = jax.jit(task.augmented)(batch)
    assert np.abs(joints - batch["joints"]).max() > 1
    assert (length <= LENGTH).all()
    again, _ = jax.jit(task.augmented)(batch)
    np.testing.assert_array_equal(joints, again)
    plain = make_task(make_config())
    assert plain.augmented(batch)[0] is batch["joints"]


def test_hands_that_are_not_in_mm_are_told():
    task = make_task(make_config())
    assert not task.warnings({"palm_mm": 90.0})
    assert "wrong units" in task.warnings({"palm_mm": 0.09})[0]


def test_a_file_of_joints_gives_its_action(tmp_path):
    task, *_, evaluate = started()
    source = tmp_path / "mine" / "skeleton.txt"
    source.parent.mkdir()
    rows = make_batch()["joints"][0].reshape(12, -1)
    np.savetxt(source, np.column_stack([np.arange(12), rows]), fmt="%d" + " %.4f" * 63)

    def eval_step(batch):
        return evaluate(batch)[1] | {"mask": batch["mask"], "length": batch["length"]}

    found = task.inputs(tmp_path)
    assert found == {"mine": source}
    task.predict(eval_step, 4, source, tmp_path / "out", {})
    with (tmp_path / "out" / "actions.csv").open(newline="") as file:
        [row] = csv.DictReader(file)
    batch = {"joints": make_batch()["joints"][[0] * 4], "length": np.full(4, 12, np.int32)}
    _, outputs = evaluated("", make_batch() | batch)
    wanted = dict(zip(ACTIONS["gestures"], np.exp(outputs["log_probs"][0])))
    assert {name: float(row[name]) for name in wanted} == pytest.approx(wanted, abs=1e-4)


def test_every_variant_of_the_configs_makes_a_task():
    for module, variants in (
        (har_lstm_synthetic, ("", "best", "demo", "attention")),
        (har_lstm_fhad, ("", "select", "ensemble", "baseline", "attention")),
    ):
        for variant in variants:
            make_task(module.get_config(variant))
        with pytest.raises(ValueError, match="unknown"):
            module.get_config("none such")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data__dataset": "msra15"}, "config.data.dataset='msra15' has no actions"),
        ({"data__validation": "none"}, "eval.checkpoint=latest"),
        ({"train__label_smoothing": 1.0}, "train.label_smoothing=1.0"),
        ({"model__features": ("palms",)}, "model.features=.*'palms' is unknown; use middle_mcp,"),
        ({"model__features": ("velocity",)}, "name one of middle_mcp"),
        ({"model__resample": 1}, "model.resample=1: must be 2 frames"),
        ({"model__pca": 64}, "model.pca=64: must be 1 to 63"),
        ({"model__attention": "self"}, "model.attention='self' is unknown; use one of none"),
        (
            {"model__attention": "input_conv", "model__bidirectional": True},
            "set model.bidirectional=False",
        ),
        (
            {"model__attention": "input_linear", "data__max_length": 0},
            "set data.max_length or model.resample",
        ),
        ({"model__unmasked": True}, "model.unmasked=True: model.attention=none"),
        ({"model__hidden": 0}, "model.hidden=0: must be at least 1"),
        ({"model__layers": 0}, "model.layers=0: must be at least 1"),
        ({"model__members": 0}, "model.members=0: must be at least 1"),
        ({"model__attention_kernel": 8}, "model.attention_kernel=8: must be an odd"),
        ({"model__drop_rate": 1.0}, "model.drop_rate=1.0: must be at least 0 and below 1"),
    ],
)
def test_settings_that_cannot_be_are_named(changes, message):
    with pytest.raises(UserError, match=message):
        make_task(make_config(**changes))


def test_groups_of_joint_models_are_named_as_they_are():
    config = make_config(model__hidden=0)
    with pytest.raises(UserError, match=r"model\.action\.hidden=0"):
        _action_parts.make_recogniser(config.model, CLASSES, group="model.action")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"model__attention": "action_relu"}, True),
        ({"model__bidirectional": True}, False),
        ({"model__features": ("palm", "velocity")}, False),
        ({"model__attention": "input_rnn"}, False),
    ],
)
def test_what_goes_frame_by_frame_is_known(changes, expected):
    assert _action_parts.frame_by_frame(make_config(**changes).model) is expected
