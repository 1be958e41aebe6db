"""Playlists of a library's tracks: from what is wished for to a list, and what could not be had."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tonotope.discovery.distances import distances_to
from tonotope.discovery.playlists.choice import (
    Chosen,
    Length,
    Spacing,
    choose_tracks,
    typical_distance,
)
from tonotope.discovery.playlists.flow import (
    ARCS,
    Arc,
    arc_costs,
    order_by_cost,
    step_costs,
)
from tonotope.discovery.playlists.moods import MOODS, mood_columns, mood_scores
from tonotope.discovery.playlists.spacing import Rule, space_out
from tonotope.errors import InputError, LibraryError
from tonotope.library.catalogue import Catalogue, Track
from tonotope.library.play_counts import read_counts
from tonotope.library.songs import SongKey, song_key
from tonotope.library.versions import Versions
from tonotope.session.filters import Restriction, TrackFilters
from tonotope.session.locating import locate
from tonotope.session.music import Music
from tonotope.session.placed import Placed, facts_of

__all__ = ["Named", "Playlist", "PlaylistWishes", "compose", "length_of", "name_tracks"]

ORDERS = ("near", "flow")
# The steps between all pairs of more would not fit into a few hundred megabytes.
_LONGEST_ORDERED = 2000
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


@dataclass(frozen=True, slots=True)
class Playlist:
    """Tracks in the order of playing.

    Attributes
    ----------
    tracks
        The tracks.
    notes
        What was wished for and could not be had, a sentence each.
    """

    tracks: list[Track]
    notes: list[str]


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


def length_of(n: int | None, minutes: float | None) -> Length:
    """Return the length that somebody asked for: an hour if they did not.

    Raises
    ------
    InputError
        If it is none.
    """
    if n is not None and minutes is not None:
        raise InputError("a playlist has a number of tracks or of minutes, not both.")
    if n is None and minutes is None:
        minutes = 60.0
    if (n is not None and n < 1) or (minutes is not None and not 0 < minutes < math.inf):
        length = f"{n} tracks" if minutes is None else f"{minutes} minutes"
        raise InputError(f"a playlist cannot hold {length}. Name a number above 0.")
    return Length(n, None if minutes is None else minutes * 60)


def compose(
    catalogue: Catalogue,
    placed: Placed,
    versions: Versions,
    like: Sequence[str | os.PathLike[str]],
    length: Length,
    wishes: PlaylistWishes,
) -> Playlist:
    """Compose a playlist.

    Parameters
    ----------
    catalogue, placed, versions
        The library.
    like
        The seeds: files, in the library or not, or `audio_id`s. They may be none where a mood or a
        filter says what the list is to be.
    length
        How long it is to be.
    wishes
        Everything else.

    Raises
    ------
    InputError
        If there is nothing to go by, no such mood or group, or the wishes contradict each other.
    LibraryError
        If no track is left.
    TrackNotFoundError, DecodeError
        As for `name_tracks`.
    """
    if not like and wishes.mood is None and wishes.filters == TrackFilters():
        raise InputError(
            "a playlist needs a track to begin with, a mood or a filter. Name one: --like FILE"
        )
    named = name_tracks(catalogue, placed, [*like, *wishes.unlike])
    seeds, unlike = named.rows[: len(like)], named.rows[len(like) :]
    if set(seeds) & set(unlike):
        both = named.tracks[next(row for row in seeds if row in unlike)]
        raise InputError(f"'{both.path}' is among --like and --unlike. Take it out of one.")
    music = Music(catalogue, versions, placed.tracks)
    suiting = _Suiting(catalogue, placed, music, named, seeds, unlike, wishes)
    allowed = suiting.allowed
    if not seeds and not allowed.any():
        raise LibraryError(f"no track is left: {suiting.explain()}. Ask for less.")
    outside = len(named.tracks) - len(placed.tracks)
    costs = np.append(np.where(allowed, suiting.costs(), np.inf), np.full(outside, np.inf))
    spacing = Spacing(wishes.artist_gap, wishes.album_gap)
    facts = [*placed.facts, *(facts_of(track) for track in named.tracks[len(placed.tracks) :])]
    chosen = choose_tracks(
        named.places,
        facts,
        seeds,
        costs.astype(np.float32),
        length,
        spacing=spacing,
        diversity=wishes.diversity,
    )
    if not chosen.rows:
        shortest = min(facts[row].duration_s for row in np.flatnonzero(allowed).tolist())
        raise LibraryError(
            f"no track fits into {(length.duration_s or 0) / 60:g} minutes: the shortest of those "
            f"left has {shortest:.0f} s. Ask for a longer list."
        )
    rows = chosen.rows
    rules = [
        Rule([facts[row].artist for row in rows], wishes.artist_gap),
        Rule([facts[row].album for row in rows], wishes.album_gap),
    ]
    notes = [*suiting.notes, *_length_notes(chosen, named, length, suiting)]
    order, broken = _ordered(
        catalogue, versions, named, rows, rules, wishes, keep_first=bool(seeds)
    )
    return Playlist([named.tracks[rows[k]] for k in order], [*notes, *broken])


class _Suiting:
    """How well each track of the library suits the wishes."""

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
        self.seed_artists = {facts_of(named.tracks[row]).artist for row in seeds} - {None}
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


def _length_notes(chosen: Chosen, named: Named, length: Length, suiting: _Suiting) -> list[str]:
    """Return why the list is not as long as it was to be, or lacks a seed."""
    notes = []
    for row in chosen.seeds_left_out:
        is_full = len(chosen.rows) == length.n
        reason = f"{length.n} tracks are full" if is_full else "its recording is already there"
        notes.append(f"left out of the seeds, as {reason}: {named.tracks[row].path}")
    n, s = len(chosen.rows), sum(named.tracks[row].duration_s for row in chosen.rows)
    if length.duration_s is not None and s > length.duration_s:
        notes.append(f"the seeds alone last {s / 60:.1f} of {length.duration_s / 60:g} minutes.")
    elif chosen.is_exhausted:
        asked = (f"{n} of {length.n} tracks" if length.duration_s is None
                 else f"{s / 60:.1f} of {length.duration_s / 60:g} minutes")  # fmt: skip
        why = f": {suiting.explain()}" if suiting.restrictions else ""
        notes.append(f"the list is shorter than asked for, {asked}: no track is left{why}.")
    return notes


def _ordered(
    catalogue: Catalogue,
    versions: Versions,
    named: Named,
    rows: Sequence[int],
    rules: Sequence[Rule],
    wishes: PlaylistWishes,
    *,
    keep_first: bool,
) -> tuple[list[int], list[str]]:
    """Return the positions in the order of playing, and what of the spacing cannot be kept."""
    keep_first = keep_first and wishes.arc is None
    spaced = space_out(rules, keep_first=keep_first)
    notes = [
        f"{rule.gap} between two of one {what} cannot be kept with these {len(rows)} tracks: "
        + (f"there {'is' if gap == 1 else 'are'} {gap}." if gap else "some are neighbours.")
        for what, rule, gap in zip(("artist", "album"), rules, spaced.gaps, strict=True)
        if gap < rule.gap
    ]
    if wishes.order == "near" and wishes.arc is None:
        return spaced.order, notes
    if len(rows) > _LONGEST_ORDERED:
        raise InputError(
            f"order and arc are for lists of up to {_LONGEST_ORDERED} tracks; this one would have "
            f"{len(rows)}. Ask for fewer."
        )
    kept = [Rule(rule.keys, gap) for rule, gap in zip(rules, spaced.gaps, strict=True)]
    music = Music(catalogue, versions, [named.tracks[row] for row in rows]).facts()
    places = named.places[list(rows)]
    distances = np.stack([distances_to(places, place) for place in places])
    steps = step_costs(distances / typical_distance(distances), music)
    along = None if wishes.arc is None else arc_costs(music.energy, wishes.arc)
    return order_by_cost(steps, along, kept, spaced.order, keep_first=keep_first), notes
