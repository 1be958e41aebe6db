"""What a genre network's ear makes of clips whose genres are hidden: `tonotope clusters --data`.

The clips are grouped by the network's embedding alone, and only then compared with their genres.
Beside it stand the groups that the same method finds without any network.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tonotope.discovery.group_choice import find_groups
from tonotope.discovery.group_comparison import agreement
from tonotope.discovery.group_names import TRAITS, Describable, name_groups, profile_groups
from tonotope.discovery.groups import Method
from tonotope.discovery.space import SimilaritySpace
from tonotope.errors import InputError
from tonotope.models.cards import ModelCard
from tonotope.models.encoder import Encoder
from tonotope.models.frontend import N_COLUMNS
from tonotope.models.windows import InputWindow
from tonotope.training.cache import Cache, decibels
from tonotope.training.clip_features import DEFAULT_FEATURES, features_of_cache
from tonotope.training.clips import Clip, track_of
from tonotope.training.evaluation.clip_choice import choose_clips
from tonotope.training.evaluation.data import Data
from tonotope.training.evaluation.provenance import knows_its_training, overlap
from tonotope.training.evaluation.run import find_card

__all__ = ["group_clips"]

Float32Array = NDArray[np.float32]
OnProgress = Callable[[int, int], None]

_BLOCK_ROWS = 256
_FEWEST_TRACKS = 4
_N_GENRES = 4


def group_clips(
    data: Data,
    *,
    model: str | None = None,
    part: str | None = None,
    k: int | None = None,
    method: Method = "kmeans",
    seed: int = 0,
    on_progress: OnProgress | None = None,
) -> dict[str, Any]:
    """Group clips by a network's embedding, their genres hidden, and compare with these.

    Parameters
    ----------
    data
        Of `tonotope.training.evaluation.data.opened_data`.
    model
        Whose embedding, as for `find_card`.
    part
        Which clips, as for `choose_clips`.
    k
        How many groups; None for as many as the measures say.
    method
        One of `tonotope.discovery.groups.METHODS`.
    seed
        Of samples and beginnings.
    on_progress
        Called with how many of how many clips are heard.

    Returns
    -------
    dict
        ``"data"``, ``"model"``, ``"part"``, ``"method"``, ``"asked_k"``, ``"n_tracks"`` (the
        windows of a track are put together), ``"choice"`` (as `find_groups` returns it),
        ``"groups"`` (name, number of tracks, commonest genres), ``"agreement"`` and, with as many
        groups of the spectrograms' own coefficients, ``"without_network"`` (both of
        `tonotope.discovery.group_comparison.Agreement`), ``"leaks"`` (what the model's training
        shares with the clips) and ``"notes"``.

    Raises
    ------
    InputError
        If there is no such part, there are too few tracks for so many groups, or the model does not
        fit the clips.
    ModelError
        If there is no such model, or it cannot be used.
    """
    card = find_card(model)
    _check_model(card, data.cache)
    rows = choose_clips(data.cache.clips, None, part, seed)
    rows_of = _rows_by_track(data.cache.clips, rows.index)
    _check_number(k, method, len(rows_of))
    embeddings, probabilities = _heard(Encoder(card), data.cache, rows_of, on_progress)
    labels, choice = find_groups(_places(embeddings), method, k, seed)
    n_groups = int(labels.max()) + 1
    plain, _ = find_groups(
        _places(_coefficients(data.cache, rows_of)),
        method,
        None if method == "hdbscan" else n_groups,
        seed,
    )
    clips = [data.cache.clips[of_track[0]] for of_track in rows_of]
    genres = [clip.genre.casefold() for clip in clips]
    leaks = overlap(card.document, [data.cache.clips[row] for row in rows.index])
    return {
        "data": data.name,
        "model": card.model_id,
        "part": rows.part,
        "method": method,
        "asked_k": k,
        "n_tracks": len(clips),
        "choice": choice,
        "groups": _groups(labels, probabilities, card.labels, genres),
        "agreement": asdict(agreement(labels, genres)),
        "without_network": asdict(agreement(plain, genres)),
        "leaks": leaks,
        "notes": [*data.notes, *_notes(card, leaks, len(rows.index), len(clips))],
    }


def _check_model(card: ModelCard, cache: Cache) -> None:
    if card.input.name != "gtzan-mel" or card.embedding_size is None:
        lacks = "hears no such spectrograms" if card.embedding_size else "gives no embedding"
        raise InputError(
            f"cannot group clips by {card.model_id}: it {lacks}. Name another --model."
        )
    if cache.n_columns != N_COLUMNS:
        raise InputError(
            f"cannot group the clips of cache '{cache.folder}': they have {cache.n_columns} "
            f"columns, networks hear {N_COLUMNS}. Make it anew with: tonotope prepare"
        )


def _check_number(k: int | None, method: Method, n_tracks: int) -> None:
    if n_tracks < _FEWEST_TRACKS:
        raise InputError(
            f"cannot group {n_tracks} tracks: at least {_FEWEST_TRACKS} are needed. Name other "
            "--data, or --part all."
        )
    if k is not None and method == "hdbscan":
        raise InputError(
            f"hdbscan finds the number of groups itself and cannot be told {k}. Leave --k out, or "
            "name another --method."
        )
    if k is not None and not 2 <= k < n_tracks:
        raise InputError(
            f"cannot make {k} groups of {n_tracks} tracks. Ask for 2 to {n_tracks - 1}."
        )


def _rows_by_track(clips: Sequence[Clip], index: NDArray[np.intp]) -> list[list[int]]:
    """Return the windows of each track: left apart, they would make groups of their own."""
    rows: dict[str, list[int]] = {}
    for row in index.tolist():
        rows.setdefault(track_of(clips[row]), []).append(row)
    return list(rows.values())


def _heard(
    network: Encoder,
    cache: Cache,
    rows_of: Sequence[Sequence[int]],
    on_progress: OnProgress | None,
) -> tuple[Float32Array, NDArray[np.float64]]:
    """Return each track's embedding and genre probabilities: the means of its windows'."""
    card = network.card
    embeddings = np.zeros((len(rows_of), card.embedding_size or 0), np.float32)
    probabilities = np.zeros((len(rows_of), len(card.labels)))
    n_windows, n_heard = sum(map(len, rows_of)), 0
    for track, rows in enumerate(rows_of):
        for row in rows:
            # One at a time: some networks take no more.
            (heard,) = network.hear_windows([InputWindow(0.0, decibels(cache.mel[row]))])
            assert heard.embedding is not None  # its card promises one
            embeddings[track] += heard.embedding / len(rows)
            if heard.probabilities is not None:
                probabilities[track] += heard.probabilities / len(rows)
            n_heard += 1
            if on_progress is not None:
                on_progress(n_heard, n_windows)
    return embeddings, probabilities


def _coefficients(cache: Cache, rows_of: Sequence[Sequence[int]]) -> Float32Array:
    """Return each track's mel-frequency cepstral coefficients, summed up over time."""
    rows = [row for of_track in rows_of for row in of_track]
    blocks = [
        features_of_cache(
            replace(cache, mel=cache.mel[rows[start : start + _BLOCK_ROWS]]), DEFAULT_FEATURES
        )
        for start in range(0, len(rows), _BLOCK_ROWS)
    ]
    starts = np.cumsum([0, *(len(of_track) for of_track in rows_of[:-1])])
    sums = np.add.reduceat(np.concatenate(blocks), starts, axis=0)
    means: Float32Array = sums / np.array([len(of_track) for of_track in rows_of])[:, np.newaxis]
    return means.astype(np.float32)


def _places(vectors: Float32Array) -> Float32Array:
    space = SimilaritySpace({"sound": vectors.shape[1]}).fit(vectors)
    places: Float32Array = space.places_
    return places


def _groups(
    labels: NDArray[np.intp],
    probabilities: NDArray[np.float64],
    heard: tuple[str, ...],
    genres: Sequence[str],
) -> list[dict[str, Any]]:
    """Describe the groups; their names come from what the network hears, not from the labels."""
    tracks = Describable(
        numbers=np.full((len(labels), len(TRAITS)), np.nan),
        genre_probabilities=probabilities,
        genres=heard,
        tags=[frozenset()] * len(labels),
    )
    groups = []
    for number, name in enumerate(name_groups(profile_groups(tracks, labels))):
        counts = Counter(genres[row] for row in np.flatnonzero(labels == number).tolist())
        commonest = dict(counts.most_common(_N_GENRES))
        groups.append({"name": name, "n_tracks": counts.total(), "genres": commonest})
    return groups


def _notes(card: ModelCard, leaks: Sequence[str], n_clips: int, n_tracks: int) -> list[str]:
    notes = []
    if n_tracks < n_clips:
        notes.append(f"The {n_clips} clips are windows of {n_tracks} tracks, and put together.")
    if leaks:
        notes.append(
            f"Leaky: {card.model_id} has learned the genres of some of these clips, or of others "
            f"by their artists ({leaks[0]}, ...). Judge a network by clips that it has not heard."
        )
    elif not knows_its_training(card.document):
        notes.append("Training data unknown to the card: leaks with it cannot be checked.")
    return notes
