"""The groups that a library's tracks fall into by their sound."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from tonotope.errors import InputError
from tonotope.library.catalogue import Catalogue, Track
from tonotope.library.groups import StoredGrouping, read_grouping, write_grouping
from tonotope.library.versions import Versions
from tonotope.session.grouping import (
    OnProgress,
    Space,
    Wanted,
    check_wanted,
    make_grouping,
    places_of,
    why_anew,
    with_newcomers,
)
from tonotope.session.placed import Placed

# scikit-learn is imported where tracks are grouped: its import is slow, and most questions to
# groups are answered from the library.
if TYPE_CHECKING:
    from tonotope.discovery.group_comparison import Agreement
    from tonotope.discovery.group_names import Describable, GroupProfile
    from tonotope.discovery.groups import Method

__all__ = ["Group", "Groups", "Space", "group_library", "group_named", "groups_of"]

_N_TYPICAL = 5
_FEWEST_TAGGED = 5


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Tracks that sound alike.

    Attributes
    ----------
    name
        What sets it apart: "fast, bright, chiptune".
    colour
        ``#rrggbb``.
    profile
        What it sounds like, in words and numbers.
    typical
        Five that stand for it, of different artists where it has so many.
    tracks
        All, those nearest to its middle first.
    """

    name: str
    colour: str
    profile: GroupProfile
    typical: list[Track]
    tracks: list[Track]


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """A library in groups.

    Attributes
    ----------
    groups
        The largest first, as they were when the grouping was made.
    apart
        Tracks that fit into none.
    made_at, method, space, asked_k
        When and how the grouping was made; `asked_k` is None where the measures chose.
    choice
        What the number of groups was chosen by: of each that was tried the measures of
        `tonotope.discovery.group_choice.Trial`, and whether it is the ``"chosen"`` one.
    made_because
        Why it was made just now; None if it is an earlier one.
    n_joined
        How many tracks joined the groups just now.
    is_kept
        Whether the library holds it: not if the library cannot be written to.
    agreement
        With the genres that the tracks are tagged with; None where hardly any are.
    """

    groups: list[Group]
    apart: list[Track]
    made_at: str
    method: str
    space: str
    asked_k: int | None
    choice: tuple[Mapping[str, Any], ...]
    made_because: str | None
    n_joined: int
    is_kept: bool
    agreement: Agreement | None


def groups_of(catalogue: Catalogue) -> Mapping[str, tuple[str, str]]:
    """Return name and colour (``#rrggbb``) of each track's group, by `audio_id`.

    As the library keeps them: empty before the tracks have been grouped for the first time. Tracks
    that fit into no group, or came since, are left out.

    Raises
    ------
    LibraryError
        If the library is damaged.
    """
    grouping = read_grouping(catalogue)
    if grouping is None:
        return {}
    return {
        audio_id: (grouping.groups[index].name, grouping.groups[index].colour)
        for audio_id, index in grouping.members.items()
        if index is not None
    }


def group_named(catalogue: Catalogue, name: str) -> set[str]:
    """Return the `audio_id` of every track in a group.

    Parameters
    ----------
    catalogue
        The library; its tracks have been grouped.
    name
        Of the group, in upper or lower case; one of its words will do where no other group has it.

    Raises
    ------
    InputError
        If there is no such group, or more than one.
    LibraryError
        If the library is damaged.
    """
    grouping = read_grouping(catalogue)
    if grouping is None:
        raise InputError(f"no group is called '{name}': there are none yet. Run: tonotope clusters")
    names = [group.name.casefold() for group in grouping.groups]
    wanted = " ".join(name.casefold().split())
    if wanted in names:
        found = [names.index(wanted)]
    else:
        found = [k for k, words in enumerate(names) if wanted in re.split(", |/", words)]
    if len(found) != 1:
        there = "; ".join(group.name for group in grouping.groups)
        which = "more than one group is" if found else "no group is"
        raise InputError(f"{which} called '{name}'. There are: {there}.")
    return {audio_id for audio_id, index in grouping.members.items() if index == found[0]}


def group_library(
    catalogue: Catalogue,
    placed: Placed,
    versions: Versions,
    *,
    k: int | Literal["auto"] | None = None,
    method: Method | None = None,
    space: Space | None = None,
    seed: int = 0,
    on_progress: OnProgress | None = None,
) -> Groups:
    """Return the library's groups; make them where there are none, and keep them.

    Tracks that came since they were made join them. They are made anew if any of `k`, `method` and
    `space` is given, if the network is another one now (or, of all descriptors, one of these), if
    the new tracks are over a quarter of those the groups were made of, or if less than half of
    these are left. A group that is an earlier one by two thirds of the tracks in either keeps that
    one's name and colour.

    Parameters
    ----------
    catalogue, placed, versions
        The library, its tracks, and what these were heard by.
    k
        How many groups; ``"auto"`` for as many as the measures say.
    method
        ``kmeans`` by default.
    space
        What tracks are grouped by: what the network makes of them (``embedding``, by default) or
        everything they are compared by (``all``).
    seed
        Of samples and beginnings.
    on_progress
        Called with how many of how many groupings have been measured.

    Raises
    ------
    InputError
        If there cannot be so many groups, or ``hdbscan`` finds none or is told a number.
    LibraryError
        If the library holds too few tracks, is damaged, or is being written to by another program.
    """
    stored = read_grouping(catalogue)
    if k is None and method is None and space is None:
        wanted = Wanted() if stored is None else Wanted.as_in(stored, len(placed.tracks))
        made_because = why_anew(stored, placed, versions)
    else:
        wanted = Wanted(
            None if k in (None, "auto") else int(k), method or "kmeans", space or "embedding"
        )
        made_because = "you asked for it"
    tracks = _describable(catalogue, placed, versions)
    n_joined = 0
    if stored is None or made_because is not None:
        check_wanted(wanted, catalogue, len(placed.tracks))
        grouping = make_grouping(placed, tracks, versions, wanted, stored, seed, on_progress)
    else:
        grouping = with_newcomers(stored, placed)
        n_joined = len(grouping.members) - len(stored.members)
    is_kept = grouping is stored or write_grouping(catalogue, grouping)
    return _described(placed, tracks, grouping, made_because, n_joined, is_kept)


def _describable(catalogue: Catalogue, placed: Placed, versions: Versions) -> Describable:
    from tonotope.discovery.group_names import TRAITS, Describable
    from tonotope.library.columns import RowColumns
    from tonotope.library.descriptions import read_descriptions

    columns = RowColumns([trait.column for trait in TRAITS])
    audio_ids = [track.audio_id for track in placed.tracks]
    known = read_descriptions(catalogue, audio_ids, columns, versions)
    return Describable(known.numbers, known.genre_probabilities, known.genres, known.tags)


def _described(
    placed: Placed,
    tracks: Describable,
    grouping: StoredGrouping,
    made_because: str | None,
    n_joined: int,
    is_kept: bool,
) -> Groups:
    from tonotope.discovery.group_names import profile_groups
    from tonotope.discovery.recordings import ChosenTracks
    from tonotope.discovery.typical import most_typical, nearest_to_middle

    members = [grouping.members[track.audio_id] for track in placed.tracks]
    labels = np.array([-1 if index is None else index for index in members], np.intp)
    places = places_of(placed, grouping.space)
    groups = []
    for k, profile in enumerate(profile_groups(tracks, labels)):
        rows = np.flatnonzero(labels == k)
        if len(rows) == 0:
            continue  # its tracks are not there any more, but may come back
        order = nearest_to_middle(places, rows).tolist()
        chosen = ChosenTracks(placed.places, placed.facts)
        groups.append(
            Group(
                name=grouping.groups[k].name,
                colour=grouping.groups[k].colour,
                profile=profile,
                typical=[
                    placed.tracks[row]
                    for row in most_typical(order, placed.facts, chosen, n=_N_TYPICAL)
                ],
                tracks=[placed.tracks[row] for row in order],
            )
        )
    return Groups(
        groups=groups,
        apart=[placed.tracks[row] for row in np.flatnonzero(labels < 0)],
        made_at=grouping.made_at,
        method=grouping.method,
        space=grouping.space,
        asked_k=grouping.asked_k,
        choice=grouping.choice,
        made_because=made_because,
        n_joined=n_joined,
        is_kept=is_kept,
        agreement=_agreement(labels, tracks.tags),
    )


def _agreement(labels: NDArray[np.intp], tags: Sequence[frozenset[str]]) -> Agreement | None:
    from tonotope.discovery.group_comparison import agreement

    rows = [row for row, words in enumerate(tags) if words and labels[row] >= 0]
    if len(rows) < _FEWEST_TAGGED:
        return None
    return agreement(labels[rows], ["; ".join(sorted(tags[row])) for row in rows])
