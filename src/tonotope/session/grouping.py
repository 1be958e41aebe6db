"""Making the groups that a library keeps, and letting new tracks join them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Self, cast

import numpy as np
from numpy.typing import NDArray

from tonotope.errors import InputError, LibraryError
from tonotope.library.catalogue import Catalogue
from tonotope.library.groups import StoredGroup, StoredGrouping
from tonotope.library.versions import Versions
from tonotope.session.descriptions import made_by_of
from tonotope.session.placed import Placed

# scikit-learn is imported where tracks are grouped: its import is slow.
if TYPE_CHECKING:
    from tonotope.discovery.group_names import Describable
    from tonotope.discovery.groups import Method

__all__ = [
    "COLOURS",
    "OnProgress",
    "Space",
    "Wanted",
    "check_wanted",
    "make_grouping",
    "places_of",
    "why_anew",
    "with_newcomers",
]

Space = Literal["embedding", "all"]
OnProgress = Callable[[int, int], None]

COLOURS = (
    "#cc6677", "#332288", "#ddcc77", "#117733", "#88ccee", "#882255", "#44aa99", "#999933",
    "#aa4499",
)  # fmt: skip
"""Nine that are told apart also by the colour-blind (Paul Tol's "muted"); of more groups some share
one."""

_FEWEST_TRACKS = 4
# The grouping is made anew if there are so many new tracks for those it was made of, or so few of
# these are left.
_MOST_NEW = 0.25
_FEWEST_LEFT = 0.5
# A group is an earlier one if they share so many of the tracks that are in either.
_LEAST_OVERLAP = 2 / 3


@dataclass(frozen=True, slots=True)
class Wanted:
    """How tracks are to be grouped.

    Attributes
    ----------
    k
        How many groups; None for as many as the measures say.
    method, space
        As `tonotope.session.groups.group_library` has them.
    """

    k: int | None = None
    method: Method = "kmeans"
    space: Space = "embedding"

    @classmethod
    def as_in(cls, stored: StoredGrouping, n_tracks: int) -> Self:
        """Return what was wanted of a stored grouping; not its number, if that is too many now."""
        k = stored.asked_k
        return cls(
            k if k is not None and k < n_tracks else None,
            cast("Method", stored.method),
            cast(Space, stored.space),
        )


def why_anew(stored: StoredGrouping | None, placed: Placed, versions: Versions) -> str | None:
    """Return why the library's grouping will not do any more; None if it will."""
    if stored is None:
        return "there were none"
    if stored.made_by != _maker(versions, stored.space):
        return "the tracks have been listened to by another version since"
    originals = stored.members.keys() - stored.added
    n_left = len(originals & placed.row_of.keys())
    n_new = len(placed.tracks) - n_left
    if n_left < _FEWEST_LEFT * len(originals):
        return f"of the {len(originals)} tracks they were made of, {n_left} are left"
    if n_new > _MOST_NEW * len(originals):
        return f"{n_new} tracks have come since they were made of {len(originals)}"
    return None


def _maker(versions: Versions, space: str) -> str:
    return versions.model_id if space == "embedding" else made_by_of(versions)


def check_wanted(wanted: Wanted, catalogue: Catalogue, n_tracks: int) -> None:
    """Refuse what cannot be.

    Raises
    ------
    InputError
        If there cannot be so many groups, or ``hdbscan`` is told a number.
    LibraryError
        If there are too few tracks.
    """
    if n_tracks < _FEWEST_TRACKS:
        raise LibraryError(
            f"library '{catalogue.path}' holds {n_tracks} "
            f"{'track' if n_tracks == 1 else 'tracks'} that can be compared, and groups need at "
            f"least {_FEWEST_TRACKS}. Add some: tonotope scan FOLDER"
        )
    if wanted.k is None:
        return
    if wanted.method == "hdbscan":
        raise InputError(
            f"hdbscan finds the number of groups itself and cannot be told {wanted.k}. Leave --k "
            "out, or name another --method."
        )
    if not 2 <= wanted.k < n_tracks:
        raise InputError(
            f"cannot make {wanted.k} groups of {n_tracks} tracks. Ask for 2 to {n_tracks - 1}."
        )


def places_of(placed: Placed, space: str) -> NDArray[np.float32]:
    """Return the places that tracks are grouped by, shape (n_tracks, n_columns)."""
    return placed.places if space == "all" else placed.places[:, placed.parts["embedding"]]


def make_grouping(
    placed: Placed,
    tracks: Describable,
    versions: Versions,
    wanted: Wanted,
    stored: StoredGrouping | None,
    seed: int,
    on_progress: OnProgress | None,
) -> StoredGrouping:
    """Return a new grouping, whose groups keep names and colours of those they were before.

    Parameters
    ----------
    placed, tracks, versions
        The tracks, what they are named by, and what they were heard by.
    wanted
        See `check_wanted`.
    stored
        The grouping before, if there was one.
    seed, on_progress
        As `tonotope.session.groups.group_library` has them.

    Raises
    ------
    InputError
        If the tracks do not fall into two groups.
    """
    from tonotope.discovery.group_choice import find_groups
    from tonotope.discovery.group_names import name_groups, profile_groups
    from tonotope.library.records import now

    labels, choice = find_groups(
        places_of(placed, wanted.space), wanted.method, wanted.k, seed, on_progress
    )
    profiles = profile_groups(tracks, labels)
    members = _members(placed, labels)
    earlier = _earlier_groups(stored, members, len(profiles))
    taken = [group.name for group in earlier if group is not None]
    fresh = [profile for profile, group in zip(profiles, earlier, strict=True) if group is None]
    names = iter(name_groups(fresh, taken=taken))
    colours = _free_colours([group.colour for group in earlier if group is not None])
    return StoredGrouping(
        made_at=now(),
        made_by=_maker(versions, wanted.space),
        method=wanted.method,
        space=wanted.space,
        asked_k=wanted.k,
        choice=tuple(choice),
        groups=tuple(group or StoredGroup(next(names), next(colours)) for group in earlier),
        members=members,
    )


def _members(placed: Placed, labels: NDArray[np.intp]) -> dict[str, int | None]:
    return {
        track.audio_id: label if label >= 0 else None
        for track, label in zip(placed.tracks, labels.tolist(), strict=True)
    }


def _earlier_groups(
    stored: StoredGrouping | None, members: Mapping[str, int | None], n_groups: int
) -> list[StoredGroup | None]:
    """Return for each new group the earlier one that it is, or None."""
    from tonotope.discovery.group_comparison import same_groups

    if stored is None:
        return [None] * n_groups
    old = _sets(stored.members, len(stored.groups))
    new = _sets(members, n_groups)
    index_of = same_groups(old, new, least_overlap=_LEAST_OVERLAP)
    return [stored.groups[index_of[k]] if k in index_of else None for k in range(n_groups)]


def _sets(members: Mapping[str, int | None], n_groups: int) -> list[set[str]]:
    sets: list[set[str]] = [set() for _ in range(n_groups)]
    for audio_id, index in members.items():
        if index is not None:
            sets[index].add(audio_id)
    return sets


def _free_colours(taken: Sequence[str]) -> Iterator[str]:
    """Give the colour that is used least, again and again."""
    counts = {colour: list(taken).count(colour) for colour in COLOURS}
    while True:
        colour = min(COLOURS, key=counts.__getitem__)
        counts[colour] += 1
        yield colour


def with_newcomers(stored: StoredGrouping, placed: Placed) -> StoredGrouping:
    """Return the grouping with every track in it; itself where none is missing."""
    new = [track.audio_id for track in placed.tracks if track.audio_id not in stored.members]
    if not new:
        return stored
    from tonotope.discovery.groups import join_groups

    places = places_of(placed, stored.space)
    known = [track.audio_id for track in placed.tracks if track.audio_id in stored.members]
    indices = [stored.members[audio_id] for audio_id in known]
    labels = np.array([-1 if index is None else index for index in indices], np.intp)
    joined = join_groups(
        places[[placed.row_of[audio_id] for audio_id in known]],
        labels,
        places[[placed.row_of[audio_id] for audio_id in new]],
        cast("Method", stored.method),
    )
    groups = [label if label >= 0 else None for label in joined.tolist()]
    return replace(
        stored,
        members={**stored.members, **dict(zip(new, groups, strict=True))},
        added=stored.added | set(new),
    )
