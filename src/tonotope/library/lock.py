"""One scan at a time: a lock beside the library that dies with its owner."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tonotope.errors import LibraryError, LibraryLockedError

__all__ = ["is_locked", "scan_lock"]


@contextmanager
def scan_lock(library: Path) -> Iterator[None]:
    """Hold the right to scan into a library.

    The operating system keeps the lock and drops it when the owner ends, however it ends: a file
    that a killed scan left behind locks nothing. The file names the owner for the message only.

    Raises
    ------
    LibraryLockedError
        If another scan holds it.
    LibraryError
        If the file cannot be written.
    """
    library = library.resolve()  # one lock, however the library is called
    path = _lock_file(library)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise LibraryError(
            f"cannot write '{path}': {error.strerror}. Name another place with --library."
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
            raise LibraryLockedError(
                f"library '{library}' is being scanned, or imported into, by process {owner}. "
                "Wait for it, or stop it and run this again."
            ) from None
        except OSError as error:
            raise LibraryError(
                f"cannot lock '{path}': {error.strerror}. Name a place on this machine."
            ) from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def is_locked(library: Path) -> bool:
    """Whether a scan of a library is under way."""
    try:
        descriptor = os.open(_lock_file(library), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)


def _lock_file(library: Path) -> Path:
    return library.with_name(library.name + ".lock")
