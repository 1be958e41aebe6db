"""The rows finished so far, in a file beside the table that survives whatever ends the run.

It is a CSV without paths: a header, and a line per recording with its identity, its duration, the
version of its numbers, and the numbers. No field has a comma, a quote or a line break in it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Self

from tonotope.errors import PathError
from tonotope.extraction.formats import OWN_COLUMNS, Row, parse_numbers, spell_numbers
from tonotope.files import cannot_write, locked_file, write_all

__all__ = ["Journal", "journal_of"]


def journal_of(target: Path) -> Path:
    """Return where the journal of a table lies."""
    return target.with_name(target.name + ".part")


class Journal:
    """The journal of a table, open and locked while it is entered.

    Parameters
    ----------
    target
        The table.
    out
        The table as the person named it.
    columns
        The names of its numbers.
    """

    def __init__(self, target: Path, out: str, columns: Sequence[str]) -> None:
        self.path = journal_of(target)
        self._header = ",".join([*OWN_COLUMNS[1:], *columns]).encode() + b"\n"
        self._n_columns = len(columns)
        self._opening = locked_file(self.path, out)
        # How many rows it has; None where it is not known to be this table's.
        self._n_rows: int | None = None

    def __enter__(self) -> Self:
        self._file: FileIO = self._opening.__enter__()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._n_rows == 0:
            self.remove()
        self._opening.__exit__(exc_type, exc, traceback)

    def read(self) -> list[Row]:
        """Return the rows, without paths; drop a line at the end that was not finished.

        Raises
        ------
        PathError
            If it is the journal of another table, or none.
        """
        with os.fdopen(os.dup(self._file.fileno()), "rb") as file:
            file.seek(0)
            header = file.readline(len(self._header))
            if header != self._header and not self._header.startswith(header):
                raise PathError(
                    f"'{self.path}' holds unfinished rows of another set. Name another --out, or "
                    "remove that file."
                )
            end = len(header) if header == self._header else 0
            rows = []
            for line in file:
                row = self._parse(line)
                if row is None:
                    break
                end += len(line)
                rows.append(row)
        self._n_rows = len(rows)
        self._file.truncate(end)
        self._file.seek(end)
        if end == 0:
            self._write(self._header)
        return rows

    def append(self, row: Row) -> None:
        """Add a row; it is in the file when this returns. Only after `read`.

        Raises
        ------
        PathError
            If it cannot be written.
        """
        fields = [row.audio_id, repr(row.duration_s), row.version, *spell_numbers(row.numbers)]
        self._write(",".join(fields).encode() + b"\n")
        self._n_rows = (self._n_rows or 0) + 1

    def remove(self) -> None:
        """Remove the file: the table holds it all."""
        self.path.unlink(missing_ok=True)
        self._n_rows = None

    def _parse(self, line: bytes) -> Row | None:
        """Return the row of a line; None where it was torn."""
        audio_id, *fields = line.decode("ascii", "replace").removesuffix("\n").split(",")
        if not line.endswith(b"\n") or len(fields) != 2 + self._n_columns:
            return None
        try:
            return Row("", audio_id, float(fields[0]), fields[1], parse_numbers(fields[2:]))
        except ValueError:
            return None

    def _write(self, line: bytes) -> None:
        try:
            write_all(self._file, line)
        except OSError as error:
            raise cannot_write(self.path, error) from error
