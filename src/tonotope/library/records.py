"""What the scanner reads and writes: files, tracks, tags, failures and the scans themselves."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from tonotope.audio import Tags
from tonotope.library.fingerprints import put_fingerprint
from tonotope.library.schema import path_bytes
from tonotope.library.versions import Versions
from tonotope.library.walk import FoundFile

if TYPE_CHECKING:
    from tonotope.analysis import TrackAnalysis

__all__ = ["FileState", "ScanRecords", "TrackState", "now"]

_TAG_NAMES = tuple(field.name for field in fields(Tags))


def now() -> str:
    """Return the time in UTC, as the library records it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class FileState:
    """A file as it was when its track was last heard.

    Attributes
    ----------
    is_current
        Whether everything that is known of the track was made by the versions in use.
    """

    file_id: int
    size_bytes: int
    mtime_ns: int
    track_id: int
    is_current: bool
    is_missing: bool

    def is_same_as(self, found: FoundFile) -> bool:
        """Whether the file has not been written to since."""
        return (self.size_bytes, self.mtime_ns) == (found.size_bytes, found.mtime_ns)


@dataclass(frozen=True, slots=True)
class TrackState:
    """A recording in the library, and what of it has to be computed anew.

    Attributes
    ----------
    track_id
        Its row.
    stale_families
        Families whose numbers are not there or were made by another version.
    has_genres
        Whether the network in use has heard it.
    has_fingerprint
        Whether it has a fingerprint of the version in use.
    """

    track_id: int
    stale_families: tuple[str, ...]
    has_genres: bool
    has_fingerprint: bool

    @property
    def is_current(self) -> bool:
        """Whether nothing has to be computed anew."""
        return self.has_genres and self.has_fingerprint and not self.stale_families


class ScanRecords:
    """The scanner's view of a library.

    Parameters
    ----------
    connection
        To the library; the caller closes it.
    versions
        What is in use; results made by anything else are out of date.
    """

    def __init__(self, connection: sqlite3.Connection, versions: Versions) -> None:
        self._connection = connection
        self._versions = versions

    @contextmanager
    def unit(self) -> Iterator[None]:
        """Write all that follows, or nothing of it; to stay, it needs a `commit` later."""
        if not self._connection.in_transaction:
            self._connection.execute("BEGIN IMMEDIATE")
        self._connection.execute("SAVEPOINT unit")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK TO unit")
            raise
        finally:
            self._connection.execute("RELEASE unit")

    def commit(self) -> None:
        """Make everything written so far stay."""
        if self._connection.in_transaction:
            self._connection.execute("COMMIT")

    # Reading

    def files(self) -> dict[str, FileState]:
        """Return all files the library knows, by path."""
        is_current, parameters = self._versions.is_current()
        rows = self._connection.execute(
            f"SELECT path, files.id, size_bytes, mtime_ns, files.track_id, {is_current},"
            " missing_since IS NOT NULL FROM files JOIN tracks ON tracks.id = files.track_id",
            parameters,
        )
        return {
            path: FileState(file_id, size, mtime, track_id, bool(current), bool(missing))
            for path, file_id, size, mtime, track_id, current, missing in rows
        }

    def failures(self) -> dict[str, tuple[int, int]]:
        """Return size and modification time of each file that failed, by path."""
        rows = self._connection.execute("SELECT path, size_bytes, mtime_ns FROM failures")
        return {path: (size, mtime) for path, size, mtime in rows}

    def track(self, audio_id: str) -> TrackState | None:
        """Return the state of a recording, if it is in the library."""
        row = self._connection.execute(
            "SELECT id, model_id = ?, (id, ?) IN (SELECT track_id, version FROM fingerprints)"
            " FROM tracks WHERE audio_id = ?",
            (self._versions.model_id, self._versions.fingerprint, audio_id),
        ).fetchone()
        if row is None:
            return None
        track_id, has_genres, has_fingerprint = row
        held = dict(
            self._connection.execute(
                "SELECT family, version FROM family_rows WHERE track_id = ?", (track_id,)
            )
        )
        stale = [
            family
            for family, version in self._versions.families.items()
            if held.get(family) != version
        ]
        return TrackState(track_id, tuple(stale), bool(has_genres), bool(has_fingerprint))

    # Writing

    def put_track(self, analysis: TrackAnalysis) -> int:
        """Store what was computed of a recording, in place of that; return its id.

        What was not computed is left as it is. A recording that is not in the library yet has to
        have been heard by a network.
        """
        track_id = self._put_recording(analysis)
        self._connection.executemany(
            "INSERT INTO family_rows (track_id, family, version, numbers) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (track_id, family) DO UPDATE SET version = excluded.version,"
            " numbers = excluded.numbers",
            [
                (track_id, family, analysis.feature_versions[family], _blob(row))
                for family, row in analysis.rows.items()
            ],
        )
        if analysis.fingerprint is not None:
            put_fingerprint(
                self._connection, track_id, self._versions.fingerprint, analysis.fingerprint
            )
        return track_id

    def _put_recording(self, analysis: TrackAnalysis) -> int:
        audio, damage, silence = analysis.audio, analysis.audio.damage, analysis.audio.silence
        row = {
            "audio_id": audio.audio_id,
            "codec": audio.codec,
            "sample_rate_hz": audio.sample_rate_hz,
            "channels": audio.channels,
            "bit_rate_bps": audio.bit_rate_bps,
            "duration_s": audio.duration_s,
            "packets_skipped": damage.packets_skipped,
            "samples_clipped": damage.samples_clipped,
            "truncated": damage.truncated,
            "leading_silence_s": silence.leading_s,
            "trailing_silence_s": silence.trailing_s,
            "is_silent": silence.is_silent,
        }
        if analysis.model_id is None:
            (track_id,) = self._connection.execute(
                f"UPDATE tracks SET {', '.join(f'{name} = ?' for name in row)}"
                " WHERE audio_id = ? RETURNING id",
                (*row.values(), audio.audio_id),
            ).fetchone()
            return int(track_id)
        self._connection.execute(
            "INSERT INTO models VALUES (?, ?) ON CONFLICT DO NOTHING",
            (analysis.model_id, json.dumps(analysis.labels)),
        )
        row |= {
            "model_id": analysis.model_id,
            "window_starts_s": _blob(analysis.window_starts_s),
            "window_probabilities": _blob(analysis.window_probabilities),
            "embedding": None if analysis.embedding is None else _blob(analysis.embedding),
        }
        names = list(row)
        (track_id,) = self._connection.execute(
            f"INSERT INTO tracks ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
            " ON CONFLICT (audio_id) DO UPDATE SET "
            + ", ".join(f"{name} = excluded.{name}" for name in names)
            + " RETURNING id",
            list(row.values()),
        ).fetchone()
        return int(track_id)

    def put_file(self, found: FoundFile, container: str, track_id: int, tags: Tags) -> None:
        """Store a file as holding a track, in place of what was known of its path."""
        (file_id,) = self._connection.execute(
            "INSERT INTO files (path, size_bytes, mtime_ns, container, track_id)"
            " VALUES (CAST(? AS TEXT), ?, ?, ?, ?)"
            " ON CONFLICT (path) DO UPDATE SET size_bytes = excluded.size_bytes,"
            " mtime_ns = excluded.mtime_ns, container = excluded.container,"
            " track_id = excluded.track_id, missing_since = NULL"
            " RETURNING id",
            (path_bytes(found.path), found.size_bytes, found.mtime_ns, container, track_id),
        ).fetchone()
        self._connection.execute(
            f"INSERT OR REPLACE INTO tags (file_id, {', '.join(_TAG_NAMES)})"
            f" VALUES (?{', ?' * len(_TAG_NAMES)})",
            (file_id, *astuple(tags)),
        )
        self.drop_failures([found.path])

    def move_file(self, file_id: int, path: str) -> None:
        """Note that a file lies somewhere else now."""
        self._connection.execute(
            "UPDATE files SET path = CAST(? AS TEXT), missing_since = NULL WHERE id = ?",
            (path_bytes(path), file_id),
        )

    def mark_present(self, file_ids: Sequence[int]) -> None:
        """Note that files which were missing are there again."""
        self._connection.executemany(
            "UPDATE files SET missing_since = NULL WHERE id = ?", [(k,) for k in file_ids]
        )

    def mark_missing(self, file_ids: Sequence[int]) -> None:
        """Note that files are no longer there; what was heard in them is kept."""
        self._connection.executemany(
            "UPDATE files SET missing_since = ? WHERE id = ? AND missing_since IS NULL",
            [(now(), k) for k in file_ids],
        )

    def put_failure(self, found: FoundFile, reason: str, next_step: str) -> None:
        """Store why a file gave nothing. What it held before, if anything, is there no more."""
        self._connection.execute(
            "INSERT OR REPLACE INTO failures VALUES (CAST(? AS TEXT), ?, ?, ?, ?, ?)",
            (path_bytes(found.path), found.size_bytes, found.mtime_ns, reason, next_step, now()),
        )
        self._connection.execute(
            "UPDATE files SET missing_since = ? WHERE path = CAST(? AS TEXT)",
            (now(), path_bytes(found.path)),
        )

    def drop_failures(self, paths: Sequence[str]) -> None:
        """Forget that files failed: they work now, or are gone."""
        self._connection.executemany(
            "DELETE FROM failures WHERE path = CAST(? AS TEXT)",
            [(path_bytes(path),) for path in paths],
        )

    def begin_scan(self, folders: Sequence[str]) -> int:
        """Store that a scan begins; return its id."""
        # Only one scan runs at a time, so whatever is still "running" was killed.
        self._connection.execute("UPDATE scans SET outcome = 'killed' WHERE outcome = 'running'")
        (scan_id,) = self._connection.execute(
            "INSERT INTO scans (started_at, outcome, folders) VALUES (?, 'running', ?)"
            " RETURNING id",
            (now(), json.dumps(folders)),
        ).fetchone()
        return int(scan_id)

    def end_scan(self, scan_id: int, outcome: str, summary: Mapping[str, float]) -> None:
        """Store how a scan ended."""
        self._connection.execute(
            "UPDATE scans SET finished_at = ?, outcome = ?, summary = ? WHERE id = ?",
            (now(), outcome, json.dumps(summary), scan_id),
        )


def _blob(array: ArrayLike) -> bytes:
    # Little-endian whatever the machine, so that a library can be carried to another.
    return np.ascontiguousarray(array, dtype="<f4").tobytes()
