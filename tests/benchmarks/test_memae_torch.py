"""The peer computes what ours computes: the same outputs, loss and gradients from the same parameters."""

import jax
import numpy as np
import pytest

from benchmarks import memae
from vid_jax.tasks.base import make_task

torch = pytest.importorskip(
    "torch", reason="PyTorch is not installed: pip install -r requirements-bench.txt"
)

from benchmarks.peers import memae_torch  # noqa: E402 -- it imports torch


@pytest.fixture(params=[("cosine", 2), ("dot", 1)])
def config(request):
    """A narrow network whose memory drops some slots of every query and keeps others."""
    addressing, last_stride = request.param
    return memae.make_config(
        "",
        {
            "model.channels": (6, 8, 10, 12),
            "model.memory_slots": 20,
            "model.strides": ((1, 2, 2), (2, 2, 2), (2, 2, 2), (2, last_stride, last_stride)),
            "model.memory_addressing": addressing,
            "model.memory_temperature": 0.5,
            "model.shrink_threshold": 0.05,
            "data.num_frames": 8,
            "data.frame_size": (32, 16),
            "train.batch_size": 3,
            "train.entropy_weight": 0.1,
        },
    )


def to_torch(params) -> dict[str, np.ndarray]:
    """Flax's parameters, or their gradients, by PyTorch's names and in its layout."""

    def conv(layer, prefix, transposed):
        kernel = np.asarray(layer["kernel"]).transpose(4, 3, 0, 1, 2)
        if transposed:  # PyTorch's taps run the other way
            kernel = np.flip(kernel, (2, 3, 4)).swapaxes(0, 1)
        return {f"{prefix}.weight": kernel, f"{prefix}.bias": layer["bias"]}

    state = {"memory.slots": params["memory"]["slots"]}
    for part, blocks in (("encoder", 4), ("decoder", 3)):
        for i in range(blocks):
            block = params[f"{part}_{i}"]
            state |= conv(block["conv"], f"{part}.{i}.0", part == "decoder")
            state[f"{part}.{i}.1.weight"] = block["BatchNorm_0"]["scale"]
            state[f"{part}.{i}.1.bias"] = block["BatchNorm_0"]["bias"]
    return state | conv(params["output"], "decoder.3", transposed=True)


@pytest.fixture
def pair(config):
    """Ours as (task, params, model_state, batch), and the peer as (model, video) with the same parameters."""
    task = make_task(config)
    video = np.random.default_rng(0).integers(0, 256, (3, 8, 32, 16, 1), np.uint8)
    params, model_state = jax.jit(task.init)(jax.random.key(0), {"video": video})
    batch = {"video": video, "mask": np.ones(3, np.float32)}
    model = memae_torch.MemAE(**memae.torch_network(config))
    tensors = {name: torch.tensor(np.array(array)) for name, array in to_torch(params).items()}
    missing, unexpected = model.load_state_dict(tensors, strict=False)
    assert not unexpected
    assert all("running" in name or "num_batches" in name for name in missing)
    model = model.to(memory_format=torch.channels_last_3d)
    channels_first = torch.tensor(np.moveaxis(video, -1, 1))
    standardised = memae_torch.standardise(channels_first, config.data.mean, config.data.std)
    return (task, params, model_state, batch), (model, standardised)


def test_scores_agree(pair):
    (task, params, model_state, batch), (model, video) = pair
    _, outputs = jax.jit(task.eval_step)(params, model_state, batch)
    with torch.inference_mode():
        scores = memae_torch.window_scores(model.eval(), video)
    np.testing.assert_allclose(scores, outputs["score"], rtol=1e-4)


def test_loss_and_gradients_agree(pair, config):
    (task, params, model_state, batch), (model, video) = pair
    gradient = jax.jit(jax.value_and_grad(task.loss, has_aux=True))
    (ours, (_, metrics)), gradients = gradient(params, model_state, batch, jax.random.key(1))
    assert float(metrics["entropy"][0]) > 0
    theirs = memae_torch.training_loss(model, video, config.train.entropy_weight)
    theirs.backward()
    assert theirs.item() == pytest.approx(float(ours), rel=1e-5)
    parameters = dict(model.named_parameters())
    for name, expected in to_torch(gradients).items():
        atol = 1e-4 * max(np.abs(expected).max(), 1e-2)  # biases before BatchNorm have none
        np.testing.assert_allclose(parameters[name].grad, expected, atol=atol, err_msg=name)


def test_memory_keeps_some_slots_and_drops_others(pair):
    _, (model, video) = pair
    with torch.inference_mode():
        _, weights = model.eval()(video)
    kept = (weights > 0).sum(-1)
    assert kept.min() > 0
    assert kept.max() < weights.shape[-1]


def test_autocast_is_close(pair, config):
    _, (model, video) = pair
    with torch.no_grad():
        exact, rough = (
            memae_torch.training_loss(model, video, config.train.entropy_weight, autocast)
            for autocast in (False, True)
        )
    assert rough.dtype == torch.float32
    assert rough.item() == pytest.approx(exact.item(), rel=0.05)


def test_pytorch_counts_the_same_arithmetic(pair, config):
    from torch.utils.flop_counter import FlopCounterMode

    _, (model, video) = pair
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(video)
    assert counter.get_total_flops() == memae.forward_flops(config)


def test_sides_step_and_score(config):
    (training,), (scoring,) = memae.training_peers(config), memae.scoring_peers(config)
    memae_torch.train_step(**training.arguments)()
    assert memae_torch.scoring(**scoring.arguments)().shape == (3,)
