"""The journal of a table that is being made."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from support.tables import (
    SMALL,
    counts,
    journal_of,
    rows_of,
)
from tonotope.errors import PathError
from tonotope.extraction import extract_table
from tonotope.extraction.formats import Row
from tonotope.extraction.journal import Journal
from tonotope.features.tables import table_columns
from tonotope.files import locked_file


def write_journal(small: Path, out: Path, n_rows: int, end: str = "") -> None:
    lines = [",".join(fields) for fields in rows_of(small / "t.csv").values()]
    journal_of(out).write_text("\n".join(lines[: 1 + n_rows]) + "\n" + end)


@pytest.mark.parametrize("end", ["", "0" * 32 + ",3.0,timbre=2", "0" * 32 + ",3.0\n", "\0" * 99])
def test_finished_rows_are_taken_from_the_journal(
    small: Path, music: Path, tmp_path: Path, end: str
) -> None:
    out = tmp_path / "t.csv"
    write_journal(small, out, n_rows=3, end=end)
    # The first three rows are of three recordings; the copy comes with its original.
    assert counts(extract_table([music], out, SMALL)) == (6, 2, 4, 2, 0)
    assert out.read_bytes() == (small / "t.csv").read_bytes()
    assert not journal_of(out).exists()


def test_a_torn_line_is_in_the_way_of_none_that_follows(small: Path, tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    columns = table_columns(SMALL)
    for n_rows in (1, 2, 3):
        with Journal(out, "t.csv", columns) as journal:
            assert len(journal.read()) == n_rows - 1
            journal.append(Row("", "0" * 32, 1.0, "v", np.ones(len(columns), np.float32)))
        with journal_of(out).open("a") as file:
            file.write("1" * 32 + ",3.0,v," + "4," * 400)


@pytest.mark.parametrize("n_bytes", [0, 10])
def test_a_journal_that_was_hardly_begun(
    small: Path, music: Path, tmp_path: Path, n_bytes: int
) -> None:
    out = tmp_path / "t.csv"
    write_journal(small, out, n_rows=0)
    os.truncate(journal_of(out), n_bytes)
    assert extract_table([music / "a.wav"], out, SMALL).computed == 1


def test_the_journal_of_another_set_is_left_alone(small: Path, music: Path, tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    write_journal(small, out, n_rows=1)
    before = journal_of(out).read_bytes()
    for table in (["rms"], "fma518"):
        with pytest.raises(PathError, match="holds unfinished rows of another set"):
            extract_table([music], out, table)
        assert journal_of(out).read_bytes() == before
        assert not out.exists()


def test_one_run_at_a_time(music: Path, tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    with (
        locked_file(journal_of(out), "t.csv"),
        pytest.raises(PathError, match=r"t\.csv' is being written by another run"),
    ):
        extract_table([music], out, SMALL)
    assert not out.exists()
