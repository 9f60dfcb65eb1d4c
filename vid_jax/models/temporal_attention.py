"""Attention over the frames of a sequence, in the forms that action recognisers choose from.

Attention to the input feeds an LSTM, in the place of a frame x_t, the mean of all frames up to it by their weights.
Attention to the action is the mean of what the recogniser would answer after each frame.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax import struct
from jaxtyping import Array, Float, Int

from vid_jax.models.lstm import LSTM

# By name, the number in the original comparison and how frames are scored. x_s is a frame, h_s the state after it.
INPUT_FORMS = {
    "input_conv": (1, "convolution over time of [x_s; h_(s-1)]"),
    "input_conv_current": (2, "convolution over time of [x_s; h_(t-1)]"),
    "input_rnn": (3, "linear in a tanh layer of all frames so far and h_(t-1)"),
    "input_linear": (4, "linear in all frames so far"),
    "input_conv_relu": (5, "input_conv, then ReLU"),
}
ACTION_FORMS = {
    "action_relu": (6, "linear in [x_t; h_t], then ReLU"),  # what the comparison chose
    "action_sigmoid": (7, "linear in [x_t; h_t], then the sigmoid"),
    "action_conv": (8, "convolution over time of [x_t; h_t], then ReLU"),
    "pooling": (None, "linear in a tanh layer of h_t"),
}
ATTENTIONS = ("none", *INPUT_FORMS, *ACTION_FORMS)


class InputAttention(nn.Module):
    """Feeds an LSTM means of the frames so far.

    Attributes:
        lstm: of one direction.
        form: of `INPUT_FORMS`.
        kernel: frames that a convolution spans, odd.
        frames: of the longest sequence, for the forms that are linear in all frames.
    """

    lstm: LSTM
    form: str
    kernel: int
    frames: int

    def setup(self):
        if self.form == "input_linear":
            self.linear = _LinearInAllFrames(self.frames, self.frames)
        elif self.form == "input_rnn":
            self.linear = _LinearInAllFrames(self.frames, self.lstm.hidden)
            self.recurrent = nn.Dense(self.lstm.hidden, use_bias=False)
            self.output = nn.Dense(self.frames)
        else:
            self.of_frames = nn.Dense(self.kernel, use_bias=False)
            self.of_states = nn.Dense(self.kernel, use_bias=False)
            self.bias = self.param("bias", nn.initializers.zeros, ())

    def __call__(
        self, x: Float[Array, "batch time dim"], length: Int[Array, " batch"]
    ) -> tuple[
        Float[Array, "batch time hidden"],
        Float[Array, "batch hidden"],
        Float[Array, "batch time"],
    ]:
        """States as of the LSTM, and the weights of the frames at the last valid one."""
        batch, time, _ = x.shape
        convolves = self.form.startswith("input_conv")
        known = self.of_frames(x) if convolves else self.linear(x)
        taps = jnp.zeros(
            (batch, time + self.kernel - 1)
        )  # what the frames so far add to each score

        def step(module: InputAttention, carry, inputs):
            state, taps = carry
            t, known = inputs
            if convolves:
                scores, taps = module._convolved(known, state[0], taps, t)
            else:
                scores = _fitted(module._of_all_frames(known, state[0]), time)
            weights = masked_softmax(scores, jnp.arange(time) <= t)
            state = module.lstm.step(state, jnp.einsum("bt,btd->bd", weights, x))
            return (state, taps), (state[0], weights)

        scan = nn.scan(step, variable_broadcast="params", split_rngs={"params": False})
        zero = jnp.zeros((batch, self.lstm.hidden))
        inputs = jnp.arange(time), jnp.swapaxes(known, 0, 1)
        _, (states, weights) = scan(self, ((zero, zero), taps), inputs)
        states, weights = jnp.swapaxes(states, 0, 1), jnp.swapaxes(weights, 0, 1)
        valid = jnp.arange(time) < length[:, None]
        states = jnp.where(valid[..., None], states, 0)
        last = jnp.maximum(length - 1, 0)[:, None, None]
        final, weights = (jnp.take_along_axis(y, last, axis=1)[:, 0] for y in (states, weights))
        return states, final, weights

    def _convolved(self, known, hidden, taps, t):
        """Scores of the frames up to t, outside of which the convolution sees zeros."""
        time, half = taps.shape[1] - self.kernel + 1, self.kernel // 2
        row, current = known, self.of_states(hidden)
        if self.form != "input_conv_current":
            row = row + current
        # The row of frame t lies under the kernel's first tap where this is centred on frame t + half.
        old = jax.lax.dynamic_slice_in_dim(taps, t, self.kernel, axis=1)
        taps = jax.lax.dynamic_update_slice_in_dim(taps, old + row[:, ::-1], t, axis=1)
        scores = taps[:, half : half + time] + self.bias
        if self.form == "input_conv_current":
            seen = jnp.arange(time)[:, None] + jnp.arange(-half, half + 1)
            scores = scores + current @ ((seen >= 0) & (seen <= t)).astype(current.dtype).T
        return (nn.relu(scores) if self.form == "input_conv_relu" else scores), taps

    def _of_all_frames(self, known, hidden):
        if self.form == "input_linear":
            return known
        return self.output(jnp.tanh(known + self.recurrent(hidden)))


class _LinearInAllFrames(nn.Module):
    """For each frame, a linear function of the sequence up to it, in which the rest is 0."""

    frames: int
    outputs: int

    @nn.compact
    def __call__(self, x):
        dim = x.shape[-1]
        kernel = self.param(
            "kernel", nn.initializers.lecun_normal(), (self.frames * dim, self.outputs)
        )
        bias = self.param("bias", nn.initializers.zeros, (self.outputs,))
        seen = x[:, : self.frames]
        kernel = kernel.reshape(self.frames, dim, self.outputs)[: seen.shape[1]]
        sums = jnp.cumsum(jnp.einsum("btd,tdo->bto", seen, kernel), axis=1)
        # Frames behind the longest sequence are padding.
        return jnp.pad(sums, ((0, 0), (0, x.shape[1] - seen.shape[1]), (0, 0))) + bias


class ActionScores(nn.Module):
    """Scores of the frames, one of `ACTION_FORMS`.

    Attributes:
        form: its name.
        kernel: frames that a convolution spans.
    """

    form: str
    kernel: int

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch time dim"], states: Float[Array, "batch time hidden"]
    ) -> Float[Array, "batch time"]:
        if self.form == "pooling":
            layer = jnp.tanh(nn.Dense(states.shape[-1])(states))
            return nn.Dense(1, use_bias=False)(layer)[..., 0]
        rows = jnp.concatenate([x, states], -1)
        if self.form == "action_conv":
            return nn.relu(nn.Conv(1, (self.kernel,))(rows))[..., 0]
        activation = nn.relu if self.form == "action_relu" else nn.sigmoid
        return activation(nn.Dense(1)(rows))[..., 0]


def masked_softmax(scores: Float[Array, "batch time"], valid: Array) -> Float[Array, "batch time"]:
    """Weights that sum to 1 over the valid frames and are 0 elsewhere."""
    return jax.nn.softmax(jnp.where(valid, scores, -1e30), axis=-1)


@struct.dataclass
class RunningMean:
    """The mean of values by the softmax of their scores, as far as they have been seen.

    Attributes:
        largest: of the scores.
        weight: sum of exp(score - largest).
        total: sum of the values by these weights.
    """

    largest: Float[Array, "*batch 1"]
    weight: Float[Array, "*batch 1"]
    total: Float[Array, "*batch dim"]

    @classmethod
    def of(
        cls, scores: Float[Array, "*batch"], values: Float[Array, "*batch dim"]
    ) -> "RunningMean":
        """Those of single frames."""
        return cls(scores[..., None], jnp.ones_like(scores)[..., None], values)

    @classmethod
    def empty(cls, batch: int, dim: int) -> "RunningMean":
        """Before any frame."""
        return cls(jnp.full((batch, 1), -1e30), jnp.zeros((batch, 1)), jnp.zeros((batch, dim)))

    def joined(self, other: "RunningMean") -> "RunningMean":
        """That of the frames of both."""
        largest = jnp.maximum(self.largest, other.largest)
        mine, theirs = jnp.exp(self.largest - largest), jnp.exp(other.largest - largest)
        weight = self.weight * mine + other.weight * theirs
        return RunningMean(largest, weight, self.total * mine + other.total * theirs)

    @property
    def mean(self) -> Float[Array, "*batch dim"]:
        return self.total / self.weight


def running_means(
    scores: Float[Array, "batch time"], values: Float[Array, "batch time dim"]
) -> Float[Array, "batch time dim"]:
    """For each frame, the mean of the values up to it by the softmax of their scores."""
    means = RunningMean.of(scores, values)
    return jax.lax.associative_scan(RunningMean.joined, means, axis=1).mean


def _fitted(scores, time):
    """Cut or padded to so many frames."""
    scores = scores[:, :time]
    return jnp.pad(scores, ((0, 0), (0, time - scores.shape[1])))
