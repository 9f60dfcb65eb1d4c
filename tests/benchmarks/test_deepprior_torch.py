"""The peer computes what ours computes: the same poses, gradients and statistics from the same parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import deepprior
from vid_jax.models.deep_prior_pp import LAYOUTS
from vid_jax.tasks.base import make_task

torch = pytest.importorskip(
    "torch", reason="PyTorch is not installed: pip install -r requirements-bench.txt"
)

from benchmarks.peers import deepprior_torch  # noqa: E402 -- it imports torch

SIDE, BATCH = 32, 4


@pytest.fixture(params=LAYOUTS)
def config(request):
    """Narrow, with one stage that keeps its size, and without dropout, whose draws differ."""
    sizes = {"data.crop_size": SIDE, "train.batch_size": BATCH}
    network = {"widths": (4, 8, 12, 16, 16), "blocks": 2, "drop_rate": 0.0, "layout": request.param}
    return deepprior.make_config("", sizes | {f"model.{k}": v for k, v in network.items()})


def torch_name(path: tuple[str, ...]) -> str:
    """What PyTorch calls a parameter or a statistic of ours."""
    names = {"scale": "weight", "kernel": "weight", "mean": "running_mean", "var": "running_var"}
    *modules, kind = path
    words = []
    for module in modules:
        start, _, number = module.rpartition("_")
        if start in ("conv", "norm"):
            words += [f"{start}s", str(int(number) - 1)]
        elif "block" in module:
            stage, block = int(module.split("_")[1]), int(number)
            words += ["stages", str(2 * (stage - 1) + block - 1)]
        else:
            words.append({"hidden_1": "0", "hidden_2": "3", "output": "6"}.get(module, module))
    return ".".join([*words, names.get(kind, kind)])


def to_torch(tree) -> dict[str, np.ndarray]:
    """Arrays by PyTorch's names and in its layout."""
    state = {}
    for path, array in jax.tree_util.tree_leaves_with_path(tree):
        path, array = tuple(key.key for key in path), np.asarray(array)
        if array.ndim == 4:
            array = array.transpose(3, 2, 0, 1)
        if path[-2:] == ("hidden_1", "kernel"):  # PyTorch flattens channels first
            frame = (SIDE // 16, SIDE // 16, -1, array.shape[-1])
            array = np.moveaxis(array.reshape(frame), 2, 0).reshape(array.shape)
        if array.ndim == 2:
            array = array.T
        state[torch_name(path)] = array
    return state


@pytest.fixture
def pair(config):
    """Ours as (trunk, variables, crops), and the peer as (model, crops) with the same numbers."""
    trunk = make_task(config).network.trunk
    rng = np.random.default_rng(0)
    depth = rng.uniform(-1, 1, (BATCH, SIDE, SIDE, 1)).astype(np.float32)
    variables = jax.jit(lambda key: trunk.init(key, depth, False))(jax.random.key(0))
    variables = jax.tree.map(
        lambda a: a + rng.uniform(0, 0.3, a.shape).astype(np.float32) if a.ndim == 1 else a,
        variables,
    )
    model = deepprior_torch.DeepPriorPP(**deepprior.torch_network(config))
    state = to_torch(variables["params"]) | to_torch(variables["batch_stats"])
    missing, unexpected = model.load_state_dict(
        {name: torch.tensor(array.copy()) for name, array in state.items()}, strict=False
    )
    assert not unexpected
    assert all(name.endswith("num_batches_tracked") for name in missing)
    model = model.to(memory_format=torch.channels_last)
    return (trunk, variables, depth), (model, torch.tensor(depth.transpose(0, 3, 1, 2)))


def test_scored_poses_agree(pair):
    (trunk, variables, depth), (model, crops) = pair
    ours = jax.jit(lambda variables: trunk.apply(variables, depth, False))(variables)
    with torch.inference_mode():
        theirs = model.eval()(crops).numpy()
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4 * np.abs(theirs).max())


def test_loss_gradients_and_statistics_agree(pair):
    (trunk, variables, depth), (model, crops) = pair
    pose = np.random.default_rng(1).normal(size=(BATCH, trunk.outputs)).astype(np.float32)

    @jax.jit
    def gradients_of(params):
        def loss(params):
            stats = variables["batch_stats"]
            out, state = trunk.apply(
                {"params": params, "batch_stats": stats}, depth, True, mutable=["batch_stats"]
            )
            return jnp.square(out - pose).sum(1).mean(), state

        return jax.value_and_grad(loss, has_aux=True)(params)

    (ours, state), gradients = gradients_of(variables["params"])
    theirs = deepprior_torch.training_loss(model, crops, torch.tensor(pose))
    theirs.backward()
    assert theirs.item() == pytest.approx(float(ours), rel=1e-4)
    parameters, expected = dict(model.named_parameters()), to_torch(gradients)
    assert parameters.keys() == expected.keys()
    largest = max(np.abs(array).max() for array in expected.values())
    for name, array in expected.items():
        # Before a BatchNorm a bias has no gradient, which is rounding in PyTorch.
        atol = 2e-3 * max(np.abs(array).max(), 1e-3 * largest)
        np.testing.assert_allclose(parameters[name].grad, array, atol=atol, err_msg=name)
    buffers = dict(model.named_buffers())
    for name, array in to_torch(state["batch_stats"]).items():
        if name.endswith("mean"):  # PyTorch keeps the unbiased variance
            np.testing.assert_allclose(buffers[name], array, rtol=1e-3, atol=1e-3, err_msg=name)


def test_pytorch_counts_the_same_arithmetic(pair, config):
    from torch.utils.flop_counter import FlopCounterMode

    _, (model, crops) = pair
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(crops)
    assert counter.get_total_flops() == deepprior.forward_flops(config)


def test_sides_step_and_score(config):
    (training,), (scoring,) = deepprior.training_peers(config), deepprior.scoring_peers(config)
    deepprior_torch.train_step(**training.arguments)()
    assert deepprior_torch.scoring(**scoring.arguments)().shape == (BATCH, 30)
