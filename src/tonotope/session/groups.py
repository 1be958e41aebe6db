"""The groups that a library's tracks fall into by their sound."""

from __future__ import annotations

from collections.abc import Mapping

from tonotope.errors import InputError
from tonotope.library.catalogue import Catalogue
from tonotope.library.groups import read_grouping

__all__ = ["group_named", "groups_of"]


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
        found = [k for k, words in enumerate(names) if wanted in words.split(", ")]
    if len(found) != 1:
        there = "; ".join(group.name for group in grouping.groups)
        which = "more than one group is" if found else "no group is"
        raise InputError(f"{which} called '{name}'. There are: {there}.")
    return {audio_id for audio_id, index in grouping.members.items() if index == found[0]}
