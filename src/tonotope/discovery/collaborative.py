"""Recommendations from what people played, also of songs that nobody has played yet.

Plays are implicit feedback: they say what a listener chose, not what he dislikes. Listeners and
songs get factors whose product is high where a listener played a song (alternating least squares;
Hu, Koren and Volinsky 2008, "Collaborative filtering for implicit feedback datasets"). A song
without plays has none; a regression from sound to factors, learned from the songs that have both,
gives it some (van den Oord, Dieleman and Schrauwen 2013, "Deep content-based music
recommendation"). Beside it stands what needs no other listeners: the likeness of a song's sound to
what the listener played. The hybrid is a weighted mean of both, its weight chosen by hiding songs
that do have plays.

Shapes: ``plays`` are counts, a SciPy sparse array (n_listeners, n_songs); ``places`` are songs in
the similarity space, (n_songs, n_columns).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, csr_matrix

from tonotope.discovery.metrics.recommendation import average_precision

__all__ = [
    "CONFIDENCE_ALPHA",
    "Factors",
    "FactorsFromSound",
    "cold_scores",
    "confidences",
    "content_scores",
    "factors_from_plays",
    "fit_factors",
    "hybrid_scores",
    "hybrid_weight",
]

FloatArray: TypeAlias = NDArray[np.float32]
Plays: TypeAlias = Any  # a sparse array of SciPy's, which has no types

CONFIDENCE_ALPHA = 40.0
"""How much surer a play is than none: the value of Hu, Koren and Volinsky."""

_N_FACTORS = 32
_REGULARIZATION = 10.0
_N_ITERATIONS = 15

# The regression is cubic in the songs it learns from; so many take minutes.
_MAX_LEARNED_FROM = 3000
_STRENGTHS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
_WIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)
_N_INNER_FOLDS = 5

_WEIGHTS = tuple(k / 10 for k in range(11))


@dataclass(frozen=True, slots=True, eq=False)
class Factors:
    """What plays say of listeners and songs.

    Attributes
    ----------
    listeners
        Shape (n_listeners, n_factors), float32.
    songs
        Shape (n_songs, n_factors), float32; zeros for songs that nobody played.
    """

    listeners: FloatArray
    songs: FloatArray


def confidences(plays: Plays) -> csr_matrix:
    """Return how sure it is that each play was meant: ``1 + alpha * log(1 + n / median(n))``.

    The logarithmic form of Hu, Koren and Volinsky (2008, section 3), with the median count as the
    unit: a song on repeat does not outweigh all others, and counts of a week and of ten years are
    treated alike.
    """
    counts = csr_matrix(plays, dtype=np.float32, copy=True)
    counts.eliminate_zeros()
    if counts.nnz:
        counts.data = 1 + CONFIDENCE_ALPHA * np.log1p(counts.data / np.median(counts.data))
    return counts


def fit_factors(plays: Plays, *, n_factors: int = _N_FACTORS, seed: int = 0) -> Factors:
    """Factorise plays.

    Linear in the number of listener-song pairs, in time and memory. The same seed gives the same
    factors.

    Raises
    ------
    ImportError
        If the extra ``plays`` is not installed.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, "blas"):
        model = _solver(n_factors, seed)
        model.fit(confidences(plays), show_progress=False)
    songs = np.asarray(model.item_factors)
    played = np.diff(csr_matrix(plays).tocsc().indptr) > 0
    return Factors(np.asarray(model.user_factors), np.where(played[:, np.newaxis], songs, 0))


def factors_from_plays(factors: Factors, plays: Plays) -> FloatArray:
    """Return the factors of other songs by who played them, the listeners' being known.

    Parameters
    ----------
    factors
        Of `fit_factors`.
    plays
        Of the other songs by the same listeners, shape (n_listeners, n_others).

    Returns
    -------
    ndarray
        Shape (n_others, n_factors), float32.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, "blas"):
        model = _solver(factors.listeners.shape[1], 0)
        model.user_factors = factors.listeners
        model.item_factors = factors.songs
        by_song = csr_matrix(confidences(plays).T)
        found = model.recalculate_item(np.arange(by_song.shape[0]), by_song)
    return np.asarray(found, np.float32)


def _solver(n_factors: int, seed: int) -> Any:
    from implicit.cpu.als import AlternatingLeastSquares

    # One thread: the order of sums, and with it the last digits, depends on how many there are.
    return AlternatingLeastSquares(
        factors=n_factors,
        regularization=_REGULARIZATION,
        alpha=1.0,
        iterations=_N_ITERATIONS,
        num_threads=1,
        random_state=seed,
    )


class FactorsFromSound:
    """Kernel ridge regression from places to factors.

    A Gaussian kernel, whose variance (a multiple of the median squared distance) and penalty are
    chosen by five-fold cross-validation.

    Attributes
    ----------
    width_, strength_
        What was chosen.
    """

    def fit(self, places: FloatArray, factors: FloatArray) -> Self:
        """Learn from songs that have both.

        Cubic in their number: of more than 3000, evenly spread ones are learned from.

        Parameters
        ----------
        places
            Shape (n_songs, n_columns); at least five songs.
        factors
            Shape (n_songs, n_factors).
        """
        from sklearn.kernel_ridge import KernelRidge
        from sklearn.metrics import euclidean_distances
        from sklearn.model_selection import GridSearchCV, KFold

        rows = np.unique(np.linspace(0, len(places) - 1, _MAX_LEARNED_FROM).astype(np.intp))
        known, targets = places[rows], factors[rows]
        self._mean = targets.mean(axis=0)
        apart = euclidean_distances(known[:: max(1, len(known) // 500)], squared=True)
        scale = float(np.median(apart[apart > 0])) if (apart > 0).any() else 1.0
        search = GridSearchCV(
            KernelRidge(kernel="rbf"),
            {"alpha": _STRENGTHS, "gamma": [1 / (2 * scale * width) for width in _WIDTHS]},
            scoring="neg_mean_squared_error",
            cv=KFold(_N_INNER_FOLDS, shuffle=True, random_state=0),
        )
        search.fit(known, targets - self._mean)
        self._model = search.best_estimator_
        self.strength_: float = search.best_params_["alpha"]
        self.width_: float = 1 / (2 * scale * search.best_params_["gamma"])
        return self

    def predict(self, places: FloatArray) -> FloatArray:
        """Return the factors that songs sound like having, shape (n_songs, n_factors)."""
        return np.asarray(self._model.predict(places) + self._mean, np.float32)


def content_scores(
    plays: Plays, places: FloatArray, candidates: FloatArray, *, centre: FloatArray | None = None
) -> NDArray[np.float64]:
    """Return how much songs sound like what listeners played: the mean cosine to it.

    Parameters
    ----------
    plays
        Shape (n_listeners, n_songs); a song counts by ``log(1 + n)``.
    places
        Of these songs, shape (n_songs, n_columns).
    candidates
        Places of the songs to be scored, shape (n_candidates, n_columns).
    centre
        From where directions are taken, shape (n_columns,): the mean of all songs that there are;
        of `places` if it is not said.

    Returns
    -------
    ndarray
        Shape (n_listeners, n_candidates), -1 to 1; 0 for a listener without plays.
    """
    weights = csr_array(plays, dtype=np.float64, copy=True)
    weights.data = np.log1p(weights.data)
    totals = np.asarray(weights.sum(axis=1)).reshape(-1, 1)
    origin = places.mean(axis=0) if centre is None else centre
    profiles = (weights @ _directions(places - origin)) / np.where(totals > 0, totals, 1)
    scores: NDArray[np.float64] = profiles @ _directions(candidates - origin).T
    return scores


def _directions(vectors: FloatArray) -> NDArray[np.float64]:
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    directions: NDArray[np.float64] = vectors / np.where(lengths > 0, lengths, 1)
    return directions


def hybrid_scores(
    by_factors: NDArray[Any], by_content: NDArray[Any], weight: float
) -> NDArray[np.float64]:
    """Return the weighted mean of two ways of scoring, each standardised for every listener.

    Parameters
    ----------
    by_factors, by_content
        Shape (n_listeners, n_candidates).
    weight
        Of `by_factors`, 0 to 1.
    """
    return weight * _standardised(by_factors) + (1 - weight) * _standardised(by_content)


def _standardised(scores: NDArray[Any]) -> NDArray[np.float64]:
    values = np.asarray(scores, np.float64)
    centred = values - values.mean(axis=1, keepdims=True)
    spread = centred.std(axis=1, keepdims=True)
    standardised: NDArray[np.float64] = centred / np.where(spread > 0, spread, 1)
    return standardised


def hybrid_weight(
    plays: Plays,
    places: FloatArray,
    heard: NDArray[np.intp],
    groups: Sequence[object],
    rng: np.random.Generator,
    on_progress: Callable[[int, int], None] | None = None,
) -> float:
    """Choose the weight of the hybrid by hiding the plays of songs, a fifth at a time.

    Parameters
    ----------
    plays
        Shape (n_listeners, n_songs).
    places
        Of the songs whose sound is known, shape (n_heard, n_columns).
    heard
        Which columns of `plays` they are, shape (n_heard,).
    groups
        Of each song in `places`; what is of one group (an artist) is hidden together.
    rng
        Parts the groups.
    on_progress
        Called with how many of how many parts are tried.

    Returns
    -------
    float
        The weight of the factors, in tenths: that of the highest mean average precision; 0.5
        where nothing could be tried.
    """
    names = list(dict.fromkeys(groups))
    part_of = dict(zip(names, rng.permutation(len(names)) % _N_INNER_FOLDS, strict=True))
    parts = np.array([part_of[group] for group in groups])
    gains: dict[float, list[NDArray[np.float64]]] = {weight: [] for weight in _WEIGHTS}
    for part in range(_N_INNER_FOLDS):
        if on_progress is not None:
            on_progress(part, _N_INNER_FOLDS)
        hidden, shown = np.flatnonzero(parts == part), np.flatnonzero(parts != part)
        if len(hidden) < 2 or len(shown) < _N_INNER_FOLDS:
            continue
        by_factors, by_content = cold_scores(plays, places, heard, hidden)
        relevant = csr_array(plays)[:, heard[hidden]].toarray() > 0
        for weight in _WEIGHTS:
            scores = hybrid_scores(by_factors, by_content, weight)
            gains[weight].append(average_precision(scores, relevant))
    if not any(np.isfinite(g).any() for g in gains[0.0]):
        return 0.5
    return max(_WEIGHTS, key=lambda weight: float(np.nanmean(np.concatenate(gains[weight]))))


def cold_scores(
    plays: Plays, places: FloatArray, heard: NDArray[np.intp], hidden: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what the factors from sound and the content say of songs whose plays are hidden.

    Parameters
    ----------
    plays, places, heard
        As for `hybrid_weight`.
    hidden
        Which rows of `places` are taken for new, shape (n_hidden,).

    Returns
    -------
    by_factors, by_content
        Shape (n_listeners, n_hidden).
    """
    seen = csr_array(plays, copy=True)
    is_hidden = np.zeros(seen.shape[1], bool)
    is_hidden[heard[hidden]] = True
    seen.data[is_hidden[seen.indices]] = 0
    seen.eliminate_zeros()
    shown = np.setdiff1d(np.arange(len(heard)), hidden)
    factors = fit_factors(seen)
    sound = FactorsFromSound().fit(places[shown], factors.songs[heard[shown]])
    by_factors = factors.listeners @ sound.predict(places[hidden]).T
    by_content = content_scores(seen[:, heard[shown]], places[shown], places[hidden])
    return by_factors.astype(np.float64), by_content
