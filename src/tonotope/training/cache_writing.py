"""A spectrogram cache while it is made, and how it is brought up to date.

Rows that are finished lie one after the other in ``mel.part``, and ``sources.part`` has a line of
JSON for each file they were made of: whatever ends a run costs the files it was at. When all is
done, the files of the cache are written as ``*.new`` and then take their places; ``clips.csv.new``
appears last, and once it is there, whoever comes next brings the exchange to its end.
"""

from __future__ import annotations

import csv
import io
import json
import os
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from tonotope.errors import PathError
from tonotope.files import cannot_write, locked_file, replacing, write_all
from tonotope.models.frontend import N_COLUMNS
from tonotope.training.cache import CLIPS_FILE, MEL_FILE, N_BANDS
from tonotope.training.clip_rows import ClipRows
from tonotope.training.clips import Clip

__all__ = ["ABOUT_FILE", "SOURCES_FILE", "CacheWriter", "HeldRows", "Made"]

ABOUT_FILE = "cache.toml"
SOURCES_FILE = "sources.jsonl"

_MEL_PART = "mel.part"
_SOURCES_PART = "sources.part"
_NEW = ".new"
_ROW_SHAPE = (N_BANDS, N_COLUMNS)
_ROW_BYTES = N_BANDS * N_COLUMNS
_CSV_COLUMNS = ("clip", "genre", "split", "artist", "title", "recording", "genres", "flags")
_OWN_FILES = frozenset({ABOUT_FILE, SOURCES_FILE, MEL_FILE, CLIPS_FILE, _MEL_PART, _SOURCES_PART})


@dataclass(frozen=True, slots=True)
class Made:
    """What rows were made of.

    Attributes
    ----------
    path
        The file's path or URL.
    state
        What tells whether it was written to since.
    audio_id
        The recording that was heard.
    version
        What made the rows; equal versions make equal rows of a recording.
    n_rows
        How many there are.
    checksum
        CRC-32 of the rows: after a power cut a file may have holes.
    """

    path: str
    state: str
    audio_id: str
    version: str
    n_rows: int
    checksum: int


@dataclass(frozen=True, slots=True, eq=False)
class HeldRows:
    """Rows that there are.

    Attributes
    ----------
    made
        What they were made of.
    mel
        All rows of the cache they are in; None for those in ``mel.part``, which grows.
    first
        Where among these they begin.
    """

    made: Made
    mel: NDArray[np.uint8] | None
    first: int


class CacheWriter:
    """A cache's folder, open and locked while it is entered.

    Parameters
    ----------
    folder
        Made where there is none. It must be empty, or a cache of the same data set that a run like
        this one made.
    out
        The cache as the person named it.
    about
        What ``cache.toml`` says, by key; another ``dataset`` there is refused.
    versions
        What may have made the rows that are kept.

    Raises
    ------
    PathError
        On entering, if the folder cannot be written, is another run's at this moment, or holds
        anything else.
    """

    def __init__(
        self, folder: Path, out: str, about: dict[str, str | int], versions: Iterable[str]
    ) -> None:
        self._folder = folder
        self._out = out
        self._about = about
        self._versions = frozenset(versions)
        self._by_path: dict[str, HeldRows] = {}
        self._by_audio_id: dict[str, HeldRows] = {}
        self._n_part_rows = 0
        self._is_open = False

    def __enter__(self) -> Self:
        self._is_new_folder = not os.path.lexists(self._folder)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._refuse_others()
        except OSError as error:
            raise cannot_write(self._out, error) from error
        self._lock = locked_file(self._folder / _SOURCES_PART, self._out)
        self._journal: FileIO = self._lock.__enter__()
        try:
            self._exchange()
            self._refuse_another_data_set()
            if not (self._folder / ABOUT_FILE).exists():
                self._write(ABOUT_FILE, _toml(self._about).encode())
            self._open()
        except BaseException as error:
            self._leave()
            if isinstance(error, OSError):
                raise cannot_write(self._out, error) from error
            raise
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._mel.close()
        self._leave()

    def kept(self, path: str, state: str) -> HeldRows | None:
        """Return what there is of a file that has not been written to."""
        held = self._by_path.get(path)
        return held if held is not None and held.made.state == state else None

    def same(self, audio_id: str) -> HeldRows | None:
        """Return what there is of a recording, whatever file it was in."""
        return self._by_audio_id.get(audio_id)

    @property
    def has_rows(self) -> bool:
        """Whether there are any rows yet."""
        return bool(self._by_path)

    def append(self, path: str, state: str, version: str, rows: ClipRows) -> HeldRows:
        """Keep the rows of a file; they are safe when this returns.

        Raises
        ------
        PathError
            If they cannot be written.
        """
        content = rows.mel.tobytes()
        made = Made(path, state, rows.audio_id, version, len(rows.mel), zlib.crc32(content))
        try:
            write_all(self._mel, content)
            write_all(self._journal, json.dumps(asdict(made)).encode() + b"\n")
        except OSError as error:
            raise PathError(
                f"cannot write '{self._out}': {error.strerror}. What was finished before is kept: "
                "mend that and run the same command again."
            ) from error
        held = self._hold(made, None, self._n_part_rows)
        self._n_part_rows += made.n_rows
        return held

    def finish(self, clips: Sequence[tuple[Clip, str, HeldRows]]) -> int:
        """Make the cache of these clips and no others; return how many rows it has.

        Parameters
        ----------
        clips
            Each with the state its file is in now, and with what was made of it or of another file
            with the same recording.

        Raises
        ------
        PathError
            If it cannot be written; all rows are kept.
        """
        held = [rows for _, _, rows in clips]
        n_rows = sum(of.made.n_rows for of in held)
        sources = [
            asdict(rows.made) | {"path": clip.path, "state": state} for clip, state, rows in clips
        ]
        lines = "".join(json.dumps(source) + "\n" for source in sources)
        try:
            if not self._is_in_place(held):
                self._write_rows(held, n_rows)
            self._write(SOURCES_FILE + _NEW, lines.encode())
            self._write(ABOUT_FILE + _NEW, _toml(self._about | {"rows": n_rows}).encode())
            self._write(CLIPS_FILE + _NEW, _clips_csv(clips).encode("utf-8", "backslashreplace"))
            self._exchange()
        except OSError as error:
            raise cannot_write(self._out, error) from error
        self._n_part_rows = 0  # what there was of them is in the cache
        return n_rows

    def _is_in_place(self, held: Sequence[HeldRows]) -> bool:
        """Whether the rows of the cache that there is are just these in just this order."""
        first = 0
        for of in held:
            if of.mel is None or of.first != first:
                return False
            first += of.made.n_rows
        return held[0].mel is not None and len(held[0].mel) == first

    def _write_rows(self, held: Sequence[HeldRows], n_rows: int) -> None:
        target = self._folder / (MEL_FILE + _NEW)
        part = self._part_rows()
        with replacing(target, target.with_suffix(".unfinished")) as unfinished:
            mel = open_memmap(unfinished, "w+", np.uint8, (n_rows, *_ROW_SHAPE))
            first = 0
            for of in held:
                rows = part if of.mel is None else of.mel
                mel[first : first + of.made.n_rows] = rows[of.first : of.first + of.made.n_rows]
                first += of.made.n_rows
            mel.flush()
            del mel

    def _part_rows(self) -> NDArray[np.uint8]:
        if not self._n_part_rows:
            return np.empty((0, *_ROW_SHAPE), np.uint8)
        shape = (self._n_part_rows, *_ROW_SHAPE)
        return np.memmap(self._folder / _MEL_PART, np.uint8, "r", shape=shape)

    def _open(self) -> None:
        """Take over the rows of the cache, and those of the part that are whole."""
        if (self._folder / CLIPS_FILE).exists():
            self._take_over_cache()
        descriptor = os.open(
            self._folder / _MEL_PART, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666
        )
        self._mel = FileIO(descriptor, "r+")
        end = 0
        for line in self._journal.readall().splitlines(keepends=True):
            made = _parse(line)
            if made is None:
                break
            content = self._mel.read(made.n_rows * _ROW_BYTES)
            if zlib.crc32(content) != made.checksum:
                break
            end += len(line)
            self._hold(made, None, self._n_part_rows)
            self._n_part_rows += made.n_rows
        self._journal.truncate(end)
        self._journal.seek(end)
        self._mel.truncate(self._n_part_rows * _ROW_BYTES)
        self._mel.seek(self._n_part_rows * _ROW_BYTES)
        self._is_open = True

    def _take_over_cache(self) -> None:
        try:
            mel = np.load(self._folder / MEL_FILE, mmap_mode="r", allow_pickle=False)
            lines = (self._folder / SOURCES_FILE).read_bytes().splitlines(keepends=True)
        except (OSError, ValueError, EOFError):
            return
        sources = [made for made in map(_parse, lines) if made is not None]
        n_rows = sum(made.n_rows for made in sources)
        if mel.shape != (n_rows, *_ROW_SHAPE) or mel.dtype != np.uint8:
            return
        first = 0
        for made in sources:
            self._hold(made, mel, first)
            first += made.n_rows

    def _hold(self, made: Made, mel: NDArray[np.uint8] | None, first: int) -> HeldRows:
        held = HeldRows(made, mel, first)
        if made.version in self._versions:
            self._by_path[made.path] = held
            self._by_audio_id[made.audio_id] = held
        return held

    def _exchange(self) -> None:
        """Put the new files in their places if all are there; else remove what there is of them."""
        news = [self._folder / (name + _NEW) for name in (MEL_FILE, SOURCES_FILE, ABOUT_FILE)]
        clips = self._folder / (CLIPS_FILE + _NEW)
        if not clips.exists():
            for new in news:
                new.unlink(missing_ok=True)
            return
        # Whoever reads meanwhile is told that there is no cache, and no wrong one.
        (self._folder / CLIPS_FILE).unlink(missing_ok=True)
        for new in news:
            with suppress(FileNotFoundError):  # in its place already
                new.replace(new.with_suffix(""))
        clips.replace(self._folder / CLIPS_FILE)

    def _write(self, name: str, content: bytes) -> None:
        target = self._folder / name
        with replacing(target, target.with_name(name + ".unfinished")) as unfinished:
            unfinished.write_bytes(content)

    def _refuse_others(self) -> None:
        names = {path.name for path in self._folder.iterdir()}
        is_ours = bool(names & {ABOUT_FILE, _SOURCES_PART})
        strange = {name for name in names if not name.endswith((_NEW, ".unfinished"))} - _OWN_FILES
        if names and (strange or not is_ours):
            named = min(strange) if strange else min(names)
            raise PathError(
                f"'{self._out}' holds '{named}', which no run of this kind made. Name a new or an "
                "empty folder with --out."
            )

    def _refuse_another_data_set(self) -> None:
        try:
            text = (self._folder / ABOUT_FILE).read_text("utf-8")
        except FileNotFoundError:
            return
        line = f"dataset = {json.dumps(self._about['dataset'])}"
        if line not in text.splitlines():
            raise PathError(
                f"'{self._out}' is a cache of another data set. Name another folder with --out."
            )

    def _leave(self) -> None:
        """Remove what is of no use, and unlock the folder.

        The journal, which is the lock, goes last: from then on all here may be another run's.
        """
        is_cache = (self._folder / CLIPS_FILE).exists()
        if self._is_open and not self._n_part_rows:
            (self._folder / _MEL_PART).unlink(missing_ok=True)
            if not is_cache:
                (self._folder / ABOUT_FILE).unlink(missing_ok=True)
            (self._folder / _SOURCES_PART).unlink(missing_ok=True)
            if self._is_new_folder:
                with suppress(OSError):  # it is not empty
                    self._folder.rmdir()
        elif is_cache and os.fstat(self._journal.fileno()).st_size == 0:
            (self._folder / _SOURCES_PART).unlink(missing_ok=True)
        self._lock.__exit__(None, None, None)


def _parse(line: bytes) -> Made | None:
    """Return what a line says; None where it was torn."""
    if not line.endswith(b"\n"):
        return None
    try:
        return Made(**json.loads(line))
    except (ValueError, TypeError):
        return None


def _clips_csv(clips: Sequence[tuple[Clip, str, HeldRows]]) -> str:
    """Return the table of the rows; those of one track share its recording."""
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(_CSV_COLUMNS)
    for clip, _, held in clips:
        # What the data set says is one recording may be two encodings of it.
        recording = clip.recording or held.made.audio_id
        lists = [
            "|".join(item.replace("|", "/") for item in of) for of in (clip.genres, clip.flags)
        ]
        for number in range(1, held.made.n_rows + 1):
            name = clip.name if number == 1 else f"{clip.name}#{number}"
            table.writerow(
                [name, clip.genre, clip.split, clip.artist, clip.title, recording, *lists]
            )
    return text.getvalue()


def _toml(about: dict[str, str | int]) -> str:
    # What JSON writes of a text or a whole number is TOML as well.
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in about.items())
