"""Writing a file whole, and over nothing but what is of its kind."""

from __future__ import annotations

import codecs
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

from tonotope.errors import PathError

__all__ = ["refuse_other_files", "write_whole"]

_BEGINNING_BYTES = 1024


def refuse_other_files(target: Path, name: str, is_beginning: Callable[[bytes], bool]) -> None:
    """Raise PathError if replacing a file would lose anything but a playlist."""
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISREG(mode):
        with target.open("rb") as file:
            beginning = file.read(_BEGINNING_BYTES)
        if not beginning or is_beginning(beginning.removeprefix(codecs.BOM_UTF8)):
            return
    raise PathError(f"'{name}' exists and is not a playlist. Name another --out.")


def write_whole(target: Path, content: bytes) -> None:
    """Write a file so that it is there as a whole or as it was before."""
    # The prefix is short: the target's name may be as long as names can be.
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".list-", delete=False) as file:
        temporary = Path(file.name)
        try:
            file.write(content)
            file.close()
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
