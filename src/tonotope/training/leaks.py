"""Leaks: what training shares with validation or test, so that a figure says too much.

Three kinds, between any two parts of a split: an artist, a recording, and a spectrogram that is
nearly the same (the same recording that nobody labelled as such).

Spectrograms are compared at 16 bands and 0.27 s, without the slow course of each band, over all
shifts of up to 2 s, by their correlation. Level, encoding, filters and a shift change it little.
Measured, `SAME_SOUND` being 0.7:

- the same 30 s of 39 real tracks, louder by 6 dB and clipped, softer by 12 dB, as MP3 of the lowest
  quality, with noise 30 dB below, without what is above 5 kHz, or 1 % faster: 0.89 and more, all
  found; without what is below 800 Hz: 92 % found;
- shifted by 0.02 to 2 s: 97 % found (90 % where the shift is half a column, which is the worst);
  by more than 2 s: mostly not; without their first half a second: 95 %, but 52 % where the rest was
  spread over all columns, which `tonotope prepare` does not;
- different clips: below 0.52 in all 204 000 pairs of the training and validation parts of GTZAN's
  fault-filtered split, so that no two of these are repetitions of each other, and below 0.54 among
  39 real tracks and among 16 generated ones, some with one drum machine at one tempo.

Time is quadratic in clips: each pair on two sides takes 69 000 multiply-adds, and 10 000 clips
parted 80/10/10 57 s of one core. Memory is not: 0.1 GB, however many there are, besides what the
system keeps of the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from tonotope.errors import LeakError
from tonotope.features.stft import Float32Array
from tonotope.training.clips import PARTS, Clip, Split, track_of
from tonotope.training.splits import artist_key

__all__ = ["SAME_SOUND", "find_leaks", "refuse_leaks"]

IndexArray = NDArray[np.intp]

SAME_SOUND = 0.7
"""The correlation of two spectrograms from which on they are taken for the same sound."""

_N_BANDS = 16
_BIN_COLUMNS = 3
_SLOW_COLUMNS = 33  # 3 s: what changes more slowly is a crescendo or a fade, not the music
_MOST_SHIFT_COLUMNS = 22
_FEWEST_STEPS = 2.0  # of 255: less deviation than this is silence, or one tone
_BLOCK_CLIPS = 512
_N_NAMED = 3


def find_leaks(
    clips: Sequence[Clip], split: Split, mel: NDArray[np.uint8] | None = None
) -> list[str]:
    """Return what two parts of a split share.

    Parameters
    ----------
    clips
        All clips.
    split
        How they are parted.
    mel
        Their spectrograms, shape (n_clips, n_bands, n_columns), uint8, n_bands a multiple of 16; a
        memory-mapped array is read in blocks. Without it, sound is not compared.

    Returns
    -------
    list of str
        A line for each artist and each recording that two parts share, and for each two clips on
        two sides that sound the same and are not in such a recording. Artists come first.
    """
    found = _leaks_by_kind(clips, split, mel)
    return [line for lines in found.values() for line in lines]


def refuse_leaks(
    clips: Sequence[Clip],
    split: Split,
    *,
    mel: NDArray[np.uint8] | None = None,
    allow: bool = False,
) -> Split:
    """Return a split that has no leaks, or says which it has.

    Parameters
    ----------
    clips, split, mel
        As for `find_leaks`.
    allow
        Whether leaks are allowed; then the split that is returned names them.

    Raises
    ------
    LeakError
        If there are leaks that are not allowed.
    """
    found = _leaks_by_kind(clips, split, mel)
    lines = tuple(line for of_kind in found.values() for line in of_kind)
    if lines and not allow:
        number = f"{len(lines)} leak{'s' * (len(lines) > 1)}"
        named = "; ".join(lines[:_N_NAMED])
        if len(lines) > _N_NAMED:
            named += f"; and {len(lines) - _N_NAMED} more"
        raise LeakError(
            f"split '{split.name}' has {number}: {named}. {_next_step(found)}, or --allow-leaks, "
            "which marks the result as leaky."
        )
    return replace(split, leaks=lines)


def _next_step(found: dict[str, list[str]]) -> str:
    if found["artist"]:
        return "Use --split artist:5"
    if found["recording"]:
        return "Use --split recording:5"
    # No grouping helps where nothing says that two clips are one recording.
    return "Take one of each two clips out of the data"


def _leaks_by_kind(
    clips: Sequence[Clip], split: Split, mel: NDArray[np.uint8] | None
) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {"artist": [], "recording": [], "sound": []}
    parts = [(part, split.parts[part]) for part in PARTS if part in split.parts]
    for (one, first), (other, second) in combinations(parts, 2):
        for index, twin in _shared(clips, first, second, artist_key):
            found["artist"].append(
                f"artist '{clips[index].artist}' in {one} ({clips[index].name}) and in {other} "
                f"({clips[twin].name})"
            )
        for index, twin in _shared(clips, first, second, track_of):
            found["recording"].append(
                f"one recording in {one} ({clips[index].name}) and in {other} ({clips[twin].name})"
            )
        if mel is None:
            continue
        for index, twin, likeness in _same_sound(mel, first, second):
            if track_of(clips[index]) != track_of(clips[twin]):
                found["sound"].append(
                    f"nearly the same sound in {one} ({clips[index].name}) and in {other} "
                    f"({clips[twin].name}), correlation {likeness:.2f}"
                )
    return found


def _shared(
    clips: Sequence[Clip], first: IndexArray, second: IndexArray, key_of: Callable[[Clip], str]
) -> Iterator[tuple[int, int]]:
    """Give of each key on both sides, unless it is empty, the first clip on either."""
    of_first: dict[str, int] = {}
    for index in first:
        of_first.setdefault(key_of(clips[index]), int(index))
    met = {""}
    for index in second:
        key = key_of(clips[index])
        if key in of_first and key not in met:
            met.add(key)
            yield of_first[key], int(index)


def _same_sound(
    mel: NDArray[np.uint8], first: IndexArray, second: IndexArray
) -> Iterator[tuple[int, int, float]]:
    """Give the pairs on two sides that sound the same, with their correlation."""
    for rows in _blocks(second):
        changes = _quick_changes(mel[rows])
        for columns in _blocks(first):
            likeness = _likeness(_quick_changes(mel[columns]), changes)
            for i, j in np.argwhere(likeness >= SAME_SOUND):
                yield int(columns[i]), int(rows[j]), float(likeness[i, j])


def _blocks(indices: IndexArray) -> Iterator[IndexArray]:
    for start in range(0, len(indices), _BLOCK_CLIPS):
        yield indices[start : start + _BLOCK_CLIPS]


def _likeness(first: Float32Array, second: Float32Array) -> Float32Array:
    """Return the largest correlation over all shifts, shape (n_first, n_second)."""
    n_columns = first.shape[2]
    most = min(_MOST_SHIFT_COLUMNS, n_columns // 8)
    fixed = _fingerprints(first, most, most)
    best = np.full((len(first), len(second)), -1, np.float32)
    for start in range(2 * most + 1):
        np.maximum(best, fixed @ _fingerprints(second, start, most).T, out=best)
    return best


def _quick_changes(mel: NDArray[np.uint8]) -> Float32Array:
    """Return fewer bands without their slow course, shape (n_clips, 16, n_columns)."""
    n_clips, n_bands, n_columns = mel.shape
    grouped = mel.reshape(n_clips, _N_BANDS, n_bands // _N_BANDS, n_columns)
    bands = grouped.mean(axis=2, dtype=np.float32)
    slow = uniform_filter1d(bands, _SLOW_COLUMNS, axis=2, mode="nearest")
    changes: Float32Array = bands - slow
    return changes


def _fingerprints(changes: Float32Array, start: int, margin: int) -> Float32Array:
    """Return of the columns from `start` on, but twice the margin, vectors of length 1.

    Where nothing changes the vector is 0, and like no other.
    """
    n_clips, n_bands, n_columns = changes.shape
    n_bins = max(1, (n_columns - 2 * margin) // _BIN_COLUMNS)
    stretch = changes[:, :, start : start + n_bins * _BIN_COLUMNS]
    bins = stretch.reshape(n_clips, n_bands, n_bins, -1).mean(axis=3)
    bins -= bins.mean(axis=2, keepdims=True)
    vectors: Float32Array = bins.reshape(n_clips, -1)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    is_heard = lengths > _FEWEST_STEPS * np.sqrt(vectors.shape[1])
    vectors /= np.where(is_heard, lengths, np.inf)
    return vectors
