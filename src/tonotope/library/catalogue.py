"""What the library knows, for those who ask."""

from __future__ import annotations

import json
import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tonotope.library.schema import connect, path_bytes, resolve_path

__all__ = ["Catalogue", "FailureRecord", "LibraryStatus", "Track", "TrackTable"]


@dataclass(frozen=True, slots=True)
class Track:
    """A recording in the library, or one that was heard on the spot.

    Attributes
    ----------
    audio_id
        Hash of its encoded packets, 32 hexadecimal digits.
    path
        Of the first file that holds it.
    title, artist, album
        As tagged; None where it is not.
    duration_s
        Length in seconds.
    """

    audio_id: str
    path: str
    title: str | None
    artist: str | None
    album: str | None
    duration_s: float

    @property
    def name(self) -> str:
        """Artist and title, or the file's name where they are unknown."""
        if self.title is None:
            return Path(self.path).stem
        return self.title if self.artist is None else f"{self.artist} – {self.title}"


@dataclass(frozen=True, slots=True, eq=False)
class TrackTable:
    """All tracks that have a file and a sound, one row each.

    Attributes
    ----------
    tracks
        In the order of their paths.
    summaries
        Shape (n_tracks, n_columns), float32.
    embeddings
        Shape (n_tracks, embedding_size), float32.
    """

    tracks: list[Track]
    summaries: NDArray[np.float32]
    embeddings: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class FailureRecord:
    """A file that gave nothing: why, what can be done, and when it was tried."""

    path: str
    reason: str
    next_step: str
    failed_at: str


@dataclass(frozen=True, slots=True)
class LibraryStatus:
    """What a library holds.

    Attributes
    ----------
    path
        The library's own file.
    files
        Audio files that are where they were found.
    tracks
        Recordings that these files hold.
    missing
        Files that are no longer there.
    failed
        Files that gave nothing.
    damaged
        Tracks that had to be mended.
    silent
        Tracks in which nothing is to be heard.
    hours
        Duration of all tracks together.
    genres
        For how many tracks a genre is the likeliest, the most frequent first.
    last_scan_at, last_scan_outcome
        When the last scan began and how it ended: finished, interrupted, failed, killed, running.
    """

    path: str
    files: int
    tracks: int
    missing: int
    failed: int
    damaged: int
    silent: int
    hours: float
    genres: dict[str, int]
    last_scan_at: str | None
    last_scan_outcome: str | None


class Catalogue:
    """A library, open.

    Parameters
    ----------
    path
        Its file or the folder it lies in; the platform's data folder by default.
    create
        Whether to make one where there is none.

    Raises
    ------
    LibraryError
        If it cannot be opened.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None, *, create: bool = False) -> None:
        self.path = resolve_path(path)
        self.connection: sqlite3.Connection = connect(self.path, create=create)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the library."""
        self.connection.close()

    def table(self, feature_version: int, model_id: str) -> TrackTable:
        """Return all tracks that were heard by these versions and that have a file.

        About 1.8 kB a track.
        """
        rows = self.connection.execute(
            "SELECT audio_id, path, title, coalesce(artist, album_artist), album, duration_s,"
            " summary, embedding"
            " FROM tracks JOIN files ON track_id = tracks.id LEFT JOIN tags ON file_id = files.id"
            " WHERE missing_since IS NULL AND embedding IS NOT NULL"
            " AND feature_version = ? AND model_id = ? ORDER BY path",
            (feature_version, model_id),
        )
        tracks: dict[str, Track] = {}
        summaries: list[bytes] = []
        embeddings: list[bytes] = []
        for *facts, summary, embedding in rows:
            track = Track(*facts)
            if track.audio_id in tracks:
                continue  # another file of a recording that is here already
            tracks[track.audio_id] = track
            summaries.append(summary)
            embeddings.append(embedding)
        return TrackTable(list(tracks.values()), _matrix(summaries), _matrix(embeddings))

    def audio_id_at(self, path: str) -> str | None:
        """Return the recording that the file at an absolute path holds, if it is known."""
        row = self.connection.execute(
            "SELECT audio_id FROM files JOIN tracks ON tracks.id = track_id"
            " WHERE path = CAST(? AS TEXT)",
            (path_bytes(path),),
        ).fetchone()
        return None if row is None else str(row[0])

    def audio_ids_like(self, prefix: str) -> list[str]:
        """Return up to two recordings whose id begins with some hexadecimal digits."""
        rows = self.connection.execute(
            "SELECT audio_id FROM tracks WHERE audio_id GLOB ? LIMIT 2", (prefix.lower() + "*",)
        )
        return [audio_id for (audio_id,) in rows]

    def n_out_of_date(self, feature_version: int, model_id: str) -> int:
        """Return how many tracks were heard by other versions than these."""
        (n,) = self.connection.execute(
            "SELECT count(*) FROM tracks WHERE NOT (feature_version = ? AND model_id = ?)"
            " AND id IN (SELECT track_id FROM files WHERE missing_since IS NULL)",
            (feature_version, model_id),
        ).fetchone()
        return int(n)

    def failures(self) -> list[FailureRecord]:
        """Return the files that gave nothing, in the order of their paths."""
        rows = self.connection.execute(
            "SELECT path, reason, next_step, failed_at FROM failures ORDER BY path"
        )
        return [FailureRecord(*row) for row in rows]

    def status(self) -> LibraryStatus:
        """Return what the library holds."""
        present = "id IN (SELECT track_id FROM files WHERE missing_since IS NULL)"
        files, missing = self._one(
            "SELECT count(*) FILTER (WHERE missing_since IS NULL),"
            " count(*) FILTER (WHERE missing_since IS NOT NULL"
            "   AND path NOT IN (SELECT path FROM failures)) FROM files"
        )
        tracks, damaged, silent, duration_s = self._one(
            "SELECT count(*),"
            " count(*) FILTER (WHERE packets_skipped + samples_clipped + truncated),"
            " count(*) FILTER (WHERE is_silent), coalesce(sum(duration_s), 0)"
            f" FROM tracks WHERE {present}"
        )
        last_scan = self.connection.execute(
            "SELECT started_at, outcome FROM scans ORDER BY id DESC LIMIT 1"
        ).fetchone()
        return LibraryStatus(
            path=str(self.path),
            files=files,
            tracks=tracks,
            missing=missing,
            failed=self._one("SELECT count(*) FROM failures")[0],
            damaged=damaged,
            silent=silent,
            hours=round(duration_s / 3600, 3),
            genres=self._genre_counts(present),
            last_scan_at=last_scan[0] if last_scan else None,
            last_scan_outcome=last_scan[1] if last_scan else None,
        )

    def _one(self, query: str) -> tuple[int, ...]:
        row: tuple[int, ...] = self.connection.execute(query).fetchone()
        return row

    def _genre_counts(self, present: str) -> dict[str, int]:
        counts: dict[str, int] = {}
        models = self.connection.execute("SELECT model_id, labels FROM models").fetchall()
        for model_id, labels_json in models:
            labels = json.loads(labels_json)
            rows = self.connection.execute(
                "SELECT window_probabilities FROM tracks"
                f" WHERE model_id = ? AND embedding IS NOT NULL AND {present}",
                (model_id,),
            )
            for (blob,) in rows:
                windows = np.frombuffer(blob, "<f4").reshape(-1, len(labels))
                genre = labels[int(windows.mean(axis=0).argmax())]
                counts[genre] = counts.get(genre, 0) + 1
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _matrix(blobs: list[bytes]) -> NDArray[np.float32]:
    if not blobs:
        return np.empty((0, 0), np.float32)
    return np.frombuffer(b"".join(blobs), "<f4").reshape(len(blobs), -1).astype(np.float32)
