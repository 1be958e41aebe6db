"""One row per track: a table in CSV, NumPy's or Parquet's format."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tonotope.audio import AudioIdentity
from tonotope.errors import PathError
from tonotope.extraction.formats import Format, OtherTableError, Row, format_of
from tonotope.extraction.journal import Journal
from tonotope.extraction.run import ExtractionSummary, FileRun, OnProgress, check_paths
from tonotope.extraction.sets import row_features, version_of
from tonotope.extraction.worker import Described, describe
from tonotope.features.tables import table_columns
from tonotope.files import cannot_write, refuse_special, replacing

__all__ = ["extract_table"]


def extract_table(
    paths: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    table: str | Sequence[str] = "tonotope",
    *,
    jobs: int | None = None,
    nice: int = 0,
    on_progress: OnProgress | None = None,
) -> ExtractionSummary:
    """Write a table with a row for each audio file in folders.

    The table appears at once and whole. Until then finished rows lie in a journal beside it,
    ``<out>.part``: whatever ends a run costs the files it was at. Rows of the table and of the
    journal are kept where recording and version are the same; a recording is known by its encoded
    packets, so that a renamed or retagged file keeps its row.

    Memory: 4 bytes per number and about 0.6 kB more for each row; while a table is read or written
    ``.npz`` takes the numbers twice, and Parquet up to 0.2 GB more.

    Uses worker processes, which import the caller's main module: a script needs the usual
    ``if __name__ == "__main__":``.

    Parameters
    ----------
    paths
        Folders, walked with all their subfolders, and files.
    out
        The table, ending in ``.csv``, ``.npz`` or ``.parquet``. Afterwards it has exactly one row
        per file that was found and could be heard, in the order of their paths; if there is none,
        nothing is written.
    table
        ``"fma518"``, ``"tonotope"`` or names of descriptors.
    jobs
        How many processes listen; as many as there are cores by default.
    nice
        How much these give way to other programs, 0 to 19.
    on_progress
        Called several times a second; `analysed` counts what was computed, `unchanged` what was
        kept.

    Raises
    ------
    InputError
        If there is no path, no such table or descriptor, no such format, or a number is out of
        its range.
    PathError
        If a path does not exist or no audio file is found, the table cannot be written, another
        run writes it, `out` is no such table or no ordinary file, or pyarrow is missing.
    LibraryError
        If no worker process can be started.
    KeyboardInterrupt
        Passed on; what was finished is in the journal.
    """
    features = row_features(table)
    name = os.fspath(out)
    form = format_of(name)
    target = _target(name)
    columns = table_columns(table)
    listened = check_paths(paths)
    with Journal(target, name, columns) as journal:
        rows = _RowsByRecording(table, version_of(features), journal)
        rows.keep(journal.read())
        if _holds_something(target, name):
            try:
                rows.keep(form.read(target, columns))
            except OtherTableError:
                raise PathError(
                    f"'{name}' exists and is no table of this set. Name another --out, or remove "
                    "that file."
                ) from None
        run = FileRun(listened, rows, on_progress)
        run.execute(jobs=jobs, nice=nice)
        if not run.keys:
            return run.summary(columns=len(columns), out=name)
        _write(form, target, name, columns, rows.of(run.keys))
        journal.remove()
        dropped = rows.number_beside(run.keys)
        return run.summary(columns=len(columns), out=name, dropped=dropped)


class _RowsByRecording:
    """The rows, by recording; new ones are in the journal, too."""

    def __init__(self, table: str | Sequence[str], version: str, journal: Journal) -> None:
        self._task = partial(describe, table=table)
        self._version = version
        self._journal = journal
        self._rows: dict[str, Row] = {}

    def keep(self, rows: Any) -> None:
        """Take over the rows that were made by this version."""
        for row in rows:
            if row.version == self._version:
                self._rows[row.audio_id] = row

    def key(self, path: str, identity: AudioIdentity) -> str:
        return identity.audio_id

    def has(self, key: str, identity: AudioIdentity) -> bool:
        return key in self._rows

    def task(self, key: str) -> Callable[[str], Any]:
        return self._task

    def put(self, key: str, result: Described) -> str:
        # The recording that was heard: the file may have changed since it was identified.
        row = Row("", result.audio_id, result.duration_s, self._version, result.numbers)
        self._journal.append(row)
        self._rows[row.audio_id] = row
        return row.audio_id

    def of(self, keys: Mapping[str, str]) -> list[Row]:
        """Return the rows of files, by path."""
        held = [(path, self._rows[keys[path]]) for path in sorted(keys)]
        return [Row(path, r.audio_id, r.duration_s, r.version, r.numbers) for path, r in held]

    def number_beside(self, keys: Mapping[str, str]) -> int:
        """Return how many rows there are that no file has that could be heard."""
        return len(self._rows.keys() - keys.values())


def _target(name: str) -> Path:
    """Return the file that is written: of a link, what it leads to."""
    target = Path(os.path.realpath(os.path.expanduser(name)))  # noqa: PTH111 - never raises
    # What lies in `os.path` says no where `Path` raises, of a name that is too long.
    if not os.path.isdir(target.parent):  # noqa: PTH112
        raise PathError(
            f"cannot write '{name}': there is no folder '{target.parent}'. Make it, or name "
            "another --out."
        )
    if os.path.isdir(target):  # noqa: PTH112
        raise PathError(f"cannot write '{name}': it is a folder. Name a file.")
    refuse_special(target, name)
    return target


def _holds_something(target: Path, name: str) -> bool:
    try:
        return target.stat().st_size > 0
    except FileNotFoundError:
        return False
    except OSError as error:
        raise cannot_write(name, error) from error


def _write(
    form: Format, target: Path, name: str, columns: Sequence[str], rows: Sequence[Row]
) -> None:
    try:
        # Whoever holds the journal's lock may write beside it.
        with replacing(target, target.with_name(target.name + ".new")) as unfinished:
            form.write(unfinished, columns, rows)
    except OSError as error:
        raise cannot_write(name, error) from error
