"""What the commands print: JSON for machines, text for people."""

from __future__ import annotations

import json
import sys
import unicodedata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tonotope.library.catalogue import Track

__all__ = ["complain", "counted", "duration", "print_json", "printable", "say", "track_document"]


def printable(text: str) -> str:
    """Return a text with its control and other invisible characters escaped.

    File names and tags may hold anything, and a terminal obeys what it is sent.
    """
    return "".join(
        # Spaces of any width are harmless, and usual in Japanese names.
        c if c.isprintable() or unicodedata.category(c) == "Zs" else _escaped(c)
        for c in text
    )


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def say(line: str) -> None:
    """Print a line for people on the standard output."""
    print(printable(line))


def complain(message: str) -> None:
    """Print a line on the standard error: what went wrong."""
    print(f"tonotope: {printable(message)}", file=sys.stderr, flush=True)


def print_json(document: Any) -> None:
    """Print one JSON document."""
    # Escaped ASCII: a path that is not UTF-8 survives as the surrogates that Python reads it by.
    print(json.dumps(document, indent=2))


def counted(n: int, noun: str) -> str:
    """Return a number with what it counts: ``1 track``, ``2 tracks``."""
    return f"{n} {noun}{'s' * (n != 1)}"


def duration(seconds: float) -> str:
    """Return a duration as a person writes it: ``3:07`` or ``1:02:07``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def track_document(track: Track) -> dict[str, Any]:
    """Return a track as JSON shows it."""
    return {
        "audio_id": track.audio_id,
        "path": track.path,
        "artist": track.artist,
        "title": track.title,
        "album": track.album,
        "duration_s": round(track.duration_s, 3),
    }
