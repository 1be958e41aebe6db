"""The recordings that the user said are one: of some recordings, which is kept in their place.

Recordings are known by their `audio_id`, so that a merge outlives rescans, moves and new tags. A
kept recording may be merged in turn; `standing_for` follows the merges to the end.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tonotope.errors import LibraryError
from tonotope.library.catalogue import Catalogue, TrackTable
from tonotope.library.records import now
from tonotope.library.transactions import transaction

__all__ = ["Merge", "drop_merges", "merges", "put_merges", "standing_for", "without_merged"]


@dataclass(frozen=True, slots=True)
class Merge:
    """A recording for which another stands, and since when."""

    audio_id: str
    kept_audio_id: str
    merged_at: str


def merges(catalogue: Catalogue) -> list[Merge]:
    """Return what was merged, the earliest first."""
    query = "SELECT audio_id, kept_audio_id, merged_at FROM merges ORDER BY merged_at, audio_id"
    return [Merge(*row) for row in catalogue.rows(query)]


def standing_for(catalogue: Catalogue) -> dict[str, str]:
    """Return by merged recording the one that stands for it in the end."""
    kept = {merge.audio_id: merge.kept_audio_id for merge in merges(catalogue)}
    return {audio_id: _end(kept, audio_id) for audio_id in kept}


def _end(kept: Mapping[str, str], audio_id: str) -> str:
    # `put_merges` makes no circle; neither is one followed, should the library hold it.
    met = {audio_id}
    while audio_id in kept and kept[audio_id] not in met:
        audio_id = kept[audio_id]
        met.add(audio_id)
    return audio_id


def without_merged(table: TrackTable, standing: Mapping[str, str]) -> TrackTable:
    """Return a table without the tracks for which another of its tracks stands.

    Parameters
    ----------
    table
        As read from the library.
    standing
        See `standing_for`.
    """
    held = {track.audio_id for track in table.tracks}
    rows = [
        row for row, track in enumerate(table.tracks) if standing.get(track.audio_id) not in held
    ]
    if len(rows) == len(table.tracks):
        return table
    tracks = [table.tracks[row] for row in rows]
    return TrackTable(tracks, table.numbers[rows], table.embeddings[rows])


def put_merges(catalogue: Catalogue, kept_audio_id: str, audio_ids: Sequence[str]) -> None:
    """Store that one recording stands for others, and for those these stand for.

    Raises
    ------
    LibraryError
        If the library cannot be written to.
    """
    _write(
        catalogue,
        "INSERT INTO merges (audio_id, kept_audio_id, merged_at) VALUES (?, ?, ?)"
        " ON CONFLICT (audio_id) DO UPDATE SET kept_audio_id = excluded.kept_audio_id,"
        " merged_at = excluded.merged_at",
        [(audio_id, kept_audio_id, now()) for audio_id in audio_ids],
    )


def drop_merges(catalogue: Catalogue, audio_ids: Sequence[str]) -> None:
    """Let recordings stand for themselves again.

    Raises
    ------
    LibraryError
        If the library cannot be written to.
    """
    _write(
        catalogue,
        "DELETE FROM merges WHERE audio_id = ?",
        [(audio_id,) for audio_id in audio_ids],
    )


def _write(catalogue: Catalogue, statement: str, rows: Sequence[tuple[str, ...]]) -> None:
    """Store what a user typed: all of it or nothing, and so that no power cut takes it back."""
    try:
        with transaction(catalogue.connection, durable=True):
            catalogue.connection.executemany(statement, rows)
    except sqlite3.Error as error:
        raise LibraryError(
            f"cannot write to library '{catalogue.path}': {error}. Nothing was merged or undone."
        ) from error
