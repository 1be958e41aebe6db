"""Similarity spaces on labelled clips: what `tonotope judge --data` does.

The spaces are those that a library would have, had it these clips for its tracks: standardised over
the clips that are judged, without a look at their labels. Their descriptors are what a log-mel
spectrogram still tells; a library's own, computed from the sound, are many more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tonotope.discovery.compared_spaces import BASELINE, EMBEDDING, compared_spaces
from tonotope.discovery.judging import TrackLabels, judge_spaces
from tonotope.discovery.metrics.neighbours import label_numbers
from tonotope.discovery.recordings import TrackFacts
from tonotope.discovery.space import SimilaritySpace
from tonotope.errors import InputError
from tonotope.models.cards import ModelCard
from tonotope.models.encoder import Encoder
from tonotope.training.cache import Cache
from tonotope.training.clip_features import embedding_features, features_of_cache
from tonotope.training.clips import Clip, track_of
from tonotope.training.evaluation.clip_choice import choose_clips
from tonotope.training.evaluation.data import Data
from tonotope.training.evaluation.provenance import knows_its_training, overlap
from tonotope.training.evaluation.run import find_card
from tonotope.training.splits import artist_key

__all__ = ["judge_cache"]

Float32Array = NDArray[np.float32]
IndexArray = NDArray[np.intp]

# Which features of a spectrogram stand for which part of the space.
_PARTS = {"timbre": "mfcc"}
_BLOCK_ROWS = 256
_OnProgress = Callable[[int, int], None]


def judge_cache(
    data: Data,
    *,
    model: str | None = None,
    split: str | None = None,
    part: str | None = None,
    space: str | None = None,
    k: int = 10,
    seed: int = 0,
    on_progress: _OnProgress | None = None,
) -> dict[str, Any]:
    """Judge similarity spaces by labelled clips.

    Parameters
    ----------
    data
        Of `tonotope.training.evaluation.data.opened_data`.
    model
        Whose embedding, as for `find_card`.
    split, part, seed
        Which clips, as for `choose_clips`.
    space
        One of `tonotope.discovery.compared_spaces.SPACES`; all by default.
    k
        How long the lists are.
    on_progress
        Called with how many of how many clips are heard.

    Returns
    -------
    dict
        Of `judge_spaces`, with ``"data"``, ``"model"``, ``"protocol"``, ``"part"``, ``"leaky"``,
        and ``"leaks"`` (what the model's training shares with the clips).

    Raises
    ------
    InputError
        If there is no such part or space, k is below 1, there are fewer than two tracks, or the
        model does not fit the clips.
    ModelError
        If there is no such model, or it cannot be used.
    """
    if k < 1:
        raise InputError(f"lists cannot hold {k} tracks. Ask for at least 1: --k 10")
    cache, card = data.cache, find_card(model)
    choice = choose_clips(cache.clips, split, part, seed)
    rows_of = _rows_by_track(cache.clips, choice.index)
    if len(rows_of) < 2:
        raise InputError(
            f"cannot judge a space by {len(rows_of)} track: nothing has a neighbour. "
            "Name other --data, or --part all."
        )
    clips = [cache.clips[rows[0]] for rows in rows_of]
    vectors = _vectors(cache, Encoder(card), rows_of, on_progress)
    fitted = SimilaritySpace({part: columns.shape[1] for part, columns in vectors.items()})
    fitted.fit(np.hstack(list(vectors.values())))
    document = judge_spaces(
        compared_spaces(fitted, vectors[EMBEDDING], space),
        _labels(clips),
        k=k,
        baseline=BASELINE,
        seed=seed,
    )
    leaks = overlap(card.document, [cache.clips[row] for row in choice.index])
    return {
        "data": data.name,
        "model": card.model_id,
        "protocol": choice.protocol,
        "part": choice.part,
        "leaky": bool(leaks),
        "leaks": leaks,
        **document,
        "notes": [*data.notes, *_notes(card, clips, len(choice.index)), *document["notes"]],
    }


def _rows_by_track(clips: Sequence[Clip], index: IndexArray) -> list[list[int]]:
    """Return the windows of each track: left apart, they would be each other's neighbours."""
    rows: dict[str, list[int]] = {}
    for row in index.tolist():
        rows.setdefault(track_of(clips[row]), []).append(row)
    return list(rows.values())


def _vectors(
    cache: Cache,
    network: Encoder,
    rows_of: Sequence[Sequence[int]],
    on_progress: _OnProgress | None,
) -> dict[str, Float32Array]:
    """Return each track's vectors by part: the means of its windows'."""
    rows = np.array([row for rows in rows_of for row in rows], dtype=np.intp)
    made: dict[str, list[Float32Array]] = {part: [] for part in (*_PARTS, EMBEDDING)}
    for start in range(0, len(rows), _BLOCK_ROWS):
        block = replace(cache, mel=cache.mel[rows[start : start + _BLOCK_ROWS]])

        def show(n_done: int, _: int, n_before: int = start) -> None:
            if on_progress is not None:
                on_progress(n_before + n_done, len(rows))

        for part, features in _PARTS.items():
            made[part].append(features_of_cache(block, features))
        made[EMBEDDING].append(embedding_features(network, block, show))
    starts = np.cumsum([0, *(len(rows) for rows in rows_of[:-1])])
    sizes = np.array([len(rows) for rows in rows_of])[:, np.newaxis]
    return {
        part: (np.add.reduceat(np.concatenate(blocks), starts, axis=0) / sizes).astype(np.float32)
        for part, blocks in made.items()
    }


def _labels(clips: Sequence[Clip]) -> TrackLabels:
    return TrackLabels(
        genre=label_numbers(clip.genre.casefold() or None for clip in clips),
        artist=label_numbers(artist_key(clip) or None for clip in clips),
        album=label_numbers(None for _ in clips),
        # Of lengths that differ: clips of 30 s are not of one recording for that.
        facts=[
            TrackFacts(None, artist_key(clip) or None, None, 10.0 * row)
            for row, clip in enumerate(clips)
        ],
    )


def _notes(card: ModelCard, clips: Sequence[Clip], n_clips: int) -> list[str]:
    notes = [
        "Descriptors are those that a spectrogram still tells "
        f"({', '.join(_PARTS.values())}); a library's own are many more.",
    ]
    if len(clips) < n_clips:
        notes.append(f"The {n_clips} clips are windows of {len(clips)} tracks, and put together.")
    if not knows_its_training(card.document):
        notes.append("Training data unknown to the card: leaks with it cannot be checked.")
    return notes
