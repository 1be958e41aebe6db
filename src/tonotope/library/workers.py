"""The pool of worker processes, as the scanner uses it: jobs go in, outcomes come out."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from functools import partial
from multiprocessing import resource_tracker
from types import TracebackType
from typing import Any, Self

from pebble import CONSTS, ProcessExpired, ProcessPool

from tonotope.errors import DecodeError
from tonotope.library.worker import OUT_OF_MEMORY_STATUS, start_worker

__all__ = ["MEMORY_BYTES", "Failure", "Outcome", "WorkerPool", "default_jobs"]

# How long a worker may take to end by itself before it is killed: Ctrl-C answers within 2 s.
CONSTS.term_timeout = 0.5

# A track needs about 250 MB. What needs four times as much is no music.
MEMORY_BYTES = 1 << 30

# Every worker keeps one core busy; the libraries underneath must not each start a thread per core.
_THREAD_SETTINGS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


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


class WorkerPool:
    """Runs jobs in processes, each with a bound on its time and its memory.

    A worker that dies, hangs or grows beyond bounds costs the one job it was at.

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
        self._memory_bytes = memory_bytes
        self._outcomes: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        self._pool = ProcessPool(
            max_workers=jobs,
            initializer=start_worker,
            initargs=(memory_bytes, nice),
            context=multiprocessing.get_context("spawn"),
        )
        for name in _THREAD_SETTINGS:
            os.environ.setdefault(name, "1")
        # Its start would take back the mask that `submit` sets.
        resource_tracker.ensure_running()
        self._started = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._started:
            self._pool.stop()  # type: ignore[no-untyped-call]
            self._pool.join()

    def submit(self, key: Any, task: Callable[[str], Any], path: str, timeout_s: float) -> None:
        """Start a job; its outcome will carry `key`."""
        # Ctrl-C goes to the whole process group. Threads and processes inherit the mask, so that
        # only this process hears it, also while a worker is still importing.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            future = self._pool.schedule(task, args=(path,), timeout=timeout_s)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        self._started = True
        future.add_done_callback(partial(self._on_done, key, timeout_s))

    def next_outcome(self, timeout_s: float) -> Outcome | None:
        """Return the next outcome, or None when none came in that time."""
        try:
            return self._outcomes.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def _on_done(self, key: Any, timeout_s: float, future: Future[Any]) -> None:
        try:
            result = future.result()
        except CancelledError:
            return
        except BaseException as error:  # whatever a worker raised is that file's outcome
            result = self._failure(error, timeout_s)
        self._outcomes.put(Outcome(key, result))

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
