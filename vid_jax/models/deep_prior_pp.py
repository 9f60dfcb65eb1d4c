"""DeepPrior++: a residual network that regresses the pose of a hand from a crop of a depth map.

Oberweger and Lepetit, "DeepPrior++: Improving Fast and Accurate 3D Hand Pose Estimation", ICCV Workshops 2017.
"""

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from vid_jax.models.batch_norm import BatchNormReLU
from vid_jax.models.conv2d_layers import Conv2D
from vid_jax.models.deep_prior import PUBLISHED, Initialisation, Regressor
from vid_jax.models.film import ConditionedImage, FiLM, uniform_within

_EPSILON = 1e-4  # of the variances

_uniform = nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")
_PYTORCH = Initialisation(  # PyTorch's, with He's of the outputs for convolutions
    convolution=nn.initializers.variance_scaling(2.0, "fan_out", "normal"),
    hidden=_uniform,
    output=_uniform,
    bias=lambda inputs: uniform_within(inputs**-0.5),
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
        film: where it is conditioned on an action, of `vid_jax.models.film.PLACEMENTS`. "residual": FiLM of the input
            of every block, of branch and skip, whose branch's normalisations have no scale and bias of their own; one
            for the first block of a stage and one that the others share.
        film_identity: see `FiLM`.
        frozen_norm: normalises with the running statistics in training too, and leaves them as they are.
    """

    outputs: int = 30
    widths: Sequence[int] = (32, 64, 128, 256, 256)
    blocks: int = 5
    layout: str = "shared_preactivation"
    drop_rate: float = 0.3
    batch_norm_momentum: float = 0.9
    dtype: jnp.dtype = jnp.float32
    film: Sequence[str] = ()
    film_identity: bool = True
    frozen_norm: bool = False

    @nn.compact
    def __call__(
        self,
        depth: Float[Array, "batch height width 1"],
        train: bool,
        action: Float[Array, "batch classes"] | None = None,
        mask: Float[Array, " batch"] | None = None,
    ) -> Float[Array, "batch outputs"]:
        """The pose of each crop, whose depth is in [-1, 1].

        Args:
            action: weights of the classes, wanted where `film` names a placement and else unused.
            mask: 1 for each crop that counts in the batch's statistics; all do by default.

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
                use_running_average=self.frozen_norm or not train,
                momentum=self.batch_norm_momentum,
                epsilon=_EPSILON,
            ),
        )
        if self.film:
            depth = ConditionedImage(self.film, self.film_identity, name="image")(depth, action)
        alone = depth.shape[-1] == 1
        stem = layers.conv(self.widths[0], 5, padding=2, pooled=alone, name="stem")
        x = stem(depth.astype(self.dtype))
        x = x if alone else nn.max_pool(x, (2, 2), (2, 2))
        modulated = "residual" in self.film
        for stage, width in enumerate(self.widths[1:], start=1):
            first = FiLM(self.film_identity, name=f"stage_{stage}_film_first")
            rest = FiLM(self.film_identity, name=f"stage_{stage}_film_rest")
            for block in range(1, self.blocks + 1):
                if modulated:
                    x = (first if block == 1 else rest)(x, action)
                name = f"stage_{stage}_block_{block}"
                x = Bottleneck(width, self.layout, layers, not modulated, name=name)(x, mask)
        x = layers.norm(name="norm")(x, mask=mask)
        regressor = Regressor(
            self.outputs,
            self.drop_rate,
            start,
            self.dtype,
            self.film,
            self.film_identity,
            name="regressor",
        )
        return regressor(x.reshape(len(x), -1), train, action)


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
        affine: the normalisations of the branch have scale and bias.
    """

    features: int
    layout: str
    layers: _Layers
    affine: bool = True

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch h w in"], mask: Float[Array, " batch"] | None = None
    ) -> Float[Array, "batch h2 w2 features"]:
        """Of batch statistics of the examples whose mask is 1; of all by default."""
        conv, norm = self.layers

        def branch_norm(number, h, bias=0.0):
            return norm(affine=self.affine, name=f"norm_{number}")(h, bias, mask)

        strides, skip = (1, 1), x
        h = branch_norm(1, x)
        if x.shape[-1] != self.features:
            shared = self.layout == "shared_preactivation"
            strides = (2, 1) if shared else (1, 2)
            seen = h if shared else norm(name="projection_norm")(x, mask=mask)
            skip = conv(self.features, 1, 2, name="projection")(seen)
        h = conv(self.features // 4, 1, strides[0], bias_apart=True, name="conv_1")(h)
        h = branch_norm(2, *h)
        h = conv(self.features // 4, 3, strides[1], padding=1, bias_apart=True, name="conv_2")(h)
        h = branch_norm(3, *h)
        return skip + conv(self.features, 1, name="conv_3")(h)
