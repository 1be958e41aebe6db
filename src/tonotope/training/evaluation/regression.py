"""Scores of predicted numbers, such as a tempo or a rating.

Conventions
-----------
``truth`` and ``predicted`` have a number per clip, in any shape, the same for both; all are finite.

Metrics
-------
* `r_squared`: share of the truth's variance that is predicted (Wright 1921, "Correlation and
  causation"). 1 is perfect, 0 no better than the clips' mean, below 0 worse than that.
* `mean_absolute_error`: mean distance, in the unit of the numbers.

Both agree with scikit-learn 1.5 and later; the tests compare.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["mean_absolute_error", "r_squared"]

FloatArray = NDArray[np.float64]


def r_squared(truth: ArrayLike, predicted: ArrayLike) -> float:
    r"""Return :math:`1 - \sum (t_i - p_i)^2 / \sum (t_i - \bar t)^2`.

    Raises
    ------
    ValueError
        If the numbers are not valid, or the truth is the same of all clips.
    """
    wanted, given = _pair(truth, predicted)
    total = np.square(wanted - wanted.mean()).sum()
    if not total > 0:
        raise ValueError("the truth is the same of all clips: there is no variance to predict")
    return float(1 - np.square(wanted - given).sum() / total)


def mean_absolute_error(truth: ArrayLike, predicted: ArrayLike) -> float:
    r"""Return :math:`\frac1n\sum |t_i - p_i|`.

    Raises
    ------
    ValueError
        If the numbers are not valid.
    """
    wanted, given = _pair(truth, predicted)
    return float(np.abs(wanted - given).mean())


def _pair(truth: ArrayLike, predicted: ArrayLike) -> tuple[FloatArray, FloatArray]:
    wanted, given = (np.asarray(values, dtype=np.float64) for values in (truth, predicted))
    if wanted.shape != given.shape or wanted.size == 0:
        raise ValueError(
            f"truth has shape {wanted.shape} and predictions {given.shape}, expected the same, "
            "with a clip"
        )
    if not (np.isfinite(wanted).all() and np.isfinite(given).all()):
        raise ValueError("numbers are not all finite")
    return wanted.ravel(), given.ravel()
