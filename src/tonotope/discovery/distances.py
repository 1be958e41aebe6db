"""Euclidean distances between places."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["distances_between", "distances_to"]

Float32Array = NDArray[np.float32]

# Below this share of the squared norms, a squared distance that came out of sums and products
# has lost too many of its digits.
_LOST_SHARE = 1e-2


def distances_to(places: Float32Array, query: Float32Array) -> Float32Array:
    """Return the Euclidean distance of each place to one, shape (n_tracks,).

    Exact, by differences: the expansion into squares and products loses all digits where two
    tracks are nearly the same.
    """
    result = np.empty(len(places), dtype=np.float32)
    for start in range(0, len(places), 4096):  # the differences stay in the cache
        difference = places[start : start + 4096] - query
        result[start : start + 4096] = np.sqrt(np.einsum("ij,ij->i", difference, difference))
    return result


def distances_between(
    queries: Float32Array, places: Float32Array, squared_norms: Float32Array
) -> Float32Array:
    """Return the Euclidean distances of all queries to all places.

    By one matrix product, and by differences wherever that would lose digits.

    Parameters
    ----------
    queries
        Shape (n_queries, n_columns).
    places
        Shape (n_tracks, n_columns).
    squared_norms
        Of the places, shape (n_tracks,).

    Returns
    -------
    ndarray
        Shape (n_queries, n_tracks), float32.
    """
    own_norms = np.einsum("ij,ij->i", queries, queries)[:, np.newaxis]
    squares: Float32Array = queries @ places.T
    squares *= -2
    squares += squared_norms
    squares += own_norms
    near = squares < _LOST_SHARE * (own_norms + np.float32(1e-12))
    for row in np.flatnonzero(near.any(axis=1)).tolist():
        columns = np.flatnonzero(near[row])
        for some in np.array_split(columns, 1 + len(columns) // 4096):
            difference = places[some] - queries[row]
            squares[row, some] = np.einsum("ij,ij->i", difference, difference)
    return np.sqrt(squares, out=squares)
