"""Weights that a library's plays teach: what was played together belongs together."""

from __future__ import annotations

from dataclasses import replace

from tonotope.errors import InputError
from tonotope.library.catalogue import Catalogue
from tonotope.session.placed import LEARNED, Placed
from tonotope.session.plays import together

__all__ = ["learn_from_plays"]


def learn_from_plays(catalogue: Catalogue, placed: Placed) -> Placed:
    """Return the tracks placed anew, nearer where they were played together.

    See `tonotope.session.plays.together` and `tonotope.discovery.metric_learning`.

    Raises
    ------
    InputError
        If no two tracks were played together often enough.
    LibraryError
        If the library is damaged.
    """
    pairs = together(catalogue, placed.tracks)
    if not len(pairs):
        raise InputError(
            f"cannot use the weights '{LEARNED}': no two tracks of the library were played "
            "together twice. Keep more plays: tonotope plays import FILE"
        )
    placed.space.learn(pairs.tolist())
    return replace(placed, places=placed.space.places_)
