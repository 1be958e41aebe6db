"""Spotify: the extended streaming history, and the shorter one of the account data.

Extended (``Streaming_History_Audio_*.json``): an array of ``{"ts", "ms_played",
"master_metadata_track_name", "master_metadata_album_artist_name",
"master_metadata_album_album_name", "username"}``. Short (``StreamingHistory*.json``):
``{"endTime", "artistName", "trackName", "msPlayed"}``. Times are those at which the stream ended.
Podcasts and audio books have no track's name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TextIO

from tonotope.library.play_imports.entries import (
    SKIPPED_BELOW_S,
    BrokenEntry,
    Entry,
    OtherEntry,
    PlayFormat,
    play_of,
)
from tonotope.library.play_imports.pieces import json_objects

__all__ = ["SPOTIFY"]

_MARK = re.compile(r'"(ms_played|msPlayed)"\s*:')
_ARRAY = re.compile(r"\s*\[")


def _recognises(head: str) -> bool:
    return _ARRAY.match(head) is not None and _MARK.search(head) is not None


def _entries(text: TextIO) -> Iterator[Entry]:
    start = 1
    while (character := text.read(1)) != "[" and character:
        start += 1
    text.seek(0)
    for line, stream in json_objects(text, start):
        yield stream if isinstance(stream, BrokenEntry) else _entry(line, stream)


def _entry(line: int, stream: Any) -> Entry:
    if not isinstance(stream, dict):
        return BrokenEntry(line, "not a stream")
    is_extended = "ms_played" in stream
    played_ms = stream.get("ms_played" if is_extended else "msPlayed")
    if not isinstance(played_ms, int) or isinstance(played_ms, bool):
        return BrokenEntry(line, "no ms_played")
    if not is_extended:
        artist, title, album = stream.get("artistName"), stream.get("trackName"), None
    else:
        artist, title, album = (
            stream.get(f"master_metadata_{name}")
            for name in ("album_artist_name", "track_name", "album_album_name")
        )
        if title is None and artist is None:
            return OtherEntry()
    return play_of(
        line,
        artist,
        title,
        album=album,
        time=stream.get("ts" if is_extended else "endTime"),
        is_skip=played_ms < SKIPPED_BELOW_S * 1000,
        listener=stream.get("username"),
    )


SPOTIFY = PlayFormat(
    "spotify", "Spotify's extended streaming history (JSON)", _recognises, _entries
)
