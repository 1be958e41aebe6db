"""PLS, version 2: an INI file. Names with white space at an end or a line break are URIs in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tonotope.library.catalogue import Track
from tonotope.library.playlist_files.entries import (
    Entries,
    PlaylistFormat,
    as_path,
    as_uri,
    is_utf8,
    one_line,
)

__all__ = ["PLS"]

_HEADER = "[playlist]"


def _content(tracks: Sequence[Track], entries: Entries) -> tuple[bytes, list[Track]]:
    named = [track for track in tracks if is_utf8(track.path)]
    lines = [_HEADER]
    for number, track in enumerate(named, start=1):
        entry = entries.of(track)
        is_plain = entry == one_line(entry)
        entry = as_path(entry) if is_plain else as_uri(str(Path(track.path)))
        lines += [
            f"File{number}={entry}",
            f"Title{number}={one_line(track.name)}",
            f"Length{number}={round(track.duration_s)}",
        ]
    lines += [f"NumberOfEntries={len(named)}", "Version=2"]
    left_out = [track for track in tracks if not is_utf8(track.path)]
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "replace"), left_out


def _is_beginning(beginning: bytes) -> bool:
    return beginning.lstrip().lower().startswith(_HEADER.encode())


PLS = PlaylistFormat(_content, _is_beginning)
