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
        affine: has scale and bias; without, what follows has its own.
        negative_slope: of LeakyReLU; 1 leaves the normalised features as they are.
        scale_init: initialiser.
    """

    use_running_average: bool
    momentum: float
    epsilon: float
    affine: bool = True
    negative_slope: float = 0.0
    scale_init: nn.initializers.Initializer = nn.initializers.ones

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "batch *space channel"],
        bias: Float[Array, "channel"] | float = 0.0,
        mask: Float[Array, " batch"] | None = None,
    ) -> Float[Array, "batch *space channel"]:
        """Of `x + bias`; among the batch's own statistics a bias vanishes, and costs nothing.

        Examples whose mask is 0 are normalised as the others, of which alone the statistics are; where there are no
        others, the running statistics stay.
        """
        channels = x.shape[-1:]
        scale, offset = jnp.ones(channels), jnp.zeros(channels)
        if self.affine:
            scale = self.param("scale", self.scale_init, channels)
            offset = self.param("bias", nn.initializers.zeros, channels)
        running_mean = self.variable("batch_stats", "mean", jnp.zeros, channels)
        running_var = self.variable("batch_stats", "var", jnp.ones, channels)
        if self.use_running_average:
            slope = scale * lax.rsqrt(running_var.value + self.epsilon)
            intercept = offset + (bias - running_mean.value) * slope
            return _affine_relu(x, slope, intercept, self.negative_slope)
        y, mean, var = batch_norm_relu(x, scale, offset, self.epsilon, mask, self.negative_slope)
        if not self.is_initializing():
            momentum = self.momentum if mask is None else jnp.where(mask.any(), self.momentum, 1)
            for running, value in ((running_mean, mean + bias), (running_var, var)):
                new = (1 - momentum) * lax.stop_gradient(value)
                running.value = momentum * running.value + new
        return y


def batch_norm_relu(
    x: Float[Array, "batch *space channel"],
    scale: Float[Array, "channel"],
    offset: Float[Array, "channel"],
    epsilon: float,
    mask: Float[Array, " batch"] | None = None,
    negative_slope: float = 0.0,
) -> tuple[Float[Array, "batch *space channel"], Float[Array, "channel"], Float[Array, "channel"]]:
    """ReLU of `x` normalised by its own mean and variance, and these two, through which no gradient flows.

    With a mask of 0 and 1 the two are of the examples where it is 1; gradients are exact, but for that of the mask,
    which is zero.
    """
    if mask is not None:
        mask = mask.reshape(-1, *(1,) * (x.ndim - 1))
    y, mean, var = _batch_norm_relu(x, scale, offset, mask, epsilon, negative_slope)
    return y, lax.stop_gradient(mean), lax.stop_gradient(var)


@functools.partial(jax.custom_vjp, nondiff_argnums=(4, 5))
def _batch_norm_relu(x, scale, offset, mask, epsilon, negative_slope):
    return _forward(x, scale, offset, mask, epsilon, negative_slope)[0]


def _forward(x, scale, offset, mask, epsilon, negative_slope):
    count = _count(x, mask)
    mean = _sum(_masked(x, mask)) / count
    var = jnp.maximum(_sum(_masked(jnp.square(x.astype(jnp.float32)), mask)) / count - mean**2, 0)
    inverse = lax.rsqrt(var + epsilon)
    slope = scale * inverse
    intercept = offset - mean * slope
    y = _affine_relu(x, slope, intercept, negative_slope)
    return (y, mean, var), (x, mask, mean, inverse, slope, intercept)


def _backward(epsilon, negative_slope, saved, gradients):
    """With xhat = (x - mean) * inverse: dx = slope * (g - mask * (mean(g) + xhat * mean(g * xhat)))."""
    x, mask, mean, inverse, slope, intercept = saved
    dy = gradients[0]
    below = negative_slope * dy if negative_slope else 0
    g = jnp.where(x * slope + intercept > 0, dy, below).astype(jnp.float32)
    d_offset = _sum(g)
    d_scale = (_sum(g * x) - mean * d_offset) * inverse
    count = _count(x, mask)
    curve = slope * inverse * d_scale / count
    shift = mean * curve - slope * d_offset / count
    dx = g * slope - _masked(x, mask) * curve + _masked(shift, mask)
    no_gradient = None if mask is None else jnp.zeros_like(mask)
    return dx.astype(x.dtype), d_scale, d_offset, no_gradient


_batch_norm_relu.defvjp(_forward, _backward)


def _affine_relu(x, slope, intercept, negative_slope):
    y = x * slope + intercept
    return jnp.maximum(y, negative_slope * y if negative_slope else 0).astype(x.dtype)


def _masked(x, mask):
    return x if mask is None else x * mask


def _sum(x):
    return jnp.sum(x, tuple(range(x.ndim - 1)), dtype=jnp.float32)


def _count(x, mask):
    """Numbers of each channel that statistics are of."""
    if mask is None:
        return x.size // x.shape[-1]
    return jnp.maximum(jnp.sum(mask), 1) * (x.size // (len(x) * x.shape[-1]))
