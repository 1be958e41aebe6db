"""Several tracks that somebody names, in the library or not, in one matrix with the library."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tonotope.library.catalogue import Catalogue, Track
from tonotope.session.locating import locate
from tonotope.session.placed import Placed

__all__ = ["Named", "name_tracks"]


@dataclass(frozen=True, slots=True, eq=False)
class Named:
    """A library's tracks and some others that were named, in one matrix.

    Attributes
    ----------
    tracks, places
        The library's, and after them those that were listened to on the spot.
    rows
        Of the tracks that were named, in the order in which they were.
    """

    tracks: list[Track]
    places: NDArray[np.float32]
    rows: list[int]


def name_tracks(
    catalogue: Catalogue, placed: Placed, names: Sequence[str | os.PathLike[str]]
) -> Named:
    """Find tracks in the library, or listen to their files.

    Raises
    ------
    TrackNotFoundError, DecodeError
        See `tonotope.session.locating.locate`.
    """
    tracks, places, rows = list(placed.tracks), [placed.places], []
    row_of = dict(placed.row_of)
    for name in names:
        track, place = locate(catalogue, placed, name)
        if track.audio_id not in row_of:
            row_of[track.audio_id] = len(tracks)
            tracks.append(track)
            places.append(place[np.newaxis])
        rows.append(row_of[track.audio_id])
    return Named(tracks, np.concatenate(places) if len(places) > 1 else placed.places, rows)
