"""Last.fm, as the common exporters write it: ``artist,album,title,31 Jul 2014 19:25``.

Without a line of names; exporters that write one make a table, see `tables`. What was playing
during the export has no date.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from tonotope.library.play_imports.entries import Entry, PlayFormat, time_in
from tonotope.library.play_imports.tables import columns_of, fields_of, table_entries

__all__ = ["LASTFM"]

_COLUMNS = {"artist": 0, "album": 1, "title": 2, "timestamp": 3}
_N_LINES = 20


def _recognises(head: str) -> bool:
    rows = [fields_of(line, ",") for line in head.splitlines()[:_N_LINES]]
    # One broken line does not hide the others; a line of names makes it a table.
    return columns_of(rows[0] if rows else []) is None and any(map(_is_play, rows))


def _is_play(fields: list[str]) -> bool:
    try:
        return len(fields) == len(_COLUMNS) and time_in(fields[3]) > 0
    except ValueError:
        return False


def _entries(text: TextIO) -> Iterator[Entry]:
    return table_entries(text, _COLUMNS)


LASTFM = PlayFormat(
    "lastfm", "a Last.fm export with the columns artist, album, title, date", _recognises, _entries
)
