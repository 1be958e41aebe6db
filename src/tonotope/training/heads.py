"""Several heads on one trunk: what a network tells of a clip besides its genre.

Each head is a part of one linear layer on the network's embedding. ``multi-label`` tells which of
a clip's labels (`tonotope.training.clips.Clip.genres`) it has, each for itself; it learns by
binary cross-entropy. ``regression:COLUMN`` tells a number, such as a tempo or a rating; it learns
by squared error, in units of the training clips' deviation. What is not known of a clip is left
out of its loss.

References
----------
R. Caruana, "Multitask learning", Machine Learning 28, 1997.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tonotope.errors import InputError
from tonotope.features.stft import Float32Array
from tonotope.training.cache import Cache, numbers_of
from tonotope.training.feature_tables import table_column

if TYPE_CHECKING:
    from torch import Tensor

    from tonotope.training.config import TrainingConfig

__all__ = ["GENRE", "Head", "HeadSetting", "Heads", "head_settings", "read_heads"]

GENRE = "genre"
_MULTI_LABEL = "multi-label"
_REGRESSION = "regression"
# What the network's file calls its input and its other outputs.
_TAKEN = ("log_mel", "probabilities", "embedding", _MULTI_LABEL)
# A number that varies less than this about its mean says nothing in float32.
_LEAST_DEVIATION = 1e-6
_N_DIGITS = 6


@dataclass(frozen=True, slots=True)
class HeadSetting:
    """What a setting asks for.

    Attributes
    ----------
    kind
        ``"genre"``, ``"multi-label"`` or ``"regression"``.
    column
        Where a regression's numbers are; else empty.
    weight
        Of its loss.
    """

    kind: str
    column: str
    weight: float


def head_settings(words: Sequence[str]) -> tuple[HeadSetting, ...]:
    """Read what heads a run has.

    Parameters
    ----------
    words
        ``genre``, ``multi-label`` or ``regression:COLUMN``; with ``=NUMBER`` after it, that is the
        weight of its loss, else 1.

    Raises
    ------
    InputError
        If a word is none of these or comes twice, a weight is not above 0, or there is no genre.
    """
    settings = tuple(map(_setting, words))
    told = [(setting.kind, setting.column) for setting in settings]
    for word, each in zip(words, told, strict=True):
        if told.count(each) > 1:
            raise InputError(f"heads has {word!r} twice. Name it once.")
    if GENRE not in [kind for kind, _ in told]:
        raise InputError("heads lacks genre, which every model tells. Add it: genre,multi-label")
    return settings


def _setting(word: str) -> HeadSetting:
    name, equals, number = word.rpartition("=")
    weight = 1.0
    try:
        weight = float(number) if equals else weight
    except ValueError:  # the column's name has it
        name = word
    name = (name if equals else word).strip()
    kind, _, column = name.partition(":")
    column = column.strip()
    if (kind not in (GENRE, _MULTI_LABEL) or ":" in name) and not (kind == _REGRESSION and column):
        raise InputError(
            f"heads has {word!r}; a head is genre, multi-label or regression:COLUMN, with the "
            "weight of its loss as =NUMBER."
        )
    if not (weight > 0 and math.isfinite(weight)):
        raise InputError(f"heads has {word!r}; a weight is above 0.")
    if column in _TAKEN:
        raise InputError(f"heads has {word!r}; a model calls another output so. Rename the column.")
    return HeadSetting(kind, column, weight)


@dataclass(frozen=True, slots=True)
class Head:
    """One head besides the genre's.

    Attributes
    ----------
    name
        Of the output: ``"multi-label"``, or the column.
    labels
        What a multi-label head tells apart; none of a regression.
    weight
        Of its loss.
    mean, deviation
        Of the training clips' numbers, in the column's unit.
    """

    name: str
    labels: tuple[str, ...]
    weight: float
    mean: float = 0.0
    deviation: float = 1.0

    @property
    def kind(self) -> str:
        """``"multi-label"`` or ``"regression"``."""
        return _MULTI_LABEL if self.labels else _REGRESSION

    @property
    def size(self) -> int:
        """How many numbers it gives."""
        return len(self.labels) or 1


@dataclass(frozen=True, slots=True, eq=False)
class Heads:
    """All heads besides the genre's, and what they are to say of each clip.

    Attributes
    ----------
    heads
        In the order of their outputs.
    targets
        Shape (n_clips, n_outputs), float32: 0 or 1 for each label, numbers in their unit; NaN where
        unknown.
    genre_weight
        Of the genre's loss.
    """

    heads: tuple[Head, ...]
    targets: Float32Array
    genre_weight: float = 1.0

    def __iter__(self) -> Iterator[Head]:
        """Yield the heads."""
        return iter(self.heads)

    @property
    def n_outputs(self) -> int:
        """How many numbers they give together; 0 where there is only the genre."""
        return sum(head.size for head in self.heads)

    @property
    def names(self) -> tuple[str, ...]:
        """What the outputs are called."""
        return tuple(head.name for head in self.heads)

    @property
    def digest(self) -> str:
        """What tells these targets from others: 16 hexadecimal digits; empty without heads."""
        if not self.heads:
            return ""
        named = repr([(head.name, head.labels) for head in self.heads]).encode()
        return hashlib.sha256(named + self.targets.tobytes()).hexdigest()[:16]

    def fitted(self, train: np.ndarray) -> Heads:
        """Return them with the mean and the deviation of training clips, given by their rows.

        Raises
        ------
        InputError
            If these clips say nothing that could be learned.
        """
        heads = []
        for head, place in zip(self.heads, self._places(), strict=True):
            given = self.targets[train, place].astype(np.float64)
            known = given[~np.isnan(given)]
            if head.labels and not known.any():
                raise InputError(
                    "head multi-label has nothing to learn from: no training clip has labels in "
                    "column 'genres' of clips.csv. Leave it out of heads."
                )
            if not head.labels:
                deviation = float(known.std()) if known.size else 0.0
                if not deviation > _LEAST_DEVIATION * float(np.abs(known).max(initial=0)):
                    reason = (
                        f"all {known.size} numbers of training clips are the same"
                        if known.size
                        else "no training clip has a number"
                    )
                    raise InputError(
                        f"head regression:{head.name} has nothing to learn from: {reason}. Leave "
                        "it out of heads."
                    )
                head = replace(head, mean=float(known.mean()), deviation=deviation)
            heads.append(head)
        return replace(self, heads=tuple(heads))

    def standardised(self) -> Float32Array:
        """Return the targets as the layer is to tell them: numbers in deviations from the mean."""
        targets = self.targets.copy()
        for head, place in zip(self.heads, self._places(), strict=True):
            targets[:, place] = (targets[:, place] - head.mean) / head.deviation
        return targets

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the weighted sum of the heads' losses.

        Parameters
        ----------
        outputs
            Of the layer, shape (batch, n_outputs).
        targets
            Of the same shape; see `standardised`. Labels may be shares.
        """
        from torch.nn.functional import binary_cross_entropy_with_logits

        total = outputs.new_zeros(())
        for head, place in zip(self.heads, self._places(), strict=True):
            given, wanted = outputs[:, place], targets[:, place]
            is_known = ~wanted.isnan()
            wanted = wanted.nan_to_num()
            each = (
                binary_cross_entropy_with_logits(given, wanted, reduction="none")
                if head.labels
                else (given - wanted).square()
            )
            total = total + head.weight * (each * is_known).sum() / is_known.sum().clamp(min=1)
        return total

    def answers(self, outputs: Tensor) -> tuple[Tensor, ...]:
        """Return what each head says: probabilities of labels, numbers in their unit.

        Parameters
        ----------
        outputs
            Of the layer, shape (batch, n_outputs).

        Returns
        -------
        tuple of Tensor
            A head each, shape (batch, size).
        """
        return tuple(
            outputs[:, place].sigmoid()
            if head.labels
            else outputs[:, place] * head.deviation + head.mean
            for head, place in zip(self.heads, self._places(), strict=True)
        )

    def figures(self, answers: Sequence[Float32Array], rows: np.ndarray) -> dict[str, Any]:
        """Judge answers by what is known of clips.

        Parameters
        ----------
        answers
            Of each head, shape (n, size).
        rows
            Which clips, shape (n,).

        Returns
        -------
        dict
            By head: ``kind``, ``n`` (clips that it is known of), and of labels
            ``mean_average_precision`` and ``roc_auc``, of a regression ``r2`` and ``mae`` (in the
            column's unit), None where these clips do not tell.
        """
        # What they need of SciPy loads slowly, and whoever reads settings needs none of it.
        from tonotope.training.evaluation.metrics import mean_average_precision, mean_roc_auc
        from tonotope.training.evaluation.regression import mean_absolute_error, r_squared

        figures: dict[str, Any] = {}
        for head, place, given in zip(self.heads, self._places(), answers, strict=True):
            wanted = self.targets[rows, place]
            is_known = ~np.isnan(wanted[:, 0])
            pair = wanted[is_known], given[is_known]
            scores = (
                {"mean_average_precision": mean_average_precision, "roc_auc": mean_roc_auc}
                if head.labels
                else {"r2": r_squared, "mae": mean_absolute_error}
            )
            figures[head.name] = {"kind": head.kind, "n": int(is_known.sum())}
            for name, score in scores.items():
                try:
                    value = round(score(*pair), _N_DIGITS)
                except ValueError:  # too few clips, or all alike
                    value = None
                figures[head.name][name] = value
        return figures

    def _places(self) -> Iterator[slice]:
        first = 0
        for head in self.heads:
            yield slice(first, first + head.size)
            first += head.size


def read_heads(config: TrainingConfig, cache: Cache) -> Heads:
    """Read what a run's heads are to say of each clip of a cache.

    Parameters
    ----------
    config
        Its ``heads``, and ``targets``, the table that the numbers are in.
    cache
        The clips; their labels, and without a table their numbers, are in its ``clips.csv``.

    Raises
    ------
    InputError
        If there is no such column, or no clip has labels.
    PathError
        If a file cannot be read, or a number is none.
    """
    heads, targets, genre_weight = [], [], 1.0
    for setting in head_settings(config.heads):
        if setting.kind == GENRE:
            genre_weight = setting.weight
            continue
        if setting.kind == _MULTI_LABEL:
            labels = tuple(sorted({label for clip in cache.clips for label in clip.genres}))
            if not labels:
                raise InputError(
                    f"head multi-label has nothing to learn from: column 'genres' of "
                    f"'{cache.folder / 'clips.csv'}' is empty or missing. Leave it out of heads."
                )
            heads.append(Head(_MULTI_LABEL, labels, setting.weight))
            targets.append(_labels_of_clips(cache, labels))
        else:
            heads.append(Head(setting.column, (), setting.weight))
            targets.append(_numbers(config.targets, cache, setting.column)[:, np.newaxis])
    empty = np.zeros((len(cache.clips), 0), np.float32)
    return Heads(tuple(heads), np.concatenate([empty, *targets], axis=1), genre_weight)


def _labels_of_clips(cache: Cache, labels: Sequence[str]) -> Float32Array:
    place: Mapping[str, int] = {label: k for k, label in enumerate(labels)}
    targets = np.zeros((len(cache.clips), len(labels)), np.float32)
    for row, clip in enumerate(cache.clips):
        if not clip.genres:
            targets[row] = np.nan
        for label in clip.genres:
            targets[row, place[label]] = 1
    return targets


def _numbers(table: str, cache: Cache, column: str) -> Float32Array:
    if table:
        return table_column(Path(table), column, [clip.name for clip in cache.clips])
    return numbers_of(cache, column)
