"""A playlist without an end, made while it is heard.

Each next track is the one that is nearest to what is liked, and not near what was skipped. Every
track comes at most once, in whatever encoding; when all have come, it is over.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from tonotope.discovery.playlists.choice import Spacing, typical_distance
from tonotope.discovery.recordings import ChosenTracks, TrackFacts

__all__ = ["Radio"]


class Radio:
    """Says what to play next.

    Parameters
    ----------
    places
        The library in its similarity space, shape (n_tracks, n_columns).
    facts
        Of each track in `places`.
    distances_from
        Returns how far every track is from a row's, shape (n_tracks,); infinite for what is never
        to be played.
    seeds
        Rows that are liked from the beginning, at least one. The first of them is played first;
        the others come when it is their turn, as the nearest to themselves.
    unlike
        Rows that nothing is to be like.
    spacing
        Of artists and albums; it is not kept where no other track is left.

    Attributes
    ----------
    current
        The row that was returned last; None before the first and after the last.
    n_played
        How many have been returned.
    """

    def __init__(
        self,
        places: NDArray[np.float32],
        facts: Sequence[TrackFacts],
        distances_from: Callable[[int], NDArray[np.float32]],
        seeds: Sequence[int],
        *,
        unlike: Collection[int] = (),
        spacing: Spacing | None = None,
    ) -> None:
        if not seeds:
            raise ValueError("a radio needs a track to begin with")
        self._facts = facts
        self._distances_from = distances_from
        self._recordings = ChosenTracks(places, facts)
        self._spacing = spacing or Spacing(artist_gap=3, album_gap=3)
        self._liked = np.full(len(facts), np.inf, np.float32)
        self._disliked = np.full(len(facts), np.inf, np.float32)
        first = distances_from(seeds[0])
        self._unit = typical_distance(first)
        self._free = np.ones(len(facts), np.bool_)
        self._recent: list[TrackFacts] = []
        self._first: int | None = seeds[0]
        for seed in seeds:
            self._like(seed)
        for row in unlike:
            self._free[row] = False
            self._dislike(row)
        self.current: int | None = None
        self.n_played = 0

    def next(self) -> int | None:
        """Return the row of the track to play now; None when all have been played."""
        if self._first is not None:
            row: int | None = self._first
            self._first = None
        else:
            row = self._nearest()
        self.current = row
        if row is not None:
            self._free[row] = False
            self._recordings.add(row)
            longest = max(self._spacing.artist_gap, self._spacing.album_gap)
            self._recent = [*self._recent, self._facts[row]][-longest:] if longest else []
            self.n_played += 1
        return row

    def skip(self) -> int | None:
        """Return the next track, and play less of what is like the current one."""
        if self.current is not None:
            self._dislike(self.current)
        return self.next()

    def like(self) -> None:
        """Play more of what is like the current track."""
        if self.current is not None:
            self._like(self.current)

    def _like(self, row: int) -> None:
        np.minimum(self._liked, self._distances_from(row), out=self._liked)

    def _dislike(self, row: int) -> None:
        np.minimum(self._disliked, self._distances_from(row), out=self._disliked)

    def _nearest(self) -> int | None:
        # As near as can be to what was skipped costs as much as to be typically far from the liked.
        costs = self._liked / self._unit + np.maximum(0, 1 - self._disliked / self._unit)
        costs[~self._free | ~np.isfinite(self._liked)] = np.inf
        order = np.argsort(costs, kind="stable")
        second_best: int | None = None
        for row in order[: int(np.isfinite(costs).sum())].tolist():
            if self._recordings.hold_copy_of(row):
                self._free[row] = False
            elif self._is_spaced(self._facts[row]):
                return int(row)
            elif second_best is None:
                second_best = int(row)
        return second_best

    def _is_spaced(self, track: TrackFacts) -> bool:
        spacing = self._spacing
        artists = [other.artist for other in self._recent[-spacing.artist_gap :]]
        albums = [other.album for other in self._recent[-spacing.album_gap :]]
        same_artist = spacing.artist_gap and track.artist is not None and track.artist in artists
        same_album = spacing.album_gap and track.album is not None and track.album in albums
        return not (same_artist or same_album)
