"""Playlists: from some tracks to more like them."""

from __future__ import annotations

from tonotope.discovery.playlists.choice import (
    Chosen,
    Length,
    Spacing,
    choose_tracks,
    typical_distance,
)
from tonotope.discovery.playlists.spacing import Rule, SpacedOrder, n_broken, space_out

__all__ = [
    "Chosen",
    "Length",
    "Rule",
    "SpacedOrder",
    "Spacing",
    "choose_tracks",
    "n_broken",
    "space_out",
    "typical_distance",
]
