"""What the commands print: JSON for machines, text for people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tonotope.library.catalogue import Track

__all__ = ["duration", "print_json", "track_document"]


def print_json(document: Any) -> None:
    """Print one JSON document."""
    # Escaped ASCII: a path that is not UTF-8 survives as the surrogates that Python reads it by.
    print(json.dumps(document, indent=2))


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
