"""Neighbours in very large libraries, nearly all of them: an index that can be thrown away.

Exact search reads the whole library for each question. Over half a million tracks, whoever asks
many questions builds an index: a graph of near tracks in layers (Malkov, Yashunin, "Efficient and
robust approximate nearest neighbor search using hierarchical navigable small world graphs", PAMI
42(4), 2020), by faiss. It holds nothing that the places do not, and is built anew from them.

Needs the extra ``ann``. ``benchmarks/similarity_space.py`` states its recall.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tonotope.errors import InputError

__all__ = ["ApproximateIndex"]

Float32Array = NDArray[np.float32]

# Links of a track in the graph, and how many candidates are followed while it is built and asked.
_LINKS = 32
_CANDIDATES_BUILDING = 200
_CANDIDATES_ASKING = 256


class ApproximateIndex:
    """Finds the nearest places by Euclidean distance, nearly all of them.

    Memory: the places once more, and about 300 bytes a track. Building takes time in proportion
    to n log n.

    Parameters
    ----------
    places
        The library, shape (n_tracks, n_columns).

    Raises
    ------
    InputError
        If faiss is not installed.
    """

    def __init__(self, places: Float32Array) -> None:
        try:
            import faiss
        except ImportError as error:
            raise InputError(
                "an approximate index needs faiss, which is not installed. "
                "Install it: pip install 'tonotope[ann]'"
            ) from error
        self._index: Any = faiss.IndexHNSWFlat(places.shape[1], _LINKS)
        self._index.hnsw.efConstruction = _CANDIDATES_BUILDING
        self._index.hnsw.efSearch = _CANDIDATES_ASKING
        self.add(places)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def add(self, places: Float32Array) -> None:
        """Add tracks behind those that there are, shape (n, n_columns)."""
        self._index.add(np.ascontiguousarray(places, np.float32))

    def query(self, places: Float32Array, n: int) -> tuple[Float32Array, NDArray[np.intp]]:
        """Return the nearest tracks to some places, the nearest first.

        Parameters
        ----------
        places
            Shape (n_queries, n_columns).
        n
            How many; no more than there are.

        Returns
        -------
        distances, indices : ndarray
            Shape (n_queries, n), float32 and rows; Euclidean. Where the graph has no way to so
            many tracks, the distance is infinite and the row -1.
        """
        self._index.hnsw.efSearch = max(_CANDIDATES_ASKING, 2 * n)
        squares, indices = self._index.search(np.ascontiguousarray(places, np.float32), n)
        missing = indices < 0
        distances = np.sqrt(np.maximum(squares, 0))
        distances[missing] = np.inf
        return distances.astype(np.float32), indices.astype(np.intp)
