"""What the library knows, for those who ask."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from tonotope.errors import LibraryError
from tonotope.library.lock import is_locked
from tonotope.library.schema import connect, path_bytes, resolve_path
from tonotope.library.versions import Versions

if TYPE_CHECKING:
    from tonotope.library.columns import RowColumns

__all__ = ["Catalogue", "FailureRecord", "LibraryStatus", "Track", "TrackTable", "album_key"]

# How many tracks' rows are held while the columns that are wanted are picked from them.
_BATCH_TRACKS = 1024


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
    album_key
        What the tracks of its album have in common, see `album_key`; None where unknown.
    """

    audio_id: str
    path: str
    title: str | None
    artist: str | None
    album: str | None
    duration_s: float
    album_key: tuple[str, ...] | None = None

    @property
    def name(self) -> str:
        """Artist and title, or the file's name where they are unknown."""
        if self.title is None:
            return Path(self.path).stem
        return self.title if self.artist is None else f"{self.artist} – {self.title}"


def album_key(
    *,
    album: str | None,
    artist: str | None,
    album_artist: str | None,
    is_compilation: bool | None,
    release_id: str | None,
) -> tuple[str, ...] | None:
    """Return what the tracks of one album have in common, and no others; None where unknown.

    That is its MusicBrainz release where it is tagged, and else its name with its artist: many
    albums are called "Greatest Hits". A compilation has many artists and goes by its name.
    """
    if release_id is not None:
        return ("release", release_id.casefold())
    if album is None:
        return None
    owner = album_artist or (None if is_compilation else artist)
    return ("album", *(name.casefold() for name in (album, owner) if name is not None))


@dataclass(frozen=True, slots=True, eq=False)
class TrackTable:
    """All tracks that have a file and a sound, one row each.

    Attributes
    ----------
    tracks
        In the order of their paths.
    numbers
        The columns that were asked for, shape (n_tracks, n_columns), float32; finite but where
        a column may lack an answer.
    embeddings
        Shape (n_tracks, embedding_size), float32, finite.
    """

    tracks: list[Track]
    numbers: NDArray[np.float32]
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
    out_of_date
        Tracks of which something was made by another version of Tonotope, or is not there yet;
        the next scan computes that, and no more.
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
    out_of_date: int
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

    def table(self, columns: RowColumns, versions: Versions) -> TrackTable:
        """Return all tracks that have a file, a sound, and the numbers that are asked for.

        Numbers and embedding are those that these versions made; tracks of which there are only
        others are left out. Families that none of the columns is in need not be up to date.

        Memory: 8 bytes per track and number while they are read, 4 after, and 10 MB. With the
        299 columns and the embedding that similarity is made of, these are 4.4 kB a track, and
        2.2 kB after.
        """
        families = columns.families
        heard = self._heard_tracks(families, versions)
        tracks: list[Track] = []
        numbers: list[NDArray[np.float32]] = []
        embeddings: list[NDArray[np.float32]] = []
        while batch := list(islice(heard, _BATCH_TRACKS)):
            tracks += [track for track, *_ in batch]
            *rows, embedding = zip(*(blobs for _, *blobs in batch), strict=True)
            matrices = {
                family: self._matrix(blobs, columns.width(family))
                for family, blobs in zip(families, rows, strict=True)
            }
            numbers.append(columns.of(matrices))
            self._refuse_damage(numbers[-1][:, columns.is_sure])
            size = embeddings[0].shape[1] if embeddings else max(1, len(embedding[0]) // 4)
            embeddings.append(self._matrix(embedding, size))
            self._refuse_damage(embeddings[-1])
        if not tracks:
            nothing = np.empty((0, 0), np.float32)
            return TrackTable([], nothing, nothing)
        return TrackTable(tracks, np.concatenate(numbers), np.concatenate(embeddings))

    def _heard_tracks(self, families: Sequence[str], versions: Versions) -> Iterator[list[Any]]:
        """Give each track once, with its row of each family and its embedding."""
        joins = "".join(
            f" JOIN family_rows AS row_{k} ON row_{k}.track_id = tracks.id"
            f" AND row_{k}.family = ? AND row_{k}.version = ?"
            for k in range(len(families))
        )
        rows = self.rows(
            "SELECT audio_id, path, title, artist, album_artist, album, compilation,"
            " musicbrainz_release_id, duration_s,"
            f" {', '.join(f'row_{k}.numbers' for k in range(len(families)))}, embedding"
            " FROM tracks JOIN files ON files.track_id = tracks.id"
            f" LEFT JOIN tags ON file_id = files.id{joins}"
            " WHERE missing_since IS NULL AND embedding IS NOT NULL AND model_id = ?"
            " ORDER BY path",
            (*(x for f in families for x in (f, versions.families[f])), versions.model_id),
        )
        met: set[str] = set()
        for audio_id, path, title, artist, album_artist, album, *rest in rows:
            if audio_id in met:
                continue  # another file of a recording that came already
            met.add(audio_id)
            is_compilation, release_id, duration_s, *blobs = rest
            key = album_key(
                album=album,
                artist=artist,
                album_artist=album_artist,
                is_compilation=is_compilation,
                release_id=release_id,
            )
            artist = artist or album_artist
            yield [Track(audio_id, path, title, artist, album, duration_s, key), *blobs]

    def audio_id_at(self, path: str) -> str | None:
        """Return the recording that the file at an absolute path holds, if it is known.

        Of a file that was written to since it was heard it is not; of one that is gone it is.
        """
        rows = self.rows(
            "SELECT audio_id, size_bytes, mtime_ns FROM files JOIN tracks ON tracks.id = track_id"
            " WHERE path = CAST(? AS TEXT)",
            (path_bytes(path),),
        )
        for audio_id, size_bytes, mtime_ns in rows:
            try:
                state = Path(path).stat()
            except OSError:
                return str(audio_id)
            if (state.st_size, state.st_mtime_ns) == (size_bytes, mtime_ns):
                return str(audio_id)
        return None

    def audio_ids_like(self, prefix: str) -> list[str]:
        """Return up to two recordings whose id begins with some hexadecimal digits."""
        rows = self.rows(
            "SELECT audio_id FROM tracks WHERE audio_id GLOB ? LIMIT 2", (prefix.lower() + "*",)
        )
        return [audio_id for (audio_id,) in rows]

    def n_out_of_date(self, versions: Versions) -> int:
        """Return how many tracks lack something that these versions make."""
        is_current, parameters = versions.is_current()
        (n,) = self._one(
            f"SELECT count(*) FROM tracks WHERE NOT {is_current}"
            " AND id IN (SELECT track_id FROM files WHERE missing_since IS NULL)",
            parameters,
        )
        return n

    def failures(self) -> list[FailureRecord]:
        """Return the files that gave nothing, in the order of their paths."""
        rows = self.rows("SELECT path, reason, next_step, failed_at FROM failures ORDER BY path")
        return [FailureRecord(*row) for row in rows]

    def status(self, versions: Versions) -> LibraryStatus:
        """Return what the library holds, and of how much of it these versions would hear more."""
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
        last_scan_at, last_scan_outcome = self._last_scan()
        return LibraryStatus(
            path=str(self.path),
            files=files,
            tracks=tracks,
            missing=missing,
            failed=self._one("SELECT count(*) FROM failures")[0],
            damaged=damaged,
            out_of_date=self.n_out_of_date(versions),
            silent=silent,
            hours=round(duration_s / 3600, 3),
            genres=self._genre_counts(present),
            last_scan_at=last_scan_at,
            last_scan_outcome=last_scan_outcome,
        )

    def _last_scan(self) -> tuple[str | None, str | None]:
        query = "SELECT started_at, outcome FROM scans ORDER BY id DESC LIMIT 1"
        nothing = (None, None)
        started_at, outcome = next(self.rows(query), nothing)
        if outcome == "running" and not is_locked(self.path):
            # Nobody is at it: it was killed, unless it has ended just now.
            started_at, outcome = next(self.rows(query), nothing)
            outcome = "killed" if outcome == "running" else outcome
        return started_at, outcome

    def rows(self, query: str, parameters: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        """Give the rows that answer a query.

        Raises
        ------
        LibraryError
            If the library is damaged.
        """
        try:
            # Not `yield from`: whoever wants no more would close the cursor, perhaps after the
            # library, and that fails.
            for row in self.connection.execute(query, parameters):  # noqa: UP028
                yield row
        except sqlite3.DatabaseError as error:
            raise self.damaged(str(error)) from error

    def _one(self, query: str, parameters: tuple[Any, ...] = ()) -> tuple[int, ...]:
        return next(self.rows(query, parameters))

    def damaged(self, reason: str) -> LibraryError:
        """Return what is raised where the library holds something else than it should."""
        return LibraryError(
            f"library '{self.path}' is damaged: {reason}. Move it away and scan again."
        )

    def _matrix(self, blobs: Sequence[bytes], width: int) -> NDArray[np.float32]:
        if any(len(blob) != 4 * width for blob in blobs):
            raise self.damaged("vectors of wrong length")
        matrix = np.frombuffer(b"".join(blobs), "<f4").reshape(-1, width)
        return matrix.astype(np.float32, copy=False)

    def _refuse_damage(self, matrix: NDArray[np.float32]) -> None:
        if not np.isfinite(matrix).all():
            raise self.damaged("vectors that hold no numbers")

    def _genre_counts(self, present: str) -> dict[str, int]:
        counts: dict[str, int] = {}
        for model_id, labels_json in self.rows("SELECT model_id, labels FROM models"):
            labels = json.loads(labels_json)
            rows = self.rows(
                "SELECT window_probabilities FROM tracks"
                f" WHERE model_id = ? AND embedding IS NOT NULL AND {present}",
                (model_id,),
            )
            for (blob,) in rows:
                if not blob or len(blob) % (4 * len(labels)):
                    raise self.damaged("genres of wrong length")
                windows = np.frombuffer(blob, "<f4").reshape(-1, len(labels))
                genre = labels[int(windows.mean(axis=0).argmax())]
                counts[genre] = counts.get(genre, 0) + 1
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
