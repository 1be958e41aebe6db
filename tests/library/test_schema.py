from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tonotope.errors import LibraryError, LibraryTooNewError
from tonotope.library.schema import SCHEMA_VERSION, connect, default_library_path, resolve_path


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
