"""The grouping of its tracks that a library keeps: one at a time, its members by `audio_id`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tonotope.library.catalogue import Catalogue
from tonotope.library.transactions import keep_if_possible

__all__ = ["StoredGroup", "StoredGrouping", "read_grouping", "write_grouping"]


@dataclass(frozen=True, slots=True)
class StoredGroup:
    """What a group is called, and drawn in: ``#rrggbb``."""

    name: str
    colour: str


@dataclass(frozen=True, slots=True, eq=False)
class StoredGrouping:
    """A library's tracks in groups.

    Attributes
    ----------
    made_at
        In UTC, as `tonotope.library.records.now` writes it.
    made_by
        Of which model and which versions of the descriptors.
    method, space
        How, and by what, the tracks were grouped.
    asked_k
        How many groups were asked for; None where that was left to the measures.
    choice
        What the number was chosen by, a row for each that was tried; JSON can hold it.
    groups
        In the order in which they are shown.
    members
        The index of each track's group by `audio_id`, None where it fits into none.
    added
        Those of the members that came after the grouping was made.
    """

    made_at: str
    made_by: str
    method: str
    space: str
    asked_k: int | None
    choice: tuple[Mapping[str, Any], ...]
    groups: tuple[StoredGroup, ...]
    members: Mapping[str, int | None]
    added: frozenset[str] = frozenset()


def read_grouping(catalogue: Catalogue) -> StoredGrouping | None:
    """Return the grouping that a library keeps, if it keeps one.

    Raises
    ------
    LibraryError
        If the library is damaged.
    """
    connection = catalogue.connection
    try:
        row = connection.execute(
            "SELECT made_at, made_by, method, space, asked_k, choice FROM groupings"
        ).fetchone()
        if row is None:
            return None
        groups = connection.execute("SELECT id, name, colour FROM track_groups ORDER BY id")
        index_of: dict[int | None, int | None] = {None: None}
        named = []
        for index, (group_id, name, colour) in enumerate(groups):
            index_of[group_id] = index
            named.append(StoredGroup(name, colour))
        rows = connection.execute("SELECT audio_id, group_id, is_added FROM group_members")
        members, added = {}, set()
        for audio_id, group_id, is_added in rows:
            members[audio_id] = index_of[group_id]
            if is_added:
                added.add(audio_id)
        made_at, made_by, method, space, asked_k, choice = row
        return StoredGrouping(
            made_at,
            made_by,
            method,
            space,
            asked_k,
            tuple(dict(trial) for trial in json.loads(choice)),
            tuple(named),
            members,
            frozenset(added),
        )
    except (sqlite3.DatabaseError, KeyError, TypeError, ValueError) as error:
        raise catalogue.damaged(f"its groups cannot be read ({error})") from error


def write_grouping(catalogue: Catalogue, grouping: StoredGrouping) -> bool:
    """Keep a grouping in place of the one before; return whether the library can be written to.

    Raises
    ------
    LibraryError
        If another program is writing to the library, or it is damaged.
    """
    return keep_if_possible(
        catalogue, "the groups", lambda connection: _replace(connection, grouping)
    )


def _replace(connection: sqlite3.Connection, grouping: StoredGrouping) -> None:
    for table in ("group_members", "track_groups", "groupings"):
        connection.execute(f"DELETE FROM {table}")
    connection.execute(
        "INSERT INTO groupings (id, made_at, made_by, method, space, asked_k, choice)"
        " VALUES (1, ?, ?, ?, ?, ?, ?)",
        (
            grouping.made_at,
            grouping.made_by,
            grouping.method,
            grouping.space,
            grouping.asked_k,
            json.dumps(grouping.choice),
        ),
    )
    connection.executemany(
        "INSERT INTO track_groups (id, name, colour) VALUES (?, ?, ?)",
        [(index, group.name, group.colour) for index, group in enumerate(grouping.groups)],
    )
    connection.executemany(
        "INSERT INTO group_members (audio_id, group_id, is_added) VALUES (?, ?, ?)",
        [
            (audio_id, index, audio_id in grouping.added)
            for audio_id, index in grouping.members.items()
        ],
    )
