"""Which tracks may come into a playlist: by year, genre, tempo, duration and loudness."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tonotope.session.music import Music

__all__ = ["Range", "Restriction", "TrackFilters"]

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from one to another, both included; None for an open end."""

    low: float | None = None
    high: float | None = None

    def holds(self, values: NDArray[np.float64]) -> BoolArray:
        """Return which values lie within; what is unknown, NaN, does not."""
        low = -math.inf if self.low is None else self.low
        high = math.inf if self.high is None else self.high
        return (values >= low) & (values <= high)

    def __str__(self) -> str:
        ends = ["" if end is None else f"{end:g}" for end in (self.low, self.high)]
        return ends[0] if self.low == self.high else "..".join(ends)


@dataclass(frozen=True, slots=True, eq=False)
class Restriction:
    """What only some of the tracks satisfy.

    Attributes
    ----------
    name
        As a person would say it.
    satisfied
        By which tracks, shape (n_tracks,).
    n_unknown
        Of how many nothing is known in this respect; they do not satisfy it.
    """

    name: str
    satisfied: BoolArray
    n_unknown: int = 0

    def __str__(self) -> str:
        unknown = f" (of {self.n_unknown} it is unknown)" if self.n_unknown else ""
        return f"{self.name} leaves {self.satisfied.sum()} of {len(self.satisfied)} tracks{unknown}"


@dataclass(frozen=True, slots=True)
class TrackFilters:
    """What the tracks of a playlist have to be, the seeds apart.

    Attributes
    ----------
    years
        As tagged.
    genres
        Any of these: as tagged, or the likeliest by its sound.
    tempo_bpm
        As estimated: half and double time are other tempi here.
    duration_s
        In seconds.
    loudness_lufs
        Integrated loudness.
    """

    years: Range | None = None
    genres: tuple[str, ...] = ()
    tempo_bpm: Range | None = None
    duration_s: Range | None = None
    loudness_lufs: Range | None = None

    def restrictions(self, music: Music) -> list[Restriction]:
        """Return what the filters say of tracks."""
        found = []
        if self.years is not None:
            found.append(_within("year", self.years, music.years))
        if self.genres:
            wanted = {" ".join(genre.casefold().split()) for genre in self.genres}
            satisfied = np.array([bool(wanted & genres) for genres in music.genres], np.bool_)
            found.append(Restriction(f"genre {' or '.join(self.genres)}", satisfied))
        if self.tempo_bpm is not None:
            tempi = music.columns["tempo_bpm"]
            found.append(_within("tempo", self.tempo_bpm, tempi, " bpm"))
        if self.duration_s is not None:
            found.append(_within("duration", self.duration_s, music.durations_s, " s"))
        if self.loudness_lufs is not None:
            loudness = music.columns["integrated_loudness_lufs"]
            found.append(_within("loudness", self.loudness_lufs, loudness, " LUFS"))
        return found


def _within(name: str, limits: Range, values: NDArray[np.float64], unit: str = "") -> Restriction:
    unknown = int(np.isnan(values).sum())
    return Restriction(f"{name} {limits}{unit}", limits.holds(values), unknown)
