"""Data sets and caches that are not on this machine: ``s3://`` and whatever else fsspec knows.

What has ``://`` in it is a URL; all else is a path of this machine and needs no fsspec.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import platformdirs

from tonotope.errors import InputError, PathError
from tonotope.training.cache import CLIPS_FILE, MEL_FILE, Cache, read_cache
from tonotope.training.extras import require

__all__ = [
    "Outline",
    "is_remote",
    "local_copy",
    "open_cache",
    "outline",
    "state_of",
    "upload",
    "working_folder",
]

# What says which clips there are and of which genre. A table of features may have a gigabyte.
_TEXT_SUFFIXES = frozenset({"", ".csv", ".json", ".lst", ".md", ".mf", ".toml", ".tsv", ".txt"})
_LARGEST_TEXT_BYTES = 400_000_000


def is_remote(location: str) -> bool:
    """Whether a location is a URL rather than a path."""
    return "://" in location


def state_of(path: str) -> str:
    """Return what tells whether a file of this machine was written to: its size and time.

    Raises
    ------
    OSError
        If it is not there.
    """
    state = os.stat(path)  # noqa: PTH116 - a Path per file is slow
    return f"{state.st_size} {state.st_mtime_ns}"


@contextmanager
def local_copy(location: str) -> Iterator[Path]:
    """Give a file to read: itself, or a copy of a remote one that is removed afterwards.

    Raises
    ------
    InputError
        If fsspec, or what it needs for such a URL, is not installed.
    PathError
        If a URL cannot be read.
    """
    if not is_remote(location):
        yield Path(location)
        return
    with tempfile.TemporaryDirectory(prefix="tonotope-") as folder:
        # Under its own name: the suffix may be all that tells the format.
        copy = Path(folder) / (PurePosixPath(location).name or "file")
        with _store(location) as (files, path):
            files.get_file(path, os.fspath(copy))
        yield copy


@dataclass(frozen=True, slots=True)
class Outline:
    """What a remote folder looks like, on this machine, for those who look at names and tables.

    Attributes
    ----------
    folder
        Mirrors the remote one: texts and tables with their content, all other files with their
        size alone, as holes that take no space.
    states
        Of each remote file, by its URL, what tells whether it was written to.
    """

    folder: Path
    url: str
    states: dict[str, str]

    def url_of(self, path: str) -> str:
        """Return the URL of a file in the folder."""
        return f"{self.url}/{Path(path).relative_to(self.folder).as_posix()}"


@contextmanager
def outline(url: str) -> Iterator[Outline]:
    """Outline a remote folder, for as long as it is looked at.

    Raises
    ------
    InputError, PathError
        As for `local_copy`.
    """
    url = url.rstrip("/")
    with tempfile.TemporaryDirectory(prefix="tonotope-") as name:
        outlined = Outline(Path(name).resolve(), url, {})
        with _store(url) as (files, top):
            for path, info in sorted(files.find(top, detail=True).items()):
                relative = PurePosixPath(path).relative_to(PurePosixPath(top))
                _outline_file(files, path, info, outlined.folder / relative)
                outlined.states[f"{url}/{relative}"] = _state(info)
        yield outlined


def open_cache(location: str) -> Cache:
    """Open a spectrogram cache, here or at a URL.

    A remote one is copied into the user's cache folder, once as long as it is not changed.

    Raises
    ------
    InputError
        As for `local_copy`.
    PathError
        If it cannot be read, or is no cache.
    """
    if not is_remote(location):
        return read_cache(Path(location))
    url = location.rstrip("/")
    with _store(url) as (files, top):
        paths = {name: f"{top}/{name}" for name in (MEL_FILE, CLIPS_FILE)}
        states = [_state(files.info(path)) for path in paths.values()]
        copy = _own_folder("caches", url, *states)
        if not copy.is_dir():
            copy.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=copy.parent, prefix=".part-") as unfinished:
                inside = Path(unfinished) / "cache"
                inside.mkdir()
                for name, path in paths.items():
                    files.get_file(path, os.fspath(inside / name))
                if not copy.is_dir():  # another process may have been faster
                    inside.replace(copy)
    return read_cache(copy)


def working_folder(url: str) -> Path:
    """Return where on this machine a cache that goes to a URL is made."""
    return _own_folder("unfinished", url.rstrip("/"))


def upload(folder: Path, url: str, names: Sequence[str]) -> None:
    """Copy files of a folder to a URL, in this order.

    Raises
    ------
    InputError
        As for `local_copy`.
    PathError
        If the URL cannot be written to.
    """
    with _store(url.rstrip("/"), "write to") as (files, top):
        files.makedirs(top, exist_ok=True)
        for name in names:
            files.put_file(os.fspath(folder / name), f"{top}/{name}")


@contextmanager
def _store(url: str, what: str = "read") -> Iterator[tuple[Any, str]]:
    """Give the file system of a URL and the path in it; say in one line what goes wrong there."""
    fsspec = require("fsspec", f"'{url}'")
    try:
        files, path = fsspec.core.url_to_fs(url)
        files.invalidate_cache()
        yield files, path
    except ImportError as error:
        raise InputError(
            f"cannot {what} '{url}': {_first_line(error)}. Install it with: "
            "pip install 'tonotope[remote]'"
        ) from error
    except ValueError as error:  # no such protocol
        raise InputError(
            f"cannot {what} '{url}': {_first_line(error)}. Name a folder or a URL as s3://..."
        ) from error
    except (InputError, PathError):
        raise
    except Exception as error:  # each store raises its own
        raise PathError(
            f"cannot {what} '{url}': {_first_line(error)}. Check the address and your access to it."
        ) from error


def _first_line(error: Exception) -> str:
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return reason.partition("\n")[0].rstrip(".") or type(error).__name__


def _outline_file(files: Any, path: str, info: dict[str, Any], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    size_bytes = int(info.get("size") or 0)
    is_text = target.suffix.lower() in _TEXT_SUFFIXES and size_bytes <= _LARGEST_TEXT_BYTES
    if is_text:
        files.get_file(path, os.fspath(target))
        return
    with target.open("wb") as file:
        file.truncate(size_bytes)


def _state(info: dict[str, Any]) -> str:
    """Return what tells whether a remote file was written to."""
    changed = next(
        (info[key] for key in ("ETag", "etag", "LastModified", "mtime", "created") if key in info),
        "",
    )
    return f"{info.get('size') or 0} {changed}"


def _own_folder(kind: str, *key: str) -> Path:
    """Return the folder in the user's cache folder that belongs to a key."""
    digest = hashlib.sha256("\0".join(key).encode("utf-8", "surrogateescape")).hexdigest()[:24]
    return Path(platformdirs.user_cache_dir("tonotope", appauthor=False)) / kind / digest
