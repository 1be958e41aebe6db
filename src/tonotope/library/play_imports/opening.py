"""Opening a history: what it is encoded in, and of which format it is."""

from __future__ import annotations

import codecs
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, TextIOWrapper
from pathlib import Path
from typing import TextIO

from tonotope.errors import PathError
from tonotope.library.play_imports.entries import PlayFormat
from tonotope.library.play_imports.lastfm import LASTFM
from tonotope.library.play_imports.listenbrainz import LISTENBRAINZ
from tonotope.library.play_imports.pieces import HEAD_CHARACTERS
from tonotope.library.play_imports.spotify import SPOTIFY
from tonotope.library.play_imports.tables import TABLE

__all__ = ["FORMATS", "opened_history"]

FORMATS: tuple[PlayFormat, ...] = (LISTENBRAINZ, SPOTIFY, TABLE, LASTFM)

_ZIP = b"PK\x03\x04"


@contextmanager
def opened_history(
    path: str | os.PathLike[str],
) -> Iterator[tuple[PlayFormat, TextIO, BufferedReader]]:
    """Open a listening history.

    Text is UTF-8, or UTF-16 where the file begins with that one's mark. Bytes that are not UTF-8
    become lone surrogates, by which they are known in the entry that has them.

    Returns
    -------
    format, text, file
        What the entries are read by and from, and the file below, by which it can be told how far
        the reading has come.

    Raises
    ------
    PathError
        If it cannot be read, is empty, or is of no known format.
    """
    name = os.fspath(path)
    target = Path(os.path.expanduser(name))  # noqa: PTH111 - as elsewhere
    try:
        if _may_block(target.stat().st_mode):
            raise PathError(
                f"cannot import '{name}': it is a pipe or a device, and a history is read more "
                "than once. Write it to a file first."
            )
        with target.open("rb") as file:
            beginning = file.read(4)
            file.seek(0)
            with TextIOWrapper(
                file, encoding=_encoding(name, beginning), errors="surrogateescape"
            ) as text:
                format_ = _format(name, text)
                yield format_, text, file
    except OSError as error:
        raise PathError(
            f"cannot read '{name}': {error.strerror or error}. Name a listening history."
        ) from error
    except UnicodeError as error:
        raise PathError(
            f"cannot read '{name}': it is not the text it begins as ({error}). Save it as UTF-8."
        ) from error


def _may_block(mode: int) -> bool:
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _encoding(name: str, beginning: bytes) -> str:
    if not beginning:
        raise PathError(f"cannot import '{name}': it is empty. Export the history again.")
    if beginning == _ZIP:
        raise PathError(f"cannot import '{name}': it is a ZIP archive. Unpack it first.")
    is_utf16 = beginning.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return "utf-16" if is_utf16 else "utf-8-sig"


def _format(name: str, text: TextIO) -> PlayFormat:
    head = text.read(HEAD_CHARACTERS)
    text.seek(0)
    for known in FORMATS:
        if known.recognises(head):
            return known
    if not head.strip():
        raise PathError(f"cannot import '{name}': it is empty. Export the history again.")
    raise PathError(
        f"cannot import '{name}': it is none of the known formats "
        f"({'; '.join(known.description for known in FORMATS)}). See docs/commands.md."
    )
