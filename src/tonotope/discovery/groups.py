"""Groups of tracks that lie together: scikit-learn's clusterings, made to fit a music library.

`TrackGroups` adds to them what a library needs: the places' main directions only, a bound on how
many tracks are fitted to, and a way for every other track into a group.
"""

from __future__ import annotations

import warnings
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.cluster import HDBSCAN, AgglomerativeClustering, KMeans
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import pairwise_distances_argmin
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

__all__ = [
    "METHODS",
    "Labels",
    "Method",
    "TrackGroups",
    "join_groups",
    "largest_first",
    "principal",
]

Method = Literal["kmeans", "gmm", "hdbscan", "agglomerative"]
METHODS: tuple[Method, ...] = get_args(Method)
Labels = NDArray[np.intp]
"""The group of each track, shape (n_tracks,): 0, 1, ...; -1 for what fits into none."""

N_COMPONENTS = 20
"""Directions that tracks are grouped by: more brought no better agreement with genres on GTZAN."""

# To how many tracks each method is fitted. Agglomeration holds all distances between two of them
# (100 MB at this number, and time grows with the square), HDBSCAN computes nearly as many.
_MOST_FITTED: dict[str, int] = {
    "kmeans": 20_000,
    "gmm": 20_000,
    "hdbscan": 10_000,
    "agglomerative": 5_000,
}
_BLOCK_TRACKS = 8192
_N_VOTERS = 5
_SMALLEST_GROUP = 5


# scikit-learn has no types, so mypy takes its classes for Any.
class TrackGroups(ClusterMixin, BaseEstimator):  # type: ignore[misc]
    """Groups of tracks that lie together in the similarity space.

    The places are turned to their 20 main directions (PCA). Of more tracks than `most_fitted`, the
    method is fitted to a random sample of that many, and the others join the groups as `predict`
    has it. Memory: a few times the sample, and 80 bytes a track.

    Parameters
    ----------
    n_clusters
        How many groups; ``hdbscan`` finds that out by itself.
    method
        ``kmeans``, ``gmm`` (Gaussian mixture, diagonal covariances), ``agglomerative`` (Ward) or
        ``hdbscan``, which leaves out what lies in no dense place.
    smallest
        For ``hdbscan``: the smallest group, as a share of the tracks that it is fitted to; never
        fewer than five tracks.
    most_fitted
        To how many tracks the method is fitted; None for as many as it can take: 20 000 for
        ``kmeans`` and ``gmm``, 10 000 for ``hdbscan``, 5 000 for ``agglomerative``.
    n_init
        From how many beginnings ``kmeans`` and ``gmm`` look for the best.
    random_state
        Of the sample and of these beginnings: a seed, a `numpy.random.RandomState`, or None.

    Attributes
    ----------
    labels_
        Shape (n_tracks,): 0, 1, ..., or -1 for what ``hdbscan`` leaves out.
    n_clusters_
        How many groups there are.
    n_features_in_
        Columns of the places.

    References
    ----------
    Lloyd 1982, "Least squares quantization in PCM"; Ward 1963, "Hierarchical grouping to optimize
    an objective function"; Campello, Moulavi and Sander 2013, "Density-based clustering based on
    hierarchical density estimates"; all as scikit-learn has them.
    """

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        method: Method = "kmeans",
        smallest: float = 0.02,
        most_fitted: int | None = None,
        n_init: int = 10,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.method = method
        self.smallest = smallest
        self.most_fitted = most_fitted
        self.n_init = n_init
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Find the groups.

        Parameters
        ----------
        X
            Places, shape (n_tracks, n_columns), finite.
        y
            Not used; scikit-learn passes it.

        Raises
        ------
        ValueError
            If there are fewer tracks than groups, or a parameter is none.
        """
        places = self._validated(X, reset=True)
        if self.method not in METHODS:
            raise ValueError(f"method is {self.method!r}, expected one of {', '.join(METHODS)}")
        fewest = 2 if self.method == "hdbscan" else self.n_clusters
        if len(places) < fewest:
            raise ValueError(f"n_samples={len(places)}: these groups need {fewest} tracks or more")
        random = check_random_state(self.random_state)
        most = self.most_fitted or _MOST_FITTED[self.method]
        rows = np.arange(len(places))
        if len(places) > most:
            rows = np.sort(random.choice(len(places), most, replace=False))
        self._pca = PCA(min(N_COMPONENTS, len(rows), places.shape[1]), random_state=random)
        with np.errstate(invalid="ignore"):  # tracks that are all the same have no directions
            self._fitted = self._pca.fit_transform(places[rows])
        self._model = self._new_model(random, len(rows))
        with warnings.catch_warnings():
            # Where tracks are equal there may be fewer groups than were asked for, which is seen.
            warnings.simplefilter("ignore", ConvergenceWarning)
            fitted_labels = self._model.fit_predict(self._fitted)
        self._fitted_labels = fitted_labels.astype(np.intp)
        self.n_clusters_ = int(fitted_labels.max()) + 1
        if len(rows) == len(places):
            self.labels_ = self._fitted_labels
        else:
            self.labels_ = self._joined(places)
            self.labels_[rows] = self._fitted_labels
        return self

    def predict(self, X: ArrayLike) -> Labels:
        """Return the group that each place joins, shape (n_tracks,).

        The most likely one of a mixture, the one with the nearest mean of ``kmeans`` and
        ``agglomerative``, the one that most of the five nearest tracks are in of ``hdbscan``.
        """
        check_is_fitted(self)
        return self._joined(self._validated(X, reset=False))

    def _validated(self, X: ArrayLike, *, reset: bool) -> NDArray[np.floating[Any]]:
        places: NDArray[np.floating[Any]] = validate_data(
            self, X, dtype=[np.float64, np.float32], reset=reset
        )
        return places

    def _new_model(self, random: np.random.RandomState, n_fitted: int) -> Any:
        if self.method == "kmeans":
            return KMeans(self.n_clusters, n_init=self.n_init, random_state=random)
        if self.method == "gmm":
            return GaussianMixture(
                self.n_clusters,
                covariance_type="diag",
                n_init=self.n_init,
                # Few tracks have little spread in some direction, which would make them a group.
                reg_covar=1e-3 * float(self._fitted.var(axis=0).mean()) + 1e-12,
                random_state=random,
            )
        if self.method == "agglomerative":
            return AgglomerativeClustering(self.n_clusters)
        size = max(_SMALLEST_GROUP, round(self.smallest * n_fitted))
        return HDBSCAN(min(size, n_fitted), copy=True)

    def _joined(self, places: NDArray[np.floating[Any]]) -> Labels:
        labels = np.empty(len(places), np.intp)
        for start in range(0, len(places), _BLOCK_TRACKS):
            turned = self._pca.transform(places[start : start + _BLOCK_TRACKS])
            labels[start : start + _BLOCK_TRACKS] = (
                self._model.predict(turned)
                if hasattr(self._model, "predict")
                else join_groups(self._fitted, self._fitted_labels, turned, self.method)
            )
        return labels


def join_groups(
    places: NDArray[np.floating[Any]],
    labels: Labels,
    newcomers: NDArray[np.floating[Any]],
    method: Method,
) -> Labels:
    """Return the groups that newcomers join, shape (n_newcomers,).

    That with the nearest mean; of ``hdbscan``, whose groups may have any shape, the one that most
    of the five nearest tracks are in, be it none (-1).

    Parameters
    ----------
    places, labels
        Of the tracks that are in groups, shapes (n_tracks, n_columns) and (n_tracks,).
    newcomers
        Places, shape (n_newcomers, n_columns).
    """
    if len(newcomers) == 0 or (labels == labels[0]).all():
        return np.full(len(newcomers), labels[0], np.intp)
    if method == "hdbscan":
        voters = KNeighborsClassifier(min(_N_VOTERS, len(places))).fit(places, labels)
        voted: Labels = voters.predict(newcomers)
        return voted
    groups = np.unique(labels[labels >= 0])
    means = np.array([places[labels == group].mean(axis=0) for group in groups])
    nearest: Labels = groups[pairwise_distances_argmin(newcomers, means)]
    return nearest


def largest_first(labels: Labels) -> Labels:
    """Return the same groups, numbered by falling size; those that are empty have no number."""
    numbers, counts = np.unique(labels[labels >= 0], return_counts=True)
    new = np.full(int(labels.max(initial=-1)) + 2, -1, np.intp)  # the last is of what is in none
    new[numbers[np.argsort(-counts, kind="stable")]] = np.arange(len(numbers))
    return new[labels]


def principal(places: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Return places in their main directions, shape (n_tracks, up to 20)."""
    n_components = min(N_COMPONENTS, *places.shape)
    with np.errstate(invalid="ignore"):  # tracks that are all the same have no directions
        turned: NDArray[np.floating[Any]] = PCA(n_components, random_state=0).fit_transform(places)
    return turned
