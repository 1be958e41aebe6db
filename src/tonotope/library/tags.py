"""What a library's files are tagged with, by track: what people say, not what a network hears."""

from __future__ import annotations

from tonotope.library.catalogue import Catalogue

__all__ = ["genre_tags", "track_names", "year_tags"]


def genre_tags(catalogue: Catalogue) -> dict[str, str]:
    """Return the genre of each track that has such a tag, by `audio_id`.

    Of a recording that several files hold, the first that is tagged counts. White space is put in
    order, case left as it is.

    Raises
    ------
    LibraryError
        If the library is damaged.
    """
    found: dict[str, str] = {}
    for audio_id, text in catalogue.rows(
        "SELECT audio_id, genre FROM files JOIN tracks ON tracks.id = track_id"
        " JOIN tags ON file_id = files.id"
        " WHERE missing_since IS NULL AND genre IS NOT NULL ORDER BY path"
    ):
        if spelled := " ".join(text.split()):
            found.setdefault(audio_id, spelled)
    return found


def year_tags(catalogue: Catalogue) -> dict[str, int]:
    """Return the year of each track that has such a tag, by `audio_id`.

    Of a recording that several files hold, the earliest counts: later ones are of new editions.

    Raises
    ------
    LibraryError
        If the library is damaged.
    """
    return dict(
        catalogue.rows(
            "SELECT audio_id, min(year) FROM files JOIN tracks ON tracks.id = track_id"
            " JOIN tags ON file_id = files.id"
            " WHERE missing_since IS NULL AND year IS NOT NULL GROUP BY audio_id"
        )
    )


def track_names(catalogue: Catalogue) -> list[tuple[str | None, str | None]]:
    """Return artist and title of each track that has a file, as tagged; None where it is not.

    Raises
    ------
    LibraryError
        If the library is damaged.
    """
    rows = catalogue.rows(
        # Of several files the first: beside min(), SQLite takes the other columns from its row.
        "SELECT coalesce(artist, album_artist), title, min(path) FROM files"
        " LEFT JOIN tags ON file_id = files.id WHERE missing_since IS NULL GROUP BY track_id"
    )
    return [(artist, title) for artist, title, _ in rows]
