"""A gradual way from one of a library's tracks to another."""

from __future__ import annotations

import os
from dataclasses import dataclass

from tonotope.discovery.distances import distances_to
from tonotope.discovery.paths import find_path
from tonotope.discovery.recordings import same_recording
from tonotope.errors import InputError
from tonotope.library.catalogue import Catalogue, Track
from tonotope.session.named import name_tracks
from tonotope.session.placed import Placed

__all__ = ["TrackPath", "path_between"]

# Every track more is another pass over the graph.
_MOST_TRACKS = 200


@dataclass(frozen=True, slots=True)
class TrackPath:
    """A way from one track to another.

    Attributes
    ----------
    tracks
        Both ends included.
    steps
        The Euclidean distances from each track to the next.
    jump
        The distance between the ends.
    notes
        What could not be had, a sentence each.
    """

    tracks: list[Track]
    steps: list[float]
    jump: float
    notes: list[str]


def path_between(
    catalogue: Catalogue,
    placed: Placed,
    start: str | os.PathLike[str],
    end: str | os.PathLike[str],
    n: int,
) -> TrackPath:
    """Return a path from one track to another, see `tonotope.discovery.paths`.

    Raises
    ------
    InputError
        If both are one recording, or no path can have so many tracks.
    TrackNotFoundError, DecodeError
        See `tonotope.session.locating.locate`.
    """
    if not 2 <= n <= _MOST_TRACKS:
        raise InputError(f"a path cannot have {n} tracks. Name a number from 2 to {_MOST_TRACKS}.")
    named = name_tracks(catalogue, placed, [start, end])
    first, last = named.rows
    facts = named.facts
    jump = float(distances_to(named.places[[last]], named.places[first])[0])
    if first == last or same_recording(jump, facts[first], facts[last]):
        raise InputError(f"'{start}' and '{end}' are one recording. Name two different ones.")
    path = find_path(named.places, facts, first, last, n)
    notes = []
    if len(path.rows) < n:
        longest = f"one of {len(path.rows)}" if len(path.rows) > 2 else "the jump alone"
        notes.append(
            f"no way of {n} tracks has only steps shorter than the jump; the longest is {longest}. "
            f"Of the library's tracks ({len(placed.tracks)}), {path.n_between} lie between the two."
        )
    return TrackPath([named.tracks[row] for row in path.rows], path.steps, path.jump, notes)
