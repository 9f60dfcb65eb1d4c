"""MemAE in PyTorch, from the published layer table: the peer that ours is measured beside.

As its users would write it for a CPU: channels-last, fused Adam, autocast for bfloat16, inference mode to score.
"""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F  # noqa: N812 -- as everyone calls it
from torch import Tensor, nn

from benchmarks.alternation import visible_cores


class Memory(nn.Module):
    """Reads each position as a sparse convex combination of learned slots, in float32."""

    def __init__(
        self, slots: int, dim: int, addressing: str, temperature: float, shrink_threshold: float
    ):
        super().__init__()
        self.slots = nn.Parameter(torch.empty(slots, dim).uniform_(-(dim**-0.5), dim**-0.5))
        self.addressing = addressing
        self.temperature = temperature
        self.shrink_threshold = shrink_threshold

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(n, dim, t, h, w) -> the same, and the weights (n, t, h, w, slots)."""
        with torch.autocast(x.device.type, enabled=False):
            queries = x.float().movedim(1, -1)
            if self.addressing == "cosine":
                slots = F.normalize(self.slots, dim=-1)
                logits = F.normalize(queries, dim=-1) @ slots.T / self.temperature
            else:
                logits = queries @ self.slots.T
            weights = F.threshold(logits.softmax(-1), self.shrink_threshold, 0.0)
            weights = F.normalize(weights, p=1.0, dim=-1)
            return (weights @ self.slots).movedim(-1, 1), weights


class MemAE(nn.Module):
    """Encoder, memory, decoder of video (n, channel, time, height, width)."""

    def __init__(
        self,
        in_channels: int,
        channels: Sequence[int],
        strides: Sequence[Sequence[int]],
        slots: int,
        addressing: str,
        temperature: float,
        shrink_threshold: float,
    ):
        super().__init__()
        widths = [in_channels, *channels]
        steps = list(zip(widths, widths[1:], map(tuple, strides)))
        self.encoder = nn.Sequential(
            *(_block(nn.Conv3d(i, o, 3, stride, padding=1)) for i, o, stride in steps)
        )
        self.memory = Memory(slots, widths[-1], addressing, temperature, shrink_threshold)
        up = [
            nn.ConvTranspose3d(o, i, 3, s, padding=1, output_padding=[n - 1 for n in s])
            for i, o, s in reversed(steps)
        ]
        self.decoder = nn.Sequential(*map(_block, up[:-1]), up[-1])

    def forward(self, video: Tensor) -> tuple[Tensor, Tensor]:
        """The reconstruction and the memory weights, float32."""
        latent, weights = self.memory(self.encoder(video))
        return self.decoder(latent).float(), weights


def standardise(video: Tensor, mean: float, std: float) -> Tensor:
    """uint8 intensities as the network sees them."""
    return (video.float() / 255 - mean) / std


def training_loss(
    model: MemAE, video: Tensor, entropy_weight: float, autocast: bool = False
) -> Tensor:
    """Squared error plus `entropy_weight` times the entropy of the memory weights."""
    with torch.autocast(video.device.type, torch.bfloat16, enabled=autocast):
        reconstruction, weights = model(video)
    entropy = -(weights * torch.log(weights + 1e-12)).sum(-1).mean()
    return F.mse_loss(reconstruction, video) + entropy_weight * entropy


def window_scores(model: MemAE, video: Tensor) -> Tensor:
    """The mean of each window's absolute error (its length over the channels)."""
    reconstruction, _ = model(video)
    return torch.linalg.vector_norm(reconstruction - video, dim=1).mean((1, 2, 3))


def train_step(
    network: dict,
    shape: Sequence[int],
    mean: float,
    std: float,
    entropy_weight: float,
    learning_rate: float,
    betas: tuple[float, float],
    autocast: bool,
) -> Callable[[], None]:
    """One training step on a batch of noise of `shape` (n, channel, time, height, width)."""
    model, video = _model_and_noise(network, shape)
    optimizer = torch.optim.Adam(model.parameters(), learning_rate, betas, fused=True)

    def run():
        optimizer.zero_grad()
        training_loss(model, standardise(video, mean, std), entropy_weight, autocast).backward()
        optimizer.step()

    return run


def scoring(network: dict, shape: Sequence[int], mean: float, std: float) -> Callable[[], Tensor]:
    """The scores of a batch of noise of `shape` (n, channel, time, height, width)."""
    model, video = _model_and_noise(network, shape)
    model.eval()

    @torch.inference_mode()
    def run():
        return window_scores(model, standardise(video, mean, std))

    return run


def _block(layer: nn.Module) -> nn.Sequential:
    return nn.Sequential(layer, nn.BatchNorm3d(layer.out_channels), nn.LeakyReLU(0.2, inplace=True))


def _model_and_noise(network: dict, shape: Sequence[int]) -> tuple[MemAE, Tensor]:
    torch.set_num_threads(visible_cores())
    torch.manual_seed(0)
    model = MemAE(**network).to(memory_format=torch.channels_last_3d)
    video = torch.randint(0, 256, tuple(shape), dtype=torch.uint8)
    return model, video.to(memory_format=torch.channels_last_3d)
