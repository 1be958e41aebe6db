"""Hubness: some tracks are near to everything, others near to nothing; and what mends it.

In spaces of many dimensions a few places (hubs) are among the nearest of very many others, and
some (anti-hubs) among nobody's (Radovanović, Nanopoulos, Ivanović, "Hubs in space", JMLR 11,
2010). A correction asks how near two tracks are as seen from both, measured by what each is used
to: its distances to the rest of the library.

What a track is used to is learned from its distances to reference tracks: the whole library where
it has no more than `n_references`, and else a sample of that size, drawn with a seed. Below that
size corrections are exact. Above it, the local ones (`local_scaling`, `nicdm`, `csls`) look at a
track's nearest references, which lie farther out than its nearest tracks.

Cost for n tracks, r references and d columns: ``fit`` n·r·d operations; a question n, but with
``mutual_proximity_empiric`` n·r, which also keeps n·r numbers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from tonotope.discovery.distances import Float32Array, distances_between

__all__ = ["CORRECTIONS", "HubnessCorrection", "correction_of"]

# Distances that are held at once.
_BLOCK_DISTANCES = 1 << 22
# Of a track that lies where its neighbours do; dividing by nothing would not rank it.
_LEAST_DISTANCE = np.float32(1e-6)


class HubnessCorrection(ABC):
    """Distances as seen from both sides.

    Parameters
    ----------
    n_references
        How many tracks a track's usual distances are learned from, at most; by default what
        suits the kind.
    n_neighbours
        How many of the nearest references the local kinds look at.
    seed
        Draws the references.

    Attributes
    ----------
    references_
        Rows of the reference tracks, ascending, shape (n_references,).
    """

    usual_n_references: ClassVar[int] = 4096

    def __init__(
        self, *, n_references: int | None = None, n_neighbours: int = 10, seed: int = 0
    ) -> None:
        self.n_references = n_references or self.usual_n_references
        self.n_neighbours = n_neighbours
        self.seed = seed

    def fit(self, places: Float32Array) -> Self:
        """Learn what each track is used to.

        Parameters
        ----------
        places
            The library, shape (n_tracks, n_columns); at least one track.
        """
        n_tracks = len(places)
        if n_tracks > self.n_references:
            rng = np.random.default_rng(self.seed)
            self.references_ = np.sort(rng.choice(n_tracks, self.n_references, replace=False))
        else:
            self.references_ = np.arange(n_tracks)
        self._reference_places = places[self.references_]
        self._norms = np.einsum("ij,ij->i", self._reference_places, self._reference_places)
        self._own_reference = np.full(n_tracks, -1)
        self._own_reference[self.references_] = np.arange(len(self.references_))
        self._usual = self._usual_of(places, self._own_reference)
        return self

    def add(self, places: Float32Array) -> None:
        """Learn what further tracks are used to, which become the last rows.

        References stay what they are, and so does everything known of the other tracks.
        """
        strangers = np.full(len(places), -1)
        self._usual = np.concatenate([self._usual, self._usual_of(places, strangers)])
        self._own_reference = np.concatenate([self._own_reference, strangers])

    def correct(
        self, distances: Float32Array, rows: NDArray[np.intp] | None = None
    ) -> Float32Array:
        """Return corrected distances.

        Parameters
        ----------
        distances
            Euclidean, from some queries to every track, shape (n_queries, n_tracks).
        rows
            Which track of the library each query is, -1 for none of them; by default a query is
            the reference that lies just where it does, if there is one.

        Returns
        -------
        ndarray
            Same shape, float32. Symmetric, where both tracks are the library's.
        """
        usual = self._usual_of_queries(distances[:, self.references_], rows)
        return self._corrected(distances, usual, self._usual[np.newaxis])

    def correct_candidates(
        self,
        queries: Float32Array,
        candidates: NDArray[np.intp],
        distances: Float32Array,
        rows: NDArray[np.intp] | None = None,
    ) -> Float32Array:
        """Return the corrected distances of some tracks only.

        Parameters
        ----------
        queries
            Their places, shape (n_queries, n_columns).
        candidates
            Rows of the library, shape (n_queries, n_candidates).
        distances
            Euclidean, from the queries to these, same shape.
        rows
            As for `correct`.
        """
        to_references = distances_between(queries, self._reference_places, self._norms)
        usual = self._usual_of_queries(to_references, rows)
        return self._corrected(distances, usual, self._usual[candidates])

    def _usual_of_queries(
        self, to_references: Float32Array, rows: NDArray[np.intp] | None
    ) -> Float32Array:
        """Return what queries are used to, shape (n_queries, 1, n_numbers)."""
        if rows is None:
            nearest = to_references.argmin(axis=1)
            at_home = to_references[np.arange(len(nearest)), nearest] == 0
            own = np.where(at_home, nearest, -1)
        else:
            own = np.where(rows < 0, -1, self._own_reference[rows])
        return self._summarise(to_references, own)[:, np.newaxis]

    def _usual_of(self, places: Float32Array, own: NDArray[np.intp]) -> Float32Array:
        size = max(1, _BLOCK_DISTANCES // len(self._reference_places))
        return np.concatenate(
            [
                self._summarise(
                    distances_between(
                        places[start : start + size], self._reference_places, self._norms
                    ),
                    own[start : start + size],
                )
                for start in range(0, len(places), size)
            ]
        )

    @abstractmethod
    def _summarise(self, distances: Float32Array, own: NDArray[np.intp]) -> Float32Array:
        """Return what tracks are used to, shape (n_queries, n_numbers).

        Parameters
        ----------
        distances
            To the references, shape (n_queries, n_references).
        own
            Which of the references each query is itself, -1 for none.
        """

    @abstractmethod
    def _corrected(
        self, distances: Float32Array, of_query: Float32Array, of_track: Float32Array
    ) -> Float32Array:
        """Return corrected distances.

        Parameters
        ----------
        distances
            Shape (n_queries, n_tracks).
        of_query
            What queries are used to, shape (n_queries, 1, n_numbers).
        of_track
            What tracks are used to, shape (1 or n_queries, n_tracks, n_numbers).
        """


class MutualProximity(HubnessCorrection):
    """How unlikely it is that two tracks are so near, seen from both; distances normal.

    ``1 - (1 - F_x(d)) (1 - F_y(d))``, F being the normal distribution with the mean and the
    deviation of the distances of x or y: 0 for what is nearer than anything, towards 1 for what
    is far.

    References
    ----------
    D. Schnitzer, A. Flexer, M. Schedl, G. Widmer, "Local and global scaling reduce hubs in space",
    JMLR 13, 2012: "MP (N)", with the independence that it assumes.
    """

    # A library of two tracks or of copies of one has no deviation; so small is that of no other.
    _LEAST_DEVIATION_SHARE = 0.05

    def _summarise(self, distances: Float32Array, own: NDArray[np.intp]) -> Float32Array:
        # A query's distance to itself is 0 and adds nothing to the sums.
        count = np.maximum(distances.shape[1] - (own >= 0), 1)
        mean = distances.sum(axis=1, dtype=np.float64) / count
        power = np.square(distances).sum(axis=1, dtype=np.float64) / count
        deviation = np.sqrt(np.maximum(power - mean**2, 0))
        least = np.maximum(self._LEAST_DEVIATION_SHARE * mean, 1e-12)
        return np.stack([mean, np.maximum(deviation, least)], axis=1).astype(np.float32)

    def _corrected(
        self, distances: Float32Array, of_query: Float32Array, of_track: Float32Array
    ) -> Float32Array:
        from scipy.special import ndtr

        a, b = (ndtr((distances - usual[..., 0]) / usual[..., 1]) for usual in (of_query, of_track))
        # Not 1 - (1 - a)(1 - b), which is 0 for all that are near.
        corrected: Float32Array = a + b - a * b
        return corrected


class EmpiricMutualProximity(HubnessCorrection):
    """The share of the library that is not farther from both tracks than they are apart.

    ``1 - #{j: d(x,j) > d(x,y) and d(y,j) > d(x,y)} / n`` over the n references; between equal
    shares the Euclidean distance decides (it adds less than one reference).

    References
    ----------
    D. Schnitzer, A. Flexer, M. Schedl, G. Widmer, "Local and global scaling reduce hubs in space",
    JMLR 13, 2012: "MP".
    """

    usual_n_references = 1024

    def _summarise(self, distances: Float32Array, own: NDArray[np.intp]) -> Float32Array:
        return distances

    def _corrected(
        self, distances: Float32Array, of_query: Float32Array, of_track: Float32Array
    ) -> Float32Array:
        n_references = of_query.shape[-1]
        of_track = np.broadcast_to(of_track, (len(distances), *of_track.shape[1:]))
        beyond = np.empty(distances.shape, np.float32)
        size = max(1, _BLOCK_DISTANCES // n_references)
        for row, apart in enumerate(distances):
            for start in range(0, len(apart), size):
                some = slice(start, start + size)
                limit = apart[some, np.newaxis]
                both = (of_track[row, some] > limit) & (of_query[row] > limit)
                beyond[row, some] = np.count_nonzero(both, axis=1)
        beyond -= distances / (1 + distances)
        beyond -= n_references
        beyond /= -(n_references + 1)
        return beyond


class _Local(HubnessCorrection):
    """What looks at the nearest references only."""

    def _nearest(self, distances: Float32Array, own: NDArray[np.intp]) -> Float32Array:
        """Return distances to the nearest references, ascending; not to the query itself."""
        distances = distances.copy()
        (itself,) = np.nonzero(own >= 0)
        distances[itself, own[itself]] = np.inf
        n_others = max(1, distances.shape[1] - 1)
        k = min(self.n_neighbours, n_others)
        nearest: Float32Array = np.partition(distances, k - 1, axis=1)[:, :k]
        # Of a library of one track, its distance to others is not known.
        nearest[np.isinf(nearest)] = 1
        return nearest


class LocalScaling(_Local):
    """``1 - exp(-d² / (s_x s_y))``, s being the distance to the k-th nearest.

    References
    ----------
    L. Zelnik-Manor, P. Perona, "Self-tuning spectral clustering", NIPS 2004.
    """

    def _summarise(self, distances: Float32Array, own: NDArray[np.intp]) -> Float32Array:
        farthest: Float32Array = self._nearest(distances, own).max(axis=1, keepdims=True)
        return np.maximum(farthest, _LEAST_DISTANCE, out=farthest)

    def _corrected(
        self, distances: Float32Array, of_query: Float32Array, of_track: Float32Array
    ) -> Float32Array:
        corrected: Float32Array = -np.expm1(
            -np.square(distances) / (of_query[..., 0] * of_track[..., 0])
        )
        return corrected


class Nicdm(_Local):
    """Non-iterative contextual dissimilarity: ``d / √(m_x m_y)``.

    m is the mean distance to the k nearest.

    References
    ----------
    H. Jégou, C. Schmid, H. Harzallah, J. Verbeek, "Accurate image search using the contextual
    dissimilarity measure", PAMI 32(1), 2010; without iterations in Schnitzer et al. 2012.
    """

    def _summarise(self, distances: Float32Array, own: NDArray[np.intp]) -> Float32Array:
        mean: Float32Array = self._nearest(distances, own).mean(axis=1, keepdims=True)
        return np.maximum(mean, _LEAST_DISTANCE, out=mean)

    def _corrected(
        self, distances: Float32Array, of_query: Float32Array, of_track: Float32Array
    ) -> Float32Array:
        corrected: Float32Array = distances / np.sqrt(of_query[..., 0] * of_track[..., 0])
        return corrected


class Csls(_Local):
    """Cross-domain similarity local scaling: ``2 d² - r_x - r_y``.

    r is the mean squared distance to the k nearest. It may be below 0. Of vectors of length 1,
    whose ``d²`` is 2 - 2 cos, it is twice the similarity of the paper, taken negative.

    References
    ----------
    A. Conneau, G. Lample, M. Ranzato, L. Denoyer, H. Jégou, "Word translation without parallel
    data", ICLR 2018.
    """

    def _summarise(self, distances: Float32Array, own: NDArray[np.intp]) -> Float32Array:
        power: Float32Array = np.square(self._nearest(distances, own)).mean(axis=1, keepdims=True)
        return power

    def _corrected(
        self, distances: Float32Array, of_query: Float32Array, of_track: Float32Array
    ) -> Float32Array:
        corrected: Float32Array = 2 * np.square(distances) - of_query[..., 0] - of_track[..., 0]
        return corrected


CORRECTIONS: Mapping[str, type[HubnessCorrection]] = {
    "mutual_proximity": MutualProximity,
    "mutual_proximity_empiric": EmpiricMutualProximity,
    "local_scaling": LocalScaling,
    "nicdm": Nicdm,
    "csls": Csls,
}
"""The corrections by name."""


def correction_of(name: str) -> type[HubnessCorrection]:
    """Return a correction by its name.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    if name not in CORRECTIONS:
        raise ValueError(
            f"no hubness correction is called {name!r}. There are: {', '.join(CORRECTIONS)}."
        )
    return CORRECTIONS[name]
