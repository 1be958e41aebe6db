"""What was listened to: importing it, undoing that, and asking for it.

Every play is kept, whether the library holds the song or not. A play is known by its listener,
time, artist and title: a history that is imported again adds nothing. Where there is no time, as
in a table of play counts, a song's count in a file is a total; of the totals of several files the
largest counts. An import is there as a whole or not at all.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tonotope.errors import InputError, LibraryError
from tonotope.library.catalogue import Catalogue
from tonotope.library.lock import scan_lock
from tonotope.library.play_imports import BrokenEntry, OtherEntry, Play, opened_history
from tonotope.library.records import now
from tonotope.library.schema import path_bytes
from tonotope.library.songs import artist_key, song_key
from tonotope.library.tags import track_names
from tonotope.library.transactions import transaction

__all__ = [
    "DEFAULT_LISTENER",
    "ImportSummary",
    "OnProgress",
    "PlayImport",
    "forget_import",
    "import_plays",
    "list_imports",
]

DEFAULT_LISTENER = "me"
"""Whose plays a file holds that does not say."""

_N_BROKEN_SHOWN = 5
_N_SONGS_HELD = 20_000
_ENTRIES_PER_REPORT = 2_000

OnProgress = Callable[[int, int], None]


@dataclass(slots=True)
class ImportSummary:
    """What an import found.

    Attributes
    ----------
    path, format
        The file, and what it was read as.
    import_id
        By which it can be forgotten; None where nothing was kept of it.
    entries
        The sum of the next four.
    added
        Plays (or totals of plays) that the library had not known.
    known
        Those it had, from another import or an earlier line.
    broken
        Entries that could not be read.
    other
        Entries that are no plays of songs: podcasts, songs with 0 plays.
    skipped
        Of `added` and `known`, those that were ended within 30 s: kept, and not counted as plays.
    problems
        The first broken entries: line and reason.
    listeners
        Whose plays there are, in the order they come.
    songs, songs_in_library, artists, artists_unknown
        How many songs and artists the file names, and how many of them the library has (not).
    """

    path: str
    format: str
    import_id: int | None = None
    entries: int = 0
    added: int = 0
    known: int = 0
    broken: int = 0
    other: int = 0
    skipped: int = 0
    problems: list[tuple[int, str]] = field(default_factory=list)
    listeners: list[str] = field(default_factory=list)
    songs: int = 0
    songs_in_library: int = 0
    artists: int = 0
    artists_unknown: int = 0


@dataclass(frozen=True, slots=True)
class PlayImport:
    """An import of the past.

    Attributes
    ----------
    import_id
        By which it can be forgotten.
    path, format, imported_at
        The file as it was named, what it was read as, and when (UTC).
    plays
        How many plays it holds.
    only_here
        How many of them no other import holds: what would be lost with it.
    """

    import_id: int
    path: str
    format: str
    imported_at: str
    plays: int
    only_here: int


def import_plays(
    catalogue: Catalogue,
    path: str | os.PathLike[str],
    *,
    listener: str | None = None,
    on_progress: OnProgress | None = None,
) -> ImportSummary:
    """Import a listening history, as a whole or not at all.

    Parameters
    ----------
    catalogue
        The library.
    path
        The file, see `tonotope.library.play_imports`.
    listener
        Whose plays these are, whatever the file says; where it says nothing, `DEFAULT_LISTENER`.
    on_progress
        Called with how many of how many bytes are read.

    Raises
    ------
    InputError
        If the listener has no name.
    PathError
        If the file cannot be read or is no listening history.
    LibraryLockedError
        If a scan or another import is writing to the library.
    LibraryError
        If the library cannot be written to.
    """
    if listener is not None and not listener.strip():
        raise InputError("a listener needs a name. Name one: --user NAME")
    with opened_history(path) as (format_, text, file):
        n_bytes = os.fstat(file.fileno()).st_size
        summary = ImportSummary(os.fspath(path), format_.name)
        with _writing(catalogue):
            writer = _Writer(catalogue, summary, listener)
            for entry in format_.entries(text):
                writer.put(entry)
                if on_progress is not None and summary.entries % _ENTRIES_PER_REPORT == 0:
                    on_progress(file.tell(), n_bytes)
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            writer.finish(_digest_for(digest, listener))
    return summary


def _digest_for(digest: str, listener: str | None) -> str:
    return digest if listener is None else f"{digest} {listener}"


class _Writer:
    """Writes the plays of one import; the caller begins and ends the transaction."""

    def __init__(self, catalogue: Catalogue, summary: ImportSummary, listener: str | None) -> None:
        self._catalogue = catalogue
        self._connection = catalogue.connection
        self._summary = summary
        self._listener = listener
        self._listener_ids: dict[str, int] = {}
        self._song_ids: dict[tuple[str, str], int] = {}
        absolute = os.path.abspath(os.path.expanduser(summary.path))  # noqa: PTH100, PTH111
        (self._import_id,) = self._connection.execute(
            "INSERT INTO play_imports (path, format, digest, imported_at)"
            " VALUES (CAST(? AS TEXT), ?, '', ?) RETURNING id",
            (path_bytes(absolute), summary.format, now()),
        ).fetchone()

    def put(self, entry: Play | BrokenEntry | OtherEntry) -> None:
        """Count an entry and, where it is a play, keep it."""
        summary = self._summary
        summary.entries += 1
        if isinstance(entry, OtherEntry):
            summary.other += 1
        elif isinstance(entry, BrokenEntry):
            summary.broken += 1
            if len(summary.problems) < _N_BROKEN_SHOWN:
                summary.problems.append((entry.line, entry.reason))
        else:
            summary.skipped += entry.is_skip
            if self._put_play(entry):
                summary.added += 1
            else:
                summary.known += 1

    def _put_play(self, play: Play) -> bool:
        """Keep a play; return whether the library had not known it."""
        execute = self._connection.execute
        key = (
            self._listener_id(self._listener or play.listener or DEFAULT_LISTENER),
            self._song_id(play),
            play.played_at_s,
            play.is_skip,
        )
        row = execute(
            "INSERT INTO plays (listener_id, song_id, played_at, is_skip, n)"
            " VALUES (?, ?, ?, ?, 0) ON CONFLICT DO NOTHING RETURNING id, n",
            key,
        ).fetchone()
        play_id, n_before = (
            row
            or execute(
                "SELECT id, n FROM plays"
                " WHERE listener_id = ? AND song_id = ? AND played_at = ? AND is_skip = ?",
                key,
            ).fetchone()
        )
        # Counts without a time are parts of the file's total; the same moment comes only once.
        more = "n + excluded.n" if play.played_at_s == 0 else "max(n, excluded.n)"
        (n_here,) = execute(
            "INSERT INTO play_sources (import_id, play_id, n) VALUES (?, ?, ?)"
            f" ON CONFLICT DO UPDATE SET n = {more} RETURNING n",
            (self._import_id, play_id, play.n),
        ).fetchone()
        if n_here <= n_before:
            return False
        execute("UPDATE plays SET n = ? WHERE id = ?", (n_here, play_id))
        return True

    def _listener_id(self, name: str) -> int:
        if name not in self._listener_ids:
            execute = self._connection.execute
            execute("INSERT INTO listeners (name) VALUES (?) ON CONFLICT DO NOTHING", (name,))
            (found,) = execute("SELECT id FROM listeners WHERE name = ?", (name,)).fetchone()
            self._listener_ids[name] = found
            self._summary.listeners.append(name)
        return self._listener_ids[name]

    def _song_id(self, play: Play) -> int:
        names = (play.artist, play.title)
        known = self._song_ids.get(names)
        if known is not None:
            return known
        # The first album that is said stays.
        (song_id,) = self._connection.execute(
            "INSERT INTO songs (artist, title, album) VALUES (?, ?, ?)"
            " ON CONFLICT DO UPDATE SET album = coalesce(album, excluded.album) RETURNING id",
            (*names, play.album),
        ).fetchone()
        if len(self._song_ids) >= _N_SONGS_HELD:
            self._song_ids.clear()
        self._song_ids[names] = song_id
        return int(song_id)

    def finish(self, digest: str) -> None:
        """Sum the import up; drop it if it says nothing that the same file had not said."""
        self._match()
        summary, execute = self._summary, self._connection.execute
        same = execute("SELECT 1 FROM play_imports WHERE digest = ?", (digest,)).fetchone()
        if summary.added == 0 and (same or summary.known == 0):
            _drop(self._connection, self._import_id)
            return
        execute("UPDATE play_imports SET digest = ? WHERE id = ?", (digest, self._import_id))
        summary.import_id = self._import_id

    def _match(self) -> None:
        """Count the songs and artists of the import that the library has."""
        execute = self._connection.execute
        artists, songs = set(), set()
        for artist, title in track_names(self._catalogue):
            if artist is not None:
                artists.add(artist_key(artist))
            if artist is not None and title is not None:
                songs.add(song_key(artist, title))
        named = {
            song_key(artist, title)
            for artist, title in execute(
                "SELECT DISTINCT artist, title FROM play_sources"
                " JOIN plays ON plays.id = play_id JOIN songs ON songs.id = song_id"
                " WHERE import_id = ?",
                (self._import_id,),
            )
        }
        named_artists = {artist for artist, _ in named}
        self._summary.songs = len(named)
        self._summary.songs_in_library = len(named & songs)
        self._summary.artists = len(named_artists)
        self._summary.artists_unknown = len(named_artists - artists)


def list_imports(catalogue: Catalogue) -> list[PlayImport]:
    """Return the imports, the oldest first.

    Raises
    ------
    LibraryError
        If the library is damaged.
    """
    rows = catalogue.rows(
        "SELECT play_imports.id, path, format, imported_at, count(play_id),"
        " coalesce(sum((SELECT count(*) FROM play_sources AS other"
        "  WHERE other.play_id = play_sources.play_id) = 1), 0)"
        " FROM play_imports LEFT JOIN play_sources ON import_id = play_imports.id"
        " GROUP BY play_imports.id ORDER BY play_imports.id"
    )
    return [PlayImport(*row) for row in rows]


def forget_import(catalogue: Catalogue, import_id: int) -> int:
    """Undo an import; plays that another import holds, too, stay.

    Returns
    -------
    int
        How many plays are gone.

    Raises
    ------
    InputError
        If there is no such import.
    LibraryLockedError
        If a scan or an import is writing to the library.
    LibraryError
        If the library cannot be written to.
    """
    with _writing(catalogue):
        execute = catalogue.connection.execute
        # Not asked for by its number: SQLite has none of over 64 bits.
        if import_id not in {found for (found,) in execute("SELECT id FROM play_imports")}:
            raise InputError(f"there is no import {import_id}. See: tonotope plays list")
        return _drop(catalogue.connection, import_id)


def _drop(connection: sqlite3.Connection, import_id: int) -> int:
    """Remove an import and what nothing else holds; return how many plays that were."""
    execute = connection.execute
    execute("CREATE TEMP TABLE IF NOT EXISTS dropped (play_id INTEGER PRIMARY KEY)")
    execute("DELETE FROM dropped")
    execute(
        "INSERT INTO dropped SELECT play_id FROM play_sources WHERE import_id = ?", (import_id,)
    )
    execute("DELETE FROM play_sources WHERE import_id = ?", (import_id,))
    execute(
        "UPDATE plays SET n = coalesce((SELECT max(n) FROM play_sources WHERE play_id = plays.id),"
        " 0) WHERE id IN (SELECT play_id FROM dropped)"
    )
    n_gone = execute(
        "DELETE FROM plays WHERE n = 0 AND id IN (SELECT play_id FROM dropped)"
    ).rowcount
    execute("DELETE FROM songs WHERE id NOT IN (SELECT song_id FROM plays)")
    execute("DELETE FROM listeners WHERE id NOT IN (SELECT listener_id FROM plays)")
    execute("DELETE FROM play_imports WHERE id = ?", (import_id,))
    return n_gone


@contextmanager
def _writing(catalogue: Catalogue) -> Iterator[None]:
    """Write all that follows, durably, or nothing of it."""
    with scan_lock(catalogue.path):
        try:
            with transaction(catalogue.connection, durable=True):
                yield
        except sqlite3.Error as error:
            raise LibraryError(
                f"cannot write to library '{catalogue.path}': {error}. Nothing was changed."
            ) from error
