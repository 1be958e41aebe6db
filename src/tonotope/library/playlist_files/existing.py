"""Files that are there already: nothing but a playlist is written over."""

from __future__ import annotations

import codecs
import stat
from collections.abc import Callable
from pathlib import Path

from tonotope.errors import PathError

__all__ = ["refuse_other_files"]

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
