import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vid_jax.errors import UserError
from vid_jax.metrics.anomaly import (
    NORMALISATIONS,
    PixelMetrics,
    equal_error_rate,
    frame_metrics,
    normalise,
    roc_auc,
    roc_points,
    smooth,
    window_scores_to_frames,
)

NAN = np.nan


def pair_count(y, s):
    """Share of (abnormal, normal) pairs that are in the right order, ties half."""
    abnormal, normal = s[y == 1][:, None], s[y == 0][None, :]
    return float(((abnormal > normal) + 0.5 * (abnormal == normal)).mean())


@st.composite
def labelled_scores(draw):
    """Whole-number scores (many ties) and labels of both classes."""
    n = draw(st.integers(2, 40))
    s = draw(hnp.arrays(np.float64, n, elements=st.integers(-5, 5).map(float)))
    y = draw(hnp.arrays(np.int8, n, elements=st.integers(0, 1)))
    y[:2] = (0, 1)
    return s, y


# Windows to frames.


def test_score_of_window_i_belongs_to_frame_i_plus_8():
    frames = window_scores_to_frames(np.arange(25.0), np.arange(25), 40, 16)
    assert np.isnan(frames[:8]).all()
    assert np.isnan(frames[-7:]).all()
    np.testing.assert_array_equal(frames[8:-7], np.arange(25.0))


def test_windows_at_a_stride_leave_frames_between_unscored():
    frames = window_scores_to_frames(np.array([1.0, 2.0]), np.array([0, 3]), 8, 4)
    np.testing.assert_array_equal(frames, [NAN, NAN, 1, NAN, NAN, 2, NAN, NAN])


def test_video_shorter_than_a_window_has_no_scores():
    assert np.isnan(window_scores_to_frames(np.empty(0), np.empty(0), 5, 16)).all()


@pytest.mark.parametrize("bad", [NAN, np.inf, -np.inf])
def test_score_that_is_not_finite_names_the_video(bad):
    with pytest.raises(UserError, match=r"Test003: .* window at frame 5"):
        window_scores_to_frames(np.array([1.0, bad]), np.array([0, 5]), 40, 16, "Test003")


# Normalisation and smoothing.


def test_normalisations():
    scores = [np.array([NAN, 1.0, 3.0]), np.array([3.0, 5.0, 4.0])]
    raw, video, everything = (normalise(scores, how) for how in ("raw", "per_video", "global"))
    np.testing.assert_array_equal(raw[0], scores[0])
    np.testing.assert_array_equal(np.concatenate(video), [NAN, 0, 1, 0, 1, 0.5])
    np.testing.assert_array_equal(np.concatenate(everything), [NAN, 0, 0.5, 0.5, 1, 0.75])


@pytest.mark.parametrize("how", ["per_video", "global"])
def test_constant_scores_are_normalised_to_zero(how):
    np.testing.assert_array_equal(normalise([np.array([NAN, 2.0, 2.0])], how)[0], [NAN, 0, 0])
    assert np.isnan(normalise([np.full(3, NAN)], how)[0]).all()


def test_unknown_normalisation():
    with pytest.raises(ValueError, match="unknown normalisation 'z'"):
        normalise([], "z")


def test_smoothing_keeps_unscored_frames_and_constants_and_the_mean_of_an_impulse():
    impulse = np.zeros(101)
    impulse[50] = 1
    smoothed = smooth([np.concatenate([[NAN] * 8, impulse, [NAN] * 7]), np.full(20, 3.0)], 3.0)
    assert np.isnan(smoothed[0][:8]).all()
    assert np.isnan(smoothed[0][-7:]).all()
    assert smoothed[0][8:-7].sum() == pytest.approx(1)
    assert smoothed[0][58] == pytest.approx(1 / (3 * math.sqrt(2 * math.pi)), rel=1e-3)
    np.testing.assert_allclose(smoothed[1], 3.0)


# Frame figures.


@settings(max_examples=60, deadline=None)
@given(labelled_scores())
def test_micro_auc_is_the_share_of_pairs_in_order(case):
    s, y = case
    assert frame_metrics([s], [y])["auc_micro_raw"] == pytest.approx(pair_count(y, s))


@settings(max_examples=60, deadline=None)
@given(labelled_scores())
def test_normal_as_positive_on_regularity_is_the_same_number(case):
    s, y = case
    assert roc_auc(1 - y, 1 - s) == pytest.approx(roc_auc(y, s))


@settings(max_examples=60, deadline=None)
@given(labelled_scores(), labelled_scores())
def test_raw_figures_do_not_change_under_a_monotone_map(first, second):
    scores, labels = [first[0], second[0]], [first[1], second[1]]
    before = frame_metrics(scores, labels)
    after = frame_metrics([np.exp(s) * 3 - 1 for s in scores], labels)
    for key in ("auc_micro_raw", "eer_raw", "average_precision_raw", "auc_macro"):
        assert after[key] == pytest.approx(before[key])


@settings(max_examples=30, deadline=None)
@given(labelled_scores(), labelled_scores())
def test_global_normalisation_changes_no_figure(first, second):
    figures = frame_metrics([first[0], second[0]], [first[1], second[1]])
    for key in ("auc_micro", "eer", "average_precision"):
        assert figures[f"{key}_global"] == pytest.approx(figures[f"{key}_raw"])


def test_per_video_normalisation_makes_videos_comparable():
    scores = [np.array([0.0, 1.0, 2.0]), np.array([100.0, 101.0, 102.0])]
    labels = [np.array([0, 1, 1]), np.array([0, 1, 1])]
    figures = frame_metrics(scores, labels)
    assert figures["auc_micro_per_video"] == 1
    assert figures["auc_micro_raw"] == pytest.approx(
        pair_count(np.concatenate(labels), np.concatenate(scores))
    )
    assert figures["auc_macro"] == 1
    assert figures["auc_macro_videos"] == 2


def test_macro_is_over_videos_with_both_classes():
    scores = [np.array([0.0, 1.0]), np.array([1.0, 0.0]), np.array([5.0, 6.0])]
    labels = [np.array([0, 1]), np.array([0, 1]), np.array([1, 1])]
    figures = frame_metrics(scores, labels)
    assert figures["auc_macro"] == 0.5
    assert (figures["auc_macro_videos"], figures["videos"]) == (2, 3)


def test_unscored_and_unlabelled_frames_count_nowhere():
    scores = [np.array([NAN, 0.0, 1.0, 9.0]), np.array([0.5, 0.2])]
    labels = [np.array([1, 0, 1, -1]), np.array([1, 0])]
    figures = frame_metrics(scores, labels)
    assert (figures["frames_scored"], figures["frames_abnormal"]) == (4, 2)
    assert figures["auc_micro_raw"] == 1


def test_constant_scores():
    figures = frame_metrics([np.full(6, 2.0)], [np.array([0, 1, 1, 0, 1, 1])])
    for how in NORMALISATIONS:
        assert figures[f"auc_micro_{how}"] == 0.5
        assert figures[f"eer_{how}"] == 0.5
        assert figures[f"average_precision_{how}"] == pytest.approx(4 / 6)
    assert figures["auc_macro"] == 0.5


@pytest.mark.parametrize("label", [0, 1])
def test_single_class_is_undefined(label):
    figures = frame_metrics([np.arange(4.0)], [np.full(4, label)])
    for how in NORMALISATIONS:
        for key in ("auc_micro", "eer", "average_precision"):
            assert math.isnan(figures[f"{key}_{how}"])
    assert math.isnan(figures["auc_macro"])
    assert figures["auc_macro_videos"] == 0
    assert roc_points([np.arange(4.0)], [np.full(4, label)])[0].size == 0


def test_nothing_scored_is_undefined():
    figures = frame_metrics([np.full(3, NAN)], [np.array([0, 1, 1])])
    assert math.isnan(figures["auc_micro_raw"])
    assert figures["frames_scored"] == 0


def test_eer_of_a_known_curve():
    # At the threshold between 2 and 3 one normal of four and one abnormal of four are wrong.
    y = np.array([0, 0, 0, 1, 0, 1, 1, 1])
    assert equal_error_rate(y, np.arange(8.0)) == pytest.approx(0.25)
    # ROC (0, 0), (0, 1/2), (1, 1): crosses 1 - fpr between the last two, at 1/3.
    assert equal_error_rate(np.array([1, 1, 0]), np.array([2.0, 1.0, 1.0])) == pytest.approx(1 / 3)


def test_average_precision_by_hand():
    # Ranked abnormal, normal, abnormal: precision 1 at recall 1/2, 2/3 at recall 1.
    figures = frame_metrics([np.array([3.0, 2.0, 1.0])], [np.array([1, 0, 1])])
    assert figures["average_precision_raw"] == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_smoothed_figures_only_beside_the_others():
    rng = np.random.default_rng(0)
    labels = [np.repeat([0, 1, 0], 30)]
    scores = [labels[0] + rng.normal(size=90) * 2]
    plain, both = frame_metrics(scores, labels), frame_metrics(scores, labels, smoothing_sigma=5)
    assert not any("smooth" in key for key in plain)
    assert {key: both[key] for key in plain} == plain
    assert both["smoothing_sigma"] == 5
    assert both["auc_micro_raw_smoothed"] > both["auc_micro_raw"]


@pytest.mark.parametrize(
    ("scores", "labels", "message"),
    [
        ([[1.0, np.inf]], [[0, 1]], "Test001: the score of frame 1 is infinite"),
        ([[1.0, 2.0]], [[0, 1, 1]], "Test001: 2 frames have a score entry, but 3 a label"),
        ([[1.0, 2.0]], [[0, 2]], "Test001: labels must be"),
        ([[1.0, 2.0]], [], "scores of 1 videos, but labels of 0"),
    ],
)
def test_scores_that_cannot_be_evaluated(scores, labels, message):
    with pytest.raises(UserError, match=message):
        frame_metrics([np.array(s) for s in scores], [np.array(y) for y in labels], ["Test001"])


# Pixel figures.


def swept_pixel_auc(maps, masks):
    """The 40 % rule by trying every threshold, from the highest down."""
    points = [(0.0, 0.0)]
    for threshold in np.unique(np.concatenate([m.ravel() for m in maps]))[::-1]:
        hits = [(e >= threshold)[g].mean() >= 0.4 for e, g in zip(maps, masks) if g.any()]
        alarms = [(e >= threshold).any() for e, g in zip(maps, masks) if not g.any()]
        points.append((np.mean(alarms), np.mean(hits)))
    return float(np.trapezoid([p[1] for p in points], [p[0] for p in points]))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_pixel_auc_ucsd_equals_a_sweep_over_thresholds(seed):
    rng = np.random.default_rng(seed)
    maps = rng.integers(0, 12, (8, 4, 5)).astype(np.float32)
    masks = rng.random((8, 4, 5)) < rng.choice([0.1, 0.5, 0.9], (8, 1, 1))
    masks[:3], masks[3, 0, 0] = False, True
    metrics = PixelMetrics()
    for error, mask in zip(maps, masks, strict=True):
        metrics.update(error, mask)
    assert metrics.result()["pixel_auc_ucsd"] == pytest.approx(swept_pixel_auc(maps, masks))


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e4])
def test_pixel_auroc_is_within_1e_4_of_the_exact_area(scale):
    rng = np.random.default_rng(1)
    metrics, errors, masks = PixelMetrics(), [], []
    for _ in range(20):
        mask = rng.random((40, 50)) < 0.2
        error = (rng.gamma(2.0, 0.1, mask.shape) * (1 + mask) * scale).astype(np.float32)
        metrics.update(error, mask)
        errors.append(error.ravel())
        masks.append(mask.ravel())
    exact = roc_auc(np.concatenate(masks), np.concatenate(errors))
    assert abs(metrics.result()["pixel_auroc"] - exact) < 1e-4


def test_pixel_auroc_with_ties_is_the_share_of_pairs_in_order():
    error = np.array([[0.0, 0.0, 1.0], [1.0, 2.0, 2.0]])
    mask = np.array([[0, 1, 0], [1, 0, 1]])
    metrics = PixelMetrics()
    metrics.update(error, mask)
    assert metrics.result()["pixel_auroc"] == pytest.approx(pair_count(mask, error))


def test_error_maps_are_brought_to_the_size_of_the_mask():
    mask = np.zeros((40, 60))
    mask[:, 30:] = 255
    for shape in ((8, 12), (80, 120)):
        error = np.zeros(shape)
        error[:, shape[1] // 2 :] = 1
        metrics = PixelMetrics()
        metrics.update(error, mask)
        assert metrics.result()["pixel_auroc"] > 0.99


def test_pixel_figures_of_a_single_class_are_undefined():
    metrics = PixelMetrics()
    assert math.isnan(metrics.result()["pixel_auroc"])
    metrics.update(np.ones((4, 4)), np.zeros((4, 4)))
    result = metrics.result()
    assert math.isnan(result["pixel_auc_ucsd"])
    assert math.isnan(result["pixel_auroc"])
    assert result["pixel_frames"] == 1


def test_constant_error_maps():
    metrics = PixelMetrics()
    metrics.update(np.ones((4, 4)), np.zeros((4, 4)))
    metrics.update(np.ones((4, 4)), np.eye(4))
    result = metrics.result()
    assert result["pixel_auc_ucsd"] == result["pixel_auroc"] == 0.5


@pytest.mark.parametrize("bad", [NAN, np.inf, -1.0])
def test_bad_error_map_names_the_video(bad):
    with pytest.raises(UserError, match="Test004: an error map"):
        PixelMetrics().update(np.full((2, 2), bad), np.zeros((2, 2)), "Test004")
