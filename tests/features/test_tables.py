"""Rows with named columns: the FMA data set's, Tonotope's own, and those of any descriptors."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats

from tonotope.features import DESCRIPTORS, FAMILY_VERSIONS, analyze
from tonotope.features.estimates import ESTIMATES, estimate
from tonotope.features.stream import DescriptorStream
from tonotope.features.tables import (
    FAMILIES,
    family_columns,
    family_features,
    family_row,
    table_columns,
    table_features,
    table_row,
    whole_row,
)

RATE_HZ = 22050


@pytest.fixture(scope="module")
def signal() -> np.ndarray:
    """Return eight seconds of a chord with a beat at 120 bpm."""
    rng = np.random.default_rng(4)
    time_s = np.arange(8 * RATE_HZ) / RATE_HZ
    chord = sum(np.sin(2 * np.pi * f * time_s) for f in (261.6, 329.6, 392.0))
    beat = np.exp(-20 * np.mod(time_s, 0.5)) * rng.standard_normal(len(time_s))
    return (0.1 * chord + 0.2 * beat).astype(np.float32)


# As the data set's own `features.py` makes them: every feature's size and moments, sorted.
FMA_SIZES = {
    "chroma_stft": 12,
    "chroma_cqt": 12,
    "chroma_cens": 12,
    "tonnetz": 6,
    "mfcc": 20,
    "rmse": 1,
    "zcr": 1,
    "spectral_centroid": 1,
    "spectral_bandwidth": 1,
    "spectral_contrast": 7,
    "spectral_rolloff": 1,
}
FMA_MOMENTS = ("mean", "std", "skew", "kurtosis", "median", "min", "max")


def test_fma518_has_the_data_sets_columns_in_its_order() -> None:
    expected = sorted(
        (name, moment, f"{number:02d}")
        for name, size in FMA_SIZES.items()
        for moment in FMA_MOMENTS
        for number in range(1, size + 1)
    )
    columns = table_columns("fma518")
    assert len(columns) == 518
    assert list(columns) == ["_".join(parts) for parts in expected]


def test_fma518_holds_the_statistics_of_its_features(signal: np.ndarray) -> None:
    descriptors = analyze([signal], [*table_features("fma518"), "chroma_cqt"])
    row = dict(zip(table_columns("fma518"), table_row(descriptors, "fma518"), strict=True))
    contrast = descriptors["spectral_contrast"][:, 2].astype(np.float64)
    assert row["spectral_contrast_mean_03"] == pytest.approx(contrast.mean(), rel=1e-6)
    assert row["spectral_contrast_skew_03"] == pytest.approx(scipy.stats.skew(contrast), rel=1e-5)
    assert row["zcr_max_01"] == descriptors["zero_crossing_rate"].max()
    assert row["rmse_median_01"] == pytest.approx(np.median(descriptors["rms"]), rel=1e-6)
    # Of 12 bins per octave, as there; tonnetz of CENS, as there.
    assert row["chroma_cqt_mean_05"] == pytest.approx(
        descriptors["chroma_cqt_12"][:, 4].mean(), rel=1e-5
    )
    assert row["chroma_cqt_mean_05"] != pytest.approx(
        descriptors["chroma_cqt"][:, 4].mean(), rel=1e-3
    )
    assert row["tonnetz_std_06"] == pytest.approx(descriptors["tonnetz_cens_12"][:, 5].std())


def test_tonotope_is_its_families_and_the_estimates(signal: np.ndarray) -> None:
    assert set(FAMILIES) == set(FAMILY_VERSIONS)
    columns = table_columns("tonotope")
    of_families = [column for family in FAMILIES for column in family_columns(family)]
    assert list(columns) == [*of_families, *ESTIMATES]
    assert len(columns) == len(set(columns))
    assert len(columns) == 646
    descriptors = analyze([signal], table_features("tonotope"))
    row = table_row(descriptors, "tonotope")
    rows = [family_row(descriptors, family) for family in FAMILIES]
    assert np.array_equal(row, whole_row(rows))
    named = dict(zip(columns, row.tolist(), strict=True))
    assert named["spectral_centroid_hz_mean"] == pytest.approx(
        descriptors["spectral_centroid"].mean(), rel=1e-6
    )
    assert named["tempo_bpm"] == pytest.approx(descriptors["tempo"].bpm)
    assert named["key_tonic"] == 0  # C
    assert named["key_is_major"] == 1
    assert named["beats_per_minute"] == pytest.approx(len(descriptors["beat_times"]) * 60 / 8)
    assert named["integrated_loudness_lufs"] == pytest.approx(
        descriptors["level"].integrated_lufs, rel=1e-6
    )


def test_bounded_memory_gives_the_same_row(signal: np.ndarray) -> None:
    stream = DescriptorStream(table_features("tonotope"), keep_frames=False)
    stream.push(signal)
    stream.finish()
    whole = table_row(analyze([signal]), "tonotope")
    np.testing.assert_allclose(table_row(stream.result(), "tonotope"), whole, rtol=1e-5, atol=1e-6)


def test_a_family_is_computed_alone_as_with_the_others(signal: np.ndarray) -> None:
    whole = analyze([signal])
    for family in FAMILIES:
        alone = analyze([signal], family_features(family))
        np.testing.assert_allclose(
            family_row(alone, family), family_row(whole, family), rtol=1e-5, atol=1e-5
        )


def test_a_table_of_named_descriptors(signal: np.ndarray) -> None:
    names = ["tempo", "spectral_contrast"]
    columns = table_columns(names)
    assert columns[:3] == ("tempo_bpm", "tempo_confidence", "spectral_contrast_01_db_mean")
    assert len(table_row(analyze([signal], names), names)) == len(columns) == 2 + 7 * 7


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("fma", "no table is called 'fma'.*fma518, tonotope"),
        (["mfcc", "timbre"], "no descriptor is called 'timbre'"),
        (["cqt"], "'cqt' has no columns"),
        (["rhythm_patterns"], "'rhythm_patterns' has no columns"),
    ],
)
def test_what_is_no_table_is_refused(table: str | list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        table_columns(table)


def test_every_descriptor_has_columns_or_says_that_it_has_none() -> None:
    for name in DESCRIPTORS:
        try:
            columns = table_columns([name])
        except ValueError:
            assert name in {"cqt", "key_profile", "beat_histogram", "rhythm_patterns"}
        else:
            assert columns


# Estimates, by hand.

LOUD_AND_BRIGHT = {
    "integrated_loudness_lufs": -8.0,
    "spectral_centroid_hz_mean": 3500.0,
    "onset_strength_db_mean": 2.5,
    "spectral_flatness_mean": 0.1,
    "tempo_bpm": 120.0,
    "pulse_clarity": 0.9,
    "danceability": 2.2,
    "key_is_major": 1.0,
    "key_confidence": 1.0,
}


def test_estimates_are_the_formulas_of_their_docstring() -> None:
    energy, danceability, acousticness, valence = estimate(LOUD_AND_BRIGHT)
    assert (energy, danceability, acousticness) == (1, 1, 0)
    assert valence == pytest.approx(0.35 + 0.35 * 0.6 + 0.3)
    quiet = LOUD_AND_BRIGHT | {"integrated_loudness_lufs": -24.0, "key_is_major": 0.0}
    energy, _, acousticness, valence = estimate(quiet)
    assert energy == pytest.approx((0.5 + 1 + 1) / 3)
    assert acousticness == pytest.approx(0.5 / 3)
    assert valence == pytest.approx(0.35 * 0.6 + 0.3)
    slow = LOUD_AND_BRIGHT | {"tempo_bpm": 60.0, "key_is_major": math.nan}
    _, danceability, _, valence = estimate(slow)
    assert danceability == pytest.approx((2 + math.exp(-2)) / 3)
    assert valence == pytest.approx(0.35 * 0.5 + 0.3)


def test_estimates_of_silence_are_0() -> None:
    assert estimate(LOUD_AND_BRIGHT | {"integrated_loudness_lufs": math.nan}) == (0, 0, 0, 0)
