"""A model on a data set: what `tonotope evaluate` does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tonotope.errors import InputError, LeakError
from tonotope.models.cards import ModelCard, read_card
from tonotope.models.network import GenreNetwork, bundled_network
from tonotope.training.cache import CLIPS_FILE, MEL_FILE, Cache, read_cache
from tonotope.training.clips import Clip
from tonotope.training.evaluation.clip_choice import choose_clips, keep_known
from tonotope.training.evaluation.evaluate import compare, evaluate, label_numbers, predict
from tonotope.training.evaluation.provenance import knows_its_training, overlap

__all__ = ["evaluate_model", "find_network", "opened_data"]

OnProgress = Callable[[int, int], None]

_N_LEAKS_NAMED = 3
_RUN_CARD = "model.toml"


def find_network(model: str | None = None) -> GenreNetwork:
    """Open a network.

    Parameters
    ----------
    model
        Its name, its ONNX file with the card beside it (``x.toml`` for ``x.onnx``), its card, or
        the folder of a training run; by default the one that comes with Tonotope.

    Raises
    ------
    InputError
        If nothing is called so.
    ModelError
        If the network or its card cannot be used.
    """
    bundled = read_card()
    if model is None or model in (bundled.name, bundled.model_id):
        return bundled_network()
    path = Path(model)
    if path.is_dir():
        return GenreNetwork(read_card(path / _RUN_CARD))
    if path.suffix in (".onnx", ".toml"):
        return GenreNetwork(read_card(path.with_suffix(".toml")))
    raise InputError(
        f"no model is called '{model}', and it is no .onnx file. There is: {bundled.name}."
    )


@contextmanager
def opened_data(folder: Path) -> Iterator[Cache]:
    """Open a cache.

    Raises
    ------
    InputError
        If the folder is none.
    PathError
        If it cannot be read.
    """
    if folder.is_dir() and not any((folder / name).exists() for name in (MEL_FILE, CLIPS_FILE)):
        raise InputError(
            f"'{folder}' is no spectrogram cache. Make one of a folder of folders of audio with: "
            f"tonotope prepare folders --root '{folder}' --out CACHE"
        )
    yield read_cache(folder)


def evaluate_model(
    cache: Cache,
    *,
    model: str | None = None,
    split: str | None = None,
    part: str | None = None,
    against: str | None = None,
    allow_leaks: bool = False,
    seed: int = 0,
    on_progress: OnProgress | None = None,
) -> dict[str, Any]:
    """Judge a model by the clips of a cache.

    Parameters
    ----------
    cache
        With or without parts of its own.
    model
        As for `find_network`.
    split, part, seed
        Which clips, as for `choose_clips`.
    against
        Another model, to be compared with on the same clips.
    allow_leaks
        Whether a model may be judged by what it was trained on; the result then says so.
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
        If the model's card says that it was trained on some of it, or on its artists.
    InputError
        If there is no such model or part, or the model does not fit the clips.
    ModelError
        If a model cannot be used.
    """
    network = find_network(model)
    other = None if against is None else find_network(against)
    for card in [network.card] + ([] if other is None else [other.card]):
        _refuse_other_inputs(card)
    choice = choose_clips(cache.clips, split, part, seed)
    index, left_out = keep_known(
        cache.clips, choice.index, network.card.labels, network.card.model_id
    )
    clips = [cache.clips[row] for row in index]
    leaks = _leaks(network.card, clips, allow=allow_leaks)
    if other is not None:
        _refuse_other_labels(other.card, clips)
        leaks_of_other = _leaks(other.card, clips, allow=allow_leaks)

    predictions = predict(network, cache, index, on_progress)
    document = evaluate(
        predictions,
        leaks=leaks,
        protocol=choice.protocol,
        part=choice.part,
        model=network.card.model_id,
        notes=_notes(network.card, clips, left_out),
        unknown_below=network.card.document["output"].get("unknown_below"),
        seed=seed,
    )
    document |= {"data": str(cache.folder), "left_out": left_out}
    if other is not None:
        heard = predict(other, cache, index, on_progress)
        document["against"] = compare(predictions, heard, model=other.card.model_id, seed=seed)
        document["against"]["leaks"] = leaks_of_other
    return document


def _leaks(card: ModelCard, clips: Sequence[Clip], *, allow: bool) -> list[str]:
    leaks = overlap(card.document, clips)
    if leaks and not allow:
        named = "; ".join(leaks[:_N_LEAKS_NAMED]) + "; ..." * (len(leaks) > _N_LEAKS_NAMED)
        raise LeakError(
            f"{card.model_id} has {len(leaks)} leak{'s' * (len(leaks) > 1)}: {named}. Use --part "
            "or --data for what it has not heard, or --allow-leaks, which marks the result as "
            "leaky."
        )
    return leaks


def _refuse_other_inputs(card: ModelCard) -> None:
    representation = card.document["input"]["representation"]
    if representation != "gtzan-mel":
        raise InputError(
            f"cannot evaluate {card.model_id} on a cache: it hears '{representation}', the cache "
            "holds 'gtzan-mel'. Name another --model."
        )
    if not card.labels:
        raise InputError(
            f"cannot evaluate {card.model_id}: it names no genres, it only gives embeddings. "
            "Name another --model."
        )


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
        notes.append(
            f"{sum(left_out.values())} clips of genres that the model does not know are left "
            f"out: {genres}."
        )
    if not knows_its_training(card.document):
        notes.append("Training data unknown to the card: leaks with it cannot be checked.")
    if not any(clip.artist for clip in clips):
        notes.append("No artist is known: shared artists cannot be seen, intervals are too narrow.")
    return notes
