"""Tables in CSV: a line of column names, then a line per play or per song.

Columns are found by their names, in any order and case: ``artist``, ``title`` and, where there
are such, ``album``, ``timestamp``, ``plays``, ``user``. Other exporters' names for them are known
too (`COLUMN_NAMES`); what else there is, is left alone. Fields are parted by commas, semicolons or
tabs. Without ``timestamp`` the plays of a song's lines are added up.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from typing import TextIO

from tonotope.library.play_imports.entries import BrokenEntry, Entry, PlayFormat, play_of
from tonotope.library.play_imports.pieces import lines

__all__ = ["COLUMN_NAMES", "TABLE", "columns_of", "fields_of", "table_entries"]

COLUMN_NAMES: Mapping[str, tuple[str, ...]] = {
    "artist": ("artist", "artist_name", "artists", "artistname", "creator"),
    "title": ("title", "track", "track_name", "trackname", "song", "name"),
    "album": ("album", "album_name", "albumname", "release_name", "release"),
    "timestamp": (
        "timestamp", "uts", "listened_at", "played_at", "utc_time", "date", "time", "datetime",
    ),
    "plays": ("plays", "play_count", "playcount", "listens", "count", "scrobbles"),
    "user": ("user", "listener", "user_name", "username"),
}  # fmt: skip
"""The names of each column, the first that a table has counts."""

_DELIMITERS = ",;\t"


def _recognises(head: str) -> bool:
    first = next((line for line in head.splitlines() if line.strip()), "")
    return columns_of(fields_of(first, delimiter_of(first))) is not None


def delimiter_of(line: str) -> str:
    """Return what parts the fields of a line: a comma, a semicolon or a tab."""
    return max(_DELIMITERS, key=line.count)


def fields_of(line: str, delimiter: str) -> list[str]:
    """Return a line's fields; none if it cannot be parted."""
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True), [])
    except csv.Error:
        return []


def columns_of(names: Sequence[str]) -> dict[str, int] | None:
    """Return where the known columns stand; None if artist or title is not among them."""
    places = {name.strip().casefold(): place for place, name in reversed([*enumerate(names)])}
    # lastfmstats.com writes "Date#" and the user's name.
    places |= {name.partition("#")[0]: place for name, place in places.items() if "#" in name}
    found = {
        column: next(places[name] for name in known if name in places)
        for column, known in COLUMN_NAMES.items()
        if any(name in places for name in known)
    }
    return found if {"artist", "title"} <= found.keys() else None


def table_entries(text: TextIO, columns: Mapping[str, int] | None = None) -> Iterator[Entry]:
    """Give the entries of a table.

    Parameters
    ----------
    text
        The file.
    columns
        Where the columns stand; where it is not said, the first line says it.
    """
    delimiter, width = ("", 0) if columns is None else (",", len(columns))
    for number, line in lines(text):
        if isinstance(line, BrokenEntry):
            yield line
            continue
        delimiter = delimiter or delimiter_of(line)
        fields = fields_of(line, delimiter)
        if columns is None:
            columns, width = columns_of(fields) or {}, len(fields)
        elif not fields:
            yield BrokenEntry(number, "not CSV: a quotation mark too many or too few")
        elif len(fields) != width:  # a comma in a name, or a line that breaks off
            yield BrokenEntry(number, f"{len(fields)} fields instead of {width}")
        else:
            yield _entry(number, fields, columns)


def _entry(number: int, fields: Sequence[str], columns: Mapping[str, int]) -> Entry:
    def value(column: str) -> str | None:
        place = columns.get(column)
        return None if place is None else fields[place]

    return play_of(
        number,
        value("artist"),
        value("title"),
        album=value("album"),
        time=value("timestamp"),
        n=value("plays") or 1,
        listener=value("user"),
    )


TABLE = PlayFormat(
    "csv", "a table in CSV with columns 'artist' and 'title'", _recognises, table_entries
)
