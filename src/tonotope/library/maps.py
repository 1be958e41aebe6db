"""The maps that a library keeps: one for each method and number of axes, points by `audio_id`."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tonotope.errors import LibraryError
from tonotope.library.transactions import keep_if_possible

if TYPE_CHECKING:
    from tonotope.library.catalogue import Catalogue

__all__ = ["StoredMap", "read_map", "write_map"]

Point = tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False)
class StoredMap:
    """A map of a library's tracks.

    Attributes
    ----------
    method
        It was drawn by.
    n_dims
        How many axes it has.
    made_by
        Of which model and which versions of the descriptors.
    made_at
        In UTC, as `tonotope.library.records.now` writes it.
    points
        Coordinates by `audio_id`, `n_dims` each. Also of tracks that have no file at the moment.
    added
        Those of them that came after the map was drawn.
    """

    method: str
    n_dims: int
    made_by: str
    made_at: str
    points: Mapping[str, Point]
    added: frozenset[str] = frozenset()


def read_map(catalogue: Catalogue, method: str | None, n_dims: int) -> StoredMap | None:
    """Return a map that a library keeps, if it keeps it.

    Parameters
    ----------
    catalogue
        The library.
    method
        It was drawn by; None for the one that was drawn last.
    n_dims
        How many axes it has.

    Raises
    ------
    LibraryError
        If the library is damaged.
    """
    try:
        row = catalogue.connection.execute(
            "SELECT id, method, made_by, made_at FROM maps"
            " WHERE n_dims = ? AND ? IN (method, '') ORDER BY made_at DESC, id DESC LIMIT 1",
            (n_dims, method or ""),
        ).fetchone()
        if row is None:
            return None
        map_id, method, made_by, made_at = row
        points, added = {}, set()
        for audio_id, blob, is_added in catalogue.connection.execute(
            "SELECT audio_id, coordinates, is_added FROM map_points WHERE map_id = ?", (map_id,)
        ):
            point = np.frombuffer(blob, "<f4")
            if len(point) != n_dims or not np.isfinite(point).all():
                raise ValueError("points that are none")
            points[audio_id] = tuple(point.tolist())
            if is_added:
                added.add(audio_id)
    except (sqlite3.DatabaseError, ValueError) as error:
        raise LibraryError(
            f"library '{catalogue.path}' is damaged: its map cannot be read ({error}). "
            "Draw a new one: tonotope map --fresh"
        ) from error
    return StoredMap(method, n_dims, made_by, made_at, points, frozenset(added))


def write_map(catalogue: Catalogue, drawn: StoredMap) -> bool:
    """Keep a map in place of the one of its kind; return whether the library can be written to.

    Raises
    ------
    LibraryError
        If another program is writing to the library, or it is damaged.
    """
    return keep_if_possible(catalogue, "the map", lambda connection: _replace(connection, drawn))


def _replace(connection: sqlite3.Connection, drawn: StoredMap) -> None:
    connection.execute(
        "DELETE FROM maps WHERE method = ? AND n_dims = ?", (drawn.method, drawn.n_dims)
    )
    (map_id,) = connection.execute(
        "INSERT INTO maps (method, n_dims, made_by, made_at) VALUES (?, ?, ?, ?) RETURNING id",
        (drawn.method, drawn.n_dims, drawn.made_by, drawn.made_at),
    ).fetchone()
    connection.executemany(
        "INSERT INTO map_points (map_id, audio_id, coordinates, is_added) VALUES (?, ?, ?, ?)",
        [
            (map_id, audio_id, np.asarray(point, "<f4").tobytes(), audio_id in drawn.added)
            for audio_id, point in drawn.points.items()
        ],
    )
