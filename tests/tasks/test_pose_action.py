"""Joint models of pose and action: what trains of them, what they are told, and what configs may say."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from configs import pose_action_fhad, pose_action_synthetic
from vid_jax import optimizers
from vid_jax.errors import UserError
from vid_jax.models.pose_action import PARTS
from vid_jax.tasks.base import make_task

POSE = {
    "network": "deep_prior_pp",
    "widths": (2, 16),
    "blocks": 1,
    "prior_components": 6,
    "prior_samples": 200,
}
NETS = {
    f"model.{part}.{key}": v for part in ("pose", "conditioned_pose") for key, v in POSE.items()
}
SIZES = {
    "data.crop_size": 8,
    "data.max_length": 4,
    "data.lengths": (4,),
    "data.packing": 8,
    "model.action.hidden": 4,
    "train.batch_size": 2,
}


def config_of(variant="", **changes):
    config = pose_action_synthetic.get_config(variant)
    if variant == "distillation":
        config.init_from.teacher_pose = config.init_from.teacher_action = "elsewhere"
    keys = NETS | SIZES | {key.replace("__", "."): value for key, value in changes.items()}
    config.update_from_flattened_dict(keys)
    return config


def batch_of(task, lengths=(3, 2)):
    """Random crops and joints."""
    spec, rng = task.batch_spec(len(lengths)), np.random.default_rng(0)
    frames = {name: np.zeros(s.shape, s.dtype) for name, s in spec["frames"].items()}
    count = len(frames["mask"])
    frames["mask"] = (np.arange(count) < sum(lengths)).astype(np.float32)
    frames["cube"] += 200
    frames["com"] += np.float32([0, 0, 450])
    frames["depth"] += rng.integers(350, 550, frames["depth"].shape, dtype=np.uint16)
    frames["joints"] += (frames["com"][:, None] + rng.normal(0, 40, (count, 21, 3))).astype("f4")
    frames["scale"] += 0.04
    positions = np.zeros(spec["positions"].shape, np.int32)
    for row, (start, length) in enumerate(zip(np.cumsum((0, *lengths)), lengths)):
        positions[row, :length] = start + np.arange(length)
    numbers = {"length": lengths, "action": (1, 3), "index": (0, 1), "epoch": (0, 0)}
    numbers = {name: np.array(values, np.int32) for name, values in numbers.items()}
    return {"frames": frames, "positions": positions, **numbers}


def variables_of(task, batch):
    """With no zeros, behind which gradients vanish."""
    params, model_state = jax.jit(task.init)(jax.random.key(0), batch)
    shift = lambda x: x + 0.02 * jax.random.normal(jax.random.key(x.size), x.shape)  # noqa: E731
    statistics = {name: model_state[name] for name in ("batch_stats",)}
    constants = dict(model_state["constants"])
    for part, known in constants.items():
        if "prior" in known:
            constants[part] = {**known, "prior": jax.tree.map(shift, known["prior"])}
        elif "bone_lengths" in known:
            constants[part] = {**known, "bone_lengths": jnp.full_like(known["bone_lengths"], 30)}
    return jax.tree.map(shift, params), {**statistics, "constants": constants}


@pytest.mark.parametrize("variant", ["", "sequential", "feedback", "multi_task", "distillation"])
def test_exactly_what_is_listed_trains(variant):
    """And frozen statistics stay as they are, bit for bit."""
    changes = dict(model__conditioned_pose__equiprobable=0.0, optimizer__weight_decay=0.0)
    config = config_of(variant, **changes)
    task = make_task(config)
    batch = batch_of(task)
    params, model_state = variables_of(task, batch)
    optimizer = optimizers.create_optimizer(config.optimizer)

    @jax.jit
    def step(params, model_state, key):
        gradients, (model_state, metrics) = jax.grad(task.loss, has_aux=True)(
            params, model_state, batch, key
        )
        updates, _ = optimizer.update(gradients, optimizer.init(params), params)
        return optax.apply_updates(params, updates), model_state, metrics

    new, new_state, metrics = step(params, model_state, jax.random.key(1))
    jax.tree.map(np.testing.assert_array_equal, new_state, model_state)
    assert all(np.isfinite(total) for total, _ in metrics.values())
    trained = optimizers.trained(config.optimizer, params)
    before, after = optimizers.named_leaves(params), optimizers.named_leaves(new)
    assert {part.split("/")[0] for part in before} == set(PARTS[task.network.scheme])
    for name in before:
        changed = not np.array_equal(before[name], after[name])
        assert changed == (name in trained) == ("norm" not in name and _learns(variant, name)), name


def _learns(variant, name):
    if name.startswith("teacher"):
        return False
    return variant != "" or not name.startswith("pose/")


def test_statistics_follow_the_packed_frames_where_they_are_the_batchs():
    """And neither they nor the loss see what only fills up."""
    task = make_task(config_of("sequential", train__batch_norm="batch"))
    batch = batch_of(task)
    params, model_state = variables_of(task, batch)
    step = jax.jit(task.loss)
    loss, (new_state, _) = step(params, model_state, batch, jax.random.key(0))
    pairs = zip(*(jax.tree.leaves(s["batch_stats"]) for s in (model_state, new_state)), strict=True)
    assert all(np.any(a != b) for a, b in pairs)
    padding = batch["frames"]["mask"] == 0
    assert padding.any()
    batch["frames"]["depth"][padding] = 123
    batch["frames"]["joints"][padding] = 7
    other_loss, (other_state, _) = step(params, model_state, batch, jax.random.key(0))
    assert float(loss) == float(other_loss)
    jax.tree.map(np.testing.assert_array_equal, new_state, other_state)


class Frames:
    """Of a training split."""

    def fields(self, split):
        joints = np.random.default_rng(0).normal(0, 30, (5, 21, 3)).astype(np.float32)
        return {"joints": joints}


def test_networks_may_be_without_a_prior():
    """And have no constants then, which are in the same places before and after they are fitted."""
    task = make_task(config_of("sequential", model__pose__prior_components=0))
    _, model_state = jax.eval_shape(task.init, jax.random.key(0), batch_of(task))
    fitted = task.prepare(Frames())
    assert jax.tree.structure(fitted) == jax.tree.structure(model_state["constants"])


def test_uncertainty_learns_its_weights():
    trainable = ("pose/.*", "log_variance/.*")
    config = config_of("sequential", train__weighting="uncertainty", optimizer__trainable=trainable)
    task = make_task(config)
    batch = batch_of(task)
    params, model_state = variables_of(task, batch)
    gradient = jax.jit(jax.grad(lambda p: task.loss(p, model_state, batch, jax.random.key(0))[0]))
    assert all(np.any(x) for x in gradient(params)["log_variance"].values())


@pytest.mark.parametrize("scheme", ["feedback", "boosting"])
def test_evaluation_tells_what_the_config_says(scheme):
    """And is the same each time."""
    found, running = {}, {}
    task = make_task(config_of(scheme))
    batch = batch_of(task) | {"mask": np.ones(2, np.float32)}
    variables = variables_of(task, batch)
    for told in ("predicted", "uniform", "ground_truth"):
        task = make_task(config_of(scheme, eval__action=told))
        outputs = jax.jit(task.eval_step)(*variables, batch)[1]
        found[told], running[told] = outputs["joints"], "frame_log_probs" in outputs
    # The second pass is told what the first said of the whole sequence.
    assert running == dict.fromkeys(found, True) | {"predicted": scheme == "feedback"}
    assert make_task(config_of(scheme)).told == "predicted"
    assert make_task(config_of("sequential")).told == ""
    for told, joints in found.items():
        assert joints.shape == (2, 4, 21, 3)
        assert all(np.any(joints != other) for name, other in found.items() if name != told)


BAD = {
    "model.scheme='both'": dict(model__scheme="both"),
    "model.mixing": dict(model__mixing="mean"),
    "model.smoothed": dict(model__smoothed="none"),
    "model.smoothing": dict(model__smoothing=1.0),
    "model.eta": dict(model__eta=1.5),
    "model.zeta": dict(model__zeta=-0.5),
    "train.alpha": dict(train__alpha=2.0),
    "train.batch_norm": dict(train__batch_norm="running"),
    "train.weighting": dict(train__weighting="equal"),
    "train.temperature": dict(train__temperature=0.0),
    "train.microbatch": dict(train__microbatch=1),
    "data.augmentation": dict(data__augmentation=("rot",)),
    "data.validation=none": dict(data__validation="none"),
    "eval.action": dict(eval__action="guessed"),
    "config.data.dataset='hands'": dict(data__dataset="hands"),
    "model.conditioned_pose.film is empty": dict(model__conditioned_pose__film=()),
    "model.pose.com_refinement": dict(model__pose__com_refinement=True),
    "model.action.features": dict(model__action__features=("fingers",)),
    "optimizer.trainable": dict(train__weighting="uncertainty"),
}


@pytest.mark.parametrize("words", BAD)
def test_wrong_values_are_named(words):
    with pytest.raises(UserError, match=words.replace(".", r"\.")):
        make_task(config_of(**BAD[words]))


@pytest.mark.parametrize(
    ("variant", "changes", "words"),
    [
        ("feedback", dict(model__action__bidirectional=True), "goes frame by frame"),
        ("feedback", dict(model__action__features=("velocity", "wrist")), "goes frame by frame"),
        ("multi_task", dict(model__pose__prior_components=0), "prior_components"),
        ("sequential", dict(eval__action="ground_truth"), "tells no network"),
        ("sequential", dict(eval__action="predicted"), "tells no network"),
        ("sequential", dict(init_from__conditioned_pose="x"), "no such part"),
        ("distillation", dict(optimizer__trainable=(".*",)), "a teacher that stays"),
        ("distillation", dict(init_from__teacher_pose=""), "init_from.teacher_pose is empty"),
    ],
)
def test_schemes_want_what_fits_them(variant, changes, words):
    with pytest.raises(UserError, match=words):
        make_task(config_of(variant, **changes))


@pytest.mark.parametrize("variant", pose_action_synthetic.VARIANTS)
def test_configs_build_their_tasks(variant):
    for config in (pose_action_synthetic, pose_action_fhad):
        config = config.get_config(variant)
        config.init_from.teacher_pose = config.init_from.teacher_action = (
            "elsewhere" if variant == "distillation" else ""
        )
        task = make_task(config)
        assert {*task.groups} == set(PARTS[config.model.scheme])
