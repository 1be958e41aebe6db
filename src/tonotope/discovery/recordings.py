"""What is known of a track, and when two tracks are one recording."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tonotope.discovery.distances import distances_to

__all__ = ["ChosenTracks", "TrackFacts", "same_recording"]

# Encodings of one recording down to 64 kbit/s lie within 0.26, different recordings of a small
# library beyond 0.70: benchmarks/same_recording.py. Euclidean: corrected distances say how rare it
# is to be so near, and in a library of pieces much alike that is another question.
_SAME_DISTANCE = 0.5
# Short pieces made alike, as those of `tonotope demo-music`, come as near as 0.46, and encodings of
# them at 64 kbit/s lie up to 0.49 apart: there, names decide. All at 128 kbit/s lie within 0.26.
_SAME_DISTANCE_OF_OTHER_NAMES = 0.35
_SAME_DURATION_S = 1.0


@dataclass(frozen=True, slots=True)
class TrackFacts:
    """What the rules need to know of a track.

    Attributes
    ----------
    title, artist
        As they are compared; None where unknown. What is unknown is not the same as anything.
    album
        Whatever all tracks of its album share and no others; None where unknown.
    duration_s
        Length in seconds.
    """

    title: str | None
    artist: str | None
    album: Hashable | None
    duration_s: float


def same_recording(distance: float, a: TrackFacts, b: TrackFacts) -> bool:
    """Whether two tracks are one recording in two encodings.

    They are of one length, and sound all but equal or bear the same name: in a library of pieces
    much alike, the space magnifies what an encoder changes. Those that bear two names have to be
    nearer to each other.
    """
    if abs(a.duration_s - b.duration_s) >= _SAME_DURATION_S:
        return False
    if None in (a.title, a.artist, b.title, b.artist):
        return distance < _SAME_DISTANCE
    same_name = (a.title, a.artist) == (b.title, b.artist)
    return same_name or distance < _SAME_DISTANCE_OF_OTHER_NAMES


class ChosenTracks:
    """Rows chosen so far, kept by their length, so that few are compared with the next.

    Parameters
    ----------
    places
        The library in its similarity space, shape (n_tracks, n_columns).
    facts
        Of each track in `places`.
    """

    def __init__(self, places: NDArray[np.float32], facts: Sequence[TrackFacts]) -> None:
        self._places = places
        self._facts = facts
        self._by_length: defaultdict[int, list[int]] = defaultdict(list)

    def add(self, index: int) -> None:
        """Choose a row."""
        self._by_length[self._bucket(index)].append(index)

    def hold_copy_of(self, index: int) -> bool:
        """Whether a row is another encoding of a chosen one."""
        track = self._facts[index]
        bucket = self._bucket(index)
        others = [
            other
            for k in (bucket - 1, bucket, bucket + 1)
            for other in self._by_length.get(k, ())
            if abs(self._facts[other].duration_s - track.duration_s) < _SAME_DURATION_S
        ]
        if not others:
            return False
        distances = distances_to(self._places[others], self._places[index])
        return any(
            same_recording(distance, self._facts[other], track)
            for other, distance in zip(others, distances.tolist(), strict=True)
        )

    def _bucket(self, index: int) -> int:
        # What is of one length lies in one bucket or in two neighbours.
        return int(self._facts[index].duration_s // _SAME_DURATION_S)
