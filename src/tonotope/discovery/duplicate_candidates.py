"""Which pairs of tracks may hold one recording: those that have marks in common at one offset.

An index of all marks, in the order of their values, lets the tracks that have a mark vote for each
other (Haitsma and Kalker 2002). With n tracks that takes O(n log n) time. Marks that more than 64
tracks have say nothing; of a large library some of the values are looked at, the same of all
tracks, so that the index never has more than 17 million entries. Where these give more than 17
million votes, the pairs are gone through in shares of about so many: 1.7 GB for tracks that have so
much in common that there are two million candidates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["candidate_pairs"]

_MOST_ENTRIES = 1 << 24
_MOST_HOLDERS = 64
_LEAST_VOTES = 2
_MOST_VOTES = 1 << 24
_MOST_OFFSETS = 6
_OFFSET_BITS = 20
_CHUNK_ENTRIES = 1 << 20


def candidate_pairs(
    marks: Iterator[NDArray[np.uint32]] | Sequence[NDArray[np.uint32]],
    n_tracks: int,
    on_indexed: Callable[[int], None] = lambda done: None,
) -> dict[tuple[int, int], list[int]]:
    """Return the pairs of tracks with marks in common, and how far those lie apart.

    Parameters
    ----------
    marks
        Of each track, see `tonotope.features.fingerprint.Fingerprint`.
    n_tracks
        How many there are.
    on_indexed
        Called with the number of tracks that are in the index.

    Returns
    -------
    dict
        By pair of rows, the smaller first: by how many marks the second is behind the first, the
        most votes first, up to 6 offsets.
    """
    index = _telling(*_index(marks, on_indexed))
    n_shares = 1 + _n_votes(index[0]) // _MOST_VOTES
    offsets_of: dict[tuple[int, int], list[int]] = {}
    for share in range(n_shares):
        votes = [_votes(chunk, n_tracks, share, n_shares) for chunk in _chunks(index)]
        for place in _elected(np.concatenate([np.zeros(0, np.int64), *votes])).tolist():
            pair, offset = place >> _OFFSET_BITS, (place & (1 << _OFFSET_BITS) - 1)
            offset -= 1 << (_OFFSET_BITS - 1)
            offsets = offsets_of.setdefault(divmod(pair, n_tracks), [])
            if len(offsets) < _MOST_OFFSETS and all(abs(offset - other) > 1 for other in offsets):
                offsets.append(offset)
    return dict(sorted(offsets_of.items()))


def _elected(votes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the pairs and offsets that have enough votes, those with the most first."""
    votes.sort()
    places, counts = np.unique(votes, return_counts=True)
    # Copies may lie between two marks: those of neighbouring offsets are counted together.
    around = counts.copy()
    is_next = np.diff(places) == 1
    around[1:] += counts[:-1] * is_next
    around[:-1] += counts[1:] * is_next
    elected = np.flatnonzero(around >= _LEAST_VOTES)
    return places[elected[np.argsort(-around[elected], kind="stable")]]


_Entries = tuple[NDArray[np.uint32], NDArray[np.int32], NDArray[np.int32]]


def _index(
    marks: Iterator[NDArray[np.uint32]] | Sequence[NDArray[np.uint32]],
    on_indexed: Callable[[int], None],
) -> _Entries:
    """Return all marks in the order of their values, with the track and the place of each.

    Of a large library only every second, fourth, ... value: the same values of all tracks.
    """
    kept: list[_Entries] = []
    n_entries, step = 0, 1
    for track, values in enumerate(marks):
        # A loop has its marks again and again: the first of each will do.
        unique, first = np.unique(values, return_index=True)
        entries = _sampled(
            (unique, np.full(len(unique), track, np.int32), first.astype(np.int32)), step
        )
        kept.append(entries)
        n_entries += len(entries[0])
        while n_entries > _MOST_ENTRIES:
            step *= 2
            kept = [_sampled(entries, step) for entries in kept]
            n_entries = sum(len(values) for values, _, _ in kept)
        on_indexed(track + 1)
    if not kept:
        nothing = np.zeros(0, np.int32)
        return np.zeros(0, np.uint32), nothing, nothing
    values, tracks, times = (np.concatenate(column) for column in zip(*kept, strict=True))
    order = np.argsort(values, kind="stable")
    return values[order], tracks[order], times[order]


def _sampled(entries: _Entries, step: int) -> _Entries:
    values, tracks, times = entries
    # Knuth's multiplicative hash: neighbouring bits of a mark are alike, those of its hash not.
    is_kept = values != 0
    is_kept &= ((values * np.uint32(2654435761)) >> np.uint32(8)) % np.uint32(step) == 0
    return values[is_kept], tracks[is_kept], times[is_kept]


def _telling(
    values: NDArray[np.uint32], tracks: NDArray[np.int32], times: NDArray[np.int32]
) -> _Entries:
    """Return an index without the values that one track or too many have."""
    sizes = _n_holders(values)
    is_telling = np.repeat((sizes > 1) & (sizes <= _MOST_HOLDERS), sizes)
    return values[is_telling], tracks[is_telling], times[is_telling]


def _n_holders(values: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Return how often each value is there, in their order."""
    borders = np.flatnonzero(np.diff(values)) + 1
    return np.diff(np.concatenate([[0], borders, [len(values)]])).astype(np.int64)


def _n_votes(values: NDArray[np.uint32]) -> int:
    sizes = _n_holders(values)
    return int((sizes * (sizes - 1) // 2).sum())


def _chunks(index: _Entries) -> Iterator[_Entries]:
    """Cut an index between two values."""
    values, tracks, times = index
    start = 0
    while start < len(values):
        stop = min(start + _CHUNK_ENTRIES, len(values))
        stop = int(np.searchsorted(values, values[stop - 1], side="right"))
        yield values[start:stop], tracks[start:stop], times[start:stop]
        start = stop


def _votes(index: _Entries, n_tracks: int, share: int, n_shares: int) -> NDArray[np.int64]:
    """Return pair and offset, as one number, of every two entries with one value.

    Of the pairs of one share only.
    """
    values, tracks, times = index
    votes = []
    first = np.arange(len(values))
    for step in range(1, _MOST_HOLDERS):
        first = first[: np.searchsorted(first, len(values) - step)]
        first = first[values[first] == values[first + step]]
        if not len(first):
            break
        # Within one value the index is in the order of the tracks.
        pair = tracks[first].astype(np.int64) * n_tracks + tracks[first + step]
        offset = times[first + step] - times[first] + (1 << (_OFFSET_BITS - 1))
        is_here = slice(None) if n_shares == 1 else pair % n_shares == share
        votes.append(((pair << _OFFSET_BITS) + offset)[is_here])
    return np.concatenate(votes) if votes else np.zeros(0, np.int64)
