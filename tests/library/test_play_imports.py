"""Every format of listening histories keeps one contract."""

from __future__ import annotations

import codecs
import csv
import io
import json
import os
import tracemalloc
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tonotope.errors import PathError
from tonotope.library.play_imports import (
    FORMATS,
    BrokenEntry,
    Entry,
    OtherEntry,
    Play,
    opened_history,
)
from tonotope.library.play_imports.entries import name_in, time_in
from tonotope.library.play_imports.pieces import LONGEST_PIECE, json_objects

PLAYS = [
    Play("Björk", "Jóga", "Homogenic", 1406834700),
    Play('The "Quoted", and Comma', "A; B", None, 1406834760),
    Play("忠人 平峰", "BGM", "忠人 平峰's Album", 1406920020),
]


def rows(plays: Sequence[Play], delimiter: str = ",") -> list[str]:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    for play in plays:
        writer.writerow([play.artist, play.title, play.album or "", play.played_at_s or ""])
    return out.getvalue().split("\n")[:-1]


def csv_file(plays: Sequence[Play]) -> list[str]:
    return ["Artist,Track,Album,Timestamp", *rows(plays)]


def lastfm_file(plays: Sequence[Play]) -> list[str]:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for play in plays:
        moment = datetime.fromtimestamp(play.played_at_s, UTC)
        writer.writerow([play.artist, play.album or "", play.title, f"{moment:%d %b %Y %H:%M}"])
    return out.getvalue().split("\n")[:-1]


def listen(play: Play) -> dict:
    names = {"artist_name": play.artist, "track_name": play.title, "release_name": play.album}
    return {"listened_at": play.played_at_s, "track_metadata": names | {"additional_info": {}}}


def listenbrainz_file(plays: Sequence[Play]) -> list[str]:
    return [json.dumps(listen(play)) for play in plays]


def array(elements: Sequence[str]) -> list[str]:
    return ["[", *(e + "," * (k < len(elements) - 1) for k, e in enumerate(elements)), "]"]


def listenbrainz_array(plays: Sequence[Play]) -> list[str]:
    return array([json.dumps(listen(play), ensure_ascii=False) for play in plays])


def stream(play: Play) -> dict:
    return {
        "ts": f"{datetime.fromtimestamp(play.played_at_s, UTC):%Y-%m-%dT%H:%M:%SZ}",
        "ms_played": 29_999 if play.is_skip else 30_000,
        "master_metadata_track_name": play.title,
        "master_metadata_album_artist_name": play.artist,
        "master_metadata_album_album_name": play.album,
        "episode_name": None,
    }


def spotify_file(plays: Sequence[Play]) -> list[str]:
    return array([json.dumps(stream(play)) for play in plays])


# How each format is written, and on which line of the file its second play stands.
WRITERS: dict[str, tuple[str, Callable[[Sequence[Play]], list[str]], int]] = {
    "csv": ("csv", csv_file, 3),
    "lastfm": ("lastfm", lastfm_file, 2),
    "listenbrainz lines": ("listenbrainz", listenbrainz_file, 2),
    "listenbrainz array": ("listenbrainz", listenbrainz_array, 3),
    "spotify": ("spotify", spotify_file, 3),
}
every_format = pytest.mark.parametrize("written", WRITERS)


def read(path: Path, content: bytes) -> tuple[str, list[Entry]]:
    path.write_bytes(content)
    with opened_history(path) as (format_, text, _):
        return format_.name, list(format_.entries(text))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history"


def test_every_format_is_under_contract() -> None:
    assert {name for name, _, _ in WRITERS.values()} == {known.name for known in FORMATS}


@every_format
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_what_was_written_is_read(path: Path, written: str, encoding: str, end: str) -> None:
    name, write, _ = WRITERS[written]
    content = "".join(line + end for line in write(PLAYS)).encode(encoding)
    assert read(path, content) == (name, PLAYS)


@every_format
@pytest.mark.parametrize(
    "broken",
    [
        b'}{"nonsense',
        b"x" * (LONGEST_PIECE + 5),
        b'"unclosed,quote',
        b'{"listened_at": "never", "ms_played": "long"},',
    ],
    ids=["nonsense", "huge", "quote", "values"],
)
def test_a_broken_line_costs_itself(path: Path, written: str, broken: bytes) -> None:
    name, write, second = WRITERS[written]
    lines = [line.encode() for line in write(PLAYS)]
    lines.insert(second - 1, broken)
    found, entries = read(path, b"\n".join(lines) + b"\n")
    assert found == name
    (problem,) = (entry for entry in entries if isinstance(entry, BrokenEntry))
    assert problem.line == second
    assert problem.reason
    assert [entry for entry in entries if isinstance(entry, Play)] == PLAYS


@every_format
def test_bytes_of_another_encoding_cost_their_line(path: Path, written: str) -> None:
    name, write, second = WRITERS[written]
    plays = [PLAYS[0], Play("XX", "In between", None, 1406834760), PLAYS[2]]
    lines = [line.encode() for line in write(plays)]
    lines[second - 1] = lines[second - 1].replace(b"XX", "Björk".encode("latin-1"))
    found, entries = read(path, b"\n".join(lines))
    assert (found, entries[0], entries[2:]) == (name, PLAYS[0], [PLAYS[2]])
    assert entries[1] == BrokenEntry(second, "artist is not UTF-8")


@every_format
def test_an_entry_without_an_artist_or_a_title(path: Path, written: str) -> None:
    _, write, _ = WRITERS[written]
    plays = [Play("", "T", None, 1406834700), Play("A", " ", None, 1406834700), PLAYS[0]]
    _, entries = read(path, "\n".join(write(plays)).encode())
    assert [getattr(entry, "reason", None) for entry in entries] == ["no artist", "no title", None]


names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)
plays = st.lists(
    st.builds(Play, names, names, st.none() | names, st.integers(10**9, 4 * 10**9)), min_size=1
)


@every_format
@settings(deadline=None)
@given(plays=plays)
def test_any_names_come_back(
    tmp_path_factory: pytest.TempPathFactory, written: str, plays: list[Play]
) -> None:
    name, write, _ = WRITERS[written]
    minute = 60 if name == "lastfm" else 1
    kept = [
        Play(*(name_in(n, "") for n in (p.artist, p.title)), name_in(p.album, "") or None,
             p.played_at_s // minute * minute)
        for p in plays
    ]  # fmt: skip
    kept = [play for play in kept if play.artist and play.title] or [PLAYS[0]]
    path = tmp_path_factory.getbasetemp() / "any-names"
    content = "\n".join(write(kept)).encode()
    assert read(path, content) == (name, kept)


@settings(deadline=None)
@given(content=st.binary(max_size=300), start=st.sampled_from(["", "[", "artist,title\n", "{"]))
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, start: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "any-bytes"
    for mark in ("", '{"track_metadata": 1}', '{"ms_played": 2},'):
        try:
            _, entries = read(path, (start + mark).encode() + content)
        except PathError as error:
            assert len(str(error).splitlines()) == 1
        else:
            assert all(isinstance(entry, Play | BrokenEntry | OtherEntry) for entry in entries)


@pytest.mark.parametrize("written", ["listenbrainz lines", "listenbrainz array", "spotify"])
@settings(deadline=None)
@given(data=st.data())
def test_a_file_that_breaks_off_gives_what_came_before(
    tmp_path_factory: pytest.TempPathFactory, written: str, data: st.DataObject
) -> None:
    name, write, _ = WRITERS[written]
    content = "\n".join(write(PLAYS)).encode()
    n_bytes = data.draw(st.integers(content.index(b"}") + 1, len(content) - 1))
    path = tmp_path_factory.getbasetemp() / "cut"
    _, entries = read(path, content[:n_bytes])
    found = [entry for entry in entries if isinstance(entry, Play)]
    assert found == PLAYS[: len(found)]
    assert len(entries) - len(found) <= 1
    if name == "spotify" and n_bytes < len(content) - 1:
        assert isinstance(entries[-1], BrokenEntry)


# What is no history


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "history.csv")
    with (
        pytest.raises(PathError, match="it is a pipe or a device"),
        opened_history(tmp_path / "history.csv"),
    ):
        pass


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"\xef\xbb\xbf", "it is empty"),
        (b" \n\n", "it is empty"),
        (b"PK\x03\x04...", "Unpack it first"),
        (b"hello\nworld\n", "none of the known formats"),
        (b'{"a": 1}', "none of the known formats"),
        (b"name,colour\nx,red\n", "none of the known formats"),
        (b"\xff\xfea", "Save it as UTF-8"),
    ],
)
def test_other_files_are_refused(path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(PathError, match=reason):
        read(path, content)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for name in ("nothing", "."):
        with pytest.raises(PathError, match="cannot read"), opened_history(tmp_path / name):
            pass


# The formats' own


def test_columns_are_found_by_name(path: Path) -> None:
    content = (
        "id;Play_Count;USER; Track_Name ;artist_name;mbid\n1;12;rob;T;A;x\n2;;;U;A;\n3;0;;V;A;\n"
    )
    _, entries = read(path, content.encode())
    assert entries == [Play("A", "T", n=12, listener="rob"), Play("A", "U"), OtherEntry()]


@pytest.mark.parametrize("n", ["-1", "1.5", "many", "10000000000", "1e3"])
def test_plays_are_whole_numbers(path: Path, n: str) -> None:
    _, (entry,) = read(path, f"artist,title,plays\nA,T,{n}\n".encode())
    assert isinstance(entry, BrokenEntry)
    assert "not a whole number" in entry.reason


def test_lastfmstats_names_the_user_in_a_column(path: Path) -> None:
    content = "Artist;Album;AlbumId;Track;Date#rob\nA;;;T;1406834700000\n"
    assert read(path, content.encode())[1] == [Play("A", "T", None, 1406834700)]


def test_what_was_playing_during_the_export_has_no_date(path: Path) -> None:
    content = 'A,,T,\nA,,T,"31 Jul 2014 19:25"\n'
    plays = [Play("A", "T"), Play("A", "T", None, 1406834700)]
    assert read(path, content.encode()) == ("lastfm", plays)


def test_the_api_of_listenbrainz(path: Path) -> None:
    listens = [listen(play) | {"user_name": "rob"} for play in PLAYS]
    answer = {"payload": {"count": 3, "listens": listens, "user_id": "rob"}}
    _, entries = read(path, json.dumps(answer, indent=2).encode())
    assert [entry.title for entry in entries] == [play.title for play in PLAYS]
    assert {entry.listener for entry in entries} == {"rob"}


def test_spotify_skips_podcasts_and_the_short_history(path: Path) -> None:
    podcast = stream(PLAYS[0]) | {
        "master_metadata_track_name": None, "master_metadata_album_artist_name": None,
    }  # fmt: skip
    skipped = Play("A", "T", None, 1406834700, is_skip=True)
    heard = Play("A", "T", None, 1406834700)
    _, entries = read(path, json.dumps([podcast, stream(skipped), stream(heard)]).encode())
    assert entries == [OtherEntry(), skipped, heard]
    short = {"endTime": "2014-07-31 19:25", "artistName": "A", "trackName": "T", "msPlayed": 30000}
    assert read(path, json.dumps([short]).encode()) == ("spotify", [heard])


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1406834700", 1406834700),
        (1406834700.9, 1406834700),
        ("1406834700000", 1406834700),
        ("2014-07-31T19:25:00Z", 1406834700),
        ("2014-07-31T21:25:00+02:00", 1406834700),
        ("2014-07-31 19:25", 1406834700),
        ("31 Jul 2014, 19:25", 1406834700),
        ("01 Jan 1970 00:00", 0),
        ("0", 0),
        ("", 0),
        (None, 0),
    ],
)
def test_times(text: object, seconds: int) -> None:
    assert time_in(text) == seconds


@pytest.mark.parametrize("text", ["soon", "32 Jul 2014 19:25", "9" * 18, True, [], float("inf")])
def test_what_is_no_time(text: object) -> None:
    with pytest.raises(ValueError, match="time is"):
        time_in(text)


def test_an_object_may_lie_anywhere_in_what_is_read_at_a_time() -> None:
    # Objects of all lengths around the size of a part, one after the other.
    values = [{"k": k, "x": "y" * (k * 997 % 70_000)} for k in range(60)]
    text = io.StringIO(json.dumps(values, indent=1))
    found = list(json_objects(text, 1))
    assert [value for _, value in found] == values
    lines = json.dumps(values, indent=1).split("\n")
    assert all(lines[line - 1] == " {" for line, _ in found)


@pytest.mark.parametrize(
    "head", ["artist,title\n", '[{"ms_played": 1},\n', '{"track_metadata": {}}\n']
)
@pytest.mark.parametrize("filling", ["x", "[", '{"a":'])
def test_no_file_takes_much_memory(path: Path, head: str, filling: str) -> None:
    path.write_text(head + filling * (12_000_000 // len(filling)))
    tracemalloc.start()
    with opened_history(path) as (format_, text, _):
        n_entries = sum(1 for _ in format_.entries(text))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert n_entries >= 1
    assert peak < 16e6


def test_an_array_of_nothing_but_broken_objects(path: Path) -> None:
    path.write_text('[{"ms_played": 1}' + ',{"' * 50_000)
    with opened_history(path) as (format_, text, _):
        assert sum(1 for _ in format_.entries(text)) == 50_001


def test_a_utf16_mark_is_known_in_both_orders(path: Path) -> None:
    content = "artist,title\nA,T\n"
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        assert read(path, mark + content.encode(encoding))[1] == [Play("A", "T")]
