"""The years that a library's files are tagged with."""

from __future__ import annotations

import sqlite3

from tonotope.errors import LibraryError
from tonotope.library.catalogue import Catalogue

__all__ = ["year_tags"]


def year_tags(catalogue: Catalogue) -> dict[str, int]:
    """Return the year of each track that has such a tag, by `audio_id`.

    Of a recording that several files hold, the earliest counts: later ones are of new editions.

    Raises
    ------
    LibraryError
        If the library is damaged.
    """
    try:
        return dict(
            catalogue.connection.execute(
                "SELECT audio_id, min(year) FROM files JOIN tracks ON tracks.id = track_id"
                " JOIN tags ON file_id = files.id"
                " WHERE missing_since IS NULL AND year IS NOT NULL GROUP BY audio_id"
            ).fetchall()
        )
    except sqlite3.DatabaseError as error:
        raise LibraryError(
            f"library '{catalogue.path}' is damaged: {error}. Move it away and scan again."
        ) from error
