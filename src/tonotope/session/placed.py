"""The library's tracks, placed in the similarity space."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tonotope.discovery import SimilaritySpace, TrackFacts
from tonotope.errors import LibraryError
from tonotope.library.catalogue import Catalogue, Track
from tonotope.library.versions import Versions

if TYPE_CHECKING:
    from tonotope.library.columns import RowColumns

__all__ = ["Placed", "facts_of", "place_tracks", "similarity_columns"]

# What tracks are compared by: the moments of these over time, the tempo, and the embedding.
# Thresholds of distance (`tonotope.discovery.recordings`) hold for just these.
_COMPARED = (
    "mfcc",
    "chroma_stft",
    "spectral_contrast",
    "spectral_centroid",
    "spectral_bandwidth",
    "spectral_rolloff",
    "spectral_flatness",
    "zero_crossing_rate",
    "rms",
    "onset_strength",
)


@cache
def similarity_columns() -> RowColumns:
    """Return the 323 columns of a track's row that, beside its embedding, place it."""
    # Imported only where tracks are compared: SciPy comes along, and takes its time.
    from tonotope.features.tables import table_columns
    from tonotope.library.columns import RowColumns

    return RowColumns((*table_columns(_COMPARED), "tempo_bpm"))


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
        Their `similarity_columns` as measured, shape (n_tracks, 323), float32.
    embeddings
        Shape (n_tracks, embedding_size), float32.
    places
        Shape (n_tracks, n_columns), float32.
    row_of
        Rows by `audio_id`.
    """

    space: SimilaritySpace
    tracks: list[Track]
    facts: list[TrackFacts]
    numbers: NDArray[np.float32]
    embeddings: NDArray[np.float32]
    places: NDArray[np.float32]
    row_of: dict[str, int]


def place_tracks(catalogue: Catalogue, versions: Versions) -> Placed:
    """Read the tracks that can be compared, and place them.

    Raises
    ------
    LibraryError
        If there is none, or the library is damaged.
    """
    table = catalogue.table(similarity_columns(), versions)
    if not table.tracks:
        if catalogue.n_out_of_date(versions):
            reason = "was made by another version of Tonotope. Scan its folders again"
        else:
            reason = "holds no track that can be compared. Add some: tonotope scan FOLDER"
        raise LibraryError(f"library '{catalogue.path}' {reason}.")
    space = SimilaritySpace((table.numbers.shape[1], table.embeddings.shape[1]))
    return Placed(
        space=space,
        tracks=table.tracks,
        facts=[facts_of(track) for track in table.tracks],
        numbers=table.numbers,
        embeddings=table.embeddings,
        places=space.fit_transform(np.hstack([table.numbers, table.embeddings])),
        row_of={track.audio_id: row for row, track in enumerate(table.tracks)},
    )


def facts_of(track: Track) -> TrackFacts:
    """Return what the rules of lists need to know of a track."""
    title, artist = (None if tag is None else tag.casefold() for tag in (track.title, track.artist))
    return TrackFacts(title, artist, track.album_key, track.duration_s)
