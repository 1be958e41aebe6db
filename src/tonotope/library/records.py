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
from tonotope.library.schema import path_bytes
from tonotope.library.walk import FoundFile

if TYPE_CHECKING:
    from tonotope.analysis import TrackAnalysis

__all__ = ["FileState", "ScanRecords", "now"]

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
        Whether the track was heard by this version's descriptors and network.
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


class ScanRecords:
    """The scanner's view of a library.

    Parameters
    ----------
    connection
        To the library; the caller closes it.
    feature_version, model_id
        Results made by anything else are out of date.
    """

    def __init__(self, connection: sqlite3.Connection, feature_version: int, model_id: str) -> None:
        self._connection = connection
        self._feature_version = feature_version
        self._model_id = model_id

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
        rows = self._connection.execute(
            "SELECT path, files.id, size_bytes, mtime_ns, track_id,"
            " feature_version = ? AND model_id = ?, missing_since IS NOT NULL"
            " FROM files JOIN tracks ON tracks.id = track_id",
            (self._feature_version, self._model_id),
        )
        return {
            path: FileState(file_id, size, mtime, track_id, bool(current), bool(missing))
            for path, file_id, size, mtime, track_id, current, missing in rows
        }

    def failures(self) -> dict[str, tuple[int, int]]:
        """Return size and modification time of each file that failed, by path."""
        rows = self._connection.execute("SELECT path, size_bytes, mtime_ns FROM failures")
        return {path: (size, mtime) for path, size, mtime in rows}

    def current_track(self, audio_id: str) -> int | None:
        """Return the track of a recording, if this version has heard it."""
        row = self._connection.execute(
            "SELECT id FROM tracks WHERE audio_id = ? AND feature_version = ? AND model_id = ?",
            (audio_id, self._feature_version, self._model_id),
        ).fetchone()
        return None if row is None else int(row[0])

    # Writing

    def put_track(self, analysis: TrackAnalysis) -> int:
        """Store what was heard in a recording, in place of what was known of it; return its id."""
        audio, damage, silence = analysis.audio, analysis.audio.damage, analysis.audio.silence
        self._connection.execute(
            "INSERT INTO models VALUES (?, ?) ON CONFLICT DO NOTHING",
            (analysis.model_id, json.dumps(analysis.labels)),
        )
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
            "feature_version": analysis.feature_version,
            "summary": _blob(analysis.summary),
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
