"""Recognises an action from a sequence of features: layers of LSTM, maybe attention over the frames, a linear layer.

Garcia-Hernando et al., "First-Person Hand Action Benchmark with RGB-D Videos and 3D Hand Pose Annotations", CVPR 2018,
section 5.1, has one layer of 100 units.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax import struct
from jaxtyping import Array, Float, Int

from vid_jax.models.lstm import LSTM
from vid_jax.models.temporal_attention import (
    ACTION_FORMS,
    INPUT_FORMS,
    ActionScores,
    InputAttention,
    RunningMean,
    masked_softmax,
    running_means,
)

State = Any  # of a recogniser between two frames; the first axis of its arrays is the batch


@struct.dataclass
class Recognition:
    """What is found of sequences.

    Attributes:
        log_probs: of the classes; of several networks their mean, normalised.
        frame_log_probs: the same having seen the frames up to each; None where a network needs frames that follow.
        attention: weights of the frames; None without attention.
        member_log_probs: of each network.
    """

    log_probs: Float[Array, "batch classes"]
    frame_log_probs: Float[Array, "batch time classes"] | None
    attention: Float[Array, "batch time"] | None
    member_log_probs: Float[Array, "members batch classes"]


class ActionRecogniser(nn.Module):
    """One network, or several independent ones whose answers are averaged.

    Attributes:
        classes: number of actions.
        hidden: units of each layer and direction.
        layers: of LSTM.
        bidirectional: whether sequences are read backwards too.
        attention: one of `temporal_attention.ATTENTIONS`.
        attention_kernel: frames that its convolution spans, odd.
        attention_frames: of the longest sequence, for input_rnn and input_linear.
        unmasked: lets attention to the action weigh the padding too, as first published.
        drop_rate: of the states between layers and before the linear layer.
        members: number of networks.
    """

    classes: int
    hidden: int = 100
    layers: int = 1
    bidirectional: bool = False
    attention: str = "none"
    attention_kernel: int = 9
    attention_frames: int = 0
    unmasked: bool = False
    drop_rate: float = 0.0
    members: int = 1

    def setup(self):
        network = _members(self.members) if self.members > 1 else _Recogniser
        self.network = network(
            classes=self.classes,
            hidden=self.hidden,
            layers=self.layers,
            bidirectional=self.bidirectional,
            attention=self.attention,
            attention_kernel=self.attention_kernel,
            attention_frames=self.attention_frames,
            unmasked=self.unmasked,
            drop_rate=self.drop_rate,
        )

    @property
    def causal(self) -> bool:
        """Whether what is found up to a frame needs no frame that follows."""
        return not self.bidirectional and self.attention != "action_conv"

    @property
    def steps_frame_by_frame(self) -> bool:
        """Whether there is `step`."""
        return self.causal and self.attention not in INPUT_FORMS and not self.unmasked

    def __call__(
        self,
        x: Float[Array, "batch time dim"],
        length: Int[Array, " batch"],
        train: bool = False,
    ) -> Recognition:
        """Recognises sequences of features that are 0 in the padding."""
        found = self.network(x, length, train)
        if self.members == 1:
            found = jax.tree.map(lambda y: y[None], found)
        logits, frame_logits, attention = found
        member_log_probs = jax.nn.log_softmax(logits)
        return Recognition(
            log_probs=_averaged(logits),
            frame_log_probs=_averaged(frame_logits) if self.causal else None,
            attention=None if attention is None else attention.mean(0),
            member_log_probs=member_log_probs,
        )

    def initial_state(self, batch: int) -> State:
        """The state before the first frame; needs no parameters."""
        zero = jnp.zeros((batch, self.hidden))
        mean = RunningMean.empty(batch, self.classes) if self.attention != "none" else None
        state = ((zero, zero),) * self.layers, mean
        if self.members == 1:
            return state
        return jax.tree.map(lambda y: jnp.repeat(y[:, None], self.members, axis=1), state)

    def step(
        self, state: State, x: Float[Array, "batch dim"]
    ) -> tuple[State, Float[Array, "batch classes"]]:
        """The state after one more frame, and the log-probabilities then.

        Raises:
            ValueError: there are no steps, as `steps_frame_by_frame` says.
        """
        if not self.steps_frame_by_frame:
            raise ValueError("this recogniser needs whole sequences")
        state, logits = self.network.step(state, x)
        return state, _averaged(logits if self.members > 1 else logits[None])


class _Recogniser(nn.Module):
    """One network; see `ActionRecogniser`."""

    classes: int
    hidden: int
    layers: int
    bidirectional: bool
    attention: str
    attention_kernel: int
    attention_frames: int
    unmasked: bool
    drop_rate: float

    def setup(self):
        self.lstm = [LSTM(self.hidden, self.bidirectional) for _ in range(self.layers)]
        self.output = nn.Dense(self.classes)
        self.dropout = nn.Dropout(self.drop_rate)
        if self.attention in INPUT_FORMS:
            self.input_attention = InputAttention(
                self.lstm[0], self.attention, self.attention_kernel, self.attention_frames
            )
        elif self.attention in ACTION_FORMS:
            self.scores = ActionScores(self.attention, self.attention_kernel)

    def __call__(self, x, length, train):
        """Logits of the sequences and after each frame, and the weights of the frames."""
        states, weights = x, None
        for number, lstm in enumerate(self.lstm):
            if number:
                states = self.dropout(states, deterministic=not train)
            if not number and self.attention in INPUT_FORMS:
                states, final, weights = self.input_attention(states, length)
            else:
                states, final = lstm(states, length)
        if self.attention not in ACTION_FORMS:
            logits = self.output(self.dropout(final, deterministic=not train))
            return logits, self.output(states), weights
        scores = self.scores(x, states)
        valid = (jnp.arange(x.shape[1]) < length[:, None]) | self.unmasked
        weights = masked_softmax(scores, valid)
        frame_logits = self.output(self.dropout(states, deterministic=not train))
        logits = jnp.einsum("bt,btc->bc", weights, frame_logits)
        return logits, running_means(scores, frame_logits), weights

    def step(self, state, x):
        states, mean = state
        hidden, new = x, []
        for lstm, before in zip(self.lstm, states, strict=True):
            after = lstm.step(before, hidden)
            hidden = after[0]
            new.append(after)
        logits = self.output(hidden)
        if mean is not None:
            score = self.scores(x[:, None], hidden[:, None])[:, 0]
            mean = mean.joined(RunningMean.of(score, logits))
            logits = mean.mean
        return (tuple(new), mean), logits


def _members(number: int) -> type[nn.Module]:
    """So many networks of parameters and dropout of their own; states have them behind the batch."""
    lifted = {
        "variable_axes": {"params": 0},
        "split_rngs": {"params": True, "dropout": True},
        "axis_size": number,
    }
    return nn.vmap(
        _Recogniser,
        methods={
            "__call__": {**lifted, "in_axes": None, "out_axes": 0},
            "step": {**lifted, "in_axes": (1, None), "out_axes": (1, 0)},
        },
    )


def _averaged(logits: Float[Array, "members *batch classes"]):
    """The members' mean log-probabilities, normalised."""
    return jax.nn.log_softmax(jax.nn.log_softmax(logits).mean(0))
