"""The options that several commands have."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import CoercionError, Parameter, Token

from tonotope.errors import InputError

__all__ = ["JsonOption", "LibraryOption", "WeightsOption", "WholeNumber", "weights_in"]


def _whole_number(type_: type[int], tokens: Sequence[Token]) -> int:
    try:
        return int(tokens[0].value)
    except ValueError:
        raise CoercionError(token=tokens[0], target_type=type_) from None


# Cyclopts itself takes "2.7" for 3.
WholeNumber = Annotated[int, Parameter(converter=_whole_number)]


LibraryOption = Annotated[
    Path | None,
    Parameter(name="--library", help="The library's file or folder; by default one per user."),
]

WeightsOption = Annotated[
    str,
    Parameter(
        name="--weights",
        help="What counts: `balanced`, `timbre`, `rhythm`, `mood`, `harmony`; `learned` from plays"
        " and feedback, where what was played together, or said to belong together, is nearer; or"
        " by hand the parts that are to count, of embedding, timbre, harmony, rhythm and dynamics:"
        " `timbre=2,rhythm=1`.",
    ),
]

JsonOption = Annotated[
    bool,
    Parameter(
        name="--json",
        negative="",
        help="Print one JSON document on the standard output, and nothing else there.",
    ),
]


def weights_in(text: str) -> str | dict[str, float]:
    """Return what ``--weights`` says: the name of a preset, or numbers by part.

    Raises
    ------
    InputError
        If it is neither.
    """
    if "=" not in text:
        return text
    try:
        numbers = [part.partition("=") for part in text.split(",")]
        weights = {name.strip(): float(number) for name, _, number in numbers}
    except ValueError:
        raise InputError(
            f"'{text}' are no weights. Write them so: --weights timbre=2,rhythm=1"
        ) from None
    if len(weights) < len(numbers):
        raise InputError(f"'{text}' names a part twice. Give each part one weight.")
    return weights
