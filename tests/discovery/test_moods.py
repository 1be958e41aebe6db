from __future__ import annotations

import numpy as np
import pytest

from tonotope.discovery.playlists.moods import MOODS, mood_columns, mood_scores
from tonotope.features.estimates import ESTIMATES
from tonotope.features.tables import table_columns


def test_moods_are_made_of_columns_that_there_are() -> None:
    there = {*table_columns("tonotope"), *ESTIMATES}
    for mood in MOODS:
        assert set(mood_columns(mood)) <= there


def test_scores_by_hand() -> None:
    columns = {"energy_estimate": np.array([0.1, 0.5, 0.9]),
               "acousticness_estimate": np.array([0.2, 0.2, np.nan])}  # fmt: skip
    # Ranks of energy 0, 1/2, 1; of acousticness the two are equal, and the third is unknown.
    calm = [(2 * 1 + 0.5) / 3, (2 * 0.5 + 0.5) / 3, 0.5 / 3]
    assert mood_scores("calm", columns) == pytest.approx(calm)


def test_opposites() -> None:
    columns = {name: np.array([0.1, 0.2, 0.7]) for name in mood_columns("happy")}
    assert mood_scores("happy", columns) == pytest.approx(1 - mood_scores("sad", columns))


def test_of_one_track_nothing_can_be_said() -> None:
    assert mood_scores("bright", {"spectral_centroid_hz_mean": np.array([900.0])}) == [0.5]
