"""The networks of hand pose: sizes, layouts, dropout, statistics, and the prior."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from vid_jax.models.com_refinement import ComRefinement
from vid_jax.models.deep_prior import DeepPrior, PosePrior
from vid_jax.models.deep_prior_pp import LAYOUTS, DeepPriorPP

CROP = jax.ShapeDtypeStruct((2, 128, 128, 1), jnp.float32)
SMALL = {"widths": (4, 8, 12, 16, 16), "blocks": 2}
MOMENTUM = 0.7


def initialised(network, x):
    return jax.jit(lambda key: network.init(key, x, False))(jax.random.key(0))


def shapes(network, crop):
    return jax.eval_shape(lambda x: network.init(jax.random.key(0), x, False), crop)


def count(tree) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def crops(batch=4, side=32, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (batch, side, side, 1)).astype(np.float32)


@pytest.mark.parametrize(
    ("network", "parameters"),
    [
        (DeepPrior(), 2_075_006),
        (DeepPriorPP(layout="separate_skip"), 18_713_598),
        # Without the three normalisations of the projections, of 32, 64 and 128 channels.
        (DeepPriorPP(layout="shared_preactivation"), 18_713_598 - 2 * (32 + 64 + 128)),
        (ComRefinement(), 3 * (208 + 1608 + 584) + 2449 * 1024 + 1025 * 1024 + 1025 * 3),
    ],
)
def test_parameters_are_as_many_as_published(network, parameters):
    assert count(shapes(network, CROP)["params"]) == parameters


@pytest.mark.parametrize("layout", LAYOUTS)
def test_stages_halve_the_frame_but_the_last(layout):
    network = DeepPriorPP(layout=layout)

    def outputs(x):
        variables = network.init(jax.random.key(0), x, False)
        y, state = network.apply(variables, x, False, capture_intermediates=True)
        return y, state["intermediates"]

    y, found = jax.eval_shape(outputs, CROP)
    assert y.shape == (2, 30)
    del found["__call__"]
    size = {name: layer["__call__"][0].shape[1:] for name, layer in found.items()}
    assert size["stem"] == (64, 64, 32)
    for block in range(1, 6):
        assert size[f"stage_1_block_{block}"] == (32, 32, 64)
        assert size[f"stage_2_block_{block}"] == (16, 16, 128)
        assert size[f"stage_3_block_{block}"] == (8, 8, 256)
        assert size[f"stage_4_block_{block}"] == (8, 8, 256)
    assert size["norm"] == (8, 8, 256)


def test_convolutions_of_deep_prior():
    network = DeepPrior(outputs=63)

    def outputs(x):
        variables = network.init(jax.random.key(0), x, False)
        return network.apply(variables, x, False, capture_intermediates=True)

    y, state = jax.eval_shape(outputs, CROP)
    found = state["intermediates"]["convolutions"]
    sizes = [found[f"conv_{i}"]["__call__"][0].shape[1:] for i in (1, 2, 3)]
    assert sizes == [(124, 124, 8), (27, 27, 8), (11, 11, 8)]
    assert found["__call__"][0].shape == (2, 968)
    assert y.shape == (2, 63)


def test_branches_of_com_refinement_see_the_centre():
    network = ComRefinement()
    crop = crops(1, 128)
    variables = initialised(network, crop)

    def branches(x):
        _, state = network.apply(variables, x, False, capture_intermediates=True)
        return [state["intermediates"][f"branch_{i}"]["__call__"][0] for i in range(3)]

    before = branches(crop)
    assert [b.shape[1] for b in before] == [968, 968, 512]
    for row, changed in ((31, [True, False, False]), (32, [True, True, False]), (48, [True] * 3)):
        other = crop.copy()
        other[:, row, 64] += 1
        after = branches(other)
        assert [bool((a != b).any()) for a, b in zip(after, before)] == changed


def reference(params, stats, x, layout, train):
    """DeepPrior++ in `lax`, with its padding written out; also the statistics of every normalisation."""
    seen = {}

    def norm(path, x):
        p, s = params, stats
        for name in path:
            p, s = p[name], s[name]
        mean, var = s["mean"], s["var"]
        if train:
            mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2))
            seen[path] = mean, var
        y = (x - mean) / jnp.sqrt(var + 1e-4) * p["scale"] + p["bias"]
        return jnp.maximum(y, 0)

    def conv(path, x, stride, padding):
        p = params
        for name in path:
            p = p[name]
        sides = ((padding, padding), (padding, padding))
        y = lax.conv_general_dilated(
            x, p["kernel"], (stride, stride), sides, dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        return y + p["bias"]

    x = conv(("stem",), x, 1, 2)
    x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    widths = SMALL["widths"]
    for stage, (before, width) in enumerate(itertools.pairwise(widths), start=1):
        for block in range(1, SMALL["blocks"] + 1):
            name = f"stage_{stage}_block_{block}"
            first, middle = (1, 1)
            h, skip = norm((name, "norm_1"), x), x
            if block == 1 and before != width:
                if layout == "shared_preactivation":
                    first, projected = 2, h
                else:
                    middle, projected = 2, norm((name, "projection_norm"), x)
                skip = conv((name, "projection"), projected, 2, 0)
            h = conv((name, "conv_1"), h, first, 0)
            h = conv((name, "conv_2"), norm((name, "norm_2"), h), middle, 1)
            x = skip + conv((name, "conv_3"), norm((name, "norm_3"), h), 1, 0)
    x = norm(("norm",), x)
    x = x.reshape(len(x), -1)
    for name in ("hidden_1", "hidden_2", "output"):
        p = params["regressor"][name]
        x = x @ p["kernel"] + p["bias"]
        if name != "output":
            x = jnp.maximum(x, 0)
    return x, seen


@pytest.fixture(params=LAYOUTS)
def small(request):
    """(network without dropout, variables without zeros and ones, crops)."""
    network = DeepPriorPP(
        outputs=5, layout=request.param, drop_rate=0.0, batch_norm_momentum=MOMENTUM, **SMALL
    )
    x = crops()
    variables = initialised(network, x)
    rng = np.random.default_rng(1)
    variables = jax.tree.map(
        lambda a: a + rng.uniform(0, 0.3, a.shape).astype(np.float32) if a.ndim == 1 else a,
        variables,
    )
    return network, variables, x


@pytest.mark.parametrize("train", [False, True])
def test_network_agrees_with_lax(small, train):
    network, variables, x = small
    params, stats = variables["params"], variables["batch_stats"]

    def ours(params):
        y, state = network.apply(
            {"params": params, "batch_stats": stats}, x, train, mutable=["batch_stats"]
        )
        return jnp.square(y - 1).sum(), (y, state)

    def theirs(params):
        y, seen = reference(params, stats, x, network.layout, train)
        return jnp.square(y - 1).sum(), (y, seen)

    (_, (y, state)), gradients = jax.jit(jax.value_and_grad(ours, has_aux=True))(params)
    (_, (expected, seen)), expected_gradients = jax.jit(jax.value_and_grad(theirs, has_aux=True))(
        params
    )
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    for (path, a), b in zip(
        jax.tree_util.tree_leaves_with_path(gradients), jax.tree.leaves(expected_gradients)
    ):
        # The mean of the batch takes away a bias before it: there the gradient is zero but for rounding.
        scale = max(np.abs(b).max(), 1e-2)
        np.testing.assert_allclose(a, b, atol=2e-3 * scale, err_msg=jax.tree_util.keystr(path))
    if not train:
        assert jax.tree.all(jax.tree.map(np.array_equal, state["batch_stats"], stats))
    for path, (mean, var) in seen.items():
        new, old = state["batch_stats"], stats
        for name in path:
            new, old = new[name], old[name]
        for key, value in (("mean", mean), ("var", var)):
            value = MOMENTUM * old[key] + (1 - MOMENTUM) * value
            np.testing.assert_allclose(new[key], value, rtol=2e-3, atol=1e-4, err_msg=str(path))


@pytest.mark.parametrize(
    "network",
    [DeepPrior(drop_rate=0.5), ComRefinement(drop_rate=0.5), DeepPriorPP(drop_rate=0.5, **SMALL)],
    ids=lambda network: type(network).__name__,
)
def test_dropout_is_for_training_only(network):
    x = crops(2, 96)
    variables = initialised(network, x)

    @jax.jit
    def train(key):
        return network.apply(variables, x, True, rngs={"dropout": key}, mutable=["batch_stats"])[0]

    evaluate = jax.jit(lambda: network.apply(variables, x, False))
    assert np.array_equal(evaluate(), evaluate())
    assert np.array_equal(train(jax.random.key(1)), train(jax.random.key(1)))
    assert not np.array_equal(train(jax.random.key(1)), train(jax.random.key(2)))


def test_bfloat16_gives_float32_poses():
    x = crops(2)
    network = DeepPriorPP(dtype=jnp.bfloat16, drop_rate=0.0, **SMALL)
    variables = initialised(network, x)
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(variables))
    y = jax.jit(lambda: network.apply(variables, x, False))()
    exact_network = DeepPriorPP(drop_rate=0.0, **SMALL)
    exact = jax.jit(lambda: exact_network.apply(variables, x, False))()
    assert y.dtype == jnp.float32
    np.testing.assert_allclose(y, exact, atol=0.05 * np.abs(exact).max())


def test_initial_spread_of_the_layouts():
    x = crops(1, 32)
    published, pytorch = (
        initialised(DeepPriorPP(layout=layout, blocks=1), x)["params"]
        for layout in ("shared_preactivation", "separate_skip")
    )

    def kernels(params):
        return params["stage_1_block_1"]["projection"], params["regressor"]

    projection, regressor = kernels(published)
    assert np.std(projection["kernel"]) == pytest.approx((2 / 32) ** 0.5, rel=0.1)
    assert np.std(regressor["hidden_1"]["kernel"]) == pytest.approx(0.01, rel=0.01)
    assert np.abs(regressor["output"]["kernel"]).max() == pytest.approx((6 / 1054) ** 0.5, rel=0.01)
    assert not regressor["hidden_1"]["bias"].any()
    assert not projection["bias"].any()
    projection, regressor = kernels(pytorch)
    assert np.std(projection["kernel"]) == pytest.approx((2 / 64) ** 0.5, rel=0.1)
    assert np.abs(projection["bias"]).max() == pytest.approx(32**-0.5, rel=0.2)
    for name in ("hidden_1", "hidden_2"):
        for numbers in regressor[name].values():
            assert np.abs(numbers).max() == pytest.approx(1024**-0.5, rel=0.05)


def test_prior_decodes_with_constants_that_do_not_train():
    rng = np.random.default_rng(0)
    z, components, mean = (rng.normal(size=s).astype(np.float32) for s in ((4, 30), (30, 63), 63))
    prior = PosePrior(63)
    variables = prior.init(jax.random.key(0), z)
    assert variables.keys() == {"constants"}
    assert count(variables["constants"]) == 1953
    assert not np.any(variables["constants"]["components"])
    constants = {"components": components, "mean": mean}
    pose = prior.apply({"constants": constants}, z)
    np.testing.assert_allclose(pose, z.astype(float) @ components + mean, rtol=1e-5, atol=1e-5)


def test_trainable_prior_starts_as_the_fixed_one():
    rng = np.random.default_rng(0)
    z, components, mean = (rng.normal(size=s).astype(np.float32) for s in ((4, 3), (3, 6), 6))
    prior = PosePrior(6, trainable=True)
    params = prior.init(jax.random.key(0), z)["params"]
    constants = {"components": components, "mean": mean}

    def decode(params):
        return prior.apply({"params": params, "constants": constants}, z)

    np.testing.assert_allclose(decode(params), z @ components + mean, rtol=1e-6)
    gradients = jax.grad(lambda params: decode(params).sum())(params)
    np.testing.assert_allclose(gradients["mean_change"], np.full(6, 4.0))
    np.testing.assert_allclose(
        gradients["components_change"], np.repeat(z.sum(0)[:, None], 6, 1), rtol=1e-5
    )


@pytest.mark.parametrize(
    ("network", "side", "message"),
    [
        (DeepPriorPP(), 120, "crop of 120x120 cannot be halved 4 times; use multiples of 16"),
        (DeepPrior(), 43, "43x43 is too small: .* use at least 44 pixels a side"),
        (ComRefinement(), 100, "100x100 has no central quarter; use multiples of 8"),
        (ComRefinement(), 64, "16x16 is too small: .* use at least 18 pixels a side"),
        (DeepPriorPP(layout="other"), 128, "'other' is unknown; use one of shared_preactivation, "),
    ],
)
def test_what_does_not_fit_is_named(network, side, message):
    with pytest.raises(ValueError, match=message):
        shapes(network, jax.ShapeDtypeStruct((1, side, side, 1), jnp.float32))


def test_smallest_crop_of_deep_prior():
    shapes(DeepPrior(), jax.ShapeDtypeStruct((1, 44, 44, 1), jnp.float32))
