from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tonotope.errors import InputError, PathError
from tonotope.library.walk import Walk, check_folders


def found(*folders: Path) -> list[str]:
    top = os.path.commonpath(folders)
    return [os.path.relpath(file.path, top) for file in Walk([str(f) for f in folders])]


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_audio_files_of_all_folders_in_the_order_of_their_names(tmp_path: Path) -> None:
    touch(*(tmp_path / name for name in ["b/2.FLAC", "b/1.mp3", "a/x.ogg", "c.wav", "b/notes.txt"]))
    assert found(tmp_path) == ["c.wav", "a/x.ogg", "b/1.mp3", "b/2.FLAC"]


def test_size_and_time_are_noted(tmp_path: Path) -> None:
    touch(tmp_path / "a.mp3")
    os.utime(tmp_path / "a.mp3", ns=(5, 1234567890123456789))
    (file,) = Walk([str(tmp_path)])
    assert (file.size_bytes, file.mtime_ns) == (1, 1234567890123456789)


@pytest.mark.parametrize(
    "hidden",
    [
        ".hidden/a.mp3",
        "._a.mp3",
        ".Trash-1000/files/a.mp3",
        "$RECYCLE.BIN/a.mp3",
        "System Volume Information/a.mp3",
        "sub/@eaDir/a.mp3",
        "lost+found/a.mp3",
    ],
)
def test_hidden_and_system_folders_are_left_out(tmp_path: Path, hidden: str) -> None:
    touch(tmp_path / hidden, tmp_path / "kept.mp3")
    assert found(tmp_path) == ["kept.mp3"]


def test_a_hidden_folder_is_walked_if_it_is_the_one_asked_for(tmp_path: Path) -> None:
    touch(tmp_path / ".music" / "a.mp3")
    assert found(tmp_path / ".music") == ["a.mp3"]


def test_nomedia_hides_its_folder_and_all_below(tmp_path: Path) -> None:
    touch(
        tmp_path / "a.mp3", tmp_path / "no/.nomedia", tmp_path / "no/b.mp3", tmp_path / "no/c/d.mp3"
    )
    assert found(tmp_path) == ["a.mp3"]


def test_links_to_folders_are_followed_once_and_in_no_circle(tmp_path: Path) -> None:
    touch(tmp_path / "a/1.mp3", tmp_path / "elsewhere/2.mp3")
    (tmp_path / "a/up").symlink_to(tmp_path)
    (tmp_path / "a/self").symlink_to(tmp_path / "a")
    (tmp_path / "a/z").symlink_to(tmp_path / "elsewhere")
    assert sorted(Path(name).name for name in found(tmp_path / "a")) == ["1.mp3", "2.mp3"]


def test_a_folder_named_twice_is_walked_once(tmp_path: Path) -> None:
    touch(tmp_path / "a/1.mp3")
    assert len(found(tmp_path, tmp_path / "a")) == 1


def test_links_to_nowhere_are_reported_where_they_promise_music(tmp_path: Path) -> None:
    (tmp_path / "loop.mp3").symlink_to(tmp_path / "loop.mp3")
    (tmp_path / "gone.mp3").symlink_to(tmp_path / "nothing")
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nothing")
    walk = Walk([str(tmp_path)])
    assert list(walk) == []
    reasons = {Path(u.path).name: u.reason for u in walk.unreadable}
    assert set(reasons) == {"loop.mp3", "gone.mp3"}
    assert "symbolic links" in reasons["loop.mp3"]


def test_times_beyond_the_reach_of_sqlite(tmp_path: Path) -> None:
    touch(tmp_path / "a.mp3")
    os.utime(tmp_path / "a.mp3", (2**34, 2**34))
    (file,) = Walk([str(tmp_path)])
    assert file.mtime_ns == 2**63 - 1


def test_a_folder_that_may_not_be_read_is_reported(tmp_path: Path) -> None:
    touch(tmp_path / "closed/a.mp3", tmp_path / "open.mp3")
    (tmp_path / "closed").chmod(0)
    walk = Walk([str(tmp_path)])
    was = os.geteuid()
    if was == 0:
        for folder in (tmp_path, *tmp_path.parents[:-2]):
            folder.chmod(folder.stat().st_mode | 0o055)
        os.seteuid(65534)
    try:
        names = [Path(file.path).name for file in walk]
    finally:
        os.seteuid(was)
        (tmp_path / "closed").chmod(0o755)
    assert names == ["open.mp3"]
    assert [Path(u.path).name for u in walk.unreadable] == ["closed"]


@pytest.mark.skipif(sys.platform != "linux", reason="macOS refuses names that are not UTF-8")
def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.mp3")
    touch(tmp_path / name)
    assert found(tmp_path) == [name]


def test_very_deep_folders(tmp_path: Path) -> None:
    deep = tmp_path
    for _ in range(150):
        deep = deep / "deep"
    touch(deep / "a.mp3")
    assert len(found(tmp_path)) == 1


def test_folders_become_absolute_and_come_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").mkdir()
    monkeypatch.chdir(tmp_path)
    assert check_folders(["a", "./a", tmp_path / "a"]) == [str(tmp_path / "a")]


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    touch(tmp_path / "file.mp3")
    with pytest.raises(PathError, match=r"nowhere.*does not exist\. Name a folder"):
        check_folders([tmp_path / "nowhere"])
    with pytest.raises(PathError, match="is not a folder"):
        check_folders([tmp_path / "file.mp3"])
    with pytest.raises(InputError, match="no folder to scan"):
        check_folders([])
