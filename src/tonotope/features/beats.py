"""Beats: the evenly spaced frames that agree best with the onsets, by dynamic programming.

As in librosa's ``beat_track``. Each frame asks: if I am a beat, which earlier frame was the beat
before me? It takes the one with the best score so far, less a penalty for any distance other
than one period of the tempo. The beats are then read backwards from the end.

References
----------
D. Ellis, "Beat tracking by dynamic programming", Journal of New Music Research 36(1), 2007.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from tonotope.features.stft import HOP_LENGTH, SAMPLE_RATE_HZ, Float32Array

__all__ = ["beat_frames", "beat_times"]

_FRAMES_PER_MINUTE = 60.0 * SAMPLE_RATE_HZ / HOP_LENGTH
# A beat lasts more than two frames.
_MAX_BPM = 1000.0
# How much worse it is to miss the period than to miss an onset.
_TIGHTNESS = 100.0
# Onsets count for a beat as far as a Gaussian of this share of a period reaches.
_SPREAD_PERIODS = 1 / 32
# The first beat has at least this share of the highest local score.
_FIRST_BEAT_SHARE = 0.01


def beat_times(onset_strength: Float32Array, bpm: float) -> NDArray[np.float64]:
    """Return when the beats fall: `beat_frames` in seconds, shape (n_beats,), float64."""
    return beat_frames(onset_strength, bpm) * HOP_LENGTH / SAMPLE_RATE_HZ


def beat_frames(onset_strength: Float32Array, bpm: float) -> NDArray[np.int64]:
    """Return the frames of the beats.

    Parameters
    ----------
    onset_strength
        See `tonotope.features.onset.onset_strength`, shape (n_frames,).
    bpm
        The tempo, beats per minute; it may sway by a tenth or so from beat to beat. 0 for music
        without a tempo, which has no beats.

    Returns
    -------
    ndarray
        Shape (n_beats,), int64, rising: ``librosa.beat.beat_track(onset_envelope=onset_strength,
        bpm=bpm)``. Weak beats at both ends are left out. Empty where the curve does not vary.

    Raises
    ------
    ValueError
        If the tempo is neither 0 nor between 1 and 1000 bpm.
    """
    if not (bpm == 0 or 1 <= bpm <= _MAX_BPM):
        raise ValueError(f"bpm={bpm} is no tempo: give 1 to {_MAX_BPM:.0f}, or 0 for none")
    if bpm == 0 or len(onset_strength) < 2:
        return np.empty(0, np.int64)
    deviation = onset_strength.std(ddof=1)
    if deviation == 0:
        return np.empty(0, np.int64)
    period = round(_FRAMES_PER_MINUTE / bpm)
    score = _local_score(onset_strength / deviation, period)
    return _trimmed(_best_path(score, period), score)


def _local_score(onsets: Float32Array, period: int) -> NDArray[np.float64]:
    """Return how well each frame would do as a beat: the onsets close to it."""
    # librosa's sum leaves the first frame out; no onset is ever found there.
    later = onsets.astype(np.float64)
    later[0] = 0
    offsets = np.arange(-period, period + 1)
    window = np.exp(-0.5 * (offsets / (_SPREAD_PERIODS * period)) ** 2)
    return np.convolve(later, window)[period : period + len(later)]


def _best_path(score: NDArray[np.float64], period: int) -> NDArray[np.int64]:
    """Return the beats of the best path through the frames, the last beat's path."""
    n_frames = len(score)
    # Half a period to two periods lie between a beat and the one before it.
    nearest = round(period / 2)
    farthest = 2 * period
    lags = np.arange(farthest, nearest - 1, -1)
    penalty = _TIGHTNESS * (np.log(lags) - np.log(period)) ** 2

    # Nothing before the first frame can be a beat; after the last there is room for a block to end.
    cumulative = np.full(farthest + n_frames + nearest, -np.inf)
    cumulative[farthest : farthest + n_frames] = score
    earlier = sliding_window_view(cumulative, len(lags))
    candidates = np.empty((nearest, len(lags)))
    # A frame depends on none of the `nearest` frames just before it: so many are done at once.
    for start in range(nearest, n_frames, nearest):
        np.subtract(earlier[start : start + nearest], penalty, out=candidates)
        block = cumulative[farthest + start : farthest + start + nearest]
        block += candidates.max(axis=1)

    # Before the first frame with a score worth the name no beat has another before it.
    first = max(nearest, int(np.argmax(score >= _FIRST_BEAT_SHARE * score.max())))
    path = [_last_beat(cumulative[farthest : farthest + n_frames])]
    while path[-1] >= first:
        candidate = earlier[path[-1]] - penalty
        # Of equals the nearest one, which stands last.
        path.append(path[-1] - nearest - int(np.argmax(candidate[::-1])))
    return np.array(path[::-1], dtype=np.int64)


def _last_beat(cumulative: NDArray[np.float64]) -> int:
    """Return the last peak that reaches half of the median peak; without any, the last frame."""
    rises = cumulative[1:] > cumulative[:-1]
    peaks = 1 + np.flatnonzero(rises & np.append(cumulative[1:-1] >= cumulative[2:], True))
    if len(peaks) == 0:
        return len(cumulative) - 1
    heights = cumulative[peaks]
    high = np.flatnonzero(heights >= 0.5 * np.median(heights))
    return int(peaks[high[-1]])


def _trimmed(beats: NDArray[np.int64], score: NDArray[np.float64]) -> NDArray[np.int64]:
    """Leave out the beats before the first and after the last frame with a fair score."""
    # Two values more than beats: librosa cuts the full convolution at its beginning only.
    smooth = np.convolve(score[beats], np.hanning(5))[2 : len(score) + 2]
    fair = np.flatnonzero(score > 0.5 * np.sqrt(np.mean(smooth**2)))
    if len(fair) == 0:
        return beats[:0]
    kept: NDArray[np.int64] = beats[(beats >= fair[0]) & (beats <= fair[-1])]
    return kept
