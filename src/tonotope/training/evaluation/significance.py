"""How sure one may be of a score: intervals over artists, and tests between two models.

Clips of one artist are not independent: whoever gets one Bob Marley right tends to get the others.
An interval over clips would be too narrow, so whole artists are drawn (the cluster bootstrap:
Efron and Tibshirani 1993, "An introduction to the bootstrap"; Field and Welsh 2007).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest

from tonotope.training.clips import Clip, track_of
from tonotope.training.splits import artist_key

__all__ = ["McNemar", "bootstrap_intervals", "clusters_of", "mcnemar"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]

N_RESAMPLES = 2000
LEVEL = 0.95


def clusters_of(clips: Sequence[Clip]) -> IndexArray:
    """Return which clips stand or fall together: those of one artist.

    A clip whose artist is unknown makes a cluster with the other windows of its recording.

    Returns
    -------
    ndarray
        Shape (n_clips,), a number per cluster from 0 on.
    """
    numbers: dict[tuple[str, str], int] = {}
    keys = (
        ("artist", artist_key(clip)) if artist_key(clip) else ("track", track_of(clip))
        for clip in clips
    )
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.intp)


def bootstrap_intervals(
    clusters: ArrayLike,
    statistics: Callable[[IndexArray], Sequence[float]],
    *,
    generator: np.random.Generator,
    n_resamples: int = N_RESAMPLES,
    level: float = LEVEL,
) -> FloatArray:
    """Return percentile intervals of some statistics, by drawing clusters with replacement.

    Parameters
    ----------
    clusters
        Which cluster each clip is of, shape (n_clips,), integers from 0 on.
    statistics
        Given the indices of drawn clips (a clip drawn twice is there twice), returns its values.
    generator
        Draws; the same seed gives the same intervals.
    n_resamples
        How often to draw as many clusters as there are.
    level
        What share of the drawn values an interval holds.

    Returns
    -------
    ndarray
        Shape (n_statistics, 2): lower and upper end of each.

    Raises
    ------
    ValueError
        If there is no clip.
    """
    cluster = np.asarray(clusters, dtype=np.intp)
    if cluster.ndim != 1 or not cluster.size:
        raise ValueError(f"clusters have shape {cluster.shape}, expected (n_clips,) with a clip")
    n_clusters = int(cluster.max()) + 1
    clips = np.arange(len(cluster))
    drawn = []
    for _ in range(n_resamples):
        times = np.bincount(generator.integers(n_clusters, size=n_clusters), minlength=n_clusters)
        drawn.append(statistics(np.repeat(clips, times[cluster])))
    tail = (1 - level) / 2
    return np.quantile(np.asarray(drawn, dtype=np.float64), (tail, 1 - tail), axis=0).T


@dataclass(frozen=True, slots=True)
class McNemar:
    """Two models on the same clips.

    Attributes
    ----------
    n_only_first, n_only_second
        How many clips only the one, or only the other, gets right.
    p_value
        How likely a difference as large or larger is between equally good models.
    """

    n_only_first: int
    n_only_second: int
    p_value: float


def mcnemar(first_right: ArrayLike, second_right: ArrayLike) -> McNemar:
    """Compare two models by the clips that only one of them gets right.

    McNemar's test (1947) in its exact form: the two counts against a fair coin, two-sided
    (Dietterich 1998). It takes the clips for independent; where they come from few artists its
    p is too small, and the interval of the difference over artists is the better guide.

    Parameters
    ----------
    first_right, second_right
        Whether each model is right, shape (n_clips,), bool.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    first, second = np.asarray(first_right, dtype=bool), np.asarray(second_right, dtype=bool)
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(f"the models were asked of {first.shape} and {second.shape} clips")
    n_first, n_second = int((first & ~second).sum()), int((second & ~first).sum())
    n_apart = n_first + n_second
    p_value = float(binomtest(n_first, n_apart).pvalue) if n_apart else 1.0
    return McNemar(n_first, n_second, p_value)
