"""Weights that the user teaches: by what was played together, and by what he says belongs so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from tonotope.errors import InputError
from tonotope.library.catalogue import Catalogue
from tonotope.library.feedback import Verdict, verdicts
from tonotope.session.placed import LEARNED, Placed
from tonotope.session.plays import together

__all__ = ["learn_from_user"]

Pair = tuple[int, int]


def learn_from_user(catalogue: Catalogue, placed: Placed) -> Placed:
    """Return the tracks placed anew, nearer where they belong together.

    What was said of a pair counts for more than that it was played. See
    `tonotope.session.plays.together`, `tonotope.library.feedback` and
    `tonotope.discovery.metric_learning`.

    Raises
    ------
    InputError
        If no two tracks were played together often enough, and of none was it said that they
        belong together.
    LibraryError
        If the library is damaged.
    """
    said = _last_words(verdicts(catalogue), placed.row_of)
    apart = [pair for pair, is_together in said.items() if not is_together]
    belonging = [pair for pair, is_together in said.items() if is_together]
    played = [(a, b) for a, b in together(catalogue, placed.tracks).tolist()]
    groups = [*belonging, *(pair for pair in dict.fromkeys(played) if pair not in said)]
    if not groups:
        raise InputError(
            f"cannot use the weights '{LEARNED}': no two tracks of the library were played "
            "together twice, or said to belong together. Keep more plays (tonotope plays import "
            "FILE), or say so: tonotope feedback together FILE OTHER"
        )
    placed.space.learn(groups, apart=apart)
    return replace(placed, places=placed.space.places_)


def _last_words(said: Iterable[Verdict], row_of: Mapping[str, int]) -> dict[Pair, bool]:
    """Return whether pairs of rows, the lower first, belong together.

    Of merged recordings those that stand for them: what was said last of any of them counts.
    """
    words: dict[Pair, bool] = {}
    for one in said:
        a, b = row_of.get(one.audio_id), row_of.get(one.other_audio_id)
        if a is not None and b is not None and a != b:
            words[min(a, b), max(a, b)] = one.is_together
    return words
