"""Feature tables and frames, as the tests of extraction read and alter them."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess, Popen

import pytest

from tonotope.audio import decode
from tonotope.features import Descriptors, analyze

Run = Callable[..., CompletedProcess[str]]
Start = Callable[..., Popen[str]]

SMALL = ("zero_crossing_rate", "key", "level")
FORMATS = ("csv", "npz", "parquet")
N_FILES = 12


def heard(path: Path, features: tuple[str, ...] | None = None) -> Descriptors:
    with decode(path) as blocks:
        return analyze(blocks, features)


def rows_of(table: Path) -> dict[str, list[str]]:
    """Return a CSV's rows by path, the header under ``path``."""
    with table.open(encoding="utf-8", newline="") as file:
        return {path: fields for path, *fields in csv.reader(file)}


def alter_row(table: Path, path: Path, field: int, text: str) -> None:
    """Change a field of a row in a CSV, the path being number -1."""
    rows = rows_of(table)
    rows[str(path)][field] = text
    with table.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([p, *fields] for p, fields in rows.items())


def counts(summary) -> tuple[int, int, int, int, int]:
    return summary.tracks, summary.computed, summary.kept, summary.failed, summary.dropped


def journal_of(table: Path) -> Path:
    return table.with_name(f"{table.name}.part")


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    for _ in range(int(seconds / 0.02)):
        if condition():
            return
        time.sleep(0.02)
    pytest.fail("what was waited for did not happen")


def n_lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0
