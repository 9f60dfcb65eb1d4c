"""BatchNorm and ReLU in one, with few passes over the features in both directions.

Ioffe and Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate Shift",
ICML 2015.
"""

import functools

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax
from jaxtyping import Array, Float


class BatchNormReLU(nn.Module):
    """ReLU of the normalised features; parameters and statistics as in `flax.linen.BatchNorm`.

    Attributes:
        use_running_average: normalises with the running statistics instead of the batch's.
        momentum: of the running statistics.
        epsilon: added to the variance.
    """

    use_running_average: bool
    momentum: float
    epsilon: float

    @nn.compact
    def __call__(
        self, x: Float[Array, "*batch channel"], bias: Float[Array, "channel"] | float = 0.0
    ) -> Float[Array, "*batch channel"]:
        """Of `x + bias`; among the batch's own statistics a bias vanishes, and costs nothing."""
        channels = x.shape[-1:]
        scale = self.param("scale", nn.initializers.ones, channels)
        offset = self.param("bias", nn.initializers.zeros, channels)
        running_mean = self.variable("batch_stats", "mean", jnp.zeros, channels)
        running_var = self.variable("batch_stats", "var", jnp.ones, channels)
        if self.use_running_average:
            slope = scale * lax.rsqrt(running_var.value + self.epsilon)
            return _affine_relu(x, slope, offset + (bias - running_mean.value) * slope)
        y, mean, var = batch_norm_relu(x, scale, offset, self.epsilon)
        if not self.is_initializing():
            for running, value in ((running_mean, mean + bias), (running_var, var)):
                new = (1 - self.momentum) * lax.stop_gradient(value)
                running.value = self.momentum * running.value + new
        return y


def batch_norm_relu(
    x: Float[Array, "*batch channel"],
    scale: Float[Array, "channel"],
    offset: Float[Array, "channel"],
    epsilon: float,
) -> tuple[Float[Array, "*batch channel"], Float[Array, "channel"], Float[Array, "channel"]]:
    """ReLU of `x` normalised by its own mean and variance, and these two, through which no gradient flows."""
    y, mean, var = _batch_norm_relu(x, scale, offset, epsilon)
    return y, lax.stop_gradient(mean), lax.stop_gradient(var)


@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def _batch_norm_relu(x, scale, offset, epsilon):
    return _forward(x, scale, offset, epsilon)[0]


def _forward(x, scale, offset, epsilon):
    mean = _sum(x) / _count(x)
    var = jnp.maximum(_sum(jnp.square(x.astype(jnp.float32))) / _count(x) - mean**2, 0)
    inverse = lax.rsqrt(var + epsilon)
    slope = scale * inverse
    intercept = offset - mean * slope
    y = _affine_relu(x, slope, intercept)
    return (y, mean, var), (x, mean, inverse, slope, intercept)


def _backward(epsilon, saved, gradients):
    """With xhat = (x - mean) * inverse: dx = slope * (g - mean(g) - xhat * mean(g * xhat))."""
    x, mean, inverse, slope, intercept = saved
    g = jnp.where(x * slope + intercept > 0, gradients[0], 0).astype(jnp.float32)
    d_offset = _sum(g)
    d_scale = (_sum(g * x) - mean * d_offset) * inverse
    curve = slope * inverse * d_scale / _count(x)
    dx = g * slope - x * curve + (mean * curve - slope * d_offset / _count(x))
    return dx.astype(x.dtype), d_scale, d_offset


_batch_norm_relu.defvjp(_forward, _backward)


def _affine_relu(x, slope, intercept):
    return jnp.maximum(x * slope + intercept, 0).astype(x.dtype)


def _sum(x):
    return jnp.sum(x, tuple(range(x.ndim - 1)), dtype=jnp.float32)


def _count(x) -> int:
    return x.size // x.shape[-1]
