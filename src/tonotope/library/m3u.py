"""Playlists as extended M3U in UTF-8, which every player reads."""

from __future__ import annotations

import codecs
import os
import stat
import tempfile
import unicodedata
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from tonotope.errors import InputError, PathError
from tonotope.library.catalogue import Track

__all__ = ["write_m3u8"]

_HEADER = "#EXTM3U"
_SUFFIXES = (".m3u8", ".m3u")


def write_m3u8(path: str | os.PathLike[str], tracks: Sequence[Track]) -> list[Track]:
    """Write a playlist.

    A track that lies in the playlist's folder, or below it, is named relative to it, so that the
    folder can be moved as a whole; any other by its absolute path. The file appears at once and
    whole. Where `path` is a link, what it points at is written.

    Parameters
    ----------
    path
        Where to, ending in ``.m3u8`` or ``.m3u``; an existing playlist is replaced.
    tracks
        In the order of playing.

    Returns
    -------
    list of Track
        Those left out: a line break in a file's name cannot be written in this format.

    Raises
    ------
    InputError
        If the name is not that of a playlist.
    PathError
        If it cannot be written there, or another kind of file would be lost.
    """
    name = os.fspath(path)
    if not name.lower().endswith(_SUFFIXES):
        raise InputError(f"'{name}' is not the name of a playlist. Let it end in .m3u8")
    expanded = os.path.expanduser(name)  # noqa: PTH111 - Path's raises for '~nobody'
    target = Path(os.path.realpath(expanded))
    # Of a link, players take the link's folder or the file's: only absolute paths hold from both.
    in_place = os.path.realpath(os.path.dirname(expanded)) == str(target.parent)  # noqa: PTH120
    content, left_out = _content(tracks, target.parent if in_place else None)
    try:
        _refuse_other_files(target, name)
        _write_whole(target, content)
    except OSError as error:
        raise PathError(
            f"cannot write playlist '{name}': {error.strerror}. Name another --out."
        ) from error
    return left_out


def _content(tracks: Sequence[Track], folder: Path | None) -> tuple[bytes, list[Track]]:
    """Return the file's bytes, and the tracks that it cannot name."""
    real = cache(os.path.realpath)
    lines, left_out = [_HEADER], []
    for track in tracks:
        entry = track.path
        if folder is not None:
            entry = _entry(Path(track.path), folder, real)
        if "\n" in entry or "\r" in entry:
            left_out.append(track)
            continue
        lines += [f"#EXTINF:{round(track.duration_s)},{_one_line(track.name)}", entry]
    # A name that is not UTF-8 keeps its own bytes: players open files by them.
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape"), left_out


def _entry(path: Path, folder: Path, real: Callable[[Path], str]) -> str:
    """Return a path as seen from a folder, if it leads through it, by links or without."""
    for known in (path, Path(real(path.parent)) / path.name):
        for parent in known.parents:
            if real(parent) == str(folder):
                relative = str(known.relative_to(parent))
                # A line that begins with "#" would be a comment.
                return f"./{relative}" if relative.startswith("#") else relative
    return str(path)


def _one_line(text: str) -> str:
    return "".join(c for c in " ".join(text.split()) if unicodedata.category(c) != "Cc")


def _refuse_other_files(target: Path, name: str) -> None:
    """Raise PathError if replacing a file would lose anything but a playlist."""
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISREG(mode):
        with target.open("rb") as file:
            beginning = file.read(len(codecs.BOM_UTF8) + len(_HEADER))
        if not beginning or beginning.removeprefix(codecs.BOM_UTF8).startswith(_HEADER.encode()):
            return
    raise PathError(f"'{name}' exists and is not a playlist. Name another --out.")


def _write_whole(target: Path, content: bytes) -> None:
    """Write a file so that it is there as a whole or as it was before."""
    # The prefix is short: the target's name may be as long as names can be.
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".m3u-", delete=False) as file:
        temporary = Path(file.name)
        try:
            file.write(content)
            file.close()
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
