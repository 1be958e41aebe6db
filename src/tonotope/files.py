"""Files that are there as a whole or not at all, and that one process at a time writes to."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from secrets import token_hex

from tonotope.errors import PathError

__all__ = ["cannot_write", "locked_file", "refuse_special", "replacing", "write_all", "write_whole"]


def cannot_write(name: str | os.PathLike[str], error: OSError) -> PathError:
    """Return the error for a file that cannot be written."""
    reason = error.strerror or type(error).__name__
    return PathError(
        f"cannot write '{os.fspath(name)}': {reason}. Mend that, or name another --out."
    )


def refuse_special(path: Path, name: str | os.PathLike[str]) -> None:
    """Raise `PathError` for a device, a pipe or a socket: who replaces one breaks the system."""
    # What lies in `os.path` says no where `Path` raises, of a name that is too long.
    if os.path.exists(path) and not os.path.isfile(path):  # noqa: PTH110, PTH113
        raise PathError(
            f"cannot write '{os.fspath(name)}': it is no ordinary file. Name another --out."
        )


def write_all(file: FileIO, content: bytes) -> None:
    """Write all bytes, where the system takes them in parts, too."""
    left = memoryview(content)
    while left:
        left = left[file.write(left) :]


@contextmanager
def locked_file(path: Path, out: str) -> Iterator[FileIO]:
    """Open a file to read and write, made where there is none, that no other run has open.

    The operating system drops the lock when its owner ends, however it ends.

    Parameters
    ----------
    path
        The file.
    out
        What the person asked to be written, for the message.

    Raises
    ------
    PathError
        If another run has it open, it is no ordinary file, or it cannot be written.
    """
    refuse_special(path, path)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise cannot_write(path, error) from error
    with FileIO(descriptor, "r+") as file:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The run that had it may have ended, and removed it, just before.
            is_there = os.path.samestat(os.fstat(descriptor), path.stat())
        except (BlockingIOError, FileNotFoundError):
            is_there = False
        except OSError as error:
            raise cannot_write(path, error) from error
        if not is_there:
            raise PathError(
                f"'{out}' is being written by another run. Wait for it, or name another --out."
            )
        yield file


@contextmanager
def replacing(target: Path, unfinished: Path) -> Iterator[Path]:
    """Give the path to write a file to that will take the place of another when it is complete.

    Parameters
    ----------
    target
        What is replaced.
    unfinished
        Where to write, in the same file system. What lies there is removed.
    """
    try:
        unfinished.unlink(missing_ok=True)  # through a link another file would be written
        yield unfinished
        # Else a power cut may leave the new name with nothing in it.
        _sync(unfinished)
        unfinished.replace(target)
        with suppress(OSError):  # there are file systems that do not sync folders
            _sync(target.parent)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def write_whole(target: Path, content: bytes) -> None:
    """Write a file so that it is there as a whole or as it was before.

    Parameters
    ----------
    target
        Of a link, what it points at is written. Who may read it stays as it was.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    target = Path(os.path.realpath(target))
    # The target's name may be as long as names can be, and others may be writing it, too.
    with replacing(target, target.with_name(f".{token_hex(4)}.new")) as unfinished:
        unfinished.write_bytes(content)
        with suppress(OSError):  # there is none yet, or the file system knows no modes
            unfinished.chmod(target.stat().st_mode & 0o777)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
