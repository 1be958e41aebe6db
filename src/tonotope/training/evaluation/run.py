"""A model on a data set: what `tonotope evaluate` does."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tonotope.errors import InputError
from tonotope.models.cards import ModelCard, read_card
from tonotope.models.encoder import Encoder
from tonotope.models.installed import find_model, list_models
from tonotope.models.representations import GtzanMel
from tonotope.training.cache import Cache
from tonotope.training.clips import Clip, Split
from tonotope.training.evaluation.clip_choice import Choice, choose_clips, keep_known
from tonotope.training.evaluation.data import Data
from tonotope.training.evaluation.evaluate import compare, evaluate, label_numbers, predict
from tonotope.training.evaluation.provenance import knows_its_training, overlap
from tonotope.training.leaks import refuse_leaks

__all__ = ["evaluate_model", "find_card"]

OnProgress = Callable[[int, int], None]


def find_card(model: str | None = None) -> ModelCard:
    """Return a model's card.

    Parameters
    ----------
    model
        A name, or a path: its ONNX file with the card beside it, its card, or the folder of a
        training run; by default the model that comes with Tonotope. A name goes before a folder
        that is called the same.

    Raises
    ------
    ModelError
        If there is no such model, or its card cannot be used.
    """
    if model is None:
        return read_card()
    is_folder = os.sep not in model and Path(model).is_dir()
    if is_folder and model not in {known.name for known in list_models()}:
        model = f"{os.curdir}{os.sep}{model}"
    return find_model(model)


def evaluate_model(
    data: Data,
    *,
    model: str | None = None,
    split: str | None = None,
    part: str | None = None,
    against: str | None = None,
    allow_leaks: bool = False,
    seed: int = 0,
    on_progress: OnProgress | None = None,
) -> dict[str, Any]:
    """Judge a model by labelled clips.

    Parameters
    ----------
    data
        Of `tonotope.training.evaluation.data.opened_data`; with or without parts of its own.
    model
        As for `find_card`.
    split, part, seed
        Which clips, as for `choose_clips`.
    against
        Another model, to be compared with on the same clips.
    allow_leaks
        Whether the data's training part may share something with the part that is judged by; the
        result then says so. It always says what the model's card knows to have been trained on.
    on_progress
        Called with how many of how many clips are heard.

    Returns
    -------
    dict
        Of `evaluate`, with ``"data"``, ``"left_out"`` (clips of genres that the model does not
        know, by genre) and, where asked for, ``"against"`` (of `compare`).

    Raises
    ------
    LeakError
        If the data's own parts leak and that is not allowed.
    InputError
        If there is no such part, or a model does not fit the clips.
    ModelError
        If there is no such model, or it cannot be used.
    """
    cache, card = data.cache, _checked(find_card(model))
    other = None if against is None else _checked(find_card(against))
    choice = choose_clips(cache.clips, split, part, seed)
    index, left_out = keep_known(cache.clips, choice.index, card.labels, card.model_id)
    clips = [cache.clips[row] for row in index]
    leaks = _leaks_of_parts(cache, choice, allow=allow_leaks) + overlap(card.document, clips)
    if other is not None:
        _refuse_other_labels(other, clips)

    predictions = predict(Encoder(card), cache, index, on_progress)
    document = evaluate(
        predictions,
        leaks=leaks,
        protocol=choice.protocol,
        part=choice.part,
        model=card.model_id,
        notes=[*data.notes, *_notes(card, clips, left_out)],
        unknown_below=card.document["output"].get("unknown_below"),
        seed=seed,
    )
    document |= {"data": data.name, "left_out": left_out}
    if other is not None:
        heard = predict(Encoder(other), cache, index, on_progress)
        document["against"] = compare(predictions, heard, model=other.model_id, seed=seed)
        document["against"]["leaks"] = overlap(other.document, clips)
    return document


def _leaks_of_parts(cache: Cache, choice: Choice, *, allow: bool) -> list[str]:
    """Return what the data's own training part shares with the part that is judged by."""
    if choice.part not in ("valid", "test") or not choice.is_own:
        return []
    parts = {
        name: np.array([k for k, clip in enumerate(cache.clips) if clip.split == name], np.intp)
        for name in ("train", choice.part)
    }
    split = Split(choice.protocol, parts)
    return list(refuse_leaks(cache.clips, split, mel=cache.mel, allow=allow).leaks)


def _checked(card: ModelCard) -> ModelCard:
    if not isinstance(card.input, GtzanMel):
        raise InputError(
            f"cannot evaluate {card.model_id}: it hears '{card.input.name}', and caches hold "
            f"'{GtzanMel().name}'. Name another --model."
        )
    if not card.labels:
        raise InputError(
            f"cannot evaluate {card.model_id}: it names no genres, it only gives embeddings. "
            "Name another --model."
        )
    return card


def _refuse_other_labels(card: ModelCard, clips: Sequence[Clip]) -> None:
    known = label_numbers(card.labels)
    strange = sorted({clip.genre for clip in clips if clip.genre.casefold() not in known})
    if strange:
        raise InputError(
            f"cannot compare with {card.model_id}: it does not know {', '.join(strange)}. "
            "Name another --against."
        )


def _notes(card: ModelCard, clips: Sequence[Clip], left_out: Mapping[str, int]) -> list[str]:
    notes = []
    if left_out:
        genres = ", ".join(f"{genre or 'without genre'} {n}" for genre, n in left_out.items())
        notes.append(f"Left out, as the model does not know their genres: {genres}.")
    if not knows_its_training(card.document):
        notes.append("Training data unknown to the card: leaks with it cannot be checked.")
        n_train = sum(clip.split == "train" for clip in clips)
        if n_train:
            notes.append(
                f"{n_train} of these clips are of the data's own train part. If the model learned "
                "from them, the figures are inflated."
            )
    if not any(clip.artist for clip in clips):
        notes.append("No artist is known: shared artists cannot be seen, intervals are too narrow.")
    return notes
