"""Colour histograms of images, as embeddings that need no training."""

from collections.abc import Sequence

import cv2
import numpy as np

_BINS = (16, 4, 4)  # of hue, saturation and value


def histograms(images: Sequence[np.ndarray]) -> np.ndarray:
    """Square roots of the joint histograms of hue, saturation and value, (n, 256) float32.

    Their Euclidean distance is sqrt(2) times the Hellinger distance: 0 for the same colours, sqrt(2) for none shared.

    Args:
        images: (height, width, 3) uint8, RGB, of any sizes.
    """
    return np.stack([_histogram(image) for image in images])


def _histogram(image: np.ndarray) -> np.ndarray:
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    counts = cv2.calcHist([hsv], [0, 1, 2], None, _BINS, [0, 180, 0, 256, 0, 256])
    return np.sqrt(counts.ravel() / counts.sum()).astype(np.float32)
