"""Playlists: from some tracks to more like them."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from heapq import heappop, heappush

import numpy as np
from numpy.typing import NDArray

from tonotope.discovery.recordings import ChosenTracks, TrackFacts
from tonotope.discovery.space import distances_to

__all__ = ["compose_playlist", "spread_artists"]


def compose_playlist(
    places: NDArray[np.float32],
    facts: Sequence[TrackFacts],
    seeds: Sequence[int],
    *,
    n: int | None = None,
    duration_s: float | None = None,
) -> list[int]:
    """Return a playlist of the seeds and of what is nearest to them.

    A track is as near as it is to its nearest seed. No recording comes twice, and no two tracks
    of one artist stand next to each other where that can be avoided. The first seed comes first;
    the others follow it as early as that allows.

    Parameters
    ----------
    places
        The library in its similarity space, shape (n_tracks, n_columns).
    facts
        Of each track in `places`.
    seeds
        Rows to begin with, at least one.
    n
        How many tracks, seeds included.
    duration_s
        Or how long, seeds included; longer only where the seeds are. One of the two is needed.

    Returns
    -------
    list of int
        Rows, in the order of playing.
    """
    if (n is None) == (duration_s is None):
        raise ValueError("a playlist has a number of tracks or a duration")
    recordings = ChosenTracks(places, facts)
    chosen: list[int] = []
    for index in seeds:
        if len(chosen) != n and not recordings.hold_copy_of(index):
            recordings.add(index)
            chosen.append(index)
    distances = np.min([distances_to(places, places[k]) for k in chosen], axis=0)
    order = np.argsort(distances, kind="stable").tolist()
    candidates = _ArtistQueues([facts[k].artist for k in order])
    left_s = np.inf if duration_s is None else duration_s
    left_s -= sum(facts[k].duration_s for k in chosen)
    for _ in order:
        if len(chosen) == n:
            break
        index = order[candidates.take(candidates.first_other(facts[chosen[-1]].artist))]
        # Whoever is too long now, or a copy, will never be anything else.
        if facts[index].duration_s > left_s or recordings.hold_copy_of(index):
            continue
        recordings.add(index)
        chosen.append(index)
        left_s -= facts[index].duration_s
    return [chosen[k] for k in spread_artists([facts[k].artist for k in chosen])]


def spread_artists(artists: Sequence[str | None]) -> list[int]:
    """Return an order in which no artist follows himself, if there is one.

    The first stays first, and the others keep their order as far as that is possible.

    Parameters
    ----------
    artists
        The artist of each track; None, unknown, differs from everyone.

    Returns
    -------
    list of int
        Positions in `artists`, each once.
    """
    queues = _ArtistQueues(artists)
    order: list[int] = []
    last: str | None = None
    for n_left in range(len(artists), 0, -1):
        key, n_of_key = queues.longest()
        # Whoever has more than half of what is left has to come now, or will follow himself.
        pressing = order and key != last and 2 * n_of_key > n_left
        position = queues.take(key if pressing else queues.first_other(last))
        order.append(position)
        last = artists[position]
    return order


class _ArtistQueues:
    """Positions in a list of artists, each artist's in a queue of their own.

    Two heaps say which queue begins first and which is longest. What they hold of a queue is
    not taken out when the queue changes, but passed over later.

    Parameters
    ----------
    artists
        None, unknown, is somebody else each time.
    """

    def __init__(self, artists: Sequence[str | None]) -> None:
        self._queues: defaultdict[str | int, deque[int]] = defaultdict(deque)
        for position, artist in enumerate(artists):
            self._queues[position if artist is None else artist].append(position)
        self._first: list[tuple[int, str | int]] = []
        self._longest: list[tuple[int, int, str | int]] = []
        for key in self._queues:
            self._note(key)

    def first_other(self, last: str | None) -> str | int:
        """Return who has the first position left, but the last artist only if there is no other."""
        own = None
        while self._first:
            position, key = self._first[0]
            is_old = not self._queues[key] or self._queues[key][0] != position
            if not is_old and key != last:
                break
            heappop(self._first)
            if not is_old:
                own = (position, key)
        others = self._first[:1]
        if own is not None:
            heappush(self._first, own)
        return (others or self._first)[0][1]

    def take(self, key: str | int) -> int:
        """Take out, and return, the first position of one artist."""
        position = self._queues[key].popleft()
        if self._queues[key]:
            self._note(key)
        return position

    def longest(self) -> tuple[str | int, int]:
        """Return the artist with the most positions left, and how many these are."""
        while -self._longest[0][0] != len(self._queues[self._longest[0][2]]):
            heappop(self._longest)
        size, _, key = self._longest[0]
        return key, -size

    def _note(self, key: str | int) -> None:
        # No two entries have a position in common but those of one artist: keys are not compared.
        queue = self._queues[key]
        heappush(self._first, (queue[0], key))
        heappush(self._longest, (-len(queue), queue[0], key))
