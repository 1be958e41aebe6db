"""Every error that Tonotope raises on purpose, in one tree.

::

    TonotopeError
    ├── DecodeError           a file gives no sound (or none any more)
    ├── ModelError            a network or its card cannot be used
    ├── LibraryError          a library cannot be opened or does not hold what was asked
    │   ├── LibraryLockedError    another scan is writing to it
    │   ├── LibraryTooNewError    it was written by a newer Tonotope
    │   └── TrackNotFoundError    the track asked for is not in it
    ├── PathError             a folder or file cannot be read from or written to
    └── InputError            an argument that no call could satisfy: wrong usage
        └── LeakError             training and test would share artists, recordings or sound

Each message is one line that names the thing, the value, the reason and the next step, fit to be
shown to a person as it stands.
"""

from __future__ import annotations

from os import PathLike, fspath

__all__ = [
    "DecodeError",
    "InputError",
    "LeakError",
    "LibraryError",
    "LibraryLockedError",
    "LibraryTooNewError",
    "ModelError",
    "PathError",
    "TonotopeError",
    "TrackNotFoundError",
]


class TonotopeError(Exception):
    """Base of all errors that Tonotope raises on purpose."""


class DecodeError(TonotopeError):
    """A file gives no sound.

    Parameters
    ----------
    path
        The file.
    reason
        Why nothing could be decoded, e.g. ``"no audio stream (found: mjpeg cover)"``.
    next_step
        What the person can do about it.
    """

    def __init__(self, path: str | PathLike[str], reason: str, next_step: str) -> None:
        # All three are passed on, so that the error survives pickling between processes.
        super().__init__(path, reason, next_step)
        self.path = fspath(path)
        self.reason = reason
        self.next_step = next_step

    def __str__(self) -> str:
        return f"cannot decode {self.path!r}: {self.reason}. {self.next_step}"


class ModelError(TonotopeError):
    """A network or its card is missing, malformed or does not fit this version."""


class LibraryError(TonotopeError):
    """A library cannot be opened, or cannot do what was asked."""


class LibraryLockedError(LibraryError):
    """Another scan is writing to the library at this moment."""


class LibraryTooNewError(LibraryError):
    """The library was written by a newer Tonotope than this one."""


class TrackNotFoundError(LibraryError):
    """The track asked for is not in the library."""


class PathError(TonotopeError):
    """A folder or file that was named cannot be read from or written to."""


class InputError(TonotopeError):
    """An argument that no call could satisfy, such as a count below one."""


class LeakError(InputError):
    """A split has the same artist, recording or sound on two sides."""
