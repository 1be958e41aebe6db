"""Whether a model's probabilities may be believed, and when it should rather say nothing.

A model is calibrated if, of the clips it gives a confidence of 0.8, 80 % are right. Its confidence
in a clip is the probability of its likeliest label.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar

from tonotope.training.evaluation.metrics import predictions_of, validate

__all__ = [
    "N_BINS",
    "ReliabilityBin",
    "RiskCoverage",
    "expected_calibration_error",
    "fit_temperature",
    "reliability",
    "risk_coverage",
    "unknown_threshold",
    "with_temperature",
]

FloatArray = NDArray[np.float64]

N_BINS = 10

# Where a temperature is looked for: past these a model is a coin or an oracle.
_TEMPERATURES = (0.05, 20.0)
# A probability of 0 is one that float32 could not hold.
_LEAST_PROBABILITY = 1e-30


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """The clips whose confidence lies in (lower, upper].

    Attributes
    ----------
    lower, upper
        The bin; the first holds 0 too.
    n
        How many clips.
    confidence, accuracy
        Their mean confidence and the share that is right; None where there is no clip.
    """

    lower: float
    upper: float
    n: int
    confidence: float | None
    accuracy: float | None


def reliability(truth: ArrayLike, probabilities: ArrayLike) -> list[ReliabilityBin]:
    """Return how often the model is right, by its confidence, in ten bins of equal width."""
    confidence, right = _confidence(truth, probabilities)
    bins = np.clip(np.ceil(confidence * N_BINS).astype(np.intp) - 1, 0, N_BINS - 1)
    table = []
    for number in range(N_BINS):
        inside = bins == number
        n = int(inside.sum())
        table.append(
            ReliabilityBin(
                lower=number / N_BINS,
                upper=(number + 1) / N_BINS,
                n=n,
                confidence=float(confidence[inside].mean()) if n else None,
                accuracy=float(right[inside].mean()) if n else None,
            )
        )
    return table


def expected_calibration_error(truth: ArrayLike, probabilities: ArrayLike) -> float:
    r"""Return the gap between confidence and accuracy, mean over the clips.

    :math:`\sum_b \frac{n_b}{n} |\mathrm{acc}_b - \mathrm{conf}_b|` over ten bins of equal width
    (Guo et al. 2017, "On calibration of modern neural networks", equation 3). 0 is perfect.
    """
    table = reliability(truth, probabilities)
    gaps = [
        b.n * abs(b.accuracy - b.confidence)
        for b in table
        if b.accuracy is not None and b.confidence is not None
    ]
    return sum(gaps) / sum(b.n for b in table)


def with_temperature(probabilities: ArrayLike, temperature: float) -> FloatArray:
    """Return softened (temperature above 1) or sharpened (below) probabilities.

    As if the logits had been divided by the temperature before the softmax: the order of the labels
    stays. Shape (n_clips, n_labels), float64.

    Raises
    ------
    ValueError
        If the temperature is not above 0.
    """
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}, expected above 0")
    logits = _log(probabilities) / temperature
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    scaled: FloatArray = shares / shares.sum(axis=1, keepdims=True)
    return scaled


def fit_temperature(truth: ArrayLike, probabilities: ArrayLike) -> float:
    """Return the temperature under which the true genres are likeliest.

    One number, to be fitted on clips that the model has not learned from (Guo et al. 2017, section
    4.2); it changes no prediction. Between 0.05 and 20.

    Raises
    ------
    ValueError
        If the predictions are not valid.
    """
    genre, shares = validate(truth, probabilities)
    rows = np.arange(len(genre))

    def loss(log_temperature: float) -> float:
        scaled = _log(shares) / np.exp(log_temperature)
        highest = scaled.max(axis=1)
        norm = highest + np.log(np.exp(scaled - highest[:, np.newaxis]).sum(axis=1))
        return float(np.mean(norm - scaled[rows, genre]))

    low, high = np.log(_TEMPERATURES)
    found: Any = minimize_scalar(loss, bounds=(low, high), method="bounded")
    return float(np.exp(found.x))


@dataclass(frozen=True, slots=True, eq=False)
class RiskCoverage:
    """What a model gets wrong when it may decline to answer.

    It answers the clips it is surest of; rows run from the fewest to all.

    Attributes
    ----------
    threshold
        The least confidence that is answered, shape (n_thresholds,), falling.
    coverage
        The share of clips answered, rising to 1.
    risk
        The share of those that is wrong; the last is 1 - accuracy.
    area
        Under the curve of risk over coverage, as the mean risk over the number of clips
        answered: 0 is perfect (Geifman, Uziel and El-Yaniv 2019).
    """

    threshold: FloatArray
    coverage: FloatArray
    risk: FloatArray
    area: float


def risk_coverage(truth: ArrayLike, probabilities: ArrayLike) -> RiskCoverage:
    """Return the risk at every coverage. Clips of equal confidence are answered together.

    Raises
    ------
    ValueError
        If the predictions are not valid.
    """
    confidence, right = _confidence(truth, probabilities)
    order = np.argsort(-confidence, kind="stable")
    falling = confidence[order]
    last = np.flatnonzero(np.append(np.diff(falling) != 0, True))
    n_answered = last + 1
    risk = 1 - np.cumsum(right[order])[last] / n_answered
    return RiskCoverage(
        threshold=falling[last],
        coverage=n_answered / len(falling),
        risk=risk,
        # Where clips tie, none of them is answered without the others: they share one risk.
        area=float(np.sum(risk * np.diff(n_answered, prepend=0)) / len(falling)),
    )


def unknown_threshold(
    probabilities: ArrayLike, truth: ArrayLike, precision: float = 0.9
) -> float | None:
    """Return from which confidence on a model's answers are right often enough.

    Parameters
    ----------
    probabilities
        Of clips the model has not learned from, shape (n_clips, n_labels).
    truth
        Their genres, shape (n_clips,).
    precision
        What share of the answers is to be right.

    Returns
    -------
    float or None
        The smallest threshold such that, of the clips with at least this confidence, the share
        `precision` or more is right. 0 if all may be answered; None if there is no such threshold.

    Raises
    ------
    ValueError
        If the predictions are not valid.
    """
    curve = risk_coverage(truth, probabilities)
    enough = np.flatnonzero(1 - curve.risk >= precision)
    if not enough.size:
        return None
    if enough[-1] == len(curve.risk) - 1:
        return 0.0
    return float(curve.threshold[enough[-1]])


def _confidence(truth: ArrayLike, probabilities: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return each clip's confidence, and 1.0 where the prediction is right."""
    genre, shares = validate(truth, probabilities)
    confidence: FloatArray = shares.max(axis=1)
    return confidence, (predictions_of(shares) == genre).astype(np.float64)


def _log(probabilities: ArrayLike) -> FloatArray:
    logarithms: FloatArray = np.log(
        np.maximum(np.asarray(probabilities, float), _LEAST_PROBABILITY)
    )
    return logarithms
