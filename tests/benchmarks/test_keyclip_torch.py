"""The peer computes what ours computes: the same images, losses and gradients from the same parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import keyclip
from vid_jax import ssim
from vid_jax.tasks.base import make_task

torch = pytest.importorskip(
    "torch", reason="PyTorch is not installed: pip install -r requirements-bench.txt"
)

from benchmarks.peers import keyclip_torch  # noqa: E402 -- it imports torch

SIZE, BATCH, ALPHA = (16, 32), 2, 0.84


@pytest.fixture
def config():
    """Narrow, and small."""
    sizes = {"data.frame_size": SIZE, "train.batch_size": BATCH}
    return keyclip.make_config("", sizes | {"model.widths": (4, 6, 8, 5)})


# Of each of our modules the place of its peer in PyTorch's sequences.
ENCODER = {"input_norm": 0, "conv_1": 1, "norm_1": 2, "conv_2": 4, "norm_2": 5, "conv_3": 7}
ENCODER |= {"norm_3": 8, "conv_4": 10, "norm_4": 11, "conv_5": 13, "norm_5": 14}
DECODER = {"conv_1": 0, "norm_1": 1, "conv_2": 3, "norm_2": 4, "conv_3": 6, "norm_3": 7}
DECODER |= {"conv_4": 9, "norm_4": 10, "conv_5": 12}


def to_torch(tree) -> dict[str, np.ndarray]:
    """Arrays by PyTorch's names and in its layout; transposed convolutions have theirs mirrored."""
    names = {"scale": "weight", "kernel": "weight", "mean": "running_mean", "var": "running_var"}
    state = {}
    for path, array in jax.tree_util.tree_leaves_with_path(tree):
        part, module, kind = (key.key for key in path)
        array = np.asarray(array)
        if array.ndim == 4 and part == "encoder":
            array = array.transpose(3, 2, 0, 1)
        elif array.ndim == 4:
            array = array[::-1, ::-1].transpose(2, 3, 0, 1)
        number = (ENCODER if part == "encoder" else DECODER)[module]
        state[f"{part}.{number}.{names.get(kind, kind)}"] = array
    return state


@pytest.fixture
def pair(config):
    """Ours as (network, variables, images), and the peer as (model, images) with the same numbers."""
    network = make_task(config).network
    rng = np.random.default_rng(0)
    image = rng.uniform(-1, 1, (BATCH, *SIZE, 3)).astype(np.float32)
    variables = jax.jit(lambda key: network.init(key, image, False))(jax.random.key(0))
    variables = jax.tree.map(
        lambda a: a + rng.uniform(0, 0.3, a.shape).astype(np.float32) if a.ndim == 1 else a,
        variables,
    )
    model = keyclip_torch.KeyClipAutoencoder(**keyclip.torch_network(config))
    state = to_torch(variables["params"]) | to_torch(variables["batch_stats"])
    missing, unexpected = model.load_state_dict(
        {name: torch.tensor(array.copy()) for name, array in state.items()}, strict=False
    )
    assert not unexpected
    assert all(name.endswith("num_batches_tracked") for name in missing)
    model = model.to(memory_format=torch.channels_last)
    return (network, variables, image), (model, torch.tensor(image.transpose(0, 3, 1, 2)))


def test_reconstructions_and_losses_agree(pair):
    (network, variables, image), (model, images) = pair
    ours = jax.jit(lambda variables: network.apply(variables, image, False))(variables)
    with torch.inference_mode():
        theirs = model.eval()(images)
        loss = keyclip_torch.mixed_loss(images, theirs, ALPHA).item()
    np.testing.assert_allclose(ours, theirs.numpy().transpose(0, 2, 3, 1), atol=1e-4)
    assert loss == pytest.approx(float(ssim.ms_ssim_l1(image, ours, ALPHA).mean()), rel=1e-4)


def test_gradients_and_statistics_agree(pair):
    (network, variables, image), (model, images) = pair

    @jax.jit
    def gradients_of(params):
        def loss(params):
            given = {"params": params, "batch_stats": variables["batch_stats"]}
            out, state = network.apply(given, image, True, mutable=["batch_stats"])
            return ssim.ms_ssim_l1(image, out, ALPHA).mean(), state

        return jax.value_and_grad(loss, has_aux=True)(params)

    (ours, state), gradients = gradients_of(variables["params"])
    theirs = keyclip_torch.training_loss(model, images, ALPHA)
    theirs.backward()
    assert theirs.item() == pytest.approx(float(ours), rel=1e-4)
    parameters, expected = dict(model.named_parameters()), to_torch(gradients)
    assert parameters.keys() == expected.keys()
    largest = max(np.abs(array).max() for array in expected.values())
    for name, array in expected.items():
        # Before a BatchNorm a bias has no gradient, which is rounding in PyTorch.
        atol = 5e-3 * max(np.abs(array).max(), 1e-2 * largest)
        np.testing.assert_allclose(parameters[name].grad, array, atol=atol, err_msg=name)
    buffers = dict(model.named_buffers())
    for name, array in to_torch(state["batch_stats"]).items():
        if not name.endswith("mean"):
            continue  # PyTorch keeps the unbiased variance
        mean = jnp.asarray(buffers[name].numpy())
        np.testing.assert_allclose(mean, array, rtol=1e-3, atol=1e-3, err_msg=name)


def test_pytorch_counts_the_same_arithmetic(pair, config):
    from torch.utils.flop_counter import FlopCounterMode

    _, (model, images) = pair
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(images)
    assert counter.get_total_flops() == keyclip.forward_flops(config)


def test_sides_step_and_score(config):
    (training,), (scoring,) = keyclip.training_peers(config), keyclip.scoring_peers(config)
    keyclip_torch.train_step(**training.arguments)()
    assert keyclip_torch.scoring(**scoring.arguments)()[0].shape == (BATCH, 3, *SIZE)
