"""DeepPrior++ in PyTorch, from the published description: the peer that ours is measured beside.

As its users would write it for a CPU: channels-last, fused Adam, inference mode to score.
"""

import itertools
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F  # noqa: N812 -- as everyone calls it
from torch import Tensor, nn

from benchmarks.alternation import visible_cores

_HALVES = 16  # the crop's side over that of the last frame
_EPSILON = 1e-4


class DeepPriorPP(nn.Module):
    """Regresses a hand's pose from crops (n, 1, height, width)."""

    def __init__(
        self,
        outputs: int,
        widths: Sequence[int],
        blocks: int,
        layout: str,
        drop_rate: float,
        side: int,
    ):
        super().__init__()
        self.stem = nn.Conv2d(1, widths[0], 5, padding=2)
        self.stages = nn.Sequential(
            *(
                Bottleneck(inputs if block == 0 else width, width, layout)
                for inputs, width in itertools.pairwise(widths)
                for block in range(blocks)
            )
        )
        self.norm = nn.BatchNorm2d(widths[-1], _EPSILON)
        self.regressor = nn.Sequential(
            nn.Linear(widths[-1] * (side // _HALVES) ** 2, 1024),
            nn.ReLU(inplace=True),
            nn.Dropout(drop_rate),
            nn.Linear(1024, 1024),
            nn.ReLU(inplace=True),
            nn.Dropout(drop_rate),
            nn.Linear(1024, outputs),
        )

    def forward(self, depth: Tensor) -> Tensor:
        x = F.max_pool2d(self.stem(depth), 2)
        x = F.relu(self.norm(self.stages(x)), inplace=True)
        return self.regressor(x.flatten(1))


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions, each after BatchNorm and ReLU, added to the input or its projection."""

    def __init__(self, inputs: int, outputs: int, layout: str):
        super().__init__()
        inner = outputs // 4
        self.shared = layout == "shared_preactivation"
        self.projects = inputs != outputs
        strides = (1, 1) if not self.projects else (2, 1) if self.shared else (1, 2)
        self.norms = nn.ModuleList(nn.BatchNorm2d(n, _EPSILON) for n in (inputs, inner, inner))
        self.convs = nn.ModuleList(
            [
                nn.Conv2d(inputs, inner, 1, strides[0]),
                nn.Conv2d(inner, inner, 3, strides[1], padding=1),
                nn.Conv2d(inner, outputs, 1),
            ]
        )
        if self.projects:
            self.projection = nn.Conv2d(inputs, outputs, 1, 2)
            if not self.shared:
                self.projection_norm = nn.BatchNorm2d(inputs, _EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        skip, h = x, F.relu(self.norms[0](x), inplace=True)
        if self.projects:
            seen = h if self.shared else F.relu(self.projection_norm(x), inplace=True)
            skip = self.projection(seen)
        h = self.convs[0](h)
        for norm, conv in zip(self.norms[1:], self.convs[1:]):
            h = conv(F.relu(norm(h), inplace=True))
        return skip + h


def training_loss(model: DeepPriorPP, depth: Tensor, pose: Tensor) -> Tensor:
    """The mean over the batch of the squared distance to the poses (n, outputs)."""
    return (model(depth) - pose).square().sum(1).mean()


def train_step(
    network: dict, shape: Sequence[int], learning_rate: float, betas: tuple[float, float]
) -> Callable[[], None]:
    """One training step on noise of `shape` (n, 1, height, width)."""
    model, depth = _model_and_noise(network, shape)
    pose = torch.randn(len(depth), network["outputs"])
    optimizer = torch.optim.Adam(model.parameters(), learning_rate, betas, fused=True)

    def run():
        optimizer.zero_grad()
        training_loss(model, depth, pose).backward()
        optimizer.step()

    return run


def scoring(network: dict, shape: Sequence[int]) -> Callable[[], Tensor]:
    """The poses of a batch of noise of `shape`."""
    model, depth = _model_and_noise(network, shape)
    model.eval()

    @torch.inference_mode()
    def run():
        return model(depth)

    return run


def _model_and_noise(network: dict, shape: Sequence[int]) -> tuple[DeepPriorPP, Tensor]:
    torch.set_num_threads(visible_cores())
    torch.manual_seed(0)
    model = DeepPriorPP(**network).to(memory_format=torch.channels_last)
    return model, torch.rand(tuple(shape)) * 2 - 1
