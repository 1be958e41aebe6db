"""Colours of what a map's tracks are called by."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["GREY", "genre_colours"]

GREY = "#8a93a0"
"""Of what has no name."""

# The usual genres have colours of their own, so that each map has the same.
_OF_GENRES = {
    "blues": "#4f8ef7",
    "classical": "#c084fc",
    "country": "#d9a066",
    "disco": "#f472b6",
    "electronic": "#22d3ee",
    "folk": "#a3c95c",
    "hiphop": "#fb8b4b",
    "jazz": "#fbcf4f",
    "metal": "#9ca3c4",
    "pop": "#f9a8d4",
    "reggae": "#2bb59b",
    "rock": "#f45b5b",
}
_OTHERS = (
    "#7dd3fc", "#86efac", "#fca5a5", "#ddd6fe", "#fde68a", "#5eead4", "#fdba74", "#93c5fd",
)  # fmt: skip


def genre_colours(genres: Sequence[str]) -> list[str]:
    """Return a colour for each genre, ``#rrggbb``; the same for the same list."""
    given = [_OF_GENRES.get(genre.casefold().replace("-", "").replace(" ", "")) for genre in genres]
    rest = [colour for colour in (*_OTHERS, *_OF_GENRES.values()) if colour not in given]
    unnamed = iter(range(len(genres)))
    return [colour or rest[next(unnamed) % len(rest)] for colour in given]
