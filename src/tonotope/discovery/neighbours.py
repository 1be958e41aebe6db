"""The nearest tracks, under the rules that keep a list of them worth reading."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tonotope.discovery.space import distances_to

__all__ = ["Neighbour", "TrackFacts", "is_copy", "nearest", "same_recording"]

# Encodings of one recording down to 64 kbit/s lie within 0.43, different recordings of a small
# library beyond 0.69: benchmarks/same_recording.py.
_SAME_DISTANCE = 0.45
_SAME_DURATION_S = 1.0


@dataclass(frozen=True, slots=True)
class TrackFacts:
    """What the rules need to know of a track.

    Attributes
    ----------
    title, artist, album
        As they are compared; None where unknown. What is unknown is not the same as anything.
    duration_s
        Length in seconds.
    """

    title: str | None
    artist: str | None
    album: str | None
    duration_s: float


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A track, by its row, and its distance from what was asked for."""

    index: int
    distance: float


def same_recording(distance: float, a: TrackFacts, b: TrackFacts) -> bool:
    """Whether two tracks are one recording in two encodings.

    They are of one length, and sound all but equal or bear the same name: in a library of pieces
    much alike, the space magnifies what an encoder changes.
    """
    if abs(a.duration_s - b.duration_s) >= _SAME_DURATION_S:
        return False
    same_name = None not in (a.title, a.artist) and (a.title, a.artist) == (b.title, b.artist)
    return same_name or distance < _SAME_DISTANCE


def nearest(
    places: NDArray[np.float32],
    facts: Sequence[TrackFacts],
    query: NDArray[np.float32],
    query_facts: TrackFacts,
    *,
    n: int,
    exclude: Collection[int] = (),
    max_per_artist: int | None = None,
    max_per_album: int | None = None,
) -> list[Neighbour]:
    """Return the nearest tracks, the nearest first.

    Exact; linear in the number of tracks, but for sorting their distances.

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
    exclude
        Rows that are no answer: those of the query itself. Other encodings of the query's
        recording, and of a recording already in the list, are left out by themselves.
    max_per_artist, max_per_album
        How many of the answers may share an artist or an album; None for any number.
    """
    distances = distances_to(places, query)
    excluded = set(exclude)
    chosen: list[Neighbour] = []
    artists: Counter[Hashable] = Counter()
    albums: Counter[Hashable] = Counter()
    for index in np.argsort(distances, kind="stable").tolist():
        if len(chosen) == n:
            break
        track = facts[index]
        distance = float(distances[index])
        if index in excluded or same_recording(distance, track, query_facts):
            continue
        if _is_full(artists, track.artist, max_per_artist):
            continue
        album = None if track.album is None else (track.artist, track.album)
        if _is_full(albums, album, max_per_album):
            continue
        if is_copy(places, facts, index, [c.index for c in chosen]):
            continue
        chosen.append(Neighbour(index, distance))
        if track.artist is not None:
            artists[track.artist] += 1
        if album is not None:
            albums[album] += 1
    return chosen


def is_copy(
    places: NDArray[np.float32],
    facts: Sequence[TrackFacts],
    index: int,
    others: Sequence[int],
) -> bool:
    """Whether a track is another encoding of one of `others`; all are rows of `places`."""
    distances = distances_to(places[list(others)], places[index])
    return any(
        same_recording(float(distance), facts[other], facts[index])
        for other, distance in zip(others, distances, strict=True)
    )


def _is_full(counts: Counter[Hashable], key: Hashable | None, most: int | None) -> bool:
    return most is not None and key is not None and counts[key] >= most
