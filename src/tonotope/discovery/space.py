"""The space in which near means alike.

A track is described by named parts: the learned embedding, timbre, harmony, rhythm, and loudness
and dynamics. The embedding is compared by its direction; in the other parts every column is
standardised robustly over the library (median and interquartile range; outliers are bounded), so
that hertz do not outweigh decibels. Each part is projected onto its principal axes, which keeps
its distances and makes questions fast, and scaled to have as much say as its weight gives it,
however many columns it has. Distances are Euclidean. Two tracks picked at random are about 1.4
apart.

Rankings use distances that are corrected for hubness, see `tonotope.discovery.hubness`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from tonotope.discovery.distances import Float32Array, distances_between, distances_to
from tonotope.discovery.estimator import Estimator, check_vectors
from tonotope.discovery.hubness import HubnessCorrection, correction_of
from tonotope.discovery.standardising import Part
from tonotope.discovery.weights import PARTS, PRESETS, weights_of

if TYPE_CHECKING:
    from tonotope.discovery.approximate import ApproximateIndex

__all__ = ["PARTS", "PRESETS", "SimilaritySpace", "distances_to", "weights_of"]

# Medians and axes are learned from no more tracks than these.
_SAMPLE_TRACKS = 20_000
_BLOCK_TRACKS = 4096
_BLOCK_QUERIES = 1024
_BLOCK_DISTANCES = 1 << 22
# How many of the Euclidean nearest, for each that is wanted, are ranked anew by a correction.
_CANDIDATES_PER_NEIGHBOUR = 10
# Among more than so many tracks, an index is built for so many questions at once: it takes seconds,
# and exact answers would take longer.
_EXACT_TRACKS = 500_000
_QUESTIONS_WORTH_AN_INDEX = 500

# Onto how many principal axes a part is projected: these keep its neighbours.
_AXES: Mapping[str, int] = {
    "embedding": 64, "timbre": 48, "harmony": 16, "rhythm": 16, "dynamics": 8
}  # fmt: skip
_AXES_OF_OTHERS = 128
# Of a learned embedding the direction counts.
_DIRECTIONS = frozenset({"embedding"})


class SimilaritySpace(Estimator):
    """Places vectors so that Euclidean distance means dissimilarity, and finds neighbours.

    An estimator by scikit-learn's contract. What is not finite (the key of what has none) is
    taken for the middle of the library, and so moves no track.

    Parameters
    ----------
    parts
        How many columns of a vector each part has, in their order; by default all are one part.
    weights
        How much say each part has in squared distances, see `weights_of`.
    correction
        What mends hubness, one of `tonotope.discovery.hubness.CORRECTIONS`; None for nothing.
    seed
        Draws the tracks that medians, axes and usual distances are learned from, where there are
        too many to learn from all.

    Attributes
    ----------
    parts_
        The columns of a place that each part has, by its name.
    weights_
        The say of each part; together 1.
    places_
        Of the library, shape (n_tracks, n_axes), float32; what was added comes last.
    column_weights_
        What `learn` multiplied the squared differences by, shape (n_axes,); 1 before.
    correction_
        The fitted `HubnessCorrection`, or None.
    index_
        What `build_index` made, or None. `kneighbors` calls it by itself where it pays: for 500
        questions or more among more than half a million tracks, if faiss is installed.
    """

    def __init__(
        self,
        parts: Mapping[str, int] | None = None,
        weights: str | Mapping[str, float] = "balanced",
        correction: str | None = "mutual_proximity",
        seed: int = 0,
    ) -> None:
        self.parts = parts
        self.weights = weights
        self.correction = correction
        self.seed = seed

    places_: Float32Array
    correction_: HubnessCorrection | None
    index_: ApproximateIndex | None
    _norms: Float32Array

    # Fitting

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the space from a library, and place it.

        Parameters
        ----------
        X
            One row per track, shape (n_tracks, n_columns); at least one row.
        y
            Ignored.

        Raises
        ------
        ValueError
            If the vectors are none, or parts, weights or correction do not fit.
        """
        vectors = check_vectors(X, name=type(self).__name__)
        columns = self._columns(vectors.shape[1])
        self.weights_ = weights_of(self.weights, columns)
        sample = vectors
        if len(vectors) > _SAMPLE_TRACKS:
            rng = np.random.default_rng(self.seed)
            sample = vectors[np.sort(rng.choice(len(vectors), _SAMPLE_TRACKS, replace=False))]
        self._columns_of_part = columns
        self._fitted = {
            name: Part.of(
                sample[:, of_part],
                _AXES.get(name, _AXES_OF_OTHERS),
                is_direction=name in _DIRECTIONS,
            )
            for name, of_part in columns.items()
        }
        ends = np.cumsum([part.n_axes for part in self._fitted.values()]).tolist()
        self.parts_ = {
            name: slice(end - part.n_axes, end)
            for (name, part), end in zip(self._fitted.items(), ends, strict=True)
        }
        self.column_weights_ = np.ones(ends[-1], np.float32)
        self.n_features_in_ = vectors.shape[1]
        self._settle(self._place(vectors))
        return self

    def transform(self, X: Any) -> Float32Array:
        """Return the place of each vector in the space, shape (n, n_axes), float32."""
        return self._place(self._vectors(X))

    def fit_transform(self, X: Any, y: Any = None) -> Float32Array:
        """Fit to vectors and return their places."""
        return self.fit(X).places_

    def add(self, X: Any) -> Float32Array:
        """Place further tracks behind those of the library, and return their places.

        Nothing is learned anew: all other places and distances stay what they are.
        """
        places = self.transform(X)
        self.places_ = np.concatenate([self.places_, places])
        self._norms = np.concatenate([self._norms, np.einsum("ij,ij->i", places, places)])
        if self.correction_ is not None:
            self.correction_.add(places)
        if self.index_ is not None:
            self.index_.add(places)
        return places

    def learn(
        self,
        groups: Sequence[Collection[int]],
        *,
        apart: Sequence[tuple[int, int]] = (),
        trust: float = 1.0,
    ) -> Self:
        """Adapt distances to tracks that belong together, and place the library accordingly.

        See `tonotope.discovery.metric_learning`. What was learned before is forgotten.

        Parameters
        ----------
        groups
            Rows of the library: those of a group belong together.
        apart
            Pairs of rows that do not, see `learn_metric`.
        trust
            How far the weights may leave what was set, see `learn_metric`.

        Raises
        ------
        ValueError
            If there is no such row.
        """
        from tonotope.discovery.metric_learning import learn_metric

        self._refuse_unfitted()
        places = (self.places_ / np.sqrt(self.column_weights_)).astype(np.float32)
        metric = learn_metric(places, self.parts_, groups, apart=apart, trust=trust, seed=self.seed)
        self.column_weights_ = metric.column_weights
        places *= np.sqrt(metric.column_weights)
        self._settle(places)
        return self

    def build_index(self) -> Self:
        """Make `kneighbors` fast where there are over half a million tracks, and nearly exact.

        The index is dropped when the space is fitted or learns; `add` adds to it.

        Raises
        ------
        InputError
            If faiss is not installed.
        """
        from tonotope.discovery.approximate import ApproximateIndex

        self._refuse_unfitted()
        self.index_ = ApproximateIndex(self.places_, self.seed)
        return self

    # Asking

    def distances_from(self, place: Float32Array) -> Float32Array:
        """Return the corrected distance of every track to a place.

        Parameters
        ----------
        place
            Of a track in the library or outside, shape (n_axes,).

        Returns
        -------
        ndarray
            Shape (n_tracks,), float32. With the usual correction from 0 to 1: 0.02 says that,
            of two tracks that are not alike, one pair in fifty is so near as seen from either.
        """
        self._refuse_unfitted()
        query = np.asarray(place, np.float32)[np.newaxis]
        corrected: Float32Array = self._corrected(
            distances_between(query, self.places_, self._norms)
        )[0]
        return corrected

    def kneighbors(
        self, X: Any = None, n_neighbors: int = 10, return_distance: bool = True
    ) -> tuple[Float32Array, NDArray[np.intp]] | NDArray[np.intp]:
        """Return the nearest tracks of the library, the nearest first.

        Parameters
        ----------
        X
            Vectors of what is asked for, shape (n_queries, n_columns); by default each track of
            the library, which then is no answer to itself.
        n_neighbors
            How many.
        return_distance
            Whether to return distances, too.

        Returns
        -------
        distances : ndarray
            Corrected, shape (n_queries, n_neighbors), float32.
        indices : ndarray
            Rows of the library, same shape.

        Raises
        ------
        ValueError
            If the library has fewer tracks.
        """
        self._refuse_unfitted()
        queries = self.places_ if X is None else self.transform(X)
        n_others = len(self.places_) - (X is None)
        if not 0 < n_neighbors <= n_others:
            raise ValueError(
                f"n_neighbors is {n_neighbors}, expected 1 to {n_others}: so many tracks there are."
            )
        if self._is_index_worth_it(len(queries)):
            self.build_index()
        distances = np.empty((len(queries), n_neighbors), np.float32)
        indices = np.empty((len(queries), n_neighbors), np.intp)
        find = self._among_all if self.index_ is None else self._among_candidates
        for start in range(0, len(queries), _BLOCK_QUERIES):
            block = slice(start, min(start + _BLOCK_QUERIES, len(queries)))
            rows = np.arange(block.start, block.stop) if X is None else None
            distances[block], indices[block] = find(queries[block], rows, n_neighbors)
        return (distances, indices) if return_distance else indices

    # Within

    def _is_index_worth_it(self, n_queries: int) -> bool:
        return (
            self.index_ is None
            and len(self.places_) > _EXACT_TRACKS
            and n_queries >= _QUESTIONS_WORTH_AN_INDEX
            and find_spec("faiss") is not None
        )

    def _columns(self, n_columns: int) -> dict[str, slice]:
        widths = {"all": n_columns} if self.parts is None else dict(self.parts)
        if sum(widths.values()) != n_columns or min(widths.values(), default=0) < 1:
            raise ValueError(f"vectors have {n_columns} columns, and parts are {widths}.")
        ends = np.cumsum(list(widths.values())).tolist()
        return {
            name: slice(end - width, end)
            for (name, width), end in zip(widths.items(), ends, strict=True)
        }

    def _vectors(self, X: Any) -> Float32Array:
        self._refuse_unfitted()
        vectors = check_vectors(X, name=type(self).__name__)
        if vectors.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {vectors.shape[1]} features, but {type(self).__name__} is expecting "
                f"{self.n_features_in_} features as input."
            )
        return vectors

    def _place(self, vectors: Float32Array) -> Float32Array:
        places = np.empty((len(vectors), len(self.column_weights_)), np.float32)
        factors = np.sqrt(self.column_weights_)
        for start in range(0, len(vectors), _BLOCK_TRACKS):
            rows = slice(start, start + _BLOCK_TRACKS)
            for name, columns in self.parts_.items():
                projected = self._fitted[name].project(vectors[rows, self._columns_of_part[name]])
                places[rows, columns] = projected * np.float32(np.sqrt(self.weights_[name]))
            places[rows] *= factors
        return places

    def _settle(self, places: Float32Array) -> None:
        """Take these for the library's places."""
        self.places_ = places
        self._norms = np.einsum("ij,ij->i", places, places)
        self.correction_ = self.index_ = None
        if self.correction is not None:
            self.correction_ = correction_of(self.correction)(seed=self.seed).fit(places)

    def _among_all(
        self, queries: Float32Array, rows: NDArray[np.intp] | None, n: int
    ) -> tuple[Float32Array, NDArray[np.intp]]:
        """Return distances and rows of the nearest n; `rows` are those of the queries."""
        found = []
        size = max(1, _BLOCK_DISTANCES // len(self.places_))
        for start in range(0, len(queries), size):
            block = slice(start, start + size)
            own = None if rows is None else rows[block]
            corrected = self._corrected(
                distances_between(queries[block], self.places_, self._norms), own
            )
            if own is not None:
                corrected[np.arange(len(own)), own] = np.inf
            found.append(_lowest(corrected, n))
        distances, columns = (np.concatenate(every) for every in zip(*found, strict=True))
        return distances, columns

    def _among_candidates(
        self, queries: Float32Array, rows: NDArray[np.intp] | None, n: int
    ) -> tuple[Float32Array, NDArray[np.intp]]:
        """Do what `_among_all` does with what the index finds by Euclidean distance."""
        assert self.index_ is not None
        wanted = min(len(self.places_), _CANDIDATES_PER_NEIGHBOUR * n + 1)
        apart, candidates = self.index_.query(queries, wanted)
        corrected = apart
        if self.correction_ is not None:
            corrected = self.correction_.correct_candidates(queries, candidates, apart, rows)
        corrected[candidates < 0] = np.inf
        if rows is not None:
            corrected[candidates == rows[:, np.newaxis]] = np.inf
        distances, columns = _lowest(corrected, n)
        return distances, np.take_along_axis(candidates, columns, axis=1)

    def _corrected(
        self, distances: Float32Array, rows: NDArray[np.intp] | None = None
    ) -> Float32Array:
        if self.correction_ is None:
            return distances
        return self.correction_.correct(distances, rows)


def _lowest(distances: Float32Array, n: int) -> tuple[Float32Array, NDArray[np.intp]]:
    """Return the lowest n of each row, ascending, and where they are; the first of equals first."""
    if n < distances.shape[1]:
        columns = np.sort(np.argpartition(distances, n - 1, axis=1)[:, :n], axis=1)
    else:
        columns = np.tile(np.arange(n), (len(distances), 1))
    lowest = np.take_along_axis(distances, columns, axis=1)
    order = np.argsort(lowest, axis=1, kind="stable")
    return np.take_along_axis(lowest, order, axis=1), np.take_along_axis(columns, order, axis=1)
