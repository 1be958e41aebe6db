"""What the user said of recordings: these belong together, those do not.

A pair is known by its recordings, so that what was said outlives rescans, moves and new tags. Of
one pair the last word counts.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tonotope.errors import LibraryError
from tonotope.library.catalogue import Catalogue, Track
from tonotope.library.records import now
from tonotope.library.transactions import transaction

__all__ = ["Verdict", "drop_verdicts", "put_verdicts", "tracks_of_verdicts", "verdicts"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was said of two recordings.

    Attributes
    ----------
    number
        By which it can be forgotten.
    audio_id, other_audio_id
        The recordings, in the order in which they were named.
    is_together
        Whether they belong together.
    said_at
        In UTC, as `tonotope.library.records.now` writes it.
    """

    number: int
    audio_id: str
    other_audio_id: str
    is_together: bool
    said_at: str


def verdicts(catalogue: Catalogue) -> list[Verdict]:
    """Return what was said, the earliest first.

    Raises
    ------
    LibraryError
        If the library is damaged.
    """
    query = (
        "SELECT id, audio_id, other_audio_id, is_together, said_at FROM feedback"
        " ORDER BY said_at, id"
    )
    return [
        Verdict(number, audio_id, other, bool(is_together), said_at)
        for number, audio_id, other, is_together, said_at in catalogue.rows(query)
    ]


def tracks_of_verdicts(catalogue: Catalogue) -> dict[str, Track]:
    """Return the tracks that something was said of, by `audio_id`; none without a file.

    Raises
    ------
    LibraryError
        If the library is damaged.
    """
    query = (
        "SELECT audio_id, path, title, coalesce(artist, album_artist), album, duration_s"
        " FROM tracks JOIN files ON files.track_id = tracks.id LEFT JOIN tags ON file_id = files.id"
        " WHERE missing_since IS NULL AND audio_id IN"
        " (SELECT audio_id FROM feedback UNION SELECT other_audio_id FROM feedback)"
        " ORDER BY path DESC"
    )
    return {about[0]: Track(*about) for about in catalogue.rows(query)}


def put_verdicts(
    catalogue: Catalogue, pairs: Iterable[tuple[str, str]], *, is_together: bool
) -> None:
    """Keep what was said of pairs of recordings, in place of what was said before.

    Raises
    ------
    LibraryError
        If the library cannot be written to; nothing was kept.
    """
    said_at = now()
    rows = [(*pair, is_together, said_at) for pair in pairs]
    try:
        with transaction(catalogue.connection, durable=True):
            execute = catalogue.connection.executemany
            execute(
                "DELETE FROM feedback WHERE (audio_id, other_audio_id) IN ((?1, ?2), (?2, ?1))",
                [row[:2] for row in rows],
            )
            execute(
                "INSERT INTO feedback (audio_id, other_audio_id, is_together, said_at)"
                " VALUES (?, ?, ?, ?)",
                rows,
            )
    except sqlite3.Error as error:
        raise _unwritten(catalogue, error) from error


def drop_verdicts(catalogue: Catalogue, numbers: Sequence[int]) -> None:
    """Forget what was said.

    Raises
    ------
    LibraryError
        If the library cannot be written to; nothing was forgotten.
    """
    try:
        with transaction(catalogue.connection, durable=True):
            catalogue.connection.executemany(
                "DELETE FROM feedback WHERE id = ?", [(number,) for number in numbers]
            )
    except sqlite3.Error as error:
        raise _unwritten(catalogue, error) from error


def _unwritten(catalogue: Catalogue, error: sqlite3.Error) -> LibraryError:
    return LibraryError(
        f"cannot write to library '{catalogue.path}': {error}. Nothing was kept or forgotten. "
        "Try again, or name a copy of it: --library COPY"
    )
