"""Several tracks that somebody names, in the library or not, in one matrix with the library."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tonotope.discovery.recordings import ChosenTracks, TrackFacts
from tonotope.errors import InputError
from tonotope.library.catalogue import Catalogue, Track
from tonotope.session.locating import locate
from tonotope.session.placed import Placed, facts_of

__all__ = ["Named", "name_tracks", "refuse_contradiction"]


@dataclass(frozen=True, slots=True, eq=False)
class Named:
    """A library's tracks and some others that were named, in one matrix.

    Attributes
    ----------
    tracks, facts, places
        The library's, and after them those that were listened to on the spot.
    rows
        Of the tracks that were named, in the order in which they were.
    """

    tracks: list[Track]
    facts: list[TrackFacts]
    places: NDArray[np.float32]
    rows: list[int]


def refuse_contradiction(named: Named, like: Collection[int], unlike: Iterable[int]) -> None:
    """Refuse what is to be like a recording and not like it, in whatever encoding.

    Raises
    ------
    InputError
        If one of some rows holds the recording of one of others.
    """
    seeds = ChosenTracks(named.places, named.facts)
    for row in like:
        seeds.add(row)
    for row in unlike:
        if seeds.hold_copy_of(row):
            path = named.tracks[row].path
            what = f"'{path}'" if row in like else f"the recording in '{path}'"
            raise InputError(f"{what} is among --like and --unlike. Take it out of one.")


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
    facts = [*placed.facts, *map(facts_of, tracks[len(placed.tracks) :])]
    return Named(tracks, facts, np.concatenate(places) if len(places) > 1 else placed.places, rows)
