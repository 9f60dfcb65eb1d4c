"""The key clips' autoencoder: the published table, statistics of each layer's own, a linear bottleneck."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from vid_jax.models.batch_norm import BatchNormReLU
from vid_jax.models.keyclip_autoencoder import KeyClipAutoencoder

TINY = KeyClipAutoencoder(widths=(4, 6, 8, 5), latent_channels=3)


@pytest.mark.parametrize("slope", [0.01, 1.0])
def test_leaky_normalisation_is_flax_s(slope):
    keys = jax.random.split(jax.random.key(0), 2)
    x, dy = (jax.random.normal(key, (3, 4, 5, 2)) for key in keys)
    params = {"scale": jnp.array([0.5, 2.0]), "bias": jnp.array([-0.3, 0.2])}
    stats = {"mean": jnp.zeros(2), "var": jnp.ones(2)}

    def ours(x, params, train=True):
        layer = BatchNormReLU(not train, 0.9, 1e-5, negative_slope=slope)
        return layer.apply({"params": params, "batch_stats": stats}, x, mutable=["batch_stats"])[0]

    def flax(x, params, train=True):
        layer = nn.BatchNorm(not train, epsilon=1e-5)
        given = {"params": params, "batch_stats": stats}
        return nn.leaky_relu(layer.apply(given, x, mutable=["batch_stats"])[0], slope)

    (y, pull), (wanted, flax_pull) = jax.vjp(ours, x, params), jax.vjp(flax, x, params)
    for a, b in zip(jax.tree.leaves((y, pull(dy))), jax.tree.leaves((wanted, flax_pull(dy)))):
        np.testing.assert_allclose(a, b, atol=1e-5)
    np.testing.assert_allclose(ours(x, params, False), flax(x, params, False), atol=1e-6)


def shapes(network, size=(96, 192)):
    image = jnp.zeros((1, *size, 3))
    return jax.eval_shape(lambda key: network.init(key, image, False), jax.random.key(0))


def count(tree) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def test_parameters_are_those_of_the_table():
    params = shapes(KeyClipAutoencoder())["params"]
    kernels = {
        part: [params[part][f"conv_{layer}"]["kernel"].shape for layer in range(1, 6)]
        for part in ("encoder", "decoder")
    }
    assert kernels == {
        "encoder": [(3, 3, 3, 32), (3, 3, 32, 64), (4, 4, 64, 128), (4, 4, 128, 64), (4, 4, 64, 8)],
        "decoder": [(4, 4, 8, 64), (4, 4, 64, 128), (4, 4, 128, 64), (3, 3, 64, 32), (3, 3, 32, 3)],
    }
    convolutions = [
        params[part][name] for part in params for name in params[part] if "conv" in name
    ]
    assert count(convolutions) == 579_851
    # Published: 598 of BatchNorms that encoder and decoder share; the decoder's own are 576.
    assert count(params) == 579_851 + 598 + 576
    assert "input_norm" not in shapes(KeyClipAutoencoder(input_norm=False))["params"]["encoder"]


def test_bottleneck_has_2304_values():
    network = KeyClipAutoencoder()
    variables = shapes(network)
    image = jax.ShapeDtypeStruct((2, 96, 192, 3), jnp.float32)
    latent = jax.eval_shape(
        lambda v, x: network.apply(v, x, False, method="encode"), variables, image
    )
    assert latent.shape == (2, 12, 24, 8)
    whole = jax.eval_shape(lambda v, x: network.apply(v, x, False), variables, image)
    assert whole.shape == image.shape


def test_encoder_and_decoder_make_the_whole():
    image = jax.random.uniform(jax.random.key(1), (2, 16, 24, 3), minval=-1)
    variables = jax.jit(TINY.init, static_argnums=2)(jax.random.key(0), image, False)
    latent = TINY.apply(variables, image, False, method="encode")
    np.testing.assert_array_equal(
        TINY.apply(variables, latent, False, method="decode"), TINY.apply(variables, image, False)
    )
    assert (np.asarray(latent) < 0).mean() > 0.1  # no rectifier after the last BatchNorm


def test_running_statistics_become_those_of_the_batch():
    """Seeing one batch again and again, evaluation gives what training gives."""
    network = TINY.clone(batch_norm_momentum=0.5)
    image = jax.random.uniform(jax.random.key(1), (4, 16, 24, 3), minval=-1)
    variables = jax.jit(network.init, static_argnums=2)(jax.random.key(0), image, False)

    @jax.jit
    def step(variables):
        out, updated = network.apply(variables, image, True, mutable=["batch_stats"])
        return out, {**variables, **updated}

    for _ in range(30):
        training, variables = step(variables)
    np.testing.assert_allclose(network.apply(variables, image, False), training, atol=1e-3)
