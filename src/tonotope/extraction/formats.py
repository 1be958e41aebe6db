"""The formats of a table: CSV, NumPy's ``.npz`` and Parquet, which hold the same.

Besides the numbers each row has the file's path, the recording's identity, its duration and the
version of the numbers. A path is written as text: bytes that are not UTF-8 become Python's
surrogate escapes, spelt out as ``udce9`` after a backslash.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tonotope.errors import InputError, PathError
from tonotope.features.stft import Float32Array

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "OWN_COLUMNS",
    "Format",
    "OtherTableError",
    "Row",
    "format_of",
    "is_table_name",
    "parse_numbers",
    "spell_numbers",
    "spell_path",
]

OWN_COLUMNS = ("path", "audio_id", "duration_s", "version")
"""The columns before the numbers."""

_PARQUET_ROWS = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """A track's row."""

    path: str
    audio_id: str
    duration_s: float
    version: str
    numbers: Float32Array


class OtherTableError(Exception):
    """A file is no table, one with other columns, or damaged."""


@dataclass(frozen=True, slots=True)
class Format:
    """How a table is read and written.

    Attributes
    ----------
    read
        Takes a file and the names of the numbers, yields the rows; raises `OtherTableError`.
    write
        Takes a file, the names of the numbers and the rows.
    """

    read: Callable[[Path, Sequence[str]], Iterator[Row]]
    write: Callable[[Path, Sequence[str], Sequence[Row]], None]


def is_table_name(name: str) -> bool:
    """Whether a file's name asks for a table."""
    return Path(name).suffix.lower() in _FORMATS


def format_of(name: str) -> Format:
    """Return the format that a file's name asks for.

    Raises
    ------
    InputError
        If its suffix names none.
    PathError
        If it is Parquet, and pyarrow is not installed.
    """
    if not is_table_name(name):
        raise InputError(
            f"'{name}' names no format of a table. Let it end in .csv, .npz or .parquet; "
            "with --frames it is a folder."
        )
    suffix = Path(name).suffix.lower()
    if suffix == ".parquet" and find_spec("pyarrow") is None:
        raise PathError(
            f"cannot write '{name}': Parquet needs pyarrow. Install it with "
            "pip install 'tonotope[parquet]', or let --out end in .csv or .npz."
        )
    return _FORMATS[suffix]


def spell_numbers(numbers: Float32Array) -> list[str]:
    """Return numbers as the shortest texts that give them back as float32; NaN is empty."""
    spelt = numbers.astype(np.str_)
    spelt[np.isnan(numbers)] = ""
    texts: list[str] = spelt.tolist()
    return texts


def parse_numbers(texts: Sequence[str]) -> Float32Array:
    """Return the numbers that `spell_numbers` wrote.

    Raises
    ------
    ValueError
        If one is none.
    """
    return np.array([float(text) if text else np.nan for text in texts], dtype=np.float32)


def spell_path(path: str) -> str:
    """Return a path as text, whatever bytes it has."""
    return path.encode("utf-8", "backslashreplace").decode("utf-8")


@contextmanager
def _damage_is_no_table() -> Iterator[None]:
    # Of damaged bytes the readers of zip, .npy and Parquet raise whatever they come across:
    # NotImplementedError, tokenize.TokenError, zlib.error, UnicodeDecodeError, MemoryError.
    try:
        yield
    except OtherTableError:
        raise
    except Exception as error:
        raise OtherTableError from error


def _write_csv(target: Path, columns: Sequence[str], rows: Iterable[Row]) -> None:
    with target.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join([*OWN_COLUMNS, *columns]) + "\n")
        for row in rows:
            own = [_quote(spell_path(row.path)), row.audio_id, repr(row.duration_s), row.version]
            file.write(",".join([*own, *spell_numbers(row.numbers)]) + "\n")


def _quote(field: str) -> str:
    # Python 3.11's csv.writer leaves a carriage return without quotes where lines end in "\n";
    # its csv.reader then refuses the file.
    if any(character in field for character in ',"\r\n'):
        field = field.replace('"', '""')
        return f'"{field}"'
    return field


def _read_csv(source: Path, columns: Sequence[str]) -> Iterator[Row]:
    with _damage_is_no_table(), source.open(encoding="utf-8", newline="") as file:
        lines = csv.reader(file)
        if next(lines, None) != [*OWN_COLUMNS, *columns]:
            raise OtherTableError
        for path, audio_id, duration_s, version, *numbers in lines:
            if len(numbers) != len(columns):
                raise OtherTableError
            yield Row(path, audio_id, float(duration_s), version, parse_numbers(numbers))


def _write_npz(target: Path, columns: Sequence[str], rows: Sequence[Row]) -> None:
    with target.open("wb") as file:
        np.savez(
            file,
            paths=np.array([spell_path(row.path) for row in rows]),
            audio_ids=np.array([row.audio_id for row in rows]),
            durations_s=np.array([row.duration_s for row in rows], dtype=np.float64),
            versions=np.array([row.version for row in rows]),
            columns=np.array(columns),
            rows=np.stack([row.numbers for row in rows]),
        )


def _read_npz(source: Path, columns: Sequence[str]) -> Iterator[Row]:
    with _damage_is_no_table():
        # NumPy leaves the file open where it is no zip file.
        with source.open("rb") as file, np.load(file, allow_pickle=False) as held:
            if held["columns"].tolist() != list(columns):
                raise OtherTableError
            own = [
                held[name].tolist() for name in ("paths", "audio_ids", "durations_s", "versions")
            ]
            rows = held["rows"]
        if rows.dtype != np.float32 or rows.shape != (len(own[0]), len(columns)):
            raise OtherTableError
        yield from (Row(*fields) for fields in zip(*own, rows, strict=True))


def _schema(columns: Sequence[str]) -> pa.Schema:
    import pyarrow as pa

    own = zip(OWN_COLUMNS, (pa.string(), pa.string(), pa.float64(), pa.string()), strict=True)
    return pa.schema([*own, *((name, pa.float32()) for name in columns)])


def _write_parquet(target: Path, columns: Sequence[str], rows: Sequence[Row]) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    schema = _schema(columns)
    with parquet.ParquetWriter(target, schema) as writer:
        for start in range(0, len(rows), _PARQUET_ROWS):
            part = rows[start : start + _PARQUET_ROWS]
            numbers = np.stack([row.numbers for row in part])
            arrays = [
                pa.array([spell_path(row.path) for row in part], pa.string()),
                pa.array([row.audio_id for row in part], pa.string()),
                pa.array([row.duration_s for row in part], pa.float64()),
                pa.array([row.version for row in part], pa.string()),
                # What has no answer is null there: sums in SQL leave it out.
                *(pa.array(column, pa.float32(), from_pandas=True) for column in numbers.T),
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def _read_parquet(source: Path, columns: Sequence[str]) -> Iterator[Row]:
    from pyarrow import parquet

    with _damage_is_no_table(), parquet.ParquetFile(source) as file:
        if not file.schema_arrow.equals(_schema(columns)):
            raise OtherTableError
        for group in range(file.num_row_groups):
            # `iter_batches` keeps what it has read until the file is closed.
            arrays = file.read_row_group(group, use_threads=False).columns
            own = [array.to_pylist() for array in arrays[: len(OWN_COLUMNS)]]
            rows = np.stack([array.to_numpy() for array in arrays[len(OWN_COLUMNS) :]], axis=1)
            yield from (Row(*fields) for fields in zip(*own, rows, strict=True))


_FORMATS = {
    ".csv": Format(_read_csv, _write_csv),
    ".npz": Format(_read_npz, _write_npz),
    ".parquet": Format(_read_parquet, _write_parquet),
}
