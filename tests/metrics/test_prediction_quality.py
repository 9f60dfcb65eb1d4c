"""Quality of predicted frames against TensorFlow's own measures, and the predictions without learning."""

import itertools

import numpy as np
import pytest
import scipy.ndimage

from vid_jax.input_pipeline.tensorflow_cpu import tf
from vid_jax.metrics.prediction_quality import QUALITY, frame_quality, trivial_predictions


def ssim(a, b):
    """Wang et al. 2004, window by window, in float64."""
    taps = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    weights = np.outer(taps, taps) / np.outer(taps, taps).sum()
    values = []
    for x, y in itertools.product(*(range(n - 10) for n in a.shape[:2])):
        for c in range(a.shape[2]):
            p, q = (image[x : x + 11, y : y + 11, c] for image in (a, b))
            mean_p, mean_q = (weights * p).sum(), (weights * q).sum()
            var_p = (weights * (p - mean_p) ** 2).sum()
            var_q = (weights * (q - mean_q) ** 2).sum()
            covariance = (weights * (p - mean_p) * (q - mean_q)).sum()
            values.append(
                (2 * mean_p * mean_q + 1e-4)
                * (2 * covariance + 9e-4)
                / ((mean_p**2 + mean_q**2 + 1e-4) * (var_p + var_q + 9e-4))
            )
    return np.mean(values)


@pytest.mark.parametrize("shape", [(24, 31, 3), (11, 11, 1), (40, 18, 1)])
def test_quality_is_the_published_one(shape):
    rng = np.random.default_rng(0)
    frame = scipy.ndimage.gaussian_filter(rng.random(shape), (2, 2, 0))
    prediction = np.clip(frame + 0.05 * rng.standard_normal(shape), 0, 1)
    found = dict(zip(QUALITY, frame_quality(prediction, frame), strict=True))
    assert found["mse"] == pytest.approx(np.mean((prediction - frame) ** 2))
    assert found["psnr"] == pytest.approx(float(tf.image.psnr(prediction, frame, 1.0)), rel=1e-6)
    assert found["ssim"] == pytest.approx(ssim(prediction, frame), abs=1e-9)
    # TensorFlow's variances are differences of float32.
    assert found["ssim"] == pytest.approx(float(tf.image.ssim(prediction, frame, 1.0)), abs=1e-4)


def test_a_perfect_prediction():
    frame = np.random.default_rng(0).random((16, 16, 1))
    assert frame_quality(frame, frame) == (0, pytest.approx(120), pytest.approx(1))


def test_frames_smaller_than_the_window_have_no_ssim():
    mse, psnr, ssim = frame_quality(np.zeros((10, 16, 1)), np.ones((10, 16, 1)))
    assert (mse, psnr) == (1, 0)
    assert np.isnan(ssim)


def test_trivial_predictions_see_only_what_came_before():
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (5, 12, 14, 1), np.uint8)
    found = list(trivial_predictions(frames))
    assert len(found) == 4
    for number, predictions in enumerate(found, start=1):
        last, mean = frames[number - 1] / 255, frames[:number].mean(0) / 255
        np.testing.assert_allclose(predictions["copy_last"], last)
        np.testing.assert_allclose(predictions["mixed_0.75"], 0.75 * last + 0.25 * mean)
        blurred = scipy.ndimage.gaussian_filter(last, (1, 1, 0), mode="reflect", truncate=4)
        inner = np.s_[4:-4, 4:-4]
        np.testing.assert_allclose(predictions["blurred_1"][inner], blurred[inner], atol=2e-3)
    changed = frames.copy()
    changed[3:] = 255 - changed[3:]
    for before, after in zip(found[:3], trivial_predictions(changed)):
        for name in before:
            np.testing.assert_array_equal(before[name], after[name])


def test_one_frame_has_no_prediction():
    assert list(trivial_predictions(np.zeros((1, 12, 12, 1), np.uint8))) == []
