"""Files through worker processes: which recording each holds, and what is computed of it.

As in a scan, whatever a file does costs that file alone. A recording that several files hold is
computed once where one result serves them all.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from tonotope.audio import AudioIdentity, identify
from tonotope.errors import InputError, PathError
from tonotope.library.summary import ScanProgress, ScanSummary
from tonotope.library.walk import FoundFile, Walk
from tonotope.library.workers import MEMORY_BYTES, Failure, Outcome, WorkerPool, default_jobs

__all__ = ["ExtractionSummary", "FailedFile", "FileRun", "OnProgress", "Results", "check_paths"]

OnProgress = Callable[[ScanProgress], None]

_MOST_JOBS = 256
_SHORTEST_BOUND_S = 60.0
# Hashing is reading: the slowest drive or network that is still worth waiting for.
_SLOWEST_BYTES_PER_S = 1e6


@dataclass(frozen=True, slots=True)
class FailedFile:
    """A file that gave nothing, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class ExtractionSummary:
    """What was done.

    Attributes
    ----------
    tracks
        How many rows, or files of frames, there are now: `computed` and `kept` together.
    computed
        Computed in this run.
    kept
        There before, or computed of another file with the same recording.
    failed
        Files, and folders that cannot be read, that gave nothing.
    dropped
        Rows there were of recordings that are in no file that could be heard; frames are not
        dropped.
    columns
        How many numbers a row has, or how many descriptors a file of frames.
    out
        What was written; see `tracks` for whether anything was.
    seconds
        How long it took.
    failures
        What failed, by path.
    """

    tracks: int
    computed: int
    kept: int
    failed: int
    dropped: int
    columns: int
    out: str
    seconds: float
    failures: list[FailedFile]


class Results(Protocol):
    """Where results are kept: a table, or a folder of files."""

    def key(self, path: str, identity: AudioIdentity) -> str:
        """Return what a file's result is known by; files of one key share one result."""

    def has(self, key: str, identity: AudioIdentity) -> bool:
        """Whether there is a result already, made by this version."""

    def task(self, key: str) -> Callable[[str], Any]:
        """Return what a worker does with the file's path."""

    def put(self, key: str, result: Any) -> str:
        """Keep what came of it; return the key that it has."""


@dataclass
class _Job:
    """A file on its way."""

    found: FoundFile
    identity: AudioIdentity | None = None
    key: str = ""
    # Other files that wait for the same result.
    copies: list[_Job] = field(default_factory=list)


def check_paths(paths: Sequence[str | os.PathLike[str]]) -> list[str]:
    """Return the folders and files as absolute paths, each once.

    Raises
    ------
    InputError
        If there is none.
    PathError
        If one of them does not exist.
    """
    if not paths:
        raise InputError("nothing to listen to. Name folders or files: tonotope features PATH")
    checked = []
    for path in paths:
        absolute = os.path.abspath(os.path.expanduser(path))  # noqa: PTH100, PTH111 - never raises
        if not os.path.exists(absolute):  # noqa: PTH110
            raise PathError(
                f"cannot listen to '{os.fspath(path)}': it does not exist. Name a folder or a "
                "file of music."
            )
        checked.append(absolute)
    return list(dict.fromkeys(checked))


class FileRun:
    """A run over the files in some folders.

    Parameters
    ----------
    paths
        Absolute paths of folders, walked with all their subfolders, and of files.
    results
        Where results are kept.
    on_progress
        Called several times a second.

    Attributes
    ----------
    keys
        Of each file that has a result, by its path, the result's key.
    """

    def __init__(
        self, paths: Sequence[str], results: Results, on_progress: OnProgress | None
    ) -> None:
        self.keys: dict[str, str] = {}
        self._paths = paths
        self._results = results
        self._on_progress = on_progress or (lambda progress: None)
        self._progress = ScanProgress(ScanSummary())
        self._failures: list[FailedFile] = []
        self._under_way: dict[str, _Job] = {}
        self._n_in_flight = 0
        self._started = time.monotonic()

    def execute(
        self, *, jobs: int | None = None, nice: int = 0, memory_bytes: int = MEMORY_BYTES
    ) -> None:
        """Find the files, and see to it that each has a result.

        Raises
        ------
        InputError
            If a number is out of its range.
        PathError
            If there is no file at all.
        """
        jobs = default_jobs() if jobs is None else jobs
        if not 1 <= jobs <= _MOST_JOBS:
            raise InputError(f"cannot use {jobs} processes. Use --jobs with 1 to {_MOST_JOBS}.")
        if not 0 <= nice <= 19:
            raise InputError(f"cannot be {nice} nice. Use --nice with 0 to 19.")
        files = self._find()
        jobs = min(jobs, len(files))
        with WorkerPool(jobs, nice, memory_bytes) as pool:
            self._read(files, pool, jobs)

    def summary(self, *, columns: int, out: str, dropped: int = 0) -> ExtractionSummary:
        """Return what was done."""
        done = self._progress.summary
        return ExtractionSummary(
            tracks=len(self.keys),
            computed=done.analysed,
            kept=done.unchanged,
            failed=len(self._failures),
            dropped=dropped,
            columns=columns,
            out=out,
            seconds=round(time.monotonic() - self._started, 3),
            failures=sorted(self._failures, key=lambda failed: failed.path),
        )

    def _find(self) -> list[FoundFile]:
        files: dict[str, FoundFile] = {}
        folders = []
        for path in self._paths:
            try:
                state = os.stat(path)  # noqa: PTH116
            except OSError as error:  # gone since the paths were checked
                self._fail(path, error.strerror or type(error).__name__)
                continue
            if stat.S_ISDIR(state.st_mode):
                folders.append(path)
            else:
                files[path] = FoundFile(path, state.st_size, state.st_mtime_ns)
        walk = Walk(folders)
        for found in walk:
            files[found.path] = found
            self._progress.summary.files = len(files)
            if len(files) % 256 == 0:
                self._on_progress(self._progress)
        for unreadable in walk.unreadable:
            self._fail(unreadable.path, unreadable.reason)
        if not files and not self._failures:
            raise PathError(
                f"no audio file in {', '.join(map(repr, self._paths))}. Name a folder of music."
            )
        self._progress.summary.files = len(files) + len(self._failures)
        self._progress.is_walking = False
        self._on_progress(self._progress)
        return list(files.values())

    def _read(self, files: Sequence[FoundFile], pool: WorkerPool, jobs: int) -> None:
        todo = iter(files)
        found = next(todo, None)
        while found is not None or self._n_in_flight:
            # Enough to keep every worker busy while one result is kept.
            while found is not None and self._n_in_flight < 2 * jobs + 1:
                timeout_s = _SHORTEST_BOUND_S + found.size_bytes / _SLOWEST_BYTES_PER_S
                self._submit(pool, _Job(found), identify, timeout_s)
                found = next(todo, None)
            outcome = pool.next_outcome(timeout_s=0.1)
            if outcome is not None:
                self._n_in_flight -= 1
                self._advance(pool, outcome)
            self._on_progress(self._progress)

    def _submit(
        self, pool: WorkerPool, job: _Job, task: Callable[[str], Any], timeout_s: float
    ) -> None:
        pool.submit(job, task, job.found.path, timeout_s)
        self._n_in_flight += 1

    def _advance(self, pool: WorkerPool, outcome: Outcome) -> None:
        job, result = outcome.key, outcome.result
        if isinstance(result, AudioIdentity):
            job.identity = result
            job.key = self._results.key(job.found.path, result)
            self._settle(pool, job)
            return
        if job.identity is not None:
            del self._under_way[job.key]
        if isinstance(result, Failure):
            self._fail(job.found.path, result.reason)
        else:
            self.keys[job.found.path] = self._results.put(job.key, result)
            self._progress.summary.analysed += 1
            self._progress.music_s += result.duration_s
        # Where this file failed, one that holds the same recording may not.
        for copy in job.copies:
            self._settle(pool, copy)

    def _settle(self, pool: WorkerPool, job: _Job) -> None:
        """Take the result that there is, wait for one that is under way, or compute it."""
        assert job.identity is not None
        if self._results.has(job.key, job.identity):
            self.keys[job.found.path] = job.key
            self._progress.summary.unchanged += 1
        elif job.key in self._under_way:
            self._under_way[job.key].copies.append(job)
        else:
            self._under_way[job.key] = job
            timeout_s = max(_SHORTEST_BOUND_S, job.identity.duration_s / 20)
            self._submit(pool, job, self._results.task(job.key), timeout_s)

    def _fail(self, path: str, reason: str) -> None:
        self._failures.append(FailedFile(path, reason))
        self._progress.summary.failed += 1
