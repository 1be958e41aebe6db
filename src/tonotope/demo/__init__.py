"""A small library of generated music, for whoever has no music at hand.

`write_demo_music` writes it; the styles are in `tonotope.demo.styles`.
"""

from __future__ import annotations

from tonotope.demo.writing import write_demo_music

__all__ = ["write_demo_music"]
