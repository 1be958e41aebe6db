"""The neighbours of a track."""

from __future__ import annotations

import os
from dataclasses import dataclass

from tonotope.discovery import nearest
from tonotope.errors import InputError
from tonotope.library.catalogue import Catalogue, Track
from tonotope.session.locating import locate
from tonotope.session.placed import Placed, facts_of

__all__ = ["SimilarTrack", "SimilarTracks", "similar_tracks"]


@dataclass(frozen=True, slots=True)
class SimilarTrack:
    """A neighbour: the track, and how far it is from what was asked for."""

    track: Track
    distance: float


@dataclass(frozen=True, slots=True)
class SimilarTracks:
    """What was asked for, and its neighbours, the nearest first."""

    query: Track
    neighbours: list[SimilarTrack]


def similar_tracks(
    catalogue: Catalogue,
    placed: Placed,
    file_or_id: str | os.PathLike[str],
    *,
    n: int,
    max_per_artist: int | None,
    max_per_album: int | None,
) -> SimilarTracks:
    """Return the tracks that sound most like one, see `tonotope.Library.similar`.

    Raises
    ------
    InputError
        If a number is below 1.
    TrackNotFoundError, DecodeError
        See `tonotope.session.locating.locate`.
    """
    for number in (n, max_per_artist, max_per_album):
        if number is not None and number < 1:
            raise InputError(f"cannot return {number} tracks. Ask for at least 1.")
    query, place = locate(catalogue, placed, file_or_id)
    found = nearest(
        placed.places,
        placed.facts,
        place,
        facts_of(query),
        n=n,
        distances=placed.distances_from(place),
        # Also what the library holds of the file from before it was written to.
        exclude=[row for row, track in enumerate(placed.tracks) if track.path == query.path],
        max_per_artist=max_per_artist,
        max_per_album=max_per_album,
    )
    return SimilarTracks(query, [SimilarTrack(placed.tracks[k.index], k.distance) for k in found])
