import math

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from test_ucsd_labels import PED1, as_matlab

from vid_jax.errors import UserError
from vid_jax.metrics.anomaly_classifier import CLASSIFIERS, classify
from vid_jax.metrics.ucsd_labels import parse_ucsd_ranges, ranges_to_labels

NAN = np.nan
CLIP = 200  # frames in a clip of UCSD Ped1


def videos(lengths, seed=0, overlap=0.0):
    """Features `level` (tells the label, but for the overlap) and `noise`; half of a video is abnormal."""
    rng = np.random.default_rng(seed)
    labels = [np.arange(n) // (n // 2) % 2 for n in lengths]
    features = [
        np.stack([y + rng.uniform(0, 0.9 + overlap, len(y)), rng.normal(size=len(y))], 1)
        for y in labels
    ]
    return features, labels, [f"Test{i + 1:03d}" for i in range(len(lengths))]


def run(features, labels, names, **settings):
    return classify(features, labels, names, ("level", "noise"), **settings)


def pair_count(y, s):
    """Share of (abnormal, normal) pairs that are in the right order, ties half."""
    abnormal, normal = s[y == 1][:, None], s[y == 0][None, :]
    return float(((abnormal > normal) + 0.5 * (abnormal == normal)).mean())


def test_classes_that_are_apart_are_told_apart():
    features, labels, names = videos([20, 30, 40, 20, 30, 24])
    for result in run(features, labels, names).values():
        assert [p.shape for p in result.probabilities] == [y.shape for y in labels]
        np.testing.assert_array_equal(result.confusion, [[82, 0], [0, 82]])
        assert result.figures == {
            "auc": 1,
            "precision": 1,
            "recall": 1,
            "accuracy": 1,
            "folds": 5,
            "frames": 164,
        }


@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_figures_are_counts_over_all_frames(classifier):
    features, labels, names = videos([20, 30, 40, 20], overlap=1.5)
    result = run(features, labels, names)[classifier]
    y, p = np.concatenate(labels), np.concatenate(result.probabilities)
    hits, alarms = int(((p >= 0.5) & (y == 1)).sum()), int(((p >= 0.5) & (y == 0)).sum())
    misses, rest = int(((p < 0.5) & (y == 1)).sum()), int(((p < 0.5) & (y == 0)).sum())
    np.testing.assert_array_equal(result.confusion, [[rest, alarms], [misses, hits]])
    assert alarms > 0
    assert misses > 0
    figures = result.figures
    assert figures["auc"] == pytest.approx(pair_count(y, p))
    assert figures["precision"] == pytest.approx(hits / (hits + alarms))
    assert figures["recall"] == pytest.approx(hits / (hits + misses))
    assert figures["accuracy"] == pytest.approx((hits + rest) / 110)


def test_logistic_regression_is_that_of_the_other_videos_standardised():
    features, labels, names = videos([20, 30, 40], overlap=1.0)
    result = run(features, labels, names)["logistic_regression"]
    coefficients = []
    for i, held_out in enumerate(features):
        x = np.concatenate(features[:i] + features[i + 1 :])
        y = np.concatenate(labels[:i] + labels[i + 1 :])
        model = LogisticRegression().fit((x - x.mean(0)) / x.std(0), y)
        logits = ((held_out - x.mean(0)) / x.std(0)) @ model.coef_[0] + model.intercept_
        np.testing.assert_allclose(result.probabilities[i], 1 / (1 + np.exp(-logits)), rtol=1e-6)
        coefficients.append(np.abs(model.coef_[0]))
    shares = np.sum(coefficients, axis=0) / np.sum(coefficients)
    assert result.importances == pytest.approx({"level": shares[0], "noise": shares[1]})


def test_no_frame_of_a_video_is_fitted_on_when_it_is_tested():
    # As many folds as videos, so that what is fitted on does not depend on the labels changed.
    features, labels, names = videos([20, 30, 40], overlap=1.0)
    before = run(features, labels, names)
    after = run(features, [labels[0], 1 - labels[1], labels[2]], names)
    for classifier in CLASSIFIERS:
        old, new = before[classifier].probabilities, after[classifier].probabilities
        np.testing.assert_array_equal(new[1], old[1])
        assert not np.array_equal(new[0], old[0])


def test_knowing_a_video_again_does_not_help():
    # The only thing to learn is which video a frame is of: a random split of frames learns it.
    rng = np.random.default_rng(0)
    labels = [np.full(30, i % 2) for i in range(12)]
    features = [rng.normal(size=2) + 0.01 * rng.normal(size=(30, 2)) for _ in labels]
    x, y = np.concatenate(features), np.concatenate(labels)
    fit, test = train_test_split(np.arange(len(y)), random_state=123)
    leaky = RandomForestClassifier(random_state=0).fit(x[fit], y[fit]).score(x[test], y[test])
    assert leaky > 0.98
    for result in run(features, labels, [str(i) for i in range(12)]).values():
        assert result.figures["accuracy"] < 0.75


def test_unscored_and_unlabelled_frames_count_nowhere():
    features, labels, names = videos([20, 30, 40], overlap=1.0)
    kept = [np.arange(len(y)) % 3 > 0 for y in labels]
    expected = run(
        [f[k] for f, k in zip(features, kept, strict=True)],
        [y[k] for y, k in zip(labels, kept, strict=True)],
        names,
    )
    for f, y in zip(features, labels, strict=True):
        f[::6] = NAN
        f[3::12, 1] = NAN
        y[9::12] = -1
    for classifier, result in run(features, labels, names).items():
        assert result.figures == expected[classifier].figures
        assert result.importances == expected[classifier].importances
        for p, q, k in zip(
            result.probabilities, expected[classifier].probabilities, kept, strict=True
        ):
            np.testing.assert_array_equal(p[k], q)
            assert np.isnan(p[~k]).all()


def test_video_without_scores_is_no_fold():
    features, labels, names = videos([20, 30, 40])
    features[1][:] = NAN
    result = run(features, labels, names)["logistic_regression"]
    assert np.isnan(result.probabilities[1]).all()
    assert (result.figures["folds"], result.figures["frames"]) == (2, 60)


def test_importance_goes_to_what_tells_the_classes_apart():
    for result in run(*videos([40, 40, 40, 40])).values():
        assert result.importances["level"] > 0.8
        assert sum(result.importances.values()) == pytest.approx(1)


def test_features_that_tell_nothing_have_no_importance():
    _, labels, names = videos([20, 20])
    for result in run([np.ones((20, 2))] * 2, labels, names).values():
        assert result.importances == {"level": 0, "noise": 0}
        assert result.figures["auc"] == 0.5


def test_unit_and_order_of_magnitude_do_not_matter():
    features, labels, names = videos([20, 30, 40], overlap=1.0)
    scaled = [np.float64(1e-7) * f + np.array([3e-6, 0]) for f in features]
    before, after = run(features, labels, names), run(scaled, labels, names)
    for classifier in CLASSIFIERS:
        for p, q in zip(
            before[classifier].probabilities, after[classifier].probabilities, strict=True
        ):
            np.testing.assert_allclose(p, q, atol=1e-4)


def test_same_seed_same_result_other_seed_other_folds():
    data = videos([20, 30, 40, 20, 30, 24], overlap=1.0)
    first, again, other = (run(*data, folds=2, seed=seed) for seed in (0, 0, 1))
    for classifier in CLASSIFIERS:
        probabilities = [np.concatenate(r[classifier].probabilities) for r in (first, again, other)]
        np.testing.assert_array_equal(probabilities[0], probabilities[1])
        assert not np.array_equal(probabilities[0], probabilities[2])


def test_folds_without_a_class_to_fit_on_are_not_used():
    # Two folds of balanced classes would put both videos with abnormal frames into one.
    labels = [np.repeat([0, 1], n) for n in ((0, 200), (100, 0), (50, 1))]
    features = [np.stack([y, y], 1) + 0.0 for y in labels]
    for result in run(features, labels, "abc", folds=2).values():
        assert result.figures["folds"] == 3
        assert result.figures["frames"] == 351


def test_fewer_abnormal_frames_than_folds():
    labels = [np.repeat([0, 1], (20, i < 2)) for i in range(6)]
    features = [np.stack([y, y], 1) + 0.0 for y in labels]
    for result in run(features, labels, "abcdef").values():
        assert result.figures["folds"] == 2
        assert result.figures["auc"] == 1


def test_precision_is_undefined_where_nothing_is_called_abnormal():
    labels = [np.repeat([0, 1], (40, 1))] * 3
    features = [np.random.default_rng(i).normal(size=(41, 2)) for i in range(3)]
    figures = run(features, labels, "abc")["logistic_regression"].figures
    assert math.isnan(figures["precision"])
    assert figures["recall"] == 0
    assert figures["accuracy"] == pytest.approx(40 / 41)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([], "^0 labelled videos; .* at least 2"),
        ([[0, 1]], "^1 labelled videos; .* at least 2"),
        ([[0, 0], [0, 0]], r"labelled 1 \(abnormal\) are in no video; .* at least 2"),
        ([[1, 1], [1, -1]], r"labelled 0 \(normal\) are in no video; .* at least 2"),
        ([[0, 1], [0, 0]], r"labelled 1 \(abnormal\) are only in Test001; .* at least 2"),
        ([[1, 1], [0, 1]], r"labelled 0 \(normal\) are only in Test002; .* at least 2"),
        ([[0, 1], [-1, -1]], r"labelled 0 \(normal\) are only in Test001; .* at least 2"),
        ([[0, 1], [0, 1, 1]], "Test002: 2 frames have a score entry, but 3 a label"),
        ([[0, 1], [0, 2]], "Test002: labels must be 0, 1 or -1"),
    ],
)
def test_labels_that_cannot_be_learned_from(labels, message):
    features = [np.arange(4.0).reshape(2, 2) for _ in labels]
    with pytest.raises(UserError, match=message):
        run(features, [np.array(y) for y in labels], ["Test001", "Test002"][: len(labels)])


def test_other_input_that_cannot_be_used():
    features, labels, names = videos([20, 20])
    with pytest.raises(UserError, match="cross-validation over 1 folds: give at least 2"):
        run(features, labels, names, folds=1)
    with pytest.raises(UserError, match="scores of 2 videos, but labels of 1"):
        run(features, labels[:1], names)
    features[1][7, 1] = -np.inf
    with pytest.raises(UserError, match="Test002: the score of frame 7 is infinite"):
        run(features, labels, names)


# The mistake that made the classifiers' figures of Microsoft's pipeline meaningless.


def mistaken_labels(ranges: list[list[tuple[int, int]]], clips: list[int]) -> list[np.ndarray]:
    """Labels of a split's clips with each clip's 1-based number, not its place, as the offset."""
    joined = np.zeros(CLIP * len(clips), np.int64)
    for clip in clips:
        for first, last in ranges[clip - 1]:
            joined[clip * CLIP + first : clip * CLIP + last] = 1  # silently nothing past the end
    return np.split(joined, len(clips))


PED1_CLIPS = train_test_split(range(1, 37), test_size=0.5, random_state=123)


@pytest.mark.parametrize(
    ("clips", "agreement"),
    list(zip(PED1_CLIPS, (0.531, 0.468), strict=True)),
    ids=["validation", "test"],
)
def test_labels_at_wrong_offsets_are_noticed(clips, agreement):
    ranges = parse_ucsd_ranges(as_matlab(PED1))
    right = [ranges_to_labels(ranges[clip - 1], CLIP) for clip in clips]
    wrong = mistaken_labels(ranges, clips)
    agrees = np.mean(np.concatenate(right) == np.concatenate(wrong))
    assert agrees == pytest.approx(agreement, abs=5e-4)

    rng = np.random.default_rng(0)
    names = [f"Test{clip:03d}" for clip in clips]
    sparse = slice(None, None, 5)
    features = [y[sparse, None] + rng.uniform(0, 0.9, (CLIP // 5, 2)) for y in right]
    good = run(features, [y[sparse] for y in right], names)
    bad = run(features, [y[sparse] for y in wrong], names)
    for classifier in CLASSIFIERS:
        assert good[classifier].figures["auc"] > 0.999
        assert good[classifier].figures["accuracy"] > 0.999
        # Below one half too: a fold with more of a class leaves fewer of it to fit on.
        assert 0.3 < bad[classifier].figures["auc"] < 0.6
        called = np.concatenate(bad[classifier].probabilities) >= 0.5
        assert 0.3 < np.mean(called == np.concatenate([y[sparse] for y in right])) < 0.6
