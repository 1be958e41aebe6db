"""Questions about recordings that a library holds more than once, and what the user decides."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tonotope.errors import InputError, TrackNotFoundError
from tonotope.library.catalogue import Catalogue, Track
from tonotope.library.duplicates import Merge, drop_merges, merges, put_merges, standing_for
from tonotope.library.fingerprints import Copy, StoredFingerprints, copies
from tonotope.library.versions import Versions
from tonotope.session.locating import audio_id_of

if TYPE_CHECKING:
    from tonotope.discovery.duplicates import DuplicatePair, Kind

__all__ = [
    "DuplicateGroup",
    "Duplicates",
    "MergedTrack",
    "find_duplicates",
    "merge",
    "merged_tracks",
    "undo_merges",
]

_LOSSLESS = frozenset({"flac", "alac", "wavpack", "ape", "tta", "tak", "mlp", "truehd"})
# Bits of these codecs go further than those of MP3 (listening tests at 64 to 128 kbit/s).
_WORTH_OF_A_BIT = {"opus": 1.6, "vorbis": 1.3, "aac": 1.3}
# Encoders pad, and who rips a record cuts silence.
_CUT_S = 3.0


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """Tracks that may be one recording, or versions of one piece.

    Attributes
    ----------
    kind
        The loosest of its pairs' kinds.
    copies
        The best first, which is kept if they are merged as listed: the longest, of those of one
        length the lossless, of the others that of most bits.
    pairs
        The evidence. Their rows are those of `copies`, and `a` is listed before `b`.
    """

    kind: Kind
    copies: list[Copy]
    pairs: list[DuplicatePair]


@dataclass(frozen=True, slots=True)
class Duplicates:
    """What was found, and among how many tracks.

    Attributes
    ----------
    groups
        The surest kind first.
    n_tracks
        How many tracks were compared: those that have a fingerprint and were not merged.
    n_out_of_date
        How many more the next scan will hear anew; they may have none.
    """

    groups: list[DuplicateGroup]
    n_tracks: int
    n_out_of_date: int


@dataclass(frozen=True, slots=True)
class MergedTrack:
    """A merge, and the tracks it is about; None where the library has no file of one."""

    merge: Merge
    track: Track | None
    kept: Track | None


def find_duplicates(
    catalogue: Catalogue,
    versions: Versions,
    kinds: Collection[Kind],
    on_progress: Callable[[int, int], None] | None = None,
) -> Duplicates:
    """Return which tracks may be one recording, but for those that were merged.

    Parameters
    ----------
    catalogue
        Open.
    versions
        Fingerprints of other versions are not compared.
    kinds
        Which of `tonotope.discovery.duplicates.KINDS` to look for.
    on_progress
        Called with how many steps are done, and of how many.

    Raises
    ------
    LibraryError
        If the library is damaged.
    """
    from tonotope.discovery.duplicates import KINDS, duplicate_pairs
    from tonotope.discovery.versions import version_pairs

    held = copies(catalogue, versions.fingerprint)
    audio_ids = {copy.track.audio_id for copy in held}
    replaced = {one for one, kept in standing_for(catalogue).items() if kept in audio_ids}
    compared = [copy for copy in held if copy.track.audio_id not in replaced]
    fingerprints = StoredFingerprints(catalogue, [copy.track.audio_id for copy in compared])
    pairs = duplicate_pairs(fingerprints, on_progress)
    groups = _groups(compared, [pair for pair in pairs if pair.kind in kinds])
    if "version" in kinds:
        # Of each recording the best copy alone: copies are in harmony anyway.
        rows = [_best_first(compared, alike)[0] for alike in _components(len(compared), pairs)]
        groups += _groups(compared, version_pairs(fingerprints, sorted(rows), on_progress))
    groups.sort(key=lambda group: (KINDS.index(group.kind), group.copies[0].track.path))
    return Duplicates(groups, len(compared), catalogue.n_out_of_date(versions))


def _groups(compared: Sequence[Copy], pairs: Sequence[DuplicatePair]) -> list[DuplicateGroup]:
    """Return the tracks that pairs join, directly or through others, the best of each first."""
    from tonotope.discovery.duplicates import KINDS

    pairs_from: defaultdict[int, list[DuplicatePair]] = defaultdict(list)
    for pair in pairs:
        pairs_from[pair.a].append(pair)
    groups = []
    for rows in _components(len(compared), pairs):
        if len(rows) < 2:
            continue
        rows = _best_first(compared, rows)
        place_of = {row: place for place, row in enumerate(rows)}
        evidence = [
            pair.between(place_of[pair.a], place_of[pair.b])
            for row in rows
            for pair in pairs_from[row]
        ]
        evidence.sort(key=lambda pair: (pair.a, pair.b))
        kind = max((pair.kind for pair in evidence), key=KINDS.index)
        groups.append(DuplicateGroup(kind, [compared[row] for row in rows], evidence))
    return groups


def _components(n_rows: int, pairs: Iterable[DuplicatePair]) -> list[list[int]]:
    """Return all rows in groups of those that pairs join, directly or through others."""
    root_of = list(range(n_rows))

    def root(row: int) -> int:
        while root_of[row] != row:
            root_of[row] = row = root_of[root_of[row]]
        return row

    for pair in pairs:
        root_of[root(pair.a)] = root(pair.b)
    members: defaultdict[int, list[int]] = defaultdict(list)
    for row in range(n_rows):
        members[root(row)].append(row)
    return list(members.values())


def _best_first(compared: Sequence[Copy], rows: Sequence[int]) -> list[int]:
    whole_s = max(compared[row].track.duration_s for row in rows) - _CUT_S

    def worth(row: int) -> tuple[bool, bool, float, str]:
        copy = compared[row]
        bits = (copy.bit_rate_bps or 0) * _WORTH_OF_A_BIT.get(copy.codec, 1.0)
        is_lossless = copy.codec in _LOSSLESS or copy.codec.startswith("pcm_")
        is_whole = copy.track.duration_s >= whole_s
        return not is_whole, not is_lossless, -bits, copy.track.path

    return sorted(rows, key=worth)


# What the user decides


def merge(
    catalogue: Catalogue,
    versions: Versions,
    kept: str | os.PathLike[str],
    others: Sequence[str | os.PathLike[str]],
) -> list[MergedTrack]:
    """Let one recording stand for others in all answers; return what was merged.

    Parameters
    ----------
    catalogue
        Open, and not read-only.
    versions
        In use.
    kept, others
        Files, or ids of tracks.

    Raises
    ------
    InputError
        If there is no other, or `kept` is among them, or is merged into another itself.
    TrackNotFoundError
        If one is not in the library.
    LibraryError
        If the library cannot be written to.
    """
    kept_id = _known(catalogue, kept)
    audio_ids = [_known(catalogue, other) for other in others]
    if not audio_ids:
        raise InputError("a merge needs two tracks: --merge KEPT OTHER")
    if kept_id in audio_ids:
        raise InputError(f"cannot merge '{os.fspath(kept)}' into itself. Name another track.")
    into = {merge.audio_id: merge.kept_audio_id for merge in merges(catalogue)}
    if kept_id in into:
        raise InputError(
            f"'{os.fspath(kept)}' is itself merged into {into[kept_id]}. Name that one first, or "
            f"undo it: tonotope duplicates --undo {kept_id}"
        )
    put_merges(catalogue, kept_id, audio_ids)
    return [one for one in merged_tracks(catalogue, versions) if one.merge.audio_id in audio_ids]


def undo_merges(
    catalogue: Catalogue, versions: Versions, names: Sequence[str | os.PathLike[str]]
) -> list[MergedTrack]:
    """Let recordings stand for themselves again; return what was merged.

    Parameters
    ----------
    catalogue
        Open, and not read-only.
    versions
        In use.
    names
        Files, or ids of tracks that were merged into others.

    Raises
    ------
    InputError
        If one was not merged.
    TrackNotFoundError
        If one is not in the library.
    LibraryError
        If the library cannot be written to.
    """
    audio_ids = [_known(catalogue, name) for name in names]
    found = {one.merge.audio_id: one for one in merged_tracks(catalogue, versions)}
    for name, audio_id in zip(names, audio_ids, strict=True):
        if audio_id not in found:
            raise InputError(
                f"'{os.fspath(name)}' was not merged into another track. See: tonotope duplicates "
                "--merged"
            )
    drop_merges(catalogue, audio_ids)
    return [found[audio_id] for audio_id in dict.fromkeys(audio_ids)]


def merged_tracks(catalogue: Catalogue, versions: Versions) -> list[MergedTrack]:
    """Return what was merged, the earliest first.

    Raises
    ------
    LibraryError
        If the library is damaged.
    """
    track_of = {copy.track.audio_id: copy.track for copy in copies(catalogue, versions.fingerprint)}
    return [
        MergedTrack(one, track_of.get(one.audio_id), track_of.get(one.kept_audio_id))
        for one in merges(catalogue)
    ]


def _known(catalogue: Catalogue, name: str | os.PathLike[str]) -> str:
    """Return the recording that a file or an id names, if the library holds it."""
    audio_id = audio_id_of(catalogue, name)
    if not catalogue.audio_ids_like(audio_id):
        raise TrackNotFoundError(
            f"'{os.fspath(name)}' is not in the library. Add it: tonotope scan FOLDER"
        )
    return audio_id
