"""Scanning: from folders to a catalogue that holds what was heard in every file.

A file goes through up to three gates: what has kept its size and modification time is left
alone; of what has not, the packets are hashed, and a recording that is known (the file was
renamed, moved, retagged or copied) is only noted; the rest is listened to. Of a recording that
is known, only what another version computed, or none, is computed anew. Results are committed every
second, so that whatever ends a scan costs about a second's work.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tonotope.errors import InputError, LibraryError
from tonotope.features import FAMILY_VERSIONS
from tonotope.library.catalogue import Catalogue
from tonotope.library.lock import scan_lock
from tonotope.library.records import FileState, ScanRecords
from tonotope.library.summary import ScanProgress, ScanSummary
from tonotope.library.versions import Versions
from tonotope.library.walk import FoundFile, Walk, check_folders
from tonotope.library.worker import Identified, analyze_file, identify_file
from tonotope.library.workers import MEMORY_BYTES, Failure, Outcome, WorkerPool, default_jobs

if TYPE_CHECKING:
    from tonotope.analysis import TrackAnalysis

__all__ = ["scan_folders"]

_COMMIT_INTERVAL_S = 1.0
_MOST_JOBS = 256
_SHORTEST_BOUND_S = 60.0
# Hashing is reading: the slowest drive or network that is still worth waiting for.
_SLOWEST_BYTES_PER_S = 1e6


def scan_folders(
    library: str | os.PathLike[str] | None,
    folders: Sequence[str | os.PathLike[str]],
    model_id: str,
    *,
    jobs: int | None = None,
    nice: int = 0,
    retry_failed: bool = False,
    memory_bytes: int = MEMORY_BYTES,
    on_progress: Callable[[ScanProgress], None] | None = None,
) -> ScanSummary:
    """Bring a library up to date with folders.

    Parameters
    ----------
    library
        Its file or folder; made where there is none.
    folders
        Walked with all their subfolders.
    model_id
        The network that the workers hear with; what another has heard is out of date.
    jobs
        How many processes listen; as many as there are cores by default.
    nice
        How much these give way to other programs.
    retry_failed
        Whether files that failed and have not changed since are tried again.
    memory_bytes
        How much memory a process may hold.
    on_progress
        Called several times a second, in this thread.

    Raises
    ------
    InputError
        If there is no folder, or a number is out of its range.
    PathError
        If a folder is none.
    LibraryLockedError
        If another scan is under way.
    LibraryError
        If the library cannot be opened or written to.
    KeyboardInterrupt
        Passed on after all that was finished has been stored.
    """
    paths = check_folders(folders)
    jobs = default_jobs() if jobs is None else jobs
    if not 1 <= jobs <= _MOST_JOBS:
        raise InputError(f"cannot scan with {jobs} processes. Use --jobs with 1 to {_MOST_JOBS}.")
    if not 0 <= nice <= 19:
        raise InputError(f"cannot be {nice} nice. Use --nice with 0 to 19.")
    with Catalogue(library, create=True) as catalogue, scan_lock(catalogue.path):
        opened = catalogue.path.stat()
        records = ScanRecords(catalogue.connection, Versions(FAMILY_VERSIONS, model_id))
        run = _Scan(records, paths, on_progress or (lambda progress: None))
        try:
            summary = _execute(run, records, jobs, nice, memory_bytes, retry_failed=retry_failed)
        except sqlite3.OperationalError as error:
            raise LibraryError(
                f"cannot write to library '{catalogue.path}': {error}. What was stored before is "
                "safe: mend that and scan again."
            ) from error
        except sqlite3.DatabaseError as error:
            raise catalogue.damaged(str(error)) from error
        if not _is_file(catalogue.path, opened):
            raise LibraryError(
                f"library '{catalogue.path}' was removed while it was written. Scan again."
            )
        return summary


def _is_file(path: Path, state: os.stat_result) -> bool:
    """Whether the file at a path is still the one whose state that is."""
    return path.exists() and os.path.samestat(path.stat(), state)


def _execute(
    run: _Scan,
    records: ScanRecords,
    jobs: int,
    nice: int,
    memory_bytes: int,
    *,
    retry_failed: bool,
) -> ScanSummary:
    """Walk, listen, and store how it ended, however it ended."""
    progress = run.progress
    started = time.monotonic()
    scan_id = records.begin_scan(run.folders)
    outcome = "failed"
    try:
        todo = run.walk(retry_failed=retry_failed)
        # No more processes than there is work for.
        jobs = min(jobs, len(todo))
        with WorkerPool(jobs, nice, memory_bytes) as pool:
            run.read(todo, pool, jobs)
        run.note_what_is_gone()
        outcome = "finished"
    except KeyboardInterrupt:
        outcome = "interrupted"
        raise
    finally:
        progress.summary.seconds = round(time.monotonic() - started, 3)
        records.end_scan(scan_id, outcome, asdict(progress.summary))
        records.commit()
    return progress.summary


@dataclass
class _Job:
    """A file on its way through the gates."""

    found: FoundFile
    identified: Identified | None = None
    # Other files with the same recording that wait for what is heard in this one.
    copies: list[_Job] = field(default_factory=list)


class _Scan:
    def __init__(
        self,
        records: ScanRecords,
        folders: list[str],
        on_progress: Callable[[ScanProgress], None],
    ) -> None:
        self.folders = folders
        self.progress = ScanProgress(ScanSummary())
        self._records = records
        self._on_progress = on_progress
        self._walk = Walk(folders)
        self._known: dict[str, FileState] = records.files()
        self._seen: set[str] = set()
        # Of each track the files that the walk did not meet: what was moved is one of them.
        self._unseen: defaultdict[int, dict[str, int]] = defaultdict(dict)
        self._unreadable: set[str] = set()
        # Tracks of which this scan has met a file that holds them.
        self._held: set[int] = set()
        self._listening: dict[str, _Job] = {}
        self._n_in_flight = 0

    # The first gate: size and modification time.

    def walk(self, *, retry_failed: bool) -> list[FoundFile]:
        """Find the files, and return those that have to be read."""
        todo = list(self._files_to_read(retry_failed=retry_failed))
        for path, state in self._known.items():
            if path not in self._seen:
                self._unseen[state.track_id][path] = state.file_id
        self._note_unreadable()
        self.progress.is_walking = False
        self._on_progress(self.progress)
        return todo

    def _files_to_read(self, *, retry_failed: bool) -> Iterator[FoundFile]:
        failed = self._records.failures()
        came_back, works_again = [], []
        summary = self.progress.summary
        for found in self._walk:
            summary.files += 1
            self._seen.add(found.path)
            if summary.files % 256 == 0:
                self._on_progress(self.progress)
            known = self._known.get(found.path)
            if failed.get(found.path) == (found.size_bytes, found.mtime_ns):
                if retry_failed:
                    yield found
                else:
                    summary.failed += 1
            elif known is not None and known.is_current and known.is_same_as(found):
                summary.unchanged += 1
                self._held.add(known.track_id)
                if known.is_missing:
                    came_back.append(known.file_id)
                if found.path in failed:
                    works_again.append(found.path)
            else:
                yield found
        self._unreadable = {unreadable.path for unreadable in self._walk.unreadable}
        with self._records.unit():
            self._records.mark_present(came_back)
            gone = [path for path in failed if self._is_gone(path)]
            self._records.drop_failures(works_again + gone)

    # The second and the third gate, in the workers.

    def read(self, files: Sequence[FoundFile], pool: WorkerPool, jobs: int) -> None:
        """Find out which recordings the files hold, and listen to those that are not known."""
        self._pool = pool
        # At most five seconds of work are lost, however many work at them.
        commit_interval_s = min(_COMMIT_INTERVAL_S, 5.0 / max(jobs, 1))
        last_commit = time.monotonic()
        todo = iter(files)
        found = next(todo, None)
        while found is not None or self._n_in_flight:
            # Enough to keep every worker busy while one result is stored.
            while found is not None and self._n_in_flight < 2 * jobs + 1:
                self._identify(_Job(found))
                found = next(todo, None)
            outcome = pool.next_outcome(timeout_s=0.1)
            if outcome is not None:
                self._n_in_flight -= 1
                self._advance(outcome)
            if time.monotonic() - last_commit >= commit_interval_s:
                self._records.commit()
                last_commit = time.monotonic()
            self._on_progress(self.progress)

    def _identify(self, job: _Job) -> None:
        timeout_s = _SHORTEST_BOUND_S + job.found.size_bytes / _SLOWEST_BYTES_PER_S
        self._submit(job, identify_file, timeout_s)

    def _submit(self, job: _Job, task: Callable[[str], Any], timeout_s: float) -> None:
        self._pool.submit(job, task, job.found.path, timeout_s)
        self._n_in_flight += 1

    def _advance(self, outcome: Outcome) -> None:
        job, result = outcome.key, outcome.result
        if isinstance(result, Identified):
            self._on_identified(job, result)
            return
        if not isinstance(result, Failure) and self._is_part_of_another(job, result):
            self._listen(job, analyze_file)
            return
        # Listened to, or failed at any gate: nothing waits for this recording any more.
        if job.identified is not None:
            del self._listening[job.identified.identity.audio_id]
        if isinstance(result, Failure):
            self._store_failure(job.found, result)
        else:
            self._store_analysis(job, result)
        # What is known by now is only noted; where this file failed, one of its copies may not.
        for copy in job.copies:
            if copy.identified is not None:
                self._on_identified(copy, copy.identified)

    def _on_identified(self, job: _Job, identified: Identified) -> None:
        job.identified = identified
        audio_id = identified.identity.audio_id
        track = self._records.track(audio_id)
        if track is not None and track.is_current:
            self._store_known(job, track.track_id)
        elif audio_id in self._listening:
            self._listening[audio_id].copies.append(job)
        else:
            self._listening[audio_id] = job
            task: Callable[[str], TrackAnalysis] = analyze_file
            if track is not None:
                task = partial(
                    analyze_file,
                    families=track.stale_families,
                    genres=not track.has_genres,
                    fingerprint=not track.has_fingerprint,
                )
            self._listen(job, task)

    def _listen(self, job: _Job, task: Callable[[str], TrackAnalysis]) -> None:
        assert job.identified is not None
        timeout_s = max(_SHORTEST_BOUND_S, job.identified.identity.duration_s / 20)
        self._submit(job, task, timeout_s)

    def _is_part_of_another(self, job: _Job, analysis: TrackAnalysis) -> bool:
        """Whether the file was written to after it was identified, and not all of it was heard.

        Then what was heard does not add up with what is known.
        """
        assert job.identified is not None
        is_another = analysis.audio.audio_id != job.identified.identity.audio_id
        return is_another and not analysis.is_whole

    def _store_analysis(self, job: _Job, analysis: TrackAnalysis) -> None:
        with self._records.unit():
            track_id = self._records.put_track(analysis)
            self._put_file(job, track_id)  # which may have moved, too
        self.progress.summary.analysed += 1
        self.progress.summary.damaged += bool(analysis.audio.damage)
        self.progress.music_s += analysis.audio.duration_s

    def _store_known(self, job: _Job, track_id: int) -> None:
        """Note a file that holds a recording which needs no listening to."""
        known = self._known.get(job.found.path)
        is_held = track_id in self._held
        with self._records.unit():
            has_moved = self._put_file(job, track_id)
        summary = self.progress.summary
        if known is not None and known.track_id == track_id:
            summary.unchanged += 1
        elif has_moved or (known is not None and not is_held):
            summary.moved += 1
        else:
            summary.duplicates += 1

    def _put_file(self, job: _Job, track_id: int) -> bool:
        """Store that a file holds a track; return whether it lay elsewhere before."""
        assert job.identified is not None
        found, identity, tags = job.found, job.identified.identity, job.identified.tags
        moved_from = None
        if found.path not in self._known:
            moved_from = self._moved_from(found.path, track_id)
        if moved_from is not None:
            self._records.move_file(self._unseen[track_id].pop(moved_from), found.path)
        self._records.put_file(found, identity.container, track_id, tags)
        self._held.add(track_id)
        return moved_from is not None

    def _moved_from(self, path: str, track_id: int) -> str | None:
        """Return where a track's file lay that lies at `path` now: of the same name, if any."""
        name = path.rpartition("/")[2]
        unseen = sorted(self._unseen[track_id], key=lambda old: old.rpartition("/")[2] != name)
        return next((old for old in unseen if _is_absent(old)), None)

    def _store_failure(self, found: FoundFile, failure: Failure) -> None:
        with self._records.unit():
            self._records.put_failure(found, failure.reason, failure.next_step)
        self.progress.summary.failed += 1
        self.progress.failures.append((found.path, failure.reason))

    # What the walk found no more, or could not look into.

    def note_what_is_gone(self) -> None:
        """Mark the files as missing that should have been met and were not."""
        with self._records.unit():
            for files in self._unseen.values():
                gone = [file_id for path, file_id in files.items() if self._is_gone(path)]
                self._records.mark_missing(gone)

    def _note_unreadable(self) -> None:
        for unreadable in self._walk.unreadable:
            found = FoundFile(unreadable.path, 0, 0)
            self.progress.summary.files += 1
            self._store_failure(found, Failure(unreadable.reason, unreadable.next_step))

    def _is_gone(self, path: str) -> bool:
        """Whether a path that the library knows should have been found and was not."""
        if path in self._seen:
            return False
        above = _folders_above(path)
        return not above.isdisjoint(self.folders) and above.isdisjoint(self._unreadable)


def _folders_above(path: str) -> set[str]:
    """Return a path and all folders that it lies in."""
    parts = path.split("/")
    return {"/".join(parts[:n]) or "/" for n in range(1, len(parts) + 1)}


def _is_absent(path: str) -> bool:
    """Whether nothing lies at a path: known for sure, and not for want of a permission."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False
