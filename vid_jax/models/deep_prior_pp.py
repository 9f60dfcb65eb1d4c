"""DeepPrior++: a residual network that regresses the pose of a hand from a crop of a depth map.

Oberweger and Lepetit, "DeepPrior++: Improving Fast and Accurate 3D Hand Pose Estimation", ICCV Workshops 2017.
"""

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from vid_jax.models.batch_norm import BatchNormReLU
from vid_jax.models.conv2d_layers import Conv2D
from vid_jax.models.deep_prior import PUBLISHED, Initialisation, Regressor

_EPSILON = 1e-4  # of the variances

_uniform = nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")
_PYTORCH = Initialisation(  # PyTorch's, with He's of the outputs for convolutions
    convolution=nn.initializers.variance_scaling(2.0, "fan_out", "normal"),
    hidden=_uniform,
    output=_uniform,
    bias=lambda inputs: _uniform_within(inputs**-0.5),
)
LAYOUTS = {"shared_preactivation": PUBLISHED, "separate_skip": _PYTORCH}


class DeepPriorPP(nn.Module):
    """A 5x5 convolution, four stages of bottleneck blocks, and two fully connected layers.

    Attributes:
        outputs: coordinates of the prior, or of the joints where there is none.
        widths: channels of the first convolution and of each stage. Pooling and every stage that changes the number of
            channels halve height and width.
        blocks: of each stage.
        layout: of the blocks that change the number of channels. "shared_preactivation", the published one: branch and
            projection share the first normalisation, and the branch's first 1x1 convolution has the stride.
            "separate_skip", of later implementations: the projection has a normalisation of its own, and the branch's
            3x3 convolution has the stride. The parameters start as in those.
        drop_rate: of the fully connected layers.
        batch_norm_momentum: of the running statistics.
        dtype: of the computation; statistics and output are float32.
    """

    outputs: int = 30
    widths: Sequence[int] = (32, 64, 128, 256, 256)
    blocks: int = 5
    layout: str = "shared_preactivation"
    drop_rate: float = 0.3
    batch_norm_momentum: float = 0.9
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(
        self, depth: Float[Array, "batch height width 1"], train: bool
    ) -> Float[Array, "batch outputs"]:
        """The pose of each crop, whose depth is in [-1, 1].

        Raises:
            ValueError: there is no such layout, or height and width cannot be halved as often (128 can be).
        """
        if self.layout not in LAYOUTS:
            raise ValueError(f"layout {self.layout!r} is unknown; use one of {', '.join(LAYOUTS)}")
        halvings = 1 + sum(a != b for a, b in itertools.pairwise(self.widths))
        if any(size % 2**halvings for size in depth.shape[1:3]):
            raise ValueError(
                f"a crop of {depth.shape[1]}x{depth.shape[2]} cannot be halved {halvings} times; use multiples of "
                f"{2**halvings}, such as {max(128, 2**halvings)}"
            )
        start = LAYOUTS[self.layout]
        layers = _Layers(
            functools.partial(
                Conv2D, kernel_init=start.convolution, bias_init=start.bias, dtype=self.dtype
            ),
            functools.partial(
                BatchNormReLU,
                use_running_average=not train,
                momentum=self.batch_norm_momentum,
                epsilon=_EPSILON,
            ),
        )
        stem = layers.conv(self.widths[0], 5, padding=2, pooled=True, name="stem")
        x = stem(depth.astype(self.dtype))
        for stage, width in enumerate(self.widths[1:], start=1):
            for block in range(1, self.blocks + 1):
                x = Bottleneck(width, self.layout, layers, name=f"stage_{stage}_block_{block}")(x)
        x = layers.norm(name="norm")(x)
        regressor = Regressor(self.outputs, self.drop_rate, start, self.dtype, name="regressor")
        return regressor(x.reshape(len(x), -1), train)


class _Layers(NamedTuple):
    conv: Callable[..., Conv2D]
    norm: Callable[..., BatchNormReLU]


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions, each after BatchNorm and ReLU, added to the input.

    Where the number of channels changes, height and width are halved, and it is added to a projection of the input.

    Attributes:
        features: channels of the output; the 3x3 convolution has a quarter of them.
        layout: see `DeepPriorPP`.
        layers: what it is made of.
    """

    features: int
    layout: str
    layers: _Layers

    @nn.compact
    def __call__(self, x: Float[Array, "batch h w in"]) -> Float[Array, "batch h2 w2 features"]:
        conv, norm = self.layers
        strides, skip = (1, 1), x
        h = norm(name="norm_1")(x)
        if x.shape[-1] != self.features:
            shared = self.layout == "shared_preactivation"
            strides = (2, 1) if shared else (1, 2)
            seen = h if shared else norm(name="projection_norm")(x)
            skip = conv(self.features, 1, 2, name="projection")(seen)
        h = conv(self.features // 4, 1, strides[0], bias_apart=True, name="conv_1")(h)
        h = norm(name="norm_2")(*h)
        h = conv(self.features // 4, 3, strides[1], padding=1, bias_apart=True, name="conv_2")(h)
        h = norm(name="norm_3")(*h)
        return skip + conv(self.features, 1, name="conv_3")(h)


def _uniform_within(bound: float) -> nn.initializers.Initializer:
    return lambda key, shape, dtype=jnp.float32: jax.random.uniform(
        key, shape, dtype, -bound, bound
    )
