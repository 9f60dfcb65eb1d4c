"""How good predicted frames are, and the predictions without learning that they must beat."""

import math
from collections.abc import Iterator

import cv2
import numpy as np

QUALITY = ("mse", "psnr", "ssim")

# The figures of merit that a table shows, and their headings.
QUALITY_COLUMNS = {"mse": "MSE", "psnr": "PSNR, dB", "ssim": "SSIM"}

_BLURS = (0.5, 1.0, 2.0)  # pixels
_SHARES = (0.9, 0.75, 0.5)  # of the last frame; the rest is the mean of all before
_SSIM_SIGMA, _SSIM_TAPS = 1.5, 11
_SSIM_C1, _SSIM_C2 = 0.01**2, 0.03**2


def frame_quality(prediction: np.ndarray, frame: np.ndarray) -> tuple[float, float, float]:
    """MSE, PSNR in dB and SSIM of a predicted frame.

    SSIM is that of Wang et al., "Image Quality Assessment", IEEE TIP 2004: a Gaussian of 11x11 pixels and sigma 1.5,
    no padding, the mean over pixels and channels.

    Args:
        prediction: (height, width, channel), in [0, 1].
        frame: likewise; at least 11 pixels high and wide for SSIM, which is NaN below.
    """
    prediction, frame = (np.asarray(a, np.float64) for a in (prediction, frame))
    mse = float(np.square(prediction - frame).mean())
    return mse, -10 * math.log10(max(mse, 1e-12)), _ssim(prediction, frame)


def trivial_predictions(frames: np.ndarray) -> Iterator[dict[str, np.ndarray]]:
    """Predictions of the second and each later frame of a video, by name.

    - `copy_last`: the frame before.
    - `blurred_S`: the same after a Gaussian of S pixels.
    - `mixed_S`: a share S of it and the rest of the mean of all frames before.

    Args:
        frames: (n, height, width, channel) uint8.

    Yields:
        Name -> (height, width, channel) float64 in [0, 1].
    """
    total = np.zeros(frames.shape[1:])
    for count, frame in enumerate(frames[:-1], start=1):
        last = frame / 255
        total += last
        mean = total / count
        yield (
            {"copy_last": last}
            | {f"blurred_{sigma:g}": _blur(last, sigma) for sigma in _BLURS}
            | {f"mixed_{share:g}": share * last + (1 - share) * mean for share in _SHARES}
        )


def _blur(image: np.ndarray, sigma: float) -> np.ndarray:
    blurred = cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
    return blurred.reshape(image.shape)


def _ssim(a: np.ndarray, b: np.ndarray) -> float:
    if min(a.shape[:2]) < _SSIM_TAPS:
        return math.nan
    edge = _SSIM_TAPS // 2

    def local_mean(image):
        blurred = cv2.GaussianBlur(image, (_SSIM_TAPS, _SSIM_TAPS), _SSIM_SIGMA)
        return blurred.reshape(image.shape)[edge:-edge, edge:-edge]

    mean_a, mean_b = local_mean(a), local_mean(b)
    variances = local_mean(a * a) - mean_a**2 + local_mean(b * b) - mean_b**2
    covariance = local_mean(a * b) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + _SSIM_C1) / (mean_a**2 + mean_b**2 + _SSIM_C1)
    return float((luminance * (2 * covariance + _SSIM_C2) / (variances + _SSIM_C2)).mean())
