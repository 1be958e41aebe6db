"""Several evaluations of one method as one: folds, protocols, seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["together"]

_AVERAGED = ("accuracy", "balanced_accuracy", "macro_f1", "top3", "ece")


def together(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the mean and the deviation of evaluations.

    Parameters
    ----------
    results
        Of `tonotope.training.evaluation.evaluate.evaluate`, one at least.

    Returns
    -------
    dict
        ``model``, ``n`` (clips in all), ``leaky`` (whether one is), of each score the mean and,
        as ``..._deviation``, the standard deviation (of the population), and ``splits``.
    """
    document: dict[str, Any] = {
        "model": results[0]["model"],
        "n": sum(result["n"] for result in results),
        "leaky": any(result["leaky"] for result in results),
    }
    for name in _AVERAGED:
        values = [result[name] for result in results]
        document[name] = round(float(np.mean(values)), 6)
        document[f"{name}_deviation"] = round(float(np.std(values)), 6)
    return document | {"splits": list(results)}
