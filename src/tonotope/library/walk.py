"""Finding the audio files in folders."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tonotope.audio import AUDIO_SUFFIXES
from tonotope.errors import InputError, PathError

__all__ = ["FoundFile", "Unreadable", "Walk", "check_folders"]

# Bins, snapshots and thumbnails of operating systems and network drives, whatever their case.
_SYSTEM_FOLDERS = frozenset(
    {
        "$recycle.bin",
        "system volume information",
        "lost+found",
        "@eadir",
        "#recycle",
        "#snapshot",
        "__macosx",
    }
)
_SKIP_MARKER = ".nomedia"
_MOST_NS = 2**63 - 1


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file with an audio suffix, and the state it was found in."""

    path: str
    size_bytes: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A folder, or a link, that cannot be looked into."""

    path: str
    reason: str
    next_step: str


@dataclass
class Walk:
    """Walks folders in the order of their names.

    Links to folders are followed, but no folder is entered twice, so that links in a circle end.
    Hidden files and folders, system folders, and folders that hold a ``.nomedia`` are left out.

    Parameters
    ----------
    folders
        Absolute paths.

    Attributes
    ----------
    unreadable
        What could not be looked into so far.
    """

    folders: Sequence[str]
    unreadable: list[Unreadable] = field(default_factory=list)
    _entered: set[tuple[int, int]] = field(default_factory=set)

    def __iter__(self) -> Iterator[FoundFile]:
        for folder in self.folders:
            yield from self._walk(folder)

    def _walk(self, top: str) -> Iterator[FoundFile]:
        # A stack and not recursion: folders may be nested deeper than Python's stack is.
        waiting = [top]
        while waiting:
            folder = waiting.pop()
            names = self._listing(folder)
            if _SKIP_MARKER in names:
                continue
            subfolders = []
            for name in names:
                if name.startswith("."):
                    continue
                path = os.path.join(folder, name)  # noqa: PTH118 - a Path per file is slow
                is_audio = os.path.splitext(name)[1].lower() in AUDIO_SUFFIXES  # noqa: PTH122
                try:
                    state = os.stat(path)  # noqa: PTH116
                except OSError as error:
                    # A link to nowhere is worth a word only where it promised music.
                    if is_audio or error.errno not in (errno.ENOENT, errno.ELOOP):
                        reason = error.strerror or type(error).__name__
                        self.unreadable.append(Unreadable(path, reason, "Mend or remove it."))
                    continue
                if stat.S_ISDIR(state.st_mode):
                    if name.lower() not in _SYSTEM_FOLDERS:
                        subfolders.append(path)
                elif is_audio:
                    # SQLite's integers end in the year 2262, file systems' do not.
                    mtime_ns = min(max(state.st_mtime_ns, -_MOST_NS), _MOST_NS)
                    yield FoundFile(path, state.st_size, mtime_ns)
            waiting += reversed(subfolders)

    def _listing(self, folder: str) -> list[str]:
        try:
            state = os.stat(folder)  # noqa: PTH116
            if (state.st_dev, state.st_ino) in self._entered:
                return []
            self._entered.add((state.st_dev, state.st_ino))
            return sorted(os.listdir(folder))  # noqa: PTH208
        except OSError as error:
            reason = error.strerror or type(error).__name__
            self.unreadable.append(Unreadable(folder, reason, "Check its permissions."))
            return []


def check_folders(folders: Sequence[str | os.PathLike[str]]) -> list[str]:
    """Return the folders as absolute paths, each once.

    Raises
    ------
    InputError
        If there is none.
    PathError
        If one of them is no folder.
    """
    if not folders:
        raise InputError("no folder to scan. Name at least one: tonotope scan FOLDER")
    paths = []
    for folder in folders:
        path = os.path.abspath(os.path.expanduser(folder))  # noqa: PTH100, PTH111 - never raises
        if not Path(path).is_dir():
            kind = "is not a folder" if os.path.lexists(path) else "does not exist"
            raise PathError(
                f"cannot scan '{os.fspath(folder)}': it {kind}. Name a folder of music."
            )
        paths.append(path)
    return list(dict.fromkeys(paths))
