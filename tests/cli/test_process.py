"""What the command makes of streams that are closed or full, and of signals."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from support.libraries import write

TONOTOPE = [sys.executable, "-m", "tonotope"]
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("process") / "music"
    for number in range(40):
        write(folder / f"{number:02d}.flac", seed=number, seconds=60)
    return folder


@pytest.fixture
def few(tmp_path: Path) -> Path:
    write(tmp_path / "few" / "a.flac", seed=1)
    return tmp_path / "few"


def shell(words: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command in a shell; `words` says how, with "$@" as its words."""
    return subprocess.run(
        ["bash", "-c", words, "bash", *TONOTOPE, *map(os.fspath, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        # Unbuffered, nothing would be left to fail when the command ends.
        env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
    )


# Streams


def test_a_closed_standard_output(few: Path, tmp_path: Path) -> None:
    library = tmp_path / "l.db"
    scanned = shell('"$@" >&-', "scan", few, "--library", library)
    assert (scanned.returncode, scanned.stderr) == (0, "")
    asked = shell('"$@" >&-', "status", "--library", library)
    assert (asked.returncode, asked.stderr) == (0, "")


@pytest.mark.parametrize("closed", ["2>&-", "<&- 2>&-"])
def test_a_closed_standard_error(few: Path, tmp_path: Path, closed: str) -> None:
    done = shell(f'"$@" {closed}', "scan", few, "--library", tmp_path / "l.db")
    assert done.returncode == 0
    assert done.stdout.startswith("1 file: 1 analysed; ")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("words", [["--help"], ["failures", "--json"], ["genre", "a.flac"]])
def test_a_full_disk_is_one_line(few: Path, tmp_path: Path, words: list[str]) -> None:
    library = tmp_path / "l.db"
    assert shell('"$@"', "scan", few, "--library", library).returncode == 0
    words = [str(few / word) if word == "a.flac" else word for word in words]
    if words[0] == "failures":
        words += ["--library", str(library)]
    done = shell('"$@" >/dev/full', *words)
    assert done.stderr == "tonotope: cannot write the output: No space left on device\n"
    assert done.returncode == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_complaint_that_cannot_be_written_keeps_its_status() -> None:
    done = shell('"$@" 2>/dev/full', "sing")
    assert (done.returncode, done.stdout) == (2, "")


# Signals


def wait_for_a_track(library: Path) -> None:
    deadline = time.monotonic() + 60
    while n_files(library) == 0:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def n_files(library: Path) -> int:
    if not library.exists():
        return 0
    try:
        with closing(sqlite3.connect(f"file:{library}?mode=ro", uri=True)) as connection:
            return int(connection.execute("SELECT count(*) FROM files").fetchone()[0])
    except sqlite3.OperationalError:
        return 0  # it is being made


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)]
)
def test_a_signal_ends_a_scan_and_keeps_what_is_finished(
    start_scan: Start, music: Path, tmp_path: Path, number: int, status: int
) -> None:
    library = tmp_path / "l.db"
    process = start_scan(music, "--library", library, "--jobs", "1")
    wait_for_a_track(library)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=20)
    assert process.returncode == status
    assert stderr.startswith("tonotope: interrupted; ")
    assert len(stderr.splitlines()) == 1
    assert 0 < n_files(library) < 40


def test_ctrl_c_again_and_again_is_quiet(start_scan: Start, music: Path, tmp_path: Path) -> None:
    library = tmp_path / "l.db"
    process = start_scan(music, "--library", library, "--jobs", "2")
    wait_for_a_track(library)
    # Until it may be in Python's own end, where a signal is one again.
    for _ in range(10):
        process.send_signal(signal.SIGINT)
        time.sleep(0.01)
    _, stderr = process.communicate(timeout=20)
    # In Python's own end a signal kills; to a shell that is 130 too.
    assert process.returncode in (130, -signal.SIGINT)
    assert stderr.startswith("tonotope: interrupted; ")
    assert len(stderr.splitlines()) == 1


def interrupt_while_importing(module: str, times: int = 1) -> str:
    """Return a program that is the command and is interrupted as it imports a module."""
    return f"""
import os, signal, sys

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            for _ in range({times}):
                os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
sys.argv = ["tonotope", "status", "--library", "/nowhere"]
from tonotope.cli import main
main()
"""


@pytest.mark.parametrize("module", ["cyclopts", "tonotope.session"])
def test_ctrl_c_while_importing_is_quiet(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", interrupt_while_importing(module, times=3)],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.fixture
def ignored_hangup() -> Iterator[None]:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGHUP, before)


def test_under_nohup_a_hangup_ends_nothing(
    ignored_hangup: None, start_scan: Start, music: Path, tmp_path: Path
) -> None:
    library = tmp_path / "l.db"
    process = start_scan(music, "--library", library)
    wait_for_a_track(library)
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert n_files(library) == 40
