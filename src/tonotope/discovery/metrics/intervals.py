"""Intervals of a score, by drawing whole clusters of what it was measured on.

Tracks of one artist are not independent: where one finds its like, the others tend to, too. An
interval over tracks would be too narrow, so whole artists are drawn (the cluster bootstrap: Efron
and Tibshirani 1993, "An introduction to the bootstrap"; Field and Welsh 2007, "Bootstrapping
clustered data").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["bootstrap_intervals"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]

N_RESAMPLES = 2000
LEVEL = 0.95


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
        Which cluster each thing is of, shape (n,), integers from 0 on.
    statistics
        Given the indices of drawn things (one drawn twice is there twice), returns its values.
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
        If there is nothing to draw.
    """
    cluster = np.asarray(clusters, dtype=np.intp)
    if cluster.ndim != 1 or not cluster.size:
        raise ValueError(f"clusters have shape {cluster.shape}, expected (n,) with n > 0")
    n_clusters = int(cluster.max()) + 1
    rows = np.arange(len(cluster))
    drawn = []
    for _ in range(n_resamples):
        times = np.bincount(generator.integers(n_clusters, size=n_clusters), minlength=n_clusters)
        drawn.append(statistics(np.repeat(rows, times[cluster])))
    tail = (1 - level) / 2
    return np.quantile(np.asarray(drawn, dtype=np.float64), (tail, 1 - tail), axis=0).T
