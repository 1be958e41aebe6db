"""What runs in a worker process: one file becomes a row, or a file of frames."""

from __future__ import annotations

import dataclasses
import errno
import json
import math
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tonotope.audio import AudioInfo, decode
from tonotope.extraction.formats import spell_path
from tonotope.features import Descriptors
from tonotope.features.stft import HOP_LENGTH, SAMPLE_RATE_HZ, Float32Array
from tonotope.features.stream import DescriptorStream
from tonotope.features.tables import table_features, table_row
from tonotope.files import replacing
from tonotope.library.workers import Failure

__all__ = ["Described", "FrameFile", "OutOfSpace", "Written", "describe", "write_frames"]

# What ends a run, because it would meet every other file as well.
_OUT_OF_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


@dataclass(frozen=True, slots=True, eq=False)
class Described:
    """A recording and its numbers."""

    audio_id: str
    duration_s: float
    numbers: Float32Array


@dataclass(frozen=True, slots=True)
class Written:
    """A recording whose frames were written."""

    duration_s: float


@dataclass(frozen=True, slots=True)
class OutOfSpace:
    """Nothing can be written any more."""

    reason: str


@dataclass(frozen=True, slots=True)
class FrameFile:
    """What is to be written of a track.

    Attributes
    ----------
    target
        The file.
    scratch
        A folder in the same file system, for what is not finished yet.
    features
        The descriptors.
    version
        Of their families.
    """

    target: Path
    scratch: Path
    features: tuple[str, ...]
    version: str


def describe(path: str, *, table: str | Sequence[str]) -> Described:
    """Return a file's row of a table.

    Raises
    ------
    DecodeError
        If the file gives no sound.
    """
    described, audio = _listen(path, table_features(table), keep_frames=False)
    return Described(audio.audio_id, audio.duration_s, table_row(described, table))


def write_frames(path: str, *, file: FrameFile) -> Written | OutOfSpace | Failure:
    """Write the descriptors of a file, frame by frame, as ``.npz``.

    Returns
    -------
    Written | OutOfSpace | Failure
        A failure where this file of frames cannot be written, though others may.

    Raises
    ------
    DecodeError
        If the file gives no sound.
    """
    obstacle = _obstacle(file.target)
    if obstacle is not None:  # before minutes are spent on it
        return obstacle
    described, audio = _listen(path, file.features, keep_frames=True)
    arrays: dict[str, NDArray[Any]] = {
        "path": np.array(spell_path(path)),
        "audio_id": np.array(audio.audio_id),
        "duration_s": np.array(audio.duration_s),
        "version": np.array(file.version),
        "sample_rate_hz": np.array(SAMPLE_RATE_HZ),
        "hop_length": np.array(HOP_LENGTH),
        "times_s": described.times_s,
    }
    for name in file.features:
        arrays |= _arrays_of(name, described[name])
    try:
        _save(arrays, file)
    except OSError as error:
        if error.errno in _OUT_OF_SPACE:
            return OutOfSpace(os.strerror(error.errno))
        return _cannot_write(file.target, os.strerror(error.errno or 0))
    return Written(audio.duration_s)


def _listen(
    path: str, features: tuple[str, ...], *, keep_frames: bool
) -> tuple[Descriptors, AudioInfo]:
    stream = DescriptorStream(features, keep_frames=keep_frames)
    with decode(path) as blocks:
        for block in blocks:
            stream.push(block)
        stream.finish()
        return stream.result(), blocks.info


def _obstacle(target: Path) -> Failure | None:
    """Return what is in the way of a file of frames."""
    try:
        is_in_the_way = not stat.S_ISREG(target.stat().st_mode)
    except FileNotFoundError:
        return None
    except OSError as error:
        return _cannot_write(target, os.strerror(error.errno or 0))
    if is_in_the_way:
        return _cannot_write(target, "there is a folder, or no ordinary file, of that name")
    return None


def _cannot_write(target: Path, reason: str) -> Failure:
    return Failure(f"cannot write '{target}': {reason}", "Rename what is in the way.")


def _save(arrays: Mapping[str, Any], file: FrameFile) -> None:
    file.target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.scratch / f".{os.getpid()}.part"
    with replacing(file.target, unfinished), unfinished.open("wb") as opened:
        np.savez(opened, **arrays)


def _arrays_of(name: str, value: Any) -> dict[str, NDArray[Any]]:
    """Return a descriptor as arrays by name.

    A record, and what is unknown, is JSON under the descriptor's name; arrays in a record have
    names of their own, ``level.momentary_lufs``.
    """
    if isinstance(value, (np.ndarray, np.generic, int, float)):
        return {name: np.asarray(value)}
    fields = _fields(value)
    if fields is None:
        return {name: np.array(json.dumps(_plain(value)))}
    arrays = {field: of for field, of in fields.items() if isinstance(of, np.ndarray)}
    record = {field: _plain(of) for field, of in fields.items() if field not in arrays}
    named = {f"{name}.{field}": of for field, of in arrays.items()}
    return {name: np.array(json.dumps(record)), **named}


def _fields(value: Any) -> dict[str, Any] | None:
    """Return a record's fields and properties; None for what is no record."""
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value)]
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        names = list(value._fields)
    else:
        return None
    names += [name for name, of in vars(type(value)).items() if isinstance(of, property)]
    return {name: getattr(value, name) for name in names}


def _plain(value: Any) -> Any:
    """Return what JSON has for a value; null for what is no finite number."""
    fields = _fields(value)
    if fields is not None:
        return {name: _plain(of) for name, of in fields.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
