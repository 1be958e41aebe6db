from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from support.full_disk import no_room
from support.libraries import contents
from tonotope.errors import LibraryError, LibraryTooNewError
from tonotope.library.schema import SCHEMA_VERSION, connect, default_library_path, resolve_path

# The tables as version 1 of the format made them, with a track, its file and a scan in them.
VERSION_1 = """
PRAGMA application_id = 1414483535;
PRAGMA user_version = 1;
PRAGMA journal_mode = WAL;
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
INSERT INTO models VALUES ('m', '["a", "b"]');
INSERT INTO tracks VALUES (
    7, 'f00d', 'mp3', 44100, 2, NULL, 3.5, 1, 0, 0, 0.0, 0.0, 0,
    1, zeroblob(1292), 'm', x'00000000', x'0000803f00000000', zeroblob(1024)
);
INSERT INTO files VALUES (3, '/music/a.mp3', 10, 20, 'mp3', 7, NULL);
INSERT INTO tags (file_id, title) VALUES (3, 'A title');
INSERT INTO failures VALUES ('/music/b.mp3', 1, 2, 'no music', 'none', '2026-01-01');
INSERT INTO scans VALUES (1, '2026-01-01', NULL, 'killed', '[]', NULL);
"""


@pytest.fixture
def version_1(tmp_path: Path) -> Path:
    path = tmp_path / "v1.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(VERSION_1)
    return path


def tables(path: Path) -> list[tuple[str, str]]:
    """Return name and definition of every table and index, however they are spaced."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
        return sorted((name, " ".join(sql.split())) for name, sql in rows)


def test_version_1_is_brought_up_to_date(version_1: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(version_1)) as connection:
        everything_else = {
            name: connection.execute(f"SELECT * FROM {name}").fetchall()
            for name in ("models", "files", "tags", "failures", "scans")
        }
    with closing(connect(version_1, create=False)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        for name, rows in everything_else.items():
            assert connection.execute(f"SELECT * FROM {name}").fetchall() == rows
    held = contents(version_1)
    (track,) = held["tracks"]
    assert track[:6] == ("f00d", "mp3", 44100, 2, None, 3.5)
    assert track[-4:] == ("m", bytes(4), b"\0\0\x80?" + bytes(4), bytes(1024))
    assert held["family_rows"] == []
    # And is what a new library is.
    connect(tmp_path / "new.db", create=True).close()
    assert tables(version_1) == tables(tmp_path / "new.db")


def test_version_1_where_it_cannot_be_written(
    version_1: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = version_1.read_bytes()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(LibraryError, match=r"older Tonotope and is read-only.*--library COPY"):
        connect(version_1, create=False)
    assert version_1.read_bytes() == before


def test_a_migration_of_version_1_that_breaks_off_leaves_it_as_it_was(version_1: Path) -> None:
    with closing(sqlite3.connect(version_1)) as connection:
        connection.execute("CREATE VIEW summaries AS SELECT summary FROM tracks")
        before = list(connection.iterdump())
    with pytest.raises(LibraryError, match="cannot open library"):
        connect(version_1, create=False)
    with closing(sqlite3.connect(version_1)) as connection:
        assert list(connection.iterdump()) == before
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)


def test_a_new_library_is_wal_and_marked_as_ours(tmp_path: Path) -> None:
    with closing(connect(tmp_path / "new" / "l.db", create=True)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
        assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)


def test_an_existing_library_is_opened_as_it_is(tmp_path: Path) -> None:
    with closing(connect(tmp_path / "l.db", create=True)) as connection:
        connection.execute("INSERT INTO models VALUES ('m', '[]')")
    with closing(connect(tmp_path / "l.db", create=False)) as connection:
        assert connection.execute("SELECT model_id FROM models").fetchall() == [("m",)]


def test_a_library_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    with closing(connect(path, create=True)) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(
        LibraryTooNewError, match=rf"format is {SCHEMA_VERSION + 1}.*Update Tonotope"
    ):
        connect(path, create=True)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION + 1,)


def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    before = path.read_bytes()
    with pytest.raises(LibraryError, match="database of another program"):
        connect(path, create=True)
    assert path.read_bytes() == before


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    path.write_bytes(b"no database at all, but a long enough text" * 40)
    with pytest.raises(LibraryError, match=r"not a database.*--library"):
        connect(path, create=True)


def test_where_there_is_none_the_next_step_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        LibraryError, match=r"no library at .* yet\. Make one: tonotope scan FOLDER"
    ):
        connect(tmp_path / "none.db", create=False)
    assert not (tmp_path / "none.db").exists()


def test_who_asks_makes_no_library_of_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").touch()
    with pytest.raises(LibraryError, match="no library at"):
        connect(tmp_path / "empty.txt", create=False)
    assert (tmp_path / "empty.txt").stat().st_size == 0


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LibraryError, match="cannot open library"):
        connect(tmp_path / "file" / "l.db", create=True)


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    connect(path, create=True).close()
    message = r"l\.db': its disk is full, .* Make some\.$"
    # A file's name and length take no room yet.
    with no_room(beyond=1024), pytest.raises(LibraryError, match=message):
        connect(path, create=False)
    connect(path, create=False).close()


def test_a_migration_that_breaks_off_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    with closing(connect(path, create=True)) as connection:
        # As if a migration to this version were still to be done, and were to fail.
        connection.execute("PRAGMA user_version = 0")
    with pytest.raises(LibraryError, match="already exists"):
        connect(path, create=True)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (0,)


def test_where_the_library_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert resolve_path(None) == default_library_path()
    assert resolve_path(tmp_path / "x.db") == tmp_path / "x.db"
    assert resolve_path(tmp_path) == tmp_path / "library.db"
    monkeypatch.chdir(tmp_path)
    assert resolve_path("x.db") == tmp_path / "x.db"
    assert resolve_path("~nobody-of-this-name/x.db").name == "x.db"


def test_paths_that_are_not_utf8_come_back(tmp_path: Path) -> None:
    from tonotope.library.schema import path_bytes

    name = os.fsdecode(b"caf\xe9")
    with closing(connect(tmp_path / "l.db", create=True)) as connection:
        connection.execute(
            "INSERT INTO failures VALUES (CAST(? AS TEXT), 0, 0, '', '', '')", (path_bytes(name),)
        )
        assert connection.execute("SELECT path FROM failures").fetchone() == (name,)
