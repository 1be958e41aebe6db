from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tonotope.errors import InputError, PathError
from tonotope.library.catalogue import Track
from tonotope.library.playlist_files import write_playlist


def track(path: Path | str, title: str | None = "Title") -> Track:
    return Track("0" * 32, os.fspath(path), title, None, None, 61.4)


def entries(playlist: Path) -> list[str]:
    text = os.fsdecode(playlist.read_bytes())
    assert text.endswith("\n")
    header, *lines = text[:-1].split("\n")
    assert header == "#EXTM3U"
    assert all(line.startswith("#EXTINF:") for line in lines[::2])
    return lines[1::2]


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """Return a folder with one file in it and one below it."""
    folder = tmp_path / "music"
    (folder / "album").mkdir(parents=True)
    for name in ("a.flac", "album/b.flac"):
        (folder / name).write_bytes(b"fLaC")
    return folder


# Where it may write


@pytest.mark.parametrize("name", ["b.flac", "mix", "m3u8", "mix.m3u8.mp3"])
def test_a_name_that_is_no_playlists(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=rf"{name}' is not the name of a playlist\. Let it end"):
        write_playlist(tmp_path / name, [])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["mix.m3u8", "mix.m3u", "MIX.M3U8"])
def test_names_of_playlists(tmp_path: Path, name: str) -> None:
    write_playlist(tmp_path / name, [track("/x.flac")])
    assert entries(tmp_path / name) == ["/x.flac"]
    assert list(tmp_path.iterdir()) == [tmp_path / name]


@pytest.mark.parametrize("old", [b"", b"#EXTM3U\nold.mp3\n", b"\xef\xbb\xbf#EXTM3U\r\nold.mp3\r\n"])
def test_a_playlist_is_replaced(tmp_path: Path, old: bytes) -> None:
    out = tmp_path / "mix.m3u8"
    out.write_bytes(old)
    write_playlist(out, [track("/x.flac")])
    assert entries(out) == ["/x.flac"]


def test_what_is_no_playlist_is_kept(tmp_path: Path) -> None:
    out = tmp_path / "mix.m3u8"
    out.write_bytes(b"fLaC, renamed")
    with pytest.raises(PathError, match=r"exists and is not a playlist\. Name another --out"):
        write_playlist(out, [])
    assert out.read_bytes() == b"fLaC, renamed"


def test_what_is_no_file_is_kept(tmp_path: Path) -> None:
    (tmp_path / "mix.m3u8").mkdir()
    os.mkfifo(tmp_path / "pipe.m3u8")
    for name in ("mix.m3u8", "pipe.m3u8"):
        with pytest.raises(PathError, match="exists and is not a playlist"):
            write_playlist(tmp_path / name, [])


def test_a_link_to_music_is_no_way_around(music: Path) -> None:
    (music / "mix.m3u8").symlink_to(music / "a.flac")
    with pytest.raises(PathError, match="is not a playlist"):
        write_playlist(music / "mix.m3u8", [])
    assert (music / "a.flac").read_bytes() == b"fLaC"


def test_through_a_link_the_playlist_itself_is_written(tmp_path: Path, music: Path) -> None:
    out, link, near = tmp_path / "music" / "mix.m3u8", tmp_path / "mix.m3u8", music / "near.m3u8"
    link.symlink_to(out)
    near.symlink_to("mix.m3u8")
    write_playlist(link, [track(music / "a.flac")])
    assert link.is_symlink()
    # From the link's folder and from the file's the track has different relative names.
    assert entries(out) == [str(music / "a.flac")]
    write_playlist(near, [track(music / "a.flac")])
    assert near.is_symlink()
    assert entries(out) == ["a.flac"]


def test_links_in_a_circle_and_missing_folders(tmp_path: Path) -> None:
    (tmp_path / "mix.m3u8").symlink_to("mix.m3u8")
    for name in (tmp_path / "mix.m3u8", tmp_path / "none" / "mix.m3u8", "~nosuch/mix.m3u8"):
        with pytest.raises(PathError, match="cannot write playlist"):
            write_playlist(name, [])


def test_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write_playlist("~/mix.m3u8", [])
    assert (tmp_path / "mix.m3u8").exists()


@pytest.mark.parametrize("n_characters", [252, 255])
def test_the_longest_name(tmp_path: Path, n_characters: int) -> None:
    out = tmp_path / ("x" * (n_characters - 5) + ".m3u8")
    write_playlist(out, [])
    assert entries(out) == []


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_others_may_read_it_as_they_may_any_file(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        write_playlist(tmp_path / "mix.m3u8", [])
        assert os.umask(umask) == umask
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "mix.m3u8").stat().st_mode) == mode


# Entries


def test_beside_and_below_are_relative_others_absolute(tmp_path: Path, music: Path) -> None:
    elsewhere = tmp_path / "elsewhere.flac"
    write_playlist(
        music / "mix.m3u8",
        [track(music / "a.flac"), track(music / "album" / "b.flac"), track(elsewhere)],
    )
    assert entries(music / "mix.m3u8") == ["a.flac", "album/b.flac", str(elsewhere)]


def test_from_another_working_folder(music: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(music / "album")
    tracks = [track(music / "a.flac"), track(music / "album" / "b.flac")]
    write_playlist("../mix.m3u8", tracks)
    assert entries(music / "mix.m3u8") == ["a.flac", "album/b.flac"]
    write_playlist("mix.m3u8", tracks)
    assert entries(music / "album" / "mix.m3u8") == [str(music / "a.flac"), "b.flac"]


def test_linked_folders(tmp_path: Path, music: Path) -> None:
    far = tmp_path / "far"
    far.mkdir()
    (far / "c.flac").write_bytes(b"fLaC")
    (music / "linked").symlink_to(far)
    (tmp_path / "link").symlink_to(music)
    (tmp_path / "deep").symlink_to(music / "album")
    tracks = [
        track(music / "a.flac"),
        track(music / "linked" / "c.flac"),  # its real place is elsewhere, and yet it is below
        track(tmp_path / "link" / "album" / "b.flac"),
        track(tmp_path / "deep" / "b.flac"),
    ]
    for out in (music / "mix.m3u8", tmp_path / "link" / "mix.m3u8"):
        write_playlist(out, tracks)
        assert entries(out) == ["a.flac", "linked/c.flac", "album/b.flac", "album/b.flac"]
        assert all((music / entry).is_file() for entry in entries(out))


def test_a_linked_file_keeps_its_own_name(tmp_path: Path, music: Path) -> None:
    (tmp_path / "z.flac").symlink_to(music / "a.flac")
    write_playlist(tmp_path / "mix.m3u8", [track(tmp_path / "z.flac")])
    assert entries(tmp_path / "mix.m3u8") == ["z.flac"]


def test_a_name_that_would_be_a_comment(tmp_path: Path) -> None:
    write_playlist(tmp_path / "mix.m3u8", [track(tmp_path / "#1 hit.flac")])
    assert entries(tmp_path / "mix.m3u8") == ["./#1 hit.flac"]


def test_a_name_with_a_line_break_is_left_out(tmp_path: Path) -> None:
    tracks = [track(tmp_path / name) for name in ("a.flac", "b\nc.flac", "d\re.flac", "f.flac")]
    assert write_playlist(tmp_path / "mix.m3u8", tracks) == tracks[1:3]
    assert entries(tmp_path / "mix.m3u8") == ["a.flac", "f.flac"]
    folder = tmp_path / "line\nbreak"
    folder.mkdir()
    assert write_playlist(folder / "mix.m3u8", [track(folder / "a.flac")]) == []
    assert entries(folder / "mix.m3u8") == ["a.flac"]


def test_a_name_that_is_not_utf8_keeps_its_bytes(tmp_path: Path) -> None:
    write_playlist(tmp_path / "mix.m3u8", [track(tmp_path / os.fsdecode(b"caf\xe9.flac"), None)])
    assert b",caf\xe9\ncaf\xe9.flac\n" in (tmp_path / "mix.m3u8").read_bytes()


def test_titles_are_one_line_of_text(tmp_path: Path) -> None:
    write_playlist(tmp_path / "mix.m3u8", [track("/x.flac", "One\r\ntwo\x1b[31m\x00 \x85three\t4")])
    text = (tmp_path / "mix.m3u8").read_bytes().decode()
    assert text == "#EXTM3U\n#EXTINF:61,One two[31m three 4\n/x.flac\n"
