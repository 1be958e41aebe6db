"""What the library knows of tracks in numbers and words: descriptors, genres heard and tagged."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tonotope.library.catalogue import Catalogue
from tonotope.library.versions import Versions

if TYPE_CHECKING:
    from tonotope.library.columns import RowColumns

__all__ = ["Descriptions", "genre_words", "read_descriptions"]

_BATCH_TRACKS = 500


@dataclass(frozen=True, slots=True, eq=False)
class Descriptions:
    """Of some tracks, a row each, in the order they were asked for.

    Attributes
    ----------
    numbers
        The columns that were asked for, shape (n_tracks, n_columns), float64; NaN where there is
        no answer, or only one of another version.
    genre_probabilities
        Mean over time, shape (n_tracks, n_genres), float64.
    genres
        The names that the network gives.
    tags
        Genres that the first file of each track is tagged with, in lower case.
    """

    numbers: NDArray[np.float64]
    genre_probabilities: NDArray[np.float64]
    genres: tuple[str, ...]
    tags: list[frozenset[str]]


def genre_words(tag: str | None) -> frozenset[str]:
    """Return the genres that a tag names, in lower case: it may hold several."""
    if tag is None:
        return frozenset()
    return frozenset(
        filter(None, (" ".join(w.split()) for w in re.split(r"[;/,|\0]", tag.lower())))
    )


def read_descriptions(
    catalogue: Catalogue, audio_ids: Sequence[str], columns: RowColumns, versions: Versions
) -> Descriptions:
    """Return what is known of some tracks.

    Parameters
    ----------
    catalogue
        The library.
    audio_ids
        Which tracks; each has been heard by the network in use.
    columns
        Which numbers.
    versions
        Of the network and the descriptors in use.

    Raises
    ------
    LibraryError
        If the library is damaged.
    """
    row_of = {audio_id: row for row, audio_id in enumerate(audio_ids)}
    try:
        genres = _genres(catalogue, versions.model_id)
        numbers = np.full((len(audio_ids), len(columns.names)), np.nan)
        probabilities = np.zeros((len(audio_ids), len(genres)))
        tags: list[frozenset[str]] = [frozenset()] * len(audio_ids)
        for start in range(0, len(audio_ids), _BATCH_TRACKS):
            batch = audio_ids[start : start + _BATCH_TRACKS]
            for audio_id, windows, tag, *rows in _rows(catalogue, batch, columns, versions):
                row = row_of[audio_id]
                tags[row] = genre_words(tag)
                if genres and windows:
                    heard = np.frombuffer(windows, "<f4").reshape(-1, len(genres))
                    probabilities[row] = heard.mean(axis=0)
                numbers[row] = columns.of(
                    {
                        family: _family_row(blob, columns.width(family))
                        for family, blob in zip(columns.families, rows, strict=True)
                    }
                )
    except (sqlite3.DatabaseError, ValueError) as error:
        raise catalogue.damaged(str(error)) from error
    return Descriptions(numbers, probabilities, genres, tags)


def _genres(catalogue: Catalogue, model_id: str) -> tuple[str, ...]:
    row = catalogue.connection.execute(
        "SELECT labels FROM models WHERE model_id = ?", (model_id,)
    ).fetchone()
    return () if row is None else tuple(json.loads(row[0]))


def _rows(
    catalogue: Catalogue, audio_ids: Sequence[str], columns: RowColumns, versions: Versions
) -> sqlite3.Cursor:
    """Give `audio_id`, windows, genre tag, and the row of each family, of some tracks."""
    families = columns.families
    joins = "".join(
        f" LEFT JOIN family_rows AS row_{k} ON row_{k}.track_id = tracks.id"
        f" AND row_{k}.family = ? AND row_{k}.version = ?"
        for k in range(len(families))
    )
    return catalogue.connection.execute(
        "SELECT audio_id, window_probabilities, (SELECT genre FROM files JOIN tags"
        " ON file_id = files.id WHERE track_id = tracks.id AND genre IS NOT NULL"
        " AND missing_since IS NULL ORDER BY path LIMIT 1),"
        f" {', '.join(f'row_{k}.numbers' for k in range(len(families)))}"
        f" FROM tracks{joins} WHERE model_id = ?"
        f" AND audio_id IN ({', '.join('?' * len(audio_ids))})",
        (
            *(x for f in families for x in (f, versions.families[f])),
            versions.model_id,
            *audio_ids,
        ),
    )


def _family_row(blob: bytes | None, width: int) -> NDArray[np.float32]:
    if blob is None:
        return np.full(width, np.nan, np.float32)
    row = np.frombuffer(blob, "<f4")
    if len(row) != width:
        raise ValueError("vectors of wrong length")
    return row
