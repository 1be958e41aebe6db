"""The tracks that stand for a group."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tonotope.discovery.distances import distances_to
from tonotope.discovery.recordings import ChosenTracks, TrackFacts

__all__ = ["most_typical", "nearest_to_middle"]


def nearest_to_middle(places: NDArray[np.float32], rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the rows of a group by rising distance to its mean place, same shape."""
    group = places[rows]
    middle = group.mean(axis=0, dtype=np.float64).astype(np.float32)
    return rows[np.argsort(distances_to(group, middle), kind="stable")]


def most_typical(
    order: Sequence[int], facts: Sequence[TrackFacts], chosen: ChosenTracks, *, n: int
) -> list[int]:
    """Return the rows that stand for a group: the first of different artists.

    An artist comes a second time only where there are not enough others. No recording comes twice.

    Parameters
    ----------
    order
        The group's rows, the nearest to its middle first.
    facts
        Of every track in the library.
    chosen
        Knows which rows are copies of each other; still empty.
    n
        How many, at most.
    """
    artists: set[str] = set()
    first: list[int] = []
    others: list[int] = []
    for row in order:
        if len(first) == n:
            break
        artist = facts[row].artist
        if chosen.hold_copy_of(row):
            continue
        chosen.add(row)
        if artist is not None and artist in artists:
            others.append(row)
            continue
        first.append(row)
        if artist is not None:
            artists.add(artist)
    return first + others[: n - len(first)]
