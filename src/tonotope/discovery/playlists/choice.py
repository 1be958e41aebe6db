"""Which tracks a playlist consists of.

Every track has a cost: how little it suits what was asked for, in typical distances (1 is as far
as one track usually is from another). The cheapest come first. With diversity, a track also pays
for being near one that was chosen before it: maximal marginal relevance.

References
----------
J. Carbonell, J. Goldstein, "The use of MMR, diversity-based reranking for reordering documents and
producing summaries", SIGIR 1998.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tonotope.discovery.distances import distances_to
from tonotope.discovery.recordings import ChosenTracks, TrackFacts

__all__ = ["Chosen", "Length", "Spacing", "choose_tracks", "typical_distance"]

# Among how many of the cheapest tracks, at least, diversity may choose.
_POOL = 1000
_POOL_PER_TRACK = 10
_USUAL_TRACK_S = 200.0


@dataclass(frozen=True, slots=True)
class Length:
    """How long a playlist is: a number of tracks or a duration, seeds included."""

    n: int | None = None
    duration_s: float | None = None

    def __post_init__(self) -> None:
        if (self.n is None) == (self.duration_s is None):
            raise ValueError("a playlist has a number of tracks or a duration")

    @property
    def about(self) -> int:
        """About how many tracks these are."""
        return self.n or 1 + int((self.duration_s or 0) / _USUAL_TRACK_S)


@dataclass(frozen=True, slots=True)
class Spacing:
    """How many tracks of others come between two of one artist, and two of one album."""

    artist_gap: int = 1
    album_gap: int = 0


@dataclass(frozen=True, slots=True)
class Chosen:
    """The tracks of a playlist, not yet in its order.

    Attributes
    ----------
    rows
        The seeds first, then in the order in which they were chosen.
    copies
        Seeds that were left out as other encodings of one before.
    too_many
        Seeds for which there was no place left.
    is_exhausted
        Whether there was no other track left that was allowed.
    """

    rows: list[int]
    copies: list[int]
    too_many: list[int]
    is_exhausted: bool


def typical_distance(distances: NDArray[np.float32]) -> float:
    """Return how far one track usually is from another: the median, or 1 where that is nothing."""
    finite = distances[np.isfinite(distances)]
    return (float(np.median(finite)) if len(finite) else 0.0) or 1.0


def choose_tracks(
    places: NDArray[np.float32],
    facts: Sequence[TrackFacts],
    seeds: Sequence[int],
    costs: NDArray[np.float32],
    length: Length,
    *,
    spacing: Spacing | None = None,
    diversity: float = 0.0,
) -> Chosen:
    """Choose the tracks of a playlist.

    The seeds come first. Then, again and again, the cheapest track is taken that is no other
    encoding of one before, fits into the length that is left, and keeps the spacing; one that does
    not keep it only where no other is left.

    Linear in the number of tracks without diversity, but for sorting them.

    Parameters
    ----------
    places
        The library in its similarity space, shape (n_tracks, n_columns).
    facts
        Of each track in `places`.
    seeds
        Rows to begin with; they may be none.
    costs
        Of each track, in typical distances; infinite where it must not be chosen, shape
        (n_tracks,).
    length
        How long the list may be; longer only where the seeds are.
    spacing
        Of the chosen, as they are chosen; by default no artist follows himself.
    diversity
        From 0, the cheapest only, to 1, only what is far from all chosen before. The seeds do not
        count as chosen: they are what the others are to be like. Chosen from the cheapest 1000
        tracks, or ten times the length if that is more, as long as these will do.
    """
    return _Choice(places, facts, costs, length, spacing or Spacing(), diversity).run(seeds)


class _Choice:
    """A playlist that is being chosen. Candidates are sorted by cost, the cheapest first."""

    def __init__(
        self,
        places: NDArray[np.float32],
        facts: Sequence[TrackFacts],
        costs: NDArray[np.float32],
        length: Length,
        spacing: Spacing,
        diversity: float,
    ) -> None:
        self.places, self.facts, self.length = places, facts, length
        self.diversity = diversity
        self.recordings = ChosenTracks(places, facts)
        self.rows: list[int] = []
        self.left_s = np.inf if length.duration_s is None else length.duration_s
        order = np.argsort(costs, kind="stable")
        self.candidates = order[np.isfinite(costs[order])]
        self.costs = costs[self.candidates]
        self.free = np.ones(len(self.candidates), np.bool_)
        self.durations_s = np.array([facts[k].duration_s for k in self.candidates.tolist()])
        kinds = (([f.artist for f in facts], spacing.artist_gap),
                 ([f.album for f in facts], spacing.album_gap))  # fmt: skip
        self.recent = [_Recent(keys, self.candidates, gap) for keys, gap in kinds if gap]
        # From one track to another it is farther than to the middle, by the root of two.
        self.unit = math.sqrt(2) * typical_distance(distances_to(places, places.mean(axis=0)))
        self.apart = np.empty(0, np.float32)  # of the pool, how far from all chosen
        self.n_seeds = 0

    def run(self, seeds: Sequence[int]) -> Chosen:
        copies, too_many = [], []
        for row in seeds:
            if self.recordings.hold_copy_of(row):
                copies.append(row)
            elif len(self.rows) == self.length.n:
                too_many.append(row)
            else:
                self._take(row)
        self.n_seeds = len(self.rows)
        is_exhausted = False
        while len(self.rows) != self.length.n and self.left_s > 0:
            at = self._next()
            if at is None:
                is_exhausted = not self.free.any()
                break
            row = int(self.candidates[at])
            self.free[at] = False
            if not self.recordings.hold_copy_of(row):
                self._take(row)
        return Chosen(self.rows, copies, too_many, is_exhausted)

    def _take(self, row: int) -> None:
        self.recordings.add(row)
        self.rows.append(row)
        self.left_s -= self.facts[row].duration_s
        for recent in self.recent:
            recent.add(row)

    def _next(self) -> int | None:
        """Return where the next candidate stands."""
        n = self._pool_size()
        while True:
            fitting = self.free[:n] & (self.durations_s[:n] <= self.left_s)
            spaced = fitting.copy()
            for recent in self.recent:
                spaced &= recent.allow(n)
            if spaced.any():
                return self._best(spaced)
            if n >= len(self.candidates):
                return self._best(fitting) if fitting.any() else None
            n = min(2 * n, len(self.candidates))

    def _pool_size(self) -> int:
        return min(len(self.candidates), max(_POOL, _POOL_PER_TRACK * self.length.about))

    def _best(self, allowed: NDArray[np.bool_]) -> int:
        first = int(allowed.argmax())
        if self.diversity == 0 or len(self.rows) == self.n_seeds:
            return first
        n = len(allowed)
        scores = (1 - self.diversity) * self.costs[:n] - self.diversity * self._distances(n)
        scores[~allowed] = np.inf
        return int(scores.argmin())

    def _distances(self, n: int) -> NDArray[np.float32]:
        """Return how far the first candidates are from the nearest chosen one."""
        pool = self.places[self.candidates[:n]]
        chosen = self.rows[self.n_seeds :]
        # Only what is new since the last time, unless the pool has grown.
        new = chosen[-1:] if len(self.apart) == n else chosen
        if len(self.apart) != n:
            self.apart = np.full(n, np.inf, np.float32)
        for row in new:
            distances = distances_to(pool, self.places[row]) / self.unit
            np.minimum(self.apart, distances, out=self.apart)
        return self.apart


class _Recent:
    """Whose tracks came last, so that the next is somebody else's."""

    def __init__(
        self, keys: Sequence[Hashable | None], candidates: NDArray[np.intp], gap: int
    ) -> None:
        numbers: dict[Hashable, int] = {}
        # Each of the unknown has a number of its own: nobody else is like it.
        self.codes = np.array(
            [numbers.setdefault((k,) if key is None else key, len(numbers))
             for k, key in enumerate(keys)], np.intp
        )  # fmt: skip
        self.of_candidates = self.codes[candidates]
        self.gap = gap
        self.last: list[int] = []

    def add(self, row: int) -> None:
        self.last = [*self.last, int(self.codes[row])][-self.gap :]

    def allow(self, n: int) -> NDArray[np.bool_]:
        """Return which of the first candidates are of nobody recent."""
        allowed = np.ones(n, np.bool_)
        for code in self.last:
            allowed &= self.of_candidates[:n] != code
        return allowed
