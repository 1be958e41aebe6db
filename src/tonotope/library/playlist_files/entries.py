"""What the tracks of a playlist are called in its file."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from tonotope.library.catalogue import Track

__all__ = ["Entries", "PlaylistFormat", "as_path", "as_uri", "is_utf8", "one_line"]


_NO_PATH = re.compile(r"#|[A-Za-z][A-Za-z0-9+.-]*:")


class PlaylistFormat(NamedTuple):
    """A format of playlists.

    Attributes
    ----------
    content
        Makes the file of tracks; returns also those that it cannot name.
    is_beginning
        Whether a file that begins so is a playlist of this format.
    """

    content: Callable[[Sequence[Track], Entries], tuple[bytes, list[Track]]]
    is_beginning: Callable[[bytes], bool]


class Entries:
    """Names paths as they are seen from a playlist's folder.

    Parameters
    ----------
    folder
        Without any link in it; None to name all paths absolutely.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._real = cache(os.path.realpath)

    def of(self, track: Track) -> str:
        """Return a track's path, relative if it leads through the folder, by links or without."""
        path = Path(track.path)
        if self._folder is None:
            return str(path)
        for known in (path, Path(self._real(path.parent)) / path.name):
            for parent in known.parents:
                if self._real(parent) == str(self._folder):
                    return str(known.relative_to(parent))
        return str(path)


def as_path(entry: str) -> str:
    """Return a path so that it is taken for no comment and no URI."""
    return f"./{entry}" if _NO_PATH.match(entry) else entry


def as_uri(entry: str) -> str:
    """Return a path as a URI reference (RFC 3986), a ``file:`` URI (RFC 8089) if it is absolute."""
    escaped = quote(os.fsencode(entry), safe="/")
    return f"file://{escaped}" if entry.startswith("/") else escaped


def is_utf8(text: str) -> bool:
    """Whether a path holds no byte that is not part of UTF-8."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def one_line(text: str) -> str:
    """Return a text without line breaks and control characters."""
    return "".join(c for c in " ".join(text.split()) if unicodedata.category(c) != "Cc")
