"""PredNet: recurrent prediction of the next frame by a hierarchy that passes on only errors of prediction.

Lotter, Kreiman, Cox, "Deep Predictive Coding Networks for Video Prediction and Unsupervised Learning", ICLR 2017.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax import struct
from jax import lax
from jax.ad_checkpoint import checkpoint_name
from jaxtyping import Array, Bool, Float

from vid_jax.models import conv2d

_CONVOLVED = "convolved"  # what is kept of a step for the backward pass

_glorot = nn.initializers.glorot_uniform()


class PredNet(nn.Module):
    """Predicts each frame from those before it.

    Attributes:
        stack_sizes: channels of A in each layer, the first those of the frame.
        R_stack_sizes: channels of R in each layer.
        A_filter_sizes: from each layer to the next, one fewer than layers.
        Ahat_filter_sizes, R_filter_sizes: of each layer.
    """

    stack_sizes: Sequence[int] = (3, 48, 96, 192)
    R_stack_sizes: Sequence[int] = (3, 48, 96, 192)
    A_filter_sizes: Sequence[int] = (3, 3, 3)
    Ahat_filter_sizes: Sequence[int] = (3, 3, 3, 3)
    R_filter_sizes: Sequence[int] = (3, 3, 3, 3)

    @nn.compact
    def __call__(
        self,
        video: Float[Array, "batch time height width channel"],
        outputs: Sequence[str] = ("error",),
        extrap_start_time: int | None = None,
    ) -> dict[str, Array]:
        """Outputs by name, each (batch, time, ...).

        Args:
            video: intensities in [0, 1]; height and width are divisible by 2 as often as there are layers but one.
            outputs: "prediction", the frames as predicted, (height, width, channel); "error", the mean of E in each
                layer, (layers,); or R, E, A, Ahat and a layer's number, such as "R0" or "Ahat3".
            extrap_start_time: from this frame on the network is fed its own predictions.

        Raises:
            ValueError: there is no such output.
        """
        for name in outputs:
            if name not in output_names(len(self.stack_sizes)):
                raise ValueError(
                    f"output {name!r} is unknown; use prediction, error, or R, E, A or Ahat and a layer from 0 to "
                    f"{len(self.stack_sizes) - 1}"
                )
        network = _Network(*map(tuple, zip(*map(self._layer, range(len(self.stack_sizes))))))

        def step(state, inputs):
            state, given = _step(network, state, *inputs)
            return state, {name: given[name] for name in outputs}

        # The nonlinearities are cheaper to compute again than to keep for every step.
        keep = jax.checkpoint_policies.save_only_these_names(_CONVOLVED)
        step = jax.checkpoint(step, prevent_cse=False, policy=keep)
        frames, time = video.swapaxes(0, 1), jnp.arange(video.shape[1])
        observed = time < (video.shape[1] if extrap_start_time is None else extrap_start_time)
        state, first = step(None, (frames[0], observed[0]))
        _, rest = lax.scan(step, state, (frames[1:], observed[1:]))
        given = jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), first, rest)
        return {name: array.swapaxes(0, 1) for name, array in given.items()}

    def _layer(self, layer: int) -> tuple["_Gates", "_Convolution", "_Convolution | None"]:
        """The layer's gates, its prediction Ahat, and the target A that it gives to the next layer."""
        size, representation = self.stack_sizes[layer], self.R_stack_sizes[layer]
        below, above = representation + 2 * size, sum(self.R_stack_sizes[layer + 1 : layer + 2])

        def gate_kernels(key, shape):
            return jnp.concatenate([_glorot(k, shape) for k in jax.random.split(key, 4)], axis=-1)

        def parameters(name, filter_size, inputs, features, init=_glorot):
            shape = filter_size, filter_size, inputs, features
            kernel = self.param(f"{name}{layer}_kernel", init, shape)
            return kernel, self.param(
                f"{name}{layer}_bias", nn.initializers.zeros, kernel.shape[-1:]
            )

        kernel, bias = parameters(
            "R", self.R_filter_sizes[layer], below + above, representation, gate_kernels
        )
        gates = _Gates(
            conv2d.prepare(kernel[:, :, :below]),
            conv2d.prepare_for_upsampled(kernel[:, :, below:]) if above else None,
            bias,
        )
        kernel, bias = parameters("Ahat", self.Ahat_filter_sizes[layer], representation, size)
        prediction = _Convolution(conv2d.prepare(kernel), bias)
        if not above:
            return gates, prediction, None
        kernel, bias = parameters(
            "A", self.A_filter_sizes[layer], 2 * size, self.stack_sizes[layer + 1]
        )
        return gates, prediction, _Convolution(conv2d.prepare(kernel), bias)


def output_names(layers: int) -> list[str]:
    """What a PredNet of so many layers can give."""
    units = [f"{name}{layer}" for name in ("R", "E", "A", "Ahat") for layer in range(layers)]
    return ["prediction", "error", *units]


@struct.dataclass
class PredNetState:
    """What is carried from frame to frame; a tuple holds an array (batch, height, width, channel) a layer."""

    representation: tuple[Array, ...]  # R
    cell: tuple[Array, ...]  # the LSTM's C
    error: tuple[Array, ...]  # E
    prediction: Array  # of the frame before, Ahat_0


@struct.dataclass
class _Convolution:
    kernel: conv2d.Kernel
    bias: Array

    def __call__(self, x: Array) -> Array:
        return checkpoint_name(conv2d.conv(x, self.kernel) + self.bias, _CONVOLVED)


@struct.dataclass
class _Gates:
    """Of the convolutional LSTM: input, forget, output and candidate, side by side in the channels."""

    below: conv2d.Kernel
    above: conv2d.Kernel | None
    bias: Array

    def __call__(
        self, below: Array | None, above: Array | None, size: tuple[int, int, int]
    ) -> list[Array]:
        gates = jnp.broadcast_to(self.bias, (*size, *self.bias.shape))
        if below is not None:
            gates += conv2d.conv(below, self.below)
        if above is not None:
            gates += conv2d.conv_of_upsampled(above, self.above)
        return jnp.split(checkpoint_name(gates, _CONVOLVED), 4, axis=-1)


class _Network(NamedTuple):
    """What is applied at every step; a tuple holds one a layer."""

    gates: tuple[_Gates, ...]
    predict: tuple[_Convolution, ...]
    pass_on: tuple[_Convolution | None, ...]


def _step(
    network: _Network,
    state: PredNetState | None,
    frame: Float[Array, "batch height width channel"],
    observed: Bool[Array, ""],
) -> tuple[PredNetState, dict[str, Array]]:
    """Top-down through the representations, then bottom-up through predictions and errors.

    Without a state, as at the first frame, all that would be in it is zero.
    """
    layers = range(len(network.gates))
    batch, height, width, _ = frame.shape

    representation, cell, above = [None] * len(layers), [None] * len(layers), None
    for layer in reversed(layers):
        below = None
        if state:
            below = jnp.concatenate([state.representation[layer], state.error[layer]], axis=-1)
        size = batch, height >> layer, width >> layer
        i, f, o, g = network.gates[layer](below, above, size)
        cell[layer] = _hard_sigmoid(i) * jnp.tanh(g)
        if state:
            cell[layer] += _hard_sigmoid(f) * state.cell[layer]
        above = representation[layer] = _hard_sigmoid(o) * jnp.tanh(cell[layer])

    target, targets, predictions, errors = frame, [], [], []
    if state:
        target = jnp.where(observed, frame, state.prediction)
    for layer in layers:
        prediction = nn.relu(network.predict[layer](representation[layer]))
        if layer == 0:
            prediction = jnp.minimum(prediction, 1)
        error = jnp.concatenate(
            [nn.relu(prediction - target), nn.relu(target - prediction)], axis=-1
        )
        targets.append(target)
        predictions.append(prediction)
        errors.append(error)
        if layer < layers[-1]:
            target = _max_pool(nn.relu(network.pass_on[layer](error)))

    given = {"R": representation, "E": errors, "A": targets, "Ahat": predictions}
    given = {f"{name}{layer}": given[name][layer] for name in given for layer in layers}
    given["prediction"] = predictions[0]
    given["error"] = jnp.stack([error.mean((1, 2, 3)) for error in errors], axis=-1)
    state = PredNetState(tuple(representation), tuple(cell), tuple(errors), predictions[0])
    return state, given


def _hard_sigmoid(x: Array) -> Array:
    """Keras's: 0.2 x + 0.5, clipped to [0, 1]."""
    return jnp.clip(0.2 * x + 0.5, 0, 1)


def _max_pool(x: Array) -> Array:
    batch, height, width, channels = x.shape
    return x.reshape(batch, height // 2, 2, width // 2, 2, channels).max((2, 4))
