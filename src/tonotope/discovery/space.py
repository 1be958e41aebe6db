"""The space in which near means alike.

A track is described by two blocks of numbers: the summary of its descriptors and the network's
embedding. Every column is standardised over the library, so that hertz do not outweigh decibels;
each block is then scaled by its width, so that both have the same say, or as much as their
weights give them, however many columns they have. Distances are Euclidean. Two tracks picked at
random are about 1.4 apart.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["SimilaritySpace"]

Float32Array = NDArray[np.float32]

# One absurd number (the kurtosis of a track with one click) must not outweigh all others.
_LARGEST_DEVIATION = 3.0


class SimilaritySpace:
    """Standardises vectors so that Euclidean distance means dissimilarity.

    Parameters
    ----------
    block_sizes
        How many columns each kind of description has.
    block_weights
        How much say each kind has in squared distances, one against another; equal by default.

    Attributes
    ----------
    mean_, scale_
        What `transform` takes off and divides by, shape (n_columns,), float32.
    """

    def __init__(
        self, block_sizes: tuple[int, ...], block_weights: tuple[float, ...] | None = None
    ) -> None:
        self.block_sizes = block_sizes
        self.block_weights = block_weights

    def fit(self, vectors: Float32Array) -> Self:
        """Learn the columns' means and spreads.

        Parameters
        ----------
        vectors
            One row per track, shape (n_tracks, n_columns), finite; at least one row.
        """
        self._check(vectors)
        if len(vectors) == 0:
            raise ValueError("a similarity space needs at least one vector")
        mean = vectors.mean(axis=0, dtype=np.float64)
        spread = vectors.std(axis=0, dtype=np.float64)
        # A column that never changes says nothing; what differs from it later still counts little.
        spread[spread <= np.maximum(1e-6 * np.abs(mean), 1e-12)] = np.inf
        divisors = self._divisors()
        self.mean_: Float32Array = mean.astype(np.float32)
        self.scale_: Float32Array = (spread * divisors).astype(np.float32)
        self._limit = (_LARGEST_DEVIATION / divisors).astype(np.float32)
        return self

    def transform(self, vectors: Float32Array) -> Float32Array:
        """Return the place of each vector in the space, same shape, float32."""
        self._check(vectors)
        places: Float32Array = (vectors - self.mean_) / self.scale_
        return np.clip(places, -self._limit, self._limit, out=places)

    def fit_transform(self, vectors: Float32Array) -> Float32Array:
        """Fit to vectors and return their places."""
        return self.fit(vectors).transform(vectors)

    def _divisors(self) -> NDArray[np.float64]:
        """Return by what each standardised column is divided for its block to have its say."""
        weights = np.asarray(self.block_weights or np.ones(len(self.block_sizes)), np.float64)
        if weights.shape != (len(self.block_sizes),) or not (weights > 0).all():
            raise ValueError(
                f"block_weights are {self.block_weights}, expected {len(self.block_sizes)} "
                "positive numbers"
            )
        shares = weights / weights.sum()
        widths = np.asarray(self.block_sizes, np.float64)
        divisors: NDArray[np.float64] = np.sqrt(np.repeat(widths / shares, self.block_sizes))
        return divisors

    def _check(self, vectors: Float32Array) -> None:
        if vectors.ndim != 2 or vectors.shape[1] != sum(self.block_sizes):
            raise ValueError(
                f"vectors have shape {vectors.shape}, expected (n, {sum(self.block_sizes)})"
            )


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
