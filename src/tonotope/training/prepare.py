"""From audio to a spectrogram cache: each clip in a worker process, once.

As in a scan, whatever a file does costs that file alone, and what was finished is kept whatever
ends the run.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path

from tonotope.audio import AudioIdentity
from tonotope.errors import InputError, PathError
from tonotope.extraction.run import FailedFile
from tonotope.library.summary import ScanProgress, ScanSummary
from tonotope.library.workers import Failure, Outcome, WorkerPool, default_jobs
from tonotope.models.frontend import N_COLUMNS
from tonotope.training.cache import CLIPS_FILE, MEL_FILE
from tonotope.training.cache_writing import ABOUT_FILE, CacheWriter, HeldRows
from tonotope.training.clip_rows import ClipRows, identity_of, rows_of
from tonotope.training.clips import Clip
from tonotope.training.datasets import ClipList, dataset, library_clips
from tonotope.training.stores import is_remote, outline, state_of, upload, working_folder

__all__ = ["PrepareSummary", "prepare"]

LIBRARY = "library"
"""The name of the data set that a library's own tracks are."""

_MOST_JOBS = 256
_MOST_WINDOWS = 1000
# Goes up when other rows are made of the same recording.
_VERSION = "gtzan-mel-2"

# A worker decodes some hundred seconds of music in one; nothing has less than this a second.
_BOUND_S = 120.0
_SLOWEST_BYTES_PER_S = 2e5


@dataclass(frozen=True, slots=True)
class PrepareSummary:
    """What was done.

    Attributes
    ----------
    dataset
        Its name.
    clips
        How many files are in the cache: `computed` and `kept` together.
    rows
        How many rows it has.
    computed
        Files that were listened to in this run.
    kept
        Files of which there were rows, also under another name.
    failed
        Files that gave nothing.
    out
        The cache; see `clips` for whether anything was written.
    seconds
        How long it took.
    problems
        What is wrong with the data set, a line each.
    failures
        What failed, by path.
    """

    dataset: str
    clips: int
    rows: int
    computed: int
    kept: int
    failed: int
    out: str
    seconds: float
    problems: list[str]
    failures: list[FailedFile]


@dataclass(slots=True)
class _Job:
    """A clip on its way."""

    clip: Clip
    state: str


def prepare(
    name: str,
    root: str | None,
    out: str,
    *,
    windows: int = 1,
    label: str = "genre",
    library: Path | None = None,
    jobs: int | None = None,
    nice: int = 0,
    on_progress: Callable[[ScanProgress], None] | None = None,
) -> PrepareSummary:
    """Make a spectrogram cache of a data set, or bring it up to date.

    Each file is listened to in a worker process. What is in the cache already is kept: of files
    with the same size and modification time, and of recordings (known by their encoded packets)
    that were made by this version. Afterwards it has exactly the clips of the data set that could
    be heard, in the data set's order.

    Needs room on the disk for the cache twice.

    Parameters
    ----------
    name
        One of `tonotope.training.datasets.DATASETS`, or ``"library"`` for a library's own tracks.
    root
        The folder the data set lies in, or its URL; None for a library.
    out
        The cache's folder, made where there is none, or a URL, where it is copied to when complete.
    windows
        How many windows of 30 s a track of over 31 s gives at most.
    label, library
        For a library: the tag that is the genre, and where it is; by default the user's own.
    jobs
        How many processes listen; as many as there are cores by default.
    nice
        How much these give way to other programs, 0 to 19.
    on_progress
        Called several times a second.

    Raises
    ------
    InputError
        If there is no such data set, or a number is out of its range.
    PathError
        If there is nothing of the data set in `root`, or the cache cannot be written, is being
        written by another run, or is something else.
    LibraryError
        If no worker process can be started, or the library cannot be opened.
    KeyboardInterrupt
        Passed on; what was finished is kept.
    """
    jobs = default_jobs() if jobs is None else jobs
    _check(name, root, windows, jobs, nice)
    started = time.monotonic()
    with ExitStack() as stack:
        found, states = _found(stack, name, root, label, library)
        # pathlib's own fails on "~nobody".
        here = Path(os.path.abspath(os.path.expanduser(out)))  # noqa: PTH100, PTH111
        folder = working_folder(out) if is_remote(out) else here
        versions = {_version(windows), _version(None)}
        with CacheWriter(folder, out, _about(name, windows), versions) as writer:
            run = _Run(found.clips, states, writer, windows, on_progress)
            run.execute(jobs, nice)
            n_rows = writer.finish(run.made) if run.made else 0
        if run.made and is_remote(out):
            upload(folder, out, (ABOUT_FILE, MEL_FILE, CLIPS_FILE))
    done = run.progress.summary
    return PrepareSummary(
        dataset=name,
        clips=len(run.made),
        rows=n_rows,
        computed=done.analysed,
        kept=done.unchanged,
        failed=len(run.failures),
        out=out,
        seconds=round(time.monotonic() - started, 3),
        problems=list(found.problems),
        failures=sorted(run.failures, key=lambda failed: failed.path),
    )


def _check(name: str, root: str | None, windows: int, jobs: int, nice: int) -> None:
    if name == LIBRARY and root is not None:
        raise InputError("a library knows its folders. Leave out --root, or name it --library.")
    if name != LIBRARY:
        dataset(name)
        if root is None:
            raise InputError(f"where is {name}? Name its folder with --root.")
    if not 1 <= windows <= _MOST_WINDOWS:
        raise InputError(f"cannot take {windows} windows. Use --windows with 1 to {_MOST_WINDOWS}.")
    if not 1 <= jobs <= _MOST_JOBS:
        raise InputError(f"cannot use {jobs} processes. Use --jobs with 1 to {_MOST_JOBS}.")
    if not 0 <= nice <= 19:
        raise InputError(f"cannot be {nice} nice. Use --nice with 0 to 19.")


def _found(
    stack: ExitStack, name: str, root: str | None, label: str, library: Path | None
) -> tuple[ClipList, dict[str, str]]:
    """Return a data set's clips, with URLs for paths where it is remote, and their files' states.

    There are no states of files of this machine: they are looked at when their turn comes.
    """
    if root is None:
        return library_clips(library, label), {}
    if not is_remote(root):
        return dataset(name).clips(Path(root)), {}
    outlined = stack.enter_context(outline(root))
    try:
        found = dataset(name).clips(outlined.folder)
    except PathError as error:
        raise PathError(str(error).replace(str(outlined.folder), outlined.url)) from error
    clips = [replace(clip, path=outlined.url_of(clip.path)) for clip in found.clips]
    problems = [line.replace(str(outlined.folder), outlined.url) for line in found.problems]
    return ClipList(tuple(clips), tuple(problems)), outlined.states


def _about(name: str, windows: int) -> dict[str, str | int]:
    return {
        "dataset": name,
        "representation": "gtzan-mel",
        "n_columns": N_COLUMNS,
        "windows": windows,
        "made_by": f"tonotope {version('tonotope')}",
        "date": datetime.now(UTC).date().isoformat(),
    }


def _version(windows: int | None) -> str:
    """Return what makes rows; None for a recording that gives one row in any case."""
    return _VERSION if windows is None else f"{_VERSION} windows={windows}"


class _Run:
    """A run over the clips of a data set.

    Attributes
    ----------
    made
        Each clip that could be heard, with its file's state and rows, in the order of `clips`.
    failures
        The others.
    """

    def __init__(
        self,
        clips: Sequence[Clip],
        states: dict[str, str],
        writer: CacheWriter,
        windows: int,
        on_progress: Callable[[ScanProgress], None] | None,
    ) -> None:
        self.failures: list[FailedFile] = []
        self.progress = ScanProgress(ScanSummary(files=len(clips)), is_walking=False)
        self._clips = clips
        self._states = states
        self._writer = writer
        self._windows = windows
        self._on_progress = on_progress or (lambda progress: None)
        self._made: dict[str, tuple[Clip, str, HeldRows]] = {}
        self._n_in_flight = 0

    @property
    def made(self) -> list[tuple[Clip, str, HeldRows]]:
        return [self._made[clip.name] for clip in self._clips if clip.name in self._made]

    def execute(self, jobs: int, nice: int) -> None:
        """See to it that each clip has its rows, or is among the failures."""
        # What there is of moved files saves decoding; where there is nothing, nothing is hashed.
        identify_first = self._writer.has_rows
        with WorkerPool(max(1, min(jobs, len(self._clips))), nice) as pool:
            todo = iter(self._clips)
            clip = next(todo, None)
            while clip is not None or self._n_in_flight:
                # Enough to keep every worker busy while one result is kept.
                while clip is not None and self._n_in_flight < 2 * jobs + 1:
                    self._begin(pool, clip, identify_first)
                    clip = next(todo, None)
                outcome = pool.next_outcome(timeout_s=0.1) if self._n_in_flight else None
                if outcome is not None:
                    self._n_in_flight -= 1
                    self._advance(pool, outcome)
                self._on_progress(self.progress)

    def _begin(self, pool: WorkerPool, clip: Clip, identify_first: bool) -> None:
        try:
            state = self._states[clip.path] if clip.path in self._states else state_of(clip.path)
        except OSError as error:
            self._fail(clip, error.strerror or type(error).__name__)
            return
        held = self._writer.kept(clip.path, state)
        job = _Job(clip, state)
        if held is not None:
            self._keep(job, held)
        elif identify_first:
            self._submit(pool, job, identity_of)
        else:
            self._submit(pool, job, partial(rows_of, windows=self._windows))

    def _submit(self, pool: WorkerPool, job: _Job, task: Callable[[str], object]) -> None:
        size_bytes = int(job.state.partition(" ")[0])
        pool.submit(job, task, job.clip.path, _BOUND_S + size_bytes / _SLOWEST_BYTES_PER_S)
        self._n_in_flight += 1

    def _advance(self, pool: WorkerPool, outcome: Outcome) -> None:
        job, result = outcome.key, outcome.result
        if isinstance(result, AudioIdentity):
            held = self._writer.same(result.audio_id)
            if held is not None:
                self._keep(job, held)
            else:
                self._submit(pool, job, partial(rows_of, windows=self._windows))
        elif isinstance(result, ClipRows):
            made_by = _version(None if result.is_whole else self._windows)
            held = self._writer.append(job.clip.path, job.state, made_by, result)
            self._made[job.clip.name] = (job.clip, job.state, held)
            self.progress.summary.analysed += 1
            self.progress.music_s += result.duration_s
        else:
            assert isinstance(result, Failure)
            self._fail(job.clip, result.reason)

    def _keep(self, job: _Job, held: HeldRows) -> None:
        self._made[job.clip.name] = (job.clip, job.state, held)
        self.progress.summary.unchanged += 1

    def _fail(self, clip: Clip, reason: str) -> None:
        self.failures.append(FailedFile(clip.path or clip.name, reason))
        self.progress.summary.failed += 1
