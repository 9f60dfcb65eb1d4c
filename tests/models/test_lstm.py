"""The LSTM against its formulas frame by frame, its gradients, and what padding may not change."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from hypothesis import given, settings
from hypothesis import strategies as st

from vid_jax.models.lstm import LSTM

TIME, DIM, HIDDEN = 7, 3, 5
LENGTH = np.array([7, 1, 4])


def sequences(batch=3, time=TIME, seed=0):
    return np.random.default_rng(seed).normal(size=(batch, time, DIM)).astype(np.float32)


def initialised(network, x, length):
    """Parameters of which none is 0."""
    shapes = jax.eval_shape(network.init, jax.random.key(0), x, length)
    rng = np.random.default_rng(1)
    return jax.tree.map(lambda p: rng.normal(0, 0.5, p.shape).astype(np.float32), shapes)


def unrolled(params, x, length):
    """Final state of each sequence, one frame after the other, with sigmoids as they are written."""
    rows = []
    for sequence, frames in zip(x, length, strict=True):
        h = c = jnp.zeros(HIDDEN)
        for frame in sequence[:frames]:
            gates = frame @ params["kernel"] + h @ params["recurrent_kernel"] + params["bias"]
            i, f, g, o = jnp.split(gates, 4)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
        rows.append(h)
    return jnp.stack(rows)


def unrolled_both(params, x, length):
    backwards = [np.concatenate([s[:n][::-1], s[n:]]) for s, n in zip(x, length, strict=True)]
    finals = [unrolled(params["forwards"], x, length)]
    return jnp.concatenate([*finals, unrolled(params["backwards"], backwards, length)], -1)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_loop_and_unrolled_formulas_agree_in_value_and_gradient(bidirectional):
    network, x = LSTM(HIDDEN, bidirectional), sequences()
    params = initialised(network, x, LENGTH)["params"]
    weights = np.random.default_rng(2).normal(size=(3, HIDDEN * (1 + bidirectional)))

    def ours(params):
        return network.apply({"params": params}, x, LENGTH)[1]

    def reference(params):
        if bidirectional:
            return unrolled_both(params, x, LENGTH)
        return unrolled(params["forwards"], x, LENGTH)

    def with_gradient(f):
        return jax.jit(lambda p: (f(p), jax.grad(lambda p: (f(p) * weights).sum())(p)))(params)

    found, wanted = map(with_gradient, (ours, reference))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), found, wanted)


def test_gradient_reaches_the_frames_and_every_state():
    network, x = LSTM(HIDDEN), sequences()
    variables = initialised(network, x, LENGTH)
    weights = np.random.default_rng(2).normal(size=(3, TIME, HIDDEN)).astype(np.float32)

    def loss(x):
        return (network.apply(variables, x, LENGTH)[0] * weights).sum()

    def reference(x):
        state, total = (jnp.zeros((3, HIDDEN)),) * 2, 0.0
        for t in range(TIME):
            state = network.apply(variables, state, x[:, t], method="step")
            total += (state[0] * weights[:, t] * (t < LENGTH)[:, None]).sum()
        return total

    found, wanted = jax.jit(jax.grad(loss))(x), jax.jit(jax.grad(reference))(x)
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert not found[1, 1:].any()


def test_steps_are_the_loop():
    network, x = LSTM(HIDDEN), sequences()
    variables = initialised(network, x, LENGTH)
    states, _ = jax.jit(network.apply)(variables, x, np.full(3, TIME))
    step = jax.jit(lambda state, x: network.apply(variables, state, x, method="step"))
    state = (jnp.zeros((3, HIDDEN)),) * 2
    for t in range(TIME):
        state = step(state, x[:, t])
        np.testing.assert_allclose(state[0], states[:, t], atol=1e-6)


def test_steps_of_both_directions_are_refused():
    network, x = LSTM(HIDDEN, True), sequences()
    variables = initialised(network, x, LENGTH)
    with pytest.raises(ValueError, match="both directions"):
        network.apply(variables, (x[:, 0],) * 2, x[:, 0], method="step")


BOTH = LSTM(HIDDEN, True)
PARAMETERS = initialised(BOTH, sequences(), LENGTH)
answer = jax.jit(lambda x, length: BOTH.apply(PARAMETERS, x, length))


def test_sequences_are_read_as_each_by_itself():
    x = sequences()
    states, final = answer(x, LENGTH)
    for row, frames in enumerate(LENGTH):
        alone, last = answer(x[row : row + 1, :frames], LENGTH[row : row + 1])
        np.testing.assert_allclose(states[row, :frames], alone[0], atol=1e-6)
        np.testing.assert_allclose(final[row], last[0], atol=1e-6)


@settings(deadline=None, max_examples=25)
@given(
    length=st.lists(st.integers(1, TIME), min_size=3, max_size=3),
    padding=st.floats(-1e30, 1e30),
)
def test_padding_changes_nothing(length, padding):
    x, length = sequences(), np.array(length)
    valid = (np.arange(TIME) < length[:, None])[..., None]
    states, final = answer(np.where(valid, x, 0), length)
    longer = np.full((3, 2 * TIME, DIM), padding, np.float32)
    longer[:, :TIME] = np.where(valid, x, padding)
    padded, last = answer(longer, length)
    np.testing.assert_allclose(padded[:, :TIME], states, atol=1e-6)
    np.testing.assert_allclose(last, final, atol=1e-6)
    assert not states[np.broadcast_to(~valid, states.shape)].any()


def test_an_example_of_no_frames_has_the_state_zero():
    _, final = answer(sequences(), np.array([0, 3, 0]))
    assert not final[0].any()
    assert not final[2].any()
    assert final[1].any()


def test_parameters_are_as_many_as_of_flax_and_start_alike():
    x, key = np.zeros((1, 2, 63), np.float32), jax.random.key(0)
    published = jax.eval_shape(LSTM(100).init, key, x, np.array([2]))
    cell = nn.OptimizedLSTMCell(100)
    reference = jax.eval_shape(cell.init, key, (np.zeros((1, 100)),) * 2, x[:, 0])
    sizes = [sum(leaf.size for leaf in jax.tree.leaves(tree)) for tree in (published, reference)]
    assert sizes == [65_600, 65_600]
    params = jax.jit(LSTM(16).init)(key, x, np.array([2]))["params"]["forwards"]
    for gate in np.split(params["recurrent_kernel"], 4, axis=-1):
        np.testing.assert_allclose(gate @ gate.T, np.eye(16), atol=1e-5)
    assert not params["bias"].any()
    assert abs(params["kernel"].std() - 63**-0.5) < 0.01
