"""Scores of lists of tracks, whoever made them: playlists, neighbours, paths.

Conventions
-----------
``lists`` are of shape (n_lists, length), rows of tracks, -1 at the end of a list where it is
shorter. ``places`` are the tracks in their similarity space, which is Euclidean, shape (n_tracks,
n_columns). A path's places are those of its tracks in order, both ends included.

Metrics
-------
* `intra_list_diversity`: mean distance between two tracks of a list (Smyth and McClave 2001,
  "Similarity vs. diversity"; Ziegler et al. 2005, "Improving recommendation lists through topic
  diversification"). In the unit of the space: compare with `mean_distance`.
* `coverage`: share of the tracks that are in at least one list (Ge, Delgado-Battenfeld and Jannach
  2010, "Beyond accuracy").
* `novelty`: mean self-information of a list's tracks, in bits: how surprising it is to meet them
  (Zhou et al. 2010, "Solving the apparent diversity-accuracy dilemma of recommender systems").
* `path_smoothness`: how even the way from one track to another is: its longest step and its whole
  length beside the jump (after Flexer, Schnitzer, Gasser and Widmer 2008, "Playlist generation
  using start and end songs").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "PathSmoothness",
    "coverage",
    "intra_list_diversity",
    "mean_distance",
    "novelty",
    "path_smoothness",
    "validate",
]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]

_N_PAIRS = 10_000


def validate(lists: ArrayLike, n_tracks: int) -> IndexArray:
    """Check lists; return them as an array.

    Raises
    ------
    ValueError
        If there is no list, what they hold are not rows of tracks, or -1 stands before another.
    """
    rows = np.asarray(lists)
    if rows.ndim != 2 or 0 in rows.shape:
        raise ValueError(f"lists have shape {rows.shape}, expected (n_lists, length)")
    if not np.issubdtype(rows.dtype, np.integer) or rows.min() < -1 or rows.max() >= n_tracks:
        raise ValueError(f"lists hold something else than rows of {n_tracks} tracks, or -1")
    if ((rows[:, :-1] < 0) & (rows[:, 1:] >= 0)).any():
        raise ValueError("lists hold -1 before another")
    return rows.astype(np.intp, copy=False)


def intra_list_diversity(lists: ArrayLike, places: ArrayLike) -> FloatArray:
    """Return the mean distance between two tracks of each list.

    Returns
    -------
    ndarray
        Shape (n_lists,), in the unit of the space; NaN for lists of fewer than two.
    """
    where = np.asarray(places, dtype=np.float64)
    rows = validate(lists, len(where))
    diversity = np.full(len(rows), np.nan)
    for number, row in enumerate(rows):
        members = where[row[row >= 0]]
        if len(members) > 1:
            first, second = np.triu_indices(len(members), 1)
            diversity[number] = _distance(members[first], members[second]).mean()
    return diversity


def mean_distance(places: ArrayLike, generator: np.random.Generator) -> float:
    """Return the mean distance of two different tracks, by 10 000 pairs; NaN if there is one only.

    What lists drawn at random would have for `intra_list_diversity`.
    """
    where = np.asarray(places, dtype=np.float64)
    if len(where) < 2:
        return float("nan")
    first = generator.integers(len(where), size=_N_PAIRS)
    # Any but itself.
    second = (first + generator.integers(1, len(where), size=_N_PAIRS)) % len(where)
    return float(_distance(where[first], where[second]).mean())


def coverage(lists: ArrayLike, n_tracks: int) -> float:
    """Return the share of the tracks that are in at least one list."""
    rows = validate(lists, n_tracks)
    return len(np.unique(rows[rows >= 0])) / n_tracks


def novelty(lists: ArrayLike, counts: ArrayLike) -> FloatArray:
    r"""Return the mean self-information of each list's tracks.

    :math:`-\log_2 p_i` with :math:`p_i = (c_i + 1) / \sum_j (c_j + 1)`: one is added so that what
    nobody has met yet is surprising, and not infinitely so.

    Parameters
    ----------
    lists
        As everywhere.
    counts
        How often each track has been met, shape (n_tracks,), 0 or more: plays, or in how many
        lists it is. If all are equal, every list has :math:`\log_2` of the number of tracks.

    Returns
    -------
    ndarray
        Shape (n_lists,), bits; NaN for empty lists.

    Raises
    ------
    ValueError
        If the counts are not such, or the lists do not fit.
    """
    met = np.asarray(counts, dtype=np.float64)
    if met.ndim != 1 or not np.isfinite(met).all() or (met < 0).any():
        raise ValueError("counts are not one number from 0 on for each track")
    rows = validate(lists, len(met))
    bits = -np.log2((met + 1) / (met + 1).sum())
    is_there = rows >= 0
    n_there = is_there.sum(axis=1)
    total = np.where(is_there, bits[rows], 0.0).sum(axis=1)
    mean = np.full(len(rows), np.nan)
    mean[n_there > 0] = total[n_there > 0] / n_there[n_there > 0]
    return mean


@dataclass(frozen=True, slots=True)
class PathSmoothness:
    """How even the way from one track to another is.

    Attributes
    ----------
    longest_step
        The longest step as a share of the jump from the first to the last. Below 1 every step is
        shorter than the jump; no path of m steps has less than 1/m.
    detour
        The length of the way as a multiple of the jump, 1 or more: 1 is the straight line.
    """

    longest_step: float
    detour: float


def path_smoothness(places: ArrayLike) -> PathSmoothness:
    """Return how even a way is.

    Parameters
    ----------
    places
        Of its tracks in order, shape (n, n_columns), n 2 or more; the last is not where the first
        is.

    Raises
    ------
    ValueError
        If there are fewer, or there is no jump.
    """
    where = np.asarray(places, dtype=np.float64)
    if where.ndim != 2 or len(where) < 2:
        raise ValueError(f"places of a path have shape {where.shape}, expected (2 or more, any)")
    jump = float(_distance(where[:1], where[-1:])[0])
    if not jump:
        raise ValueError("a path ends where it begins: there is no jump to compare with")
    steps = _distance(where[:-1], where[1:])
    return PathSmoothness(float(steps.max() / jump), float(steps.sum() / jump))


def _distance(first: FloatArray, second: FloatArray) -> FloatArray:
    distances: FloatArray = np.linalg.norm(first - second, axis=1)
    return distances
