"""Moments over time: against SciPy, and the law by which stretches are added up."""

from __future__ import annotations

import re
from functools import reduce
from operator import add
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tonotope.features.summary import (
    DESCRIPTORS,
    STATISTICS,
    SUMMARY_COLUMNS,
    Moments,
    summary_vector,
)

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


def test_the_vector_has_the_descriptors_one_after_the_other_and_the_tempo_last():
    frames = np.arange(2 * len(DESCRIPTORS), dtype=np.float32).reshape(2, -1)
    vector = summary_vector(Moments.of(frames), 123.0)
    assert vector.shape == (len(SUMMARY_COLUMNS),)
    assert vector.dtype == np.float32
    named = dict(zip(SUMMARY_COLUMNS, vector, strict=True))
    for k, descriptor in enumerate(DESCRIPTORS):
        assert named[f"{descriptor}_min"] == k
        assert named[f"{descriptor}_max"] == k + len(DESCRIPTORS)
        assert named[f"{descriptor}_mean"] == k + len(DESCRIPTORS) / 2
    assert named["tempo_bpm"] == 123


def test_every_column_is_documented():
    page = (Path(__file__).parents[2] / "docs" / "features.md").read_text(encoding="utf-8")
    for descriptor in DESCRIPTORS:
        # Of a numbered family the page names the first member.
        assert f"`{re.sub('_[0-9]{2}', '_01', descriptor)}`" in page
    for name in STATISTICS:
        assert f"`{name}`" in page
    assert "`tempo_bpm`" in page
