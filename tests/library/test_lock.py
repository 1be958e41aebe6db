from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tonotope.errors import LibraryError, LibraryLockedError
from tonotope.library.lock import scan_lock


def test_a_second_owner_is_refused_and_told_the_first(tmp_path: Path) -> None:
    with (
        scan_lock(tmp_path / "l.db"),
        pytest.raises(
            LibraryLockedError, match=rf"scanned, or imported into, by process {os.getpid()}\. Wait"
        ),
        scan_lock(tmp_path / "l.db"),
    ):
        pass


def test_it_can_be_had_again_once_given_back(tmp_path: Path) -> None:
    for _ in range(2):
        with scan_lock(tmp_path / "l.db"):
            pass


def test_what_a_killed_owner_left_behind_locks_nothing(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from tonotope.library.lock import scan_lock\n"
        "with scan_lock(Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path / "l.db")])
    assert killed.returncode == -9
    assert (tmp_path / "l.db.lock").read_text().strip().isdigit()
    with scan_lock(tmp_path / "l.db"):
        pass


def test_one_library_by_two_names_is_one(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "l.db")
    with (
        scan_lock(tmp_path / "l.db"),
        pytest.raises(LibraryLockedError),
        scan_lock(tmp_path / "link.db"),
    ):
        pass


def test_libraries_do_not_lock_each_other(tmp_path: Path) -> None:
    with scan_lock(tmp_path / "a.db"), scan_lock(tmp_path / "b.db"):
        pass


def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="cannot write"), scan_lock(tmp_path / "none" / "l.db"):
        pass
