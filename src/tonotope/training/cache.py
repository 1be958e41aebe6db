"""The spectrogram cache: a data set's log-mel spectrograms in one array on disk.

A folder of two files. ``mel.npy``: uint8, shape (n_clips, 128, n_columns), where
``dB = v / 255 * 80 - 80`` is what `tonotope.models.frontend.gtzan_mel` gives. ``clips.csv``: a row
per clip, columns ``clip, genre`` and, where known, ``split, artist, title, recording, genres``
(``genres`` with ``|`` between them); others may hold numbers to be learned.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tonotope.errors import InputError, PathError
from tonotope.features.stft import Float32Array
from tonotope.training.clips import PARTS, Clip, labels_of

__all__ = [
    "CLIPS_FILE",
    "DEPTH_DB",
    "MEL_FILE",
    "N_BANDS",
    "Cache",
    "decibels",
    "numbers_of",
    "read_cache",
]

MEL_FILE = "mel.npy"
CLIPS_FILE = "clips.csv"
N_BANDS = 128
DEPTH_DB = 80.0

_REQUIRED = ("clip", "genre")


@dataclass(frozen=True, slots=True)
class Cache:
    """A data set's clips and spectrograms.

    Attributes
    ----------
    folder
        Where it lies.
    clips
        In the order of the rows.
    mel
        Memory-mapped, uint8, shape (n_clips, 128, n_columns).
    """

    folder: Path
    clips: tuple[Clip, ...]
    mel: NDArray[np.uint8]

    @property
    def labels(self) -> tuple[str, ...]:
        """The genres, in alphabetical order."""
        return labels_of(self.clips)

    @property
    def n_columns(self) -> int:
        """How many columns a clip has; 333 are 30 s."""
        return int(self.mel.shape[2])


def decibels(mel: NDArray[np.uint8]) -> Float32Array:
    """Return the log-mel spectrograms of some rows, time first.

    Parameters
    ----------
    mel
        Shape (..., 128, n_columns), uint8.

    Returns
    -------
    ndarray
        Shape (..., n_columns, 128), float32, dB from -80 to 0: what the networks take.
    """
    log_mel = np.ascontiguousarray(np.swapaxes(mel, -1, -2)).astype(np.float32)
    log_mel *= np.float32(DEPTH_DB / 255)
    log_mel -= np.float32(DEPTH_DB)
    return log_mel


def read_cache(folder: Path) -> Cache:
    """Open a cache; its spectrograms stay on disk.

    Raises
    ------
    PathError
        If a file is missing or cannot be read, or they do not belong together.
    """
    mel_path, clips_path = folder / MEL_FILE, folder / CLIPS_FILE
    try:
        mel = np.load(mel_path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise _broken(mel_path, error) from error
    try:
        with clips_path.open(newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            missing = [name for name in _REQUIRED if name not in (rows.fieldnames or ())]
            if missing:
                raise PathError(
                    f"cannot use cache '{clips_path}': it has no column {missing[0]!r}. "
                    "Make it with: tonotope prepare"
                )
            clips = tuple(_clip(row) for row in rows)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _broken(clips_path, error) from error
    if mel.dtype != np.uint8 or mel.ndim != 3 or mel.shape[1] != N_BANDS:
        raise PathError(
            f"cannot use cache '{mel_path}': it is {mel.dtype} of shape {mel.shape}, expected "
            f"uint8 of shape (clips, {N_BANDS}, columns). Make it with: tonotope prepare"
        )
    if len(mel) != len(clips):
        raise PathError(
            f"cannot use cache '{folder}': {MEL_FILE} has {len(mel)} rows and {CLIPS_FILE} "
            f"{len(clips)}. Make it anew with: tonotope prepare"
        )
    return Cache(folder, clips, mel)


def numbers_of(cache: Cache, column: str) -> Float32Array:
    """Return a column of numbers of a cache's ``clips.csv``.

    Returns
    -------
    ndarray
        Shape (n_clips,), float32; NaN where a cell is empty or not finite.

    Raises
    ------
    InputError
        If there is no such column.
    PathError
        If the file cannot be read, or has something else than numbers there.
    """
    path = cache.folder / CLIPS_FILE
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            if column not in (rows.fieldnames or ()):
                raise InputError(
                    f"'{path}' has no column {column!r} (it has: "
                    f"{', '.join(rows.fieldnames or ())}). Add it, or name a table that has it: "
                    "--targets TABLE"
                )
            cells = [(row.get(column) or "").strip() for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _broken(path, error) from error
    numbers = np.full(len(cells), np.nan)
    for k, cell in enumerate(cells):
        try:
            numbers[k] = float(cell or "nan")
        except ValueError:
            raise PathError(
                f"'{path}' has {cell!r} for clip '{cache.clips[k].name}' in column {column!r}, "
                "which is no number. Leave the cell empty where it is unknown."
            ) from None
    with np.errstate(over="ignore"):
        small = numbers.astype(np.float32)
    small[~np.isfinite(small)] = np.nan
    return small


def _clip(row: dict[str, str | None]) -> Clip:
    def value(column: str) -> str:
        return (row.get(column) or "").strip()

    split = value("split")
    return Clip(
        name=value("clip"),
        genre=value("genre"),
        split=split if split in PARTS else "",
        artist=value("artist"),
        title=value("title"),
        recording=value("recording"),
        genres=tuple(filter(None, value("genres").split("|"))),
    )


def _broken(path: Path, error: Exception) -> PathError:
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return PathError(
        f"cannot read cache '{path}': {reason}. A cache is a folder with {MEL_FILE} and "
        f"{CLIPS_FILE}; make one with: tonotope prepare"
    )
