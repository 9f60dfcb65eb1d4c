"""Structural similarity: TensorFlow's by scales, and that by sigmas written out in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from vid_jax import ssim


def pair(height=24, width=40, noise=0.1, seed=0):
    """Smooth images in [-1, 1], and the same paler and noisy."""
    rng = np.random.default_rng(seed)
    x = gaussian_filter(rng.normal(size=(2, height, width, 3)), (0, 2, 2, 0))
    x = np.clip(x / x.std() / 2, -1, 1)
    y = np.clip(0.8 * x + noise * rng.normal(size=x.shape), -1, 1)
    return x.astype(np.float32), y.astype(np.float32)


def by_sigmas(x, y, data_range):
    """Per image in NumPy and SciPy, whose "reflect" repeats the outermost pixels."""
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    x, y = x.astype(np.float64), y.astype(np.float64)
    product = 1.0
    for sigma in (0.5, 1, 2, 4, 8):

        def blur(image, sigma=sigma):
            return gaussian_filter(
                image, (0, sigma, sigma, 0), mode="reflect", radius=(0, 16, 16, 0)
            )

        mu_x, mu_y = blur(x), blur(y)
        covariance = blur(x * y) - mu_x * mu_y
        variances = blur(x * x) - mu_x**2 + blur(y * y) - mu_y**2
        product = product * np.maximum((2 * covariance + c2) / (variances + c2), 0)
    luminance = (2 * mu_x * mu_y + c1) / (mu_x**2 + mu_y**2 + c1)
    return (luminance * product).mean((1, 2, 3))


@pytest.mark.parametrize("data_range", [1.0, 2.0])
def test_similarity_by_sigmas_is_the_formula(data_range):
    x, y = pair()
    np.testing.assert_allclose(
        ssim.ms_ssim(x, y, data_range), by_sigmas(x, y, data_range), atol=1e-5
    )


def test_every_sigma_sees_every_channel():
    """Detail that is lost in one channel costs the same whichever channel it is."""
    x, y = pair()
    found = []
    for channel in range(3):
        changed = x.copy()
        changed[..., channel] = y[..., 0]
        original = x.copy()
        original[..., channel] = x[..., 0]
        found.append(1 - ssim.ms_ssim(original, changed))
    np.testing.assert_allclose(found[1:], [found[0]] * 2, rtol=1e-4)


def test_weighted_difference_has_the_mean_of_the_plain_one():
    """Mirrored borders give every pixel the same weight, so L1 need not be blurred."""
    x, y = pair()
    blurred = gaussian_filter(
        np.abs(x - y).astype(np.float64), (0, 8, 8, 0), mode="reflect", radius=(0, 16, 16, 0)
    )
    np.testing.assert_allclose(ssim.l1(x, y), blurred.mean((1, 2, 3)) / 2, rtol=1e-5)
    mixed = 0.84 * (1 - by_sigmas(x, y, 2.0)) + 0.16 * blurred.mean((1, 2, 3)) / 2
    np.testing.assert_allclose(ssim.ms_ssim_l1(x, y, 0.84), mixed, atol=1e-5)


def test_difference_counts_in_shares_of_the_range():
    x, y = pair()
    np.testing.assert_allclose(
        ssim.ms_ssim_l1((x + 1) / 2, (y + 1) / 2, 0.0, 1.0), ssim.ms_ssim_l1(x, y, 0.0), rtol=1e-5
    )
    np.testing.assert_allclose(ssim.l2(x, y), np.square(x - y).mean((1, 2, 3)) / 4, rtol=1e-5)


@pytest.mark.parametrize(("size", "scales"), [((24, 40), 2), ((47, 96), 3)])
def test_classic_similarity_is_tensorflows(size, scales):
    tf = pytest.importorskip("tensorflow")
    x, y = pair(*size)
    weights = ssim.CLASSIC_WEIGHTS[:scales]
    wanted = tf.image.ssim_multiscale(x, y, 2.0, power_factors=weights).numpy()
    np.testing.assert_allclose(ssim.classic_ms_ssim(x, y, 2.0, weights), wanted, atol=1e-5)


def test_classic_similarity_has_as_many_scales_as_fit():
    assert len(ssim.classic_weights(96, 192)) == 4
    assert ssim.classic_weights(176, 176) == pytest.approx(ssim.CLASSIC_WEIGHTS, rel=1e-3)
    assert sum(ssim.classic_weights(96, 192)) == pytest.approx(1)
    with pytest.raises(ValueError, match="at least 11"):
        ssim.classic_weights(10, 40)
    with pytest.raises(ValueError, match="at scale 2"):
        ssim.classic_ms_ssim(*pair(20, 20))


@pytest.mark.parametrize(
    "of", [ssim.ms_ssim, lambda x, y: ssim.classic_ms_ssim(x, y, 2.0, (0.4, 0.6))]
)
def test_gradients_are_finite_everywhere(of):
    x, y = pair()
    flat = np.zeros_like(x)
    for other in (y, x, -x, flat):
        assert jnp.isfinite(jax.grad(lambda y: of(x, y).sum())(jnp.asarray(other))).all()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), noise=st.floats(0, 1))
def test_similarity_is_symmetric_and_at_most_one(seed, noise):
    x, y = pair(noise=noise, seed=seed)
    forward = ssim.ms_ssim(x, y)
    np.testing.assert_allclose(forward, ssim.ms_ssim(y, x), atol=1e-5)
    np.testing.assert_allclose(ssim.ms_ssim(x, x), 1, atol=1e-4)
    assert (forward >= 0).all()
    assert (forward <= 1 + 1e-5).all()
