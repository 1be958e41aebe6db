"""The spaces that are compared when a similarity space is judged.

``cosine`` is what most programs do: the cosine of the network's embedding as it comes. The others
are the columns of a similarity space, without the embedding's (``descriptors``), of the
``embedding`` alone, and of ``both``: each plain, and ``-corrected`` for hubs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tonotope.discovery.distances import distances_between
from tonotope.discovery.hubness import correction_of
from tonotope.discovery.judging import JudgedSpace
from tonotope.discovery.space import SimilaritySpace
from tonotope.errors import InputError

__all__ = ["BASELINE", "DEFAULT_SPACE", "EMBEDDING", "SPACES", "compared_spaces"]

Float32Array = NDArray[np.float32]

BASELINE = "cosine"
EMBEDDING = "embedding"
_CORRECTED = "-corrected"
DEFAULT_SPACE = f"both{_CORRECTED}"
SPACES = (
    BASELINE,
    *(
        f"{columns}{corrected}"
        for columns in ("descriptors", EMBEDDING, "both")
        for corrected in ("", _CORRECTED)
    ),
)
"""Their names, in the order of tables."""


def compared_spaces(
    fitted: SimilaritySpace, embeddings: Float32Array, name: str | None = None
) -> list[JudgedSpace]:
    """Return spaces of the same tracks.

    Parameters
    ----------
    fitted
        The tracks in their similarity space; the part of the embedding is called `EMBEDDING`.
    embeddings
        The embeddings as measured, shape (n_tracks, embedding_size).
    name
        One of `SPACES`; all by default.

    Raises
    ------
    InputError
        If there is no such space.
    """
    if name is not None and name not in SPACES:
        raise InputError(f"no space is called '{name}'. There are: {', '.join(SPACES)}.")
    made: dict[str, Float32Array] = {}
    spaces = []
    for wanted in SPACES if name is None else [name]:
        columns = wanted.removesuffix(_CORRECTED)
        if columns not in made:
            made[columns] = _places(fitted, embeddings, columns)
        correction = fitted.correction if wanted.endswith(_CORRECTED) else None
        distances = _Distances(made[columns], correction)
        spaces.append(JudgedSpace(wanted, made[columns], distances, wanted == DEFAULT_SPACE))
    return spaces


def _places(fitted: SimilaritySpace, embeddings: Float32Array, columns: str) -> Float32Array:
    if columns == BASELINE:
        return _directions(embeddings)
    parts = [
        fitted.places_[:, part]
        for of, part in fitted.parts_.items()
        if columns == "both" or (of == EMBEDDING) == (columns == EMBEDDING)
    ]
    return np.hstack(parts)


def _directions(vectors: Float32Array) -> Float32Array:
    """Return vectors of length 1: their Euclidean distances are in the order of their cosines."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    directions: Float32Array = (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    return directions


class _Distances:
    """Distances from some rows to all, corrected or not."""

    def __init__(self, places: Float32Array, correction: str | None) -> None:
        self._places = places
        self._squared_norms = np.einsum("ij,ij->i", places, places)
        self._correction = None if correction is None else correction_of(correction)().fit(places)

    def __call__(self, rows: NDArray[np.intp]) -> Float32Array:
        distances = distances_between(self._places[rows], self._places, self._squared_norms)
        if self._correction is None:
            return distances
        return self._correction.correct(distances, rows)
