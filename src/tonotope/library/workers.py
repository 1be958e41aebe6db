"""The pool of worker processes, as the scanner uses it: jobs go in, outcomes come out."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from multiprocessing import resource_tracker
from types import TracebackType
from typing import Any, Self

from pebble import CONSTS, ProcessExpired, ProcessPool

from tonotope.errors import DecodeError, LibraryError
from tonotope.library.worker import OUT_OF_MEMORY_STATUS, start_worker

__all__ = ["MEMORY_BYTES", "Failure", "Outcome", "WorkerPool", "default_jobs"]

# A track needs about 250 MB. What needs four times as much is no music.
MEMORY_BYTES = 1 << 30

# How long a worker may take to end by itself before it is killed: Ctrl-C answers within 2 s.
_TERM_TIMEOUT_S = 0.5

# Every worker keeps one core busy; the libraries underneath must not each start a thread per core.
_THREAD_SETTINGS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

# Whoever polls ten times a second and finds this much time gone was stopped, or slept.
_PAUSE_S = 5.0
_MOST_REVIVALS = 3


def default_jobs() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a file gave nothing, and what can be done about it."""

    reason: str
    next_step: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a job: its result, or why there is none."""

    key: Any
    result: Any | Failure


@dataclass(slots=True)
class _Task:
    key: Any
    function: Callable[[str], Any]
    path: str
    timeout_s: float
    started: float = 0.0
    is_second_try: bool = False


class WorkerPool:
    """Runs jobs in processes, each with a bound on its time and its memory.

    A worker that dies, hangs or grows beyond bounds costs the one job it was at; one that dies
    between two jobs costs nothing.

    Parameters
    ----------
    jobs
        How many processes.
    nice
        How much they give way to others.
    memory_bytes
        How much memory one may hold.
    """

    def __init__(self, jobs: int, nice: int = 0, memory_bytes: int = MEMORY_BYTES) -> None:
        self._jobs = jobs
        self._nice = nice
        self._memory_bytes = memory_bytes
        self._done: queue.SimpleQueue[tuple[_Task, ProcessPool, Future[Any]]] = queue.SimpleQueue()
        self._pool: ProcessPool | None = None
        self._n_revivals = 0
        self._last_poll = time.time()
        self._last_pause = 0.0
        self._environment = {name: os.environ.get(name) for name in _THREAD_SETTINGS}

    def __enter__(self) -> Self:
        for name in _THREAD_SETTINGS:
            os.environ.setdefault(name, "1")
        CONSTS.term_timeout = _TERM_TIMEOUT_S
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop()
        for name, value in self._environment.items():
            if value is None:
                os.environ.pop(name, None)

    def submit(self, key: Any, function: Callable[[str], Any], path: str, timeout_s: float) -> None:
        """Start a job; its outcome will carry `key`.

        Raises
        ------
        LibraryError
            If no process can be started.
        """
        self._start(_Task(key, function, path, timeout_s))

    def next_outcome(self, timeout_s: float) -> Outcome | None:
        """Return the next outcome, or None when none came in that time.

        Raises
        ------
        LibraryError
            If the processes die as soon as they start.
        """
        now = time.time()
        if now - self._last_poll > _PAUSE_S:
            self._last_pause = now
        self._last_poll = now
        try:
            task, pool, future = self._done.get(timeout=timeout_s)
        except queue.Empty:
            return None
        try:
            result = future.result()
        except CancelledError:
            return None
        except KeyboardInterrupt:
            raise  # meant for this process, and not what a worker raised
        except BrokenProcessPool as error:
            # A worker died before or between its jobs: whatever was under way is not to blame.
            if pool is self._pool:
                self._revive(error)
            self._start(task)
            return None
        except BaseException as error:  # whatever a worker raised is that file's outcome
            if self._was_paused(task, error):
                task.is_second_try = True
                self._start(task)
                return None
            result = self._failure(error, task.timeout_s)
        self._n_revivals = 0
        return Outcome(task.key, result)

    def _start(self, task: _Task) -> None:
        # This process's own start would take back the mask that is set below.
        resource_tracker.ensure_running()
        # Ctrl-C goes to the whole process group. Threads and processes inherit the mask, so that
        # only this process hears it, also while a worker is still importing.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            while True:
                pool = self._pool or self._new_pool()
                task.started = time.time()
                try:
                    future = pool.schedule(task.function, args=(task.path,), timeout=task.timeout_s)
                    break
                except (RuntimeError, OSError) as error:
                    self._revive(error)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        future.add_done_callback(partial(self._on_done, task, pool))

    def _on_done(self, task: _Task, pool: ProcessPool, future: Future[Any]) -> None:
        self._done.put((task, pool, future))

    def _new_pool(self) -> ProcessPool:
        self._pool = ProcessPool(
            max_workers=self._jobs,
            initializer=start_worker,
            initargs=(self._memory_bytes, self._nice),
            context=multiprocessing.get_context("spawn"),
        )
        return self._pool

    def _revive(self, error: Exception) -> None:
        """Put a new pool in the place of one that broke; give up if it breaks again and again."""
        self._n_revivals += 1
        self._stop()
        if self._n_revivals > _MOST_REVIVALS:
            raise LibraryError(
                f"cannot run worker processes: {error}. Use fewer --jobs; in a script of your own, "
                'scan under `if __name__ == "__main__":`.'
            ) from error

    def _stop(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.stop()  # type: ignore[no-untyped-call]
            pool.join()

    def _was_paused(self, task: _Task, error: BaseException) -> bool:
        """Whether a job ran out of time because this machine or process stood still meanwhile."""
        timed_out = isinstance(error, TimeoutError)
        return timed_out and task.started < self._last_pause and not task.is_second_try

    def _failure(self, error: BaseException, timeout_s: float) -> Failure:
        if isinstance(error, DecodeError):
            return Failure(error.reason, error.next_step)
        if isinstance(error, TimeoutError):
            return Failure(
                f"not done after {timeout_s:.0f} s",
                "Check the file; then scan with --retry-failed.",
            )
        if isinstance(error, MemoryError) or (
            isinstance(error, ProcessExpired) and error.exitcode == OUT_OF_MEMORY_STATUS
        ):
            megabytes = self._memory_bytes >> 20
            return Failure(f"needs more than {megabytes} MB of memory", "Check that it is music.")
        if isinstance(error, ProcessExpired):
            return Failure(
                f"its worker process died (status {error.exitcode})",
                "Scan with --retry-failed; if it dies again, report the file.",
            )
        return Failure(
            f"{type(error).__name__}: {error}".partition("\n")[0], "Report this with the file."
        )
