"""What a data set is: where it comes from, how it lies on the disk, and the clips it gives."""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tonotope.audio import AUDIO_SUFFIXES
from tonotope.errors import PathError
from tonotope.training.clips import Clip

__all__ = [
    "ClipList",
    "DataSet",
    "counted",
    "files_in",
    "folders_in",
    "named",
    "printable",
    "replicas",
]


@dataclass(frozen=True, slots=True)
class ClipList:
    """The clips that were found, and what is wrong.

    Attributes
    ----------
    clips
        In the order of their names, each of which occurs once.
    problems
        A line each: files that are missing, known to be broken, or not of the data set.
    """

    clips: tuple[Clip, ...]
    problems: tuple[str, ...] = field(default=())


class DataSet(ABC):
    """A data set as its publisher hands it out.

    Attributes
    ----------
    name
        What ``--dataset`` calls it.
    title
        What people call it.
    citation, licence, url
        Whom to thank, what one may do with it, and where it is.
    layout
        How its files lie below the root folder, in one line.
    n_clips
        How many clips it has when complete; 0 where any number is right.
    """

    name: str
    title: str
    citation: str
    licence: str
    url: str
    layout: str
    n_clips: int = 0

    @abstractmethod
    def clips(self, root: Path) -> ClipList:
        """Return the clips below a folder.

        Parameters
        ----------
        root
            Where the data set was unpacked.

        Raises
        ------
        PathError
            If there is no such folder, it cannot be read, or nothing of the data set is in it.
        """

    def nothing_in(self, root: Path, missing: str = "no audio file of it") -> PathError:
        """Return the error for a folder without the data set."""
        found = f"there is {missing}" if root.is_dir() else "there is no such folder"
        return PathError(
            f"cannot read {self.title} from '{root}': {found}. Expected: {self.layout}"
        )

    def absolute(self, root: Path) -> Path:
        """Return an existing folder's absolute path.

        Raises
        ------
        PathError
            If it is no folder.
        """
        # pathlib's own fail on "~nobody" and resolve links, which belong to the user.
        path = Path(os.path.abspath(os.path.expanduser(root)))  # noqa: PTH100, PTH111
        if not path.is_dir():
            raise self.nothing_in(path)
        return path


def folders_in(folder: Path) -> list[Path]:
    """Return the folders in a folder by name, without hidden ones.

    Raises
    ------
    PathError
        If it cannot be read.
    """
    return [path for path in _listing(folder) if path.is_dir()]


def files_in(folder: Path) -> list[Path]:
    """Return the audio files in a folder by name, without hidden ones.

    Raises
    ------
    PathError
        If it cannot be read.
    """
    return [
        path
        for path in _listing(folder)
        if path.suffix.lower() in AUDIO_SUFFIXES and not path.is_dir()
    ]


def _listing(folder: Path) -> list[Path]:
    try:
        # Hidden ones include the resource forks that archives made on a Mac are full of.
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise PathError(
            f"cannot read '{folder}': {error.strerror}. Check its permissions."
        ) from error


def named(paths: Iterable[Path], problems: list[str]) -> Iterator[tuple[str, Path]]:
    """Give each file with its name without suffix; the second of a name is a problem."""
    met: dict[str, Path] = {}
    for path in paths:
        if path.stem in met:
            problems.append(f"'{path}' is left out: '{met[path.stem]}' has the same name")
        else:
            met[path.stem] = path
            yield path.stem, path


def counted(names: Sequence[str], expected: int, what: str) -> list[str]:
    """Return the problem that some names are missing, in one line; nothing where none is.

    Parameters
    ----------
    names
        Those that are missing.
    expected
        How many there should be.
    what
        What they are, in the plural: ``"clips"``.
    """
    if not names:
        return []
    verb = "is" if len(names) == 1 else "are"
    more = ", ..." if len(names) > 3 else ""
    return [
        f"{len(names)} of {expected} {what} {verb} missing: {', '.join(sorted(names)[:3])}{more}"
    ]


def printable(text: str) -> str:
    """Return a path or a name as text that can be written anywhere, in one line."""
    whole = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return re.sub(r"[\x00-\x1f\x7f\x85\u2028\u2029]", "?", whole)


def replicas(groups: Iterable[Sequence[str]]) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Return the recording of each clip that is one of several, and what to say about it.

    Parameters
    ----------
    groups
        The names of the clips of one recording each.

    Returns
    -------
    recordings
        From a clip's name to that of the first of its group.
    flags
        From a clip's name to ``"repeats ..."``.
    """
    recordings, flags = {}, {}
    for group in groups:
        for name in group:
            recordings[name] = group[0]
            flags[name] = f"repeats {' and '.join(other for other in group if other != name)}"
    return recordings, flags
