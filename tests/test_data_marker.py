"""What becomes of tests that need the real data: skipped where it is absent, never in CI."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

TESTS = """
import pytest

@pytest.mark.data
def test_runs(data_dir):
    assert data_dir.is_dir()

@pytest.mark.data
def test_skips():
    pytest.skip("for no good reason")

def test_skips_without_data():
    pytest.skip("fine")
"""


def outcomes(folder: Path, data: Path, **environment: str) -> str:
    shutil.copy(Path(__file__).with_name("conftest.py"), folder)
    (folder / "test_these.py").write_text(TESTS)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = data\n")
    variables = {k: v for k, v in os.environ.items() if k != "CI"}
    variables["PYTHONPATH"] = str(Path(__file__).parent)  # what conftest.py imports
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-rs", "-p", "no:cacheprovider", str(folder)],
        env=variables | {"TONOTOPE_DATA": str(data)} | environment,
        capture_output=True,
        text=True,
        cwd=folder,
    )
    return done.stdout


def test_without_the_data_they_skip_with_the_reason(tmp_path: Path) -> None:
    printed = outcomes(tmp_path, tmp_path / "none", CI="true")
    assert f"needs the real music and data in {tmp_path / 'none'}" in printed
    assert "3 skipped" in printed


def test_with_the_data_they_run(tmp_path: Path) -> None:
    assert "1 passed, 2 skipped" in outcomes(tmp_path, tmp_path)


def test_in_ci_with_the_data_a_skip_is_a_failure(tmp_path: Path) -> None:
    printed = outcomes(tmp_path, tmp_path, CI="true")
    assert "1 failed, 1 passed, 1 skipped" in printed
    assert "skipped in CI although" in printed
