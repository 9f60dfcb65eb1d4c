"""Thumbnails: what an image looks like through as few numbers as an autoencoder has latent ones."""

import cv2
import numpy as np
from jaxtyping import Float

CHANNELS = 3


def sizes(values: int, height: int, width: int) -> list[tuple[int, int]]:
    """Heights and widths of thumbnails of so many values: the nearest to an image's proportions first.

    That has at most so many values; up to two follow, the nearest of those that have exactly as many.
    """
    pixels = max(1, values // CHANNELS)
    fitting = [(h, min(pixels // h, width)) for h in range(1, min(pixels, height) + 1)]
    fitting.sort(key=lambda size: abs(np.log(size[1] / size[0] * height / width)))
    exact = [size for size in fitting if CHANNELS * size[0] * size[1] == values]
    return list(dict.fromkeys([fitting[0], *exact[:2]]))


def through_thumbnail(
    images: Float[np.ndarray, "n height width 3"], size: tuple[int, int]
) -> Float[np.ndarray, "n height width 3"]:
    """Images averaged down to a height and width and enlarged by bicubic interpolation, within their own range."""
    height, width = images.shape[1:3]
    enlarged = np.empty_like(images)
    for image, result in zip(images, enlarged):
        small = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)
        cv2.resize(small, (width, height), result, interpolation=cv2.INTER_CUBIC)
    return np.clip(enlarged, images.min(), images.max())
