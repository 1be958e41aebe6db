"""What a network is trained on: excerpts of the training part, varied and mixed.

Everything that varies the sound happens here, to rows of the training part alone: no clip of
another part is ever touched, and nothing is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tonotope.errors import InputError
from tonotope.training.augment.mixing import draw_mixture
from tonotope.training.cache import Cache, decibels
from tonotope.training.config import TrainingConfig
from tonotope.training.teacher import Teacher

__all__ = ["Batch", "TrainingBatches", "excerpts"]

Vary = Callable[[Tensor, torch.Generator], Tensor]


@dataclass(frozen=True, slots=True)
class Batch:
    """Some excerpts and what they are to be taken for.

    Attributes
    ----------
    log_mel
        Shape (batch, n_columns, 128), dB.
    genre
        Shape (batch, n_labels), shares that sum to 1.
    tags, tags_known
        What the teacher heard, shape (batch, n_tags), or at each of some places of the excerpt,
        (batch, n_places, n_tags); and how much of it counts, (batch,); None
        without one.
    others
        What other heads are to say, shape (batch, n_outputs), NaN where unknown; None without any.
    """

    log_mel: Tensor
    genre: Tensor
    tags: Tensor | None
    tags_known: Tensor | None
    others: Tensor | None = None


class TrainingBatches:
    """The training part, in an order drawn anew each epoch.

    Parameters
    ----------
    cache
        The data set.
    rows
        The training part's rows.
    genre
        Shape (n_clips,), each row's place among the labels.
    n_labels
        How many labels there are.
    config
        See `TrainingConfig`: batch size, excerpts, smoothing, mixing.
    vary
        What is done to the spectrograms of a batch.
    teacher
        Or None.
    generator
        What everything is drawn from.
    others
        What other heads are to say of each clip, shape (n_clips, n_outputs); None without any.
    tag_centres
        Where in an excerpt the teacher is listened to, see `tonotope.training.student.tag_centres`;
        None for the mean of the excerpt.
    """

    def __init__(
        self,
        cache: Cache,
        rows: np.ndarray,
        genre: np.ndarray,
        n_labels: int,
        config: TrainingConfig,
        vary: Vary,
        teacher: Teacher | None,
        generator: torch.Generator,
        others: np.ndarray | None = None,
        tag_centres: Tensor | None = None,
    ) -> None:
        if len(rows) < 2:
            raise InputError(
                f"cannot train on {len(rows)} clips: the training part needs 2 at least. "
                "Choose another --split."
            )
        self._cache = cache
        self._rows = torch.from_numpy(rows)
        self._genre = torch.from_numpy(genre)
        self._targets = torch.eye(n_labels) * (1 - config.label_smoothing)
        self._targets += config.label_smoothing / n_labels
        self._config = config
        self._vary = vary
        self._teacher = teacher
        self._others = None if others is None else torch.from_numpy(others)
        self._tag_centres = tag_centres
        self._generator = generator
        # A last batch of one would have no deviation to normalise with.
        self._batch_size = min(config.batch_size, len(rows))

    def __len__(self) -> int:
        """Return the number of batches of an epoch; a rest that fills none is left to the next."""
        return len(self._rows) // self._batch_size

    def __iter__(self) -> Iterator[Batch]:
        order = torch.randperm(len(self._rows), generator=self._generator)
        for batch in torch.split(
            self._rows[order][: len(self) * self._batch_size], self._batch_size
        ):
            yield self._batch(batch)

    def _batch(self, rows: Tensor) -> Batch:
        config, generator = self._config, self._generator
        mel = self._cache.mel[rows.numpy()]
        log_mel, start, stop = excerpts(mel, config.crop_columns, config.tempo_spread, generator)
        log_mel = self._vary(log_mel, generator)
        genre = self._targets[self._genre[rows]]
        others = None if self._others is None else self._others[rows]
        tags = known = None
        if self._teacher is not None:
            if self._tag_centres is None:
                tags, is_known = self._teacher.targets(rows, start, stop)
            else:
                places = start[:, None].lerp(stop[:, None], self._tag_centres[None])
                tags, is_known = self._teacher.targets_at(rows, places)
            known = is_known.float()
        if config.mixup_alpha:
            mixture = draw_mixture(len(rows), config.mixup_alpha, generator)
            log_mel, genre = mixture.of(log_mel), mixture.of(genre)
            if tags is not None and known is not None:
                tags, known = mixture.of(tags), known[mixture.other].minimum(known)
            if others is not None:
                others = mixture.of(others)  # with what is unknown, it is unknown
        return Batch(log_mel, genre, tags, known, others)


def excerpts(
    mel: np.ndarray, n_columns: int, tempo_spread: float, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Cut an excerpt out of each clip, at a tempo of its own.

    Parameters
    ----------
    mel
        Shape (batch, 128, n_clip_columns), uint8.
    n_columns
        Of the excerpt; 0 for the whole clip.
    tempo_spread
        By how much at most it is faster or slower; whole clips keep their tempo.

    Returns
    -------
    log_mel, start, stop : Tensor
        Shape (batch, n_columns, 128), dB; and (batch,), where in the clip the excerpt begins and
        ends, from 0 to 1.
    """
    n_clips, _, n_whole = mel.shape
    if not 0 < n_columns < n_whole:
        return torch.from_numpy(decibels(mel)), torch.zeros(n_clips), torch.ones(n_clips)
    spread = min(tempo_spread, n_whole / n_columns - 1)
    drawn = torch.rand(2, n_clips, generator=generator)
    rate = torch.exp((2 * drawn[0] - 1) * np.log1p(spread))
    span = ((n_columns - 1) * rate).clamp(max=n_whole - 1)
    start = drawn[1] * (n_whole - 1 - span)
    place = start[:, None] + span[:, None] * torch.linspace(0, 1, n_columns)
    columns = place.round().long().numpy()
    taken = mel[np.arange(n_clips)[:, None], :, columns]  # (batch, n_columns, 128)
    log_mel = torch.from_numpy(decibels(np.swapaxes(taken, 1, 2)))
    return log_mel, start / n_whole, (start + span + 1) / n_whole
