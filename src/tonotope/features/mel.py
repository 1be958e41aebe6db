"""Mel spectrum, decibels, log-mel and MFCC, in librosa's definitions.

The mel scale is Slaney's (linear below 1 kHz, logarithmic above), the filters are triangles of
equal area (``norm="slaney"``), 128 of them from 0 to 11 025 Hz.

References
----------
M. Slaney, "Auditory Toolbox, Version 2", Interval Research Corporation TR 1998-010, 1998.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from tonotope.features.stft import N_BINS, SAMPLE_RATE_HZ, Float32Array, bin_frequencies_hz

__all__ = [
    "N_MELS",
    "N_MFCC",
    "delta",
    "log_mel",
    "mel_filterbank",
    "mel_power",
    "mfcc",
    "power_to_db",
]

N_MELS = 128
N_MFCC = 20

_DELTA_FRAMES = 9
_GROUP = 8

_HZ_PER_MEL = 200 / 3
_BREAK_HZ = 1000.0
_LOG_STEP = np.log(6.4) / 27.0


def _mel_to_hz(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    break_mel = _BREAK_HZ / _HZ_PER_MEL
    logarithmic = _BREAK_HZ * np.exp(_LOG_STEP * (mels - break_mel))
    return np.where(mels >= break_mel, logarithmic, _HZ_PER_MEL * mels)


@cache
def mel_filterbank() -> Float32Array:
    """Return the weights of the 128 mel filters over the spectrum's bins, shape (128, 1025).

    The same array at every call: read-only.
    """
    top_mel = _BREAK_HZ / _HZ_PER_MEL + np.log(SAMPLE_RATE_HZ / 2 / _BREAK_HZ) / _LOG_STEP
    edges_hz = _mel_to_hz(np.linspace(0.0, top_mel, N_MELS + 2))
    ramps = edges_hz[:, np.newaxis] - bin_frequencies_hz()
    widths = np.diff(edges_hz)[:, np.newaxis]
    rising = -ramps[:-2] / widths[:-1]
    falling = ramps[2:] / widths[1:]
    weights = np.maximum(0, np.minimum(rising, falling))
    weights *= (2.0 / (edges_hz[2:] - edges_hz[:-2]))[:, np.newaxis]
    bank: Float32Array = weights.astype(np.float32)
    bank.flags.writeable = False
    return bank


@cache
def _groups_of_filters() -> tuple[tuple[slice, slice, Float32Array], ...]:
    """Return of eight neighbouring filters at a time the bins, the bands and the weights."""
    groups = []
    for first in range(0, N_MELS, _GROUP):
        bands = slice(first, first + _GROUP)
        bins = np.flatnonzero(mel_filterbank()[bands].any(axis=0))
        let_through = slice(int(bins[0]), int(bins[-1]) + 1)
        weights = np.ascontiguousarray(mel_filterbank()[bands, let_through].T)
        groups.append((let_through, bands, weights))
    return tuple(groups)


def mel_power(power: Float32Array) -> Float32Array:
    """Return the power in each mel band.

    Parameters
    ----------
    power
        Power spectrogram, shape (n_frames, 1025).

    Returns
    -------
    ndarray
        Shape (n_frames, 128), float32.
    """
    if power.shape[-1] != N_BINS:
        raise ValueError(f"power has {power.shape[-1]} bins, expected {N_BINS}")
    # Nearly all weights are 0, and those of neighbours lie together: small dense products take a
    # fifth of the time of one, and two thirds of that of a sparse one.
    mel = np.empty((len(power), N_MELS), dtype=np.float32)
    for bins, bands, weights in _groups_of_filters():
        np.matmul(power[:, bins], weights, out=mel[:, bands])
    return mel


def power_to_db(
    power: Float32Array,
    *,
    amin: float = 1e-10,
    top_db: float | None = 80.0,
    out: Float32Array | None = None,
) -> Float32Array:
    """Return power in decibels relative to 1, as ``librosa.power_to_db`` does.

    Parameters
    ----------
    power
        Any shape.
    amin
        Power below it counts as it.
    top_db
        What lies more than this below the maximum of the whole array is raised to there;
        None leaves everything as it is.
    out
        Where to put the result; may be `power` itself.

    Returns
    -------
    ndarray
        Same shape, float32, dB.
    """
    decibels: Float32Array = np.maximum(power, np.float32(amin), dtype=np.float32, out=out)
    np.log10(decibels, out=decibels)
    decibels *= np.float32(10.0)
    if top_db is not None and decibels.size:
        np.maximum(decibels, decibels.max() - np.float32(top_db), out=decibels)
    return decibels


def log_mel(power: Float32Array) -> Float32Array:
    """Return the mel spectrogram in dB, 80 dB deep: ``power_to_db(melspectrogram)`` in librosa.

    Parameters
    ----------
    power
        Power spectrogram, shape (n_frames, 1025).

    Returns
    -------
    ndarray
        Shape (n_frames, 128), float32, dB.
    """
    return power_to_db(mel_power(power))


def mfcc(log_mel_db: Float32Array, *, n_mfcc: int = N_MFCC) -> Float32Array:
    """Return mel-frequency cepstral coefficients: the orthonormal DCT-II of the log-mel bands.

    Parameters
    ----------
    log_mel_db
        Shape (n_frames, 128), dB, see `log_mel`.
    n_mfcc
        How many coefficients to keep, from the zeroth on.

    Returns
    -------
    ndarray
        Shape (n_frames, n_mfcc), float32.

    References
    ----------
    S. Davis, P. Mermelstein, "Comparison of parametric representations for monosyllabic word
    recognition in continuously spoken sentences", IEEE TASSP 28(4), 1980.
    """
    return log_mel_db @ _dct_basis(n_mfcc)


def delta(frames: Float32Array, *, order: int = 1) -> Float32Array:
    """Return how fast descriptors change: their local derivative over nine frames.

    ``librosa.feature.delta``: the derivative of a parabola (`order` 2) or line (1) fitted to nine
    frames, at the ends to the first and last nine.

    Parameters
    ----------
    frames
        Shape (n_frames, n_columns).
    order
        1 for the first derivative, 2 for the second.

    Returns
    -------
    ndarray
        Same shape, float32, per frame; 0 where there are fewer than nine frames.
    """
    if len(frames) < _DELTA_FRAMES:
        return np.zeros_like(frames)
    derivative: Float32Array = scipy.signal.savgol_filter(
        frames, _DELTA_FRAMES, polyorder=order, deriv=order, axis=0, mode="interp"
    ).astype(np.float32)
    return derivative


@cache
def _dct_basis(n_mfcc: int) -> Float32Array:
    basis = scipy.fft.dct(np.eye(N_MELS), axis=1, type=2, norm="ortho")[:, :n_mfcc]
    return np.ascontiguousarray(basis, dtype=np.float32)
