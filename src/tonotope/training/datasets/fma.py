"""FMA: Creative Commons music of the Free Music Archive in four sizes, with a tree of genres.

The sizes contain each other: medium has all of small, large all of medium; full has the tracks of
large in their whole length. One set of tables (``fma_metadata.zip``) describes them all. They are
read row by row: ``tracks.csv`` has 260 MB and ``features.csv`` 950.

The clips that hold less than 30 s were cut by a wrong length in the archive's data and are listed
in the data set's own issues (``mdeff/fma``, issues 4, 8 and 41). Those without any sound are left
out of the clips, but not of `tracks_of` and `features`: the features that came with the data set
were computed on whole tracks, as the results of the paper were.
"""

from __future__ import annotations

import ast
import csv
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np

from tonotope.errors import PathError
from tonotope.features.stft import Float32Array
from tonotope.features.tables import table_columns
from tonotope.training.clips import Clip
from tonotope.training.datasets.base import (
    ClipList,
    DataSet,
    counted,
    files_in,
    folders_in,
    printable,
)

__all__ = ["SIZES", "Fma", "Genre", "features", "genre_tree"]

SIZES: Mapping[str, int] = {"small": 8000, "medium": 25000, "large": 106574, "full": 106574}
"""How many tracks each size has."""

ARCHIVE_SHA1: Mapping[str, str] = {
    "fma_metadata.zip": "f0df49ffe5f2a6008d7dc83c6915b31835dfe733",
    "fma_small.zip": "ade154f733639d52e35e32f5593efe5be76c6d70",
    "fma_medium.zip": "c67b69ea232021025fca9231fc1c7c1a063ab50b",
    "fma_large.zip": "497109f4dd721066b5ce5e5f250ec604dc78939e",
    "fma_full.zip": "0f0ace23fbe9ba30ecb7e95f763e435ea802b8ab",
}
"""SHA-1 of the archives, as published."""

# Track ids, in the archives of 30 s clips (small, medium and large).
_WITHOUT_SOUND = frozenset(
    {
        1486, 5574, 65753, 80391, 98558, 98559, 98560, 98571, 99134, 105247, 108925, 126981,
        127336, 133297, 143992,
    }
)  # fmt: skip
_SHORT = frozenset({98565, 98566, 98567, 98568, 98569, 108924})

_PARTS = {"training": "train", "validation": "valid", "test": "test"}
_COLUMNS = (
    ("set", "split"),
    ("set", "subset"),
    ("track", "genre_top"),
    ("track", "genres_all"),
    ("track", "title"),
    ("artist", "id"),
    ("artist", "name"),
)
# Artists write their own biographies: longer fields than the csv module takes by default.
_LONGEST_FIELD = 10_000_000


@dataclass(frozen=True, slots=True)
class Genre:
    """A genre in the tree.

    Attributes
    ----------
    id, title
        Its number and name.
    parent
        The number of the genre above it; 0 for a root.
    top_level
        The number of the root it is under; its own for a root.
    """

    id: int
    title: str
    parent: int
    top_level: int


class Fma(DataSet):
    """FMA of one size; ``genre`` is the root genre, ``genres`` all of a track's genres.

    Parameters
    ----------
    size
        One of `SIZES`.
    """

    citation = (
        "M. Defferrard, K. Benzi, P. Vandergheynst and X. Bresson, FMA: a dataset for music "
        "analysis, ISMIR 2017, arXiv:1612.01840"
    )
    licence = "tables: CC BY 4.0; audio: a Creative Commons licence of each artist's choice"
    url = "https://github.com/mdeff/fma"

    def __init__(self, size: str) -> None:
        self.size = size
        self.name = f"fma-{size}"
        self.title = f"FMA {size}"
        self.layout = f"fma_{size}/000/000002.mp3 and fma_metadata/tracks.csv and genres.csv"
        self.n_clips = SIZES[size]

    def clips(self, root: Path) -> ClipList:
        """Return the clips below a folder; see `DataSet.clips`."""
        top = self.absolute(root)
        problems: list[str] = []
        tracks = self._tracks(top, problems)
        files = self._files(top)
        if not files:
            raise self.nothing_in(root)
        wanted = {clip.name for clip in tracks}
        problems += counted(sorted(wanted - files.keys()), len(wanted), "audio files")
        silent = [] if self.size == "full" else [f"{n:06d}" for n in sorted(_WITHOUT_SOUND)]
        if known := [name for name in silent if name in wanted & files.keys()]:
            problems.append(
                f"{len(known)} clips are known to hold no sound and are left out: "
                f"{', '.join(known)}"
            )
        clips = [
            replace(clip, path=str(files[clip.name]))
            for clip in tracks
            if clip.name in files and clip.name not in silent
        ]
        if not clips:
            raise self.nothing_in(root)
        return ClipList(tuple(clips), tuple(problems))

    def tracks_of(self, root: Path) -> ClipList:
        """Return all tracks of this size without looking for audio: the rows of `features`.

        Raises
        ------
        PathError
            If the tables are not there or cannot be read.
        """
        problems: list[str] = []
        return ClipList(self._tracks(self.absolute(root), problems), tuple(problems))

    def _tracks(self, root: Path, problems: list[str]) -> tuple[Clip, ...]:
        titles = {genre.id: genre.title for genre in genre_tree(root).values()}
        sizes = list(SIZES)[: list(SIZES).index(self.size) + 1]
        rows: list[tuple[int, dict[tuple[str, str], str]]] = []
        with _table(root, "tracks.csv") as (header, body, broken):
            try:
                places = {column: header.index(column) for column in _COLUMNS}
            except ValueError as error:
                raise broken(f"it lacks a column: {error}") from error
            for number, cells in body:
                row = {column: cells[place].strip() for column, place in places.items()}
                if row["set", "subset"] in sizes:
                    rows.append((number, row))
            try:
                clips = self._clips_of(rows, titles)
            except (ValueError, SyntaxError, TypeError) as error:
                raise broken(f"it has a wrong list of genres: {error}") from error
        if len(clips) != self.n_clips:
            problems.append(f"tracks.csv has {len(clips)} of {self.n_clips} tracks of {self.title}")
        if without := sum(not clip.genre for clip in clips):
            problems.append(
                f"{without} of {len(clips)} tracks have genres of several roots or none, so that "
                "they have no single label"
            )
        return clips

    def _clips_of(
        self, rows: Sequence[tuple[int, dict[tuple[str, str], str]]], titles: Mapping[int, str]
    ) -> tuple[Clip, ...]:
        # Two artists may have one name; what tells them apart must be in it, or they would be
        # one artist on two sides of the official split.
        ids: dict[str, set[str]] = defaultdict(set)
        for _, row in rows:
            ids[_artist_key(row)].add(row["artist", "id"])
        clips = []
        for number, row in sorted(rows, key=lambda item: item[0]):
            artist, artist_id = row["artist", "name"], row["artist", "id"]
            genres = ast.literal_eval(row["track", "genres_all"] or "[]")
            is_short = number in _SHORT and self.size != "full"
            clips.append(
                Clip(
                    name=f"{number:06d}",
                    genre=row["track", "genre_top"],
                    split=_PARTS.get(row["set", "split"], ""),
                    artist=f"{artist} ({artist_id})" if len(ids[_artist_key(row)]) > 1 else artist,
                    title=printable(row["track", "title"]),
                    genres=tuple(sorted({titles.get(int(g), str(g)) for g in genres})),
                    flags=("shorter than 30 s",) if is_short else (),
                )
            )
        return tuple(clips)

    def _files(self, root: Path) -> dict[str, Path]:
        """Return the audio files by name."""
        # The clips of small are in the archives of medium and large, too; full's are longer.
        larger = list(SIZES)[list(SIZES).index(self.size) : -1] or ["full"]
        folders = [root / f"fma_{size}" for size in larger]
        for folder in (*folders, *(folder / folder.name for folder in folders), root):
            if folder.is_dir():
                inner = [f for f in folders_in(folder) if len(f.name) == 3 and f.name.isdigit()]
                if files := {path.stem: path for f in inner for path in files_in(f)}:
                    return files
        return {}


def _artist_key(row: Mapping[tuple[str, str], str]) -> str:
    return " ".join(row["artist", "name"].casefold().split())


def genre_tree(root: Path) -> dict[int, Genre]:
    """Return the genres of ``genres.csv`` by number.

    Parameters
    ----------
    root
        Where FMA was unpacked.

    Raises
    ------
    PathError
        If the table is not there or cannot be read, or a genre's parent is not in it.
    """
    path = _metadata(root, "genres.csv")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            tree = {
                int(row["genre_id"]): Genre(
                    int(row["genre_id"]), row["title"], int(row["parent"]), int(row["top_level"])
                )
                for row in csv.DictReader(file)
            }
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, ValueError, TypeError) as error:
        raise _broken(path, _reason(error)) from error
    for genre in tree.values():
        if (genre.parent and genre.parent not in tree) or genre.top_level not in tree:
            raise _broken(path, f"genre {genre.id} is under one that is not there")
    return tree


def features(root: Path) -> tuple[tuple[str, ...], tuple[str, ...], Float32Array]:
    """Return the features that come with FMA, computed by librosa on the whole tracks.

    Parameters
    ----------
    root
        Where FMA was unpacked.

    Returns
    -------
    names
        The tracks, as `Fma` names its clips.
    columns
        Those of the table ``fma518``; see `tonotope.features.tables.table_columns`.
    numbers
        Shape (n_tracks, 518), float32: 220 MB for all 106 574, and twice that while they are read.

    Raises
    ------
    PathError
        If the table is not there or cannot be read, or has other columns.
    """
    columns = table_columns("fma518")
    names: list[str] = []
    rows: list[Float32Array] = []
    with _table(root, "features.csv") as (header, body, broken):
        found = ["_".join(levels) for levels in header]
        if missing := set(columns) - set(found):
            raise broken(f"it lacks {len(missing)} columns, such as {min(missing)}")
        order = [found.index(column) for column in columns]
        for number, cells in body:
            try:
                row = np.fromiter((float(cells[place]) for place in order), np.float32, len(order))
            except ValueError as error:
                raise broken(f"track {number}: {error}") from error
            names.append(f"{number:06d}")
            rows.append(row)
    return tuple(names), columns, np.stack(rows)


_Body = Iterator[tuple[int, list[str]]]
_Header = list[tuple[str, ...]]


@contextmanager
def _table(root: Path, name: str) -> Iterator[tuple[_Header, _Body, Callable[[str], PathError]]]:
    """Open a table whose columns have names of several levels, a row each.

    Below these is a row with the name of the first column alone. Gives the columns' names, the
    rows by track, and the error that says what is wrong with it.
    """
    path = _metadata(root, name)

    def broken(reason: str) -> PathError:
        return _broken(path, reason)

    limit = csv.field_size_limit(_LONGEST_FIELD)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.reader(file)
            levels: list[list[str]] = []
            first: list[str] = []
            for first in rows:
                if first and first[0].isdigit():
                    break
                levels.append(first)
            else:
                raise broken("it has no tracks")
            header = list(zip(*levels[:-1], strict=False))
            yield header, _body(first, rows, len(header), broken), broken
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise broken(_reason(error)) from error
    finally:
        csv.field_size_limit(limit)


def _body(
    first: list[str], rows: Iterator[list[str]], width: int, broken: Callable[[str], PathError]
) -> _Body:
    for cells in chain([first], filter(None, rows)):
        if len(cells) != width or not cells[0].isdigit():
            raise broken(f"the row that begins with '{cells[0][:20]}' has {len(cells)} cells")
        yield int(cells[0]), cells


def _metadata(root: Path, name: str) -> Path:
    folders = ("fma_metadata", "", "fma_metadata/fma_metadata", "../fma_metadata")
    for folder in folders:
        if (path := root / folder / name).is_file():
            return path
    raise PathError(
        f"cannot read FMA from '{root}': there is no fma_metadata/{name}. "
        "Unpack fma_metadata.zip there."
    )


def _broken(path: Path, reason: str) -> PathError:
    return PathError(f"cannot read '{path}': {reason}. Unpack fma_metadata.zip again.")


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    if isinstance(error, KeyError):
        return f"it has no column {error}"
    return printable(str(error))
