"""Progress on the standard error: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tonotope.cli.output import printable
from tonotope.library.summary import ScanProgress

__all__ = [
    "PlainLines",
    "ProgressBar",
    "counting",
    "describe_speed",
    "describe_time_left",
    "scanning",
]


def _progress(console: Console, *columns: TextColumn) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=16),  # all of it fits into 80 columns
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        *columns,
        console=console,
        transient=True,
    )


@contextmanager
def counting(what: str) -> Iterator[Callable[[int, int], None]]:
    """Give a function that is called with how many of how many are done."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda done, total: None
        return
    with _progress(console) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


@contextmanager
def scanning() -> Iterator[Callable[[ScanProgress], None]]:
    """Give a function that is called with how far a scan has come."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield PlainLines()
        return
    with _progress(console, TextColumn("{task.fields[speed]}")) as progress:
        yield ProgressBar(progress)


class ProgressBar:
    """A bar, and above it a line for each failure.

    Parameters
    ----------
    progress
        What draws it; one of its columns shows the field `speed`.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("Looking for files", total=None, speed="")
        self._started = time.monotonic()
        self._n_failures_shown = 0

    def __call__(self, scan: ScanProgress) -> None:
        """Show how far a scan has come."""
        for line in _failure_lines(scan, self._n_failures_shown):
            self._progress.console.print(line, markup=False, highlight=False, soft_wrap=True)
        self._n_failures_shown = len(scan.failures)
        if scan.is_walking:
            self._progress.update(self._task, completed=scan.summary.files)
            return
        self._progress.update(
            self._task,
            description="Listening",
            total=scan.summary.files,
            completed=scan.n_done,
            speed=describe_speed(scan, time.monotonic() - self._started),
        )


class PlainLines:
    """A line every some seconds, and one for each failure.

    Parameters
    ----------
    interval_s
        How long between two lines, at least.
    """

    def __init__(self, interval_s: float = 10.0) -> None:
        self._interval_s = interval_s
        self._started = self._last_line = time.monotonic()
        self._n_failures_shown = 0

    def __call__(self, scan: ScanProgress) -> None:
        """Show how far a scan has come."""
        for line in _failure_lines(scan, self._n_failures_shown):
            print(line, file=sys.stderr, flush=True)
        self._n_failures_shown = len(scan.failures)
        now = time.monotonic()
        if now - self._last_line < self._interval_s:
            return
        self._last_line = now
        words = [
            f"{scan.n_done} of {scan.summary.files} files",
            describe_speed(scan, now - self._started),
            describe_time_left(scan, now - self._started),
        ]
        print(", ".join(words), file=sys.stderr, flush=True)


def describe_speed(scan: ScanProgress, elapsed_s: float) -> str:
    """Return how fast a scan is, over its whole time, and how many files failed so far."""
    elapsed_s = max(elapsed_s, 1e-3)
    words = [
        f"{scan.summary.analysed / elapsed_s:.1f} tracks/s",
        f"{scan.music_s / 60 / elapsed_s:.1f} h of music/min",
    ]
    if scan.summary.failed:
        words.append(f"{scan.summary.failed} failed")
    return ", ".join(words)


def describe_time_left(scan: ScanProgress, elapsed_s: float) -> str:
    """Return how long a scan will still take, judged by how long it took so far."""
    if not scan.n_done or scan.is_walking:
        return "time left unknown"
    left_s = elapsed_s / scan.n_done * (scan.summary.files - scan.n_done)
    return f"{left_s / 60:.0f} min left" if left_s >= 90 else f"{left_s:.0f} s left"


def _failure_lines(scan: ScanProgress, n_shown: int) -> list[str]:
    return [printable(f"failed: {path}: {reason}") for path, reason in scan.failures[n_shown:]]
