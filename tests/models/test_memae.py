"""MemAE against the published layer table, and the memory's arithmetic."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vid_jax.models.memae import MemAE, Memory, hard_shrink


def init(network, shape, train=False):
    video = jnp.zeros(shape)
    return jax.eval_shape(lambda key: network.init(key, video, train=train), jax.random.key(0))


def count(tree):
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def test_parameter_count_of_the_published_network():
    assert count(init(MemAE(), (1, 16, 64, 64, 1))["params"]) == 6_492_801


def test_plain_autoencoder_lacks_only_the_memory():
    variables = init(MemAE(memory_slots=0), (1, 16, 64, 64, 1))
    assert count(variables["params"]) == 6_492_801 - 512_000


def test_layer_table_at_full_size():
    """Output sizes of the paper's encoder and decoder for 16 frames of 256x256."""
    network = MemAE()
    video = jax.ShapeDtypeStruct((1, 16, 256, 256, 1), jnp.float32)
    _, state = jax.eval_shape(
        lambda key, video: network.init_with_output(
            key, video, train=False, capture_intermediates=True, mutable=True
        ),
        jax.random.key(0),
        video,
    )
    shapes = {
        name: layer["__call__"][0].shape[1:]
        for name, layer in state["intermediates"].items()
        if name.startswith(("encoder", "decoder", "output"))
    }
    assert shapes == {
        "encoder_0": (16, 128, 128, 96),
        "encoder_1": (8, 64, 64, 128),
        "encoder_2": (4, 32, 32, 256),
        "encoder_3": (2, 16, 16, 256),
        "decoder_0": (4, 32, 32, 256),
        "decoder_1": (8, 64, 64, 128),
        "decoder_2": (16, 128, 128, 96),
        "output": (16, 256, 256, 1),
    }


@pytest.mark.parametrize("shape", [(2, 16, 240, 360, 1), (1, 12, 50, 33, 3)])
def test_sizes_that_strides_do_not_divide(shape):
    network = MemAE(width=1 / 32, memory_slots=8)
    variables = init(network, shape)
    output, weights = jax.eval_shape(
        lambda variables: network.apply(variables, jnp.zeros(shape), train=False), variables
    )
    assert output.shape == shape
    queries = [-(-n // s) for n, s in zip(shape[1:4], (8, 16, 16))]
    assert weights.shape == (shape[0], *queries, 8)


def test_strides_are_what_a_query_stands_for():
    network = MemAE(
        channels=(2, 3, 4),
        strides=((1, 2, 2), (2, 2, 2), (2, 1, 1)),
        memory_slots=8,
        encoder_drop_rates=(0.0,) * 3,
        decoder_drop_rates=(0.0,) * 3,
    )
    video = jnp.zeros((1, 6, 10, 12, 1))  # padded to 8, 12, 12
    variables = network.init(jax.random.key(0), video, train=False)
    output, weights = network.apply(variables, video, train=False)
    assert output.shape == video.shape
    assert weights.shape == (1, 2, 3, 3, 8)


def test_remat_changes_neither_value_nor_gradient():
    video = jax.random.uniform(jax.random.key(1), (2, 8, 16, 16, 1))
    results = []
    for remat in (False, True):
        network = MemAE(
            width=1 / 24, memory_slots=8, remat=remat, encoder_drop_rates=(0.5, 0.0, 0.0, 0.0)
        )
        variables = network.init(jax.random.key(0), video, train=False)

        def loss(params, network=network, variables=variables):
            (output, _), _ = network.apply(
                variables | {"params": params},
                video,
                train=True,
                mutable=["batch_stats"],
                rngs={"dropout": jax.random.key(2)},
            )
            return jnp.mean((output - video) ** 2)

        results.append(jax.value_and_grad(loss)(variables["params"]))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), *results)


def test_spatial_dropout_drops_whole_feature_maps():
    network = MemAE(width=1 / 6, memory_slots=0, encoder_drop_rates=(0.5, 0.0, 0.0, 0.0))
    video = jax.random.uniform(jax.random.key(1), (2, 8, 32, 32, 1))
    variables = network.init(jax.random.key(0), video, train=False)
    _, state = network.apply(
        variables,
        video,
        train=True,
        capture_intermediates=True,
        mutable=["batch_stats", "intermediates"],
        rngs={"dropout": jax.random.key(2)},
    )
    maps = np.asarray(state["intermediates"]["encoder_0"]["__call__"][0])
    dropped = (maps == 0).all((1, 2, 3))
    assert 0 < dropped.sum() < dropped.size
    assert ((maps == 0).any((1, 2, 3)) == dropped).all()


def test_bfloat16_returns_float32_close_to_float32():
    video = jax.random.uniform(jax.random.key(1), (1, 8, 16, 16, 1))
    networks = [MemAE(width=1 / 12, memory_slots=0, dtype=d) for d in (jnp.float32, jnp.bfloat16)]
    variables = networks[0].init(jax.random.key(0), video, train=False)
    exact, rough = (n.apply(variables, video, train=False)[0] for n in networks)
    assert rough.dtype == jnp.float32
    np.testing.assert_allclose(rough, exact, atol=0.05 * np.abs(exact).max())


def test_hard_shrink_drops_up_to_the_threshold_and_renormalises():
    weights = jnp.array([[0.5, 0.3, 0.2], [0.2, 0.1, 0.7]])
    np.testing.assert_allclose(
        hard_shrink(weights, 0.2), [[0.625, 0.375, 0.0], [0.0, 0.0, 1.0]], rtol=1e-6
    )


def test_hard_shrink_of_a_dead_row_is_zero_in_value_and_gradient():
    weights = jnp.full((1, 4), 0.25)
    np.testing.assert_array_equal(hard_shrink(weights, 0.25), 0)
    gradient = jax.grad(lambda w: jnp.sum(hard_shrink(w, 0.25) * jnp.arange(4.0)))(weights)
    np.testing.assert_array_equal(gradient, 0)


def float64_memory(queries, slots, addressing, temperature, threshold):
    if addressing == "cosine":
        queries, slots_unit = (
            v / np.linalg.norm(v, axis=-1, keepdims=True) for v in (queries, slots)
        )
        logits = queries @ slots_unit.T / temperature
    else:
        logits = queries @ slots.T
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    weights[weights <= threshold] = 0
    weights /= np.maximum(weights.sum(-1, keepdims=True), 1e-12)
    return weights @ slots, weights


@pytest.mark.parametrize("addressing", ["cosine", "dot"])
def test_memory_agrees_with_float64(addressing):
    rng = np.random.default_rng(0)
    queries, slots = rng.normal(size=(2, 3, 4, 5, 16)), rng.normal(size=(30, 16))
    memory = Memory(30, addressing, temperature=0.1, shrink_threshold=1 / 30)
    read, weights = memory.apply({"params": {"slots": slots}}, jnp.asarray(queries))
    expected = float64_memory(queries, slots, addressing, 0.1, 1 / 30)
    np.testing.assert_allclose(weights, expected[1], atol=2e-6)
    np.testing.assert_allclose(read, expected[0], atol=2e-5)


def test_cosine_without_temperature_kills_every_query():
    """Why a temperature is the default: logits in [-1, 1] cannot exceed the published threshold."""
    queries = jax.random.normal(jax.random.key(0), (64, 256))
    for temperature, dead in ((1.0, 1.0), (0.05, 0.0)):
        memory = Memory(2000, "cosine", temperature, shrink_threshold=0.0025)
        variables = memory.init(jax.random.key(1), queries)
        _, weights = memory.apply(variables, queries)
        assert float((weights.max(-1) == 0).mean()) == dead
