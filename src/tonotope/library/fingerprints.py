"""The fingerprints of the library's tracks, read one at a time: together they fill gigabytes."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from tonotope.library.catalogue import Catalogue, Track

if TYPE_CHECKING:
    from tonotope.features.fingerprint import Fingerprint

__all__ = ["Copy", "StoredFingerprints", "copies", "put_fingerprint"]

# Pairs are verified in the order of their first track: a few of the others come again.
_HELD = 256
_SPECTRUM_BYTES = 4 * 32


def put_fingerprint(
    connection: sqlite3.Connection, track_id: int, version: int, fingerprint: Fingerprint
) -> None:
    """Store a track's fingerprint in place of that which is there."""
    connection.execute(
        "INSERT OR REPLACE INTO fingerprints (track_id, version, marks, chroma, spectrum_db)"
        " VALUES (?, ?, ?, ?, ?)",
        (
            track_id,
            version,
            # Little-endian whatever the machine, so that a library can be carried to another.
            fingerprint.marks.astype("<u4").tobytes(),
            fingerprint.chroma.tobytes(),
            fingerprint.spectrum_db.astype("<f4").tobytes(),
        ),
    )


@dataclass(frozen=True, slots=True)
class Copy:
    """A track and how it is encoded.

    Attributes
    ----------
    track
        The recording, with the first file that holds it.
    codec
        As FFmpeg calls it: ``mp3``, ``flac``.
    bit_rate_bps
        None where the file does not say.
    """

    track: Track
    codec: str
    bit_rate_bps: int | None


def copies(catalogue: Catalogue, version: int) -> list[Copy]:
    """Return the tracks that have a file and a fingerprint of a version, ordered by path."""
    query = (
        "SELECT audio_id, path, title, coalesce(artist, album_artist), album, duration_s, codec,"
        " bit_rate_bps FROM tracks"
        " JOIN fingerprints ON fingerprints.track_id = tracks.id AND fingerprints.version = ?"
        " JOIN files ON files.track_id = tracks.id LEFT JOIN tags ON file_id = files.id"
        " WHERE missing_since IS NULL ORDER BY path"
    )
    found: dict[str, Copy] = {}
    for *about, codec, bit_rate_bps in catalogue.rows(query, (version,)):
        found.setdefault(about[0], Copy(Track(*about), codec, bit_rate_bps))
    return list(found.values())


class StoredFingerprints(Sequence["Fingerprint"]):
    """The fingerprints of some recordings, in their order.

    Parameters
    ----------
    catalogue
        Open as long as fingerprints are read.
    audio_ids
        Recordings that have one.

    Raises
    ------
    LibraryError
        Where one is read that is damaged, or gone.
    """

    def __init__(self, catalogue: Catalogue, audio_ids: Sequence[str]) -> None:
        self._catalogue = catalogue
        self._audio_ids = audio_ids
        self._held = lru_cache(_HELD)(self._read)

    def __len__(self) -> int:
        return len(self._audio_ids)

    def __getitem__(self, row: Any) -> Any:
        return self._held(row)

    def _read(self, row: int) -> Fingerprint:
        from tonotope.features.fingerprint import Fingerprint

        rows = self._catalogue.rows(
            "SELECT marks, chroma, spectrum_db FROM fingerprints JOIN tracks ON id = track_id"
            " WHERE audio_id = ?",
            (self._audio_ids[row],),
        )
        if (found := next(rows, None)) is None:
            raise self._catalogue.damaged(f"track {self._audio_ids[row]} lost its fingerprint")
        marks, chroma, spectrum_db = found
        if len(marks) % 4 or len(chroma) % 12 or len(spectrum_db) != _SPECTRUM_BYTES:
            raise self._catalogue.damaged("fingerprints of wrong length")
        return Fingerprint(
            np.frombuffer(marks, "<u4").astype(np.uint32, copy=False),
            np.frombuffer(chroma, np.uint8).reshape(-1, 12),
            np.frombuffer(spectrum_db, "<f4").astype(np.float32, copy=False),
        )
