"""Importing plays, importing them again, and forgetting them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from subprocess import Popen

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.libraries import alter
from support.processes import starting
from tonotope.errors import InputError, LibraryError, LibraryLockedError
from tonotope.library.catalogue import Catalogue
from tonotope.library.lock import scan_lock
from tonotope.library.play_counts import read_counts, read_listeners, read_log
from tonotope.library.plays import forget_import, import_plays, list_imports
from tonotope.library.songs import song_key

State = dict[tuple[str, str, str, int, int], int]


@pytest.fixture
def catalogue(tmp_path: Path):
    with Catalogue(tmp_path / "l.db", create=True) as opened:
        yield opened


def state(catalogue: Catalogue) -> State:
    """Return what the library knows: how often, by listener, artist, title, time and skip."""
    rows = catalogue.connection.execute(
        "SELECT name, artist, title, played_at, is_skip, n FROM plays"
        " JOIN songs ON songs.id = song_id JOIN listeners ON listeners.id = listener_id"
    )
    return {tuple(row[:5]): row[5] for row in rows}


def history(path: Path, *lines: str, header: str = "artist,title,timestamp,plays,user") -> Path:
    path.write_text("\n".join([header, *lines]) + "\n", "utf-8")
    return path


def counts(catalogue: Catalogue) -> dict[tuple[str, str], int]:
    found = read_counts(catalogue)
    return {
        (found.listeners[a], found.songs[b][1]): n
        for a, b, n in zip(found.listener, found.song, found.n.tolist(), strict=True)
    }


T = 1_500_000_000


def test_what_an_import_says(catalogue: Catalogue, tmp_path: Path) -> None:
    path = history(
        tmp_path / "h.csv", f"A,T,{T},,rob", f"A,T,{T},,rob", f"A,U,{T},,", "A,V,,0,", "x"
    )
    found = import_plays(catalogue, path)
    assert (found.entries, found.added, found.known, found.broken, found.other) == (5, 2, 1, 1, 1)
    assert found.problems == [(6, "1 fields instead of 5")]
    assert (found.listeners, found.songs, found.artists_unknown) == (["rob", "me"], 2, 1)
    assert state(catalogue) == {("rob", "A", "T", T, 0): 1, ("me", "A", "U", T, 0): 1}
    (listed,) = list_imports(catalogue)
    assert (listed.import_id, listed.path, listed.plays) == (found.import_id, str(path), 2)


def test_only_the_first_problems_are_told(catalogue: Catalogue, tmp_path: Path) -> None:
    found = import_plays(catalogue, history(tmp_path / "h.csv", "A,T,,,", *["x"] * 50))
    assert found.broken == 50
    assert [line for line, _ in found.problems] == [3, 4, 5, 6, 7]


def test_a_listener_that_is_named_is_who_listened(catalogue: Catalogue, tmp_path: Path) -> None:
    import_plays(catalogue, history(tmp_path / "h.csv", f"A,T,{T},,rob"), listener="bob")
    assert [found.name for found in read_listeners(catalogue)] == ["bob"]
    with pytest.raises(InputError, match="needs a name"):
        import_plays(catalogue, tmp_path / "h.csv", listener=" ")


def test_counts_without_a_time_are_totals(catalogue: Catalogue, tmp_path: Path) -> None:
    import_plays(catalogue, history(tmp_path / "a.csv", "A,T,,5,", "A,T,,2,", "A,U,,9,"))
    assert counts(catalogue) == {("me", "t"): 7, ("me", "u"): 9}
    # A later table of the same: what has grown has grown, what is less says nothing.
    later = import_plays(catalogue, history(tmp_path / "b.csv", "A,T,,10,", "A,U,,1,"))
    assert (later.added, later.known) == (1, 1)
    assert counts(catalogue) == {("me", "t"): 10, ("me", "u"): 9}
    # Dated plays are most likely among them.
    import_plays(catalogue, history(tmp_path / "c.csv", *(f"A,T,{T + k},," for k in range(3))))
    assert counts(catalogue)["me", "t"] == 10
    import_plays(catalogue, history(tmp_path / "d.csv", *(f"A,T,{T + k},," for k in range(12))))
    assert counts(catalogue)["me", "t"] == 12


def test_spellings_of_a_song_are_one_and_skips_no_plays(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    import_plays(catalogue, history(tmp_path / "a.csv", f"Björk,Jóga,{T},,", f"BJORK,Joga,{T},2,"))
    spotify = tmp_path / "s.json"
    spotify.write_text(
        '[{"ts": "2020-01-01T00:00:00Z", "ms_played": 10, "master_metadata_track_name": "Joga",'
        ' "master_metadata_album_artist_name": "Bjork"}]'
    )
    assert import_plays(catalogue, spotify).skipped == 1
    assert counts(catalogue) == {("me", "joga"): 3}
    (me,) = read_listeners(catalogue)
    assert (me.plays, me.skips, me.songs, me.artists) == (3, 1, 1, 1)
    assert me.first_at == "2017-07-14T02:40:00+00:00"
    assert read_log(catalogue).time_s.tolist() == [T, T]


lines = st.lists(
    st.builds(
        lambda song, time, n: f"A,{song},{time},{n},",
        st.sampled_from("TUV"), st.sampled_from(["", T, T + 1]), st.integers(0, 4),
    ),
    max_size=6,
)  # fmt: skip


@settings(max_examples=20, deadline=None)
@given(files=st.lists(lines, min_size=1, max_size=3), forgotten=st.integers(0, 2))
def test_laws(tmp_path_factory: pytest.TempPathFactory, files: list, forgotten: int) -> None:
    folder = tmp_path_factory.mktemp("laws")
    paths = [history(folder / f"{k}.csv", *of_file) for k, of_file in enumerate(files)]
    forgotten %= len(paths)
    with (
        Catalogue(folder / "all.db", create=True) as all_,
        Catalogue(folder / "rest.db", create=True) as rest,
    ):
        ids = [import_plays(all_, path).import_id for path in paths]
        everything, imports = state(all_), list_imports(all_)
        # What is imported again adds nothing and leaves no trace.
        for path in reversed(paths):
            again = import_plays(all_, path)
            assert (again.added, again.import_id) == (0, None)
        assert (state(all_), list_imports(all_)) == (everything, imports)
        # What is forgotten might never have been there.
        twins = [k for k, of_file in enumerate(files) if of_file == files[forgotten]]
        for k in twins:
            if ids[k] is not None:
                forget_import(all_, ids[k])
        for k in reversed(range(len(paths))):  # nor does the order matter
            if k not in twins:
                import_plays(rest, paths[k])
        assert state(all_) == state(rest)
        for found in list_imports(all_):
            forget_import(all_, found.import_id)
        for table in ("plays", "songs", "listeners", "play_sources", "play_imports"):
            assert all_.connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


def test_an_import_that_is_not_there(catalogue: Catalogue) -> None:
    for number in (3, 10**30):
        with pytest.raises(InputError, match=f"no import {number}"):
            forget_import(catalogue, number)


def test_a_library_that_is_being_scanned(catalogue: Catalogue, tmp_path: Path) -> None:
    path = history(tmp_path / "h.csv", "A,T,,,")
    with scan_lock(catalogue.path), pytest.raises(LibraryLockedError, match="being scanned"):
        import_plays(catalogue, path)


def test_an_error_in_the_middle_leaves_nothing(catalogue: Catalogue, tmp_path: Path) -> None:
    path = history(tmp_path / "h.csv", *(f"A,T{k},,," for k in range(5000)))

    def fail(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_plays(catalogue, path, on_progress=fail)
    assert (state(catalogue), list_imports(catalogue)) == ({}, [])
    assert import_plays(catalogue, path).added == 5000


def test_a_library_that_cannot_be_written_to(tmp_path: Path) -> None:
    folder = tmp_path / "l"
    with Catalogue(folder / "l.db", create=True) as catalogue:
        catalogue.connection.execute("PRAGMA query_only = ON")
        with pytest.raises(LibraryError, match="cannot write"):
            import_plays(catalogue, history(tmp_path / "h.csv", "A,T,,,"))


def test_a_damaged_library(tmp_path: Path) -> None:
    Catalogue(tmp_path / "l.db", create=True).close()
    alter(tmp_path / "l.db", "ALTER TABLE plays RENAME TO games")
    with Catalogue(tmp_path / "l.db") as catalogue:
        for ask in (read_counts, read_log, read_listeners):
            with pytest.raises(LibraryError, match="is damaged"):
                ask(catalogue)


@pytest.fixture
def start():
    with starting("plays") as run:
        yield run


def test_a_killed_import_leaves_nothing_and_can_be_run_again(
    start: Callable[..., Popen[str]], tmp_path: Path
) -> None:
    library, fifo_line = tmp_path / "l.db", f"A,T,{T},,"
    with Catalogue(library, create=True) as catalogue:
        import_plays(catalogue, history(tmp_path / "first.csv", fifo_line))
        path = history(tmp_path / "h.csv", *(f"A{k % 99},T{k},{T + k},," for k in range(80_000)))
        process = start("import", path, "--library", library)
        wal = library.with_name("l.db-wal")
        size = wal.stat().st_size
        while wal.stat().st_size < size + 2_000_000:  # it is writing
            assert process.poll() is None
        process.kill()
        process.wait()
        assert len(state(catalogue)) == 1
    with closing(sqlite3.connect(library)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    with Catalogue(library) as catalogue:
        assert len(state(catalogue)) == 1
        assert import_plays(catalogue, history(tmp_path / "h.csv", "A,U,,,")).added == 1


# Songs


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("Björk", "Jóga"), ("BJORK", "joga")),
        (("The Beatles", "Let It Be"), ("Beatles", "Let it be - Remastered 2009")),
        (("Beatles, The", "Help!"), ("The Beatles", "Help")),
        (("Simon & Garfunkel", "America"), ("Simon and Garfunkel", "America")),
        (("Jay-Z feat. Rihanna", "Run This Town"), ("Jay-Z", "Run This Town (ft. Rihanna)")),
        (("AC/DC", "T.N.T."), ("ACDC", "TNT")),
        (("Eric Skiff", "We're the Resistors"), ("Eric Skiff", "We’re the Resistors")),
        (("Bon Jovi", "Runaway (2014 Remaster)"), ("Bon Jovi", "Runaway")),
    ],
)
def test_spellings_of_one_song(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert song_key(*one) == song_key(*other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("A", "Song"), ("A", "Song (Live)")),
        (("A", "Song"), ("A", "Song - Remix")),
        (("!!!", "Song"), ("???", "Song")),
        (("The", "Song"), ("A", "Song")),
        (("The The", "Song"), ("", "Song")),
        (("忠人 平峰", "BGM"), ("平峰", "BGM")),
        (("A", "(feat. B)"), ("A", "(feat. C)")),
        (("A", "Featherweight"), ("A", "Weight")),
    ],
)
def test_different_songs(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert song_key(*one) != song_key(*other)


@given(st.text(min_size=1).filter(str.strip), st.text(min_size=1).filter(str.strip))
def test_a_key_is_never_empty(artist: str, title: str) -> None:
    key = song_key(artist, title)
    assert "" not in key
