"""Tuning and chroma, of the spectrum and of the constant-Q transform, in librosa's definitions."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from tonotope.features.cqt import N_OCTAVES
from tonotope.features.stft import N_BINS, N_FFT, SAMPLE_RATE_HZ, Float32Array

__all__ = [
    "N_CHROMA",
    "SpectralPeaks",
    "chroma_cens",
    "chroma_cqt",
    "chroma_filterbank",
    "chroma_stft",
    "class_of_bins",
    "estimate_tuning",
    "octaves_of_loud_peaks",
    "power_peaks",
    "spectral_peaks",
    "strongest_is_one",
    "tuning_of_octaves",
    "unnormalised_chroma",
]

N_CHROMA = 12

_A0_HZ = 27.5
_BIN_HZ = SAMPLE_RATE_HZ / N_FFT
_PEAK_RANGE_HZ = (150.0, 4000.0)
_PEAK_SHARE = 0.1

_CENS_STEPS = (0.4, 0.2, 0.1, 0.05)
_CENS_FRAMES = 41


class SpectralPeaks(NamedTuple):
    """Peaks of some frames' spectra between 150 and 4000 Hz, shape (n_peaks,) each.

    Attributes
    ----------
    frame, bin
        Where they are; of ascending frames.
    pitch_hz, height
        Place and height of the parabola through each peak and its two neighbours, float32.
    """

    frame: NDArray[np.intp]
    bin: NDArray[np.intp]
    pitch_hz: Float32Array
    height: Float32Array


def spectral_peaks(magnitude: Float32Array, loudest: Float32Array | None = None) -> SpectralPeaks:
    """Return the peaks of magnitude spectra, as ``librosa.piptrack`` does.

    A peak is a local maximum above a tenth of its frame's largest magnitude.

    Parameters
    ----------
    magnitude
        Shape (n_frames, 1025).
    loudest
        The largest magnitude of each frame, where it is known, shape (n_frames,).
    """
    if loudest is None:
        loudest = magnitude.max(axis=1)
    low = int(np.ceil(_PEAK_RANGE_HZ[0] / _BIN_HZ))
    high = int(np.ceil(_PEAK_RANGE_HZ[1] / _BIN_HZ))
    centre, before, after = (magnitude[:, low + k : high + k] for k in (0, -1, 1))
    is_peak = centre > before
    is_peak &= centre >= after
    is_peak &= centre > np.float32(_PEAK_SHARE) * loudest[:, np.newaxis]
    frame, bin_ = np.divmod(np.flatnonzero(is_peak), high - low)
    return _parabolas(magnitude, frame, bin_ + low)


def power_peaks(
    power: Float32Array, peaks: SpectralPeaks, loudest: Float32Array | None = None
) -> SpectralPeaks:
    """Return which of the peaks in the magnitude are peaks of the power, and where they lie in it.

    They are fewer, since a tenth of the largest power is more, and the parabolas are others.

    Parameters
    ----------
    power
        The square of what `peaks` were found in, shape (n_frames, 1025).
    peaks
        See `spectral_peaks`.
    loudest
        The largest magnitude of each frame, where it is known, shape (n_frames,).
    """
    if loudest is None:
        loudest = np.sqrt(power.max(axis=1))
    floor = np.float32(_PEAK_SHARE) * np.square(loudest)
    stands_out = power[peaks.frame, peaks.bin] > floor[peaks.frame]
    return _parabolas(power, peaks.frame[stands_out], peaks.bin[stands_out])


def _parabolas(
    spectrum: Float32Array, frame: NDArray[np.intp], bin_: NDArray[np.intp]
) -> SpectralPeaks:
    cells = frame * spectrum.shape[1] + bin_
    left, middle, right = (spectrum.reshape(-1).take(cells + k) for k in (-1, 0, 1))
    curvature = left + right - 2 * middle
    slope = (right - left) / 2
    bent = np.abs(slope) < np.abs(curvature)
    shift = np.where(bent, -slope / np.where(bent, curvature, 1), 0)
    pitch_hz = ((bin_ + shift) * _BIN_HZ).astype(np.float32)
    return SpectralPeaks(frame, bin_, pitch_hz, middle + np.float32(0.5) * slope * shift)


def estimate_tuning(
    pitch_hz: Float32Array, height: Float32Array, *, bins_per_octave: int = 12
) -> float:
    """Return by what part of a bin the music deviates from A = 440 Hz.

    Parameters
    ----------
    pitch_hz, height
        Of the peaks of a track, see `spectral_peaks`. Those below the median height don't count.
    bins_per_octave
        12 for an answer in semitones.

    Returns
    -------
    float
        From -0.5 up to 0.5 bins in steps of 0.01; 0 where there is no peak. With the peaks of
        the magnitude it is ``librosa.estimate_tuning(y=...)``.
    """
    return tuning_of_octaves(octaves_of_loud_peaks(pitch_hz, height), bins_per_octave)


def octaves_of_loud_peaks(pitch_hz: Float32Array, height: Float32Array) -> NDArray[np.float64]:
    """Return how far above A0 the peaks lie that are not below the median height, in octaves."""
    if len(pitch_hz) == 0:
        return np.zeros(0)
    # Sorting is vectorised in NumPy, finding the median is not.
    ordered = np.sort(height)
    middle = len(ordered) // 2
    median = (ordered[middle] + ordered[-middle - 1]) / 2
    octaves: NDArray[np.float64] = np.log2(pitch_hz[height >= median].astype(np.float64) / _A0_HZ)
    return octaves


def tuning_of_octaves(octaves: NDArray[np.float64], bins_per_octave: int) -> float:
    """Return the tuning of peaks that lie so many octaves above A0; see `estimate_tuning`."""
    if len(octaves) == 0:
        return 0.0
    in_bins = bins_per_octave * octaves
    residual = in_bins - np.floor(in_bins + 0.5)
    # A histogram by counting whole hundredths, a third of the time of np.histogram.
    hundredths = ((residual + 0.5) * 100).astype(np.intp)
    return int(np.argmax(np.bincount(hundredths))) / 100 - 0.5


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
    return strongest_is_one(power @ chroma_filterbank(tuning).T)


def strongest_is_one(raw: Float32Array) -> Float32Array:
    """Return each frame divided by its maximum, silent frames being 0; shape (n_frames, 12)."""
    strongest = raw.max(axis=1, keepdims=True)
    sounds = strongest > np.finfo(np.float32).tiny
    chroma: Float32Array = np.divide(raw, strongest, out=np.zeros_like(raw), where=sounds)
    return chroma


@cache
def class_of_bins(n_bins: int, bins_beside: int = 0) -> Float32Array:
    """Return which bins of a constant-Q transform make which pitch class.

    Parameters
    ----------
    n_bins
        Seven octaves of 12 or 36 bins each.
    bins_beside
        How many bins above the first C1 is.

    Returns
    -------
    ndarray
        Shape (n_bins, 12), 1 where a bin belongs to a class, else 0.

    Raises
    ------
    ValueError
        If there are no such octaves.
    """
    bins_per_octave, rest = divmod(n_bins, N_OCTAVES)
    if rest or bins_per_octave % N_CHROMA:
        raise ValueError(f"a transform of {n_bins} bins has no whole octaves of 12 classes in it")
    per_class = bins_per_octave // N_CHROMA
    # The middle one of a class's bins is the tuned one; the octave below begins with its last.
    nearest = np.arange(n_bins) - bins_beside + per_class // 2
    pitch_class = nearest // per_class % N_CHROMA
    is_member = pitch_class[:, np.newaxis] == np.arange(N_CHROMA)
    members: Float32Array = is_member.astype(np.float32)
    members.flags.writeable = False
    return members


def unnormalised_chroma(cqt: Float32Array) -> Float32Array:
    """Return the sum of the constant-Q magnitudes of each pitch class; see `chroma_cqt`."""
    classes: Float32Array = cqt @ class_of_bins(cqt.shape[1])
    return classes


def chroma_cqt(cqt: Float32Array) -> Float32Array:
    """Return the pitch classes of a constant-Q transform, the strongest of a frame being 1.

    With 36 bins per octave it equals ``librosa.feature.chroma_cqt``.

    Parameters
    ----------
    cqt
        Seven octaves from C1 on of 12 or 36 bins each, see `tonotope.features.cqt.cqt_magnitude`,
        shape (n_frames, 84) or (n_frames, 252).

    Returns
    -------
    ndarray
        Shape (n_frames, 12), float32, C first; 0 in silent frames.

    Raises
    ------
    ValueError
        If there are no such octaves.
    """
    return strongest_is_one(unnormalised_chroma(cqt))


def chroma_cens(chroma: Float32Array) -> Float32Array:
    """Return chroma energy normalised statistics (CENS): what is left of chroma without dynamics.

    Each frame is divided by its sum and quantised in steps at 5, 10, 20 and 40 %; then each class
    is smoothed over 41 frames (0.95 s, Hann), and each frame has norm 1. Equals
    ``librosa.feature.chroma_cens``.

    Parameters
    ----------
    chroma
        All frames of a signal, see `chroma_cqt`, normalised or not, shape (n_frames, 12).

    Returns
    -------
    ndarray
        Shape (n_frames, 12), float32; 0 where nothing sounds.

    References
    ----------
    M. Müller, S. Ewert, "Chroma Toolbox: Matlab implementations for extracting variants of
    chroma-based audio features", ISMIR 2011.
    """
    total = chroma.sum(axis=1, keepdims=True)
    share = np.divide(chroma, total, out=np.zeros_like(chroma), where=total > 0)
    steps = np.zeros_like(share)
    for step in _CENS_STEPS:
        steps += (share > np.float32(step)) * np.float32(1 / len(_CENS_STEPS))
    window = np.hanning(_CENS_FRAMES + 2)
    smooth = scipy.ndimage.convolve1d(steps, window / window.sum(), axis=0, mode="constant")
    norm = np.linalg.norm(smooth, axis=1, keepdims=True)
    cens: Float32Array = np.divide(smooth, norm, out=np.zeros_like(smooth), where=norm > 0)
    return cens
