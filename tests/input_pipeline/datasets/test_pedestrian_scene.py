import cv2
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from vid_jax.input_pipeline.datasets import pedestrian_scene as scene
from vid_jax.metrics.anomaly_baselines import BASELINES, anomaly_baselines

SEED = 0
NUM_FRAMES = 16


@pytest.fixture(scope="module")
def small_videos():
    """All videos of the default seed, (n, 80, 128, 1) as in the demo, and the labels."""
    frames, labels = {}, {}
    for name in [*scene.TRAIN_LENGTHS, *scene.TEST_LENGTHS]:
        video = scene.render_video(name, SEED)
        small = [
            cv2.resize(frame, (128, 80), interpolation=cv2.INTER_AREA) for frame in video.frames
        ]
        frames[name], labels[name] = np.stack(small)[..., None], video.labels
    return frames, labels


def test_lengths_are_those_of_ucsd_ped2():
    assert list(scene.TRAIN_LENGTHS) == [f"Train{i:03d}" for i in range(1, 17)]
    assert sum(scene.TRAIN_LENGTHS.values()) == 2550
    assert min(scene.TRAIN_LENGTHS.values()) == 120
    assert list(scene.TEST_LENGTHS) == [f"Test{i:03d}" for i in range(1, 13)]
    assert sum(scene.TEST_LENGTHS.values()) == 2010


@pytest.mark.parametrize("name", ["Train001", "Test009"])
def test_a_video_depends_on_seed_and_name_alone(name):
    first, again = scene.render_video(name, SEED), scene.render_video(name, SEED)
    assert first.frames.shape == (120, 240, 360)
    assert (first.frames.dtype, first.masks.dtype) == (np.uint8, bool)
    np.testing.assert_array_equal(first.frames, again.frames)
    np.testing.assert_array_equal(first.masks, again.masks)
    assert (scene.render_video(name, SEED + 1).frames != first.frames).any()


def test_labels_are_the_frames_with_a_visible_mask():
    video = scene.render_video("Test009", SEED)
    visible = video.masks.sum((1, 2))
    np.testing.assert_array_equal(video.labels, visible > 0)
    assert visible[visible > 0].min() >= scene.MIN_VISIBLE_PIXELS


def test_training_is_normal_and_each_test_video_has_both_kinds(small_videos):
    frames, labels = small_videos
    for name, length in scene.TRAIN_LENGTHS.items():
        assert len(frames[name]) == length
        assert not labels[name].any()
    for name, length in scene.TEST_LENGTHS.items():
        assert len(labels[name]) == length
        assert set(labels[name][8:-7]) == {0, 1}


@pytest.fixture(scope="module")
def baseline_scores(small_videos):
    frames, _ = small_videos
    train = [frames[name] for name in scene.TRAIN_LENGTHS]
    test = [frames[name] for name in scene.TEST_LENGTHS]
    return anomaly_baselines(train, test, NUM_FRAMES)


@pytest.mark.parametrize("baseline", BASELINES)
def test_trivial_measures_stay_under_their_bound(small_videos, baseline_scores, baseline):
    _, labels = small_videos
    truth = np.concatenate([labels[name][8:-7] for name in scene.TEST_LENGTHS])
    scores = baseline_scores[baseline]
    normalised = [(s - s.min()) / (s.max() - s.min()) for s in scores]
    assert roc_auc_score(truth, np.concatenate(normalised)) < 0.75
    assert roc_auc_score(truth, np.concatenate(scores)) < 0.75
