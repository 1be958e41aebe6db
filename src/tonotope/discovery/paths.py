"""A gradual way from one track to another.

Every track stands somewhere between the two ends: how far along the line from one to the other its
place projects, from 0 to 1. A path goes only forward on this line, so that no track can come
twice, and only by steps that are shorter than the jump. Of all such paths with the wanted number of
tracks the one with the least sum of squared steps is found, exactly, by dynamic programming over a
graph of candidates: squares make many short steps cheaper than a long one. To the square of a step
comes what keeps the tracks evenly along the line.

The graph holds the candidates nearest to the line, as many from each part of it, and never more
than 1500 of them: memory and time do not grow with the library, but for two distances to each
track.

References
----------
A. Flexer, D. Schnitzer, M. Gasser, G. Widmer, "Playlist generation using start and end songs",
ISMIR 2008.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tonotope.discovery.distances import distances_between, distances_to
from tonotope.discovery.recordings import ChosenTracks, TrackFacts

__all__ = ["Path", "find_path"]

_MOST_CANDIDATES = 1500
# By how much an uneven step along the line counts beside its length.
_EVENNESS = 4.0


@dataclass(frozen=True, slots=True)
class Path:
    """A way from one track to another.

    Attributes
    ----------
    rows
        Of its tracks, both ends included.
    steps
        Their distances one from the next.
    jump
        The distance between the ends.
    n_between
        How many tracks could have been on the way.
    """

    rows: list[int]
    steps: list[float]
    jump: float
    n_between: int


def find_path(
    places: NDArray[np.float32], facts: Sequence[TrackFacts], start: int, end: int, n: int
) -> Path:
    """Return a path of a number of tracks, or of as many as there can be.

    No recording comes twice, no artist follows himself but from one end to the other, and every
    step is shorter than the jump; a path of the two ends alone is the jump.

    Parameters
    ----------
    places
        The library in its similarity space, shape (n_tracks, n_columns).
    facts
        Of each track in `places`.
    start, end
        Rows of two different recordings.
    n
        How many tracks, both ends included; at least 2.
    """
    jump = float(distances_to(places[[end]], places[start])[0])
    rows, along = _between(places, facts, start, end, jump, n)
    rows = np.array([start, *rows.tolist(), end])
    costs, lengths = _graph(places[rows], [facts[row].artist for row in rows.tolist()],
                            np.array([0, *along.tolist(), 1.0]), jump, n)  # fmt: skip
    way = _cheapest(costs, n) if len(rows) > 2 else [0, 1]
    steps = [float(lengths[a, b]) for a, b in pairwise(way)]
    return Path(rows[way].tolist(), steps, jump, len(rows) - 2)


def _between(
    places: NDArray[np.float32],
    facts: Sequence[TrackFacts],
    start: int,
    end: int,
    jump: float,
    n: int,
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the candidates in the order in which they lie along the line, and where they lie."""
    from_start = distances_to(places, places[start]).astype(np.float64)
    from_end = distances_to(places, places[end]).astype(np.float64)
    along = 0.5 + (from_start**2 - from_end**2) / (2 * jump**2) if jump else np.zeros(len(places))
    aside = from_start**2 - (along * jump) ** 2
    possible = (along > 0) & (along < 1)
    possible[[start, end]] = False
    rows = np.flatnonzero(possible)
    # As many from each part of the line, so that there is a way through all of it.
    part = np.minimum((along[rows] * (n - 1)).astype(int), n - 2)
    per_part = max(1, _MOST_CANDIDATES // (n - 1))
    order = np.lexsort((aside[rows], part))
    recordings = ChosenTracks(places, facts)
    recordings.add(start)
    recordings.add(end)
    kept: list[int] = []
    n_in_part = np.zeros(n, np.intp)
    for at in order.tolist():
        row = int(rows[at])
        if n_in_part[part[at]] < per_part and not recordings.hold_copy_of(row):
            n_in_part[part[at]] += 1
            recordings.add(row)
            kept.append(row)
    chosen = np.array(sorted(kept, key=lambda row: along[row]), np.intp)
    return chosen, along[chosen]


def _graph(
    places: NDArray[np.float32],
    artists: Sequence[str | None],
    along: NDArray[np.float64],
    jump: float,
    n: int,
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Return what each step costs, infinite where it is not allowed, and its length."""
    lengths = distances_between(places, places, np.einsum("ij,ij->i", places, places))
    ahead = along[np.newaxis] - along[:, np.newaxis]
    scale = jump or 1.0
    costs = (lengths / scale) ** 2 + _EVENNESS * (ahead - 1 / (n - 1)) ** 2
    numbers: dict[str, int] = {}
    codes = np.array([-k - 1 if artist is None else numbers.setdefault(artist, len(numbers))
                      for k, artist in enumerate(artists)])  # fmt: skip
    same_artist = codes[:, np.newaxis] == codes[np.newaxis]
    costs[(ahead <= 0) | (lengths >= jump) | same_artist] = np.inf
    return costs, lengths


def _cheapest(costs: NDArray[np.float64], n: int) -> list[int]:
    """Return the cheapest way from the first to the last in n tracks, or in most of these.

    Linear in n, square in the number of candidates.
    """
    last = len(costs) - 1
    reached = np.full(len(costs), np.inf)
    reached[0] = 0
    before: list[NDArray[np.intp]] = []
    best: int | None = None  # how many steps the longest way has
    for step in range(1, min(n, len(costs))):
        sums = reached[:, np.newaxis] + costs
        before.append(sums.argmin(axis=0))
        reached = sums.min(axis=0)
        if np.isfinite(reached[last]):
            best = step
    if best is None:
        return [0, last]
    way = [last]
    for step in range(best, 0, -1):
        way.append(int(before[step - 1][way[-1]]))
    return way[::-1]
