"""Extended M3U in UTF-8, which every player reads. A path with a line break has no place in it."""

from __future__ import annotations

from collections.abc import Sequence

from tonotope.library.catalogue import Track
from tonotope.library.playlist_files.entries import Entries, PlaylistFormat, as_path, one_line

__all__ = ["M3U"]

_HEADER = "#EXTM3U"


def _content(tracks: Sequence[Track], entries: Entries) -> tuple[bytes, list[Track]]:
    lines, left_out = [_HEADER], []
    for track in tracks:
        entry = entries.of(track)
        if "\n" in entry or "\r" in entry:
            left_out.append(track)
            continue
        lines += [f"#EXTINF:{round(track.duration_s)},{one_line(track.name)}", as_path(entry)]
    # A name that is not UTF-8 keeps its own bytes: players open files by them.
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape"), left_out


def _is_beginning(beginning: bytes) -> bool:
    return beginning.startswith(_HEADER.encode())


M3U = PlaylistFormat(_content, _is_beginning)
