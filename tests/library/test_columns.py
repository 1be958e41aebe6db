from __future__ import annotations

import numpy as np
import pytest

from tonotope.features.tables import FAMILIES, family_columns, table_columns
from tonotope.library.columns import RowColumns

# Side by side, apart, backwards, at the ends, and from one family to the next and back.
NAMES = (
    "mfcc_01_mean",
    "mfcc_01_std",
    "mfcc_02_mean",
    "tempo_bpm",
    "rms_max",
    "rms_min",
    "tuning_semitones",
    "chroma_stft_01_mean",
    "key_confidence",
    "mfcc_01_skew",
)


@pytest.fixture
def rows() -> dict[str, np.ndarray]:
    """Return three tracks' rows of every family; no number comes twice."""
    rng = np.random.default_rng(5)
    return {
        family: rng.random((3, len(family_columns(family)))).astype(np.float32)
        for family in FAMILIES
    }


@pytest.mark.parametrize("names", [NAMES, NAMES[::-1], NAMES[3:4]])
def test_columns_are_what_they_are_called(names, rows) -> None:
    columns = RowColumns(names)
    picked = columns.of(rows)
    assert picked.dtype == np.float32
    for track in range(3):
        named = {
            column: rows[family][track, place]
            for family in FAMILIES
            for place, column in enumerate(family_columns(family))
        }
        assert picked[track].tolist() == [named[name] for name in names]
        one = {family: row[track] for family, row in rows.items()}
        assert np.array_equal(columns.of(one), picked[track])


def test_only_the_families_that_are_needed_are_asked_for(rows) -> None:
    columns = RowColumns(["integrated_loudness_lufs", "pulse_clarity", "tempo_bpm"])
    assert columns.families == ("level", "rhythm")
    assert columns.of({family: rows[family] for family in columns.families}).shape == (3, 3)
    assert columns.width("level") == 4


def test_all_that_is_measured_is_the_families_rows_side_by_side(rows) -> None:
    measured = [name for name in table_columns("tonotope") if not name.endswith("_estimate")]
    picked = RowColumns(measured).of(rows)
    assert np.array_equal(picked, np.hstack([rows[family] for family in FAMILIES]))


@pytest.mark.parametrize("name", ["loudness", "energy_estimate"])
def test_a_column_that_no_family_has(name: str) -> None:
    with pytest.raises(ValueError, match=f"no family has a column '{name}'"):
        RowColumns(["rms_mean", name])
