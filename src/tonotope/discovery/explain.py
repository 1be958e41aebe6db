"""Why two tracks are neighbours: what of their sound agrees and what does not, in words.

A distance is a sum of squares over the parts of the space, so each part has its share in it. What
a listener would notice is told by a few descriptors: two tracks agree in one of them where they
stand near each other among all tracks of the library, which makes hertz and decibels comparable.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tonotope.features.key import CAMELOT, camelot_distance, key_name

__all__ = ["EXPLAINED_COLUMNS", "PartShare", "Ranks", "Reason", "compare_tracks", "part_shares"]

# Ranks this near are called alike, this far apart different; what lies between is not worth a word.
_ALIKE = 0.15
_DIFFERENT = 0.35
# Two tempi a listener takes for one: within the just noticeable 4 %, or an octave apart.
_SAME_TEMPO = math.log2(1.04)
# Of half the tracks with this confidence, or a lower one, the key is named wrong.
_SURE_OF_KEY = 0.5
# Whether key and tempo agree is a matter of yes or no: so telling are they among the others.
_TELLING_TEMPO, _TELLING_KEY = 0.9, 0.8


@dataclass(frozen=True, slots=True)
class _Scale:
    column: str
    name: str
    low: str
    high: str
    lower: str
    higher: str
    unit: str
    digits: int

    def values(self, a: float, b: float, word: str) -> str:
        unit = f" {self.unit}" if self.unit else ""
        return f"{a:.{self.digits}f} {word} {b:.{self.digits}f}{unit}"


_SCALES = (
    _Scale("spectral_centroid_hz_mean", "brightness", "dark", "bright", "darker", "brighter",
           "Hz", 0),
    _Scale("integrated_loudness_lufs", "loudness", "quiet", "loud", "quieter", "louder", "LUFS", 1),
    _Scale("loudness_range_lu", "dynamics", "of even level", "of changing level",
           "more even in level", "of more changing level", "LU", 1),
    _Scale("onsets_per_minute", "density", "sparse", "busy", "sparser", "busier",
           "onsets a minute", 0),
    _Scale("pulse_clarity", "beat", "without a clear beat", "with a clear beat",
           "less clear in its beat", "clearer in its beat", "", 2),
    _Scale("spectral_flatness_mean", "noisiness", "tonal", "noisy", "more tonal", "noisier",
           "", 4),
)  # fmt: skip

EXPLAINED_COLUMNS = (
    "tempo_bpm",
    "key_tonic",
    "key_is_major",
    "key_confidence",
    *(scale.column for scale in _SCALES),
)
"""The columns of the table ``tonotope`` that `compare_tracks` speaks of."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Something in which two tracks agree, or do not.

    Attributes
    ----------
    descriptor
        ``"tempo"``, ``"key"``, ``"brightness"``, ...
    agrees
        Whether it is an agreement.
    text
        In words, with the numbers of the first and of the second track.
    telling
        How much it says, from 0 to 1: that both are among the brightest says more than that both
        are of middling brightness.
    """

    descriptor: str
    agrees: bool
    text: str
    telling: float


@dataclass(frozen=True, slots=True)
class PartShare:
    """What a part of the space has to do with a distance.

    Attributes
    ----------
    part
        Its name.
    share
        Of the squared distance; all parts' shares sum to 1 unless the distance is 0.
    nearer_than
        Share of the library's tracks that are farther from the first track in this part.
    """

    part: str
    share: float
    nearer_than: float


class Ranks:
    """Where a track stands among all tracks of a library, descriptor by descriptor.

    Parameters
    ----------
    columns
        By name, the library's numbers, shape (n_tracks,); NaN where there is none.
    """

    def __init__(self, columns: Mapping[str, NDArray[np.float64]]) -> None:
        self._sorted = {
            name: np.sort(values[np.isfinite(values)]) for name, values in columns.items()
        }

    def of(self, column: str, value: float) -> float:
        """Return the share of the library that has less, equals counting half; 0.5 of none."""
        values = self._sorted[column]
        if not len(values):
            return 0.5
        below, upto = (np.searchsorted(values, value, side) for side in ("left", "right"))
        return float(below + upto) / (2 * len(values))


def part_shares(
    places: NDArray[np.float32],
    parts: Mapping[str, slice],
    query: NDArray[np.float32],
    place: NDArray[np.float32],
) -> list[PartShare]:
    """Return the share of each part in the distance of two tracks, the largest first.

    Linear in the number of tracks.

    Parameters
    ----------
    places
        The library in its similarity space, shape (n_tracks, n_columns), one track at least.
    parts
        Columns by part.
    query, place
        The two tracks, shape (n_columns,).
    """
    squares = {
        name: float(np.sum((query[part] - place[part]) ** 2, dtype=np.float64))
        for name, part in parts.items()
    }
    total = sum(squares.values())
    shares = []
    for name, part in parts.items():
        others = np.sum((places[:, part] - query[part]) ** 2, axis=1, dtype=np.float64)
        nearer_than = float(np.mean(others > squares[name]))
        shares.append(PartShare(name, squares[name] / total if total else 0.0, nearer_than))
    return sorted(shares, key=lambda share: -share.share)


def compare_tracks(a: Mapping[str, float], b: Mapping[str, float], ranks: Ranks) -> list[Reason]:
    """Return in what two tracks agree and in what they differ, the most telling first.

    Parameters
    ----------
    a, b
        `EXPLAINED_COLUMNS` of the two tracks by name; NaN where there is no answer, of which
        nothing is said.
    ranks
        Of the library.

    Returns
    -------
    list of Reason
        Of descriptors that neither agree nor differ, none.
    """
    reasons = [_tempo(a["tempo_bpm"], b["tempo_bpm"]), _key(a, b)]
    reasons += [_on_scale(scale, a[scale.column], b[scale.column], ranks) for scale in _SCALES]
    said: Sequence[Reason] = [reason for reason in reasons if reason is not None]
    return sorted(said, key=lambda reason: -reason.telling)


def _tempo(a: float, b: float) -> Reason | None:
    if not (a > 0 and b > 0):
        return None
    octaves = math.log2(b / a)
    whole = round(octaves)
    if abs(octaves - whole) <= _SAME_TEMPO and abs(whole) <= 1:
        what = "same tempo" if not whole else f"{'double' if whole > 0 else 'half'} the tempo"
        return Reason("tempo", True, f"{what}, {a:.0f} and {b:.0f} BPM", _TELLING_TEMPO)
    # Half an octave is as far as tempi can be from being one another's double.
    far = 2 * min(abs(octaves - whole), 0.5)
    word = "faster" if b > a else "slower"
    return Reason("tempo", False, f"{word}, {b:.0f} against {a:.0f} BPM", _TELLING_TEMPO * far)


def _key(a: Mapping[str, float], b: Mapping[str, float]) -> Reason | None:
    if not (a["key_confidence"] >= _SURE_OF_KEY and b["key_confidence"] >= _SURE_OF_KEY):
        return None
    (tonic_a, is_major_a), (tonic_b, is_major_b) = (
        (int(row["key_tonic"]), bool(row["key_is_major"])) for row in (a, b)
    )
    name_a, name_b = key_name(tonic_a, is_major_a), key_name(tonic_b, is_major_b)
    steps = camelot_distance(CAMELOT[name_a], CAMELOT[name_b])
    both = f"{name_a} and {name_b}"
    if steps == 0:
        return Reason("key", True, f"same key, {name_a}", _TELLING_KEY)
    if steps == 1:
        what = "key differs by a fifth" if is_major_a == is_major_b else "relative keys"
        return Reason("key", True, f"{what}, {both}", _TELLING_KEY / 2)
    what = "major and minor of one tonic" if tonic_a == tonic_b else f"keys {steps} steps apart"
    return Reason("key", False, f"{what}, {both}", _TELLING_KEY * steps / 7)


def _on_scale(scale: _Scale, a: float, b: float, ranks: Ranks) -> Reason | None:
    if not (math.isfinite(a) and math.isfinite(b)):
        return None
    rank_a, rank_b = ranks.of(scale.column, a), ranks.of(scale.column, b)
    apart, middle = abs(rank_a - rank_b), (rank_a + rank_b) / 2
    if apart <= _ALIKE:
        word = f"alike in {scale.name}"
        if not 1 / 3 <= middle <= 2 / 3:
            word = f"both {scale.low if middle < 0.5 else scale.high}"
        telling = (1 - apart / _ALIKE / 2) * 2 * abs(middle - 0.5)
        return Reason(scale.name, True, f"{word}, {scale.values(a, b, 'and')}", telling)
    if apart >= _DIFFERENT:
        word = scale.higher if b > a else scale.lower
        return Reason(scale.name, False, f"{word}, {scale.values(b, a, 'against')}", apart)
    return None
