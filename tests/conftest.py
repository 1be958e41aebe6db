"""Where the tests find real music and real data, and what it means when they do not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.data import DATA
from support.processes import starting


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs the real data where it is absent, and say so."""
    if DATA.is_dir():
        return
    skip = pytest.mark.skip(reason=f"needs the real music and data in {DATA} (see CONTRIBUTING.md)")
    for item in items:
        if item.get_closest_marker("data"):
            item.add_marker(skip)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    """In CI with the data present, a data test that skips is a failure."""
    report = yield
    if (
        report.skipped
        and item.get_closest_marker("data")
        and os.environ.get("CI") == "true"
        and DATA.is_dir()
    ):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI although {DATA} is present: {report.longrepr}"
    return report


@pytest.fixture(scope="session", autouse=True)
def usual_signals() -> None:
    """Let programs that tests start die of signals, also where this process ignores them.

    A shell lets what it starts in the background ignore SIGINT, and nohup SIGHUP. Handlers do not
    pass to children, ignoring does.
    """
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Return the folder with the real data; only for tests marked ``data``."""
    return DATA


@pytest.fixture(scope="session")
def music_dir(data_dir: Path) -> Path:
    """Return the folder with 43 real tracks; only for tests marked ``data``."""
    return data_dir / "music"


@pytest.fixture(scope="session")
def tonotope() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return the command, run in a process of its own."""

    def run(*arguments: str | Path, **options) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "tonotope", *map(os.fspath, arguments)],
            capture_output=True,
            text=True,
            timeout=120,
            **options,
        )

    return run


@pytest.fixture
def start_scan() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start scans in process groups of their own; end what is left of them."""
    with starting("scan") as start:
        yield start
