"""The options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

__all__ = ["JsonOption", "LibraryOption"]

LibraryOption = Annotated[
    Path | None,
    Parameter(name="--library", help="The library's file or folder; by default one per user."),
]

JsonOption = Annotated[
    bool,
    Parameter(
        name="--json",
        negative="",
        help="Print one JSON document on the standard output, and nothing else there.",
    ),
]
