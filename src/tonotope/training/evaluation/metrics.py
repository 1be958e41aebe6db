"""Scores of genre predictions.

Every clip has one true genre, an index into the labels, and a model gives each clip a probability
per label. What a model predicts is its likeliest label; of equal ones the first.

Conventions
-----------
Arrays have a row per clip. ``truth`` and ``predicted`` are of shape (n_clips,), integers in
[0, n_labels); ``probabilities`` are of shape (n_clips, n_labels), each row summing to 1. Where a
score's denominator is zero (a genre that was never predicted has no precision) the score is 0, as
in scikit-learn with ``zero_division=0``.

Metrics
-------
* `accuracy`: share of clips that are predicted right.
* `balanced_accuracy`: mean recall over the genres that occur in the truth (Brodersen et al. 2010,
  "The balanced accuracy and its posterior distribution").
* `macro_f1`: mean F1 over the genres that occur in the truth or among the predictions, each with
  the same weight (Yang 1999, "An evaluation of statistical approaches to text categorization").
* `top_k_accuracy`: share of clips whose genre is among the k likeliest.
* `genre_scores`: precision, recall, F1 and support of each genre (van Rijsbergen 1979).
* `confusion_matrix`: how many clips of each genre were taken for each.

Of several labels per clip, each on its own:

* `mean_average_precision`: area under the precision–recall curve as a sum of steps, mean over the
  labels (Manning, Raghavan and Schütze 2008, chapter 8).
* `mean_roc_auc`: chance that a clip which has the label scores above one which has not, mean over
  the labels (Hanley and McNeil 1982).

All of them agree with scikit-learn 1.5 and later; the tests compare.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

__all__ = [
    "SUM_TOLERANCE",
    "GenreScores",
    "accuracy",
    "balanced_accuracy",
    "confusion_matrix",
    "genre_scores",
    "in_top_k",
    "macro_f1",
    "mean_average_precision",
    "mean_roc_auc",
    "predictions_of",
    "top_k_accuracy",
    "validate",
    "validate_multilabel",
]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]

SUM_TOLERANCE = 1e-3
"""How far a row of probabilities may be from summing to 1: they come from float32, or int8."""


def validate(truth: ArrayLike, probabilities: ArrayLike) -> tuple[IndexArray, FloatArray]:
    """Check predictions; return them as arrays.

    Parameters
    ----------
    truth
        Shape (n_clips,).
    probabilities
        Shape (n_clips, n_labels).

    Returns
    -------
    truth, probabilities
        As intp and float64.

    Raises
    ------
    ValueError
        If there is no clip, the shapes do not fit, an index is no label's, or a row is not made of
        probabilities.
    """
    shares = np.asarray(probabilities, dtype=np.float64)
    if shares.ndim != 2 or shares.shape[1] == 0:
        raise ValueError(
            f"probabilities have shape {shares.shape}, expected (n_clips, n_labels) with a label "
            "at least"
        )
    genre = _indices("truth", truth, shares.shape[1])
    if len(genre) != len(shares):
        raise ValueError(f"{len(genre)} clips have a genre, but {len(shares)} have probabilities")
    wrong = np.flatnonzero(
        ~np.isfinite(shares).all(axis=1)
        | (shares < 0).any(axis=1)
        | (np.abs(shares.sum(axis=1) - 1) > SUM_TOLERANCE)
    )
    if wrong.size:
        row = int(wrong[0])
        raise ValueError(
            f"row {row} of the probabilities is {shares[row].tolist()}: not at least 0 each with "
            "sum 1"
        )
    return genre, shares


def validate_multilabel(
    targets: ArrayLike, scores: ArrayLike
) -> tuple[NDArray[np.bool_], FloatArray]:
    """Check predictions of several labels per clip; return them as arrays.

    Parameters
    ----------
    targets
        Which labels each clip has, shape (n_clips, n_labels), 0 or 1.
    scores
        Of the same shape; higher means likelier.

    Raises
    ------
    ValueError
        If the shapes differ, a target is neither 0 nor 1, or a score is not finite.
    """
    has = np.asarray(targets)
    given = np.asarray(scores, dtype=np.float64)
    if has.ndim != 2 or has.shape != given.shape or has.size == 0:
        raise ValueError(
            f"targets have shape {has.shape} and scores {given.shape}, expected the same "
            "(n_clips, n_labels)"
        )
    if not np.isin(has, (0, 1)).all():
        raise ValueError("targets are not all 0 or 1")
    if not np.isfinite(given).all():
        raise ValueError("scores are not all finite")
    return has.astype(bool), given


def predictions_of(probabilities: ArrayLike) -> IndexArray:
    """Return the likeliest label of each clip, shape (n_clips,); of equal ones the first."""
    likeliest: IndexArray = np.asarray(probabilities).argmax(axis=1)
    return likeliest


def confusion_matrix(truth: ArrayLike, predicted: ArrayLike, n_labels: int) -> NDArray[np.int64]:
    """Count how many clips of each genre were taken for each.

    Returns
    -------
    ndarray
        Shape (n_labels, n_labels), int64: rows are the truth, columns the predictions.
    """
    genre, guess = _pair(truth, predicted, n_labels)
    counts = np.bincount(genre * n_labels + guess, minlength=n_labels * n_labels)
    return counts.reshape(n_labels, n_labels).astype(np.int64)


def accuracy(truth: ArrayLike, predicted: ArrayLike) -> float:
    r"""Return the share of clips that are predicted right, :math:`\frac1n\sum [p_i = t_i]`."""
    genre, guess = _pair(truth, predicted)
    return float(np.mean(genre == guess))


def balanced_accuracy(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Return the mean recall over the genres that occur in the truth."""
    return _scores_of_what_occurs(truth, predicted).balanced_accuracy


def macro_f1(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Return the mean F1 over the genres that occur in the truth or among the predictions.

    A genre of the labels that has neither clip nor prediction says nothing of the model and is
    left out; one that was only predicted counts with an F1 of 0. So does scikit-learn's
    ``f1_score(average="macro")``.
    """
    return _scores_of_what_occurs(truth, predicted).macro_f1


def top_k_accuracy(truth: ArrayLike, probabilities: ArrayLike, k: int = 3) -> float:
    """Return the share of clips whose genre is among the k likeliest; see `in_top_k`."""
    return float(np.mean(in_top_k(truth, probabilities, k)))


def in_top_k(truth: ArrayLike, probabilities: ArrayLike, k: int = 3) -> NDArray[np.bool_]:
    """Return whether each clip's genre is among the k likeliest; of equal ones the first count.

    Returns
    -------
    ndarray
        Shape (n_clips,), bool.

    Raises
    ------
    ValueError
        If k is below 1, or the predictions are not valid.
    """
    if k < 1:
        raise ValueError(f"k is {k}, expected 1 or more")
    genre, shares = validate(truth, probabilities)
    order = np.argsort(-shares, axis=1, kind="stable")[:, :k]
    found: NDArray[np.bool_] = (order == genre[:, np.newaxis]).any(axis=1)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class GenreScores:
    """Scores of each genre.

    Attributes
    ----------
    precision
        Of what was predicted to be it, the share that is; shape (n_labels,).
    recall
        Of what is it, the share that was predicted to be.
    f1
        Their harmonic mean.
    support
        How many clips are of it, int64.
    n_predicted
        How many were predicted to be, int64.
    """

    precision: FloatArray
    recall: FloatArray
    f1: FloatArray
    support: NDArray[np.int64]
    n_predicted: NDArray[np.int64]

    @property
    def balanced_accuracy(self) -> float:
        """See `tonotope.training.evaluation.metrics.balanced_accuracy`."""
        return float(self.recall[self.support > 0].mean())

    @property
    def macro_f1(self) -> float:
        """See `tonotope.training.evaluation.metrics.macro_f1`."""
        return float(self.f1[(self.support > 0) | (self.n_predicted > 0)].mean())


def genre_scores(confusion: ArrayLike) -> GenreScores:
    """Return precision, recall, F1 and support of each genre.

    Parameters
    ----------
    confusion
        Of `confusion_matrix`, shape (n_labels, n_labels).
    """
    counts = np.asarray(confusion, dtype=np.int64)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise ValueError(f"confusion has shape {counts.shape}, expected a square")
    right, support, n_predicted = np.diagonal(counts), counts.sum(axis=1), counts.sum(axis=0)
    return GenreScores(
        precision=_ratio(right, n_predicted),
        recall=_ratio(right, support),
        f1=_ratio(2 * right, support + n_predicted),
        support=support,
        n_predicted=n_predicted,
    )


def mean_average_precision(targets: ArrayLike, scores: ArrayLike) -> float:
    r"""Return the mean average precision over the labels that some clip has.

    Of one label, :math:`\sum_n (R_n - R_{n-1}) P_n` over the thresholds at its distinct scores,
    from the highest down.

    Raises
    ------
    ValueError
        If the predictions are not valid, or no clip has any label.
    """
    has, given = validate_multilabel(targets, scores)
    return _mean_over_labels(_average_precision, has, given, n_with=(1, len(has)))


def mean_roc_auc(targets: ArrayLike, scores: ArrayLike) -> float:
    """Return the mean area under the ROC curve over the labels that some clips have and some not.

    Of one label, the share of pairs of a clip with and a clip without it in which the one with it
    scores higher; equal scores count half (the Mann–Whitney statistic).

    Raises
    ------
    ValueError
        If the predictions are not valid, or no label parts the clips.
    """
    has, given = validate_multilabel(targets, scores)
    return _mean_over_labels(_roc_auc, has, given, n_with=(1, len(has) - 1))


def _average_precision(has: NDArray[np.bool_], scores: FloatArray) -> float:
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(has[order])
    # A threshold lies after the last of equal scores.
    last = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    precision = hits[last] / (last + 1)
    recall_gained = np.diff(hits[last], prepend=0) / hits[-1]
    return float(np.sum(recall_gained * precision))


def _roc_auc(has: NDArray[np.bool_], scores: FloatArray) -> float:
    n_with = int(has.sum())
    n_without = len(has) - n_with
    rank_sum = float(rankdata(scores)[has].sum())
    return (rank_sum - n_with * (n_with + 1) / 2) / (n_with * n_without)


def _mean_over_labels(
    score: Callable[[NDArray[np.bool_], FloatArray], float],
    has: NDArray[np.bool_],
    scores: FloatArray,
    n_with: tuple[int, int],
) -> float:
    """Score each label that so many clips have, least and most; return the mean."""
    count = has.sum(axis=0)
    labels = np.flatnonzero((count >= n_with[0]) & (count <= n_with[1]))
    if not labels.size:
        raise ValueError("no label is had by some clips and not by others: nothing to score")
    return float(np.mean([score(has[:, label], scores[:, label]) for label in labels]))


def _scores_of_what_occurs(truth: ArrayLike, predicted: ArrayLike) -> GenreScores:
    genre, guess = _pair(truth, predicted)
    n_labels = int(max(genre.max(), guess.max())) + 1
    return genre_scores(confusion_matrix(genre, guess, n_labels))


def _pair(
    truth: ArrayLike, predicted: ArrayLike, n_labels: int | None = None
) -> tuple[IndexArray, IndexArray]:
    genre = _indices("truth", truth, n_labels)
    guess = _indices("predictions", predicted, n_labels)
    if len(genre) != len(guess):
        raise ValueError(f"{len(genre)} clips have a genre, but {len(guess)} have a prediction")
    return genre, guess


def _indices(what: str, values: ArrayLike, n_labels: int | None) -> IndexArray:
    indices: NDArray[Any] = np.asarray(values)
    if indices.ndim != 1 or not indices.size:
        raise ValueError(f"{what} has shape {indices.shape}, expected (n_clips,) with a clip")
    if not np.issubdtype(indices.dtype, np.integer):
        raise ValueError(f"{what} is of {indices.dtype}, expected integers")
    outside = (indices < 0) if n_labels is None else (indices < 0) | (indices >= n_labels)
    if outside.any():
        raise ValueError(
            f"{what} has the label {int(indices[outside][0])}, expected 0 to "
            f"{'...' if n_labels is None else n_labels - 1}"
        )
    return indices.astype(np.intp)


def _ratio(part: NDArray[np.int64], whole: NDArray[np.int64]) -> FloatArray:
    """Divide; 0 where there is nothing to divide by."""
    return np.divide(part, whole, out=np.zeros(len(whole)), where=whole > 0)
