"""Scores of recommendations from implicit feedback.

A recommender gives each user and item a score; what is known of the users is what they chose
(played, mostly), not what they disliked. It is judged by how high it ranks what they chose and
it was not told.

Conventions
-----------
``scores`` are of shape (n_users, n_items), higher means sooner recommended; or (n_items,) where
they are the same for all users, as popularity is. ``relevant`` says what each user chose, shape
(n_users, n_items), an array or a SciPy sparse matrix: whatever is not 0. ``candidates`` are the
items that may be ranked, a mask of shape (n_items,) or (n_users, n_items), all by default: where
a recommender has learned from a user's other items, these are no candidates.

Every metric is returned per user, shape (n_users,), so that users can be averaged, or drawn for an
interval; it is NaN for a user without any relevant candidate, whom no ranking could please
(`evaluate` leaves these out and counts them).

Items of equal score are taken for being in random order, and the metric is the mean over all
these orders, in closed form (McSherry and Najork 2008, "Computing information retrieval
performance measures efficiently in the presence of tied scores"): a recommender that says nothing
gets what chance gets, whatever the order of the items.

Metrics
-------
* `auc`: chance that an item the user chose is ranked above one he did not (Rendle et al. 2009,
  "BPR: Bayesian personalized ranking from implicit feedback").
* `average_precision`: mean over the chosen items of the precision down to each; its mean over
  users is mAP (Manning, Raghavan and Schütze 2008, chapter 8).
* `ndcg_at_k`: gains of the first k, discounted by the logarithm of their rank, as a share of what
  the best ranking has (Järvelin and Kekäläinen 2002, "Cumulated gain-based evaluation of IR
  techniques").
* `recall_at_k`: share of the chosen items that are among the first k.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array, issparse
from scipy.stats import rankdata

__all__ = [
    "RecommendationScores",
    "auc",
    "average_precision",
    "evaluate",
    "ndcg_at_k",
    "recall_at_k",
    "validate",
]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class RecommendationScores:
    """The metrics of one recommender, per user; NaN for users without a relevant candidate.

    Attributes
    ----------
    auc, average_precision, ndcg, recall
        Shape (n_users,).
    """

    auc: FloatArray
    average_precision: FloatArray
    ndcg: FloatArray
    recall: FloatArray

    @property
    def n_users(self) -> int:
        """How many users had a relevant candidate."""
        return int(np.isfinite(self.average_precision).sum())

    def means(self) -> dict[str, float]:
        """Return each metric's mean over the users who have it; NaN if none has."""
        return {
            "auc": _mean(self.auc),
            "map": _mean(self.average_precision),
            "ndcg": _mean(self.ndcg),
            "recall": _mean(self.recall),
        }


def validate(
    scores: ArrayLike, relevant: Any, candidates: ArrayLike | None = None
) -> tuple[FloatArray, Any, BoolArray]:
    """Check scores and what they are judged by; return them as arrays.

    Returns
    -------
    scores
        Shape (n_users, n_items), float64; not copied per user where they are the same for all.
    relevant
        Shape (n_users, n_items): bool, or a sparse array in rows.
    candidates
        Shape (n_users, n_items), bool.

    Raises
    ------
    ValueError
        If shapes do not fit, there is no user or item, or a candidate's score is not finite.
    """
    chosen = csr_array(relevant) if issparse(relevant) else np.asarray(relevant) != 0
    if chosen.ndim != 2 or 0 in chosen.shape:
        raise ValueError(
            f"relevant has shape {chosen.shape}, expected (n_users, n_items) with one of each"
        )
    given = _for_all_users("scores", np.asarray(scores, dtype=np.float64), chosen.shape)
    allowed = _for_all_users(
        "candidates",
        np.ones(chosen.shape[1], bool) if candidates is None else np.asarray(candidates, bool),
        chosen.shape,
    )
    if not np.isfinite(given[allowed]).all():
        raise ValueError("scores of candidates are not all finite")
    return given, chosen, allowed


def auc(scores: ArrayLike, relevant: Any, *, candidates: ArrayLike | None = None) -> FloatArray:
    """Return the area under each user's ROC curve; NaN also where all candidates are relevant."""
    return _per_user(_auc, scores, relevant, candidates)


def average_precision(
    scores: ArrayLike, relevant: Any, *, candidates: ArrayLike | None = None
) -> FloatArray:
    """Return each user's average precision, over the whole ranking."""
    return _per_user(_average_precision, scores, relevant, candidates)


def ndcg_at_k(
    scores: ArrayLike, relevant: Any, k: int, *, candidates: ArrayLike | None = None
) -> FloatArray:
    """Return each user's normalised discounted cumulated gain of the first k.

    Raises
    ------
    ValueError
        If k is below 1, or what is given is not valid.
    """
    _check_k(k)
    return _per_user(lambda s, hit: _ndcg(s, hit, k), scores, relevant, candidates)


def recall_at_k(
    scores: ArrayLike, relevant: Any, k: int, *, candidates: ArrayLike | None = None
) -> FloatArray:
    """Return the share of each user's relevant items among the first k.

    Raises
    ------
    ValueError
        If k is below 1, or what is given is not valid.
    """
    _check_k(k)
    return _per_user(
        lambda s, hit: float(_expected_hits(s, hit)[:k].sum() / hit.sum()),
        scores,
        relevant,
        candidates,
    )


def evaluate(
    scores: ArrayLike, relevant: Any, k: int, *, candidates: ArrayLike | None = None
) -> RecommendationScores:
    """Return all metrics of a recommender.

    Raises
    ------
    ValueError
        If k is below 1, or what is given is not valid.
    """
    return RecommendationScores(
        auc=auc(scores, relevant, candidates=candidates),
        average_precision=average_precision(scores, relevant, candidates=candidates),
        ndcg=ndcg_at_k(scores, relevant, k, candidates=candidates),
        recall=recall_at_k(scores, relevant, k, candidates=candidates),
    )


def _per_user(
    metric: Callable[[FloatArray, BoolArray], float],
    scores: ArrayLike,
    relevant: Any,
    candidates: ArrayLike | None,
) -> FloatArray:
    given, chosen, allowed = validate(scores, relevant, candidates)
    values = np.full(chosen.shape[0], np.nan)
    for user in range(len(values)):
        row = chosen[[user]].toarray()[0] != 0 if issparse(chosen) else chosen[user]
        hit = row[allowed[user]]
        if hit.any():
            values[user] = metric(given[user][allowed[user]], hit)
    return values


def _auc(scores: FloatArray, hit: BoolArray) -> float:
    n_hits = int(hit.sum())
    n_others = len(hit) - n_hits
    if not n_others:
        return float("nan")
    rank_sum = float(rankdata(scores)[hit].sum())
    return (rank_sum - n_hits * (n_hits + 1) / 2) / (n_hits * n_others)


def _average_precision(scores: FloatArray, hit: BoolArray) -> float:
    starts, sizes, hits = _ties(scores, hit)
    hits_before = np.repeat(np.cumsum(hits) - hits, sizes)
    place = np.arange(len(hit))
    in_tie = place - np.repeat(starts, sizes)
    # Given a hit at a place, how many of the others in its tie are expected before it.
    others = np.repeat((hits - 1) / np.maximum(sizes - 1, 1), sizes)
    precision = (hits_before + in_tie * others + 1) / (place + 1)
    return float(np.sum(np.repeat(hits / sizes, sizes) * precision) / hits.sum())


def _ndcg(scores: FloatArray, hit: BoolArray, k: int) -> float:
    discounts = 1 / np.log2(np.arange(2, len(hit) + 2)[:k])
    best = discounts[: int(hit.sum())].sum()
    return float(_expected_hits(scores, hit)[:k] @ discounts / best)


def _expected_hits(scores: FloatArray, hit: BoolArray) -> FloatArray:
    """Return by rank the chance that what stands there is relevant."""
    _, sizes, hits = _ties(scores, hit)
    return np.repeat(hits / sizes, sizes)


def _ties(scores: FloatArray, hit: BoolArray) -> tuple[NDArray[np.intp], ...]:
    """Return, from the best down, where items of equal score begin, their number and hits."""
    order = np.argsort(-scores, kind="stable")
    starts = np.flatnonzero(np.append(True, np.diff(scores[order]) != 0))
    sizes = np.diff(starts, append=len(order))
    return starts, sizes, np.add.reduceat(hit[order].astype(np.intp), starts)


def _for_all_users(what: str, values: NDArray[Any], shape: tuple[int, int]) -> NDArray[Any]:
    if values.shape not in (shape, shape[1:]):
        raise ValueError(f"{what} have shape {values.shape}, expected {shape} or {shape[1:]}")
    return np.broadcast_to(values, shape)


def _check_k(k: int) -> None:
    if k < 1:
        raise ValueError(f"k is {k}, expected 1 or more")


def _mean(values: FloatArray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")
