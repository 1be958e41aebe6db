"""Estimates of what listeners call energy, danceability, acousticness and valence.

Each is a plain formula of measured descriptors, between 0 and 1. Nobody was asked what they hear:
the names are those that other services made common, the numbers are not theirs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

__all__ = ["ESTIMATES", "estimate"]

ESTIMATES = (
    "energy_estimate",
    "danceability_estimate",
    "acousticness_estimate",
    "valence_estimate",
)
"""The columns, in order."""


def _scaled(value: float, low: float, high: float) -> float:
    """Return 0 at `low` and below, 1 at `high` and above, in between in proportion."""
    return min(1.0, max(0.0, (value - low) / (high - low)))


def estimate(row: Mapping[str, float]) -> tuple[float, ...]:
    """Return the `ESTIMATES` of a track.

    Parameters
    ----------
    row
        The columns of the table ``tonotope`` by name. Of silence all estimates are 0.

    Returns
    -------
    tuple of float
        Energy: the mean of loudness (from -40 to -8 LUFS), onset strength (0 to 2.5 dB per frame)
        and brightness (the mean spectral centroid from 500 to 3500 Hz), each scaled to 0 to 1.

        Danceability: the mean of pulse clarity (0 to 0.9), the detrended-fluctuation measure
        (0.8 to 2.2), and how near the tempo is to 120 bpm (a bell half an octave wide).

        Acousticness: 1 less the mean of brightness, loudness and the mean spectral flatness on a
        logarithmic scale (1e-4 to 0.1).

        Valence: 0.35 times how surely the key is major rather than minor (0 to 1, 0.5 where the
        key is unsure), 0.35 times the tempo (60 to 160 bpm) and 0.3 times brightness.
    """
    loudness_lufs = row["integrated_loudness_lufs"]
    if math.isnan(loudness_lufs):
        return (0.0,) * len(ESTIMATES)
    loudness = _scaled(loudness_lufs, -40, -8)
    brightness = _scaled(row["spectral_centroid_hz_mean"], 500, 3500)
    onsets = _scaled(row["onset_strength_db_mean"], 0, 2.5)
    flatness = max(row["spectral_flatness_mean"], 1e-10)
    noisiness = _scaled(math.log10(flatness), -4, -1)
    tempo_bpm = row["tempo_bpm"]
    octaves = math.log2(tempo_bpm / 120) if tempo_bpm > 0 else math.inf
    steadiness = _scaled(row["pulse_clarity"], 0, 0.9)
    evenness = _scaled(row["danceability"], 0.8, 2.2)
    is_major = row["key_is_major"]
    lean = 0.0 if math.isnan(is_major) else (is_major - 0.5) * row["key_confidence"]
    return (
        (loudness + onsets + brightness) / 3,
        (steadiness + evenness + math.exp(-0.5 * (octaves / 0.5) ** 2)) / 3,
        1 - (brightness + loudness + noisiness) / 3,
        0.35 * (0.5 + lean) + 0.35 * _scaled(tempo_bpm, 60, 160) + 0.3 * brightness,
    )
