"""Progress on the standard error: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tonotope.library.summary import ScanProgress

__all__ = ["counting", "scanning"]

_LINE_INTERVAL_S = 10.0


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
        yield _PlainLines()
        return
    with _progress(console, TextColumn("{task.fields[speed]}")) as progress:
        task = progress.add_task("Looking for files", total=None, speed="")
        speed = _Speed()
        shown_failure: tuple[str, str] | None = None

        def show(scan: ScanProgress) -> None:
            nonlocal shown_failure
            if scan.last_failure is not None and scan.last_failure != shown_failure:
                shown_failure = scan.last_failure
                progress.console.print(_failure_line(shown_failure), markup=False, highlight=False)
            if scan.is_walking:
                progress.update(task, completed=scan.summary.files)
                return
            progress.update(
                task,
                description="Listening",
                total=scan.summary.files,
                completed=scan.n_done,
                speed=speed.describe(scan),
            )

        yield show


class _Speed:
    """How fast a scan is, over its whole time."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def describe(self, scan: ScanProgress) -> str:
        elapsed_s = max(time.monotonic() - self._started, 1e-3)
        words = [
            f"{scan.summary.analysed / elapsed_s:.1f} tracks/s",
            f"{scan.music_s / 60 / elapsed_s:.1f} h of music/min",
        ]
        if scan.summary.failed:
            words.append(f"{scan.summary.failed} failed")
        return ", ".join(words)

    def left(self, scan: ScanProgress) -> str:
        """Return the time left in words, from how long it took so far."""
        if not scan.n_done or scan.is_walking:
            return "time left unknown"
        elapsed_s = time.monotonic() - self._started
        left_s = elapsed_s / scan.n_done * (scan.summary.files - scan.n_done)
        return f"{left_s / 60:.0f} min left" if left_s >= 90 else f"{left_s:.0f} s left"


class _PlainLines:
    """A line every ten seconds, and one for each failure."""

    def __init__(self) -> None:
        self._speed = _Speed()
        self._last_line = time.monotonic()
        self._shown_failure: tuple[str, str] | None = None

    def __call__(self, scan: ScanProgress) -> None:
        if scan.last_failure is not None and scan.last_failure != self._shown_failure:
            self._shown_failure = scan.last_failure
            print(_failure_line(self._shown_failure), file=sys.stderr, flush=True)
        if time.monotonic() - self._last_line < _LINE_INTERVAL_S:
            return
        self._last_line = time.monotonic()
        line = f"{scan.n_done} of {scan.summary.files} files, {self._speed.describe(scan)}"
        print(f"{line}, {self._speed.left(scan)}", file=sys.stderr, flush=True)


def _failure_line(failure: tuple[str, str]) -> str:
    path, reason = failure
    return f"failed: {path}: {reason}"
