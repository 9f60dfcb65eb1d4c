"""Convolutions that halve and double: the same numbers and gradients as Flax's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from vid_jax.models.conv2d_resampling import doubling_conv, halving_conv


def flax_conv(kernel):
    layer = nn.Conv(kernel.shape[3], (4, 4), 2, padding="SAME", use_bias=False)
    return lambda x, kernel: layer.apply({"params": {"kernel": kernel}}, x)


def flax_transposed(kernel):
    layer = nn.ConvTranspose(kernel.shape[3], (4, 4), (2, 2), padding="SAME", use_bias=False)
    return lambda x, kernel: layer.apply({"params": {"kernel": kernel}}, x)


@pytest.mark.parametrize(("height", "width"), [(6, 10), (8, 4), (2, 2)])
@pytest.mark.parametrize(
    ("ours", "reference"), [(halving_conv, flax_conv), (doubling_conv, flax_transposed)]
)
def test_agrees_with_flax(ours, reference, height, width):
    keys = jax.random.split(jax.random.key(0), 3)
    x = jax.random.normal(keys[0], (2, height, width, 5))
    kernel = jax.random.normal(keys[1], (4, 4, 5, 3))
    wanted, pull = jax.vjp(reference(kernel), x, kernel)
    dy = jax.random.normal(keys[2], wanted.shape)
    found, ours_pull = jax.vjp(ours, x, kernel)
    for a, b in zip((found, *ours_pull(dy)), (wanted, *pull(dy)), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


def test_types_are_kept():
    x, kernel = jnp.ones((1, 4, 4, 2), jnp.bfloat16), jnp.ones((4, 4, 2, 3), jnp.bfloat16)
    for convolution in (halving_conv, doubling_conv):
        y, pull = jax.vjp(convolution, x, kernel)
        assert {a.dtype for a in (y, *pull(y))} == {jnp.dtype(jnp.bfloat16)}
