"""Tuning and chroma from the power spectrogram, in librosa's definitions."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tonotope.features.stft import N_BINS, N_FFT, SAMPLE_RATE_HZ, Float32Array

__all__ = ["N_CHROMA", "chroma_filterbank", "chroma_stft", "estimate_tuning", "spectral_peaks"]

N_CHROMA = 12

_A0_HZ = 27.5
_BIN_HZ = SAMPLE_RATE_HZ / N_FFT
_PEAK_RANGE_HZ = (150.0, 4000.0)


def spectral_peaks(power: Float32Array) -> Float32Array:
    """Return the pitch and the power of each peak between 150 and 4000 Hz.

    A peak is a local maximum above a tenth of its frame's largest power; its place and height
    are those of the parabola through it and its two neighbours (``librosa.piptrack``).

    Parameters
    ----------
    power
        Shape (n_frames, 1025).

    Returns
    -------
    ndarray
        Shape (n_peaks, 2), float32: Hz, power.
    """
    low = int(np.ceil(_PEAK_RANGE_HZ[0] / _BIN_HZ))
    high = int(np.ceil(_PEAK_RANGE_HZ[1] / _BIN_HZ))
    centre, before, after = (power[:, low + k : high + k] for k in (0, -1, 1))
    is_peak = (centre > before) & (centre >= after)
    is_peak &= centre > np.float32(0.1) * power.max(axis=1, keepdims=True)
    frame, bin_ = np.nonzero(is_peak)
    middle, left, right = centre[frame, bin_], before[frame, bin_], after[frame, bin_]
    curvature = left + right - 2 * middle
    slope = (right - left) / 2
    bent = np.abs(slope) < np.abs(curvature)
    shift = np.where(bent, -slope / np.where(bent, curvature, 1), 0)
    pitch_hz = (low + bin_ + shift) * _BIN_HZ
    height = middle + 0.5 * slope * shift
    return np.stack([pitch_hz, height], axis=1).astype(np.float32)


def estimate_tuning(peaks: Float32Array) -> float:
    """Return by what part of a semitone the music deviates from A = 440 Hz.

    Parameters
    ----------
    peaks
        See `spectral_peaks`, shape (n_peaks, 2). Those below the median power don't count.

    Returns
    -------
    float
        From -0.5 up to 0.5 semitones in steps of 0.01; 0 where there is no peak.
    """
    if len(peaks) == 0:
        return 0.0
    loud = peaks[peaks[:, 1] >= np.median(peaks[:, 1]), 0]
    residual = np.mod(12 * np.log2(loud.astype(np.float64) / _A0_HZ), 1.0)
    residual[residual >= 0.5] -= 1.0
    counts, edges = np.histogram(residual, np.linspace(-0.5, 0.5, 101))
    return float(edges[np.argmax(counts)])


@lru_cache(maxsize=8)
def chroma_filterbank(tuning: float) -> Float32Array:
    """Return the weight of each bin in each pitch class (C first), shape (12, 1025).

    Parameters
    ----------
    tuning
        In semitones, see `estimate_tuning`.

    References
    ----------
    D. P. W. Ellis, "Chroma feature analysis and synthesis", 2007.
    """
    octaves = np.log2(np.arange(1, N_BINS * 2 - 2) * _BIN_HZ / (_A0_HZ * 2 ** (tuning / 12)))
    semitones = N_CHROMA * np.concatenate([[octaves[0] - 1.5], octaves])
    widths = np.concatenate([np.maximum(np.diff(semitones), 1.0), [1.0]])
    distance = semitones - np.arange(N_CHROMA)[:, np.newaxis]
    distance = np.remainder(distance + N_CHROMA / 2 + 10 * N_CHROMA, N_CHROMA) - N_CHROMA / 2
    weights = np.exp(-0.5 * (2 * distance / widths) ** 2)
    weights /= np.linalg.norm(weights, axis=0)
    # Octaves far from the fifth above A0 count less.
    weights *= np.exp(-0.5 * ((semitones / N_CHROMA - 5.0) / 2.0) ** 2)
    # Rows so far run from A; C is three semitones above.
    bank: NDArray[np.float32] = np.roll(weights, -3, axis=0)[:, :N_BINS].astype(np.float32)
    bank.flags.writeable = False
    return bank


def chroma_stft(power: Float32Array, *, tuning: float) -> Float32Array:
    """Return the strength of the twelve pitch classes, the strongest of a frame being 1.

    Parameters
    ----------
    power
        Shape (n_frames, 1025).
    tuning
        In semitones, see `estimate_tuning`.

    Returns
    -------
    ndarray
        Shape (n_frames, 12), float32, C first; 0 in silent frames.
    """
    raw = power @ chroma_filterbank(tuning).T
    strongest = raw.max(axis=1, keepdims=True)
    sounds = strongest > np.finfo(np.float32).tiny
    chroma: Float32Array = np.divide(raw, strongest, out=np.zeros_like(raw), where=sounds)
    return chroma
