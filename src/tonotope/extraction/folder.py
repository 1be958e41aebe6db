"""One file of frames per track, in a folder that mirrors those the music lies in."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np

from tonotope.audio import AudioIdentity
from tonotope.errors import InputError, PathError
from tonotope.extraction.formats import is_table_name
from tonotope.extraction.run import ExtractionSummary, FileRun, OnProgress, check_paths
from tonotope.extraction.sets import frame_features, version_of
from tonotope.extraction.worker import FrameFile, OutOfSpace, Written, write_frames
from tonotope.features import DESCRIPTORS
from tonotope.features.stft import HOP_LENGTH, SAMPLE_RATE_HZ
from tonotope.files import cannot_write, locked_file, write_all
from tonotope.library.workers import MEMORY_BYTES

__all__ = ["extract_frames"]

_DESCRIPTION = "frames.json"

# All frames of a track are held until they are written: 0.2 GB an hour of what is usual, several
# times that of whole spectra.
_MEMORY_BYTES = 4 * MEMORY_BYTES


def extract_frames(
    paths: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    features: str | Sequence[str] | None = None,
    *,
    jobs: int | None = None,
    nice: int = 0,
    on_progress: OnProgress | None = None,
) -> ExtractionSummary:
    """Write a file of frames, ``.npz``, for each audio file in folders.

    Each appears at once and whole. One that is there is kept where recording and version are the
    same. Files of tracks that are gone stay.

    Each has the arrays per frame by the names of the descriptors, time first, and ``times_s``;
    what there is one of per track as a number, an array or, for records, JSON; and ``path``,
    ``audio_id``, ``duration_s``, ``version``, ``sample_rate_hz`` and ``hop_length``.

    Parameters
    ----------
    paths
        Folders, walked with all their subfolders, and files.
    out
        The folder, made where there is none. It mirrors what lies below the folder that all of
        `paths` shared in the first run: ``<out>/Artist/Album/01.mp3.npz``. Beside them
        ``frames.json`` names that folder, ``root``, and says what the descriptors are.
    features
        Names of descriptors, or the name of a table for what it is made of; all that are not on
        request by default.
    jobs, nice, on_progress
        As for `extract_table`.

    Raises
    ------
    InputError, PathError, LibraryError, KeyboardInterrupt
        As for `extract_table`; a folder that holds anything else is refused, and so are paths
        that lie outside the ``root`` of the folder.
    """
    wanted = frame_features(features)
    name = os.fspath(out)
    listened = check_paths(paths)
    with _folder(name) as (folder, description):
        root = _agree(description, name, wanted, listened)
        frames = _FrameFiles(folder, root, wanted)
        run = FileRun(listened, frames, on_progress)
        try:
            run.execute(jobs=jobs, nice=nice, memory_bytes=_MEMORY_BYTES)
        finally:
            for left_over in folder.glob(".*.part"):
                left_over.unlink(missing_ok=True)
            if not _others(folder):  # no music yet that it would mirror
                (folder / _DESCRIPTION).unlink(missing_ok=True)
        return run.summary(columns=len(wanted), out=name)


class _FrameFiles:
    """The files of frames, by their paths."""

    def __init__(self, folder: Path, root: str, features: tuple[str, ...]) -> None:
        self._folder = folder
        self._root = root
        self._features = features
        self._version = version_of(features)

    def key(self, path: str, identity: AudioIdentity) -> str:
        # The whole name and a suffix more: song.mp3 and song.flac are two files.
        return f"{self._folder / os.path.relpath(path, self._root)}.npz"

    def has(self, key: str, identity: AudioIdentity) -> bool:
        if not os.path.isfile(key):  # noqa: PTH113 - never raises, never waits for a pipe
            return False
        try:
            with Path(key).open("rb") as file, np.load(file, allow_pickle=False) as held:
                made_of = [str(held[name]) for name in ("audio_id", "version")]
        except Exception:  # whatever the readers of zip and .npy come across in damaged bytes
            return False
        return made_of == [identity.audio_id, self._version]

    def task(self, key: str) -> Callable[[str], Any]:
        file = FrameFile(Path(key), self._folder, self._features, self._version)
        return partial(write_frames, file=file)

    def put(self, key: str, result: Written | OutOfSpace) -> str:
        if isinstance(result, OutOfSpace):
            raise PathError(
                f"cannot write '{key}': {result.reason}. What was written before is complete: "
                "mend that and run the same command again."
            )
        return key


def _shared_folder(paths: Sequence[str]) -> str:
    """Return the deepest folder that all folders and files lie in."""
    return os.path.commonpath(
        [path if os.path.isdir(path) else os.path.dirname(path) for path in paths]  # noqa: PTH112, PTH120
    )


@contextmanager
def _folder(name: str) -> Iterator[tuple[Path, FileIO]]:
    """Make the folder, or check that it is one of frames; open and lock its description."""
    if is_table_name(name):
        raise InputError(f"'{name}' is the name of a table. With --frames, name a folder.")
    folder = Path(os.path.realpath(os.path.expanduser(name)))  # noqa: PTH111 - never raises
    if not os.path.isdir(folder.parent):  # noqa: PTH112 - never raises
        raise PathError(
            f"cannot write '{name}': there is no folder '{folder.parent}'. Make it, or name "
            "another --out."
        )
    description = folder / _DESCRIPTION
    is_new = not os.path.lexists(folder)
    try:
        folder.mkdir(exist_ok=True)
        is_described = description.exists() and description.stat().st_size > 0
        if not is_described and _others(folder):
            raise PathError(
                f"'{name}' holds other things than frames. Name a new or an empty folder."
            )
    except FileExistsError:
        raise PathError(f"'{name}' is a file. With --frames, name a folder.") from None
    except OSError as error:
        raise cannot_write(name, error) from error
    try:
        with locked_file(description, name) as file:
            yield folder, file
    finally:
        if is_new:
            with suppress(OSError):  # it is not empty
                folder.rmdir()


def _others(folder: Path) -> bool:
    """Whether there is anything in the folder besides its description."""
    return any(entry.name != _DESCRIPTION for entry in folder.iterdir())


def _agree(file: FileIO, name: str, features: tuple[str, ...], paths: Sequence[str]) -> str:
    """Return the folder of music that the files of frames mirror; write down what there is none of.

    Raises
    ------
    PathError
        If the folder is described as one of other frames, or of other music.
    """
    held = file.readall()
    if not held:
        root = _shared_folder(paths)
        _write_description(file, name, _describe(features, root))
        return root
    described = _parse_description(held)
    if described is None:
        raise PathError(
            f"'{name}' holds a {_DESCRIPTION} that describes no frames. Name another --out."
        )
    root, names = described
    if names != list(features):
        raise PathError(f"'{name}' holds frames of another set. Name another --out.")
    for path in paths:
        if os.path.commonpath([root, path]) != root:
            raise PathError(
                f"'{path}' does not lie in '{root}', whose folders '{name}' mirrors. Name another "
                "--out for it."
            )
    return root


def _write_description(file: FileIO, name: str, content: bytes) -> None:
    try:
        write_all(file, content)
        os.fsync(file.fileno())
    except OSError as error:
        file.truncate(0)
        raise cannot_write(name, error) from error


def _describe(features: tuple[str, ...], root: str) -> bytes:
    document = {
        "root": root,
        "sample_rate_hz": SAMPLE_RATE_HZ,
        "hop_length": HOP_LENGTH,
        "descriptors": {
            name: {
                "family": DESCRIPTORS[name].family,
                "per_frame": DESCRIPTORS[name].n_columns,
                "unit": DESCRIPTORS[name].unit,
            }
            for name in features
        },
    }
    text = json.dumps(document, indent=2, ensure_ascii=False)
    # What is not UTF-8 in the root becomes an escape of JSON's, which gives it back.
    return text.encode("utf-8", "backslashreplace") + b"\n"


def _parse_description(content: bytes) -> tuple[str, list[str]] | None:
    """Return the root and the descriptors that a folder's description names; None for no such."""
    try:
        document = json.loads(content)
        root, names = document["root"], list(document["descriptors"])
    except (ValueError, KeyError, TypeError):
        return None
    if not isinstance(root, str) or not os.path.isabs(root):  # noqa: PTH117
        return None
    return os.path.normpath(root), names
