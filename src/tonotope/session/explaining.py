"""Why a track of the library is a neighbour: its numbers beside those of the track asked about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tonotope.discovery.explain import (
    EXPLAINED_COLUMNS,
    PartShare,
    Ranks,
    Reason,
    compare_tracks,
    part_shares,
)
from tonotope.discovery.segments import SegmentMatch, Segments, best_match, cut_segments
from tonotope.errors import TonotopeError
from tonotope.library.catalogue import Catalogue, Track
from tonotope.library.descriptions import read_descriptions
from tonotope.library.versions import Versions
from tonotope.session.placed import Placed

__all__ = ["Explainer", "Explanation"]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why two tracks are as near as they are.

    Attributes
    ----------
    parts
        What each part of the space has to do with the distance, the largest share first.
    reasons
        In what they agree and differ, the most telling first.
    segments
        The 10 s of each that are most alike; None where a file cannot be heard any more.
    """

    parts: list[PartShare]
    reasons: list[Reason]
    segments: SegmentMatch | None

    @property
    def agreements(self) -> list[Reason]:
        """In what they agree."""
        return [reason for reason in self.reasons if reason.agrees]

    @property
    def differences(self) -> list[Reason]:
        """In what they differ."""
        return [reason for reason in self.reasons if not reason.agrees]


class Explainer:
    """Says why tracks of the library are near to one.

    Parameters
    ----------
    catalogue, versions
        The library, and what its numbers are made by.
    placed
        Its tracks in the space whose distances are to be explained.
    query, place
        The track asked about, which need not be in the library.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        versions: Versions,
        placed: Placed,
        query: Track,
        place: NDArray[np.float32],
    ) -> None:
        self._catalogue = catalogue
        self._versions = versions
        self._placed = placed
        self._query = query
        self._place = place

    def explain(self, track: Track) -> Explanation:
        """Compare the query with a track of the library.

        Listens to the track's file, and the first time to the query's: about half a second of a
        core for four minutes.

        Raises
        ------
        KeyError
            If the track is not in the library.
        """
        row = self._placed.row_of[track.audio_id]
        shares = part_shares(
            self._placed.places, self._placed.parts, self._place, self._placed.places[row]
        )
        reasons = compare_tracks(self._query_numbers, self._row(row), self._ranks)
        return Explanation(shares, reasons, self._match(track))

    def _match(self, track: Track) -> SegmentMatch | None:
        own, other = self._query_segments, _segments_of(track.path)
        return None if own is None or other is None else best_match(own, other)

    @cached_property
    def _query_segments(self) -> Segments | None:
        return _segments_of(self._query.path)

    @cached_property
    def _numbers(self) -> NDArray[np.float64]:
        """What is compared of each track, shape (n_tracks, n_columns)."""
        from tonotope.library.columns import RowColumns

        ids = [track.audio_id for track in self._placed.tracks]
        columns = RowColumns(EXPLAINED_COLUMNS)
        return read_descriptions(self._catalogue, ids, columns, self._versions).numbers

    @cached_property
    def _ranks(self) -> Ranks:
        return Ranks(dict(zip(EXPLAINED_COLUMNS, self._numbers.T, strict=True)))

    @cached_property
    def _query_numbers(self) -> Mapping[str, float]:
        row = self._placed.row_of.get(self._query.audio_id)
        return self._row(row) if row is not None else _measured(self._query.path)

    def _row(self, row: int) -> Mapping[str, float]:
        return dict(zip(EXPLAINED_COLUMNS, self._numbers[row].tolist(), strict=True))


def _measured(path: str) -> Mapping[str, float]:
    from tonotope.analysis import analyze
    from tonotope.library.columns import RowColumns

    columns = RowColumns(EXPLAINED_COLUMNS)
    rows = analyze(path, families=columns.families, genres=False).rows
    return dict(zip(EXPLAINED_COLUMNS, columns.of(rows).tolist(), strict=True))


def _segments_of(path: str) -> Segments | None:
    """Return the segments of a file, 22 MB an hour while it is heard; None if it gives no sound."""
    from tonotope.audio import decode
    from tonotope.features.stft import HOP_LENGTH, SAMPLE_RATE_HZ
    from tonotope.features.stream import analyze

    try:
        with decode(path) as blocks:
            heard = analyze(blocks, ["mfcc", "chroma_stft"])
    except (TonotopeError, OSError):
        return None
    mfcc, chroma = heard["mfcc"], heard["chroma_stft"]
    return cut_segments(mfcc, chroma, SAMPLE_RATE_HZ / HOP_LENGTH) if len(mfcc) else None
