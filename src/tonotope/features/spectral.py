"""Descriptors of the spectrum's shape and of the level, frame by frame, in librosa's definitions.

Each takes a magnitude or power spectrogram of shape (n_frames, 1025), or a batch of frames, and
returns one row per frame. A frame of digital silence gives 0 everywhere but for flatness (1).
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from tonotope.features.mel import power_to_db
from tonotope.features.stft import (
    HOP_LENGTH,
    N_BINS,
    N_FFT,
    Float32Array,
    SignalFrames,
    bin_frequencies_hz,
)

__all__ = [
    "N_CONTRAST_BANDS",
    "contrast_extremes",
    "rms",
    "spectral_bandwidth",
    "spectral_centroid",
    "spectral_centroid_bandwidth",
    "spectral_contrast",
    "spectral_flatness",
    "spectral_rolloff",
    "zero_crossing_rate",
]

N_CONTRAST_BANDS = 7

_ROLLOFF_GROUP = 32
_HOPS_PER_FRAME = N_FFT // HOP_LENGTH


def spectral_centroid_bandwidth(magnitude: Float32Array) -> Float32Array:
    """Return the spectrum's centre of gravity and its standard deviation around it.

    Parameters
    ----------
    magnitude
        Shape (n_frames, 1025).

    Returns
    -------
    ndarray
        Shape (n_frames, 2), float32: centroid and bandwidth in Hz.
    """
    frequencies_hz = bin_frequencies_hz()
    powers = np.stack([np.ones_like(frequencies_hz), frequencies_hz, frequencies_hz**2], axis=1)
    # float64: for a pure tone the variance is a small difference of large numbers.
    total, first, second = (magnitude.astype(np.float64) @ powers).T
    total = np.where(total > 0, total, 1.0)
    centroid = first / total
    bandwidth = np.sqrt(np.maximum(second / total - centroid**2, 0.0))
    return np.stack([centroid, bandwidth], axis=1).astype(np.float32)


def spectral_centroid(magnitude: Float32Array) -> Float32Array:
    """Return the spectral centroid in Hz, shape (n_frames,)."""
    return spectral_centroid_bandwidth(magnitude)[:, 0]


def spectral_bandwidth(magnitude: Float32Array) -> Float32Array:
    """Return the spectral bandwidth (second order) in Hz, shape (n_frames,)."""
    return spectral_centroid_bandwidth(magnitude)[:, 1]


def spectral_rolloff(magnitude: Float32Array, *, share: float = 0.85) -> Float32Array:
    """Return the lowest frequency below which `share` of the magnitude lies.

    Parameters
    ----------
    magnitude
        Shape (n_frames, 1025).
    share
        Between 0 and 1.

    Returns
    -------
    ndarray
        Shape (n_frames,), float32, Hz.
    """
    # First the group of 32 bins in which the share is reached, then the bin: a fifth of the sums.
    n_frames, n_groups = len(magnitude), (N_BINS - 1) // _ROLLOFF_GROUP
    groups = magnitude[:, 1:].reshape(n_frames, n_groups, _ROLLOFF_GROUP)
    sums = groups.sum(axis=2)
    sums[:, 0] += magnitude[:, 0]
    cumulated = np.cumsum(sums, axis=1)
    wanted = np.float32(share) * cumulated[:, -1]
    group = np.argmax(cumulated >= wanted[:, np.newaxis], axis=1)
    frame = np.arange(n_frames)
    within = groups[frame, group]
    within[:, 0] += np.where(group > 0, cumulated[frame, group - 1], magnitude[:, 0])
    reached = np.cumsum(within, axis=1) >= wanted[:, np.newaxis]
    # Where rounding leaves the group's sum short of what the groups' sums reached: its last bin.
    reached[:, -1] = True
    index = 1 + group * _ROLLOFF_GROUP + np.argmax(reached, axis=1)
    index[magnitude[:, 0] >= wanted] = 0
    rolloff_hz: Float32Array = bin_frequencies_hz()[index].astype(np.float32)
    return rolloff_hz


def spectral_flatness(power: Float32Array) -> Float32Array:
    """Return the geometric over the arithmetic mean of the power: 0 for a tone, 1 for noise.

    Parameters
    ----------
    power
        Shape (n_frames, 1025).

    Returns
    -------
    ndarray
        Shape (n_frames,), float32, between 0 and 1.
    """
    floored = np.maximum(power, np.float32(1e-10))
    arithmetic: Float32Array = floored.mean(axis=1)
    geometric: Float32Array = np.exp(np.log(floored, out=floored).mean(axis=1))
    return geometric / arithmetic


@cache
def _contrast_bands() -> tuple[tuple[slice, int], ...]:
    """Return each band's bins and how many of them make its peak and its valley."""
    frequencies_hz = bin_frequencies_hz()
    edges_hz = np.concatenate([[0.0], 200.0 * 2.0 ** np.arange(N_CONTRAST_BANDS)])
    bands = []
    for k in range(N_CONTRAST_BANDS):
        inside = (frequencies_hz >= edges_hz[k]) & (frequencies_hz <= edges_hz[k + 1])
        start, stop = np.flatnonzero(inside)[[0, -1]] + [0, 1]
        last = k == N_CONTRAST_BANDS - 1
        # As librosa: a band begins one bin early, the top one takes all that is left, the
        # others give up their last bin, after the share of 2 % was counted.
        start -= k > 0
        stop = len(frequencies_hz) if last else stop
        n_extreme = max(int(np.rint(0.02 * (stop - start))), 1)
        bands.append((slice(int(start), int(stop - (not last))), n_extreme))
    return tuple(bands)


def contrast_extremes(magnitude: Float32Array) -> Float32Array:
    """Return the mean of the strongest and of the weakest 2 % of the bins in seven octave bands.

    Parameters
    ----------
    magnitude
        Shape (n_frames, 1025).

    Returns
    -------
    ndarray
        Shape (n_frames, 14), float32: seven peaks, then seven valleys.
    """
    extremes = np.empty((len(magnitude), 2 * N_CONTRAST_BANDS), dtype=np.float32)
    for k, (bins, n_extreme) in enumerate(_contrast_bands()):
        band = magnitude[:, bins]
        if n_extreme == 1:
            band.max(axis=1, out=extremes[:, k])
            band.min(axis=1, out=extremes[:, N_CONTRAST_BANDS + k])
            continue
        # NumPy's vectorised sort takes a third of the time of its partition at two places.
        ordered = np.sort(band, axis=1)
        ordered[:, -n_extreme:].mean(axis=1, out=extremes[:, k])
        ordered[:, :n_extreme].mean(axis=1, out=extremes[:, N_CONTRAST_BANDS + k])
    return extremes


def spectral_contrast(extremes: Float32Array) -> Float32Array:
    """Return peak over valley in seven octave bands.

    Parameters
    ----------
    extremes
        Of all frames of a signal, see `contrast_extremes`, shape (n_frames, 14). (The decibels
        of each end 80 below the loudest of all frames, so the frames belong together.)

    Returns
    -------
    ndarray
        Shape (n_frames, 7), float32, dB.

    References
    ----------
    D.-N. Jiang et al., "Music type classification by spectral contrast feature", ICME 2002.
    """
    peaks, valleys = extremes[:, :N_CONTRAST_BANDS], extremes[:, N_CONTRAST_BANDS:]
    return power_to_db(peaks) - power_to_db(valleys)


def _sums_over_frames(per_sample: NDArray[np.generic]) -> NDArray[np.float64]:
    """Sum what is given per sample over each frame, by way of sums over hops."""
    per_hop = per_sample.reshape(-1, HOP_LENGTH).sum(axis=1, dtype=np.float64)
    sums: NDArray[np.float64] = sliding_window_view(per_hop, _HOPS_PER_FRAME).sum(axis=1)
    return sums


def rms(batch: SignalFrames) -> Float32Array:
    """Return the root mean square of each frame's samples, shape (n_frames,), full scale = 1."""
    return np.sqrt(_sums_over_frames(np.square(batch.samples)) / N_FFT).astype(np.float32)


def zero_crossing_rate(batch: SignalFrames) -> Float32Array:
    """Return the share of samples whose sign differs from the one before, shape (n_frames,)."""
    counts = _sums_over_frames(batch.crossings)
    # What lies between a frame's first sample and the one before is outside the frame.
    counts -= batch.crossings[: len(counts) * HOP_LENGTH : HOP_LENGTH]
    return (counts / N_FFT).astype(np.float32)
