"""Moments over time: against SciPy, and the law by which stretches are added up."""

from __future__ import annotations

from functools import reduce
from operator import add

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tonotope.features.moments import STATISTICS, Moments

FRAMES = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 40), st.just(3)),
    elements=st.floats(-1000, 1000, width=32),
)


def test_statistics_are_scipys():
    rng = np.random.default_rng(5)
    frames = np.column_stack(
        [rng.gamma(2, size=5000), 1e4 + rng.standard_normal(5000), rng.integers(0, 2, 5000)]
    ).astype(np.float32)
    values = frames.astype(np.float64)
    expected = {
        "mean": values.mean(axis=0),
        "std": values.std(axis=0),
        "skew": scipy.stats.skew(values),
        "kurtosis": scipy.stats.kurtosis(values),
        "median": np.median(values, axis=0),
        "min": values.min(axis=0),
        "max": values.max(axis=0),
    }
    statistics = Moments.of(frames).statistics()
    assert statistics.shape == (3, 7)
    for k, name in enumerate(STATISTICS):
        np.testing.assert_allclose(statistics[:, k], expected[name], rtol=1e-9, atol=1e-9)


@settings(max_examples=200, deadline=None)
@given(st.lists(FRAMES, min_size=2, max_size=5))
def test_the_moments_of_stretches_add_up_to_those_of_the_whole(stretches):
    whole = Moments.of(np.concatenate(stretches))
    added = reduce(add, map(Moments.of, stretches))
    largest = max(1e-30, *(float(np.abs(stretch).max()) for stretch in stretches))
    assert added.n_frames == whole.n_frames
    for power, name in enumerate(("mean", "power_2", "power_3", "power_4"), start=1):
        # Rounding is relative to the largest term of the sum, not to what is left of it.
        scale = whole.n_frames * (2 * largest) ** power
        np.testing.assert_allclose(
            getattr(added, name), getattr(whole, name), rtol=0, atol=1e-13 * scale
        )
    assert np.array_equal(added.minimum, whole.minimum)
    assert np.array_equal(added.maximum, whole.maximum)
    medians = np.stack([np.median(stretch.astype(np.float64), axis=0) for stretch in stretches])
    lengths = [len(stretch) for stretch in stretches]
    np.testing.assert_allclose(
        added.median, np.average(medians, axis=0, weights=lengths), atol=1e-13 * largest
    )


def test_what_never_changes_beyond_rounding_has_no_shape():
    frames = np.full((1000, 2), 0.1, np.float32)
    frames[::10, 1] = np.nextafter(np.float32(0.1), np.float32(1))
    for statistics in Moments.of(frames).statistics():
        assert statistics == pytest.approx([0.1, 0, 0, 0, 0.1, 0.1, 0.1], abs=1e-7)
        assert statistics[2] == statistics[3] == 0


def test_a_single_column_may_come_without_its_axis():
    values = np.arange(7, dtype=np.float32)
    whole = Moments.of(values[:, np.newaxis]).statistics()
    assert np.array_equal(Moments.of(values).statistics(), whole)


def test_columns_are_summed_in_chunks_that_change_nothing():
    frames = np.random.default_rng(2).standard_normal((30_000, 19)).astype(np.float32)
    one_by_one = [Moments.of(frames[:, k]).statistics()[0] for k in range(19)]
    np.testing.assert_allclose(Moments.of(frames).statistics(), one_by_one, rtol=1e-12, atol=1e-12)
