"""Descriptors of the spectrum's shape, frame by frame, in librosa's definitions.

Each takes a magnitude or power spectrogram of shape (n_frames, 1025) and returns one row per
frame. A frame of digital silence gives 0 everywhere but for flatness (1).
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from tonotope.features.mel import power_to_db
from tonotope.features.stft import (
    N_BINS,
    Float32Array,
    bin_frequencies_hz,
    magnitude_spectrum,
)

__all__ = [
    "N_CONTRAST_BANDS",
    "contrast_extremes",
    "contrast_of_extremes",
    "mend_top_band",
    "spectral_bandwidth",
    "spectral_centroid",
    "spectral_contrast",
    "spectral_flatness",
    "spectral_rolloff",
    "spectral_shape",
]

N_CONTRAST_BANDS = 7

_GROUP = 32
# Relative to a frame's largest magnitude; the errors of its float32 transform are as large.
_ROUNDING = 1e-8


def spectral_shape(magnitude: Float32Array, *, rolloff_share: float = 0.85) -> Float32Array:
    """Return centroid, bandwidth and rolloff together: they are made of the same sums.

    Parameters
    ----------
    magnitude
        Shape (n_frames, 1025).
    rolloff_share
        See `spectral_rolloff`.

    Returns
    -------
    ndarray
        Shape (n_frames, 3), float32, Hz; see `spectral_centroid`, `spectral_bandwidth` and
        `spectral_rolloff`.
    """
    # Groups of 32 bins, and in each the moments about its first bin: a fraction of the sums, and
    # nothing is lost in float32 to large frequencies squared. Bin 0 adds to the total alone.
    n_frames, n_groups = len(magnitude), (N_BINS - 1) // _GROUP
    groups = magnitude[:, 1:].reshape(-1, _GROUP)
    moments = (groups @ _powers_within_group()).astype(np.float64).reshape(n_frames, -1)
    lowest = magnitude[:, 0].astype(np.float64)
    total, first, second = (moments @ _sums_over_groups()).T
    total = total + lowest
    divisor = np.where(total > 0, total, 1.0)
    centroid = first / divisor
    bandwidth = np.sqrt(np.maximum(second / divisor - centroid**2, 0.0))

    # The group in which the share is reached, then the bin.
    per_group = moments[:, ::3]
    cumulated = np.cumsum(per_group, axis=1)
    cumulated += lowest[:, np.newaxis]
    wanted = rolloff_share * cumulated[:, -1]
    group = np.argmax(cumulated >= wanted[:, np.newaxis], axis=1)
    frame = np.arange(n_frames)
    below = cumulated[frame, group] - per_group[frame, group]
    within = groups.reshape(n_frames, n_groups, _GROUP)[frame, group]
    reached = np.cumsum(within, axis=1) >= (wanted - below)[:, np.newaxis]
    # Where rounding leaves the bins' sum short of the group's: its last bin.
    reached[:, -1] = True
    rolloff = np.where(lowest >= wanted, 0, 1 + group * _GROUP + np.argmax(reached, axis=1))
    bin_hz = bin_frequencies_hz()[1]
    shape: Float32Array = np.stack([centroid, bandwidth, rolloff], axis=1) * bin_hz
    return shape.astype(np.float32)


@cache
def _powers_within_group() -> Float32Array:
    within = np.arange(_GROUP, dtype=np.float32)
    return np.stack([np.ones_like(within), within, within**2], axis=1)


@cache
def _sums_over_groups() -> NDArray[np.float64]:
    """Return what makes moments about 0 of the groups' moments about their first bins."""
    starts = 1.0 + _GROUP * np.arange((N_BINS - 1) // _GROUP)
    of_each = np.zeros((len(starts), 3, 3))
    of_each[:, 0] = np.stack([np.ones_like(starts), starts, starts**2], axis=1)
    of_each[:, 1, 1] = 1
    of_each[:, 1, 2] = 2 * starts
    of_each[:, 2, 2] = 1
    return of_each.reshape(-1, 3)


def spectral_centroid(magnitude: Float32Array) -> Float32Array:
    """Return the spectrum's centre of gravity in Hz, shape (n_frames,)."""
    return spectral_shape(magnitude)[:, 0]


def spectral_bandwidth(magnitude: Float32Array) -> Float32Array:
    """Return the spectrum's standard deviation around its centroid in Hz, shape (n_frames,)."""
    return spectral_shape(magnitude)[:, 1]


def spectral_rolloff(magnitude: Float32Array, *, share: float = 0.85) -> Float32Array:
    """Return the lowest frequency below which, itself included, `share` of the magnitude lies.

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
    return spectral_shape(magnitude, rolloff_share=share)[:, 2]


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
    arithmetic = floored.mean(axis=1)
    # The logarithm of a product of two: half the logarithms.
    half = N_BINS // 2
    products = floored[:, :half] * floored[:, half : 2 * half]
    logarithms = np.log(products, out=products).sum(axis=1) + np.log(floored[:, -1])
    flatness: Float32Array = np.exp(logarithms / np.float32(N_BINS)) / arithmetic
    return flatness


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
        _band_extremes(magnitude[:, bins], n_extreme, out=extremes[:, k::N_CONTRAST_BANDS])
    return extremes


def _band_extremes(band: Float32Array, n_extreme: int, *, out: Float32Array) -> None:
    if n_extreme == 1:
        band.max(axis=1, out=out[:, 0])
        band.min(axis=1, out=out[:, 1])
        return
    # NumPy's vectorised sort takes a third of the time of its partition at two places.
    ordered = np.sort(band, axis=1)
    np.add.reduce(ordered[:, -n_extreme:], axis=1, out=out[:, 0])
    np.add.reduce(ordered[:, :n_extreme], axis=1, out=out[:, 1])
    out /= np.float32(n_extreme)


def mend_top_band(extremes: Float32Array, frames: Float32Array, loudest: Float32Array) -> None:
    """Measure the top band anew where its weakest bins hold nothing but float32's rounding.

    Behind a low-pass that is so; there, the transform is repeated in float64.

    Parameters
    ----------
    extremes
        See `contrast_extremes`, shape (n_frames, 14); changed in place.
    frames
        What they were computed from, not windowed, shape (n_frames, 2048).
    loudest
        The largest magnitude of each frame, shape (n_frames,).
    """
    (is_rounding,) = np.nonzero(extremes[:, -1] < np.float32(_ROUNDING) * loudest)
    if len(is_rounding):
        bins, n_extreme = _contrast_bands()[-1]
        band = magnitude_spectrum(frames[is_rounding].astype(np.float64), bins)
        mended = np.empty((len(is_rounding), 2), dtype=np.float32)
        _band_extremes(band, n_extreme, out=mended)
        extremes[is_rounding, N_CONTRAST_BANDS - 1 :: N_CONTRAST_BANDS] = mended


def contrast_of_extremes(extremes: Float32Array) -> Float32Array:
    """Return the spectral contrast of a signal.

    Parameters
    ----------
    extremes
        Of all frames of the signal, see `contrast_extremes`, shape (n_frames, 14). (The decibels
        of each end 80 below the loudest of all frames, so the frames belong together.)

    Returns
    -------
    ndarray
        Shape (n_frames, 7), float32, dB; see `spectral_contrast`.
    """
    peaks, valleys = extremes[:, :N_CONTRAST_BANDS], extremes[:, N_CONTRAST_BANDS:]
    return power_to_db(peaks) - power_to_db(valleys)


def spectral_contrast(magnitude: Float32Array) -> Float32Array:
    """Return peak over valley in seven octave bands, the lowest below 200 Hz.

    Equals ``librosa.feature.spectral_contrast``: the mean of the strongest 2 % of a band's bins
    over the mean of the weakest, in decibels (10 log10 of magnitudes).

    Parameters
    ----------
    magnitude
        Of all frames of a signal, shape (n_frames, 1025).

    Returns
    -------
    ndarray
        Shape (n_frames, 7), float32, dB.

    References
    ----------
    D.-N. Jiang et al., "Music type classification by spectral contrast feature", ICME 2002.
    """
    return contrast_of_extremes(contrast_extremes(magnitude))
