"""The library's file: where it lies, its tables, and how older ones are brought up to date.

Paths are stored as the bytes the operating system knows them by: as TEXT where these are UTF-8,
as they nearly always are, and through ``surrogateescape`` where they are not.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import platformdirs

from tonotope.errors import LibraryError, LibraryTooNewError

__all__ = ["SCHEMA_VERSION", "connect", "default_library_path", "path_bytes", "resolve_path"]

_APPLICATION_ID = 0x544F4E4F  # "TONO"

# Each script takes a library from one version to the next; none is ever changed once released.
# A semicolon ends a statement and stands nowhere else.
_MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE tracks (
        id INTEGER PRIMARY KEY,
        audio_id TEXT NOT NULL UNIQUE,
        codec TEXT NOT NULL,
        sample_rate_hz INTEGER NOT NULL,
        channels INTEGER NOT NULL,
        bit_rate_bps INTEGER,
        duration_s REAL NOT NULL,
        packets_skipped INTEGER NOT NULL,
        samples_clipped INTEGER NOT NULL,
        truncated INTEGER NOT NULL,
        leading_silence_s REAL NOT NULL,
        trailing_silence_s REAL NOT NULL,
        is_silent INTEGER NOT NULL,
        feature_version INTEGER NOT NULL,
        summary BLOB NOT NULL,
        model_id TEXT NOT NULL REFERENCES models (model_id),
        window_starts_s BLOB NOT NULL,
        window_probabilities BLOB NOT NULL,
        embedding BLOB
    ) STRICT;
    CREATE TABLE models (
        model_id TEXT PRIMARY KEY,
        labels TEXT NOT NULL
    ) STRICT;
    CREATE TABLE files (
        id INTEGER PRIMARY KEY,
        path TEXT NOT NULL UNIQUE,
        size_bytes INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        container TEXT NOT NULL,
        track_id INTEGER NOT NULL REFERENCES tracks (id),
        missing_since TEXT
    ) STRICT;
    CREATE INDEX files_by_track ON files (track_id);
    CREATE TABLE tags (
        file_id INTEGER PRIMARY KEY REFERENCES files (id) ON DELETE CASCADE,
        title TEXT,
        artist TEXT,
        album_artist TEXT,
        album TEXT,
        track INTEGER,
        disc INTEGER,
        year INTEGER,
        genre TEXT,
        compilation INTEGER,
        musicbrainz_recording_id TEXT,
        musicbrainz_release_id TEXT,
        musicbrainz_artist_id TEXT,
        musicbrainz_release_group_id TEXT
    ) STRICT;
    CREATE TABLE failures (
        path TEXT PRIMARY KEY,
        size_bytes INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        reason TEXT NOT NULL,
        next_step TEXT NOT NULL,
        failed_at TEXT NOT NULL
    ) STRICT;
    CREATE TABLE scans (
        id INTEGER PRIMARY KEY,
        started_at TEXT NOT NULL,
        finished_at TEXT,
        outcome TEXT NOT NULL,
        folders TEXT NOT NULL,
        summary TEXT
    ) STRICT;
    """,
    # A row of numbers per track and family takes the place of one summary of all, of which every
    # part has been redefined since. What the network heard stays. The second index tells by itself
    # which tracks are up to date: the numbers fill many times as many pages.
    """
    CREATE TABLE family_rows (
        track_id INTEGER NOT NULL REFERENCES tracks (id) ON DELETE CASCADE,
        family TEXT NOT NULL,
        version INTEGER NOT NULL,
        numbers BLOB NOT NULL,
        PRIMARY KEY (track_id, family)
    ) STRICT;
    CREATE INDEX family_rows_by_version ON family_rows (track_id, family, version);
    ALTER TABLE tracks DROP COLUMN feature_version;
    ALTER TABLE tracks DROP COLUMN summary;
    """,
    # What was listened to, also of songs that the library does not hold (yet): these are matched
    # with tracks when somebody asks. A play may come from several files, and goes with the last of
    # them. `played_at` is in seconds since 1970, 0 where unknown; `n` is then the largest total.
    """
    CREATE TABLE listeners (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE
    ) STRICT;
    CREATE TABLE songs (
        id INTEGER PRIMARY KEY,
        artist TEXT NOT NULL,
        title TEXT NOT NULL,
        album TEXT,
        UNIQUE (artist, title)
    ) STRICT;
    CREATE TABLE play_imports (
        id INTEGER PRIMARY KEY,
        path TEXT NOT NULL,
        format TEXT NOT NULL,
        digest TEXT NOT NULL,
        imported_at TEXT NOT NULL
    ) STRICT;
    CREATE TABLE plays (
        id INTEGER PRIMARY KEY,
        listener_id INTEGER NOT NULL REFERENCES listeners (id),
        song_id INTEGER NOT NULL REFERENCES songs (id),
        played_at INTEGER NOT NULL,
        is_skip INTEGER NOT NULL,
        n INTEGER NOT NULL,
        UNIQUE (song_id, listener_id, played_at, is_skip)
    ) STRICT;
    CREATE TABLE play_sources (
        import_id INTEGER NOT NULL REFERENCES play_imports (id),
        play_id INTEGER NOT NULL REFERENCES plays (id),
        n INTEGER NOT NULL,
        PRIMARY KEY (import_id, play_id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX play_sources_by_play ON play_sources (play_id);
""",
    # One grouping of the tracks by their sound, and which of them is in which group. A track is
    # named by what it is, not by its row: it may go and come back. Without a group it fits in none.
    """
    CREATE TABLE groupings (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        made_at TEXT NOT NULL,
        made_by TEXT NOT NULL,
        method TEXT NOT NULL,
        space TEXT NOT NULL,
        asked_k INTEGER,
        choice TEXT NOT NULL
    ) STRICT;
    CREATE TABLE track_groups (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        colour TEXT NOT NULL
    ) STRICT;
    CREATE TABLE group_members (
        audio_id TEXT PRIMARY KEY,
        group_id INTEGER REFERENCES track_groups (id),
        is_added INTEGER NOT NULL
    ) STRICT;
    """,
    # What recordings are recognised by, and which ones the user said are one. The index tells which
    # fingerprints are up to date, past the pages that they fill. A merge names recordings and not
    # rows: it outlives them.
    """
    CREATE TABLE fingerprints (
        track_id INTEGER PRIMARY KEY REFERENCES tracks (id) ON DELETE CASCADE,
        version INTEGER NOT NULL,
        marks BLOB NOT NULL,
        chroma BLOB NOT NULL,
        spectrum_db BLOB NOT NULL
    ) STRICT;
    CREATE INDEX fingerprints_by_version ON fingerprints (track_id, version);
    CREATE TABLE merges (
        audio_id TEXT PRIMARY KEY,
        kept_audio_id TEXT NOT NULL,
        merged_at TEXT NOT NULL
    ) STRICT;
    """,
    # Maps of the tracks, one for each method and number of axes. A track keeps its point while its
    # file is away: it may come back.
    """
    CREATE TABLE maps (
        id INTEGER PRIMARY KEY,
        method TEXT NOT NULL,
        n_dims INTEGER NOT NULL,
        made_by TEXT NOT NULL,
        made_at TEXT NOT NULL,
        UNIQUE (method, n_dims)
    ) STRICT;
    CREATE TABLE map_points (
        map_id INTEGER NOT NULL REFERENCES maps (id) ON DELETE CASCADE,
        audio_id TEXT NOT NULL,
        coordinates BLOB NOT NULL,
        is_added INTEGER NOT NULL,
        PRIMARY KEY (map_id, audio_id)
    ) STRICT, WITHOUT ROWID;
    """,
    # What the user said of two recordings: that they belong together, or do not.
    """
    CREATE TABLE feedback (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        audio_id TEXT NOT NULL,
        other_audio_id TEXT NOT NULL,
        is_together INTEGER NOT NULL,
        said_at TEXT NOT NULL,
        UNIQUE (audio_id, other_audio_id)
    ) STRICT;
    """,
)

SCHEMA_VERSION = len(_MIGRATIONS)


def default_library_path() -> Path:
    """Return where the library lies if the user does not say: in the platform's data folder."""
    return Path(platformdirs.user_data_dir("tonotope", appauthor=False)) / "library.db"


def resolve_path(path: str | os.PathLike[str] | None) -> Path:
    """Return the library's file: the default, the one named, or the one in the folder named."""
    if path is None:
        return default_library_path()
    absolute = Path(os.path.expanduser(path)).absolute()  # noqa: PTH111 - "~nobody" is a name, too
    return absolute / "library.db" if absolute.is_dir() else absolute


def path_bytes(path: str) -> bytes:
    """Return a path as it is bound to a statement, which then says ``CAST(? AS TEXT)``."""
    return os.fsencode(path)


def connect(path: Path, *, create: bool) -> sqlite3.Connection:
    """Open a library and bring it up to date.

    Parameters
    ----------
    path
        Its file.
    create
        Whether to make one where there is none.

    Raises
    ------
    LibraryTooNewError
        If a newer Tonotope wrote it.
    LibraryError
        If there is none, it cannot be opened or brought up to date, or it is something else's
        file.
    """
    # Who only asks changes nothing, least of all a file that is no library.
    if not create and not (path.exists() and path.stat().st_size):
        raise LibraryError(f"no library at '{path}' yet. Make one: tonotope scan FOLDER")
    is_read_only = not create and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK))
    try:
        if create:
            path.parent.mkdir(parents=True, exist_ok=True)
        # Scans exclude each other by a lock and readers wait for nobody: a short wait will do.
        connection = sqlite3.connect(
            f"{path.as_uri()}?immutable=1" if is_read_only else path,
            timeout=1.5,
            isolation_level=None,
            uri=is_read_only,
        )
    except (OSError, sqlite3.Error) as error:
        raise LibraryError(
            f"cannot open library '{path}': {error}. Name another place with --library."
        ) from error
    connection.text_factory = os.fsdecode
    try:
        version = _check(connection, path)
        if not is_read_only:
            _prepare(connection)
        elif version < SCHEMA_VERSION:
            raise LibraryError(
                f"library '{path}' was written by an older Tonotope and is read-only, so that it "
                "cannot be brought up to date. Copy it to a folder of yours: --library COPY"
            )
    except sqlite3.Error as error:
        connection.close()
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_IOERR_SHMSIZE:
            raise LibraryError(
                f"cannot open library '{path}': its disk is full, and to read it takes a little "
                "room, too. Make some."
            ) from error
        raise LibraryError(
            f"cannot open library '{path}': {error}. Name another place with --library."
        ) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection, path: Path) -> int:
    """Refuse what is not a library of ours, or of a time to come; return its version."""
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (n_tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if application_id != _APPLICATION_ID and n_tables:
        raise LibraryError(
            f"'{path}' is a database of another program. Name another place with --library."
        )
    if version > SCHEMA_VERSION:
        raise LibraryTooNewError(
            f"library '{path}' was written by a newer Tonotope (its format is {version}, this "
            f"version knows up to {SCHEMA_VERSION}). Update Tonotope or use another --library."
        )
    return int(version)


def _prepare(connection: sqlite3.Connection) -> None:
    """Set the connection up, and bring the library up to date."""
    connection.execute("PRAGMA journal_mode = WAL")
    # All of it can be computed again; a power cut may cost the last seconds, never the library.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version < SCHEMA_VERSION:
        _migrate(connection)


def _migrate(connection: sqlite3.Connection) -> None:
    """Run the scripts that are missing, all of them or none."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have been here since the version was read.
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        for script in _MIGRATIONS[version:]:
            for statement in script.split(";"):
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
