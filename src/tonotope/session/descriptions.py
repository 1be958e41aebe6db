"""What a track is compared by: columns of its row, made comparable, and its embedding.

Most columns are taken as they were measured. Some would say the wrong thing: pitch classes tell
the key before they tell the harmony, and 70 bpm is as near to 140 as to 71. Of profiles over the
twelve pitch classes, the magnitudes of the Fourier transform are taken, which no transposition
changes: how chromatic, how triadic, how diatonic, how whole-tone the music is (E. Amiot, "Music
through Fourier space", 2016). Of tempos, the place within the octave.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tonotope.library.columns import RowColumns
    from tonotope.library.versions import Versions

__all__ = ["describe", "made_by_of", "similarity_columns", "widths_of_parts"]

Float32Array = NDArray[np.float32]

# Descriptors whose seven moments over time are taken.
_TIMBRE = (
    "mfcc",
    "spectral_contrast",
    "spectral_centroid",
    "spectral_bandwidth",
    "spectral_rolloff",
    "spectral_flatness",
    "zero_crossing_rate",
)
_CLASSES = tuple(f"{k:02d}" for k in range(1, 13))
# Profiles over the pitch classes, of which the magnitudes of the Fourier transform are taken.
_PROFILES = ("pitch_class_profile", "chroma_cens")
_HARMONY = (
    *(f"{profile}_{k}_mean" for profile in _PROFILES for k in _CLASSES),
    *(f"chroma_cqt_{k}_std" for k in _CLASSES),
    *(f"tonnetz_{k:02d}_std" for k in range(1, 7)),
)
_MODE = ("key_is_major", "key_confidence")
_RHYTHM = (
    "onsets_per_minute",
    "tempo_confidence",
    "beat_interval_variation",
    "beat_histogram_first_amplitude",
    "beat_histogram_second_amplitude",
    "beat_histogram_total",
    "pulse_clarity",
    "fluctuation_maximum",
    "fluctuation_total",
    "fluctuation_focus",
    "fluctuation_gravity_hz",
    "fluctuation_bass_share",
    "danceability",
)
_LEVEL = ("integrated_loudness_lufs", "loudness_range_lu", "dynamic_complexity_db")

# What there may be no answer to: the key of what has none, the loudness of next to nothing.
_MAY_LACK = ("key_is_major", *_LEVEL)


@cache
def _columns() -> dict[str, tuple[str, ...]]:
    """Return the columns that are read, by what is made of them."""
    from tonotope.features.tables import table_columns

    return {
        "timbre": table_columns(_TIMBRE),
        "harmony": _HARMONY,
        "mode": _MODE,
        "tempo": ("tempo_bpm",),
        "rhythm": (*_RHYTHM, *table_columns(("onset_strength",))),
        "dynamics": (*_LEVEL, *table_columns(("rms",))),
    }


@cache
def similarity_columns() -> RowColumns:
    """Return the columns of a track's row that, beside its embedding, place it."""
    # Imported only where tracks are compared: SciPy comes along, and takes its time.
    from tonotope.library.columns import RowColumns

    return RowColumns(
        tuple(name for names in _columns().values() for name in names), may_lack=_MAY_LACK
    )


def made_by_of(versions: Versions) -> str:
    """Return what the space is made by: with something else, near is another near."""
    families = similarity_columns().families
    return " ".join(
        [versions.model_id, *(f"{family}={versions.families[family]}" for family in families)]
    )


@cache
def widths_of_parts(embedding_size: int) -> dict[str, int]:
    """Return how many columns of `describe` each part has, in their order."""
    columns = _columns()
    return {
        "timbre": len(columns["timbre"]),
        # Six magnitudes a profile, one movement, one a circle of the tonnetz.
        "harmony": 6 * len(_PROFILES) + 1 + 3 + len(columns["mode"]),
        "rhythm": 2 + len(columns["rhythm"]),
        "dynamics": len(columns["dynamics"]),
        "embedding": embedding_size,
    }


def describe(numbers: Float32Array, embeddings: Float32Array) -> Float32Array:
    """Return what tracks are compared by.

    Parameters
    ----------
    numbers
        Their `similarity_columns`, shape (n_tracks, n_columns).
    embeddings
        Shape (n_tracks, embedding_size).

    Returns
    -------
    ndarray
        Shape (n_tracks, n), the parts as in `widths_of_parts`, float32; NaN where there is no
        answer.
    """
    columns = _columns()
    ends = np.cumsum([len(names) for names in columns.values()])
    given = dict(zip(columns, np.split(numbers, ends[:-1], axis=1), strict=True))
    return np.hstack(
        [
            given["timbre"],
            _harmony(given["harmony"]),
            given["mode"],
            _within_octave(given["tempo"][:, 0]),
            given["rhythm"],
            given["dynamics"],
            embeddings,
        ]
    )


def _harmony(numbers: Float32Array) -> Float32Array:
    """Return what does not change with the key, shape (n_tracks, 16)."""
    n_classes = len(_CLASSES)
    n_profiles = len(_PROFILES)
    *profiles, movement, circles = np.split(
        numbers, [n_classes * k for k in range(1, n_profiles + 2)], axis=1
    )
    return np.hstack(
        [
            *(_fourier_magnitudes(profile) for profile in profiles),
            movement.mean(axis=1, keepdims=True),
            # The two coordinates of each circle: what a transposition turns.
            np.hypot(circles[:, ::2], circles[:, 1::2]),
        ]
    )


def _fourier_magnitudes(profile: Float32Array) -> Float32Array:
    """Return the magnitudes of the six coefficients but the first, as shares of that."""
    spectrum = np.abs(np.fft.rfft(profile, axis=1))
    total = np.maximum(spectrum[:, :1], 1e-12)
    return (spectrum[:, 1:] / total).astype(np.float32)


def _within_octave(tempo_bpm: Float32Array) -> Float32Array:
    """Return where tempos lie on a circle on which half and double are one, shape (n_tracks, 2)."""
    angle = 2 * np.pi * np.log2(np.where(tempo_bpm > 0, tempo_bpm, np.nan))
    return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
