"""Data sets and caches at URLs: fsspec's own memory, and files called by a URL."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import fsspec
import numpy as np
import pytest

from support.libraries import write
from tonotope.errors import InputError, PathError
from tonotope.library.workers import Outcome, WorkerPool
from tonotope.training import prepare as prepare_module
from tonotope.training import stores
from tonotope.training.cache import read_cache
from tonotope.training.clip_rows import identity_of, rows_of
from tonotope.training.prepare import prepare
from tonotope.training.stores import is_remote, local_copy, open_cache, outline


class HerePool(WorkerPool):
    """Does the jobs in this process: no other sees what is in this one's memory."""

    def submit(self, key, function, path, timeout_s) -> None:
        self._done.put(Outcome(key, function(path)))

    def next_outcome(self, timeout_s):
        return self._done.get_nowait()


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[fsspec.AbstractFileSystem]:
    """Return an empty store, and let this machine's copies lie in the test's own folder."""
    monkeypatch.setattr(stores.platformdirs, "user_cache_dir", lambda *_, **__: tmp_path / "copies")
    files = fsspec.filesystem("memory")
    files.store.clear()
    yield files
    files.store.clear()


def put(files: fsspec.AbstractFileSystem, folder: Path, top: str) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            files.pipe_file(f"{top}/{path.relative_to(folder).as_posix()}", path.read_bytes())


@pytest.fixture
def music(tmp_path: Path) -> Path:
    root = tmp_path / "music"
    write(root / "jazz" / "a.wav", seed=1)
    write(root / "rock" / "b #1 100%.mp3", seed=2)
    (root / "rock" / "c.mp3").write_text("no music " * 1000)
    return root


@pytest.mark.parametrize(
    ("location", "expected"),
    [("s3://b/x", True), ("memory://x", True), ("/x/y", False), ("C:/x", False), ("x", False)],
)
def test_what_is_a_url(location: str, expected: bool) -> None:
    assert is_remote(location) is expected


def test_a_copy_is_there_as_long_as_it_is_used(memory) -> None:
    memory.pipe_file("/set/a.wav", b"sound")
    with local_copy("memory://set/a.wav") as copy:
        assert copy.name == "a.wav" and copy.read_bytes() == b"sound"
    assert not copy.parent.exists()


def test_a_file_of_this_machine_is_not_copied(tmp_path: Path) -> None:
    with local_copy(str(tmp_path / "a.wav")) as path:
        assert path == tmp_path / "a.wav"


def test_an_outline_has_texts_and_the_sizes_of_all_else(memory) -> None:
    memory.pipe_file("/set/tracks.csv", b"id,genre\n1,rock\n")
    memory.pipe_file("/set/rock/1.mp3", b"x" * 50_000)
    with outline("memory://set/") as outlined:
        assert (outlined.folder / "tracks.csv").read_bytes() == b"id,genre\n1,rock\n"
        clip = outlined.folder / "rock" / "1.mp3"
        assert clip.stat().st_size == 50_000 and clip.stat().st_blocks == 0
        assert outlined.url_of(str(clip)) == "memory://set/rock/1.mp3"
        assert set(outlined.states) == {"memory://set/tracks.csv", "memory://set/rock/1.mp3"}
        assert outlined.states["memory://set/rock/1.mp3"].startswith("50000 ")
    assert not outlined.folder.exists()


def test_a_remote_data_set_makes_the_cache_that_a_local_one_does(
    memory, music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepare_module, "WorkerPool", HerePool)
    put(memory, music, "/set")
    remote = prepare("folders", "memory://set", "memory://made/cache", jobs=1)
    local = prepare("folders", str(music), str(tmp_path / "cache"), jobs=1)
    assert (remote.clips, remote.computed, remote.failed) == (2, 2, 1)
    assert remote.failures[0].path == "memory://set/rock/c.mp3"
    assert remote.failures[0].reason == local.failures[0].reason
    # Paths of this machine are nobody's business elsewhere.
    assert sorted(memory.ls("/made/cache", detail=False)) == [
        f"/made/cache/{name}" for name in ("cache.toml", "clips.csv", "mel.npy")
    ]
    opened, expected = open_cache("memory://made/cache"), read_cache(tmp_path / "cache")
    assert opened.clips == expected.clips
    np.testing.assert_array_equal(opened.mel, expected.mel)
    again = prepare("folders", "memory://set", "memory://made/cache", jobs=1)
    assert (again.computed, again.kept) == (0, 2)
    time.sleep(0.01)
    memory.pipe_file("/set/jazz/a.wav", write(tmp_path / "new.wav", seed=7).read_bytes())
    changed = prepare("folders", "memory://set", "memory://made/cache", jobs=1)
    assert (changed.computed, changed.kept) == (1, 1)
    assert (open_cache("memory://made/cache").mel[0] != opened.mel[0]).any()


def test_workers_read_urls_themselves(music: Path, tmp_path: Path) -> None:
    summary = prepare("folders", f"file://{music}", str(tmp_path / "cache"), jobs=2)
    assert (summary.clips, summary.failed) == (2, 1)
    assert summary.failures[0].path == f"file://{music}/rock/c.mp3"


def test_a_remote_cache_is_copied_once_until_it_changes(memory, monkeypatch) -> None:
    np_bytes = np.zeros((1, 128, 333), np.uint8)
    with memory.open("/c/mel.npy", "wb") as file:
        np.save(file, np_bytes)
    memory.pipe_file("/c/clips.csv", b"clip,genre\na,rock\n")
    first = open_cache("memory://c")
    with monkeypatch.context() as patched:
        patched.setattr(type(memory), "get_file", lambda *_: pytest.fail("copied again"))
        assert open_cache("memory://c/").folder == first.folder
    memory.pipe_file("/c/clips.csv", b"clip,genre\nb,jazz!\n")
    assert open_cache("memory://c").labels == ("jazz!",)
    assert [path.name for path in first.folder.parent.iterdir() if path.name.startswith(".")] == []


def test_a_cache_of_this_machine_is_opened_where_it_lies(tmp_path: Path) -> None:
    np.save(tmp_path / "mel.npy", np.zeros((1, 128, 40), np.uint8))
    (tmp_path / "clips.csv").write_text("clip,genre\na,rock\n")
    assert open_cache(str(tmp_path)).folder == tmp_path


def test_what_cannot_be_reached_is_one_line(memory, tmp_path: Path) -> None:
    for location in ("memory://nothing", f"file://{tmp_path}/nothing"):
        with pytest.raises(PathError, match=r"^cannot read .*nothing.*Check the address.*\.$"):
            open_cache(location)
    with pytest.raises(PathError, match="cannot read a folder of folders from 'memory://nothing'"):
        prepare("folders", "memory://nothing", str(tmp_path / "cache"))
    with pytest.raises(InputError, match=r"^cannot read 'nonsense://x': Protocol not known"):
        open_cache("nonsense://x")
    assert rows_of("memory://nothing.wav", windows=1).reason.startswith("cannot read 'memory://")
    assert identity_of("memory://nothing.wav").reason.startswith("cannot read 'memory://")


def test_what_a_store_needs_is_named(memory, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)
    with pytest.raises(InputError, match=r"Install s3fs .* pip install 'tonotope\[remote\]'"):
        open_cache("s3://bucket/cache")


def test_without_urls_fsspec_is_not_loaded(tmp_path: Path) -> None:
    code = (
        "import sys, tonotope.training.prepare\n"
        "print(sorted({'fsspec', 'torch', 'sklearn'} & set(sys.modules)))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ
    )
    assert loaded.stdout.strip() == "[]", loaded.stderr
