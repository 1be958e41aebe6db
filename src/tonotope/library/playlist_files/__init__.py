"""Playlists as files that players read: extended M3U, XSPF, JSPF and PLS, by their suffix.

A track that lies in the playlist's folder, or below it, is named relative to it, so that the folder
can be moved as a whole; any other by its absolute path.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tonotope.errors import InputError, PathError
from tonotope.files import write_whole
from tonotope.library.catalogue import Track
from tonotope.library.playlist_files.entries import Entries
from tonotope.library.playlist_files.existing import refuse_other_files
from tonotope.library.playlist_files.m3u import M3U
from tonotope.library.playlist_files.pls import PLS
from tonotope.library.playlist_files.xspf import JSPF, XSPF

__all__ = ["check_playlist_name", "write_playlist"]

_FORMATS = {".m3u8": M3U, ".m3u": M3U, ".xspf": XSPF, ".jspf": JSPF, ".pls": PLS}


def check_playlist_name(path: str | os.PathLike[str]) -> None:
    """Raise InputError if a name does not end as one of a playlist."""
    name = os.fspath(path)
    if _suffix(name) is None:
        raise InputError(
            f"'{name}' is not the name of a playlist. Let it end in .m3u8 (or {_others()})"
        )


def write_playlist(path: str | os.PathLike[str], tracks: Sequence[Track]) -> list[Track]:
    """Write a playlist.

    The file appears at once and whole. Where `path` is a link, what it points at is written.

    Parameters
    ----------
    path
        Where to; its suffix says in which format. An existing playlist is replaced.
    tracks
        In the order of playing.

    Returns
    -------
    list of Track
        Those left out: what the format cannot name.

    Raises
    ------
    InputError
        If the name is not that of a playlist.
    PathError
        If it cannot be written there, or another kind of file would be lost.
    """
    check_playlist_name(path)
    name = os.fspath(path)
    form = _FORMATS[_suffix(name) or ""]
    expanded = os.path.expanduser(name)  # noqa: PTH111 - Path's raises for '~nobody'
    target = Path(os.path.realpath(expanded))
    # Of a link, players take the link's folder or the file's: only absolute paths hold from both.
    in_place = os.path.realpath(os.path.dirname(expanded)) == str(target.parent)  # noqa: PTH120
    entries = Entries(target.parent if in_place else None)
    content, left_out = form.content(tracks, entries)
    try:
        refuse_other_files(target, name, form.is_beginning)
        write_whole(target, content)
    except OSError as error:
        raise PathError(
            f"cannot write playlist '{name}': {error.strerror}. Name another --out."
        ) from error
    return left_out


def _suffix(name: str) -> str | None:
    return next((suffix for suffix in _FORMATS if name.lower().endswith(suffix)), None)


def _others() -> str:
    *some, last = list(_FORMATS)[1:]
    return f"{', '.join(some)} or {last}"
