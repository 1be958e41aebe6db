"""Scores: by hand on small cases, and the same numbers as scikit-learn on any."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats import binomtest
from sklearn import metrics as sklearn_metrics

from tonotope.training.clips import Clip
from tonotope.training.evaluation import metrics
from tonotope.training.evaluation.calibration import (
    expected_calibration_error,
    fit_temperature,
    reliability,
    risk_coverage,
    unknown_threshold,
    with_temperature,
)
from tonotope.training.evaluation.significance import bootstrap_intervals, clusters_of, mcnemar

N_LABELS = 4
TRUTH = np.array([0, 0, 0, 1, 1, 2])
PREDICTED = np.array([0, 0, 1, 1, 3, 2])


@st.composite
def predictions(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Return truth and probabilities, without ties."""
    n_clips = draw(st.integers(1, 40))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    shares = rng.random((n_clips, N_LABELS)) ** draw(st.sampled_from([1, 4]))
    truth = draw(arrays.arrays(np.intp, n_clips, elements=st.integers(0, N_LABELS - 1)))
    return truth, shares / shares.sum(axis=1, keepdims=True)


def sure_of(label: int, confidence: float, n_labels: int = N_LABELS) -> np.ndarray:
    """Return a row whose likeliest label is known, with the rest spread evenly."""
    row = np.full(n_labels, (1 - confidence) / (n_labels - 1))
    row[label] = confidence
    return row


# Accuracy, recall, F1


def test_by_hand() -> None:
    assert metrics.accuracy(TRUTH, PREDICTED) == pytest.approx(4 / 6)
    # Recall: 2 of 3, 1 of 2, 1 of 1; genre 3 has no clip and does not count.
    assert metrics.balanced_accuracy(TRUTH, PREDICTED) == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)
    # F1 = 2 tp / (support + predicted): 4/5, 2/4, 2/2, and 0 of genre 3, which was predicted once.
    assert metrics.macro_f1(TRUTH, PREDICTED) == pytest.approx((4 / 5 + 1 / 2 + 1 + 0) / 4)


def test_confusion_by_hand() -> None:
    expected = [[2, 1, 0, 0], [0, 1, 0, 1], [0, 0, 1, 0], [0, 0, 0, 0]]
    assert metrics.confusion_matrix(TRUTH, PREDICTED, N_LABELS).tolist() == expected


def test_scores_of_each_genre_by_hand() -> None:
    scores = metrics.genre_scores(metrics.confusion_matrix(TRUTH, PREDICTED, N_LABELS))
    assert scores.precision.tolist() == [1, 1 / 2, 1, 0]
    assert scores.recall == pytest.approx([2 / 3, 1 / 2, 1, 0])
    assert scores.f1 == pytest.approx([4 / 5, 1 / 2, 1, 0])
    assert scores.support.tolist() == [3, 2, 1, 0]
    assert scores.n_predicted.tolist() == [2, 2, 1, 1]


def test_top_k_by_hand() -> None:
    probabilities = [[0.5, 0.3, 0.2, 0.0], [0.5, 0.3, 0.2, 0.0], [0.1, 0.2, 0.3, 0.4]]
    truth = [1, 3, 0]
    assert [metrics.top_k_accuracy(truth, probabilities, k) for k in (1, 2, 3, 4, 9)] == [
        0, pytest.approx(1 / 3), pytest.approx(1 / 3), 1, 1
    ]  # fmt: skip


def test_of_equal_probabilities_the_first_count() -> None:
    even = np.full((4, N_LABELS), 1 / N_LABELS)
    assert metrics.predictions_of(even).tolist() == [0, 0, 0, 0]
    assert metrics.in_top_k([0, 1, 2, 3], even, 2).tolist() == [True, True, False, False]


@given(predictions())
def test_the_same_as_scikit_learn(given_: tuple[np.ndarray, np.ndarray]) -> None:
    truth, probabilities = given_
    guess = metrics.predictions_of(probabilities)
    assert metrics.accuracy(truth, guess) == pytest.approx(
        sklearn_metrics.accuracy_score(truth, guess)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of genres without clips, which are meant
        expected = sklearn_metrics.balanced_accuracy_score(truth, guess)
    assert metrics.balanced_accuracy(truth, guess) == pytest.approx(expected)
    assert metrics.macro_f1(truth, guess) == pytest.approx(
        sklearn_metrics.f1_score(truth, guess, average="macro", zero_division=0)
    )
    labels = list(range(N_LABELS))
    confusion = metrics.confusion_matrix(truth, guess, N_LABELS)
    assert np.array_equal(confusion, sklearn_metrics.confusion_matrix(truth, guess, labels=labels))
    scores = metrics.genre_scores(confusion)
    expected = sklearn_metrics.precision_recall_fscore_support(
        truth, guess, labels=labels, zero_division=0
    )
    for ours, theirs in zip(
        (scores.precision, scores.recall, scores.f1, scores.support), expected, strict=True
    ):
        assert ours == pytest.approx(theirs)
    for k in (1, 2, 3):
        assert metrics.top_k_accuracy(truth, probabilities, k) == pytest.approx(
            sklearn_metrics.top_k_accuracy_score(truth, probabilities, k=k, labels=labels)
        )


# Several labels per clip


def test_average_precision_by_hand() -> None:
    # Ranked: hit, miss, hit. Precision at the hits 1 and 2/3, recall gained 1/2 each.
    assert metrics.mean_average_precision([[1], [0], [1]], [[0.9], [0.8], [0.1]]) == pytest.approx(
        (1 + 2 / 3) / 2
    )


def test_roc_auc_by_hand() -> None:
    # Of the four pairs of a clip with and one without it, two are in order, one is equal.
    assert metrics.mean_roc_auc([[1], [0], [1], [0]], [[3.0], [2.0], [2.0], [2.5]]) == (
        pytest.approx(2.5 / 4)
    )


@given(
    arrays.arrays(np.int8, (12, 3), elements=st.integers(0, 1)),
    arrays.arrays(np.float64, (12, 3), elements=st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9])),
)
def test_several_labels_as_scikit_learn(targets: np.ndarray, scores: np.ndarray) -> None:
    occurs = targets.any(axis=0)
    if occurs.any():
        assert metrics.mean_average_precision(targets, scores) == pytest.approx(
            sklearn_metrics.average_precision_score(targets[:, occurs], scores[:, occurs])
        )
    parts = occurs & ~targets.all(axis=0)
    if parts.any():
        assert metrics.mean_roc_auc(targets, scores) == pytest.approx(
            sklearn_metrics.roc_auc_score(targets[:, parts], scores[:, parts])
        )


# What is refused


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (partial(metrics.accuracy, [], []), "with a clip"),
        (partial(metrics.accuracy, [0, 1], [0]), "2 clips have a genre, but 1 have"),
        (partial(metrics.accuracy, [0.0], [0]), "expected integers"),
        (partial(metrics.accuracy, [-1], [0]), "the label -1"),
        (partial(metrics.confusion_matrix, [0], [3], 3), "the label 3, expected 0 to 2"),
        (partial(metrics.genre_scores, [[1, 2]]), "expected a square"),
        (partial(metrics.validate, [0], [0.5, 0.5]), "expected \\(n_clips, n_labels\\)"),
        (partial(metrics.validate, [0, 0], [[0.5, 0.5]]), "2 clips have a genre, but 1 have"),
        (partial(metrics.validate, [2], [[0.5, 0.5]]), "the label 2, expected 0 to 1"),
        (partial(metrics.validate, [0], [[0.7, 0.7]]), "row 0 of the probabilities"),
        (partial(metrics.validate, [0, 0], [[0.5, 0.5], [1.5, -0.5]]), "row 1 of the prob"),
        (partial(metrics.validate, [0], [[np.nan, 1.0]]), "row 0 of the probabilities"),
        (partial(metrics.top_k_accuracy, [0], [[1.0, 0.0]], 0), "k is 0"),
        (partial(metrics.mean_roc_auc, [[1]], [[1.0], [2.0]]), "expected the same"),
        (partial(metrics.mean_roc_auc, [[2]], [[1.0]]), "not all 0 or 1"),
        (partial(metrics.mean_roc_auc, [[1]], [[np.inf]]), "not all finite"),
        (partial(metrics.mean_roc_auc, [[1]], [[1.0]]), "nothing to score"),
        (partial(metrics.mean_average_precision, [[0]], [[1.0]]), "nothing to score"),
        (partial(mcnemar, [True], [True, False]), "asked of"),
        (partial(with_temperature, [[1.0]], 0), "temperature is 0"),
        (partial(bootstrap_intervals, [], np.mean, generator=np.random.default_rng(0)), "clusters"),
    ],
)  # fmt: skip
def test_what_is_malformed_is_refused_by_name(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


# Intervals and comparison


def mean_of(values: np.ndarray) -> Callable[[np.ndarray], list[float]]:
    return lambda drawn: [float(values[drawn].mean())]


def test_clips_of_an_artist_are_one_cluster() -> None:
    clips = [
        Clip("a", "rock", artist="Bob  Marley", recording="1"),
        Clip("b", "rock", artist="bob marley", recording="2"),
        Clip("c", "rock", recording="3"),
        Clip("d", "rock", recording="3"),
        Clip("e", "rock"),
        # An artist that is called like a recording is not that recording.
        Clip("f", "rock", artist="3"),
    ]
    assert clusters_of(clips).tolist() == [0, 0, 1, 1, 2, 3]


def test_the_interval_of_independent_clips_is_the_binomial_one() -> None:
    right = np.repeat([1.0, 0.0], [120, 80])
    ((low, high),) = bootstrap_intervals(
        np.arange(200), mean_of(right), generator=np.random.default_rng(0)
    )
    exact = binomtest(120, 200).proportion_ci(0.95)
    assert (low, high) == pytest.approx((exact.low, exact.high), abs=0.01)


def test_an_interval_over_artists_is_wider() -> None:
    """Ten clips of each of 20 artists that are all right or all wrong count as 20, not 200."""
    right = np.repeat(np.repeat([1.0, 0.0], [12, 8]), 10)
    rng = np.random.default_rng
    ((low, high),) = bootstrap_intervals(
        np.repeat(np.arange(20), 10), mean_of(right), generator=rng(0)
    )
    ((alone_low, alone_high),) = bootstrap_intervals(
        np.arange(20), mean_of(right[::10]), generator=rng(0)
    )
    assert (low, high) == (alone_low, alone_high)
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(0.6 * 0.4 / 20), rel=0.1)


def test_the_same_seed_gives_the_same_interval() -> None:
    values = np.random.default_rng(1).random(30)
    first, again, other = (
        bootstrap_intervals(
            np.arange(30), mean_of(values), generator=np.random.default_rng(seed), n_resamples=200
        )
        for seed in (3, 3, 4)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_an_interval_of_several_statistics() -> None:
    values = np.arange(50.0)
    found = bootstrap_intervals(
        np.arange(50),
        lambda drawn: [values[drawn].mean(), -values[drawn].mean()],
        generator=np.random.default_rng(0),
        n_resamples=300,
    )
    assert found.shape == (2, 2)
    assert found[0] == pytest.approx(-found[1][::-1])
    assert found[0][0] < 24.5 < found[0][1]


def test_mcnemar_by_hand() -> None:
    first = np.array([True] * 8 + [False] * 2 + [True] * 5 + [False] * 3)
    second = np.array([False] * 8 + [True] * 2 + [True] * 5 + [False] * 3)
    test = mcnemar(first, second)
    assert (test.n_only_first, test.n_only_second) == (8, 2)
    # Two-sided: 2 * P(at most 2 heads of 10) = 2 * (1 + 10 + 45) / 1024.
    assert test.p_value == pytest.approx(112 / 1024)
    assert mcnemar(second, first).p_value == pytest.approx(112 / 1024)


def test_mcnemar_of_a_model_and_itself() -> None:
    assert mcnemar([True, False], [True, False]).p_value == 1


# Calibration


def test_calibration_error_by_hand() -> None:
    # Bin (0.7, 0.8]: two clips of 0.8, one right, gap 0.3. Bin (0.9, 1]: two of 1, both right.
    probabilities = [sure_of(0, 0.8), sure_of(0, 0.8), sure_of(1, 1.0), sure_of(1, 1.0)]
    assert expected_calibration_error([0, 1, 1, 1], probabilities) == pytest.approx(0.15)
    rows = reliability([0, 1, 1, 1], probabilities)
    assert len(rows) == 10
    assert (rows[7].n, rows[7].confidence, rows[7].accuracy) == (2, pytest.approx(0.8), 0.5)
    assert (rows[9].n, rows[9].accuracy) == (2, 1)
    assert (rows[0].n, rows[0].confidence, rows[0].accuracy) == (0, None, None)
    assert [(row.lower, row.upper) for row in rows] == [(k / 10, (k + 1) / 10) for k in range(10)]


def test_bins_hold_their_upper_end() -> None:
    rows = reliability([0, 0], [[0.5, 0.5], [1.0, 0.0]])
    assert [row.n for row in rows] == [0, 0, 0, 0, 1, 0, 0, 0, 0, 1]


def test_probabilities_that_hold_have_no_calibration_error() -> None:
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.ones(N_LABELS), 20_000)
    truth = (rng.random((20_000, 1)) > shares.cumsum(axis=1)).sum(axis=1)
    assert expected_calibration_error(truth, shares) < 0.01
    assert expected_calibration_error(truth, with_temperature(shares, 0.5)) > 0.1


def test_temperature_by_hand() -> None:
    # Odds of 4 to 1 become 2 to 1 where logits are halved.
    assert with_temperature([[0.8, 0.2]], 2.0)[0] == pytest.approx([2 / 3, 1 / 3])
    assert with_temperature([[0.8, 0.2]], 1.0)[0] == pytest.approx([0.8, 0.2])
    assert with_temperature([[1.0, 0.0]], 3.0)[0] == pytest.approx([1, 0], abs=1e-6)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_was_applied_is_found(temperature: float) -> None:
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.ones(N_LABELS), 20_000)
    truth = (rng.random((20_000, 1)) > shares.cumsum(axis=1)).sum(axis=1)
    spoilt = with_temperature(shares, 1 / temperature)
    assert fit_temperature(truth, spoilt) == pytest.approx(temperature, rel=0.05)


def test_a_temperature_survives_probabilities_of_nothing() -> None:
    assert 0.05 <= fit_temperature([0, 1], [[0.0, 1.0], [1.0, 0.0]]) <= 20


# Abstention


CURVE_TRUTH = [0, 0, 1, 0, 1]
CURVE = [sure_of(0, c) for c in (0.9, 0.8, 0.7, 0.6, 0.5)]  # right, right, wrong, right, wrong


def test_risk_and_coverage_by_hand() -> None:
    curve = risk_coverage(CURVE_TRUTH, CURVE)
    assert curve.threshold == pytest.approx([0.9, 0.8, 0.7, 0.6, 0.5])
    assert curve.coverage == pytest.approx([0.2, 0.4, 0.6, 0.8, 1])
    assert curve.risk == pytest.approx([0, 0, 1 / 3, 1 / 4, 2 / 5])
    assert curve.area == pytest.approx((1 / 3 + 1 / 4 + 2 / 5) / 5)


def test_clips_of_equal_confidence_are_answered_together() -> None:
    curve = risk_coverage([0, 1, 0], [sure_of(0, 0.9), sure_of(0, 0.9), sure_of(0, 0.4)])
    assert curve.threshold == pytest.approx([0.9, 0.4])
    assert curve.coverage == pytest.approx([2 / 3, 1])
    assert curve.risk == pytest.approx([1 / 2, 1 / 3])
    assert curve.area == pytest.approx((2 * 1 / 2 + 1 / 3) / 3)


@pytest.mark.parametrize(
    ("precision", "threshold"), [(0.9, 0.8), (0.75, 0.6), (0.7, 0.6), (0.6, 0.0), (1.0, 0.8)]
)
def test_the_smallest_threshold_that_is_right_often_enough(
    precision: float, threshold: float
) -> None:
    assert unknown_threshold(CURVE, CURVE_TRUTH, precision) == pytest.approx(threshold)


def test_no_threshold_makes_the_wrong_right() -> None:
    assert unknown_threshold([sure_of(0, 0.9), sure_of(0, 0.8)], [1, 0]) is None


@pytest.mark.parametrize("n_tens", [1, 2, 3, 7, 100])
def test_nine_of_ten_are_nine_tenths(n_tens: int) -> None:
    rows = [sure_of(0, 0.9)] * 10 * n_tens + [sure_of(0, 0.3)]
    truth = [0] * 9 * n_tens + [1] * n_tens + [1]
    assert unknown_threshold(rows, truth, 0.9) == pytest.approx(0.9)


@settings(max_examples=50)
@given(predictions(), st.floats(0, 1))
def test_what_lies_above_the_threshold_is_right_often_enough(
    given_: tuple[np.ndarray, np.ndarray], precision: float
) -> None:
    truth, probabilities = given_
    threshold = unknown_threshold(probabilities, truth, precision)
    confidence = probabilities.max(axis=1)
    right = metrics.predictions_of(probabilities) == truth

    def is_enough(least: float) -> bool:
        # The share of the wrong is what is computed; the same sum in floats.
        return 1 - (1 - right[confidence >= least].mean()) >= precision

    if threshold is None:
        assert not any(map(is_enough, confidence))
    else:
        assert is_enough(threshold)
        assert not any(is_enough(least) for least in confidence if least < threshold)
