"""DeepPrior, and what it shares with the networks after it: fully connected layers and the prior over poses.

Oberweger, Wohlhart and Lepetit, "Hands Deep in Deep Learning for Hand Pose Estimation", CVWW 2015.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from vid_jax.models.conv2d_layers import Conv2D
from vid_jax.models.film import ConditionedImage, FiLM

_FILTERS = 8
_HIDDEN = 1024


class Initialisation(NamedTuple):
    """How a network starts; `bias` takes the number of inputs that each of a layer's outputs sums."""

    convolution: nn.initializers.Initializer
    hidden: nn.initializers.Initializer
    output: nn.initializers.Initializer
    bias: Callable[[int], nn.initializers.Initializer]


PUBLISHED = Initialisation(
    convolution=nn.initializers.variance_scaling(2.0, "fan_in", "normal"),
    hidden=nn.initializers.normal(0.01),
    output=nn.initializers.glorot_uniform(),
    bias=lambda inputs: nn.initializers.zeros,
)


class DeepPrior(nn.Module):
    """Three convolutions, two of them pooled, and two fully connected layers.

    Attributes:
        outputs: coordinates of the prior, or of the joints where there is none.
        drop_rate: of the fully connected layers.
        film: where it is conditioned on an action, of `vid_jax.models.film.PLACEMENTS`; "residual" it has none.
        film_identity: see `FiLM`.
    """

    outputs: int = 30
    drop_rate: float = 0.3
    film: Sequence[str] = ()
    film_identity: bool = True

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
            mask: unused; no example touches another.

        Raises:
            ValueError: the crop is smaller than 44x44.
        """
        if self.film:
            depth = ConditionedImage(self.film, self.film_identity, name="image")(depth, action)
        features = PooledConvolutions((4, 2, 1), name="convolutions")(depth)
        regressor = Regressor(
            self.outputs,
            self.drop_rate,
            film=self.film,
            film_identity=self.film_identity,
            name="regressor",
        )
        return regressor(features, train, action)


class PooledConvolutions(nn.Module):
    """Convolutions 5x5, 5x5 and 3x3 of 8 channels without padding, each followed by pooling and ReLU.

    Attributes:
        pools: side of each pooling's windows, 1 for none; what fills no window is left out.
    """

    pools: Sequence[int]

    @nn.compact
    def __call__(
        self, depth: Float[Array, "batch height width channel"]
    ) -> Float[Array, "batch features"]:
        """Raises ValueError where a convolution or a pooling would have no output."""
        x = depth
        for number, (size, pool) in enumerate(zip((5, 5, 3), self.pools), start=1):
            x = Conv2D(_FILTERS, size, kernel_init=PUBLISHED.convolution, name=f"conv_{number}")(x)
            x = nn.relu(_max_pool(x, pool))
            if 0 in x.shape:
                raise ValueError(
                    f"a crop of {depth.shape[1]}x{depth.shape[2]} is too small: nothing is left after convolution "
                    f"{number} and its pooling; use at least {self._smallest()} pixels a side"
                )
        return x.reshape(len(x), -1)

    def _smallest(self) -> int:
        size = 1
        for filter_size, pool in zip((3, 5, 5), reversed(self.pools)):
            size = size * pool + filter_size - 1
        return size


class Regressor(nn.Module):
    """Two fully connected layers of 1024 with dropout, and a linear one.

    Attributes:
        outputs: numbers to regress.
        drop_rate: of both hidden layers.
        initialisation: of the parameters.
        dtype: of the computation; the output is float32.
        film: "linear": FiLM of each hidden layer after its dropout; "prior": of the output.
        film_identity: see `FiLM`.
    """

    outputs: int
    drop_rate: float
    initialisation: Initialisation = PUBLISHED
    dtype: jnp.dtype = jnp.float32
    film: Sequence[str] = ()
    film_identity: bool = True

    @nn.compact
    def __call__(
        self,
        features: Float[Array, "batch features"],
        train: bool,
        action: Float[Array, "batch classes"] | None = None,
    ) -> Float[Array, "batch outputs"]:
        start = self.initialisation

        def dense(outputs, kernel_init, name):
            bias_init = start.bias(x.shape[-1])
            return nn.Dense(
                outputs, dtype=self.dtype, kernel_init=kernel_init, bias_init=bias_init, name=name
            )

        x = features
        for name in ("hidden_1", "hidden_2"):
            x = nn.relu(dense(_HIDDEN, start.hidden, name)(x))
            x = nn.Dropout(self.drop_rate)(x, deterministic=not train)
            if "linear" in self.film:
                x = FiLM(self.film_identity, name=f"film_{name}")(x, action)
        x = dense(self.outputs, start.output, "output")(x).astype(jnp.float32)
        return (
            FiLM(self.film_identity, name="film_output")(x, action) if "prior" in self.film else x
        )


class PosePrior(nn.Module):
    """From coordinates among the principal components of poses to a pose: z @ components + mean.

    Components and mean are constants, zero until a task puts fitted ones into the collection `constants`.

    Attributes:
        outputs: numbers of a pose, three a joint.
        trainable: adds a learned change to components and mean, which starts at zero.
    """

    outputs: int
    trainable: bool = False

    @nn.compact
    def __call__(self, z: Float[Array, "batch components"]) -> Float[Array, "batch outputs"]:
        components = self._constant("components", (z.shape[-1], self.outputs))
        mean = self._constant("mean", (self.outputs,))
        return z @ components + mean

    def _constant(self, name: str, shape: tuple[int, ...]) -> Array:
        value = self.variable("constants", name, jnp.zeros, shape).value
        if self.trainable:
            value += self.param(f"{name}_change", nn.initializers.zeros, shape)
        return value


def _max_pool(x: Array, size: int) -> Array:
    """Of windows of a side, without what fills none; the gradient is shared by equal maxima."""
    batch, height, width, channels = x.shape
    rows, columns = height // size, width // size
    x = x[:, : rows * size, : columns * size]
    return x.reshape(batch, rows, size, columns, size, channels).max((2, 4))
