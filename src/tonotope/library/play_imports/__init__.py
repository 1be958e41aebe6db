"""Reading listening histories as other programs export them: one module per format.

Each format reads a file from its beginning in bounded memory and gives its entries in their
order; what cannot be read is given as a `BrokenEntry` and costs nothing but itself. The format is
recognised by what the file holds, not by its name.
"""

from __future__ import annotations

from tonotope.library.play_imports.entries import BrokenEntry, Entry, OtherEntry, Play, PlayFormat
from tonotope.library.play_imports.opening import FORMATS, opened_history

__all__ = [
    "FORMATS",
    "BrokenEntry",
    "Entry",
    "OtherEntry",
    "Play",
    "PlayFormat",
    "opened_history",
]
