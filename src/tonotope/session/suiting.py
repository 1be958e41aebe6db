"""What a playlist is to be, and how well each track suits that."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tonotope.discovery.playlists.choice import typical_distance
from tonotope.discovery.playlists.flow import ARCS, Arc
from tonotope.discovery.playlists.moods import MOODS, mood_columns, mood_scores
from tonotope.errors import InputError
from tonotope.library.catalogue import Catalogue
from tonotope.library.play_counts import read_counts
from tonotope.library.songs import SongKey, song_key
from tonotope.session.filters import Restriction, TrackFilters
from tonotope.session.music import Music
from tonotope.session.named import Named
from tonotope.session.placed import Placed

__all__ = ["PlaylistWishes", "Suiting"]

ORDERS = ("near", "flow")
# A track suits a mood if it has more of it than half of the library has.
_LEAST_MOOD = 0.5


@dataclass(frozen=True, slots=True)
class PlaylistWishes:
    """What a playlist is to be, beside its seeds and its length.

    Attributes
    ----------
    unlike
        Files or `audio_id`s that nothing is to be like. Whatever is nearer to one of them than to
        every seed is left out.
    mood
        One of `tonotope.discovery.playlists.moods.MOODS`, or the name of a group.
    filters
        What the tracks have to be.
    artist_gap, album_gap
        How many tracks of others come between two of one artist, and two of one album.
    diversity
        From 0, what suits best, to 1, what differs most from all chosen before.
    novelty
        From 0 to 1: how much against a track it counts that its artist is one of the seeds' or
        has often been played.
    order
        ``near``: the best first. ``flow``: every track a small step from the one before.
    arc
        Of the energy: ``up``, ``down`` or ``wave``. The first seed need not come first then.
    """

    unlike: Sequence[str | os.PathLike[str]] = ()
    mood: str | None = None
    filters: TrackFilters = field(default_factory=TrackFilters)
    artist_gap: int = 1
    album_gap: int = 0
    diversity: float = 0.0
    novelty: float = 0.0
    order: str = "near"
    arc: Arc | None = None

    def __post_init__(self) -> None:
        for name in ("diversity", "novelty"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise InputError(f"{name} is {value}. Name a number from 0 to 1.")
        for name in ("artist_gap", "album_gap"):
            if getattr(self, name) < 0:
                raise InputError(
                    f"{name.replace('_', ' ')} is {getattr(self, name)}. Name a number of tracks."
                )
        if self.order not in ORDERS:
            raise InputError(f"no order is called '{self.order}'. There are: {', '.join(ORDERS)}.")
        if self.arc is not None and self.arc not in ARCS:
            raise InputError(f"no arc is called '{self.arc}'. There are: {', '.join(ARCS)}.")


class Suiting:
    """How well each track of the library suits the wishes.

    Parameters
    ----------
    catalogue, placed, music
        The library.
    named
        The tracks that were named.
    seeds, unlike
        Their rows.
    wishes
        What the playlist is to be.

    Attributes
    ----------
    restrictions
        What only some of the tracks satisfy.
    notes
        Which wishes had nothing to go by; complete once `costs` has been asked for.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        placed: Placed,
        music: Music,
        named: Named,
        seeds: Sequence[int],
        unlike: Sequence[int],
        wishes: PlaylistWishes,
    ) -> None:
        self.catalogue, self.placed, self.wishes = catalogue, placed, wishes
        self.n = len(placed.tracks)
        self.notes: list[str] = []
        self.seed_artists = {named.facts[row].artist for row in seeds} - {None}
        self.like = self._nearest(named, seeds)
        self.unlike = self._nearest(named, unlike)
        self.restrictions = wishes.filters.restrictions(music)
        self.mood: NDArray[np.float64] | None = None
        if wishes.mood is not None:
            self._apply_mood(music, wishes.mood)
        if self.unlike is not None:
            far = self.unlike > (0 if self.like is None else self.like)
            far[[row for row in unlike if row < self.n]] = False
            self.restrictions.append(Restriction("what --unlike names", far))

    @property
    def allowed(self) -> NDArray[np.bool_]:
        """Which tracks satisfy everything, shape (n_tracks,)."""
        allowed = np.ones(self.n, np.bool_)
        for restriction in self.restrictions:
            allowed &= restriction.satisfied
        return allowed

    def explain(self) -> str:
        """Return what leaves how many tracks."""
        each = "; ".join(str(restriction) for restriction in self.restrictions)
        together = f"; together {self.allowed.sum()}" if len(self.restrictions) > 1 else ""
        return each + together

    def costs(self) -> NDArray[np.float64]:
        """Return what each track costs, see `tonotope.discovery.playlists.choice`."""
        costs = np.zeros(self.n)
        if self.like is not None:
            costs += self.like / typical_distance(self.like)
        if self.unlike is not None:
            costs += np.maximum(0, 1 - self.unlike / typical_distance(self.unlike))
        if self.mood is not None:
            costs += self.mood
        if self.wishes.novelty:
            costs += self.wishes.novelty * self._familiarity()
        return costs

    def _nearest(self, named: Named, rows: Sequence[int]) -> NDArray[np.float32] | None:
        """Return how far each track is from the nearest of some."""
        if not rows:
            return None
        distances = (self.placed.distances_from(named.places[row]) for row in rows)
        nearest: NDArray[np.float32] = np.min(list(distances), axis=0)
        return nearest

    def _apply_mood(self, music: Music, mood: str) -> None:
        preset = mood.casefold().strip()
        if preset in MOODS:
            columns = {name: music.columns[name] for name in mood_columns(preset)}
            scores = mood_scores(preset, columns)
            self.mood = 1 - scores
            satisfied = scores >= _LEAST_MOOD
        else:
            members = self._group(mood)
            satisfied = np.array([t.audio_id in members for t in self.placed.tracks], np.bool_)
            if satisfied.any():
                centre = self.placed.places[satisfied].mean(axis=0)
                distances = self.placed.distances_from(centre)
                self.mood = distances.astype(np.float64) / typical_distance(distances)
        self.restrictions.append(Restriction(f"mood '{mood}'", satisfied))

    def _group(self, mood: str) -> set[str]:
        from tonotope.session.groups import group_named

        try:
            return group_named(self.catalogue, mood)
        except InputError as error:
            raise InputError(
                f"'{mood}' is no mood (there are: {', '.join(MOODS)}), and {error}"
            ) from error

    def _familiarity(self) -> NDArray[np.float64]:
        """Return how well known each track is, 0 to 1.

        Those by the seeds' artists are known. So is, by half, the song that was played most, and by
        half the artist; others by the logarithm of their plays.
        """
        counts = read_counts(self.catalogue)
        of_song: Counter[SongKey] = Counter()
        of_artist: Counter[str] = Counter()
        for song, n in zip(counts.song.tolist(), counts.n.tolist(), strict=True):
            of_song[counts.songs[song]] += n
            of_artist[counts.songs[song][0]] += n
        if not self.seed_artists and not of_song:
            self.notes.append(
                "novelty has nothing to go by: no seed has an artist, and no plays are known. "
                "Import some: tonotope plays import FILE"
            )
        most_of_song = max(of_song.values(), default=0)
        most_of_artist = max(of_artist.values(), default=0)
        familiar = np.zeros(self.n)
        for row, (track, facts) in enumerate(
            zip(self.placed.tracks, self.placed.facts, strict=True)
        ):
            if facts.artist in self.seed_artists:
                familiar[row] = 1
            elif of_song and track.artist is not None:
                key = song_key(track.artist, track.title or "")
                song_share = _log_share(of_song[key], most_of_song)
                familiar[row] = (song_share + _log_share(of_artist[key[0]], most_of_artist)) / 2
        return familiar


def _log_share(n: int, most: int) -> float:
    return math.log1p(n) / math.log1p(most) if most else 0.0
