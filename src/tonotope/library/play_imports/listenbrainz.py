"""ListenBrainz: what its export gives, and its API.

A listen is ``{"listened_at": 1406834700, "track_metadata": {"artist_name", "track_name",
"release_name"}, "user_name"}``; the export has one a line (JSON Lines) or, in older ones, an array
of them, the API an array below ``{"payload": {"listens": [``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TextIO

from tonotope.library.play_imports.entries import BrokenEntry, Entry, PlayFormat, play_of
from tonotope.library.play_imports.pieces import HEAD_CHARACTERS, json_lines, json_objects

__all__ = ["LISTENBRAINZ"]

_MARK = re.compile(r'"track_metadata"\s*:')
_ARRAY = re.compile(r"\s*\[")
_PAYLOAD = re.compile(r'\s*\{\s*"payload"\s*:\s*\{.*?"listens"\s*:\s*\[', re.S)


def _recognises(head: str) -> bool:
    return head.lstrip()[:1] in ("{", "[") and _MARK.search(head) is not None


def _entries(text: TextIO) -> Iterator[Entry]:
    head = text.read(HEAD_CHARACTERS)
    text.seek(0)
    array = _ARRAY.match(head) or _PAYLOAD.match(head)
    listens = json_lines(text) if array is None else json_objects(text, array.end())
    for line, listen in listens:
        yield listen if isinstance(listen, BrokenEntry) else _entry(line, listen)


def _entry(line: int, listen: Any) -> Entry:
    song = listen.get("track_metadata") if isinstance(listen, dict) else None
    if not isinstance(song, dict):
        return BrokenEntry(line, "no track_metadata")
    return play_of(
        line,
        song.get("artist_name"),
        song.get("track_name"),
        album=song.get("release_name"),
        time=listen.get("listened_at"),
        listener=listen.get("user_name"),
    )


LISTENBRAINZ = PlayFormat(
    "listenbrainz", "a ListenBrainz export (JSON or JSON Lines)", _recognises, _entries
)
