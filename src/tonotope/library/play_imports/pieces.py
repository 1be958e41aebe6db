"""A file's lines, and the objects of a JSON array, a bounded part at a time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, TextIO

from tonotope.library.play_imports.entries import BrokenEntry

__all__ = ["HEAD_CHARACTERS", "LONGEST_PIECE", "json_lines", "json_objects", "lines"]

LONGEST_PIECE = 1 << 20
"""How many characters a line may have, and half as many an object; a play has a thousand."""

HEAD_CHARACTERS = 1 << 14
"""How many characters from its beginning tell a file's format."""

_CHUNK = 1 << 16
_TOO_LONG = f"longer than {LONGEST_PIECE} characters"
_SPACE = re.compile(r"[\s,]*")
_NEXT_OBJECT = re.compile(r"[,\n]\s*(?=\{)")
_LONGEST_GAP = 64  # between two objects: a comma and some space


def lines(text: TextIO) -> Iterator[tuple[int, str | BrokenEntry]]:
    """Give the lines that are not blank, with their numbers, without their ends."""
    number = 0
    while line := text.readline(LONGEST_PIECE):
        number += 1
        if len(line) == LONGEST_PIECE and not line.endswith("\n"):
            while (rest := text.readline(LONGEST_PIECE)) and not rest.endswith("\n"):
                pass
            yield number, BrokenEntry(number, _TOO_LONG)
        elif line.strip():
            yield number, line.rstrip("\n")


def json_lines(text: TextIO) -> Iterator[tuple[int, Any]]:
    """Give what each line of a JSON Lines file holds, with its number."""
    for number, line in lines(text):
        if isinstance(line, BrokenEntry):
            yield number, line
            continue
        try:
            yield number, json.loads(line)
        except (ValueError, RecursionError):
            yield number, BrokenEntry(number, "not JSON")


def json_objects(text: TextIO, start: int) -> Iterator[tuple[int, Any]]:
    """Give what a JSON array holds, each with the line where it begins.

    After an element that is not JSON, it goes on at the next object after a comma or a line end.

    Parameters
    ----------
    text
        The file, at its beginning.
    start
        How many characters lie before the array's first element.
    """
    decoder = json.JSONDecoder()
    skipped = text.read(start)
    line = 1 + skipped.count("\n")
    held, at, is_end = "", 0, False

    def refill(n_characters: int) -> None:
        nonlocal held, at, is_end
        parts, length = [held[at:]], len(held) - at
        while length < n_characters and not is_end:
            parts.append(text.read(_CHUNK))
            length += len(parts[-1])
            is_end = not parts[-1]
        held, at = "".join(parts), 0

    while True:
        if len(held) - at < _CHUNK and not is_end:
            refill(2 * _CHUNK)
        begin = _SPACE.match(held, at).end()  # type: ignore[union-attr]
        line += held.count("\n", at, begin)
        at = begin
        if at >= len(held):
            if not is_end:
                continue
            yield line, BrokenEntry(line, "the file breaks off: no ']' at its end")
            return
        if held[at] == "]":
            return
        try:
            value, end = decoder.raw_decode(held, at)
        except (ValueError, RecursionError):
            # Half of it is enough to call it broken: were it all, a copy would be made for each.
            if not is_end and len(held) - at < LONGEST_PIECE // 2:
                refill(LONGEST_PIECE)
                continue
            yield line, BrokenEntry(line, "not JSON")
            while not (found := _NEXT_OBJECT.search(held, at)):
                if is_end:
                    return
                line += held.count("\n", at, len(held) - _LONGEST_GAP)
                at = max(at, len(held) - _LONGEST_GAP)
                refill(2 * _CHUNK)
            end = found.end()
        else:
            yield line, value
        line += held.count("\n", at, end)
        at = end
