"""Small real libraries: files that other programs' encoders wrote, and what a scan made of them."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import mutagen
import numpy as np
import soundfile

RATE_HZ = 22050


def sound(seed: int, seconds: float = 3.0) -> np.ndarray:
    """Return a chord under noise that no other seed gives."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    chord = sum(np.sin(2 * np.pi * f * time_s) for f in rng.uniform(100, 2000, 3))
    return (0.1 * chord + 0.02 * rng.normal(size=len(time_s))).astype(np.float32)


def write(path: Path, seed: int, seconds: float = 3.0, **tags: str) -> Path:
    """Write a file of the format that its suffix names, tagged."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound(seed, seconds), RATE_HZ)
    if tags:
        retag(path, **tags)
    return path


def retag(path: Path, **tags: str) -> None:
    file = mutagen.File(path, easy=True)
    if file.tags is None:
        file.add_tags()
    file.update(tags)
    file.save()


def alter(library: Path, statement: str) -> None:
    """Change a library behind the program's back."""
    with closing(sqlite3.connect(library)) as connection, connection:
        connection.execute(statement)


def contents(library: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Return every table's rows by their meaning: no row numbers, no times."""
    with closing(sqlite3.connect(library)) as connection:
        connection.text_factory = os.fsdecode
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        tracks = [
            description[1]
            for description in connection.execute("PRAGMA table_info(tracks)")
            if description[1] != "id"
        ]
        tags = [
            description[1]
            for description in connection.execute("PRAGMA table_info(tags)")
            if description[1] != "file_id"
        ]
        queries = {
            "tracks": f"SELECT {', '.join(tracks)} FROM tracks ORDER BY audio_id",
            "family_rows": "SELECT audio_id, family, version, numbers FROM family_rows"
            " JOIN tracks ON tracks.id = track_id ORDER BY audio_id, family",
            "files": "SELECT path, size_bytes, mtime_ns, container, audio_id,"
            " missing_since IS NULL FROM files JOIN tracks ON tracks.id = track_id ORDER BY path",
            "tags": f"SELECT path, {', '.join(tags)} FROM tags"
            " JOIN files ON files.id = file_id ORDER BY path",
            "failures": "SELECT path, size_bytes, mtime_ns, reason FROM failures ORDER BY path",
            "models": "SELECT * FROM models",
        }
        return {name: connection.execute(query).fetchall() for name, query in queries.items()}
