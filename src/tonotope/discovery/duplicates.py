"""Which tracks hold one recording: found by what their fingerprints share, and said why.

Not all pairs are compared, only those that `tonotope.discovery.duplicate_candidates` names.

The kinds, each with its evidence:

- ``same recording``: the whole of both is one, also in level and spectrum: another encoding.
- ``remaster``: the whole of both is one, louder, brighter or otherwise processed.
- ``edit``: they share a stretch, or several; at least half of the shorter one.
- ``version``: only the harmony is one, see `tonotope.discovery.versions`: a live take, a cover.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tonotope.discovery.duplicate_candidates import candidate_pairs
from tonotope.features.fingerprint import MARK_BLOCKS, MARK_PERIOD_S, Fingerprint

__all__ = [
    "KINDS",
    "DuplicatePair",
    "Kind",
    "Stretch",
    "compare",
    "duplicate_pairs",
    "nearest_key",
]

Kind = Literal["same recording", "remaster", "edit", "version"]
KINDS: tuple[Kind, ...] = ("same recording", "remaster", "edit", "version")

# Of 43 real tracks, encodings down to MP3 64 and Opus 48 kbit/s and a heavy remaster differ in 11 %
# of the bits at most, different tracks in 41 % at least wherever they are laid side by side.
_MOST_BIT_ERRORS = 0.25
_SHORTEST_S = 10.0
_SHORTEST_MARKS = round(_SHORTEST_S / MARK_PERIOD_S)
# What may be missing of a whole: silence that was cut, a fade that an encoder dropped.
_MISSING_MARKS = round(3.0 / MARK_PERIOD_S)
_SHARE_OF_WHOLE = 0.8
_SHARE_OF_EDIT = 0.5
_SAME_LEVEL_DB = 1.0
_SAME_SPECTRUM_DB = 1.0
# Bands up to 7 kHz: encoders of few bits drop what is above. Those 50 dB below the loudest, too.
_COMPARED_BANDS = 28
_COMPARED_DB = 50.0


@dataclass(frozen=True, slots=True, order=True)
class Stretch:
    """Where two tracks share one recording, in seconds from the beginning of each."""

    start_a_s: float
    end_a_s: float
    start_b_s: float
    end_b_s: float

    @property
    def length_s(self) -> float:
        """Its length."""
        return self.end_a_s - self.start_a_s

    @property
    def swapped(self) -> Stretch:
        """The same with the two tracks in the other order."""
        return Stretch(self.start_b_s, self.end_b_s, self.start_a_s, self.end_a_s)


@dataclass(frozen=True, slots=True)
class DuplicatePair:
    """Two tracks that may be one, and the evidence.

    Attributes
    ----------
    a, b
        Their rows; a is the smaller.
    kind
        What they are to each other.
    bit_error_rate
        Share of the marks' bits that differ where the recording is shared: 0 for the same, 0.5 for
        chance. None for a version.
    level_db, spectrum_db
        How much louder b is than a, and how much their spectra differ beside that (root mean
        square over the bands). None unless both are whole.
    stretches
        What they share; for a version the stretch over which their harmony agrees.
    agreement
        For a version: which share of the shorter one's harmony the agreement covers, 0 to 1.
    transposition
        For a version: by how many semitones b is above a, -5 to 6.
    """

    a: int
    b: int
    kind: Kind
    bit_error_rate: float | None
    level_db: float | None
    spectrum_db: float | None
    stretches: tuple[Stretch, ...]
    agreement: float | None = None
    transposition: int | None = None

    @property
    def shared_s(self) -> float:
        """How much they share."""
        return sum(stretch.length_s for stretch in self.stretches)

    def between(self, a: int, b: int) -> DuplicatePair:
        """Return the same evidence of rows with other numbers, the smaller of them first."""
        if a < b:
            return replace(self, a=a, b=b)
        return replace(
            self,
            a=b,
            b=a,
            level_db=None if self.level_db is None else -self.level_db,
            stretches=tuple(sorted(stretch.swapped for stretch in self.stretches)),
            transposition=None if self.transposition is None else nearest_key(-self.transposition),
        )


def nearest_key(semitones: int) -> int:
    """Return a transposition as the nearer of two: up by seven is down by five."""
    return (semitones + 5) % 12 - 5


def duplicate_pairs(
    fingerprints: Sequence[Fingerprint],
    on_progress: Callable[[int, int], None] | None = None,
) -> list[DuplicatePair]:
    """Return the pairs of tracks that share a recording.

    Parameters
    ----------
    fingerprints
        One per track. Each is read once for the index, and again for each pair it may be in.
    on_progress
        Called with how many steps are done, and of how many, which changes once: tracks to index,
        then pairs to compare.
    """
    tell = on_progress or (lambda done, total: None)
    n_tracks = len(fingerprints)
    candidates = candidate_pairs(
        (fingerprint.marks for fingerprint in fingerprints),
        n_tracks,
        lambda done: tell(done, n_tracks),
    )
    pairs = []
    for done, ((a, b), offsets) in enumerate(candidates.items(), start=1):
        pair = compare(fingerprints[a], fingerprints[b], offsets, a=a, b=b)
        if pair is not None:
            pairs.append(pair)
        tell(n_tracks + done, n_tracks + len(candidates))
    return pairs


def compare(
    first: Fingerprint, second: Fingerprint, offsets: Sequence[int], *, a: int = 0, b: int = 1
) -> DuplicatePair | None:
    """Lay two tracks side by side; return what they share, or None if that is too little.

    Parameters
    ----------
    first, second
        Their fingerprints.
    offsets
        By how many marks the second may be behind the first.
    a, b
        Their rows, to be named in the answer.
    """
    shared = list(_shared(first.marks, second.marks, offsets))
    n_shared = sum(run.n_audible for run in shared)
    n_audible = [int(np.count_nonzero(k.marks)) for k in (first, second)]
    if not shared or n_shared < _SHARE_OF_EDIT * min(n_audible):
        return None
    bit_error_rate = sum(run.n_errors for run in shared) / (32 * n_shared)
    shared.sort(key=lambda run: run.start)
    stretches = tuple(_stretch(first.marks, second.marks, run) for run in shared)
    if len(shared) > 1 or not _is_whole(first.marks, second.marks, shared[0]):
        return DuplicatePair(a, b, "edit", bit_error_rate, None, None, stretches)
    level_db, spectrum_db = _difference_db(first, second)
    is_same = abs(level_db) < _SAME_LEVEL_DB and spectrum_db < _SAME_SPECTRUM_DB
    kind: Kind = "same recording" if is_same else "remaster"
    return DuplicatePair(a, b, kind, bit_error_rate, level_db, spectrum_db, stretches)


@dataclass(frozen=True, slots=True)
class _Run:
    """Marks of the first track that are those `offset` later in the second."""

    start: int
    stop: int
    offset: int
    n_audible: int
    n_errors: int


def _shared(
    first: NDArray[np.uint32], second: NDArray[np.uint32], offsets: Sequence[int]
) -> Iterator[_Run]:
    """Give what two tracks share at each offset, and no mark of either twice."""
    is_free_a, is_free_b = np.ones(len(first), bool), np.ones(len(second), bool)
    for offset in offsets:
        runs = [_best_run(first, second, k, is_free_a, is_free_b) for k in _around(offset)]
        run = max(runs, key=_gain)
        if run.n_audible < _SHORTEST_MARKS or run.n_errors > _MOST_BIT_ERRORS * 32 * run.n_audible:
            continue
        is_free_a[run.start : run.stop] = False
        is_free_b[run.start + run.offset : run.stop + run.offset] = False
        yield run


def _around(offset: int) -> tuple[int, int, int]:
    return offset, offset - 1, offset + 1


def _gain(run: _Run) -> float:
    return _MOST_BIT_ERRORS * 32 * run.n_audible - run.n_errors


def _best_run(
    first: NDArray[np.uint32],
    second: NDArray[np.uint32],
    offset: int,
    is_free_a: NDArray[np.bool_],
    is_free_b: NDArray[np.bool_],
) -> _Run:
    """Return the run whose bits agree the most beyond what is asked for.

    That is the stretch of the largest sum (Kadane's), each mark counting by how far its errors are
    below the bound.
    """
    low, high = max(0, -offset), min(len(first), len(second) - offset)
    if high <= low:
        return _Run(0, 0, offset, 0, 0)
    of_a, of_b = slice(low, high), slice(low + offset, high + offset)
    is_audible = (first[of_a] != 0) & (second[of_b] != 0)
    errors = np.bitwise_count(first[of_a] ^ second[of_b]).astype(np.int64) * is_audible
    gains = _MOST_BIT_ERRORS * 32 * is_audible - errors
    gains[~(is_free_a[of_a] & is_free_b[of_b])] = -32.0
    sums = np.concatenate([[0.0], np.cumsum(gains)])
    stop = int(np.argmax(sums - np.minimum.accumulate(sums)))
    start = int(np.argmin(sums[: stop + 1]))
    run = slice(start, stop)
    n_audible, n_errors = int(is_audible[run].sum()), int(errors[run].sum())
    return _Run(low + start, low + stop, offset, n_audible, n_errors)


def _stretch(first: NDArray[np.uint32], second: NDArray[np.uint32], run: _Run) -> Stretch:
    """Return a run in seconds.

    A mark is of 2.4 s of sound: where it is the first that agrees, what is shared begins in the
    middle of it, unless one of the tracks does.
    """
    start, stop = run.start, run.stop + MARK_BLOCKS - 1
    if start > max(0, -run.offset):
        start += MARK_BLOCKS // 2
    if run.stop < min(len(first), len(second) - run.offset):
        stop -= MARK_BLOCKS // 2
    edges = (start, stop, start + run.offset, stop + run.offset)
    return Stretch(*(round(edge * MARK_PERIOD_S, 2) for edge in edges))


def _is_whole(first: NDArray[np.uint32], second: NDArray[np.uint32], run: _Run) -> bool:
    """Whether a run is all of both tracks, but for what an encoder may cost."""
    low, high = max(0, -run.offset), min(len(first), len(second) - run.offset)
    n_both = np.count_nonzero(
        (first[low:high] != 0) & (second[low + run.offset : high + run.offset] != 0)
    )
    beside_a = np.concatenate([first[:low], first[high:]])
    beside_b = np.concatenate([second[: low + run.offset], second[high + run.offset :]])
    n_beside = max(np.count_nonzero(beside_a), np.count_nonzero(beside_b))
    return bool(n_beside <= _MISSING_MARKS and run.n_audible >= _SHARE_OF_WHOLE * n_both)


def _difference_db(first: Fingerprint, second: Fingerprint) -> tuple[float, float]:
    """Return how much louder the second is, and how much the spectra differ beside that."""
    spectra = np.stack([first.spectrum_db, second.spectrum_db])[:, :_COMPARED_BANDS]
    spectra = spectra.astype(np.float64)
    is_loud = (spectra > spectra.max(axis=1, keepdims=True) - _COMPARED_DB).all(axis=0)
    gaps = (spectra[1] - spectra[0])[is_loud]
    if not len(gaps):
        return 0.0, 0.0
    return float(gaps.mean()), float(gaps.std())
