"""XSPF, JSPF and PLS, read back by readers that are not ours."""

from __future__ import annotations

import configparser
import json
import os
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tonotope.errors import InputError, PathError
from tonotope.library.catalogue import Track
from tonotope.library.playlist_files import check_playlist_name, write_playlist

SPACE = {"x": "http://xspf.org/ns/0/"}
HOSTILE = ["a b.mp3", "50%.mp3", "#1.mp3", "a:b.mp3", "q?x=1&y.mp3", "<tag>&amp;.mp3", "ü ♥ 漢.mp3",
           "file:x.mp3", " lead.mp3", "trail ", "x=y;z.mp3", "back\\slash.mp3", "[playlist].mp3",
           "line\nbreak.mp3", "tab\t.mp3", "%41.mp3", "//x.mp3"]  # fmt: skip


def track(path: Path | str, **fields) -> Track:
    fields = {"title": "T", "artist": "A", "album": "L", "duration_s": 61.4567} | fields
    return Track("0" * 32, os.fspath(path), **fields)


def path_of(uri: str, playlist: Path) -> str:
    """Return the file that a reader would open, by the rules for relative references."""
    absolute = urlsplit(urljoin(playlist.as_uri(), uri))
    assert absolute.scheme == "file"
    assert not absolute.netloc
    assert not absolute.query
    assert not absolute.fragment
    return unquote(absolute.path, errors="strict")


def xspf(path: Path) -> list[dict[str, str]]:
    root = ET.parse(path).getroot()
    assert root.tag == "{http://xspf.org/ns/0/}playlist"
    assert root.get("version") == "1"
    assert len(root.findall("x:trackList", SPACE)) == 1
    return [
        {element.tag.partition("}")[2]: element.text or "" for element in each}
        for each in root.findall("x:trackList/x:track", SPACE)
    ]  # fmt: skip


def jspf(path: Path) -> list[dict]:
    document = json.loads(path.read_text("utf-8"))
    assert set(document) == {"playlist"}
    return document["playlist"]["track"]


def pls(path: Path) -> list[dict[str, str]]:
    parser = configparser.RawConfigParser()
    parser.read_string(path.read_text("utf-8"))
    assert parser.sections() == ["playlist"]
    found = dict(parser["playlist"])
    n = int(found.pop("numberofentries"))
    assert found.pop("version") == "2"
    assert len(found) == 3 * n
    return [{key: found[f"{key}{k}"] for key in ("file", "title", "length")}
            for k in range(1, n + 1)]  # fmt: skip


def pls_path(entry: str, playlist: Path) -> str:
    return path_of(entry, playlist) if entry.startswith("file:") else str(playlist.parent / entry)


def test_what_a_track_has(tmp_path: Path) -> None:
    tracks = [track(tmp_path / "a.mp3"), track("/far/b c.mp3", title=None, artist=None, album=None)]
    for suffix in ("xspf", "jspf", "pls"):
        assert write_playlist(tmp_path / f"mix.{suffix}", tracks) == []
    assert xspf(tmp_path / "mix.xspf") == [
        {"location": "a.mp3", "title": "T", "creator": "A", "album": "L", "duration": "61457"},
        {"location": "file:///far/b%20c.mp3", "title": "b c", "duration": "61457"},
    ]
    assert jspf(tmp_path / "mix.jspf") == [
        {"location": ["a.mp3"], "title": "T", "creator": "A", "album": "L", "duration": 61457},
        {"location": ["file:///far/b%20c.mp3"], "title": "b c", "duration": 61457},
    ]
    assert pls(tmp_path / "mix.pls") == [
        {"file": "a.mp3", "title": "A – T", "length": "61"},
        {"file": "/far/b c.mp3", "title": "b c", "length": "61"},
    ]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("far", [False, True])
def test_names_with_meaning(tmp_path: Path, name: str, far: bool) -> None:
    folder = tmp_path / "far" if far else tmp_path
    path = folder / name.lstrip("/")
    check_all(tmp_path, path)


NAMES = st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1, max_size=12)


@settings(deadline=None)
@given(st.lists(NAMES.filter(lambda name: name not in (".", "..")), min_size=1, max_size=3), NAMES)
def test_any_name_and_any_title(parts: list[str], title: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        check_all(root, root.joinpath(*parts), title)
        check_all(root, Path("/else", *parts), title)


def check_all(folder: Path, path: Path, title: str = "T") -> None:
    tracks = [track(path, title=title, artist=title)]
    for suffix in ("xspf", "jspf", "pls"):
        assert write_playlist(folder / f"mix.{suffix}", tracks) == []
    out = folder / "mix.xspf"
    assert path_of(xspf(out)[0]["location"], out) == str(path)
    out = folder / "mix.jspf"
    assert path_of(jspf(out)[0]["location"][0], out) == str(path)
    out = folder / "mix.pls"
    assert pls_path(pls(out)[0]["file"], out) == str(path)
    # Written over, as they are what they seem.
    for suffix in ("xspf", "jspf", "pls"):
        write_playlist(folder / f"mix.{suffix}", [])


def test_markup_and_control_characters_in_titles(tmp_path: Path) -> None:
    title = "<b>&\x00\x1b\ufffe \ud800two\nlines</b>"
    for suffix, read in (("xspf", xspf), ("jspf", jspf)):
        out = tmp_path / f"mix.{suffix}"
        write_playlist(out, [track("/a.mp3", title=title)])
        assert read(out)[0]["title"] == "<b>& two lines</b>"
    write_playlist(tmp_path / "mix.pls", [track("/a.mp3", title=title)])
    assert pls(tmp_path / "mix.pls")[0]["title"].endswith("two lines</b>")


def test_a_name_that_is_not_utf8_is_left_out_but_of_m3u(tmp_path: Path) -> None:
    tracks = [track(tmp_path / os.fsdecode(b"caf\xe9.mp3")), track(tmp_path / "b.mp3")]
    for suffix, read in (("xspf", xspf), ("jspf", jspf), ("pls", pls)):
        out = tmp_path / f"mix.{suffix}"
        assert write_playlist(out, tracks) == tracks[:1]
        assert len(read(out)) == 1
    assert write_playlist(tmp_path / "mix.m3u", tracks) == []


@pytest.mark.parametrize("suffix", ["xspf", "jspf", "pls", "m3u8"])
def test_only_a_playlist_of_the_same_format_is_replaced(tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"mix.{suffix}"
    for content in (b"<html></html>", b'{"other": 1}', b"[section]\n", b"fLaC", b"#"):
        out.write_bytes(content)
        with pytest.raises(PathError, match="exists and is not a playlist"):
            write_playlist(out, [track("/a.mp3")])
        assert out.read_bytes() == content
    out.write_bytes(b"")
    write_playlist(out, [track("/a.mp3")])
    write_playlist(out, [])


@pytest.mark.parametrize("name", ["mix.wpl", "mix", "mix.xml", "mix.m3u8.txt"])
def test_unknown_suffixes(name: str) -> None:
    with pytest.raises(InputError, match=r"Let it end in \.m3u8 \(or \.m3u, \.xspf, \.jspf or"):
        check_playlist_name(name)
