"""Playlists of a library's tracks: from what is wished for to a list, and what could not be had."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tonotope.discovery.distances import distances_to
from tonotope.discovery.playlists.choice import (
    Chosen,
    Length,
    Spacing,
    choose_tracks,
    typical_distance,
)
from tonotope.discovery.playlists.flow import (
    arc_costs,
    order_by_cost,
    step_costs,
)
from tonotope.discovery.playlists.spacing import Rule, space_out
from tonotope.errors import InputError, LibraryError
from tonotope.library.catalogue import Catalogue, Track
from tonotope.library.versions import Versions
from tonotope.session.filters import TrackFilters
from tonotope.session.music import Music
from tonotope.session.named import Named, name_tracks, refuse_contradiction
from tonotope.session.placed import Placed
from tonotope.session.suiting import PlaylistWishes, Suiting

__all__ = ["Playlist", "compose", "length_of"]

# The steps between all pairs of more would not fit into a few hundred megabytes.
_LONGEST_ORDERED = 2000


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
    refuse_contradiction(named, seeds, unlike)
    music = Music(catalogue, versions, placed.tracks)
    suiting = Suiting(catalogue, placed, music, named, seeds, unlike, wishes)
    allowed = suiting.allowed
    if not seeds and not allowed.any():
        raise LibraryError(f"no track is left: {suiting.explain()}. Ask for less.")
    outside = len(named.tracks) - len(placed.tracks)
    costs = np.append(np.where(allowed, suiting.costs(), np.inf), np.full(outside, np.inf))
    spacing = Spacing(wishes.artist_gap, wishes.album_gap)
    facts = named.facts
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


def _length_notes(chosen: Chosen, named: Named, length: Length, suiting: Suiting) -> list[str]:
    """Return why the list is not as long as it was to be, or lacks a seed."""
    reasons = (
        ("its recording is already there", chosen.copies),
        (f"{length.n} tracks are full", chosen.too_many),
    )
    notes = [
        f"left out of the seeds, as {reason}: {named.tracks[row].path}"
        for reason, rows in reasons
        for row in rows
    ]
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
