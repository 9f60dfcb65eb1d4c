"""Long short-term memory over padded sequences, as a loop over time of few operations a frame.

Hochreiter, Schmidhuber, "Long Short-Term Memory", Neural Computation 9(8), 1997, with forget gates (Gers et al., 2000).
The frames' products with the input kernel are one product before the loop, and the kernels' gradients are one product
each after the loop that goes back; both loops end with the longest sequence of the batch, not with the padding.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import lax
from jaxtyping import Array, Float, Int

# As the input of a gate it gives 0 in value and gradient, so that states of padding stay 0 at no cost in the loop.
_CLOSED = -1e4


class LSTM(nn.Module):
    """One layer, in one direction or both.

    Attributes:
        hidden: units of a direction.
        bidirectional: reads each sequence from its last valid frame to the first as well.
    """

    hidden: int
    bidirectional: bool = False

    def setup(self):
        self.forwards = _Direction(self.hidden)
        if self.bidirectional:
            self.backwards = _Direction(self.hidden, reverse=True)

    def __call__(
        self, x: Float[Array, "batch time dim"], length: Int[Array, " batch"]
    ) -> tuple[Float[Array, "batch time states"], Float[Array, "batch states"]]:
        """Hidden states of all frames, 0 in the padding, and each direction's after its last valid frame.

        Both directions stand side by side, forwards first.
        """
        states = self.forwards(x, length)
        last = jnp.maximum(length - 1, 0)[:, None, None]
        final = jnp.take_along_axis(states, last, axis=1)[:, 0]
        if not self.bidirectional:
            return states, final
        back = self.backwards(x, length)
        return jnp.concatenate([states, back], -1), jnp.concatenate([final, back[:, 0]], -1)

    def step(
        self, state: tuple[Float[Array, "batch hidden"], ...], x: Float[Array, "batch dim"]
    ) -> tuple[Float[Array, "batch hidden"], Float[Array, "batch hidden"]]:
        """The hidden and the cell state after one more frame; of one direction only."""
        if self.bidirectional:
            raise ValueError("an LSTM of both directions needs whole sequences, not steps")
        return self.forwards.step(state, x)


class _Direction(nn.Module):
    """The parameters of one direction; gates in the order input, forget, cell, output."""

    hidden: int
    reverse: bool = False

    @nn.compact
    def __call__(self, x, length):
        kernel, recurrent, bias = self._parameters(x.shape[-1])
        x = jnp.swapaxes(x, 0, 1)
        valid = (jnp.arange(len(x))[:, None] < length)[..., None]
        # Two more inputs, 1 everywhere and 1 in the padding, spare a pass over all gates.
        x = jnp.concatenate([jnp.where(valid, x, 0), jnp.ones_like(valid, x.dtype), ~valid], -1)
        kernel = jnp.concatenate([kernel, bias[None], jnp.full_like(bias, _CLOSED)[None]])
        halves = _halves(self.hidden)
        gates = jnp.einsum("tbd,dg->tbg", x, kernel * halves)
        states = _recurrence(gates, recurrent * halves, jnp.max(length), self.reverse)
        return jnp.swapaxes(states, 0, 1)

    @nn.compact
    def step(self, state, x):
        kernel, recurrent, bias = self._parameters(x.shape[-1])
        hidden, cell = state
        gates = x @ kernel + hidden @ recurrent + bias
        i, f, g, o = _split(jnp.tanh(gates * _halves(self.hidden)))
        cell = f * cell + i * g
        return o * jnp.tanh(cell), cell

    def _parameters(self, dim):
        gates = 4 * self.hidden
        return (
            self.param("kernel", nn.initializers.lecun_normal(), (dim, gates)),
            self.param("recurrent_kernel", _orthogonal_each_gate, (self.hidden, gates)),
            self.param("bias", nn.initializers.zeros, (gates,)),
        )


def _orthogonal_each_gate(key, shape):
    hidden = shape[0]
    keys = jax.random.split(key, 4)
    return jnp.concatenate([nn.initializers.orthogonal()(k, (hidden, hidden)) for k in keys], -1)


def _halves(hidden):
    """What the gates' inputs are multiplied by, so that one tanh serves all: sigmoid(x) = (1 + tanh(x / 2)) / 2."""
    return np.repeat(np.array([0.5, 0.5, 1, 0.5], np.float32), hidden)


def _split(tanhs):
    """Input, forget, cell and output gate."""
    i, f, g, o = jnp.split(tanhs, 4, axis=-1)
    return (1 + i) / 2, (1 + f) / 2, g, (1 + o) / 2


@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def _recurrence(
    gates: Float[Array, "time batch gates"],
    kernel: Float[Array, "hidden gates"],
    steps: Int[Array, ""],
    reverse: bool,
) -> Float[Array, "time batch hidden"]:
    """Hidden states of the first `steps` frames, 0 of the rest, from inputs to the gates as `_split` has them."""
    return _forward(gates, kernel, steps, reverse)[0]


def _forward(gates, kernel, steps, reverse):
    time, batch, _ = gates.shape
    hidden = len(kernel)

    def step(number, carry):
        h, c, hs, cs, gates = carry
        t = steps - 1 - number if reverse else number
        tanhs = jnp.tanh(_at(gates, t) + h @ kernel)
        i, f, g, o = _split(tanhs)
        c = f * c + i * g
        h = o * jnp.tanh(c)
        # In the place of what was read: a buffer of this size is dear.
        return h, c, _put(hs, h, t), _put(cs, c, t), _put(gates, tanhs, t)

    zero = jnp.zeros((batch, hidden), gates.dtype)
    zeros = jnp.zeros((time, batch, hidden), gates.dtype)
    _, _, hs, cs, tanhs = lax.fori_loop(0, steps, step, (zero, zero, zeros, zeros, gates))
    return hs, (hs, cs, tanhs, kernel, steps)


def _backward(reverse, residuals, dhs):
    hs, cs, tanhs, kernel, steps = residuals
    i, f, g, o = _split(tanhs)
    tanh_c = jnp.tanh(cs)
    # What is known of the derivatives before the loop: those of the cell state by its hidden state,
    through = o * (1 - tanh_c**2)
    # and by three gates' inputs, and of the hidden state by the fourth's.
    by_cell = [2 * g * i * (1 - i), 2 * _before(cs, reverse) * f * (1 - f), i * (1 - g**2)]
    derivatives = jnp.concatenate([*by_cell, 2 * tanh_c * o * (1 - o)], -1)
    read = jnp.arange(len(hs))[:, None, None] < steps
    derivatives = jnp.where(read, derivatives, 0)
    transposed = kernel.T

    def step(number, carry):
        dh, dc, dgates = carry
        t = number if reverse else steps - 1 - number
        dh = dh + _at(dhs, t)
        dc = dc + dh * _at(through, t)
        dgate = _at(dgates, t) * jnp.concatenate([dc, dc, dc, dh], -1)
        forget = _split(_at(tanhs, t))[1]
        return dgate @ transposed, dc * forget, _put(dgates, dgate, t)

    zero = jnp.zeros_like(hs[0])
    *_, dgates = lax.fori_loop(0, steps, step, (zero, zero, derivatives))
    return dgates, jnp.einsum("tbh,tbg->hg", _before(hs, reverse), dgates), None


def _at(x, t):
    return lax.dynamic_index_in_dim(x, t, keepdims=False)


def _put(x, value, t):
    return lax.dynamic_update_index_in_dim(x, value, t, 0)


def _before(states, reverse):
    """Each frame's state before it was read."""
    zero = jnp.zeros_like(states[:1])
    return jnp.concatenate([states[1:], zero] if reverse else [zero, states[:-1]])


_recurrence.defvjp(_forward, _backward)
