"""A convolution of one channel and the 2x2 maximum of its outputs in one, fast on CPU.

The convolution's output is four times as large as what is kept of it. On CPU it does not leave the cache: frame by
frame the neighbours that compete are channels side by side, of one convolution over 2x2 blocks of the input. What is
kept for the backward pass is which neighbour has won.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

_DIMENSIONS = ("NHWC", "HWIO", "NHWC")
_NEIGHBOURS = ((0, 0), (0, 1), (1, 0), (1, 1))


@jax.custom_vjp
def conv_max_pool(
    x: Float[Array, "batch height width 1"],
    kernel: Float[Array, "size size 1 out"],
    bias: Float[Array, "out"],
) -> Float[Array, "batch height/2 width/2 out"]:
    """Correlation of unchanged size with a kernel of odd size, and its maximum over 2x2 neighbours.

    Where neighbours are equal, the gradient goes to the first.
    """
    return _forward(x, kernel, bias)[0]


def _forward(x, kernel, bias):
    y, winner = lax.platform_dependent(x, kernel, bias, cpu=_pooled_by_frame, default=_pooled)
    return y, (x, kernel, winner)


def _pooled_by_frame(x, kernel, bias):
    def one(frame):
        y, winner = _pooled(frame[None], kernel, bias)
        return y[0], winner[0]

    return lax.map(one, x)


def _pooled(x, kernel, bias):
    """The maxima and the numbers of the neighbours that they are of."""
    size, features = kernel.shape[0], kernel.shape[-1]
    reach = (size - 1) // 2
    blocks = _blocks(jnp.pad(x, ((0, 0), (reach, reach), (reach, reach), (0, 0))))
    shifted = [jnp.pad(kernel, ((i, 1 - i), (j, 1 - j), (0, 0), (0, 0))) for i, j in _NEIGHBOURS]
    kernels = jnp.moveaxis(_blocks(jnp.moveaxis(jnp.concatenate(shifted, -1), -1, 0)), 0, -1)
    y = lax.conv_general_dilated(blocks, kernels, (1, 1), "VALID", dimension_numbers=_DIMENSIONS)
    first, *others = (
        y[..., start : start + features] for start in range(0, 4 * features, features)
    )
    best = jnp.maximum(jnp.maximum(first, others[0]), jnp.maximum(others[1], others[2]))
    winner = jnp.select([first == best, others[0] == best, others[1] == best], [0, 1, 2], 3)
    return best + bias, winner.astype(jnp.int8)


def _blocks(x):
    """2x2 blocks of a one-channel image as channels."""
    batch, height, width, _ = x.shape
    x = x.reshape(batch, height // 2, 2, width // 2, 2).swapaxes(2, 3)
    return x.reshape(batch, height // 2, width // 2, 4)


def _backward(saved, dy):
    x, kernel, winner = saved
    dx = lax.conv_general_dilated(
        _to_winners(dy, winner),
        jnp.flip(kernel, (0, 1)).swapaxes(2, 3),
        (1, 1),
        "SAME",
        dimension_numbers=_DIMENSIONS,
    )
    size = kernel.shape[0]
    dk = lax.platform_dependent(
        x,
        winner,
        dy,
        cpu=lambda x, winner, dy: _kernel_gradient_by_frame(x, winner, dy, size),
        default=lambda x, winner, dy: _kernel_gradient(x, winner, dy, size),
    )
    return dx, dk, dy.sum((0, 1, 2))


conv_max_pool.defvjp(_forward, _backward)


def _to_winners(dy, winner):
    """The gradient of the convolution's output."""
    batch, height, width, features = dy.shape
    number = jnp.arange(4, dtype=winner.dtype).reshape(2, 1, 2, 1)
    won = winner[:, :, None, :, None] == number
    spread = jnp.where(won, dy[:, :, None, :, None], 0)
    return spread.reshape(batch, 2 * height, 2 * width, features)


def _kernel_gradient_by_frame(x, winner, dy, size):
    def add_frame(total, frame):
        return total + _kernel_gradient(*(array[None] for array in frame), size), None

    total = jnp.zeros((size, size, 1, dy.shape[-1]), dy.dtype)
    return lax.scan(add_frame, total, (x, winner, dy))[0]


def _kernel_gradient(x, winner, dy, size):
    """The product of the patches that a block of neighbours sees with each neighbour's gradient."""
    _, height, width, _ = x.shape
    reach, features = (size - 1) // 2, dy.shape[-1]
    padded = jnp.pad(x[..., 0], ((0, 0), (reach, reach), (reach, reach)))
    places = range(size + 1)
    patches = [padded[:, i : i + height : 2, j : j + width : 2] for i in places for j in places]
    patches = jnp.stack([patch.reshape(-1) for patch in patches])
    number = jnp.arange(4, dtype=winner.dtype)[:, None]
    won = winner.reshape(-1, 1, features) == number
    spread = jnp.where(won, dy.reshape(-1, 1, features), 0).reshape(-1, 4 * features)
    products = (patches @ spread).reshape(size + 1, size + 1, 4, features)
    taps = sum(products[i : i + size, j : j + size, n] for n, (i, j) in enumerate(_NEIGHBOURS))
    return taps[:, :, None]
