"""All that can be said of a model's predictions, as one document that JSON can hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tonotope.errors import InputError
from tonotope.models.encoder import Encoder
from tonotope.models.frontend import N_COLUMNS
from tonotope.models.windows import InputWindow
from tonotope.training.cache import Cache, decibels
from tonotope.training.clips import Clip, track_of
from tonotope.training.evaluation.calibration import (
    expected_calibration_error,
    reliability,
    risk_coverage,
    unknown_threshold,
)
from tonotope.training.evaluation.metrics import (
    SUM_TOLERANCE,
    balanced_accuracy,
    confusion_matrix,
    genre_scores,
    in_top_k,
    macro_f1,
    predictions_of,
    validate,
)
from tonotope.training.evaluation.significance import bootstrap_intervals, clusters_of, mcnemar

__all__ = [
    "PRECISION",
    "Predictions",
    "by_track",
    "compare",
    "evaluate",
    "label_numbers",
    "predict",
]

PRECISION = 0.9
"""What share of answers is to be right where a model may decline to answer."""

_SCORES = ("accuracy", "balanced_accuracy", "macro_f1", "top3")
_N_MISTAKES = 20
_N_CURVE_POINTS = 100
_N_DIGITS = 6

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """What a model says of some clips, and what is true.

    Attributes
    ----------
    labels
        The genres that the model tells apart.
    probabilities
        Shape (n_clips, n_labels), each row of sum 1.
    genre
        The truth, shape (n_clips,): indices into `labels`.
    clips
        Of `n_clips`.

    Raises
    ------
    ValueError
        If these do not belong together.
    """

    labels: tuple[str, ...]
    probabilities: FloatArray
    genre: IndexArray
    clips: tuple[Clip, ...]

    def __post_init__(self) -> None:
        genre, probabilities = validate(self.genre, self.probabilities)
        if probabilities.shape != (len(self.clips), len(self.labels)):
            raise ValueError(
                f"probabilities have shape {probabilities.shape}, expected "
                f"({len(self.clips)}, {len(self.labels)}): a row per clip, a column per label"
            )
        object.__setattr__(self, "genre", genre)
        object.__setattr__(self, "probabilities", probabilities)

    @property
    def is_right(self) -> NDArray[np.bool_]:
        """Whether the likeliest label is the true one, shape (n_clips,)."""
        right: NDArray[np.bool_] = predictions_of(self.probabilities) == self.genre
        return right


def predict(
    network: Encoder,
    cache: Cache,
    index: IndexArray,
    on_progress: Callable[[int, int], None] | None = None,
) -> Predictions:
    """Let a network hear rows of a cache.

    Parameters
    ----------
    network
        It hears the representation ``gtzan-mel`` and has labels.
    cache
        Of windows of 30 s.
    index
        Which rows, shape (n,).
    on_progress
        Called with how many of how many are heard.

    Raises
    ------
    InputError
        If the rows are no windows of 30 s, one's genre is none of the network's labels, or the
        network gives several genres at once.
    ModelError
        If the network fails, or gives what its card does not promise.
    """
    if cache.n_columns != N_COLUMNS:
        raise InputError(
            f"cannot evaluate on cache '{cache.folder}': its clips have {cache.n_columns} columns, "
            f"the networks hear {N_COLUMNS}. Make it anew with: tonotope prepare"
        )
    card = network.card
    numbers = label_numbers(card.labels)
    clips = tuple(cache.clips[row] for row in index)
    strange = next((clip for clip in clips if clip.genre.casefold() not in numbers), None)
    if strange is not None:
        raise InputError(
            f"clip '{strange.name}' is of genre '{strange.genre}', which {card.model_id} does not "
            f"know (it knows: {', '.join(card.labels)}). Leave such clips out."
        )
    probabilities = np.empty((len(clips), len(card.labels)))
    for n_heard, row in enumerate(index):
        # One at a time: some networks take no more.
        (heard,) = network.hear_windows([InputWindow(0.0, decibels(cache.mel[row]))])
        probabilities[n_heard] = heard.probabilities
        if on_progress is not None:
            on_progress(n_heard + 1, len(clips))
    if np.abs(probabilities.sum(axis=1) - 1).max() > SUM_TOLERANCE:
        raise InputError(
            f"cannot evaluate {card.model_id}: its probabilities do not sum to 1, so it may give a "
            "clip several genres, and the clips have one each. Name another --model."
        )
    genre = np.array([numbers[clip.genre.casefold()] for clip in clips], dtype=np.intp)
    return Predictions(card.labels, probabilities, genre, clips)


def label_numbers(labels: Sequence[str]) -> dict[str, int]:
    """Return the index of each label by its name in lower case: "Rock" and "rock" are one."""
    return {label.casefold(): number for number, label in enumerate(labels)}


def by_track(predictions: Predictions) -> Predictions:
    """Put the windows of each track together.

    A track's probabilities are the arithmetic mean of its windows', as `tonotope genre` forms
    them, so that what is measured is what people are shown. A clip without a recording is a track
    of its own. Where a data set gives one recording several genres it is a track of each: the
    model is wrong in all of these but one at most.
    """
    rows: dict[tuple[str, int], list[int]] = {}
    for row, clip in enumerate(predictions.clips):
        rows.setdefault((track_of(clip), int(predictions.genre[row])), []).append(row)
    first = [of[0] for of in rows.values()]
    return Predictions(
        predictions.labels,
        np.array([predictions.probabilities[of].mean(axis=0) for of in rows.values()]),
        predictions.genre[first],
        tuple(predictions.clips[row] for row in first),
    )


def evaluate(
    predictions: Predictions,
    *,
    leaky: bool = False,
    leaks: Sequence[str] = (),
    protocol: str = "",
    part: str = "",
    model: str = "",
    notes: Sequence[str] = (),
    unknown_below: float | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Return every figure of some predictions.

    Parameters
    ----------
    predictions
        Of clips that the model has not learned from, or say so.
    leaky, leaks
        Whether the model has heard what these clips share with others, and what, a line each. Lines
        make it leaky.
    protocol, part, model, notes
        What is written beside the figures: how the clips were parted, which of them these are, who
        predicted, and what else a reader must know.
    unknown_below
        The confidence below which the model's card has it say "unknown".
    seed
        Of the intervals.

    Returns
    -------
    dict
        See ``docs/evaluation.md``. All of it can be written as JSON; scores are rounded to six
        digits.
    """
    tracks = by_track(predictions)
    scores = _scores(predictions, seed)
    same = len(tracks.clips) == len(predictions.clips)
    confusion = _confusion(predictions)
    return {
        "model": model,
        "protocol": protocol,
        "part": part,
        "leaky": leaky or bool(leaks),
        "leaks": list(leaks),
        "notes": list(notes),
        "n": len(predictions.clips),
        "n_clusters": len(set(clusters_of(predictions.clips).tolist())),
        "n_of_known_artist": sum(bool(clip.artist) for clip in predictions.clips),
        **scores,
        "ece": _rounded(expected_calibration_error(predictions.genre, predictions.probabilities)),
        "labels": list(predictions.labels),
        "confusion": confusion.tolist(),
        "per_genre": _per_genre(predictions.labels, confusion),
        "by_track": {"n": len(tracks.clips), **(scores if same else _scores(tracks, seed))},
        "reliability": [
            {
                **asdict(row),
                "confidence": _rounded(row.confidence),
                "accuracy": _rounded(row.accuracy),
            }
            for row in reliability(predictions.genre, predictions.probabilities)
        ],
        "risk_coverage": _risk_coverage(predictions),
        "unknown": _unknown(predictions, unknown_below),
        "mistakes": _mistakes(predictions),
    }


def compare(
    predictions: Predictions, other: Predictions, *, model: str = "", seed: int = 0
) -> dict[str, Any]:
    """Return whether another model does better on the same clips.

    Parameters
    ----------
    predictions, other
        Of the same clips in the same order; the labels may differ.
    model
        What the other is called.

    Returns
    -------
    dict
        The other's ``"accuracy"``; by how much the first is better, ``"difference"``, with its
        interval over artists, ``"difference_ci"``; and McNemar's exact test, ``"mcnemar"``.

    Raises
    ------
    ValueError
        If the clips differ.
    """
    if predictions.clips != other.clips:
        raise ValueError("the two models were not asked of the same clips")
    ours, theirs = predictions.is_right, other.is_right
    apart = ours.astype(float) - theirs
    ((low, high),) = bootstrap_intervals(
        clusters_of(predictions.clips),
        lambda drawn: [float(apart[drawn].mean())],
        generator=np.random.default_rng(seed),
    )
    test = mcnemar(ours, theirs)
    return {
        "model": model,
        "accuracy": _rounded(float(theirs.mean())),
        "difference": _rounded(float(apart.mean())),
        "difference_ci": [_rounded(low), _rounded(high)],
        "mcnemar": {
            "n_only_this": test.n_only_first,
            "n_only_other": test.n_only_second,
            # As it is: a tiny p must not become 0.
            "p_value": test.p_value,
        },
    }


def _scores(predictions: Predictions, seed: int) -> dict[str, Any]:
    """Return the four scores, each with its interval over artists."""
    genre, guess = predictions.genre, predictions_of(predictions.probabilities)
    n_labels = len(predictions.labels)
    is_right, in_top3 = genre == guess, in_top_k(genre, predictions.probabilities, 3)

    def scores_of(drawn: IndexArray) -> tuple[float, ...]:
        scores = genre_scores(confusion_matrix(genre[drawn], guess[drawn], n_labels))
        # A genre of which no artist was drawn is no genre that the model fails at.
        drawn_f1 = scores.f1[scores.support > 0].mean()
        right, top3 = is_right[drawn].mean(), in_top3[drawn].mean()
        return float(right), scores.balanced_accuracy, float(drawn_f1), float(top3)

    values = (
        float(is_right.mean()),
        balanced_accuracy(genre, guess),
        macro_f1(genre, guess),
        float(in_top3.mean()),
    )
    intervals = bootstrap_intervals(
        clusters_of(predictions.clips), scores_of, generator=np.random.default_rng(seed)
    )
    document: dict[str, Any] = {}
    for name, value, (low, high) in zip(_SCORES, values, intervals, strict=True):
        document[name] = _rounded(value)
        document[f"{name}_ci"] = [_rounded(low), _rounded(high)]
    return document


def _confusion(predictions: Predictions) -> NDArray[np.int64]:
    guess = predictions_of(predictions.probabilities)
    return confusion_matrix(predictions.genre, guess, len(predictions.labels))


def _per_genre(labels: Sequence[str], confusion: NDArray[np.int64]) -> list[dict[str, Any]]:
    scores = genre_scores(confusion)
    return [
        {
            "genre": label,
            "precision": _rounded(scores.precision[k]),
            "recall": _rounded(scores.recall[k]),
            "f1": _rounded(scores.f1[k]),
            "support": int(scores.support[k]),
        }
        for k, label in enumerate(labels)
    ]


def _risk_coverage(predictions: Predictions) -> dict[str, Any]:
    curve = risk_coverage(predictions.genre, predictions.probabilities)
    # The curve of a large data set has as many points as clips; a hundred draw it as well.
    wanted = np.linspace(1 / _N_CURVE_POINTS, 1, _N_CURVE_POINTS)
    rows = np.unique(np.searchsorted(curve.coverage, wanted - 1e-9))
    return {
        "area": _rounded(curve.area),
        "curve": [
            {
                "coverage": _rounded(curve.coverage[row]),
                "risk": _rounded(curve.risk[row]),
                "threshold": _rounded(curve.threshold[row]),
            }
            for row in rows
        ],
    }


def _unknown(predictions: Predictions, below: float | None) -> dict[str, Any]:
    """Return what the card's threshold does to these clips, and which they would choose."""
    threshold = unknown_threshold(predictions.probabilities, predictions.genre, PRECISION)
    answered = predictions.probabilities.max(axis=1) >= (below or 0.0)
    n_answered = int(answered.sum())
    return {
        "below": below,
        "coverage": _rounded(n_answered / len(answered)),
        "precision": _rounded(predictions.is_right[answered].mean()) if n_answered else None,
        "threshold_here": _rounded(threshold),
        "threshold_precision": PRECISION,
    }


def _mistakes(predictions: Predictions) -> list[dict[str, Any]]:
    """Return the wrong predictions that the model is surest of: its faults, or the labels'."""
    guess = predictions_of(predictions.probabilities)
    confidence = predictions.probabilities.max(axis=1)
    wrong = np.flatnonzero(~predictions.is_right)
    wrong = wrong[np.argsort(-confidence[wrong], kind="stable")][:_N_MISTAKES]
    return [
        {
            "clip": predictions.clips[row].name,
            "artist": predictions.clips[row].artist,
            "title": predictions.clips[row].title,
            "genre": predictions.clips[row].genre,
            "predicted": predictions.labels[guess[row]],
            "probability": _rounded(confidence[row]),
        }
        for row in wrong
    ]


def _rounded(value: Any) -> float | None:
    return None if value is None else round(float(value), _N_DIGITS)
