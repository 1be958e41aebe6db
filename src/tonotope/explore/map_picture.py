"""A map as a picture, by Matplotlib."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np

from tonotope.errors import InputError
from tonotope.explore.colours import GREY, genre_colours
from tonotope.explore.map_page import METHOD_TITLES
from tonotope.session.maps import LibraryMap

__all__ = ["map_picture"]

_MOST_NAMED = 14


def map_picture(drawn: LibraryMap) -> bytes:
    """Return a map as a PNG of 1600 by 1200 pixels, coloured by group, or by genre without groups.

    Raises
    ------
    InputError
        If Matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise InputError(
            "a picture of the map needs Matplotlib, which is not installed. Install it with: "
            "pip install 'tonotope[plot]', or name a page with --out map.html"
        ) from error
    figure = Figure(figsize=(12.8, 9.6), dpi=125, layout="constrained")
    FigureCanvasAgg(figure)
    # Both kinds of axes are drawn on in the same words, but are of different types.
    axes: Any = figure.add_subplot(projection="3d" if drawn.n_dims == 3 else None)
    n = len(drawn.tracks)
    size = float(np.clip(4000 / n, 4, 60))
    kind, names, colour_of = _coloured(drawn)
    for name in sorted({n for n in names if n is not None}, key=names.count, reverse=True):
        rows = [row for row, other in enumerate(names) if other == name]
        label = _plain(f"{name} ({len(rows)})") if len(colour_of) <= _MOST_NAMED else None
        points = drawn.points[rows].T
        axes.scatter(*points, s=size, c=colour_of[name], alpha=0.8, linewidths=0, label=label)
    rest = [row for row, name in enumerate(names) if name is None]
    if rest:
        axes.scatter(
            *drawn.points[rest].T, s=size, c=GREY, alpha=0.6, linewidths=0, label=f"no {kind}"
        )
    axes.set(xticks=[], yticks=[])
    if drawn.n_dims == 2:
        axes.set_aspect("equal")
        axes.spines[:].set_visible(False)
    else:
        axes.set(zticks=[])
        axes.set_box_aspect((1, 1, 1))
    if axes.get_legend_handles_labels()[1]:
        figure.legend(loc="outside right upper", frameon=False, title=kind.capitalize())
    figure.text(0.01, 0.01, f"{n} tracks, {METHOD_TITLES[drawn.method]}", color="#5d6770")
    result = BytesIO()
    figure.savefig(result, format="png")
    return result.getvalue()


def _coloured(drawn: LibraryMap) -> tuple[str, list[str | None], dict[str, str]]:
    """Return what the tracks are coloured by, each one's name of it, and the names' colours."""
    if drawn.group_colours:
        return "group", drawn.groups, dict(drawn.group_colours)
    genres = sorted({genre for genre in drawn.genres if genre is not None})
    return "genre", drawn.genres, dict(zip(genres, genre_colours(genres), strict=True))


def _plain(text: str) -> str:
    """Return a text that Matplotlib takes for no formula, and a label that it does not hide."""
    text = text.replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text
