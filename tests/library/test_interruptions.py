"""Scans that are stopped, killed, robbed of a worker, or started twice."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from subprocess import CompletedProcess, Popen

import pytest
import soundfile

from support.libraries import alter, contents, retag, sound, write

Run = Callable[..., CompletedProcess[str]]
Start = Callable[..., Popen[str]]

N_FILES = 30


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of 30 tracks, two of them copies, and two that give nothing."""
    folder = tmp_path_factory.mktemp("interrupted") / "music"
    for number in range(N_FILES - 2):
        suffix = ("mp3", "flac", "ogg", "wav")[number % 4]
        write(folder / f"{number % 5}" / f"{number}.{suffix}", seed=number, seconds=90 + number % 5)
    retag(folder / "0" / "0.mp3", title="A title")
    shutil.copy(folder / "0" / "0.mp3", folder / "copy.mp3")
    shutil.copy(folder / "1" / "1.flac", folder / "copy.flac")
    (folder / "words.mp3").write_text("no music " * 1000)
    (folder / "empty.wav").write_bytes(b"")
    return folder


@pytest.fixture(scope="module")
def undisturbed(
    tonotope: Run, music: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[tuple]]:
    library = tmp_path_factory.mktemp("undisturbed") / "l.db"
    tonotope("scan", music, "--library", library)
    held = contents(library)
    assert (len(held["tracks"]), len(held["files"]), len(held["failures"])) == (28, 30, 2)
    return held


@pytest.fixture(scope="module")
def scan_s(
    tonotope: Run, music: Path, undisturbed: dict, tmp_path_factory: pytest.TempPathFactory
) -> float:
    """Return how long a scan takes on this machine, once the files are in its cache."""
    started = time.monotonic()
    tonotope("scan", music, "--library", tmp_path_factory.mktemp("timed") / "l.db")
    return time.monotonic() - started


def n_files(library: Path) -> int:
    if not library.exists():
        return 0
    with closing(sqlite3.connect(library)) as connection:
        try:
            return int(connection.execute("SELECT count(*) FROM files").fetchone()[0])
        except sqlite3.OperationalError:
            return 0  # not even its tables are there yet


def processes_of(group: int) -> list[int]:
    listed = subprocess.run(["ps", "-eo", "pid=,pgid=,stat="], capture_output=True, text=True)
    rows = [line.split() for line in listed.stdout.splitlines()]
    return [int(pid) for pid, pgid, stat in rows if int(pgid) == group and stat[0] != "Z"]


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    for _ in range(int(seconds / 0.02)):
        if condition():
            return
        time.sleep(0.02)
    pytest.fail("what was waited for did not happen")


def test_twenty_kills(
    start_scan: Start,
    tonotope: Run,
    music: Path,
    undisturbed: dict,
    scan_s: float,
    tmp_path: Path,
) -> None:
    moments = random.Random(20)
    held_when_killed, outcomes = [], []
    for round_ in range(4):
        library = tmp_path / f"{round_}.db"
        for kill in range(5):
            process = start_scan(music, "--library", library)
            # The first of a round in the middle of the work, the others at any moment.
            earliest, latest = (0.05, 1.1) if kill else (0.3, 0.8)
            time.sleep(moments.uniform(earliest, latest) * scan_s)
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            # The workers find out by themselves that nobody waits for them any more.
            wait_until(lambda group=process.pid: not processes_of(group), seconds=10)
            held_when_killed.append(n_files(library))
        assert tonotope("scan", music, "--library", library).returncode == 0
        assert contents(library) == undisturbed
        with closing(sqlite3.connect(library)) as connection:
            outcomes += [row[0] for row in connection.execute("SELECT outcome FROM scans")]
        assert outcomes[-1] == "finished"
    # A scan that ended before its kill has finished; none is left "running".
    assert set(outcomes) == {"killed", "finished"}
    # Not all kills came before the first result, nor all after the last.
    assert any(0 < n < N_FILES for n in held_when_killed), held_when_killed


def test_kills_while_files_move_and_change(
    start_scan: Start, tonotope: Run, music: Path, scan_s: float, tmp_path: Path
) -> None:
    folder, library, reference = tmp_path / "music", tmp_path / "l.db", tmp_path / "reference.db"
    shutil.copytree(music, folder)
    assert tonotope("scan", folder, "--library", library).returncode == 0
    (folder / "1").rename(folder / "renamed")
    (folder / "2" / "2.ogg").unlink()
    retag(folder / "0" / "0.mp3", title="Another title")
    shutil.copy(folder / "3" / "3.wav", folder / "another copy.wav")
    write(folder / "words.mp3", seed=90, seconds=30)
    for number in range(6):
        write(folder / "new" / f"{number}.flac", seed=100 + number, seconds=40)
    shutil.copy(library, reference)
    assert tonotope("scan", folder, "--library", reference).returncode == 0
    moments = random.Random(5)
    for _ in range(6):
        process = start_scan(folder, "--library", library)
        time.sleep(moments.uniform(0.1, 0.8) * scan_s)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        wait_until(lambda group=process.pid: not processes_of(group), seconds=10)
    assert tonotope("scan", folder, "--library", library).returncode == 0
    assert contents(library) == contents(reference)


def test_kills_while_one_family_is_computed_anew(
    start_scan: Start,
    tonotope: Run,
    music: Path,
    undisturbed: dict,
    scan_s: float,
    tmp_path: Path,
) -> None:
    library = tmp_path / "l.db"
    assert tonotope("scan", music, "--library", library).returncode == 0
    alter(library, "UPDATE family_rows SET version = 0, numbers = x'' WHERE family = 'harmony'")
    alter(library, "UPDATE tracks SET embedding = x'01'")
    moments = random.Random(3)
    for _ in range(4):
        process = start_scan(music, "--library", library)
        time.sleep(moments.uniform(0.2, 0.7) * scan_s)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        wait_until(lambda group=process.pid: not processes_of(group), seconds=10)
    assert tonotope("scan", music, "--library", library).returncode == 0
    held = contents(library)
    assert held["family_rows"] == undisturbed["family_rows"]
    assert {track[-1] for track in held["tracks"]} == {b"\x01"}


def test_ctrl_c_keeps_what_is_finished_and_says_how_to_go_on(
    start_scan: Start, tonotope: Run, music: Path, undisturbed: dict, tmp_path: Path
) -> None:
    library = tmp_path / "l.db"
    process = start_scan(music, "--library", library, "--jobs", "1")
    wait_until(lambda: n_files(library) > 0)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of them
    _, stderr = process.communicate(timeout=20)
    assert process.returncode == 130
    (line,) = [line for line in stderr.splitlines() if not line.startswith("failed:")]
    kept = n_files(library)
    assert 0 < kept < N_FILES
    assert line.startswith("tonotope: interrupted; ")
    assert line.endswith("Run the same command to go on.")
    # Python's own tracker of resources ends a moment after the process that started it.
    wait_until(lambda: not processes_of(process.pid), seconds=2)
    with closing(sqlite3.connect(library)) as connection:
        assert connection.execute("SELECT outcome FROM scans").fetchall() == [("interrupted",)]
    assert tonotope("scan", music, "--library", library).returncode == 0
    assert contents(library) == undisturbed


def test_a_worker_that_is_killed_costs_one_file(
    start_scan: Start, tonotope: Run, tmp_path: Path
) -> None:
    folder, library = tmp_path / "music", tmp_path / "l.db"
    folder.mkdir()
    with soundfile.SoundFile(folder / "a long one.wav", "w", 22050, 1) as long:
        for part in range(40):
            long.write(sound(part, seconds=60))
    write(folder / "short.wav", seed=2)
    process = start_scan(folder, "--library", library, "--jobs", "1")
    # The long file comes first; a worker that has used this much time is listening to it.
    wait_until(lambda: bool(busy_workers(process.pid)))
    os.kill(busy_workers(process.pid)[0], signal.SIGKILL)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 0
    assert f"failed: {folder}/a long one.wav: its worker process died (status -9)" in stderr
    assert [Path(row[0]).name for row in contents(library)["files"]] == ["short.wav"]
    retried = tonotope("scan", folder, "--library", library, "--retry-failed")
    assert retried.stdout.startswith("2 files: 1 analysed, 1 unchanged")


def busy_workers(group: int) -> list[int]:
    """Return the processes, other than the first, that have used more than 1.5 s of CPU."""
    busy = []
    for pid in processes_of(group):
        if pid == group:
            continue
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        if (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") > 1.5:
            busy.append(pid)
    return busy


def test_a_second_scan_is_refused_and_the_first_goes_on(
    start_scan: Start, tonotope: Run, music: Path, undisturbed: dict, tmp_path: Path
) -> None:
    library = tmp_path / "l.db"
    process = start_scan(music, "--library", library)
    wait_until(lambda: n_files(library) > 0)
    second = tonotope("scan", music, "--library", library)
    assert second.returncode == 1
    assert second.stderr == (
        f"tonotope: library '{library}' is being scanned, or imported into, by process "
        f"{process.pid}. Wait for it, or stop it and run this again.\n"
    )
    # Asking is no scan.
    assert tonotope("status", "--library", library).returncode == 0
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert contents(library) == undisturbed


def test_a_full_disk_is_said_and_loses_nothing(
    tonotope: Run, music: Path, undisturbed: dict, tmp_path: Path
) -> None:
    library = tmp_path / "l.db"
    # Files that may not grow beyond 200 kB stand in for a disk that is full: an empty library
    # fits, and few tracks more.
    limit = "import resource as r; r.setrlimit(r.RLIMIT_FSIZE, (200_000, 200_000))"
    code = f"{limit}; from tonotope.cli import main; main()"
    full = subprocess.run(
        [sys.executable, "-c", code, "scan", str(music), "--library", str(library)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert full.returncode == 1
    # Beside it stand what failed and, on a busy machine, how far the scan had come.
    (line,) = [line for line in full.stderr.splitlines() if line.startswith("tonotope: ")]
    assert line.startswith(f"tonotope: cannot write to library '{library}': ")
    assert tonotope("scan", music, "--library", library).returncode == 0
    assert contents(library) == undisturbed
