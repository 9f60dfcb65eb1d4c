"""Conditioning on an action: FiLM, its places in pose networks, and what BatchNorm does about it and about padding."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vid_jax.models.batch_norm import BatchNormReLU
from vid_jax.models.deep_prior import DeepPrior, PosePrior
from vid_jax.models.deep_prior_pp import LAYOUTS, DeepPriorPP
from vid_jax.models.film import PLACEMENTS, FiLM
from vid_jax.models.pose_network import PoseNetwork

CLASSES = 4
SMALL = {"outputs": 5, "widths": (4, 8, 8), "blocks": 3, "drop_rate": 0.0}
FILM = ("image", "residual", "linear", "prior")  # the placements that can change nothing


def crops(batch=4, side=8, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (batch, side, side, 1)).astype(np.float32)


def one_hot(*classes):
    return np.eye(CLASSES, dtype=np.float32)[list(classes)]


def initialised(network, x, action=None, key=1):
    init = jax.jit(lambda key: network.init(key, x, False, action))
    return init(jax.random.key(key))


def names(tree):
    paths = (path for path, _ in jax.tree_util.tree_leaves_with_path(tree))
    return {"/".join(key.key for key in path) for path in paths}


def size_of_film(film, classes=45, **network):
    crop = jax.ShapeDtypeStruct((1, 128, 128, 1), jnp.float32)
    action = jax.ShapeDtypeStruct((1, classes), jnp.float32)

    def size(film):
        init = functools.partial(DeepPriorPP(film=film, **network).init, train=False)
        params = jax.eval_shape(init, jax.random.key(0), crop, action=action)["params"]
        return sum(leaf.size for leaf in jax.tree.leaves(params)), names(params)

    conditioned, plain = size(film), size(())
    return conditioned[0] - plain[0], conditioned[1], plain[1]


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**16), st.sampled_from([(), (3,), (2, 3)]))
def test_modulation_is_an_affine_map_of_each_channel(seed, space):
    rng = np.random.default_rng(seed)
    shapes = (2, *space, 3), (2, CLASSES), (CLASSES, 6), (6,)
    x, action, kernel, bias = (rng.normal(size=shape).astype(np.float32) for shape in shapes)
    params = {"dense": {"kernel": kernel, "bias": bias}}
    y = FiLM().apply({"params": params}, x, action)
    for i, example in enumerate(x):
        change = action[i] @ kernel + bias
        wanted = (1 + change[:3]) * example + change[3:]
        np.testing.assert_allclose(y[i], wanted, rtol=1e-4, atol=1e-4)


def test_modulation_starts_as_the_identity_or_at_random():
    x, action = np.ones((2, 64), np.float32), one_hot(0, 1)
    params = FiLM().init(jax.random.key(0), x, action)["params"]
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(params))
    params = FiLM(identity=False).init(jax.random.key(0), x, action)["params"]["dense"]
    for leaf in params.values():
        assert 0.45 < np.abs(leaf).max() <= 0.5
        assert np.std(leaf) == pytest.approx(0.5 / 3**0.5, rel=0.1)


@pytest.mark.parametrize(
    ("film", "parameters"),
    [
        (("linear",), 188_416),
        (("prior",), 2_760),
        (("image",), 2 * 46),
        (("channel",), 25 * 32),
        (("embedding",), 45 * 46 + 25 * 45 * 32),
    ],
)
def test_parameters_of_the_placements(film, parameters):
    assert size_of_film(film)[0] == parameters


@pytest.mark.parametrize("layout", LAYOUTS)
def test_modulated_blocks_share_films_and_their_branches_have_no_scale(layout):
    more, conditioned, plain = size_of_film(("residual",), layout=layout)
    films = {name for name in conditioned if "film" in name}
    assert films == {
        f"stage_{stage}_film_{which}/dense/{leaf}"
        for stage in range(1, 5)
        for which in ("first", "rest")
        for leaf in ("kernel", "bias")
    }
    lost = {
        f"stage_{stage}_block_{block}/norm_{norm}/{leaf}"
        for stage in range(1, 5)
        for block in range(1, 6)
        for norm in range(1, 4)
        for leaf in ("scale", "bias")
    }
    assert lost == plain - conditioned
    before, widths = (32, 64, 128, 256), (64, 128, 256, 256)
    scales = sum(b + 4 * w + 5 * 2 * (w // 4) for b, w in zip(before, widths))
    assert more == 108_928 - 2 * scales


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_conditioning_by_zero_changes_nothing(layout, train):
    x, action = crops(), one_hot(0, 1, 2, 2)
    plain = DeepPriorPP(layout=layout, **SMALL)
    conditioned = DeepPriorPP(layout=layout, film=FILM, **SMALL)
    variables = initialised(plain, x)
    same = initialised(conditioned, x, action)
    shared = dict(jax.tree_util.tree_leaves_with_path(variables["params"]))
    same["params"] = jax.tree_util.tree_map_with_path(
        lambda path, leaf: shared.get(path, leaf), same["params"]
    )
    expected, state = plain.apply(variables, x, train, mutable=["batch_stats"])
    y, same_state = conditioned.apply(same, x, train, action, mutable=["batch_stats"])
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), same_state, state
    )


def test_a_plain_network_takes_no_notice_of_the_action():
    x = crops()
    network = PoseNetwork(DeepPriorPP(**SMALL), PosePrior(6))
    variables = initialised(network, x)
    assert not network.conditioned
    assert names(initialised(network, x, one_hot(0, 1, 2, 3))) == names(variables)
    for a, b in zip(
        network.apply(variables, x, False), network.apply(variables, x, False, one_hot(0, 1, 2, 3))
    ):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("placement", "small"),
    [(placement, False) for placement in PLACEMENTS]
    + [(placement, True) for placement in PLACEMENTS if placement != "residual"],
)
def test_every_placement_tells_the_pose_of_the_action(placement, small):
    conditions = {"film": (placement,), "film_identity": False, "drop_rate": 0.0}
    trunk = DeepPrior(5, **conditions) if small else DeepPriorPP(**SMALL | conditions)
    network, x = PoseNetwork(trunk), crops(3, 44 if small else 8)
    assert network.conditioned
    variables = initialised(network, x, one_hot(0, 0, 0))

    @jax.jit
    def coordinates(action, x):
        return network.apply(variables, x, False, action)[0]

    actions = one_hot(0, 1, 2), one_hot(0, 2, 2)
    one, other = (np.asarray(coordinates(action, x)) for action in actions)
    np.testing.assert_allclose(one[[0, 2]], other[[0, 2]], rtol=1e-5, atol=1e-6)
    assert np.abs(one[1] - other[1]).max() > 1e-4
    order = np.array([2, 0, 1])
    np.testing.assert_allclose(
        coordinates(actions[0][order], x[order]), one[order], rtol=1e-4, atol=1e-6
    )
    gradient = jax.grad(lambda action: coordinates(action, x).sum())(np.full((3, 4), 0.25))
    assert np.isfinite(gradient).all()
    assert np.any(gradient)


def test_class_as_a_channel_is_scaled():
    trunk = DeepPriorPP(film=("channel",), **SMALL)
    x = np.zeros((3, 8, 8, 1), np.float32)
    variables = initialised(trunk, x, one_hot(0, 0, 0))

    def image(action):
        _, state = trunk.apply(variables, x, False, action, capture_intermediates=True)
        return state["intermediates"]["image"]["__call__"][0]

    found = image(np.concatenate([one_hot(0, 3), np.full((1, 4), 0.25, np.float32)]))
    assert found.shape == (3, 8, 8, 2)
    wanted = np.broadcast_to(np.array([0, 1, 0.5])[:, None, None], (3, 8, 8))
    np.testing.assert_allclose(found[..., 1], wanted, atol=1e-6)


def test_conditioning_in_bfloat16_gives_float32_poses():
    network = DeepPriorPP(film=PLACEMENTS, film_identity=False, dtype=jnp.bfloat16, **SMALL)
    x, action = crops(), one_hot(0, 1, 2, 3)
    variables = initialised(network, x, action)
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(variables))
    exact = DeepPriorPP(film=PLACEMENTS, film_identity=False, **SMALL)
    y, expected = (
        jax.jit(n.apply, static_argnums=2)(variables, x, False, action) for n in (network, exact)
    )
    assert y.dtype == jnp.float32
    np.testing.assert_allclose(y, expected, atol=0.05 * np.abs(expected).max())


def test_normalisation_without_scale_and_bias():
    x = np.random.default_rng(0).normal(2, 3, (5, 4, 3)).astype(np.float32)
    norm = BatchNormReLU(use_running_average=False, momentum=0.6, epsilon=1e-4, affine=False)
    variables = norm.init(jax.random.key(0), x)
    assert "params" not in variables
    y, _ = norm.apply(variables, x, mutable=["batch_stats"])
    wanted = (x - x.mean((0, 1))) / np.sqrt(x.var((0, 1)) + 1e-4)
    np.testing.assert_allclose(y, np.maximum(wanted, 0), atol=1e-4)


@pytest.mark.parametrize("shape", [(6, 3), (6, 4, 5, 3)])
def test_masked_statistics_are_of_the_real_examples(shape):
    rng = np.random.default_rng(0)
    x, weight = rng.normal(2, 3, (2, *shape)).astype(np.float32)
    scale, offset = rng.normal(size=(2, 3)).astype(np.float32)
    mask = np.float32([1, 0, 1, 1, 0, 1])
    norm = BatchNormReLU(use_running_average=False, momentum=0.6, epsilon=1e-4)
    stats = norm.init(jax.random.key(0), x)["batch_stats"]

    def ours(x, scale, offset):
        variables = {"params": {"scale": scale, "bias": offset}, "batch_stats": stats}
        y, state = norm.apply(variables, x, mask=mask, mutable=["batch_stats"])
        return (y * weight).sum(), (y, state["batch_stats"])

    def expected(x, scale, offset):
        """Of all examples, by statistics of some."""
        real = x[np.flatnonzero(mask)]
        axes = tuple(range(x.ndim - 1))
        mean, var = real.mean(axes), real.var(axes)
        y = jnp.maximum((x - mean) / jnp.sqrt(var + 1e-4) * scale + offset, 0)
        running = {"mean": 0.4 * mean, "var": 0.6 + 0.4 * var}
        return (y * weight).sum(), (y, running)

    outcomes = (
        jax.value_and_grad(f, (0, 1, 2), has_aux=True)(x, scale, offset) for f in (ours, expected)
    )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=2e-4), *outcomes)


def test_statistics_stay_where_no_example_is_real():
    x = np.random.default_rng(0).normal(2, 3, (4, 3)).astype(np.float32)
    norm = BatchNormReLU(use_running_average=False, momentum=0.6, epsilon=1e-4)
    variables = norm.init(jax.random.key(0), x)
    y, state = norm.apply(variables, x, mask=np.zeros(4, np.float32), mutable=["batch_stats"])
    jax.tree.map(np.testing.assert_array_equal, state["batch_stats"], variables["batch_stats"])
    assert np.isfinite(y).all()


def test_padding_never_changes_a_network_in_training():
    film = ("residual", "linear")
    network = DeepPriorPP(film=film, film_identity=False, **SMALL)
    x, action = crops(6), one_hot(0, 1, 2, 3, 0, 1)
    variables = initialised(network, x, action)
    stats = variables["batch_stats"]

    def outcome(x, action, mask):
        def loss(params):
            y, state = network.apply(
                {"params": params, "batch_stats": stats},
                x,
                True,
                action,
                mask,
                mutable=["batch_stats"],
            )
            return jnp.square(y[:4] - 1).sum(), (y[:4], state)

        return jax.jit(jax.value_and_grad(loss, has_aux=True))(variables["params"])

    padded = outcome(x, action, np.float32([1, 1, 1, 1, 0, 0]))
    exact = outcome(x[:4], action[:4], None)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3), padded, exact)


def test_frozen_statistics_stay_and_are_those_of_evaluation():
    x, action = crops(), one_hot(0, 1, 2, 3)
    network = DeepPriorPP(film=("residual",), film_identity=False, frozen_norm=True, **SMALL)
    variables = initialised(network, x, action)
    y, state = network.apply(variables, x, True, action, mutable=["batch_stats"])
    jax.tree.map(np.testing.assert_array_equal, state["batch_stats"], variables["batch_stats"])
    np.testing.assert_array_equal(y, network.apply(variables, x, False, action))
