"""XSPF, version 1 (https://www.xspf.org/spec), and JSPF, the same in JSON.

Tracks are named by URIs, in which every character has a place. What bytes that are not UTF-8 mean
in a URI is not agreed on: tracks with such names are left out.
"""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from typing import Any

from tonotope.library.catalogue import Track
from tonotope.library.playlist_files.entries import (
    Entries,
    PlaylistFormat,
    as_uri,
    is_utf8,
    one_line,
)

__all__ = ["JSPF", "XSPF"]

_NAMESPACE = "http://xspf.org/ns/0/"
# What XML 1.0 has no way to write; control characters are gone before.
_NOT_XML = re.compile("[\ud800-\udfff\ufffe\uffff]")


def _xspf_content(tracks: Sequence[Track], entries: Entries) -> tuple[bytes, list[Track]]:
    named, left_out = _split(tracks)
    playlist = ET.Element("playlist", {"version": "1", "xmlns": _NAMESPACE})
    listed = ET.SubElement(playlist, "trackList")
    for track in named:
        element = ET.SubElement(listed, "track")
        for name, value in _fields(track, entries).items():
            ET.SubElement(element, name).text = str(value)
    ET.indent(playlist)
    return ET.tostring(playlist, encoding="utf-8", xml_declaration=True) + b"\n", left_out


def _jspf_content(tracks: Sequence[Track], entries: Entries) -> tuple[bytes, list[Track]]:
    named, left_out = _split(tracks)
    listed = []
    for track in named:
        fields = _fields(track, entries)
        listed.append(fields | {"location": [fields["location"]]})
    document = {"playlist": {"track": listed}}
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode(), left_out


def _split(tracks: Sequence[Track]) -> tuple[list[Track], list[Track]]:
    return (
        [track for track in tracks if is_utf8(track.path)],
        [track for track in tracks if not is_utf8(track.path)],
    )


def _fields(track: Track, entries: Entries) -> dict[str, Any]:
    """Return the elements of a track, by name, in the specification's order."""
    texts = {
        "title": track.name if track.title is None else track.title,
        "creator": track.artist,
        "album": track.album,
    }
    return {
        "location": as_uri(entries.of(track)),
        **{name: _NOT_XML.sub("", one_line(text)) for name, text in texts.items() if text},
        "duration": round(track.duration_s * 1000),
    }


def _is_xspf_beginning(beginning: bytes) -> bool:
    return beginning.lstrip().startswith(b"<") and _NAMESPACE.encode() in beginning


def _is_jspf_beginning(beginning: bytes) -> bool:
    return re.match(rb'\s*\{\s*"playlist"\s*:\s*\{', beginning) is not None


XSPF = PlaylistFormat(_xspf_content, _is_xspf_beginning)
JSPF = PlaylistFormat(_jspf_content, _is_jspf_beginning)
