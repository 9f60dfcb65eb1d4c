"""The key clips' autoencoder in PyTorch, from the published table: the peer that ours is measured beside.

As its users would write it for a CPU: channels-last, inference mode to score. The Gaussian windows of the loss are
products with band matrices, as ours: as convolutions they would take longer.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.alternation import visible_cores

_SLOPE = 0.01
_SIGMAS = (0.5, 1.0, 2.0, 4.0, 8.0)
_RADIUS = 16


class KeyClipAutoencoder(nn.Module):
    """Images (n, 3, height, width) in [-1, 1] and their reconstructions."""

    def __init__(self, widths: Sequence[int], latent_channels: int, input_norm: bool):
        super().__init__()
        first, second, third, fourth = widths
        self.encoder = nn.Sequential(
            nn.BatchNorm2d(3) if input_norm else nn.Identity(),
            *_block(nn.Conv2d(3, first, 3, padding=1)),
            *_block(nn.Conv2d(first, second, 3, padding=1)),
            *_block(nn.Conv2d(second, third, 4, 2, padding=1)),
            *_block(nn.Conv2d(third, fourth, 4, 2, padding=1)),
            nn.Conv2d(fourth, latent_channels, 4, 2, padding=1),
            nn.BatchNorm2d(latent_channels),
        )
        self.decoder = nn.Sequential(
            *_block(nn.ConvTranspose2d(latent_channels, fourth, 4, 2, padding=1)),
            *_block(nn.ConvTranspose2d(fourth, third, 4, 2, padding=1)),
            *_block(nn.ConvTranspose2d(third, second, 4, 2, padding=1)),
            *_block(nn.ConvTranspose2d(second, first, 3, padding=1)),
            nn.ConvTranspose2d(first, 3, 3, padding=1),
            nn.Tanh(),
        )

    def forward(self, image: Tensor) -> Tensor:
        return self.decoder(self.encoder(image))


def _block(convolution: nn.Module) -> tuple[nn.Module, ...]:
    norm = nn.BatchNorm2d(convolution.out_channels)
    return convolution, norm, nn.LeakyReLU(_SLOPE, inplace=True)


def training_loss(model: KeyClipAutoencoder, image: Tensor, alpha: float) -> Tensor:
    """alpha (1 - MS-SSIM) + (1 - alpha) L1, the mean over the batch."""
    return mixed_loss(image, model(image), alpha)


def mixed_loss(image: Tensor, reconstruction: Tensor, alpha: float) -> Tensor:
    """The same of a reconstruction."""
    rows, columns = _windows(image.shape[2]), _windows(image.shape[3])
    similarity = _ms_ssim(image, reconstruction, rows, columns)
    l1 = (image - reconstruction).abs().mean() / 2
    return alpha * (1 - similarity) + (1 - alpha) * l1


def _ms_ssim(x: Tensor, y: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    c1, c2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2

    def blur(images):  # (n, c, h, w) to (sigma, n * c, h, w)
        planes = images.contiguous(memory_format=torch.contiguous_format).flatten(0, 1)
        return rows[:, None] @ (planes @ columns[:, None].mT)

    mean_x, mean_y = blur(x), blur(y)
    squares, between = mean_x.square() + mean_y.square(), (mean_x - mean_y).square()
    luminance = 1 - between[-1] / (squares[-1] + c1)
    variances = blur(x.square() + y.square()) - squares
    contrast = 1 - (blur((x - y).square()) - between) / (variances + c2)
    return (luminance * contrast.clamp_min(0).prod(0)).mean()


def _windows(size: int) -> Tensor:
    """Matrices (sigma, size, size) of Gaussian windows over the image, mirrored with its outermost pixels repeated."""
    offsets = np.arange(-_RADIUS, _RADIUS + 1)
    padded = np.pad(np.eye(size), ((0, 0), (_RADIUS, _RADIUS)), mode="symmetric")
    matrices = []
    for sigma in _SIGMAS:
        window = np.exp(-0.5 * (offsets / sigma) ** 2)
        window /= window.sum()
        matrices.append([np.convolve(row, window, mode="valid") for row in padded])
    return torch.tensor(np.array(matrices), dtype=torch.float32).mT.contiguous()


def train_step(
    network: dict, shape: Sequence[int], alpha: float, learning_rate: float, momentum: float
) -> Callable[[], None]:
    """One training step on noise of `shape` (n, 3, height, width)."""
    model, image = _model_and_noise(network, shape)
    optimizer = torch.optim.SGD(model.parameters(), learning_rate, momentum)

    def run():
        optimizer.zero_grad()
        training_loss(model, image, alpha).backward()
        optimizer.step()

    return run


def scoring(
    network: dict, shape: Sequence[int], alpha: float
) -> Callable[[], tuple[Tensor, Tensor]]:
    """The reconstructions of a batch of noise of `shape`, and their loss."""
    model, image = _model_and_noise(network, shape)
    model.eval()

    @torch.inference_mode()
    def run():
        reconstruction = model(image)
        return reconstruction, mixed_loss(image, reconstruction, alpha)

    return run


def _model_and_noise(network: dict, shape: Sequence[int]) -> tuple[KeyClipAutoencoder, Tensor]:
    torch.set_num_threads(visible_cores())
    torch.manual_seed(0)
    model = KeyClipAutoencoder(**network).to(memory_format=torch.channels_last)
    image = torch.rand(tuple(shape)) * 2 - 1
    return model, image.to(memory_format=torch.channels_last)
