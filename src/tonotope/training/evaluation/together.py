"""Several evaluations of one method as one: the folds of a split, and several splits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["together"]

_AVERAGED = ("accuracy", "balanced_accuracy", "macro_f1", "top3", "ece")


def together(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the mean and the deviation of evaluations, for each way of splitting.

    Parameters
    ----------
    results
        Of `tonotope.training.evaluation.evaluate.evaluate`, one at least.

    Returns
    -------
    dict
        ``model``; ``leaky``, whether one is; by the first way of splitting ``n`` (clips in all),
        ``folds``, and of each score the mean and, as ``..._deviation``, the standard deviation over
        the folds (of the population); the same by each way in ``protocols``; and ``splits``.
    """
    of_each: dict[str, list[dict[str, Any]]] = {}
    for result in results:
        of_each.setdefault(_way(result), []).append(result)
    protocols = {way: _means(of) for way, of in of_each.items()}
    return {
        "model": results[0]["model"],
        **next(iter(protocols.values())),
        "leaky": any(result["leaky"] for result in results),
        "protocols": protocols,
        "splits": list(results),
    }


def _way(result: dict[str, Any]) -> str:
    way, _, _ = str(result["protocol"]).partition(",")
    return way


def _means(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    means: dict[str, Any] = {
        "leaky": any(result["leaky"] for result in results),
        "n": sum(result["n"] for result in results),
        "folds": len(results),
    }
    for name in _AVERAGED:
        values = [result[name] for result in results]
        means[name] = round(float(np.mean(values)), 6)
        means[f"{name}_deviation"] = round(float(np.std(values)), 6)
    return means
