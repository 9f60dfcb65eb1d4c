"""The peer computes what ours computes: the same outputs, loss and gradients from the same parameters."""

import jax
import numpy as np
import pytest

from benchmarks import prednet
from vid_jax.tasks.base import make_task

torch = pytest.importorskip(
    "torch", reason="PyTorch is not installed: pip install -r requirements-bench.txt"
)

from benchmarks.peers import prednet_torch  # noqa: E402 -- it imports torch

NETWORKS = {
    "narrow": {
        "model.stack_sizes": (6, 8),
        "model.R_stack_sizes": (4, 7, 5),
        "model.A_filter_sizes": (5, 3),
        "model.Ahat_filter_sizes": (3, 5, 3),
        "model.R_filter_sizes": (5, 3, 5),
    },
    "wide": {  # enough channels for what CPU does with them
        "model.stack_sizes": (32, 16),
        "model.R_stack_sizes": (4, 34, 40),
        "model.A_filter_sizes": (3, 3),
        "model.Ahat_filter_sizes": (3, 3, 3),
        "model.R_filter_sizes": (3, 3, 3),
    },
}


@pytest.fixture(params=NETWORKS)
def config(request):
    """Three layers, all of them in the loss."""
    sizes = {"data.num_frames": 4, "data.frame_size": (16, 24), "train.batch_size": 3}
    weights = {"train.layer_loss_weights": (1.0, 0.1, 0.2)}
    return prednet.make_config("", NETWORKS[request.param] | sizes | weights)


def to_torch(params) -> dict[str, np.ndarray]:
    """Flax's parameters, or their gradients, by PyTorch's names and in its layout."""
    state = {}
    for name, array in params.items():
        convolution, kind = name.split("_")
        key = f"{convolution[:-1]}.{convolution[-1]}"
        if kind == "kernel":
            state[f"{key}.weight"] = np.asarray(array).transpose(3, 2, 0, 1)
        else:
            state[f"{key}.bias"] = np.asarray(array)
    return state


@pytest.fixture
def pair(config):
    """Ours as (task, params, batch), and the peer as (model, video) with the same parameters."""
    task = make_task(config)
    rng = np.random.default_rng(0)
    video = rng.integers(0, 256, (3, 4, 16, 24, 3), np.uint8)
    params, _ = jax.jit(task.init)(jax.random.key(0), {"video": video})
    params = {
        name: array + rng.normal(scale=0.2, size=array.shape).astype(np.float32)
        if name.endswith("bias")
        else array
        for name, array in params.items()
    }
    model = prednet_torch.PredNet(**prednet.torch_network(config))
    model.load_state_dict({k: torch.tensor(v.copy()) for k, v in to_torch(params).items()})
    model = model.to(memory_format=torch.channels_last)
    batch = {"video": video, "mask": np.ones(3, np.float32)}
    channels_first = torch.tensor(np.moveaxis(video, -1, 2))
    return (task, params, batch), (model, channels_first.float() / 255)


def test_predictions_and_errors_agree(pair):
    (task, params, batch), (model, video) = pair
    frames = batch["video"].astype(np.float32) / 255
    outputs = "prediction", "error"
    ours = jax.jit(lambda params: task.network.apply({"params": params}, frames, outputs))(params)
    with torch.inference_mode():
        prediction, error = model(video)
    np.testing.assert_allclose(
        np.moveaxis(prediction.numpy(), 2, -1), ours["prediction"], atol=1e-5
    )
    np.testing.assert_allclose(error, ours["error"], atol=1e-5)
    assert 0.1 < float((ours["prediction"] > 0).mean()) < 0.95


def test_loss_and_gradients_agree(pair):
    (task, params, batch), (model, video) = pair
    gradient = jax.jit(jax.value_and_grad(task.loss, has_aux=True))
    (ours, _), gradients = gradient(params, {}, batch, jax.random.key(1))
    theirs = prednet_torch.training_loss(
        model, video, task.layer_loss_weights, task.time_loss_weights
    )
    theirs.backward()
    assert theirs.item() == pytest.approx(float(ours), rel=1e-5)
    parameters = dict(model.named_parameters())
    expected = to_torch(gradients)
    assert parameters.keys() == expected.keys()
    for name, array in expected.items():
        assert np.abs(array).max() > 0, name
        atol = 1e-4 * np.abs(array).max()
        np.testing.assert_allclose(parameters[name].grad, array, atol=atol, err_msg=name)


def test_pytorch_counts_the_same_arithmetic(pair, config):
    from torch.utils.flop_counter import FlopCounterMode

    _, (model, video) = pair
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(video)
    assert counter.get_total_flops() == prednet.forward_flops(config)


def test_sides_step_and_score(config):
    (training,), (scoring,) = prednet.training_peers(config), prednet.scoring_peers(config)
    prednet_torch.train_step(**training.arguments)()
    assert prednet_torch.scoring(**scoring.arguments)().shape == (3, 4)
