"""PredNet in PyTorch, from the published equations: the peer that ours is measured beside.

As its users would write it for a CPU: channels-last, the four gates as one convolution, fused Adam, inference mode
to score.
"""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F  # noqa: N812 -- as everyone calls it
from torch import Tensor, nn

from benchmarks.alternation import visible_cores


class PredNet(nn.Module):
    """Predicts each frame of video (n, time, channel, height, width) from those before it."""

    def __init__(
        self,
        stack_sizes: Sequence[int],
        R_stack_sizes: Sequence[int],  # noqa: N803 -- the paper's names
        A_filter_sizes: Sequence[int],  # noqa: N803
        Ahat_filter_sizes: Sequence[int],  # noqa: N803
        R_filter_sizes: Sequence[int],  # noqa: N803
    ):
        super().__init__()
        self.sizes, self.R_sizes = stack_sizes, R_stack_sizes

        def conv(inputs: int, outputs: int, size: int) -> nn.Conv2d:
            return nn.Conv2d(inputs, outputs, size, padding="same")

        above = [*R_stack_sizes[1:], 0]
        self.R = nn.ModuleList(
            conv(2 * a + r + up, 4 * r, k)
            for a, r, up, k in zip(stack_sizes, R_stack_sizes, above, R_filter_sizes)
        )
        self.Ahat = nn.ModuleList(map(conv, R_stack_sizes, stack_sizes, Ahat_filter_sizes))
        self.A = nn.ModuleList(
            conv(2 * a, b, k) for a, b, k in zip(stack_sizes, stack_sizes[1:], A_filter_sizes)
        )

    def forward(self, video: Tensor) -> tuple[Tensor, Tensor]:
        """Predictions, as the video, and the mean of each layer's error (n, time, layers)."""
        n, _, _, height, width = video.shape
        layers = range(len(self.sizes))

        def zeros(layer: int, channels: int) -> Tensor:
            size = (n, channels, height >> layer, width >> layer)
            return video.new_zeros(size).contiguous(memory_format=torch.channels_last)

        R = [zeros(layer, self.R_sizes[layer]) for layer in layers]
        C = [zeros(layer, self.R_sizes[layer]) for layer in layers]
        E = [zeros(layer, 2 * self.sizes[layer]) for layer in layers]
        predictions, errors = [], []
        for frame in video.unbind(1):
            for layer in reversed(layers):
                inputs = [R[layer], E[layer]]
                if layer < layers[-1]:
                    inputs.append(F.interpolate(R[layer + 1], scale_factor=2))
                i, f, o, g = self.R[layer](torch.cat(inputs, 1)).chunk(4, 1)
                C[layer] = _hard_sigmoid(f) * C[layer] + _hard_sigmoid(i) * torch.tanh(g)
                R[layer] = _hard_sigmoid(o) * torch.tanh(C[layer])
            target = frame
            for layer in layers:
                prediction = F.relu(self.Ahat[layer](R[layer]))
                if layer == 0:
                    prediction = prediction.clamp(max=1)
                    predictions.append(prediction)
                E[layer] = torch.cat([F.relu(prediction - target), F.relu(target - prediction)], 1)
                if layer < layers[-1]:
                    target = F.max_pool2d(F.relu(self.A[layer](E[layer])), 2)
            errors.append(torch.stack([e.mean((1, 2, 3)) for e in E], -1))
        return torch.stack(predictions, 1), torch.stack(errors, 1)


def training_loss(
    model: PredNet, video: Tensor, layer_weights: Sequence[float], time_weights: Sequence[float]
) -> Tensor:
    """The mean over the batch of the errors' sum over time and layers with these weights."""
    _, errors = model(video)
    weights = torch.tensor(time_weights)[:, None] * torch.tensor(layer_weights)
    return (errors * weights).sum((1, 2)).mean()


def train_step(
    network: dict,
    shape: Sequence[int],
    layer_weights: Sequence[float],
    time_weights: Sequence[float],
    learning_rate: float,
    betas: tuple[float, float],
) -> Callable[[], None]:
    """One training step on a batch of noise of `shape` (n, time, channel, height, width)."""
    model, video = _model_and_noise(network, shape)
    optimizer = torch.optim.Adam(model.parameters(), learning_rate, betas, fused=True)

    def run():
        optimizer.zero_grad()
        training_loss(model, video.float() / 255, layer_weights, time_weights).backward()
        optimizer.step()

    return run


def scoring(network: dict, shape: Sequence[int]) -> Callable[[], Tensor]:
    """The mean squared error of every frame of a batch of noise of `shape`."""
    model, video = _model_and_noise(network, shape)

    @torch.inference_mode()
    def run():
        frames = video.float() / 255
        predictions, _ = model(frames)
        return (predictions - frames).square().mean((2, 3, 4))

    return run


def _hard_sigmoid(x: Tensor) -> Tensor:
    return (0.2 * x + 0.5).clamp(0, 1)


def _model_and_noise(network: dict, shape: Sequence[int]) -> tuple[PredNet, Tensor]:
    torch.set_num_threads(visible_cores())
    torch.manual_seed(0)
    model = PredNet(**network).to(memory_format=torch.channels_last)
    return model, torch.randint(0, 256, tuple(shape), dtype=torch.uint8)
