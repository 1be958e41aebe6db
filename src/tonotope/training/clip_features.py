"""What classical models learn from: a row of numbers per clip of a cache.

``mel``
    Mean and standard deviation over time of each of the 128 bands, in dB: 256 numbers.
``mfcc``
    Mean and standard deviation over time of 20 cepstral coefficients, the cosine transform of the
    bands in dB as librosa defines it: 40 numbers.

Or the embedding of any network at hand, or a table, see `tonotope.training.feature_tables`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from scipy.fft import dct

from tonotope.errors import InputError
from tonotope.features.stft import Float32Array
from tonotope.models.encoder import Encoder
from tonotope.models.frontend import N_COLUMNS
from tonotope.models.windows import InputWindow
from tonotope.training.cache import N_BANDS, Cache, decibels

__all__ = ["DEFAULT_FEATURES", "FEATURES", "embedding_features", "features_of_cache", "n_features"]

_N_COEFFICIENTS = 20
_BLOCK_ROWS = 64

FEATURES: Mapping[str, int] = {"mfcc": 2 * _N_COEFFICIENTS, "mel": 2 * N_BANDS}
"""From the name of a set to how many numbers it has."""

DEFAULT_FEATURES = "mfcc"


def n_features(name: str) -> int:
    """Return how many numbers a clip has in a set.

    Raises
    ------
    InputError
        If there is no such set.
    """
    if name not in FEATURES:
        raise InputError(f"no features are called {name!r}. There are: {', '.join(FEATURES)}.")
    return FEATURES[name]


def features_of_cache(cache: Cache, name: str = DEFAULT_FEATURES) -> Float32Array:
    """Return a set of features of all clips.

    Parameters
    ----------
    cache
        The clips.
    name
        One of `FEATURES`.

    Returns
    -------
    ndarray
        Shape (n_clips, `n_features`), float32: the means, then the deviations.

    Raises
    ------
    InputError
        If there is no such set.
    """
    features = np.empty((len(cache.mel), n_features(name)), np.float32)
    for start in range(0, len(features), _BLOCK_ROWS):
        rows = slice(start, start + _BLOCK_ROWS)
        frames = decibels(cache.mel[rows])
        if name == "mfcc":
            frames = dct(frames, norm="ortho", axis=2)[:, :, :_N_COEFFICIENTS]
        features[rows] = np.concatenate([frames.mean(axis=1), frames.std(axis=1)], axis=1)
    return features


def embedding_features(
    network: Encoder, cache: Cache, on_progress: Callable[[int, int], None] | None = None
) -> Float32Array:
    """Return what a network makes of all clips, without learning anything.

    Parameters
    ----------
    network
        It hears the representation ``gtzan-mel`` and gives an embedding.
    cache
        Of windows of 30 s.
    on_progress
        Called with how many of how many are heard.

    Returns
    -------
    ndarray
        Shape (n_clips, embedding_size), float32.

    Raises
    ------
    InputError
        If the network hears something else or gives no embedding, or the rows are no windows of
        30 s.
    ModelError
        If the network fails.
    """
    card = network.card
    if card.input.name != "gtzan-mel" or card.embedding_size is None:
        lacks = "hears no such spectrograms" if card.embedding_size else "gives no embedding"
        raise InputError(
            f"cannot take the embedding of {card.model_id}: it {lacks}. Name another model; "
            "see: tonotope models list"
        )
    if cache.n_columns != N_COLUMNS:
        raise InputError(
            f"cannot take embeddings of cache '{cache.folder}': its clips have {cache.n_columns} "
            f"columns, networks hear {N_COLUMNS}. Make it anew with: tonotope prepare"
        )
    features = np.empty((len(cache.mel), card.embedding_size), np.float32)
    for row, mel in enumerate(cache.mel):
        # One at a time: some networks take no more.
        (heard,) = network.hear_windows([InputWindow(0.0, decibels(mel))])
        features[row] = heard.embedding
        if on_progress is not None:
            on_progress(row + 1, len(features))
    return features
