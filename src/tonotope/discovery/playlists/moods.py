"""Moods: what is meant by calm or dark, in numbers that were measured.

A mood is a mean of ranks: of how many of the library's tracks have less of something, or more. So
there is always something calm, if only by comparison. Nobody was asked how the music felt; the
estimates are those of `tonotope.features.estimates`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

__all__ = ["MOODS", "mood_columns", "mood_scores"]

MOODS: Mapping[str, Mapping[str, float]] = {
    "calm": {"energy_estimate": -2, "acousticness_estimate": 1},
    "energetic": {"energy_estimate": 2, "danceability_estimate": 1},
    "dark": {"spectral_centroid_hz_mean": -2, "valence_estimate": -1},
    "bright": {"spectral_centroid_hz_mean": 1},
    "happy": {"valence_estimate": 2, "energy_estimate": 1},
    "sad": {"valence_estimate": -2, "energy_estimate": -1},
}
"""Moods by name: the columns that they are made of and the weight of each, below 0 where less of
it is more of the mood."""


def mood_columns(mood: str) -> tuple[str, ...]:
    """Return the names of what has to be known of a track for one of the `MOODS`."""
    return tuple(MOODS[mood])


def mood_scores(mood: str, columns: Mapping[str, NDArray[np.floating]]) -> NDArray[np.float64]:
    """Return how much each track has of one of the `MOODS`, among all tracks: 0 to 1.

    Parameters
    ----------
    mood
        Its name.
    columns
        What `mood_columns` names, each of shape (n_tracks,). Of what is unknown, NaN, a track has
        neither more nor less than others: a half.
    """
    weights = MOODS[mood]
    score = np.zeros(len(next(iter(columns.values()))))
    for name, weight in weights.items():
        share = _shares(np.asarray(columns[name], np.float64))
        score += abs(weight) * (share if weight > 0 else 1 - share)
    return score / sum(map(abs, weights.values()))


def _shares(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of the other tracks that each value is above; those equal count half."""
    known = np.isfinite(values)
    shares = np.full(len(values), 0.5)
    ordered = np.sort(values[known])
    if len(ordered) > 1:
        below = np.searchsorted(ordered, values[known], "left")
        not_above = np.searchsorted(ordered, values[known], "right")
        shares[known] = (below + not_above - 1) / 2 / (len(ordered) - 1)
    return shares
