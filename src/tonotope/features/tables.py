"""Rows of numbers with named columns, made of a track's descriptors.

Two tables have names: ``fma518``, the columns of the features of the FMA data set in their order,
and ``tonotope``, everything that sums a track up. A table can also be any descriptors by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from tonotope.features.descriptors import DESCRIPTORS, Descriptors
from tonotope.features.estimates import ESTIMATES, estimate
from tonotope.features.key import PITCH_CLASSES
from tonotope.features.moments import STATISTICS
from tonotope.features.stft import Float32Array

__all__ = [
    "FAMILIES",
    "family_columns",
    "family_features",
    "family_row",
    "table_columns",
    "table_features",
    "table_row",
    "whole_row",
]

FAMILIES = ("timbre", "harmony", "rhythm", "level")
"""The families that a track's row consists of, in this order."""

# The names of the FMA data set's features, and what they are here, in the order of its columns.
_FMA_FEATURES: Mapping[str, str] = {
    "chroma_cens": "chroma_cens_12",
    "chroma_cqt": "chroma_cqt_12",
    "chroma_stft": "chroma_stft",
    "mfcc": "mfcc",
    "rmse": "rms",
    "spectral_bandwidth": "spectral_bandwidth",
    "spectral_centroid": "spectral_centroid",
    "spectral_contrast": "spectral_contrast",
    "spectral_rolloff": "spectral_rolloff",
    "tonnetz": "tonnetz_cens_12",
    "zcr": "zero_crossing_rate",
}
_FMA_STATISTICS = tuple(sorted(STATISTICS))

# What is too fine to sum up, or comes as a list.
_WITHOUT_COLUMNS = frozenset({"cqt", "key_profile", "beat_histogram", "rhythm_patterns"})

_UNIT_SUFFIX = {"Hz": "_hz", "dB": "_db", "dB per frame": "_db", "dB per frame²": "_db"}
# Cepstra are sums of decibels, which nobody calls so.
_WITHOUT_SUFFIX = frozenset({"mfcc", "mfcc_delta", "mfcc_delta2", "log_mel"})

_Numbers = Callable[[Any, Descriptors], Sequence[float]]


def _per_minute(times_s: Any, descriptors: Descriptors) -> float:
    return 60 * len(times_s) / max(descriptors.duration_s, 1.0)


def _of_beats(times_s: Any, descriptors: Descriptors) -> Sequence[float]:
    intervals_s = np.diff(times_s)
    if len(intervals_s) < 2:
        return _per_minute(times_s, descriptors), 0.0
    return _per_minute(times_s, descriptors), float(intervals_s.std() / intervals_s.mean())


def _of_key(key: Any, _: Descriptors) -> Sequence[float]:
    if key is None:
        return math.nan, math.nan, 0.0
    return PITCH_CLASSES.index(key.tonic), float(key.mode == "major"), key.confidence


# Columns of what there is one answer of per track.
_OF_TRACK: Mapping[str, tuple[tuple[str, ...], _Numbers]] = {
    "tuning": (("tuning_semitones",), lambda value, _: (value,)),
    "key": (("key_tonic", "key_is_major", "key_confidence"), _of_key),
    "onset_times": (("onsets_per_minute",), lambda value, d: (_per_minute(value, d),)),
    "tempo": (("tempo_bpm", "tempo_confidence"), lambda value, _: (value.bpm, value.confidence)),
    "beat_times": (("beats_per_minute", "beat_interval_variation"), _of_beats),
    "beat_histogram_summary": (
        (
            "beat_histogram_first_bpm",
            "beat_histogram_first_amplitude",
            "beat_histogram_second_bpm",
            "beat_histogram_second_amplitude",
            "beat_histogram_ratio",
            "beat_histogram_total",
        ),
        lambda value, _: value,
    ),
    "pulse_clarity": (("pulse_clarity",), lambda value, _: (value,)),
    "fluctuation": (
        (
            "fluctuation_maximum",
            "fluctuation_total",
            "fluctuation_focus",
            "fluctuation_gravity_hz",
            "fluctuation_bass_share",
        ),
        lambda value, _: value,
    ),
    "danceability": (("danceability",), lambda value, _: (value,)),
    "level": (
        (
            "integrated_loudness_lufs",
            "loudness_range_lu",
            "true_peak_dbtp",
            "dynamic_complexity_db",
        ),
        lambda value, _: (
            value.integrated_lufs,
            value.loudness_range_lu,
            value.true_peak_dbtp,
            value.dynamic_complexity_db,
        ),
    ),
}


def _frame_labels(name: str) -> list[str]:
    """Return what the numbers of a frame are called."""
    descriptor = DESCRIPTORS[name]
    suffix = "" if name in _WITHOUT_SUFFIX else _UNIT_SUFFIX.get(descriptor.unit, "")
    if descriptor.n_columns == 1:
        return [name + suffix]
    return [f"{name}_{k:02d}{suffix}" for k in range(1, descriptor.n_columns + 1)]


def _columns_of(name: str) -> list[str]:
    if name in _OF_TRACK:
        return list(_OF_TRACK[name][0])
    if name in _WITHOUT_COLUMNS or DESCRIPTORS[name].n_columns == 0:
        raise ValueError(f"descriptor {name!r} has no columns in a table; ask for its frames")
    return [f"{label}_{statistic}" for label in _frame_labels(name) for statistic in STATISTICS]


def _numbers_of(name: str, descriptors: Descriptors) -> Iterable[float]:
    if name in _OF_TRACK:
        return _OF_TRACK[name][1](descriptors[name], descriptors)
    numbers: list[float] = descriptors.moments_of(name).statistics().ravel().tolist()
    return numbers


@cache
def family_features(family: str) -> tuple[str, ...]:
    """Return the names of the descriptors that one of the `FAMILIES`' columns are made of."""
    return tuple(
        name
        for name, descriptor in DESCRIPTORS.items()
        if descriptor.family == family
        and not descriptor.on_request
        and name not in _WITHOUT_COLUMNS
    )


def family_columns(family: str) -> tuple[str, ...]:
    """Return the names of the columns of one of the `FAMILIES`."""
    return tuple(column for name in family_features(family) for column in _columns_of(name))


def family_row(descriptors: Descriptors, family: str) -> Float32Array:
    """Return the row of one of the `FAMILIES`, float32; NaN where there is no answer."""
    numbers = [
        number for name in family_features(family) for number in _numbers_of(name, descriptors)
    ]
    return np.array(numbers, dtype=np.float32)


def table_features(table: str | Sequence[str]) -> tuple[str, ...]:
    """Return the names of the descriptors that a table is made of.

    Parameters
    ----------
    table
        ``"fma518"``, ``"tonotope"`` or names of descriptors.

    Raises
    ------
    ValueError
        If there is no such table, or a descriptor is none or has no columns.
    """
    if table == "fma518":
        return tuple(_FMA_FEATURES.values())
    if table == "tonotope":
        return tuple(name for family in FAMILIES for name in family_features(family))
    if isinstance(table, str):
        raise ValueError(f"no table is called {table!r}. There are: fma518, tonotope.")
    unknown = [name for name in table if name not in DESCRIPTORS]
    if unknown:
        raise ValueError(
            f"no descriptor is called {', '.join(map(repr, unknown))}. "
            f"There are: {', '.join(DESCRIPTORS)}."
        )
    for name in table:
        _columns_of(name)
    return tuple(table)


def table_columns(table: str | Sequence[str]) -> tuple[str, ...]:
    """Return the names of a table's columns, in order; see `table_features`.

    Those of ``fma518`` are ``<feature>_<statistic>_<number>``, 518 of them.
    """
    if table == "fma518":
        return tuple(
            f"{feature}_{statistic}_{k:02d}"
            for feature, name in _FMA_FEATURES.items()
            for statistic in _FMA_STATISTICS
            for k in range(1, DESCRIPTORS[name].n_columns + 1)
        )
    columns = tuple(c for name in table_features(table) for c in _columns_of(name))
    return (*columns, *ESTIMATES) if table == "tonotope" else columns


def table_row(descriptors: Descriptors, table: str | Sequence[str]) -> Float32Array:
    """Return a track's row of a table.

    Parameters
    ----------
    descriptors
        What `analyze` returned for `table_features` of the table, or for more.
    table
        See `table_features`.

    Returns
    -------
    ndarray
        Shape (n_columns,), float32; NaN where there is no answer (the key of silence, say).
    """
    if table == "fma518":
        order = [STATISTICS.index(statistic) for statistic in _FMA_STATISTICS]
        statistics = [descriptors.moments_of(name).statistics() for name in _FMA_FEATURES.values()]
        return np.concatenate([s[:, order].T.ravel() for s in statistics]).astype(np.float32)
    if table == "tonotope":
        return whole_row([family_row(descriptors, family) for family in FAMILIES])
    numbers = [x for name in table_features(table) for x in _numbers_of(name, descriptors)]
    return np.array(numbers, dtype=np.float32)


def whole_row(family_rows: Sequence[Float32Array]) -> Float32Array:
    """Return the row of the table ``tonotope``, made of the rows of all `FAMILIES` in order."""
    row = np.concatenate(family_rows)
    columns = (column for family in FAMILIES for column in family_columns(family))
    return np.append(row, estimate(dict(zip(columns, row.tolist(), strict=True)))).astype(
        np.float32
    )
