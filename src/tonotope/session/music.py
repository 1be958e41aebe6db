"""What is known of tracks in musical terms: tempo, key, loudness, energy, moods, genres, years."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tonotope.discovery.playlists.flow import MusicalFacts
from tonotope.features.estimates import ESTIMATES, estimate
from tonotope.library.catalogue import Catalogue, Track
from tonotope.library.descriptions import Descriptions, read_descriptions
from tonotope.library.tags import year_tags
from tonotope.library.versions import Versions

__all__ = ["Music"]

_NUMBERS = (
    "tempo_bpm",
    "pulse_clarity",
    "danceability",
    "integrated_loudness_lufs",
    "spectral_centroid_hz_mean",
    "spectral_flatness_mean",
    "onset_strength_db_mean",
    "key_tonic",
    "key_is_major",
    "key_confidence",
)


@dataclass(frozen=True, eq=False)
class Music:
    """What the library knows of some tracks, read when it is asked for.

    Of a track that the library does not hold nothing is known but its duration.

    Attributes
    ----------
    catalogue, versions
        The library, and what its numbers are made by.
    tracks
        In the order of all answers.
    """

    catalogue: Catalogue
    versions: Versions
    tracks: Sequence[Track]

    @cached_property
    def years(self) -> NDArray[np.float64]:
        """As tagged; NaN where there is no tag."""
        year_of = year_tags(self.catalogue)
        return np.array([year_of.get(track.audio_id, np.nan) for track in self.tracks], np.float64)

    @cached_property
    def durations_s(self) -> NDArray[np.float64]:
        """In seconds."""
        return np.array([track.duration_s for track in self.tracks])

    @cached_property
    def genres(self) -> list[frozenset[str]]:
        """The genres each track is tagged with and the likeliest by its sound, in lower case."""
        found = []
        for tags, heard in zip(self._read.tags, self._read.genre_probabilities, strict=True):
            names = {self._read.genres[int(heard.argmax())].casefold()} if heard.any() else set()
            found.append(frozenset(tag.casefold() for tag in tags) | names)
        return found

    @cached_property
    def columns(self) -> Mapping[str, NDArray[np.float64]]:
        """Descriptors and estimates by name; NaN where unknown."""
        numbers = dict(zip(_NUMBERS, self._read.numbers.T, strict=True))
        known = ~np.isnan(self._read.numbers).all(axis=1)
        estimates = np.full((len(self.tracks), len(ESTIMATES)), np.nan)
        for row in np.flatnonzero(known).tolist():
            estimates[row] = estimate({name: float(of[row]) for name, of in numbers.items()})
        return numbers | dict(zip(ESTIMATES, estimates.T, strict=True))

    def facts(self) -> MusicalFacts:
        """Return what the order of a playlist goes by."""
        from tonotope.features.key import CAMELOT, key_name

        keys: list[str | None] = [
            CAMELOT[key_name(int(tonic), bool(is_major))] if np.isfinite(tonic) else None
            for tonic, is_major in zip(
                self.columns["key_tonic"].tolist(), self.columns["key_is_major"], strict=True
            )
        ]
        return MusicalFacts(
            tempo_bpm=self.columns["tempo_bpm"],
            key=keys,
            loudness_lufs=self.columns["integrated_loudness_lufs"],
            energy=self.columns["energy_estimate"],
        )

    @cached_property
    def _read(self) -> Descriptions:
        from tonotope.library.columns import RowColumns  # which imports SciPy

        ids = [track.audio_id for track in self.tracks]
        return read_descriptions(self.catalogue, ids, RowColumns(_NUMBERS), self.versions)
