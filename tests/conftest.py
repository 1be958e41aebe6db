"""Where the tests find real music and real data, and what it means when they do not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

DATA = Path(os.environ.get("TONOTOPE_DATA") or Path(__file__).parents[2] / "shared" / "data")


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


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Return the folder with the real data; only for tests marked ``data``."""
    return DATA


@pytest.fixture(scope="session")
def music_dir(data_dir: Path) -> Path:
    """Return the folder with 43 real tracks; only for tests marked ``data``."""
    return data_dir / "music"
