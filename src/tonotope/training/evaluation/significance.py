"""How sure one may be of a score: intervals over artists, and tests between two models.

Clips of one artist are not independent: whoever gets one Bob Marley right tends to get the others.
An interval over clips would be too narrow, so whole artists are drawn: see
`tonotope.discovery.metrics.intervals`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest

from tonotope.discovery.metrics.intervals import bootstrap_intervals
from tonotope.training.clips import Clip, track_of
from tonotope.training.splits import artist_key

__all__ = ["McNemar", "bootstrap_intervals", "clusters_of", "mcnemar"]

IndexArray = NDArray[np.intp]


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
