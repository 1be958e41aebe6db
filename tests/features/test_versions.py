"""Numbers that change without their family's version would be mistaken for up to date.

When this fails because a number was meant to change: raise the family's version in
`tonotope.features.FAMILY_VERSIONS`, and write the new numbers here beside it.
"""

from __future__ import annotations

import numpy as np
import pytest

from tonotope.features import FAMILY_VERSIONS, analyze
from tonotope.features.estimates import ESTIMATES
from tonotope.features.tables import FAMILIES, family_columns, table_columns, table_row

RATE_HZ = 22050

PINNED: dict[str, tuple[int, dict[str, float]]] = {
    "timbre": (
        2,
        {
            "n_columns": 231,
            "sum_of_magnitudes": 43620.6,
            "mfcc_02_mean": 42.68,
            "spectral_contrast_07_db_median": 13.151,
            "spectral_centroid_hz_mean": 1998.8,
            "spectral_flatness_std": 0.35954,
            "rms_max": 0.092477,
        },
    ),
    "harmony": (
        3,
        {
            "n_columns": 382,
            "sum_of_magnitudes": 1566.79,
            "chroma_stft_10_mean": 0.83741,
            "chroma_cqt_01_mean": 0.54475,
            "chroma_cens_05_median": 0.49877,
            "tonnetz_03_mean": -0.3105,
            "pitch_class_profile_10_mean": 0.83636,
            "key_tonic": 9.0,
            "tuning_semitones": 0.04,
        },
    ),
    "rhythm": (
        2,
        {
            "n_columns": 25,
            "sum_of_magnitudes": 636.257,
            "onset_strength_db_mean": 2.0062,
            "tempo_bpm": 117.45,
            "beats_per_minute": 100.0,
            "pulse_clarity": 0.89764,
            "danceability": 0.81321,
            "fluctuation_maximum": 0.36429,
            "beat_histogram_first_bpm": 119.0,
        },
    ),
    "level": (
        1,
        {
            "n_columns": 4,
            "sum_of_magnitudes": 29.8582,
            "integrated_loudness_lufs": -22.739,
            "loudness_range_lu": 1.0568,
            "true_peak_dbtp": -5.5728,
            "dynamic_complexity_db": 0.48923,
        },
    ),
    "estimates": (
        1,
        {
            "energy_estimate": 0.61382,
            "danceability_estimate": 0.6683,
            "acousticness_estimate": 0.32034,
            "valence_estimate": 0.36509,
        },
    ),
}


def sound() -> np.ndarray:
    """Return six seconds of silence, a chord, noise, and a beat at 120 bpm."""
    rng = np.random.default_rng(11)
    time_s = np.arange(6 * RATE_HZ) / RATE_HZ
    chord = sum(np.sin(2 * np.pi * f * time_s) for f in (220.0, 262.5, 331.0, 441.0))
    beat = np.exp(-15 * np.mod(time_s, 0.5)) * rng.standard_normal(len(time_s))
    return ((0.05 * chord + 0.1 * beat) * (time_s > 1)).astype(np.float32)


@pytest.fixture(scope="module")
def row() -> dict[str, float]:
    numbers = table_row(analyze([sound()]), "tonotope").tolist()
    return dict(zip(table_columns("tonotope"), numbers, strict=True))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_numbers_are_those_of_the_version(family: str, row: dict[str, float]) -> None:
    version, numbers = PINNED[family]
    assert FAMILY_VERSIONS[family] == version
    columns = family_columns(family)
    assert len(columns) == numbers["n_columns"]
    total = sum(abs(row[column]) for column in columns if np.isfinite(row[column]))
    assert total == pytest.approx(numbers["sum_of_magnitudes"], rel=1e-4)
    for column, number in numbers.items():
        if column in row:
            assert row[column] == pytest.approx(number, rel=1e-3, abs=1e-5), column


def test_the_estimates_are_those_of_all_versions(row: dict[str, float]) -> None:
    expected = PINNED["estimates"][1]
    assert {name: row[name] for name in ESTIMATES} == pytest.approx(expected, rel=1e-3)
