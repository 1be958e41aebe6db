"""The map of a library: drawn once and kept, so that each track stays where one has found it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tonotope.discovery.map_measures import MapQuality, judge_map
from tonotope.discovery.maps import (
    FEWEST_TRACKS,
    METHODS,
    add_points,
    best_method,
    draw_map,
    missing_package,
)
from tonotope.errors import InputError
from tonotope.library.catalogue import Catalogue, Track
from tonotope.library.descriptions import read_descriptions
from tonotope.library.maps import StoredMap, read_map, write_map
from tonotope.library.records import now
from tonotope.library.versions import Versions
from tonotope.session.descriptions import made_by_of
from tonotope.session.groups import groups_of
from tonotope.session.placed import Placed

__all__ = ["LibraryMap", "map_library"]

_SEED = 0


@dataclass(frozen=True, slots=True, eq=False)
class LibraryMap:
    """A library's tracks on a map.

    Attributes
    ----------
    method
        The map was drawn by: ``umap``, ``tsne`` or ``pca``.
    made_at
        When, in UTC.
    is_new
        Whether it was drawn just now; if not, it is the one that was drawn then.
    is_kept
        Whether the library keeps it: not where it cannot be written to, nor with so few tracks that
        there is nothing to keep.
    n_placed
        How many tracks were put on it just now, that it was not drawn with.
    n_added
        How many of its tracks it was not drawn with, in all.
    n_away
        How many tracks it has a point for that have no file at the moment; they are not shown.
    tracks
        In the order of their paths.
    points
        Shape (n_tracks, n_dims), float32, from -1 to 1.
    genres
        The likeliest by the network, None where it heard none.
    genre_shares
        Its probability, shape (n_tracks,).
    tempos_bpm
        Shape (n_tracks,), NaN where there is none.
    groups
        The name of each track's group, None where it is in none.
    group_colours
        By the group's name, ``#rrggbb``; empty where the tracks have not been grouped.
    quality
        How far the map may be believed; None with fewer than 3 tracks.
    """

    method: str
    made_at: str
    is_new: bool
    is_kept: bool
    n_placed: int
    n_added: int
    n_away: int
    tracks: list[Track]
    points: NDArray[np.float32]
    genres: list[str | None]
    genre_shares: NDArray[np.float64]
    tempos_bpm: NDArray[np.float64]
    groups: list[str | None]
    group_colours: Mapping[str, str]
    quality: MapQuality | None

    @property
    def n_dims(self) -> int:
        """How many axes it has."""
        return int(self.points.shape[1])


def map_library(
    catalogue: Catalogue,
    placed: Placed,
    versions: Versions,
    *,
    method: str | None = None,
    n_dims: int = 2,
    fresh: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> LibraryMap:
    """Return the library's map: the one that it keeps, with new tracks put on it, or a new one.

    Parameters
    ----------
    catalogue, placed, versions
        The library, its tracks in the similarity space, and what made that.
    method
        ``umap``, ``tsne`` or ``pca``; None for the map drawn last or, where there is none, the best
        method that is installed.
    n_dims
        2 or 3.
    fresh
        Draw it anew although there is one.
    on_progress
        Called with how many steps of drawing are done, and how many there are.

    Raises
    ------
    InputError
        If there is no such method, it is not installed, or the number of axes is another.
    LibraryError
        If the library is damaged, or another program is writing to it.
    """
    _check(method, n_dims)
    kept = None if fresh else read_map(catalogue, method, n_dims)
    made_by = made_by_of(versions)
    if kept is not None and kept.made_by == made_by and _shows_any(kept, placed):
        drawn, is_new = _with_new_tracks(kept, placed), False
    else:
        drawn, is_new = _new_map(placed, method, n_dims, made_by, on_progress), True
    is_kept = not is_new or len(placed.tracks) >= FEWEST_TRACKS
    if is_kept and drawn is not kept:
        is_kept = write_map(catalogue, drawn)
    return _described(catalogue, placed, versions, drawn, kept, is_new=is_new, is_kept=is_kept)


def _check(method: str | None, n_dims: int) -> None:
    if method is not None and method not in METHODS:
        raise InputError(f"no map is drawn by '{method}'. There are: {', '.join(METHODS)}.")
    if n_dims not in (2, 3):
        raise InputError(f"a map cannot have {n_dims} axes. Ask for 2 or 3.")


def _shows_any(kept: StoredMap, placed: Placed) -> bool:
    return any(track.audio_id in kept.points for track in placed.tracks)


def _new_map(
    placed: Placed,
    method: str | None,
    n_dims: int,
    made_by: str,
    on_progress: Callable[[int, int], None] | None,
) -> StoredMap:
    method = method or best_method(len(placed.tracks), n_dims)
    if (package := missing_package(method)) is not None:
        raise InputError(
            f"a map by {method} needs {package}, which is not installed. "
            "Install it with: pip install 'tonotope[map]'"
        )
    drawing = draw_map(placed.places, method, n_dims, seed=_SEED, on_progress=on_progress)
    points = {
        track.audio_id: tuple(point)
        for track, point in zip(placed.tracks, drawing.points.tolist(), strict=True)
    }
    return StoredMap(drawing.method, n_dims, made_by, now(), points)


def _with_new_tracks(kept: StoredMap, placed: Placed) -> StoredMap:
    """Return a map with a point for every track; the same one if it has them already."""
    is_new = np.array([track.audio_id not in kept.points for track in placed.tracks])
    if not is_new.any():
        return kept
    known = [track.audio_id for track in placed.tracks if track.audio_id in kept.points]
    points = np.array([kept.points[audio_id] for audio_id in known], np.float32)
    found = add_points(placed.places[~is_new], points, placed.places[is_new])
    new = [placed.tracks[row].audio_id for row in np.flatnonzero(is_new)]
    placed_now = dict(zip(new, map(tuple, found.tolist()), strict=True))
    return StoredMap(
        kept.method,
        kept.n_dims,
        kept.made_by,
        kept.made_at,
        {**kept.points, **placed_now},
        kept.added | placed_now.keys(),
    )


def _described(
    catalogue: Catalogue,
    placed: Placed,
    versions: Versions,
    drawn: StoredMap,
    kept: StoredMap | None,
    *,
    is_new: bool,
    is_kept: bool,
) -> LibraryMap:
    from tonotope.library.columns import RowColumns

    audio_ids = [track.audio_id for track in placed.tracks]
    points = np.array([drawn.points[audio_id] for audio_id in audio_ids], np.float32)
    heard = read_descriptions(catalogue, audio_ids, RowColumns(("tempo_bpm",)), versions)
    likeliest = heard.genre_probabilities.argmax(axis=1)
    shares = heard.genre_probabilities.max(axis=1)
    genres = [heard.genres[k] if p > 0 else None for k, p in zip(likeliest, shares, strict=True)]
    tempos_bpm = heard.numbers[:, 0]
    group_of = groups_of(catalogue)
    groups = [group_of[a][0] if a in group_of else None for a in audio_ids]
    labels = {
        "group": groups,
        "genre": genres,
        "artist": [facts.artist for facts in placed.facts],
    }
    return LibraryMap(
        method=drawn.method,
        made_at=drawn.made_at,
        is_new=is_new,
        is_kept=is_kept,
        n_placed=0 if is_new or kept is None else len(drawn.points) - len(kept.points),
        n_added=sum(audio_id in drawn.added for audio_id in audio_ids),
        n_away=len(drawn.points) - len(audio_ids),
        tracks=placed.tracks,
        points=points,
        genres=genres,
        genre_shares=shares,
        tempos_bpm=np.where(tempos_bpm > 0, tempos_bpm, np.nan),
        groups=groups,
        group_colours={name: colour for name, colour in group_of.values() if name in groups},
        quality=judge_map(placed.places, points, labels, seed=_SEED),
    )
