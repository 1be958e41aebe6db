"""Scores of numbers: by hand, and the same as scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn import metrics as sklearn_metrics

from tonotope.training.evaluation.regression import mean_absolute_error, r_squared

NUMBERS = st.floats(-1000, 1000, width=32)


def test_by_hand() -> None:
    truth, predicted = [100, 120, 140], [110, 120, 130]
    assert mean_absolute_error(truth, predicted) == pytest.approx(20 / 3)
    assert r_squared(truth, predicted) == pytest.approx(1 - 200 / 800)
    assert r_squared(truth, truth) == 1
    assert r_squared(truth, [120] * 3) == 0
    assert r_squared(truth, [140, 120, 100]) == -3


@settings(max_examples=50)
@given(arrays.arrays(np.float64, (12, 2), elements=NUMBERS))
def test_as_scikit_learn(pairs: np.ndarray) -> None:
    truth, predicted = pairs.T
    assume(truth.std() > 1e-3)
    assert r_squared(truth, predicted) == pytest.approx(sklearn_metrics.r2_score(truth, predicted))
    assert mean_absolute_error(truth, predicted) == pytest.approx(
        sklearn_metrics.mean_absolute_error(truth, predicted)
    )


@pytest.mark.parametrize(
    ("truth", "predicted", "message"),
    [
        ([], [], "with a clip"),
        ([1, 2], [1], "expected the same"),
        ([1, 2], [1, np.nan], "not all finite"),
        ([1, np.inf], [1, 2], "not all finite"),
        ([3, 3], [1, 2], "no variance"),
    ],
)
def test_what_cannot_be_scored(truth: list, predicted: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        r_squared(truth, predicted)
