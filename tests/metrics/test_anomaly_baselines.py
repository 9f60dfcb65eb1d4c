from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vid_jax.metrics import anomaly_baselines as baselines_module
from vid_jax.metrics.anomaly import frame_metrics, window_scores_to_frames
from vid_jax.metrics.anomaly_baselines import BASELINES, anomaly_baselines
from vid_jax.metrics.ucsd_labels import parse_ucsd_ranges, ranges_to_labels

PED2 = Path(__file__).resolve().parents[3] / "shared" / "data" / "ucsd_ped2"


def noise(lengths, size=(20, 24), channels=1, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (n, *size, channels), dtype=np.uint8) for n in lengths]


def test_by_hand_on_uniform_frames():
    train = noise([30])
    levels = np.array([10, 13, 13, 20, 20])
    test = [np.broadcast_to(levels[:, None, None, None], (5, 20, 24, 1)).astype(np.uint8)]
    scores = anomaly_baselines(train, test, num_frames=2)
    differences = np.array([3, 3, 0, 7, 0])  # the first frame takes the second's
    expected = (differences[1:] + differences[:-1]) / 2
    np.testing.assert_allclose(scores["frame_difference"][0], expected)
    np.testing.assert_allclose(scores["patch_difference"][0], expected, rtol=1e-5)
    np.testing.assert_allclose(scores["darkness"][0], -(levels[1:] + levels[:-1]) / 2)
    distance = np.abs(test[0] - train[0].mean(0)).mean((1, 2, 3))
    np.testing.assert_allclose(
        scores["mean_frame_distance"][0], (distance[1:] + distance[:-1]) / 2, rtol=1e-5
    )


def test_patch_difference_finds_a_small_thing_that_moves():
    test = np.zeros((6, 64, 64, 1), np.uint8)
    test[3, 20:36, 24:40] = 200
    scores = anomaly_baselines(noise([10], (64, 64)), [test], num_frames=1)
    assert scores["patch_difference"][0][3] == pytest.approx(200)
    assert scores["frame_difference"][0][3] == pytest.approx(200 * 16 * 16 / 64**2)


def test_pca_rebuilds_what_training_spans_and_nothing_else():
    rng = np.random.default_rng(0)
    basis = rng.random((3, 16 * 16))

    def mix(n):
        return (rng.random((n, 3)) @ basis * 80).reshape(n, 16, 16, 1).astype(np.uint8)

    test = [mix(4), noise([4], (16, 16))[0]]
    inside, outside = anomaly_baselines([mix(60), mix(60)], test, num_frames=1)["pca"]
    assert inside.max() < 1
    assert outside.min() > 20


def test_chunks_do_not_show(monkeypatch):
    train, test = noise([33, 20], channels=3), noise([29, 4, 17], channels=3, seed=1)
    whole = anomaly_baselines(train, test, num_frames=4)
    monkeypatch.setattr(baselines_module, "_CHUNK_FRAMES", 5)
    pieces = anomaly_baselines(train, test, num_frames=4)
    for name in BASELINES:
        for a, b in zip(whole[name], pieces[name], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4)


def test_windows_stride_and_short_videos():
    train, test = noise([20]), noise([20, 1, 16, 15])
    every, third = (anomaly_baselines(train, test, 16, stride) for stride in (1, 3))
    for name in BASELINES:
        assert [len(s) for s in every[name]] == [5, 0, 1, 0]
        np.testing.assert_array_equal(third[name][0], every[name][0][[0, 3]])


def test_frames_for_pca_are_bounded(monkeypatch):
    fitted = []
    real = baselines_module.PCA

    class Spy(real):
        def fit(self, frames):
            fitted.append(frames.shape)
            return super().fit(frames)

    monkeypatch.setattr(baselines_module, "PCA", Spy)
    monkeypatch.setattr(baselines_module, "_PCA_BYTES", 70 * 4 * 20 * 24)
    anomaly_baselines(noise([50, 60]), noise([4]), 4, max_pca_frames=60)
    anomaly_baselines(noise([50, 60]), noise([4]), 4)
    assert fitted == [(60, 480), (70, 480)]


def test_identical_training_frames():
    still = [np.full((12, 16, 16, 1), 7, np.uint8)]
    assert anomaly_baselines(still, still, 4)["pca"][0] == pytest.approx(np.zeros(9), abs=1e-5)


def read_ped2(split: str) -> list[list[Image.Image]]:
    folders = sorted((PED2 / split).glob(f"{split}[0-9][0-9][0-9]"))
    return [[Image.open(f).convert("L") for f in sorted(d.glob("[0-9]*.*"))] for d in folders]


def resized(videos, height, width) -> list[np.ndarray]:
    def resize(frame):
        return np.asarray(frame.resize((width, height), Image.Resampling.BICUBIC))

    return [np.stack([resize(frame) for frame in video])[..., None] for video in videos]


def ped2_figures(train, test):
    ranges = parse_ucsd_ranges((PED2 / "Test" / "UCSDped2.m").read_text())
    labels = [ranges_to_labels(r, len(v)) for r, v in zip(ranges, test, strict=True)]
    figures = {}
    for name, videos in anomaly_baselines(train, test, 16, max_pca_frames=60).items():
        frames = [
            window_scores_to_frames(s, np.arange(len(s)), len(v), 16)
            for s, v in zip(videos, test, strict=True)
        ]
        figures[name] = frame_metrics(frames, labels)
    return figures


@pytest.mark.skipif(not PED2.is_dir(), reason="the real UCSD Ped2 frames are not here")
def test_published_figures_on_ped2():
    """Figures measured elsewhere on frames resized by Pillow's bicubic filter."""
    train, test = read_ped2("Train"), read_ped2("Test")
    figures = ped2_figures(resized(train, 128, 128), resized(test, 128, 128))
    for name, normalised, raw in (
        ("frame_difference", 0.886, 0.739),
        ("mean_frame_distance", 0.872, 0.662),
        ("darkness", 0.868, 0.767),
    ):
        assert figures[name]["auc_micro_per_video"] == pytest.approx(normalised, abs=0.002)
        assert figures[name]["auc_micro_raw"] == pytest.approx(raw, abs=0.002)
        assert figures[name]["frames_scored"] == 1830
        assert figures[name]["frames_abnormal"] == 1526
    small = ped2_figures(resized(train, 64, 96), resized(test, 64, 96))
    assert small["patch_difference"]["auc_micro_raw"] == pytest.approx(0.858, abs=0.002)
