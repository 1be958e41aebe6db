"""What is shown while a scan runs: on a terminal, and where there is none."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn

from support.libraries import write
from tonotope.cli.progress import PlainLines, ProgressBar, describe_speed, describe_time_left
from tonotope.library.summary import ScanProgress, ScanSummary

HALFWAY = ScanProgress(
    ScanSummary(files=200, analysed=60, unchanged=30, moved=4, duplicates=3, failed=3),
    is_walking=False,
    music_s=60 * 240.0,
)
FAILURES = [("/m/a.mp3", "no audio stream"), ("/m/b\n.mp3", "truncated"), ("/m/c.mp3", "empty")]


def test_speed_counts_what_was_listened_to() -> None:
    # 60 tracks and 4 hours of music in 30 s.
    assert describe_speed(HALFWAY, 30.0) == "2.0 tracks/s, 8.0 h of music/min, 3 failed"
    assert describe_speed(ScanProgress(ScanSummary()), 0.0) == "0.0 tracks/s, 0.0 h of music/min"


def test_time_left_goes_by_all_that_is_done() -> None:
    assert describe_time_left(HALFWAY, 30.0) == "30 s left"
    assert describe_time_left(HALFWAY, 600.0) == "10 min left"
    assert describe_time_left(ScanProgress(ScanSummary(files=9)), 5.0) == "time left unknown"


def test_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    PlainLines(interval_s=0.0)(HALFWAY)
    line = capsys.readouterr().err
    assert re.fullmatch(
        r"100 of 200 files, \d+\.\d tracks/s, \d+\.\d h of music/min, 3 failed, 0 s left\n", line
    )


def test_plain_lines_keep_their_interval(capsys: pytest.CaptureFixture[str]) -> None:
    show = PlainLines(interval_s=1000.0)
    show(HALFWAY)
    assert capsys.readouterr().err == ""


def grow(scan: ScanProgress, show: Callable[[ScanProgress], None]) -> None:
    """Show a scan that fails once, then not, then twice between two calls, then not again."""
    for failures in ([FAILURES[0]], [], FAILURES[1:], []):
        scan.failures.extend(failures)
        show(scan)


SHOWN = [
    "failed: /m/a.mp3: no audio stream",
    "failed: /m/b\\n.mp3: truncated",
    "failed: /m/c.mp3: empty",
]


def test_each_failure_is_a_plain_line_once(capsys: pytest.CaptureFixture[str]) -> None:
    grow(ScanProgress(ScanSummary()), PlainLines())
    assert capsys.readouterr().err.splitlines() == SHOWN


def bar(width: int = 100) -> tuple[Progress, io.StringIO]:
    written = io.StringIO()
    progress = Progress(
        TextColumn("{task.description}"),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        console=Console(file=written, width=width),
    )
    return progress, written


def test_each_failure_stands_above_the_bar_once_and_unbroken() -> None:
    progress, written = bar(width=20)
    grow(ScanProgress(ScanSummary()), ProgressBar(progress))
    assert written.getvalue().splitlines() == SHOWN


def test_the_bar_follows_the_scan() -> None:
    progress, _ = bar()
    show = ProgressBar(progress)
    show(ScanProgress(ScanSummary(files=512)))
    (task,) = progress.tasks
    assert (task.description, task.completed, task.total) == ("Looking for files", 512, None)
    show(HALFWAY)
    assert (task.description, task.completed, task.total) == ("Listening", 100, 200)
    assert "tracks/s" in task.fields["speed"]


@pytest.fixture
def music(tmp_path: Path) -> Path:
    for number in range(3):
        write(tmp_path / "music" / f"{number}.flac", seed=number)
    (tmp_path / "music" / "\x1b[2Jx\ny.mp3").write_text("no music")
    return tmp_path / "music"


def test_a_scan_on_a_terminal(music: Path, tmp_path: Path) -> None:
    terminal, end = os.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    process = subprocess.Popen(
        [sys.executable, "-m", "tonotope", "scan", music, "--library", tmp_path / "l.db"],
        stdout=subprocess.PIPE,
        stderr=end,
        env=environment,
    )
    os.close(end)
    shown = b""
    while True:
        try:
            shown += os.read(terminal, 4096)
        except OSError:  # how a terminal ends on Linux
            break
        if process.poll() is not None and sys.platform != "linux":
            break
    os.close(terminal)
    stdout, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert stdout.startswith(b"4 files: 3 analysed, 1 failed; ")
    assert b"Listening" in shown
    assert re.search(rb"[1-4]/4", shown)
    assert b"h of music/min" in shown
    assert shown.count(b"failed: ") == 1
    assert rb"\x1b[2Jx\ny.mp3" in shown
    assert b"\x1b[2J" not in shown


def test_a_scan_without_a_terminal_shows_failures_only(
    tonotope: Callable[..., subprocess.CompletedProcess[str]], music: Path, tmp_path: Path
) -> None:
    done = tonotope("scan", music, "--library", tmp_path / "l.db")
    (line,) = done.stderr.splitlines()
    assert line.startswith(rf"failed: {music}/\x1b[2Jx\ny.mp3: ")
