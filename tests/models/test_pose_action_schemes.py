"""The schemes of joint models against each other and against NumPy, on tiny networks."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from vid_jax.models.action_recogniser import ActionRecogniser
from vid_jax.models.deep_prior import PosePrior
from vid_jax.models.deep_prior_pp import DeepPriorPP
from vid_jax.models.packed_sequences import PackedSequences
from vid_jax.models.pose_action import PARTS, PoseAction
from vid_jax.models.pose_network import PoseNetwork

CLASSES, JOINTS, SIZE = 4, 3, 8
LENGTHS = (3, 1, 4)
ATOL = 1e-5


Recogniser = functools.partial(ActionRecogniser, CLASSES, hidden=4, attention="action_relu")


def pose_network(film=(), frozen=True):
    trunk = DeepPriorPP(
        6, (2, 4), 1, drop_rate=0.0, film=film, film_identity=False, frozen_norm=frozen
    )
    return PoseNetwork(trunk, PosePrior(3 * JOINTS, trainable=True))


def model(scheme, **changes):
    networks = {
        "pose": functools.partial(pose_network),
        "conditioned_pose": functools.partial(pose_network, ("residual", "linear")),
        "teacher_pose": functools.partial(pose_network, ("residual", "linear")),
        "action": Recogniser,
        "teacher_action": Recogniser,
    }
    parts = {part: networks[part]() for part in PARTS[scheme]}
    if scheme == "multi_task":
        parts["action"] = nn.Dense(CLASSES)
    return PoseAction(scheme, CLASSES, **parts | changes)


def features(pose, com, cube, length):
    return jnp.concatenate([pose * cube[..., None] / 2, com], -1), length


def predicted(probabilities, key):
    return probabilities


def equal(probabilities, key):
    return jnp.full_like(probabilities, 1 / CLASSES)


def pack(crops, com, cube, lengths, time=4, frames=12):
    """Sequences from padded crops (b, t, ...)."""
    packed = {"depth": crops, "com": com, "cube": cube}
    valid = np.arange(crops.shape[1]) < np.array(lengths)[:, None]
    positions = np.zeros((len(lengths), time), np.int32)
    numbers = np.cumsum(valid.ravel()).reshape(valid.shape) - 1
    positions[:, : valid.shape[1]] = np.where(valid, numbers, 0)
    count = valid.sum()
    packed = {
        name: jnp.array(np.concatenate([x[valid], np.repeat(x[valid][:1], frames - count, 0)]))
        for name, x in packed.items()
    }
    mask = (np.arange(frames) < count).astype(np.float32)
    return PackedSequences(
        mask=jnp.array(mask), positions=jnp.array(positions), length=jnp.array(lengths), **packed
    )


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    crops = rng.uniform(-1, 1, (3, 4, SIZE, SIZE, 1)).astype(np.float32)
    com = rng.normal(size=(3, 4, 3)).astype(np.float32)
    cube = rng.uniform(1, 2, (3, 4)).astype(np.float32)
    return crops, com, cube


@pytest.fixture(scope="module")
def sequences(data):
    return pack(*data, LENGTHS)


def variables_of(network, sequences, seed=0):
    """With priors and normalisations that are not those of the start."""

    @jax.jit
    def init(sequences):
        variables = network.init(
            jax.random.key(seed), sequences, features, features, method="build"
        )
        return jax.tree.map(
            lambda x: x + 0.05 * jax.random.normal(jax.random.key(x.size), x.shape), variables
        )

    return init(sequences)


def run(network, variables, sequences, tell=predicted, train=False, **options):
    apply = jax.jit(
        lambda variables, sequences: network.apply(
            variables, sequences, features, tell, train, **options
        )
    )
    return apply(variables, sequences)


def assert_same(found, other):
    """Of all sequences, where frames are real."""
    valid = np.arange(max(LENGTHS)) < np.array(LENGTHS)[:, None]
    for a, b in ((found.pose, other.pose), (found.frame_log_probs, other.frame_log_probs)):
        a, b = (x[:, : valid.shape[1]][valid] for x in (a, b))
        np.testing.assert_allclose(a, b, atol=ATOL)
    np.testing.assert_allclose(found.log_probs, other.log_probs, atol=ATOL)


def as_sequential(variables, pose):
    """Those of the sequential scheme with the pose network of that name."""
    return {
        name: {"pose": tree[pose]} | ({"action": tree["action"]} if name == "params" else {})
        for name, tree in variables.items()
    }


def test_feedback_of_equal_classes_is_the_conditioned_network_in_sequence(sequences):
    network = model("feedback")
    variables = variables_of(network, sequences)
    plain = model("sequential", pose=pose_network(("residual", "linear")))
    wanted = run(plain, as_sequential(variables, "conditioned_pose"), sequences)
    assert_same(run(network, variables, sequences, equal), wanted)
    told = run(network, variables, sequences)
    assert np.abs(told.pose - wanted.pose).max() > 10 * ATOL
    np.testing.assert_allclose(told.pose[:, 0], wanted.pose[:, 0], atol=ATOL)  # nothing is known


def test_boosting_mixes_a_first_and_a_second_pass(sequences):
    network = model("boosting", eta=0.0, zeta=0.0)
    variables = variables_of(network, sequences)
    first = run(model("sequential"), as_sequential(variables, "pose"), sequences)
    assert_same(run(network, variables, sequences), first)

    second = run(dataclasses.replace(network, eta=1.0, zeta=1.0), variables, sequences)
    told = sequences.spread(jnp.exp(first.log_probs))
    parts = {name: tree["conditioned_pose"] for name, tree in variables.items()}
    apply = jax.jit(pose_network(("residual", "linear")).apply, static_argnums=2)
    pose = apply(parts, sequences.depth, False, told)[1]
    np.testing.assert_allclose(second.pose, sequences.unpacked(pose), atol=ATOL)
    seen, length = features(
        second.pose,
        sequences.unpacked(sequences.com),
        sequences.unpacked(sequences.cube),
        sequences.length,
    )
    answer = Recogniser().apply({"params": variables["params"]["action"]}, seen, length)
    np.testing.assert_allclose(second.log_probs, answer.log_probs, atol=ATOL)

    mixed = run(
        dataclasses.replace(network, eta=0.3, zeta=0.6, mixing="log_unnormalised"),
        variables,
        sequences,
    )
    np.testing.assert_allclose(mixed.pose, 0.3 * second.pose + 0.7 * first.pose, atol=ATOL)
    np.testing.assert_allclose(
        mixed.log_probs, 0.6 * second.log_probs + 0.4 * first.log_probs, atol=ATOL
    )


@pytest.mark.parametrize("scheme", [s for s in PARTS if s != "distillation"])
def test_padding_and_order_change_no_result(scheme, data):
    network = model(scheme, smoothing=0.3)
    variables = variables_of(network, pack(*data, LENGTHS))
    wanted = run(network, variables, pack(*data, LENGTHS))
    assert_same(run(network, variables, pack(*data, LENGTHS, time=6, frames=16)), wanted)

    order = [2, 0, 1]
    other = pack(*(x[order] for x in data), [LENGTHS[i] for i in order])
    found = run(network, variables, other)
    assert_same(jax.tree.map(lambda x: x[np.argsort(order)], found), wanted)

    length = LENGTHS[0]  # the first alone, at its exact length
    one = pack(*(x[[0], :length] for x in data), [length], time=length, frames=length)
    alone = run(network, variables, one)
    np.testing.assert_allclose(alone.pose[0], wanted.pose[0, :length], atol=ATOL)
    np.testing.assert_allclose(alone.log_probs[0], wanted.log_probs[0], atol=ATOL)


@pytest.mark.parametrize("scheme", ["sequential", "feedback"])
def test_a_stream_in_pieces_is_the_whole(scheme, data):
    network = model(scheme, smoothing=0.3)
    whole = pack(*data, LENGTHS)
    variables = variables_of(network, whole)
    wanted = run(network, variables, whole)
    stream = jax.jit(
        lambda piece, state: network.apply(
            variables, piece, features, predicted, state, method="stream"
        )
    )
    state = network.apply({}, 3, method="initial_state")
    pieces = []
    for start in (0, 2):
        lengths = np.clip(np.array(LENGTHS) - start, 0, 2)
        piece = pack(*(x[:, start : start + 2] for x in data), lengths.tolist(), time=2, frames=8)
        pieces.append(stream(piece, state))
        state = pieces[-1].state
    joined = jax.tree.map(
        lambda *x: jnp.concatenate(x, 1), *(p.replace(state=None, log_probs=None) for p in pieces)
    )
    assert_same(joined.replace(log_probs=pieces[-1].log_probs), wanted)


def test_smoothed_poses_are_seen_or_shown(sequences):
    network = model("sequential")
    variables = variables_of(network, sequences)
    raw = run(network, variables, sequences)
    found = {
        who: run(dataclasses.replace(network, smoothing=0.5, smoothed=who), variables, sequences)
        for who in ("both", "pose", "action")
    }
    wanted = raw.pose[:, 0]
    for t in range(1, 4):
        wanted = 0.5 * wanted + 0.5 * raw.pose[:, t]
    np.testing.assert_allclose(found["both"].pose[2, 3], wanted[2], atol=ATOL)
    np.testing.assert_array_equal(found["pose"].pose, found["both"].pose)
    np.testing.assert_array_equal(found["pose"].log_probs, raw.log_probs)
    np.testing.assert_array_equal(found["action"].pose, raw.pose)
    np.testing.assert_array_equal(found["action"].log_probs, found["both"].log_probs)


@pytest.mark.parametrize("scheme", ["sequential", "feedback"])
def test_statistics_change_only_where_they_are_not_frozen(scheme, sequences):
    for frozen in (True, False):
        part = {
            "sequential": {"pose": pose_network(frozen=frozen)},
            "feedback": {"conditioned_pose": pose_network(("residual",), frozen=frozen)},
        }[scheme]
        network = model(scheme, **part)
        variables = variables_of(network, sequences)
        _, updated = run(network, variables, sequences, train=True, mutable=["batch_stats"])
        before, after = (jax.tree.leaves(v["batch_stats"]) for v in (variables, updated))
        same = [np.array_equal(a, b) for a, b in zip(before, after, strict=True)]
        assert all(same) if frozen else not any(same)
        assert np.all([np.isfinite(x).all() for x in after])


def test_steps_behind_every_end_change_no_statistics(sequences):
    part = pose_network(("residual",), frozen=False)
    network = model("feedback", conditioned_pose=part)
    variables = variables_of(network, sequences)
    ended = sequences.replace(length=jnp.zeros_like(sequences.length))
    _, updated = run(network, variables, ended, train=True, mutable=["batch_stats"])
    jax.tree.map(np.testing.assert_array_equal, updated["batch_stats"], variables["batch_stats"])


def test_a_teacher_is_told_the_truth_and_does_not_learn(sequences):
    network = model("distillation")
    variables = variables_of(network, sequences)

    @jax.jit
    def teach(variables, classes):
        known = jax.nn.one_hot(classes, CLASSES)
        return network.apply(variables, sequences, features, known, method="teach")

    classes = jnp.array([0, 1, 2])
    found, other = teach(variables, classes), teach(variables, jnp.array([0, 3, 2]))
    changed = np.abs(found.pose - other.pose).max((1, 2))
    assert changed[1] > 10 * ATOL
    assert changed[0] == changed[2] == 0
    gradient = jax.jit(jax.grad(lambda v: teach(v, classes).pose.sum()))(variables)
    assert not any(np.any(x) for x in jax.tree.leaves(gradient))
    student = model("sequential")
    alone = as_sequential(variables, "pose")
    assert_same(run(network, variables, sequences), run(student, alone, sequences))
