"""Files that are there as a whole or as they were."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tonotope.files import replacing, write_whole


def test_a_file_that_has_no_room_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"old")
    script = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from tonotope.files import write_whole\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n"
        "    write_whole(Path(sys.argv[1]), b'new' * 1000)\n"
        "except OSError as error:\n"
        "    print(error.strerror)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(target)], capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("File too large\n", "")
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_link_is_written_through(tmp_path: Path) -> None:
    target, link = tmp_path / "file", tmp_path / "link"
    link.symlink_to(target)
    write_whole(link, b"new")
    assert target.read_bytes() == b"new"
    assert link.is_symlink()


def test_what_only_its_owner_may_read_stays_so(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"old")
    target.chmod(0o600)
    write_whole(target, b"new")
    assert target.read_bytes() == b"new"
    assert target.stat().st_mode & 0o777 == 0o600


def test_whoever_is_interrupted_leaves_what_was_there(tmp_path: Path) -> None:
    target, unfinished = tmp_path / "file", tmp_path / "file.new"
    target.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), replacing(target, unfinished):
        unfinished.write_bytes(b"half")
        raise KeyboardInterrupt
    assert target.read_bytes() == b"old"
    assert not unfinished.exists()
