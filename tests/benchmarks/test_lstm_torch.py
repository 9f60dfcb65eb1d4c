"""The peer computes what ours computes: the same loss and gradients from the same parameters and batch."""

import jax
import numpy as np
import pytest

from benchmarks import action_training
from benchmarks.action_batches import batches
from vid_jax.tasks.base import make_task

torch = pytest.importorskip(
    "torch", reason="PyTorch is not installed: pip install -r requirements-bench.txt"
)

from benchmarks.peers import lstm_torch  # noqa: E402 -- it imports torch


def test_loss_and_gradients_are_the_same():
    config = action_training.make_config({"model.hidden": 6, "train.batch_size": 4})
    task = make_task(config)
    batch = next(batches("shuffled", 4, (64, 128), 2, 45, number=8))
    params, state = task.init(jax.random.key(0), batch)

    @jax.jit
    @jax.value_and_grad
    def ours(params):
        return task.loss(params, state, batch, jax.random.key(1))[0]

    loss, gradient = ours(params)
    peer = lstm_torch.Recogniser(63, 6, 45)
    lstm, output = params["network"]["lstm_0"]["forwards"], params["network"]["output"]
    of_theirs = {
        "lstm.weight_ih_l0": lstm["kernel"].T,
        "lstm.weight_hh_l0": lstm["recurrent_kernel"].T,
        "lstm.bias_ih_l0": lstm["bias"],
        "lstm.bias_hh_l0": np.zeros(24),
        "output.weight": output["kernel"].T,
        "output.bias": output["bias"],
    }
    peer.load_state_dict({k: torch.tensor(np.array(v, np.float32)) for k, v in of_theirs.items()})
    x = lstm_torch.features(torch.from_numpy(batch["joints"]))
    length, action = (torch.from_numpy(batch[name]).long() for name in ("length", "action"))
    theirs = lstm_torch.training_loss(peer, x, length, action)
    assert theirs.item() == pytest.approx(float(loss), rel=1e-5)
    theirs.backward()
    found = gradient["network"]["lstm_0"]["forwards"]
    for name, wanted in (
        ("kernel", peer.lstm.weight_ih_l0.grad.T),
        ("recurrent_kernel", peer.lstm.weight_hh_l0.grad.T),
        ("bias", peer.lstm.bias_ih_l0.grad),
    ):
        np.testing.assert_allclose(found[name], wanted, atol=2e-6)
