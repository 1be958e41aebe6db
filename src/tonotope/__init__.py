"""Tonotope listens to a music library and works from the sound alone.

>>> import tonotope
>>> track = tonotope.analyze("song.mp3")      # descriptors, genre over time, embedding
>>> library = tonotope.Library()              # scan, similar, playlist, status

Everything else lives in its room: `tonotope.audio`, `tonotope.features`, `tonotope.models`,
`tonotope.discovery`, `tonotope.library`; the errors in `tonotope.errors`.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tonotope.analysis import TrackAnalysis, analyze
    from tonotope.errors import TonotopeError
    from tonotope.session import Library

__all__ = ["Library", "TonotopeError", "TrackAnalysis", "__version__", "analyze"]

_HOMES = {
    "Library": "tonotope.session",
    "TonotopeError": "tonotope.errors",
    "TrackAnalysis": "tonotope.analysis",
    "analyze": "tonotope.analysis",
}


def __getattr__(name: str) -> Any:
    # Imported at first use: `tonotope --help` must not wait for a decoder and a network runtime.
    if name == "__version__":
        return version("tonotope")
    if name not in _HOMES:
        raise AttributeError(f"module 'tonotope' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
