"""The nearest tracks, under the rules that keep a list of them worth reading."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tonotope.discovery.distances import distances_to
from tonotope.discovery.recordings import ChosenTracks, TrackFacts, same_recording

__all__ = ["Neighbour", "nearest", "take_in_order"]


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A track, by its row, and its distance from what was asked for."""

    index: int
    distance: float


def nearest(
    places: NDArray[np.float32],
    facts: Sequence[TrackFacts],
    query: NDArray[np.float32],
    query_facts: TrackFacts,
    *,
    n: int,
    distances: NDArray[np.float32] | None = None,
    exclude: Collection[int] = (),
    max_per_artist: int | None = None,
    max_per_album: int | None = None,
) -> list[Neighbour]:
    """Return the nearest tracks, the nearest first.

    Exact; linear in the number of tracks, but for sorting their distances and for comparing each
    answer with those of its length.

    Parameters
    ----------
    places
        The library in its similarity space, shape (n_tracks, n_columns).
    facts
        Of each track in `places`.
    query, query_facts
        What is asked for, shape (n_columns,).
    n
        How many to return, at most.
    distances
        Of each track from what is asked for, by which they are ranked, shape (n_tracks,):
        corrected ones, say; Euclidean by default. Between equals, and whether two tracks are one
        recording, the Euclidean distance decides.
    exclude
        Rows that are no answer: those of the query itself. Other encodings of the query's
        recording, and of a recording already in the list, are left out by themselves.
    max_per_artist, max_per_album
        How many of the answers may share an artist or an album; None for any number.
    """
    apart = distances_to(places, query)
    if distances is None:
        distances = apart
    excluded = set(exclude)
    others = (
        row
        for row in np.lexsort((apart, distances)).tolist()
        if row not in excluded and not same_recording(float(apart[row]), facts[row], query_facts)
    )
    rows = take_in_order(
        others, places, facts, n=n, max_per_artist=max_per_artist, max_per_album=max_per_album
    )
    return [Neighbour(row, float(distances[row])) for row in rows]


def take_in_order(
    rows: Iterable[int],
    places: NDArray[np.float32],
    facts: Sequence[TrackFacts],
    *,
    n: int,
    max_per_artist: int | None = None,
    max_per_album: int | None = None,
) -> list[int]:
    """Return the first rows that make a list worth reading.

    Parameters
    ----------
    rows
        The best first; no more of them are looked at than needed.
    places
        The library in its similarity space, shape (n_tracks, n_columns).
    facts
        Of each track in `places`.
    n
        How many to return, at most.
    max_per_artist, max_per_album
        How many may share an artist or an album; None for any number. Whose artist is unknown
        shares none. No recording comes twice.
    """
    taken: list[int] = []
    chosen = ChosenTracks(places, facts)
    artists: Counter[Hashable | None] = Counter()
    albums: Counter[Hashable | None] = Counter()
    for row in rows:
        if len(taken) == n:
            break
        track = facts[row]
        if _is_full(artists, track.artist, max_per_artist):
            continue
        if _is_full(albums, track.album, max_per_album):
            continue
        if chosen.hold_copy_of(row):
            continue
        chosen.add(row)
        taken.append(row)
        artists[track.artist] += 1
        albums[track.album] += 1
    return taken


def _is_full(counts: Counter[Hashable | None], key: Hashable | None, most: int | None) -> bool:
    return most is not None and key is not None and counts[key] >= most
