"""Tables whose making is killed, interrupted or out of disk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.tables import (
    N_FILES,
    Start,
    n_lines,
    wait_until,
)
from tonotope.extraction import extract_table


def test_a_kill_loses_nothing_that_was_finished(
    start: Start, many: Path, undisturbed: bytes, tmp_path: Path
) -> None:
    out, journal = tmp_path / "t.csv", tmp_path / "t.csv.part"
    for n_rows in (2, 5):
        process = start(many, "--out", out, "--set", "fma518", "--jobs", "2")
        wait_until(lambda n=n_rows: n_lines(journal) > n)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert not out.exists()
    n_kept = n_lines(journal) - 1
    assert 5 <= n_kept < N_FILES
    summary = extract_table([many], out, "fma518")
    assert (summary.kept, summary.computed) == (n_kept, N_FILES - n_kept)
    assert out.read_bytes() == undisturbed
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


def test_ctrl_c_stops_soon_and_says_how_to_go_on(
    start: Start, many: Path, undisturbed: bytes, tmp_path: Path
) -> None:
    out, journal = tmp_path / "t.csv", tmp_path / "t.csv.part"
    process = start(many, "--out", out, "--set", "fma518", "--jobs", "1")
    wait_until(lambda: n_lines(journal) > 2)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of them
    stdout, stderr = process.communicate(timeout=20)
    assert (process.returncode, stdout) == (130, "")
    n_kept = n_lines(journal) - 1
    assert stderr == (
        f"tonotope: interrupted; {n_kept} of {N_FILES} files are done. "
        "Run the same command to go on.\n"
    )
    assert extract_table([many], out, "fma518").kept == n_kept
    assert out.read_bytes() == undisturbed


@pytest.mark.parametrize("file", ["t.csv.part", "t.csv"])
def test_a_full_disk_is_said_and_loses_nothing(
    many: Path, undisturbed: bytes, tmp_path: Path, file: str
) -> None:
    out = tmp_path / "t.csv"
    before = undisturbed.splitlines(keepends=True)[0]
    out.write_bytes(before)
    # Files that may not grow beyond a size stand in for a disk that is full. The table is larger
    # than the journal, which has no paths.
    n_bytes = 40_000 if file == "t.csv.part" else len(undisturbed) - 50
    limit = f"import resource as r; r.setrlimit(r.RLIMIT_FSIZE, ({n_bytes}, {n_bytes}))"
    code = f"{limit}; from tonotope.cli import main; main()"
    words = ["features", str(many), "--out", str(out), "--set", "fma518"]
    full = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
    assert full.returncode == 1
    assert full.stderr.startswith(f"tonotope: cannot write '{tmp_path / file}': File too large. ")
    assert len(full.stderr.splitlines()) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"t.csv", "t.csv.part"}
    assert out.read_bytes() == before
    assert extract_table([many], out, "fma518").kept > 0
    assert out.read_bytes() == undisturbed
