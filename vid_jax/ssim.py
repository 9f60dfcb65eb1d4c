"""Multi-scale structural similarity of images, and its mix with the absolute difference.

Wang, Simoncelli and Bovik, "Multiscale structural similarity for image quality assessment" (Asilomar 2003), compare
images that are halved again and again; Zhao et al., "Loss Functions for Image Restoration with Neural Networks" (IEEE
Transactions on Computational Imaging 2017), compare them at full size in ever wider Gaussian windows. Filters are
products with band matrices, one for the height and one for the width.
"""

import functools
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

SIGMAS = (0.5, 1.0, 2.0, 4.0, 8.0)  # pixels
RADIUS = 16  # pixels of every window to either side of its middle

CLASSIC_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_CLASSIC_SIGMA = 1.5
_CLASSIC_RADIUS = 5
_K1, _K2 = 0.01, 0.03

Images = Float[Array, "batch height width channel"]


def ms_ssim(x: Images, y: Images, data_range: float = 2.0) -> Float[Array, " batch"]:
    """Mean over pixels and channels of l of the widest window times cs of all windows, each cs at least 0.

    Every channel is seen through every window of `SIGMAS`. Beyond its border an image is mirrored, the outermost
    pixels repeated (Zhao et al., equations 4 to 8).

    Args:
        x, y: images.
        data_range: the largest value less the smallest that an image can have.
    """
    matrices = [_windows(side, SIGMAS, RADIUS) for side in x.shape[1:3]]
    luminance, contrast = _similarity(_planes(x), _planes(y), *matrices, data_range)
    similarity = luminance[-1] * jnp.prod(jnp.maximum(contrast, 0), axis=0)
    return similarity.mean((0, 2, 3))


def ms_ssim_l1(
    x: Images, y: Images, alpha: float, data_range: float = 2.0
) -> Float[Array, " batch"]:
    """alpha (1 - MS-SSIM) + (1 - alpha) of the Gaussian-weighted absolute difference in shares of the data range.

    The weighting, by the widest window with mirrored borders, gives each pixel 1 in sum, so that its mean over the
    pixels is the plain mean of the absolute difference (Zhao et al., equation 14).
    """
    return alpha * (1 - ms_ssim(x, y, data_range)) + (1 - alpha) * l1(x, y, data_range)


def l1(x: Images, y: Images, data_range: float = 2.0) -> Float[Array, " batch"]:
    """Mean absolute difference, in shares of the data range."""
    return jnp.abs(x - y).mean((1, 2, 3)) / data_range


def l2(x: Images, y: Images, data_range: float = 2.0) -> Float[Array, " batch"]:
    """Mean squared difference, of images in shares of the data range."""
    return jnp.square(x - y).mean((1, 2, 3)) / data_range**2


def classic_ms_ssim(
    x: Images, y: Images, data_range: float = 2.0, weights: Sequence[float] = CLASSIC_WEIGHTS
) -> Float[Array, " batch"]:
    """The product over scales, each half the one before, of the mean similarity to the power of a weight.

    Windows of 11x11 (sigma 1.5) lie inside the image, so its smaller side must be at least 11 at the last scale: five
    scales want 176 pixels, the four of `classic_weights` 88. As `tf.image.ssim_multiscale`.

    Raises:
        ValueError: the images are too small.
    """
    least = 2 * _CLASSIC_RADIUS + 1
    x, y = _planes(x), _planes(y)
    product = 1.0
    for scale, weight in enumerate(weights, start=1):
        height, width = x.shape[0], x.shape[-1]
        if min(height, width) < least:
            raise ValueError(f"{height}x{width} at scale {scale}: at least {least} are needed")
        matrices = [_inner_windows(side) for side in (height, width)]
        luminance, contrast = _similarity(x, y, *matrices, data_range)
        similarity = contrast * luminance if scale == len(weights) else contrast
        product *= _power(similarity.mean((0, 1, 4)), weight)
        if scale < len(weights):
            x, y = _halved(x), _halved(y)
    return product.mean(-1)


def classic_weights(height: int, width: int) -> tuple[float, ...]:
    """Of the published weights as many as there are scales of images of this size, with their sum made 1.

    Raises:
        ValueError: not even one scale fits.
    """
    least, side = 2 * _CLASSIC_RADIUS + 1, min(height, width)
    scales = 0
    while side >= least and scales < len(CLASSIC_WEIGHTS):
        scales, side = scales + 1, -(-side // 2)
    if not scales:
        raise ValueError(f"{height}x{width}: at least {least} pixels are needed")
    return tuple(w / sum(CLASSIC_WEIGHTS[:scales]) for w in CLASSIC_WEIGHTS[:scales])


def _similarity(x, y, rows, columns, data_range: float):
    """l and cs (sigma, height, batch, channel, width) of planes (height, batch, channel, width).

    With d = x - y, cs = (2 cov(x, y) + C2) / (var x + var y + C2) = 1 - var d / (var x + var y + C2).
    """
    c1, c2 = (_K1 * data_range) ** 2, (_K2 * data_range) ** 2

    def blurred(planes):
        return _blur(planes, rows, columns)

    mean_x, mean_y = blurred(x), blurred(y)
    squares = mean_x**2 + mean_y**2
    between = jnp.square(mean_x - mean_y)
    luminance = 1 - between / (squares + c1)
    variances = blurred(x**2 + y**2) - squares
    contrast = 1 - (blurred(jnp.square(x - y)) - between) / (variances + c2)
    return luminance, contrast


def _blur(planes, rows, columns):
    """Planes (h, b, c, w) through windows (s, H, h) and (s, W, w): (s, H, b, c, W)."""
    exact = lax.Precision.HIGHEST  # variances are small differences
    y = jnp.einsum("sHh,hbcw->sHbcw", rows, planes, precision=exact)
    return jnp.einsum("sHbcw,sWw->sHbcW", y, columns, precision=exact)


def _planes(images: Images) -> Float[Array, "height batch channel width"]:
    """With the height first and the width last filters are products of large matrices."""
    return images.transpose(1, 0, 3, 2)


@functools.cache
def _windows(size: int, sigmas: Sequence[float], radius: int) -> np.ndarray:
    """Matrices (sigma, size, size) of Gaussian windows over what is mirrored beyond its ends."""
    offsets = np.arange(-radius, radius + 1)
    places = np.mod(np.arange(size)[:, None] + offsets, 2 * size)
    places = np.minimum(places, 2 * size - 1 - places)
    matrices = np.zeros((len(sigmas), size, size))
    for matrix, sigma in zip(matrices, sigmas):
        np.add.at(matrix, (np.arange(size)[:, None], places), _gaussian(offsets, sigma))
    return matrices.astype(np.float32)


@functools.cache
def _inner_windows(size: int) -> np.ndarray:
    """A matrix (1, size - 10, size) of the classic windows that lie inside."""
    offsets = np.arange(2 * _CLASSIC_RADIUS + 1)
    matrix = np.zeros((1, size - 2 * _CLASSIC_RADIUS, size), np.float32)
    for start, row in enumerate(matrix[0]):
        row[start + offsets] = _gaussian(offsets - _CLASSIC_RADIUS, _CLASSIC_SIGMA)
    return matrix


def _gaussian(offsets: np.ndarray, sigma: float) -> np.ndarray:
    weights = np.exp(-0.5 * (offsets / sigma) ** 2)
    return weights / weights.sum()


def _halved(planes):
    """Means of 2x2 pixels; the last row or column of an odd number is repeated."""
    height, width = planes.shape[0], planes.shape[-1]
    odd = ((0, height % 2), (0, 0), (0, 0), (0, width % 2))
    planes = jnp.pad(planes, odd, mode="edge")
    rows = (planes[0::2] + planes[1::2]) / 2
    return (rows[..., 0::2] + rows[..., 1::2]) / 2


def _power(base, exponent: float):
    """Of what is at least 0; the gradient at 0 is 0, not infinite."""
    positive = base > 0
    return jnp.where(positive, jnp.where(positive, base, 1) ** exponent, 0)
