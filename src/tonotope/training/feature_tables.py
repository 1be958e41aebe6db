"""Feature tables as a data set: CSV or Parquet, found by the names of clips.

Three layouts are known, by what is in them: a table of ``tonotope features``; FMA's
``features.csv`` with its three header rows; and any table of one header row with a column of names
or paths, such as the one that circulates with GTZAN on Kaggle.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from itertools import chain
from pathlib import Path, PurePosixPath

import numpy as np

from tonotope.audio import AUDIO_SUFFIXES
from tonotope.errors import InputError, PathError
from tonotope.features.stft import Float32Array

__all__ = ["table_column", "table_features"]

_FMA_HEADER = ("feature", "statistics", "number")
_NAMES = ("path", "filename", "file", "clip", "track", "track_id", "name", "id")
# What says which clip it is, or what its genre is: no feature, number or not.
_NO_FEATURES = frozenset(
    {
        *_NAMES, "", "album", "artist", "audio_id", "class", "duration_s", "genre", "genre_id",
        "index", "label", "length", "recording", "split", "target", "title", "version",
    }
)  # fmt: skip
_N_NAMED = 3
_N_SHOWN = 12
# How a cache calls the windows of a track after the first: they share the track's row.
_WINDOW = re.compile(r"(?<=\S)#(?:[2-9]|[1-9]\d+)$")

_Rows = Iterator[Sequence[str]]


def table_features(path: Path, names: Sequence[str]) -> tuple[Float32Array, tuple[str, ...]]:
    """Return the rows of some clips.

    A row belongs to a clip if both paths, without the suffix of audio, are equal as far back as
    both go: ``"blues.00029"`` and ``"genres/blues/blues.00029.wav"``. Numbers are compared as
    such: ``"000002"`` is ``"2"``.

    Parameters
    ----------
    path
        The table, ``.csv`` or ``.parquet``.
    names
        Of the clips.

    Returns
    -------
    features : ndarray
        Shape (n_clips, n_columns), float32, in the order of `names`; NaN where a cell is empty or
        not finite.
    columns : tuple of str
        The columns that are numbers and neither name a clip nor its genre.

    Raises
    ------
    InputError
        If a clip has no row, or more than one.
    PathError
        If the table cannot be read, or holds no numbers.
    """
    header, rows = _read(path, names)
    found = _all_found(path, rows, names)
    columns = [k for k, column in enumerate(header) if _is_feature(column, found, k)]
    if not columns:
        raise _broken(path, "it has no column of numbers")
    features = np.empty((len(found), len(columns)), np.float32)
    for place, k in enumerate(columns):
        features[:, place] = _numbers(path, header[k], k, found, names)
    return features, tuple(header[k] for k in columns)


def table_column(path: Path, column: str, names: Sequence[str]) -> Float32Array:
    """Return one column for some clips, whose rows are found as in `table_features`.

    Returns
    -------
    ndarray
        Shape (n_clips,), float32, in the order of `names`; NaN where a clip has no row, or its cell
        is empty or not finite.

    Raises
    ------
    InputError
        If there is no such column, or a clip has more than one row.
    PathError
        If the table cannot be read, or has something else than numbers there.
    """
    header, found = _read(path, names)
    if column not in header:
        raise InputError(
            f"table '{path}' has no column {column!r} (it has: {', '.join(header[:_N_SHOWN])}"
            f"{', …' if len(header) > _N_SHOWN else ''}). Name one of these."
        )
    return _numbers(path, column, list(header).index(column), found, names)


def _read(path: Path, names: Sequence[str]) -> tuple[Sequence[str], list[Sequence[str] | None]]:
    """Return the header, and the row of each clip, None where it has none."""
    try:
        rows = _read_parquet(path) if path.suffix.lower() == ".parquet" else _read_csv(path)
        header = next(rows)
        found = _rows_of_clips(path, rows, _key_column(header), names)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise _broken(path, reason) from error
    for name, row in zip(names, found, strict=True):
        if row is not None and len(row) != len(header):
            raise _broken(path, f"clip '{name}' has {len(row)} cells, the header {len(header)}")
    return header, found


def _numbers(
    path: Path,
    column: str,
    k: int,
    rows: Sequence[Sequence[str] | None],
    names: Sequence[str],
) -> Float32Array:
    """Return column `k` of the rows; NaN for no row."""
    numbers = np.full(len(rows), np.nan)
    for place, (name, row) in enumerate(zip(names, rows, strict=True)):
        if row is None:
            continue
        number = _number(row[k])
        if number is None:
            raise _broken(path, f"'{row[k]}' of clip '{name}', {column}, is no number")
        numbers[place] = number
    with np.errstate(over="ignore"):
        small: Float32Array = numbers.astype(np.float32)
    # What float32 cannot hold is as good as missing.
    small[~np.isfinite(small)] = np.nan
    return small


def _rows_of_clips(
    path: Path, rows: _Rows, key: int, names: Sequence[str]
) -> list[Sequence[str] | None]:
    wanted: dict[str, list[int]] = {}
    parts = [_parts(_WINDOW.sub("", name)) for name in names]
    for place, of_name in enumerate(parts):
        wanted.setdefault(of_name[-1], []).append(place)
    found: list[Sequence[str] | None] = [None] * len(names)
    for row in rows:
        of_row = _parts(row[key]) if key < len(row) else ("",)
        for place in wanted.get(of_row[-1], ()):
            n_common = min(len(of_row), len(parts[place]))
            if of_row[-n_common:] != parts[place][-n_common:]:
                continue
            if found[place] is not None:
                raise InputError(
                    f"cannot use table '{path}': clip '{names[place]}' has more than one row. "
                    "Keep one, or name rows by their whole paths."
                )
            found[place] = row
    return found


def _all_found(
    path: Path, rows: Sequence[Sequence[str] | None], names: Sequence[str]
) -> list[Sequence[str]]:
    """Return the rows, each of which must be there."""
    missing = [name for name, row in zip(names, rows, strict=True) if row is None]
    if missing:
        shown = ", ".join(f"'{name}'" for name in missing[:_N_NAMED])
        raise InputError(
            f"cannot use table '{path}': {len(missing)} of {len(names)} clips have no row "
            f"({shown}{', …' if len(missing) > _N_NAMED else ''}). "
            "Make it of the same clips with: tonotope features"
        )
    return [row for row in rows if row is not None]


def _parts(name: str) -> tuple[str, ...]:
    """Return what a name or path is compared by, from the folder down."""
    *folders, stem = PurePosixPath(name.strip().replace("\\", "/")).parts or ("",)
    before, dot, suffix = stem.rpartition(".")
    if f"{dot}{suffix}".lower() in AUDIO_SUFFIXES:
        stem = before
    return (*folders, stem.lstrip("0") or "0") if stem.isdecimal() else (*folders, stem)


def _key_column(header: Sequence[str]) -> int:
    """Return the column that names the clips: the first that is called so, or the first."""
    columns = [column.strip().casefold() for column in header]
    return next((columns.index(name) for name in _NAMES if name in columns), 0)


def _is_feature(column: str, rows: Sequence[Sequence[str]], k: int) -> bool:
    if column.strip().casefold() in _NO_FEATURES:
        return False
    first = next((row[k] for row in rows if row[k].strip()), "")
    return _number(first) is not None


def _number(cell: str) -> float | None:
    """Return a cell's number, NaN if it is empty, None if it is none."""
    try:
        return float(cell) if cell.strip() else float("nan")
    except ValueError:
        return None


def _read_csv(path: Path) -> _Rows:
    """Yield the header, then the rows."""
    # Spreadsheets put a byte order mark in front.
    with path.open(newline="", encoding="utf-8-sig") as file:
        lines: Iterator[list[str]] = csv.reader(file)
        header = next(lines, None)
        if header is None:
            raise _broken(path, "it is empty")
        if header[:1] == [_FMA_HEADER[0]]:
            statistics, numbers, index = (next(lines, []) for _ in range(3))
            if [row[:1] for row in (statistics, numbers)] != [[word] for word in _FMA_HEADER[1:]]:
                raise _broken(path, "it has the first header row of FMA's features, not the others")
            names = zip(header[1:], statistics[1:], numbers[1:], strict=False)
            yield [_NAMES[0], *("_".join(words) for words in names)]
            if index[1:] and any(index[1:]):
                # A table without the row that names the index.
                lines = chain([index], lines)
        else:
            yield header
        yield from lines


def _read_parquet(path: Path) -> _Rows:
    """Yield the header, then the rows, spelt as in CSV."""
    if find_spec("pyarrow") is None:
        raise InputError(
            f"reading table '{path}' needs PyArrow, which is not installed. "
            "Install it with: pip install 'tonotope[parquet]'"
        )
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            yield list(file.schema_arrow.names)
            for group in range(file.num_row_groups):
                columns = file.read_row_group(group, use_threads=False).columns
                for row in zip(*(column.to_pylist() for column in columns), strict=True):
                    yield ["" if cell is None else str(cell) for cell in row]
    except pa.ArrowException as error:
        raise _broken(path, str(error).splitlines()[0]) from error


def _broken(path: Path, reason: str) -> PathError:
    return PathError(
        f"cannot use table '{path}': {reason}. Make one with: tonotope features MUSIC --out TABLE"
    )
