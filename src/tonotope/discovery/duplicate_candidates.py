"""Which pairs of tracks may hold one recording: those that have marks in common at one offset.

An index of all marks, in the order of their values, lets the tracks that have a mark vote for each
other (Haitsma and Kalker 2002). With n tracks that takes O(n log n) time. Marks that more than 64
tracks have say nothing; of a large library some of the values are looked at, the same of all
tracks, so that the index never has more than 17 million entries.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["candidate_pairs"]

_MOST_ENTRIES = 1 << 24
_MOST_HOLDERS = 64
_LEAST_VOTES = 2
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
    keys = [_votes(*chunk, n_tracks) for chunk in _chunks(*_index(marks, on_indexed))]
    places, inverse = np.unique(np.concatenate([[], *keys]).astype(np.int64), return_inverse=True)
    votes = np.bincount(inverse, minlength=len(places))
    # Copies may lie between two marks: those of neighbouring offsets are counted together.
    around = votes.copy()
    is_next = np.diff(places) == 1
    around[1:] += votes[:-1] * is_next
    around[:-1] += votes[1:] * is_next
    elected = np.flatnonzero(around >= _LEAST_VOTES)
    elected = elected[np.argsort(-around[elected], kind="stable")]
    offsets_of: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for place in places[elected].tolist():
        pair, offset = place >> _OFFSET_BITS, (place & (1 << _OFFSET_BITS) - 1)
        offset -= 1 << (_OFFSET_BITS - 1)
        offsets = offsets_of[divmod(pair, n_tracks)]
        if len(offsets) < _MOST_OFFSETS and all(abs(offset - other) > 1 for other in offsets):
            offsets.append(offset)
    return dict(sorted(offsets_of.items()))


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


def _chunks(
    values: NDArray[np.uint32], tracks: NDArray[np.int32], times: NDArray[np.int32]
) -> Iterator[_Entries]:
    """Cut the index between two values, without what one track or too many have."""
    if not len(values):
        return
    borders = np.flatnonzero(np.diff(values)) + 1
    sizes = np.diff(np.concatenate([[0], borders, [len(values)]]))
    is_telling = np.repeat((sizes > 1) & (sizes <= _MOST_HOLDERS), sizes)
    values, tracks, times = values[is_telling], tracks[is_telling], times[is_telling]
    start = 0
    while start < len(values):
        stop = min(start + _CHUNK_ENTRIES, len(values))
        stop = int(np.searchsorted(values, values[stop - 1], side="right"))
        yield values[start:stop], tracks[start:stop], times[start:stop]
        start = stop


def _votes(
    values: NDArray[np.uint32],
    tracks: NDArray[np.int32],
    times: NDArray[np.int32],
    n_tracks: int,
) -> NDArray[np.int64]:
    """Return pair and offset, as one number, of every two entries with one value."""
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
        votes.append((pair << _OFFSET_BITS) + offset)
    return np.concatenate(votes) if votes else np.zeros(0, np.int64)
