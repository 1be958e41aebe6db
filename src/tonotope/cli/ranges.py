"""Options that take a range of numbers: ``1990-1999``, ``120-``, ``-3:30``, ``-14..-9``."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from tonotope.errors import InputError

if TYPE_CHECKING:
    from tonotope.session.filters import Range

__all__ = ["RangeOption", "parse_minutes", "parse_range"]

# What begins with a hyphen is a value here, and no option.
RangeOption = Annotated[str | None, Parameter(allow_leading_hyphen=True)]

_NUMBER = r"\d+(?:\.\d+)?"
_HYPHEN = re.compile(r"([\d.:]*)\s*[-–]\s*([\d.:]*)")


def parse_range(
    option: str,
    text: str | None,
    *,
    example: str,
    parse: Callable[[str], float] | None = None,
    may_be_negative: bool = False,
) -> Range | None:
    """Return the range that somebody typed; None where they did not.

    Parameters
    ----------
    option
        Its name, for the message.
    text
        As it was typed.
    example
        How to type it, for the message.
    parse
        Reads an end; by default a number.
    may_be_negative
        Whether ends are parted by two dots, as a dash is part of a number.

    Raises
    ------
    InputError
        If it is none.
    """
    if text is None:
        return None
    from tonotope.session.filters import Range

    ends = _ends(text.strip(), may_be_negative)
    try:
        low, high = (None if not end else (parse or _number)(end) for end in ends)
    except ValueError:
        low = high = None
    if (low is None and high is None) or (low is not None and high is not None and low > high):
        raise InputError(f"{option} is '{text}'. Name a range, the lower end first: {example}")
    return Range(low, high)


def parse_minutes(text: str) -> float:
    """Return ``4`` or ``3:30``, minutes, in seconds.

    Raises
    ------
    ValueError
        If it is neither.
    """
    match = re.fullmatch(rf"(\d+):([0-5]\d)|({_NUMBER})", text)
    if match is None:
        raise ValueError(text)
    return 60.0 * float(match[3]) if match[3] else 60.0 * int(match[1]) + int(match[2])


def _ends(text: str, may_be_negative: bool) -> Sequence[str]:
    if ".." in text:
        low, _, high = text.partition("..")
        return low.strip(), high.strip()
    if may_be_negative:
        return "", ""  # -14 might mean up to 14, or just that
    if match := _HYPHEN.fullmatch(text):
        return match.groups()
    return text, text


def _number(text: str) -> float:
    if re.fullmatch(rf"[-+]?{_NUMBER}", text) is None:
        raise ValueError(text)
    return float(text)
