"""How often songs and artists were listened to, by everybody whose plays the library knows."""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import dataclass

from tonotope.errors import LibraryError
from tonotope.library.catalogue import Catalogue
from tonotope.library.songs import artist_key, song_key

__all__ = ["PlayCounts", "play_counts"]


@dataclass(frozen=True, slots=True)
class PlayCounts:
    """Plays that were not skipped, by what names are compared by.

    Attributes
    ----------
    of_song
        By `tonotope.library.songs.song_key`.
    of_artist
        By `tonotope.library.songs.artist_key`.
    """

    of_song: Counter[tuple[str, str]]
    of_artist: Counter[str]


def play_counts(catalogue: Catalogue) -> PlayCounts:
    """Count the plays that a library knows.

    Raises
    ------
    LibraryError
        If the library is damaged.
    """
    counts = PlayCounts(Counter(), Counter())
    try:
        rows = catalogue.connection.execute(
            "SELECT artist, title, sum(n) FROM plays JOIN songs ON songs.id = song_id"
            " WHERE NOT is_skip GROUP BY song_id"
        ).fetchall()
    except sqlite3.DatabaseError as error:
        raise LibraryError(
            f"library '{catalogue.path}' is damaged: {error}. Move it away and scan again."
        ) from error
    for artist, title, n in rows:
        counts.of_song[song_key(artist, title)] += n
        counts.of_artist[artist_key(artist)] += n
    return counts
