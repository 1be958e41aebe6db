"""How far a map may be believed.

Conventions: k is the length of a list of nearest tracks, n the number of tracks. Lists are made
anew on the map and in the space, by Euclidean distance, the track itself left out. With many tracks
the measures are means over a sample of them, each of which is still compared with all n.

- Trustworthiness (Venna & Kaski 2001): 1 where no track has come near on the map that is not near
  in the space; what has is weighed by how far it lies behind the k nearest there. About 0.5 by
  chance.
- Overlap: the share of the k nearest in the space that are among the k nearest on the map.
- Neighbourhood hit (Paulovich et al. 2008): the share of the k nearest on the map that have the
  track's own label. Beside it the same in the space, which says how much of what is lost was lost
  by drawing, and what would come of chance.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tonotope.discovery.metrics.neighbours import label_numbers, nearest_lists

__all__ = ["Hit", "MapQuality", "judge_map"]

Float32Array = NDArray[np.float32]
IndexArray = NDArray[np.intp]

_K = 10
_N_SAMPLED = 1000
_CHUNK_BYTES = 8e6


@dataclass(frozen=True, slots=True)
class Hit:
    """The neighbourhood hit of one kind of label.

    Attributes
    ----------
    on_map, in_space, by_chance
        Shares of neighbours that have the track's label, 0 to 1.
    n_tracks
        How many tracks have a label of this kind; the others are left out.
    """

    on_map: float
    in_space: float
    by_chance: float
    n_tracks: int


@dataclass(frozen=True, slots=True)
class MapQuality:
    """How far a map may be believed.

    Attributes
    ----------
    k
        How many neighbours were looked at.
    n_sampled
        How many tracks' neighbours.
    trustworthiness, overlap
        0 to 1.
    hits
        By the kind of label, where at least two tracks have one.
    """

    k: int
    n_sampled: int
    trustworthiness: float
    overlap: float
    hits: Mapping[str, Hit]


def judge_map(
    places: Float32Array,
    points: Float32Array,
    labels: Mapping[str, Sequence[Hashable | None]],
    *,
    seed: int = 0,
    k: int = _K,
    n_sampled: int = _N_SAMPLED,
) -> MapQuality | None:
    """Return how well a map keeps the neighbourhoods of the space.

    Time and memory grow linearly with the tracks' number.

    Parameters
    ----------
    places, points
        In the space and on the map, shape (n_tracks, n_columns) and (n_tracks, n_dims).
    labels
        By their kind, one for each track, None where it has none.
    seed
        Of the sample.
    k
        How many neighbours, or as many as are less than half of the tracks.
    n_sampled
        Of how many tracks, at most.

    Returns
    -------
    MapQuality or None
        None with fewer than 3 tracks, which have no neighbourhoods.
    """
    if len(places) != len(points):
        raise ValueError(f"{len(places)} places and {len(points)} points")
    k = min(k, (len(places) - 1) // 2)
    if k < 1:
        return None
    rng = np.random.default_rng(seed)
    rows = _sample(rng, len(places), n_sampled)
    penalty, shared = 0.0, 0.0
    for chunk, far, near in _distances(places, points, rows):
        on_map, in_space = (nearest_lists(d, k, rows=chunk) for d in (near, far))
        penalty += _excess_ranks(far, chunk, on_map)
        shared += sum(len(np.intersect1d(a, b)) for a, b in zip(on_map, in_space, strict=True))
    n, m = len(places), len(rows)
    # The largest sum of excess ranks that k neighbours can have is k (2n - 3k - 1) / 2 a track.
    return MapQuality(
        k=k,
        n_sampled=m,
        trustworthiness=1.0 - 2.0 * penalty / (m * k * (2 * n - 3 * k - 1)),
        overlap=shared / (m * k),
        hits={
            kind: hit
            for kind, names in labels.items()
            if (hit := _hit(places, points, names, rng, k, n_sampled)) is not None
        },
    )


def _hit(
    places: Float32Array,
    points: Float32Array,
    names: Sequence[Hashable | None],
    rng: np.random.Generator,
    k: int,
    n_sampled: int,
) -> Hit | None:
    numbers = label_numbers(names)
    known = np.flatnonzero(numbers >= 0)
    if len(known) < 2:
        return None
    of = numbers[known]
    k = min(k, len(known) - 1)
    sums = np.zeros(2)
    rows = _sample(rng, len(known), n_sampled)
    for chunk, far, near in _distances(places[known], points[known], rows):
        for index, distances in enumerate((near, far)):
            neighbours = nearest_lists(distances, k, rows=chunk)
            sums[index] += (of[neighbours] == of[chunk][:, np.newaxis]).sum()
    on_map, in_space = sums / (len(rows) * k)
    n = len(known)
    counts = np.bincount(of).astype(np.float64)
    by_chance = float((counts * (counts - 1)).sum() / (n * (n - 1)))
    return Hit(float(on_map), float(in_space), by_chance, n)


def _sample(rng: np.random.Generator, n: int, n_sampled: int) -> IndexArray:
    if n <= n_sampled:
        return np.arange(n)
    return np.sort(rng.choice(n, n_sampled, replace=False))


def _distances(
    places: Float32Array, points: Float32Array, rows: IndexArray
) -> Iterator[tuple[IndexArray, NDArray[np.float64], NDArray[np.float64]]]:
    """Give some rows, and their distances to all in the space and on the map."""
    from scipy.spatial.distance import cdist

    step = max(1, int(_CHUNK_BYTES / (8 * len(places))))
    for start in range(0, len(rows), step):
        chunk = rows[start : start + step]
        # By differences, not by products: tracks that are nearly the same keep their order.
        yield chunk, cdist(places[chunk], places), cdist(points[chunk], points)


def _excess_ranks(far: NDArray[np.float64], rows: IndexArray, neighbours: IndexArray) -> float:
    """Return by how many ranks in the space neighbours on the map lie behind the k nearest."""
    k = neighbours.shape[1]
    far = far.copy()
    far[np.arange(len(rows)), rows] = np.inf
    total = 0.0
    for column in neighbours.T:
        own = far[np.arange(len(rows)), column]
        # Of equally far ones each has the best rank: which comes first would be chance.
        ranks = 1 + (far < own[:, np.newaxis]).sum(axis=1)
        total += float(np.maximum(0, ranks - k).sum())
    return total
