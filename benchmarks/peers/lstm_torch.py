"""The LSTM of actions in PyTorch, on packed sequences: the peer that ours is measured beside.

As its users would write it for a CPU: sequences are packed, so that padding costs nothing, and Adam is fused.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812 -- as everyone calls it
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from benchmarks.action_batches import batches
from benchmarks.alternation import visible_cores

_MIDDLE_MCP = 3
_UNIT = 100.0  # mm


class Recogniser(nn.Module):
    """Recognises actions by the state after the last frame of features (n, time, inputs)."""

    def __init__(self, inputs: int, hidden: int, classes: int):
        super().__init__()
        self.lstm = nn.LSTM(inputs, hidden, batch_first=True)
        self.output = nn.Linear(hidden, classes)

    def forward(self, x: Tensor, length: Tensor) -> Tensor:
        packed = pack_padded_sequence(x, length, batch_first=True, enforce_sorted=False)
        _, (state, _) = self.lstm(packed)
        return self.output(state[0])


def features(joints: Tensor) -> Tensor:
    """Joints (n, time, 21, 3) in mm from the middle finger's MCP, as 63 numbers."""
    return ((joints - joints[:, :, _MIDDLE_MCP, None]) / _UNIT).flatten(2)


def training_loss(model: Recogniser, x: Tensor, length: Tensor, action: Tensor) -> Tensor:
    """The mean cross entropy."""
    return F.cross_entropy(model(x, length), action)


def training_epoch(hidden: int, learning_rate: float, dealt: dict) -> Callable[[], None]:
    """The training steps of an epoch of `action_batches.batches`, whose features are there already."""
    torch.set_num_threads(visible_cores())
    torch.manual_seed(0)
    epoch = [
        (
            features(torch.from_numpy(batch["joints"])),
            torch.from_numpy(batch["length"]).long(),
            torch.from_numpy(batch["action"]).long(),
        )
        for batch in batches(**dealt)
    ]
    model = Recogniser(epoch[0][0].shape[-1], hidden, dealt["classes"])
    optimizer = torch.optim.Adam(model.parameters(), learning_rate, amsgrad=True, fused=True)

    def run():
        for batch in epoch:
            optimizer.zero_grad()
            training_loss(model, *batch).backward()
            optimizer.step()

    return run
