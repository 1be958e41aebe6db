"""Where the real music and data lie, for what is decided when tests are collected."""

from __future__ import annotations

import os
from pathlib import Path

DATA = Path(os.environ.get("TONOTOPE_DATA") or Path(__file__).parents[3] / "shared" / "data")

SUFFIXES = {".mp3", ".ogg", ".m4a", ".webm"}


def tracks() -> list[str]:
    """Return the tracks of the real library, relative to its folder; none where it is absent."""
    music = DATA / "music"
    found = (path for path in music.rglob("*") if path.suffix in SUFFIXES)
    return sorted(path.relative_to(music).as_posix() for path in found)
