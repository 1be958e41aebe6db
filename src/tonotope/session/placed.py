"""The library's tracks, placed in the similarity space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tonotope.discovery import SimilaritySpace, TrackFacts
from tonotope.errors import LibraryError
from tonotope.library.catalogue import Catalogue, Track
from tonotope.library.duplicates import standing_for, without_merged
from tonotope.library.versions import Versions
from tonotope.session.descriptions import describe, similarity_columns, widths_of_parts

if TYPE_CHECKING:
    from tonotope.library.catalogue import TrackTable

__all__ = ["LEARNED", "Placed", "facts_of", "place_tracks", "similarity_columns"]

Float32Array = NDArray[np.float32]

LEARNED = "learned"
"""The name of the weights that `tonotope.session.learned` makes of plays and feedback."""


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """The library's tracks, placed.

    Attributes
    ----------
    space
        Fitted to them.
    tracks, facts
        One row each, in the order of their paths.
    numbers
        Their `similarity_columns` as measured, shape (n_tracks, n_columns), float32; NaN where
        there is no answer.
    embeddings
        Shape (n_tracks, embedding_size), float32.
    places
        Shape (n_tracks, n_axes), float32: near means alike, by Euclidean distance.
    row_of
        Rows by `audio_id`; of a recording that was merged into another, that one's row.
    """

    space: SimilaritySpace
    tracks: list[Track]
    facts: list[TrackFacts]
    numbers: Float32Array
    embeddings: Float32Array
    places: Float32Array
    row_of: dict[str, int]

    @property
    def parts(self) -> Mapping[str, slice]:
        """The columns of `places` that each part of the description has, by its name."""
        return self.space.parts_

    def distances_from(self, place: Float32Array) -> Float32Array:
        """Return how far every track is from a place, corrected for hubness.

        What rankings go by; see `tonotope.discovery.space.SimilaritySpace.distances_from`.

        Parameters
        ----------
        place
            Of a track in the library or outside, shape (n_axes,).

        Returns
        -------
        ndarray
            Shape (n_tracks,), float32, 0 to 1.
        """
        return self.space.distances_from(place)

    def place_of(self, numbers: Float32Array, embedding: Float32Array) -> Float32Array:
        """Return the place of a track outside the library, shape (n_axes,).

        Parameters
        ----------
        numbers
            Its `similarity_columns`, shape (n_columns,).
        embedding
            Shape (embedding_size,).
        """
        vectors = describe(numbers[np.newaxis], embedding[np.newaxis])
        place: Float32Array = self.space.transform(vectors)[0]
        return place


def place_tracks(
    catalogue: Catalogue, versions: Versions, weights: str | Mapping[str, float] = "balanced"
) -> Placed:
    """Read the tracks that can be compared, and place them.

    Parameters
    ----------
    catalogue
        The library.
    versions
        Only what these made is compared.
    weights
        How much say each part of a description has, see `tonotope.discovery.space.weights_of`;
        or `LEARNED`.

    Raises
    ------
    LibraryError
        If there is none, or the library is damaged.
    ValueError
        If the weights are none.
    InputError
        If there is nothing to learn from.
    """
    if weights == LEARNED:
        from tonotope.session.learned import learn_from_user

        return learn_from_user(catalogue, place_tracks(catalogue, versions))
    table = catalogue.table(similarity_columns(), versions)
    _refuse_empty(table, catalogue, versions)
    standing = standing_for(catalogue)
    table = without_merged(table, standing)
    row_of = {track.audio_id: row for row, track in enumerate(table.tracks)}
    # Who asks for a track that was merged is answered by the one that stands for it.
    row_of |= {merged: row_of[kept] for merged, kept in standing.items() if kept in row_of}
    space = SimilaritySpace(widths_of_parts(table.embeddings.shape[1]), weights)
    space.fit(describe(table.numbers, table.embeddings))
    return Placed(
        space=space,
        tracks=table.tracks,
        facts=[facts_of(track) for track in table.tracks],
        numbers=table.numbers,
        embeddings=table.embeddings,
        places=space.places_,
        row_of=row_of,
    )


def facts_of(track: Track) -> TrackFacts:
    """Return what the rules of lists need to know of a track."""
    title, artist = (None if tag is None else tag.casefold() for tag in (track.title, track.artist))
    return TrackFacts(title, artist, track.album_key, track.duration_s)


def _refuse_empty(table: TrackTable, catalogue: Catalogue, versions: Versions) -> None:
    if table.tracks:
        return
    if catalogue.n_out_of_date(versions):
        reason = "was made by another version of Tonotope. Scan its folders again"
    else:
        reason = "holds no track that can be compared. Add some: tonotope scan FOLDER"
    raise LibraryError(f"library '{catalogue.path}' {reason}.")
