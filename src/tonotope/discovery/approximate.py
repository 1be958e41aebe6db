"""Neighbours in very large libraries, nearly all of them: an index that can be thrown away.

Exact search reads the whole library for each question. Over half a million tracks, whoever asks
many questions builds an index: tracks are sorted into cells around as many means, and only the
cells that are nearest to a question are read (Sivic, Zisserman, "Video Google", ICCV 2003; Jégou,
Douze, Schmid, "Product quantization for nearest neighbor search", PAMI 33(1), 2011), by faiss. It
holds nothing that the places do not, and is built anew from them in seconds. (A graph of near
tracks, HNSW, was measured, too: for the same recall it takes as long to ask, and a hundred times as
long to build.)

Needs the extra ``ann``. ``benchmarks/similarity_space.py`` states its recall.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tonotope.errors import InputError

__all__ = ["ApproximateIndex"]

Float32Array = NDArray[np.float32]

# Of n tracks so many times the root of n cells are made: finding the cells then takes as long as
# reading some. Each mean is learned from so many tracks, and stands for at least so many.
_CELLS_PER_ROOT = 1.3
_TRACKS_LEARNED_FROM = 64
# Of the cells, one in so many is read.
_SHARE_READ = 4
_LEAST_CELLS_READ = 16


class ApproximateIndex:
    """Finds the nearest places by Euclidean distance, nearly all of them.

    Memory: the places once more, and 8 bytes a track. A question reads a quarter of
    the library. Where tracks fall into no clusters at all, fewer of the nearest are found.

    Parameters
    ----------
    places
        The library, shape (n_tracks, n_columns).
    seed
        Draws the tracks that the cells are learned from.

    Raises
    ------
    InputError
        If faiss is not installed.
    """

    def __init__(self, places: Float32Array, seed: int = 0) -> None:
        try:
            import faiss
        except ImportError as error:
            raise InputError(
                "an approximate index needs faiss, which is not installed. "
                "Install it: pip install 'tonotope[ann]'"
            ) from error
        n_tracks, n_columns = places.shape
        n_cells = max(
            1, min(n_tracks // _TRACKS_LEARNED_FROM, int(_CELLS_PER_ROOT * n_tracks**0.5))
        )
        self._means = faiss.IndexFlatL2(n_columns)  # held here: the index does not own it
        self._index: Any = faiss.IndexIVFFlat(self._means, n_columns, n_cells)
        self._index.nprobe = max(_LEAST_CELLS_READ, n_cells // _SHARE_READ)
        sample = places
        if n_tracks > n_cells * _TRACKS_LEARNED_FROM:
            rng = np.random.default_rng(seed)
            drawn = rng.choice(n_tracks, n_cells * _TRACKS_LEARNED_FROM, replace=False)
            sample = places[np.sort(drawn)]
        self._index.cp.min_points_per_centroid = 1  # else it complains of few on the standard error
        self._index.train(np.ascontiguousarray(sample, np.float32))
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
            Shape (n_queries, n), float32 and rows; Euclidean. Where the cells that were read hold
            fewer tracks, the distance is infinite and the row -1.
        """
        squares, indices = self._index.search(np.ascontiguousarray(places, np.float32), n)
        missing = indices < 0
        distances = np.sqrt(np.maximum(squares, 0))
        distances[missing] = np.inf
        return distances.astype(np.float32), indices.astype(np.intp)
