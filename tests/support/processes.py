"""The command in processes that a test may kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen


@contextmanager
def starting(command: str) -> Iterator[Callable[..., Popen[str]]]:
    """Give what starts a command in a process group of its own; end what is left of it."""
    processes: list[Popen[str]] = []

    def run(*arguments: str | Path) -> Popen[str]:
        process = Popen(
            [sys.executable, "-m", "tonotope", command, *map(os.fspath, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        processes.append(process)
        return process

    yield run
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
