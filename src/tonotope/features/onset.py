"""Onset strength, the curve that all rhythm is computed from, and the onsets in it.

The definitions are librosa's (``onset_strength`` and ``onset_detect`` with their defaults).

References
----------
S. Böck, G. Widmer, "Maximum filter vibrato suppression for onset detection", DAFx 2013.
S. Böck, F. Krebs, M. Schedl, "Evaluating the online capabilities of onset detection methods",
ISMIR 2012.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tonotope.features.stft import HOP_LENGTH, N_FFT, SAMPLE_RATE_HZ, Float32Array

__all__ = ["onset_strength", "onset_times"]

# librosa's values at 22 050 Hz and hop 512, found there by a large-scale search. An onset is not
# below the frame before it, and stands out of the mean of the frames around it.
_MEAN_REACH_FRAMES = 4
_MARGIN = np.float32(0.07)


def onset_strength(log_mel_db: Float32Array) -> Float32Array:
    """Return the spectral flux: how much louder the mel bands became, on average.

    Parameters
    ----------
    log_mel_db
        Shape (n_frames, 128), dB, 80 dB deep.

    Returns
    -------
    ndarray
        Shape (n_frames,), float32, dB per frame. As in librosa the curve is shifted by half a
        frame, so that an onset stands where it is heard, not where a frame first reaches it.
    """
    rises = np.diff(log_mel_db, axis=0)
    flux = np.maximum(rises, 0, out=rises).mean(axis=1)
    delayed = np.concatenate([np.zeros(1 + N_FFT // (2 * HOP_LENGTH), np.float32), flux])
    return delayed[: len(log_mel_db)]


def onset_times(onset_strength: Float32Array) -> NDArray[np.float64]:
    """Return when notes, strokes and syllables begin.

    The curve is scaled to 0 to 1. A frame is an onset if it is not below the frame before it and
    at least 0.07 above the mean of the 9 frames around it; the frame after an onset is none.

    Parameters
    ----------
    onset_strength
        See `onset_strength`, shape (n_frames,).

    Returns
    -------
    ndarray
        Shape (n_onsets,), float64, seconds, rising: ``librosa.onset.onset_detect``. Empty where
        the curve does not vary.
    """
    if len(onset_strength) == 0:
        return np.empty(0)
    curve = onset_strength - onset_strength.min()
    peak = curve.max()
    if peak == 0:
        return np.empty(0)
    curve /= peak + np.finfo(curve.dtype).tiny
    candidates = curve >= _local_mean(curve) + _MARGIN
    candidates[1:] &= curve[1:] >= curve[:-1]
    frames = _not_adjacent(np.flatnonzero(candidates))
    return frames * HOP_LENGTH / SAMPLE_RATE_HZ


def _local_mean(curve: Float32Array) -> Float32Array:
    """Return the mean of the up to 9 frames around each; at the ends there are fewer."""
    n_frames = len(curve)
    frames = np.arange(n_frames)
    first = np.maximum(frames - _MEAN_REACH_FRAMES, 0)
    last = np.minimum(frames + _MEAN_REACH_FRAMES, n_frames - 1)
    padded = np.pad(curve, _MEAN_REACH_FRAMES)
    # Added one after the other, as librosa does: a difference of running sums would round
    # otherwise, and what lies just on the threshold would be decided otherwise.
    total = np.zeros_like(curve)
    for shift in range(2 * _MEAN_REACH_FRAMES + 1):
        total += padded[shift : shift + n_frames]
    mean: Float32Array = (total / (last - first + 1)).astype(curve.dtype)
    return mean


def _not_adjacent(frames: NDArray[np.intp]) -> NDArray[np.intp]:
    """Drop what follows directly on a frame that is kept: every second one of a run."""
    starts_run = np.diff(frames, prepend=-2) > 1
    run_starts = np.flatnonzero(starts_run)
    place_in_run = np.arange(len(frames)) - run_starts[np.cumsum(starts_run) - 1]
    kept: NDArray[np.intp] = frames[place_in_run % 2 == 0]
    return kept
