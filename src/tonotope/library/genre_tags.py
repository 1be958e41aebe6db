"""The genres that a library's files are tagged with: what people say, not what a network hears."""

from __future__ import annotations

import sqlite3

from tonotope.errors import LibraryError
from tonotope.library.catalogue import Catalogue

__all__ = ["genre_tags"]


def genre_tags(catalogue: Catalogue) -> dict[str, str]:
    """Return the genre of each track that has such a tag, by `audio_id`.

    Of a recording that several files hold, the first that is tagged counts. White space is put in
    order, case left as it is.

    Raises
    ------
    LibraryError
        If the library is damaged.
    """
    try:
        rows = catalogue.connection.execute(
            "SELECT audio_id, genre FROM files JOIN tracks ON tracks.id = track_id"
            " JOIN tags ON file_id = files.id"
            " WHERE missing_since IS NULL AND genre IS NOT NULL ORDER BY path"
        ).fetchall()
    except sqlite3.DatabaseError as error:
        raise LibraryError(
            f"library '{catalogue.path}' is damaged: {error}. Move it away and scan again."
        ) from error
    found: dict[str, str] = {}
    for audio_id, text in rows:
        if spelled := " ".join(text.split()):
            found.setdefault(audio_id, spelled)
    return found
