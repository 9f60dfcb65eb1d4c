"""Recognisers of actions: each form of attention by its formula, padding, order, steps, and members."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vid_jax.models.action_recogniser import ActionRecogniser
from vid_jax.models.temporal_attention import (
    ACTION_FORMS,
    ATTENTIONS,
    INPUT_FORMS,
    running_means,
)

TIME, DIM, HIDDEN, CLASSES, KERNEL = 6, 3, 4, 5, 3
LENGTH = np.array([6, 1, 4])


def recogniser(attention="none", **others):
    settings = {"attention_kernel": KERNEL, "attention_frames": TIME} | others
    return ActionRecogniser(CLASSES, HIDDEN, attention=attention, **settings)


def sequences(seed=0):
    x = np.random.default_rng(seed).normal(size=(3, TIME, DIM)).astype(np.float32)
    return np.where((np.arange(TIME) < LENGTH[:, None])[..., None], x, 0)


@functools.cache
def initialised(network):
    """Parameters of which none is 0."""
    shapes = jax.eval_shape(network.init, jax.random.key(0), sequences(), LENGTH)
    rng = np.random.default_rng(1)
    return jax.tree.map(lambda p: rng.normal(0, 0.7, p.shape).astype(np.float32), shapes)


def recognised(network, x, length=LENGTH):
    return jax.jit(network.apply)(initialised(network), x, length)


def reference(params, form, x):
    """Log-probabilities of one sequence, and the weights of its frames, by the published formulas."""
    p = params["params"]["network"]
    lstm, output = p["lstm_0"]["forwards"], p["output"]
    time = len(x)

    def step(state, frame):
        h, c = state
        gates = frame @ lstm["kernel"] + h @ lstm["recurrent_kernel"] + lstm["bias"]
        i, f, g, o = np.split(gates, 4)
        c = c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
        return np.tanh(c) / (1 + np.exp(-o)), c

    def softmax(b):
        return np.exp(b) / np.exp(b).sum()

    def convolved(rows, kernel):
        padded = np.pad(rows, ((KERNEL // 2, KERNEL // 2), (0, 0)))
        return np.array([(padded[s : s + KERNEL] * kernel).sum() for s in range(len(rows))])

    def answer(h):
        return h @ output["kernel"] + output["bias"]

    def normalised(u):
        return u - np.log(np.exp(u).sum())

    state = np.zeros(HIDDEN), np.zeros(HIDDEN)
    before, states, a = [], [], None
    for t in range(time):
        before.append(state[0])
        seen, frame = x[: t + 1], x[t]
        if form.startswith("input_conv"):
            q = p["input_attention"]
            of_frames = q["of_frames"]["kernel"].T, q["of_states"]["kernel"].T
            kernel = np.concatenate(of_frames, axis=1)
            current = form == "input_conv_current"
            beside = np.array([state[0]] * (t + 1) if current else before)
            b = convolved(np.concatenate([seen, beside], axis=1), kernel) + q["bias"]
            b = np.maximum(b, 0) if form == "input_conv_relu" else b
        elif form.startswith("input"):
            q = p["input_attention"]
            buffer = np.zeros((TIME, DIM))
            buffer[: t + 1] = seen
            b = buffer.ravel() @ q["linear"]["kernel"] + q["linear"]["bias"]
            if form == "input_rnn":
                layer = np.tanh(b + state[0] @ q["recurrent"]["kernel"])
                b = layer @ q["output"]["kernel"] + q["output"]["bias"]
            b = b[: t + 1]
        if form.startswith("input"):
            a = softmax(b)
            frame = a @ seen
        state = step(state, frame)
        states.append(state[0])
    if form not in ACTION_FORMS:
        return normalised(answer(states[-1])), a
    h = np.array(states)
    if form == "pooling":
        layer = np.tanh(h @ p["scores"]["Dense_0"]["kernel"] + p["scores"]["Dense_0"]["bias"])
        b = (layer @ p["scores"]["Dense_1"]["kernel"])[:, 0]
    elif form == "action_conv":
        q = p["scores"]["Conv_0"]
        b = np.maximum(convolved(np.concatenate([x, h], 1), q["kernel"][..., 0]) + q["bias"], 0)
    else:
        q = p["scores"]["Dense_0"]
        b = (np.concatenate([x, h], 1) @ q["kernel"] + q["bias"])[:, 0]
        b = np.maximum(b, 0) if form == "action_relu" else 1 / (1 + np.exp(-b))
    a = softmax(b)
    return normalised(a @ answer(h)), a


@pytest.mark.parametrize("form", ATTENTIONS)
def test_attention_is_by_its_formula_and_not_of_the_padding(form):
    network, x = recogniser(form), sequences()
    found = recognised(network, np.pad(x, ((0, 0), (0, 3), (0, 0))))
    for row, frames in enumerate(LENGTH):
        log_probs, weights = reference(initialised(network), form, x[row, :frames])
        np.testing.assert_allclose(found.log_probs[row], log_probs, atol=1e-5)
        if form != "none":
            np.testing.assert_allclose(found.attention[row, :frames], weights, atol=1e-5)
            assert not found.attention[row, frames:].any()
    if network.causal:
        last = found.frame_log_probs[np.arange(3), LENGTH - 1]
        np.testing.assert_allclose(last, found.log_probs, atol=1e-5)


def test_the_order_of_a_batch_is_the_order_of_the_answers():
    network, x, order = recogniser("pooling", bidirectional=True, layers=2), sequences(), [2, 0, 1]
    found = recognised(network, x)
    again = recognised(network, x[order], LENGTH[order])
    np.testing.assert_allclose(again.log_probs, found.log_probs[np.array(order)], atol=1e-6)


def test_unmasked_attention_weighs_the_padding():
    found = recognised(recogniser("action_relu", unmasked=True), sequences())
    np.testing.assert_allclose(found.attention.sum(-1), 1, atol=1e-6)
    assert (found.attention[1, 1:] > 0).all()


@pytest.mark.parametrize(
    ("form", "members"),
    [("none", 1), ("action_relu", 1), ("action_sigmoid", 1), ("pooling", 1), ("pooling", 2)],
)
def test_steps_find_what_whole_sequences_do(form, members):
    network, x = recogniser(form, layers=2, members=members), sequences()
    variables, found = initialised(network), recognised(network, x)
    state = network.apply({}, 3, method="initial_state")
    assert {leaf.shape[0] for leaf in jax.tree.leaves(state)} == {3}
    step = jax.jit(lambda state, x: network.apply(variables, state, x, method="step"))
    for t in range(TIME):
        state, log_probs = step(state, x[:, t])
        seen = np.flatnonzero(t < LENGTH)
        np.testing.assert_allclose(log_probs[seen], found.frame_log_probs[seen, t], atol=1e-5)


@pytest.mark.parametrize(
    "others", [{"bidirectional": True}, {"attention": "action_conv"}, {"attention": "input_conv"}]
)
def test_what_needs_whole_sequences_has_no_steps(others):
    network = recogniser(**others)
    assert not network.steps_frame_by_frame
    with pytest.raises(ValueError, match="whole sequences"):
        network.apply(initialised(network), None, None, method="step")


def test_no_answer_after_each_frame_where_frames_that_follow_are_seen():
    for others in ({"bidirectional": True}, {"attention": "action_conv"}):
        assert recognised(recogniser(**others), sequences()).frame_log_probs is None


def test_members_are_independent_and_their_log_probabilities_are_averaged():
    network, x = recogniser("pooling", members=3, bidirectional=True), sequences()
    found, params = recognised(network, x), initialised(network)
    answer = jax.jit(recogniser("pooling", bidirectional=True).apply)
    for member in range(3):
        alone = jax.tree.map(lambda p, m=member: p[m], params)
        single = answer(alone, x, LENGTH)
        np.testing.assert_allclose(found.member_log_probs[member], single.log_probs, atol=1e-5)
    mean = found.member_log_probs.mean(0)
    np.testing.assert_allclose(found.log_probs, jax.nn.log_softmax(mean), atol=1e-6)


def test_dropout_is_of_training_alone_and_each_member_has_its_own():
    network, x = recogniser(members=2, drop_rate=0.5, layers=2), sequences()
    params = jax.tree.map(lambda p: np.stack([p[0]] * 2), initialised(network))
    train = jax.jit(lambda key: network.apply(params, x, LENGTH, True, rngs={"dropout": key}))
    one, two = train(jax.random.key(2)).member_log_probs
    assert np.abs(one - two).max() > 1e-3
    calm = jax.jit(network.apply)(params, x, LENGTH).member_log_probs
    np.testing.assert_array_equal(calm[0], calm[1])


def test_parameters_are_as_many_as_published():
    network = ActionRecogniser(45)
    x = jax.ShapeDtypeStruct((1, 2, 63), jnp.float32)
    length = jax.ShapeDtypeStruct((1,), jnp.int32)
    shapes = jax.eval_shape(network.init, jax.random.key(0), x, length)
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes)) == 65_600 + 4_545


def test_forms_are_numbered_as_in_the_original_comparison():
    numbers = [number for number, _ in (INPUT_FORMS | ACTION_FORMS).values()]
    assert numbers == [1, 2, 3, 4, 5, 6, 7, 8, None]


def test_running_means_do_not_overflow():
    scores = jnp.array([[-500.0, 300.0, 0.0]])
    means = running_means(scores, jnp.array([[[1.0], [2.0], [3.0]]]))
    np.testing.assert_allclose(means[0, :, 0], [1, 2, 2])
