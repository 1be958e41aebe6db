"""Scores of neighbour lists: what a similarity space makes of a library.

Each track has a list of its k nearest others. Lists are good where they hold what belongs
together (of one genre, by one artist), and where no few tracks turn up in all of them while
others turn up in none (hubs and anti-hubs: Radovanović, Nanopoulos and Ivanović 2010, "Hubs in
space: popular nearest neighbors in high-dimensional data").

Conventions
-----------
``neighbours`` are of shape (n_tracks, k), integers: row i has the rows of track i's nearest, the
nearest first, never i itself and none twice; -1 fills what is missing at the end of a row.
``labels`` are of shape (n_tracks,), integers, -1 where unknown.

*Filters.* Tracks of one artist share a studio and a voice, tracks of one album a mastering, and a
list of them says little about genre (Pampalk, Flexer and Widmer 2005, "Improvements of audio-based
music similarity and genre classification"; Kim, Williamson and Pilli 2006, "Towards quantifying
the album effect in artist identification"). With an artist filter whoever is by the query's artist
is no candidate: pass the artists to `nearest_lists` as ``apart``, and to `relevant_counts`.

*Unknown labels.* A query without a label is not judged (NaN). Tracks without one had better be no
``candidates`` of `nearest_lists`; what is in a list all the same is passed over, and the list gets
shorter (condensed lists: Sakai 2007, "Alternatives to Bpref"). A query whose list is then empty is
not judged.

Metrics
-------
* `precision_at_k`: share of a list that has the query's label.
* `ndcg_at_k`: the same with a logarithmic discount by rank, as a share of what the best list would
  have (Järvelin and Kekäläinen 2002, "Cumulated gain-based evaluation of IR techniques").
* `chance_precision`, `best_precision`: what lists drawn at random, and the best, would have.
* `hubness`: skewness of the k-occurrence (Radovanović et al. 2010); anti-hubs, hubs, and how much
  of the lists these fill (Flexer and Schnitzer 2015, "Choosing ℓp norms in high-dimensional spaces
  based on hub analysis"); Robin Hood index (Feldbauer, Leodolter, Plant and Flexer 2018, "Fast
  approximate hubness reduction for large high-dimensional data").
* `reachability`: share of the tracks that are in at least one list (Flexer, Schnitzer and Schlüter
  2012, "A MIREX meta-analysis of hubness in audio music similarity").
* `largest_component`: share of the tracks in the largest set within which every track can be
  reached from every other by following the lists.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

__all__ = [
    "HUB_FACTOR",
    "Hubness",
    "best_precision",
    "chance_precision",
    "hubness",
    "k_occurrence",
    "label_numbers",
    "largest_component",
    "ndcg_at_k",
    "nearest_lists",
    "precision_at_k",
    "reachability",
    "relevant_counts",
    "validate",
    "validate_labels",
]

HUB_FACTOR = 2
"""A hub is in at least so many times as many lists as a track is on average."""

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]


def validate(neighbours: ArrayLike) -> IndexArray:
    """Check neighbour lists; return them as an array.

    Raises
    ------
    ValueError
        If there is no track or no place in a list, what is given are not rows of tracks, or a row
        holds its own track, one track twice, or -1 before another.
    """
    lists = np.asarray(neighbours)
    if lists.ndim != 2 or 0 in lists.shape:
        raise ValueError(f"neighbours have shape {lists.shape}, expected (n_tracks, k)")
    if not np.issubdtype(lists.dtype, np.integer):
        raise ValueError(f"neighbours are of {lists.dtype}, expected integers")
    n_tracks = len(lists)
    if lists.min() < -1 or lists.max() >= n_tracks:
        raise ValueError(
            f"neighbours go from {lists.min()} to {lists.max()}, expected rows of {n_tracks} "
            "tracks, or -1 for none"
        )
    in_order = np.sort(lists, axis=1)
    for fault, is_wrong in (
        ("the track itself", (lists == np.arange(n_tracks)[:, np.newaxis]).any(axis=1)),
        ("a track twice", ((np.diff(in_order) == 0) & (in_order[:, 1:] >= 0)).any(axis=1)),
        ("-1 before another", ((lists[:, :-1] < 0) & (lists[:, 1:] >= 0)).any(axis=1)),
    ):
        if is_wrong.any():
            row = int(np.flatnonzero(is_wrong)[0])
            raise ValueError(f"row {row} of the neighbours, {lists[row].tolist()}, holds {fault}")
    return lists.astype(np.intp, copy=False)


def validate_labels(labels: ArrayLike, n_tracks: int) -> IndexArray:
    """Check the tracks' labels; return them as an array.

    Raises
    ------
    ValueError
        If there is not one for each track, or one is neither a number from 0 on nor -1.
    """
    numbers = np.asarray(labels)
    if numbers.shape != (n_tracks,):
        raise ValueError(f"labels have shape {numbers.shape}, expected ({n_tracks},)")
    if not np.issubdtype(numbers.dtype, np.integer) or (numbers < -1).any():
        raise ValueError("labels are not all whole numbers from 0 on, or -1 for unknown")
    return numbers.astype(np.intp, copy=False)


def label_numbers(names: Iterable[Hashable | None]) -> IndexArray:
    """Return a number for each name, from 0 on in the order of their coming; -1 for None."""
    numbers: dict[Hashable, int] = {}
    return np.array(
        [-1 if name is None else numbers.setdefault(name, len(numbers)) for name in names],
        dtype=np.intp,
    )


def nearest_lists(
    distances: ArrayLike,
    k: int,
    *,
    apart: Sequence[ArrayLike] = (),
    candidates: ArrayLike | None = None,
    rows: ArrayLike | None = None,
) -> IndexArray:
    """Return the k nearest of some tracks; of equally near ones the first.

    Parameters
    ----------
    distances
        From these tracks to all, shape (n_rows, n_tracks); infinite where there is no way.
    k
        How long the lists are.
    apart
        Labels, shape (n_tracks,) each: whoever shares a known one with the query is left out.
    candidates
        Which tracks may be in a list, shape (n_tracks,), bool; all, by default.
    rows
        Which tracks these are, shape (n_rows,); all, by default.

    Returns
    -------
    ndarray
        Shape (n_rows, k), intp; -1 where there are no more.

    Raises
    ------
    ValueError
        If k is below 1, a distance is NaN, or the shapes do not fit.
    """
    far = np.array(distances, dtype=np.float64)
    if k < 1:
        raise ValueError(f"k is {k}, expected 1 or more")
    n_tracks = far.shape[1] if far.ndim == 2 else 0
    query = np.arange(n_tracks) if rows is None else np.asarray(rows, dtype=np.intp)
    if not n_tracks or query.shape != far.shape[:1]:
        raise ValueError(f"distances have shape {far.shape}, expected ({len(query)}, n_tracks)")
    if np.isnan(far).any():
        raise ValueError("distances are not all numbers")
    far[np.arange(len(query)), query] = np.inf
    if candidates is not None:
        far[:, ~np.asarray(candidates, dtype=bool)] = np.inf
    for group in apart:
        label = validate_labels(group, n_tracks)
        of_query = label[query][:, np.newaxis]
        far[(label == of_query) & (of_query >= 0)] = np.inf
    lists = np.full((len(query), k), -1, dtype=np.intp)
    last = np.partition(far, min(k, n_tracks) - 1, axis=1)[:, min(k, n_tracks) - 1]
    for row, (distance, longest) in enumerate(zip(far, last, strict=True)):
        near = np.flatnonzero((distance <= longest) & (distance < np.inf))
        near = near[np.argsort(distance[near], kind="stable")][:k]
        lists[row, : len(near)] = near
    return lists


def precision_at_k(neighbours: ArrayLike, labels: ArrayLike) -> FloatArray:
    """Return the share of each list that has the query's label.

    Returns
    -------
    ndarray
        Shape (n_tracks,); NaN for queries that are not judged.
    """
    is_hit, is_judged = _hits(neighbours, labels)
    n_judged = is_judged.sum(axis=1)
    return _ratio(is_hit.sum(axis=1), n_judged, n_judged > 0)


def ndcg_at_k(neighbours: ArrayLike, labels: ArrayLike, n_relevant: ArrayLike) -> FloatArray:
    r"""Return the normalised discounted cumulated gain of each list.

    :math:`\sum_r [\text{hit}_r] / \log_2(r + 1)` over the ranks from 1 on, divided by the same sum
    with hits at the first ranks, as many as there are relevant tracks, and no more than k.

    Parameters
    ----------
    neighbours, labels
        As everywhere.
    n_relevant
        Of `relevant_counts`, with the filter that the lists were made with.

    Returns
    -------
    ndarray
        Shape (n_tracks,); NaN for queries that are not judged or have no relevant track.

    Raises
    ------
    ValueError
        If a list has more hits than there are relevant tracks: the filters differ.
    """
    is_hit, is_judged = _hits(neighbours, labels)
    relevant = np.asarray(n_relevant)
    if relevant.shape != (len(is_hit),) or (is_hit.sum(axis=1) > relevant).any():
        raise ValueError("n_relevant does not fit the lists: were these made with another filter?")
    k = is_hit.shape[1]
    discounts = 1 / np.log2(np.arange(2, k + 2))
    rank = np.where(is_judged, np.cumsum(is_judged, axis=1) - 1, 0)
    gained = np.where(is_hit, discounts[rank], 0.0).sum(axis=1)
    best = np.append(0.0, np.cumsum(discounts))[np.minimum(relevant, k)]
    return _ratio(gained, best, is_judged.any(axis=1) & (best > 0))


def relevant_counts(labels: ArrayLike, apart: Sequence[ArrayLike] = ()) -> NDArray[np.int64]:
    """Count for each track how many others have its label and may be in its list.

    Parameters
    ----------
    labels
        Shape (n_tracks,).
    apart
        As for `nearest_lists`.

    Returns
    -------
    ndarray
        Shape (n_tracks,), int64; 0 for a track without a label.
    """
    return _n_alike(np.asarray(labels), apart)


def chance_precision(labels: ArrayLike, apart: Sequence[ArrayLike] = ()) -> FloatArray:
    """Return the precision that each track's list would have on average, were it drawn at random.

    Returns
    -------
    ndarray
        Shape (n_tracks,); NaN for queries that are not judged.
    """
    numbers = np.asarray(labels)
    # All that have any label may be in a list: as if they had the same.
    n_candidates = _n_alike(np.where(numbers < 0, -1, 0), apart)
    return _ratio(_n_alike(numbers, apart), n_candidates, n_candidates > 0)


def best_precision(labels: ArrayLike, k: int, apart: Sequence[ArrayLike] = ()) -> FloatArray:
    """Return the precision that each track's list of k has, if all that is alike comes first.

    It is below 1 where fewer than k others have the label and may be in the list.

    Returns
    -------
    ndarray
        Shape (n_tracks,); NaN for queries that are not judged.
    """
    numbers = np.asarray(labels)
    n_candidates = _n_alike(np.where(numbers < 0, -1, 0), apart)
    length = np.minimum(n_candidates, k)
    return _ratio(np.minimum(_n_alike(numbers, apart), length), length, length > 0)


@dataclass(frozen=True, slots=True)
class Hubness:
    """How unevenly tracks are spread over the lists.

    Attributes
    ----------
    skewness
        Third standardised moment of the k-occurrence; 0 where all tracks are in as many lists.
    antihub_share
        Share of the tracks that are in no list.
    hub_share
        Share of the tracks that are hubs: in `HUB_FACTOR` times as many lists as the average.
    hub_occurrence
        Share of the places in lists that hubs fill.
    robin_hood
        Share of all places in lists that would have to be taken from the rich and given to the
        poor for all to be in as many: 0 to 1.
    """

    skewness: float
    antihub_share: float
    hub_share: float
    hub_occurrence: float
    robin_hood: float


def hubness(neighbours: ArrayLike) -> Hubness:
    """Return how unevenly tracks are spread over the lists."""
    occurrence = k_occurrence(neighbours).astype(np.float64)
    mean, spread = occurrence.mean(), occurrence.std()
    from_mean = occurrence - mean
    is_hub = (occurrence >= HUB_FACTOR * mean) & (occurrence > 0)
    n_places = max(occurrence.sum(), 1.0)
    return Hubness(
        skewness=float((from_mean**3).mean() / spread**3) if spread else 0.0,
        antihub_share=float((occurrence == 0).mean()),
        hub_share=float(is_hub.mean()),
        hub_occurrence=float(occurrence[is_hub].sum() / n_places),
        robin_hood=float(np.abs(from_mean).sum() / 2 / n_places),
    )


def k_occurrence(neighbours: ArrayLike) -> NDArray[np.int64]:
    """Count in how many lists each track is, shape (n_tracks,), int64."""
    lists = validate(neighbours)
    return np.bincount(lists[lists >= 0], minlength=len(lists)).astype(np.int64)


def reachability(neighbours: ArrayLike) -> float:
    """Return the share of the tracks that are in at least one list."""
    return float((k_occurrence(neighbours) > 0).mean())


def largest_component(neighbours: ArrayLike) -> float:
    """Return the share of the tracks in the largest strongly connected component.

    Its tracks can all be reached from each other, list by list (Tarjan 1972, "Depth-first search
    and linear graph algorithms").
    """
    lists = validate(neighbours)
    is_there = lists >= 0
    tracks, _ = np.nonzero(is_there)
    graph = csr_array(
        (np.ones(len(tracks), np.int8), (tracks, lists[is_there])), shape=(len(lists),) * 2
    )
    _, component = connected_components(graph, connection="strong")
    return float(np.bincount(component).max() / len(lists))


def _hits(neighbours: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which places of the lists have the query's label, and which are judged at all."""
    lists = validate(neighbours)
    numbers = validate_labels(labels, len(lists))
    of_query = numbers[:, np.newaxis]
    of_neighbour = np.where(lists >= 0, numbers[lists], -1)
    is_judged = (of_neighbour >= 0) & (of_query >= 0)
    return is_judged & (of_neighbour == of_query), is_judged


def _n_alike(labels: ArrayLike, apart: Sequence[ArrayLike]) -> NDArray[np.int64]:
    """Count the others of the same label that share none of the filtered labels."""
    numbers = np.asarray(labels)
    groups = [numbers, *apart]
    columns = [validate_labels(group, len(numbers)) for group in groups]
    count = np.zeros(len(numbers), np.int64)
    # Who shares one or another: by inclusion and exclusion.
    for n_shared in range(len(columns)):
        for shared in combinations(columns[1:], n_shared):
            count += (-1) ** n_shared * _n_sharing([columns[0], *shared])
    return count


def _n_sharing(columns: Sequence[IndexArray]) -> NDArray[np.int64]:
    """Count the others that share all of some known labels."""
    together = np.column_stack(columns)
    _, inverse, sizes = np.unique(together, axis=0, return_inverse=True, return_counts=True)
    others = sizes[inverse.reshape(-1)].astype(np.int64) - 1
    others[(together < 0).any(axis=1)] = 0
    return others


def _ratio(part: NDArray[Any], whole: NDArray[Any], is_judged: NDArray[np.bool_]) -> FloatArray:
    """Divide where queries are judged; NaN elsewhere."""
    shares = np.full(len(part), np.nan)
    shares[is_judged] = part[is_judged] / whole[is_judged]
    return shares
