"""Onset strength and tempo, in librosa's definitions."""

from __future__ import annotations

from functools import cache

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from tonotope.features.stft import HOP_LENGTH, N_FFT, SAMPLE_RATE_HZ, Float32Array

__all__ = ["TEMPO_LAGS", "mean_tempogram", "onset_strength", "tempo_bpm"]

# The autocorrelation sees 8 s around each frame.
TEMPO_LAGS = int(8.0 * SAMPLE_RATE_HZ // HOP_LENGTH)

_CENTRE_BPM = 120.0
_MAX_BPM = 320.0
_CHUNK_FRAMES = 512


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


def mean_tempogram(onsets: Float32Array) -> NDArray[np.float64]:
    """Return how well the onsets agree with themselves some frames later, averaged over time.

    Parameters
    ----------
    onsets
        See `onset_strength`, shape (n_frames,).

    Returns
    -------
    ndarray
        Shape (344,), float64: the mean over frames of the windowed local autocorrelation at
        lags of 0 to 343 frames, each frame's maximum being 1 (``librosa.feature.tempogram``).
    """
    window = np.hanning(TEMPO_LAGS + 1)[:-1].astype(np.float32)
    padded = np.pad(onsets, TEMPO_LAGS // 2, mode="linear_ramp", end_values=0)
    frames = sliding_window_view(padded, TEMPO_LAGS)[: len(onsets)]
    n_fft = scipy.fft.next_fast_len(2 * TEMPO_LAGS - 1, real=True)
    # An autocorrelation is the inverse transform of a power spectrum, and its maximum, at lag 0,
    # is the energy: the spectra are divided and added up first, and transformed back once.
    total = np.zeros(n_fft // 2 + 1)
    for start in range(0, len(frames), _CHUNK_FRAMES):
        windowed = frames[start : start + _CHUNK_FRAMES] * window
        energy = np.einsum("ij,ij->i", windowed, windowed)
        energy[energy < np.finfo(np.float32).tiny] = 1
        spectrum = scipy.fft.rfft(windowed, n_fft)
        power = np.square(spectrum.real)
        power += np.square(spectrum.imag)
        total += (1 / energy).astype(np.float64) @ power
    tempogram: NDArray[np.float64] = scipy.fft.irfft(total, n_fft)[:TEMPO_LAGS]
    return tempogram / len(onsets)


@cache
def _log_prior() -> NDArray[np.float64]:
    lag_bpm = 60.0 * SAMPLE_RATE_HZ / (HOP_LENGTH * np.arange(1, TEMPO_LAGS))
    prior = -0.5 * np.log2(lag_bpm / _CENTRE_BPM) ** 2
    prior[lag_bpm >= _MAX_BPM] = -np.inf
    return np.concatenate([[-np.inf], prior])


def tempo_bpm(tempogram: NDArray[np.float64]) -> float:
    """Return the tempo that fits a mean tempogram best.

    Tempi an octave away from 120 bpm are believed half as much (a log-normal prior), tempi of
    320 bpm and more not at all (``librosa.feature.tempo``).

    Parameters
    ----------
    tempogram
        See `mean_tempogram`, shape (344,).

    Returns
    -------
    float
        Beats per minute; 0 where nothing ever begins.
    """
    if not tempogram.any():
        return 0.0
    best = int(np.argmax(np.log1p(1e6 * tempogram) + _log_prior()))
    return 60.0 * SAMPLE_RATE_HZ / (HOP_LENGTH * best)
