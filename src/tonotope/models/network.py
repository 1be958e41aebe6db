"""Genre networks, run by ONNX Runtime on one thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from tonotope.errors import ModelError
from tonotope.features.stft import Float32Array
from tonotope.models.cards import BUNDLED_CARD, ModelCard, read_card
from tonotope.models.frontend import N_COLUMNS, Window
from tonotope.models.runtime import open_session

__all__ = ["GenreNetwork", "Heard", "bundled_network", "mean_embedding"]


@dataclass(frozen=True, slots=True)
class Heard:
    """What a network makes of one window.

    Attributes
    ----------
    start_s
        Where the window begins in the track.
    probabilities
        Shape (n_labels,), float32, sum 1.
    embedding
        Shape (embedding_size,), float32.
    """

    start_s: float
    probabilities: Float32Array
    embedding: Float32Array


class GenreNetwork:
    """A network with its card, ready to hear.

    Parameters
    ----------
    card
        Which network.

    Raises
    ------
    ModelError
        If the file is missing, is not the one the card describes, or is no usable network.
    """

    def __init__(self, card: ModelCard) -> None:
        self.card = card
        if card.input.name != "gtzan-mel" or not card.labels or card.embedding_size is None:
            raise ModelError(
                f"network '{card.file}' cannot listen to a library: that needs gtzan-mel as input, "
                "labels and an embedding. Name another model."
            )
        self._session = open_session(card)
        given = {output.name: output.shape[1:] for output in self._session.get_outputs()}
        promised = {"probabilities": [len(card.labels)], "embedding": [card.embedding_size]}
        if any(given.get(name) != shape for name, shape in promised.items()):
            raise ModelError(
                f"network '{card.file}' gives {given} where its card promises {promised}. "
                "Reinstall the model."
            )

    def hear(self, window: Window) -> Heard:
        """Return genre probabilities and embedding of one window."""
        if window.log_mel.shape != (N_COLUMNS, 128):
            raise ValueError(f"log_mel has shape {window.log_mel.shape}, expected (333, 128)")
        probabilities, embedding = self._session.run(
            ["probabilities", "embedding"], {"log_mel": window.log_mel[np.newaxis]}
        )
        return Heard(window.start_s, probabilities[0], embedding[0])


def mean_embedding(heard: Sequence[Heard]) -> Float32Array:
    """Return the embedding of a track: the mean of its windows', which must not be none."""
    embeddings = np.stack([h.embedding for h in heard])
    mean: Float32Array = embeddings.mean(axis=0, dtype=np.float64).astype(np.float32)
    return mean


@cache
def bundled_network() -> GenreNetwork:
    """Return the network that comes with Tonotope, loaded once per process."""
    return GenreNetwork(read_card(BUNDLED_CARD))
