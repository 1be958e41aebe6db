"""Tempogram and tempo: at which distance in time the onsets repeat.

The definitions are librosa's (``tempogram`` and ``tempo`` with their defaults).

References
----------
P. Grosche, M. Müller, F. Kurth, "Cyclic tempogram: a mid-level tempo representation for music
signals", ICASSP 2010.
D. Ellis, "Beat tracking by dynamic programming", Journal of New Music Research 36(1), 2007.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import ceil, exp, floor, log2, sqrt

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from tonotope.features.stft import HOP_LENGTH, SAMPLE_RATE_HZ, Float32Array

__all__ = [
    "TEMPO_LAGS",
    "Tempo",
    "TempoAlternative",
    "estimate_tempo",
    "mean_tempogram",
    "tempogram",
]

# The tempo's autocorrelation sees 8 s around each frame.
TEMPO_LAGS = int(8.0 * SAMPLE_RATE_HZ // HOP_LENGTH)

_FRAMES_PER_MINUTE = 60.0 * SAMPLE_RATE_HZ / HOP_LENGTH
_CENTRE_BPM = 120.0
_MAX_BPM = 320.0
_MIN_BPM = _FRAMES_PER_MINUTE / (TEMPO_LAGS - 1)

_OCTAVES = (2.0, 0.5)
_OTHER_RATIOS = (1.5, 2 / 3, 3.0, 1 / 3)
# What those need: a share of the tempo's own prominence, and more than chance gives.
_SUPPORT = 0.5
_CHANCE = 0.05

_CHUNK_FRAMES = 512
_MEAN_CHUNK_FRAMES = 2048
# A running sum of weights up to 1e9 leaves 1e-7 of what it weights.
_MAX_WEIGHT = 1e9


def tempogram(onset_strength: Float32Array, *, win_length: int = 384) -> Float32Array:
    """Return how well the onsets around each frame agree with themselves some frames later.

    Parameters
    ----------
    onset_strength
        See `tonotope.features.onset.onset_strength`, shape (n_frames,).
    win_length
        How many frames each autocorrelation sees, 2 or more: 384 are 8.9 s.

    Returns
    -------
    ndarray
        Shape (n_frames, win_length), float32: the local autocorrelation in a Hann window at lags
        of 0 to win_length - 1 frames, each frame's maximum being 1, or all 0 where no onset is
        near (``librosa.feature.tempogram``). 2 MB per 30 s.

    Raises
    ------
    ValueError
        If `win_length` is less than 2.
    """
    if win_length < 2:
        raise ValueError(f"win_length={win_length}: an autocorrelation needs 2 frames or more")
    n_frames = len(onset_strength)
    result = np.zeros((n_frames, win_length), np.float32)
    loudest = onset_strength.max(initial=0)
    if loudest == 0:
        return result
    curve = _fade_in_and_out(onset_strength / loudest, win_length)
    frames = sliding_window_view(curve, win_length)[:n_frames]
    window = _hann(win_length).astype(np.float32)
    for start in range(0, n_frames, _CHUNK_FRAMES):
        chunk = slice(start, start + _CHUNK_FRAMES)
        result[chunk] = _autocorrelations(frames[chunk] * window)
    return result


def mean_tempogram(onset_strength: Float32Array) -> NDArray[np.float64]:
    """Return the mean over time of a tempogram of 344 lags (8 s), from which the tempo is read.

    Parameters
    ----------
    onset_strength
        See `tonotope.features.onset.onset_strength`, shape (n_frames,).

    Returns
    -------
    ndarray
        Shape (344,), float64: ``librosa.feature.tempogram(..., win_length=344).mean(axis=1)``.
        All 0 where nothing begins, or where there are no frames.
    """
    n_frames = len(onset_strength)
    total = np.zeros(TEMPO_LAGS)
    if n_frames == 0:
        return total
    curve = _fade_in_and_out(onset_strength, TEMPO_LAGS).astype(np.float64)
    for start in range(0, n_frames, _MEAN_CHUNK_FRAMES):
        stop = min(start + _MEAN_CHUNK_FRAMES, n_frames)
        total += _tempogram_sum(curve[start : stop + TEMPO_LAGS - 1])
    return total / n_frames


def _fade_in_and_out(onset_strength: Float32Array, win_length: int) -> Float32Array:
    """Add half a window at each end, so that there is a window around every frame."""
    return np.pad(onset_strength, win_length // 2, mode="linear_ramp")


def _hann(length: int) -> NDArray[np.float64]:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)


def _autocorrelations(frames: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the autocorrelation of each row, its maximum being 1, in the rows' own type."""
    length = frames.shape[1]
    n_fft = scipy.fft.next_fast_len(2 * length - 1, real=True)
    spectra = scipy.fft.rfft(frames, n_fft)
    power = np.square(spectra.real)
    power += np.square(spectra.imag)
    result: NDArray[np.floating] = scipy.fft.irfft(power, n_fft)[:, :length]
    energy = result[:, :1].copy()
    energy[energy < np.finfo(energy.dtype).tiny] = 1
    result /= energy
    return result


def _tempogram_sum(curve: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sum of the tempogram's rows, shape (344,), of all windows in a curve."""
    square = np.square(curve)
    energy = np.correlate(square, _hann(TEMPO_LAGS) ** 2)
    sounding = energy > np.finfo(np.float64).tiny
    # Windows that hold next to nothing, such as those that only just reach the first onset after
    # a silence, have weights which would drown all others.
    even = sounding & (energy * _MAX_WEIGHT > square.sum())
    weights = np.divide(1.0, energy, out=np.zeros_like(energy), where=even)
    total = _weighted_autocorrelation(curve, weights)
    faint = np.flatnonzero(sounding & ~even)
    if len(faint):
        frames = sliding_window_view(curve, TEMPO_LAGS)[faint] * _hann(TEMPO_LAGS)
        total += _autocorrelations(frames).sum(axis=0)
    return total


def _weighted_autocorrelation(
    curve: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the weighted sum of the autocorrelations of all windows, without taking each.

    The sum over windows ``t`` and places ``j`` in them of
    ``weights[t] * hann[j] * curve[t + j] * hann[j + lag] * curve[t + j + lag]``. The product of
    the two Hann values is three cosines of ``j``, of 0, 1 and 2 turns per window. With
    ``u = t + j``, each of them is a turn by ``u`` times a turn back by ``t``: the sum over the
    windows that ``u`` and ``u + lag`` both lie in is a difference of running sums over ``t``. The
    one up to ``t = u`` belongs to ``u`` and the one up to ``t = u + lag - 344`` to ``u + lag``,
    so that what is left is six correlations of two curves, for all lags by FFT.
    """
    n_frames, n_curve = len(weights), len(curve)
    turn = _turns(n_curve)
    running = np.zeros((3, TEMPO_LAGS + n_curve), np.complex128)
    of_windows = running[:, TEMPO_LAGS : TEMPO_LAGS + n_frames]
    np.cumsum(weights * turn[:, :n_frames].conj(), axis=1, out=of_windows)
    running[:, TEMPO_LAGS + n_frames :] = of_windows[:, -1:]

    turned = curve * turn
    n_fft = scipy.fft.next_fast_len(n_curve + TEMPO_LAGS - 1)
    spectrum = scipy.fft.fft(curve, n_fft)
    earlier = scipy.fft.fft(turned * running[:, TEMPO_LAGS:], n_fft)
    later = scipy.fft.fft(turned * running[:, :n_curve], n_fft)
    products = np.concatenate([earlier.conj() * spectrum, spectrum.conj() * later])
    correlations = scipy.fft.ifft(products, overwrite_x=True)[:, :TEMPO_LAGS]
    total: NDArray[np.float64] = np.einsum("kl,kl->l", _lag_factors(), correlations).real
    return total


def _turns(length: int) -> NDArray[np.complex128]:
    """Return 0, 1 and 2 turns per window, shape (3, length)."""
    one = np.exp(2j * np.pi * np.arange(length) / TEMPO_LAGS)
    return np.stack([np.ones(length), one, one * one])


@cache
def _lag_factors() -> NDArray[np.complex128]:
    """Return by what the six correlations count at each lag, shape (6, 344), read-only.

    With ``a = 2 pi j / 344`` and ``b = 2 pi lag / 344``: ``4 * hann[j] * hann[j + lag] =
    1 + cos(b) / 2 - cos(a) - cos(a + b) + cos(2 a + b) / 2``.
    """
    turn = _turns(TEMPO_LAGS)
    products = np.stack([1 + turn[1].real / 2, -1 - turn[1], turn[1] / 2]) / 4
    # The first three correlations are complex conjugates; the last three turn with u + lag.
    factors: NDArray[np.complex128] = np.concatenate([products.conj(), -products * turn.conj()])
    factors.flags.writeable = False
    return factors


@dataclass(frozen=True, slots=True)
class TempoAlternative:
    """Another tempo that a listener might tap.

    Attributes
    ----------
    bpm
        Beats per minute.
    strength
        How far its lag stands out, 0 to 1, measured as `Tempo.confidence` is.
    """

    bpm: float
    strength: float


@dataclass(frozen=True, slots=True)
class Tempo:
    """The tempo of a piece of music.

    Attributes
    ----------
    bpm
        Beats per minute; 0 where nothing ever begins.
    confidence
        0 to 1: how far the tempo's lag stands out of the octave around it. ``(a - m) / (1 - m)``
        with ``a`` the mean tempogram at the lag, over that of a perfectly repeating curve, and
        ``m`` the median of the same over lags from 1/sqrt(2) to sqrt(2) times as long. White
        noise has 0.02, typical music 0.6, a metronome 0.95. It says how steady the pulse is, not
        which of its octaves is the beat.
    alternatives
        Twice and half the tempo, and 3/2, 2/3, 3 and 1/3 of it where they stand out by 0.05 and
        at least half as much as it does; all between 7.6 and 320 bpm. Best first: by strength,
        times the belief in tempi near 120 bpm.
    """

    bpm: float
    confidence: float
    alternatives: tuple[TempoAlternative, ...]


def estimate_tempo(mean_tempogram: NDArray[np.float64]) -> Tempo:
    """Return the tempo that fits a mean tempogram best, and what else it could be.

    Tempi an octave away from 120 bpm are believed 0.6 times as much (a log-normal prior), tempi
    of 320 bpm and more not at all.

    Parameters
    ----------
    mean_tempogram
        See `mean_tempogram`, shape (344,).

    Returns
    -------
    Tempo
        Its `bpm` is that of ``librosa.feature.tempo``, a whole number of frames per beat.
    """
    if not mean_tempogram.any():
        return Tempo(0.0, 0.0, ())
    lag = int(np.argmax(np.log1p(1e6 * mean_tempogram) + _log_prior()))
    bpm = _FRAMES_PER_MINUTE / lag
    agreement = mean_tempogram / (mean_tempogram[0] * _perfect_agreement())
    confidence = _prominence(agreement, lag)
    return Tempo(bpm, confidence, _alternatives(agreement, lag, confidence))


def _alternatives(
    agreement: NDArray[np.float64], lag: int, confidence: float
) -> tuple[TempoAlternative, ...]:
    found = []
    for ratio in _OCTAVES + _OTHER_RATIOS:
        bpm = ratio * _FRAMES_PER_MINUTE / lag
        if not _MIN_BPM <= bpm < _MAX_BPM:
            continue
        # The tempo's lag is rounded, so the alternative's may lie a frame beside the exact one.
        exact = lag / ratio
        near = np.arange(ceil(exact - 1), floor(exact + 1) + 1)
        strength = _prominence(agreement, int(near[np.argmax(agreement[near])]))
        if ratio in _OCTAVES or strength >= max(_SUPPORT * confidence, _CHANCE):
            found.append(TempoAlternative(bpm, strength))
    found.sort(key=lambda other: other.strength * _belief(other.bpm), reverse=True)
    return tuple(found)


def _prominence(agreement: NDArray[np.float64], lag: int) -> float:
    """Return how far a lag stands out of the octave around it, 0 to 1."""
    octave = np.sort(agreement[ceil(lag / sqrt(2)) : floor(lag * sqrt(2)) + 1])
    median = (octave[(len(octave) - 1) // 2] + octave[len(octave) // 2]) / 2
    if median >= 1:
        return 0.0
    return float(np.clip((agreement[lag] - median) / (1 - median), 0, 1))


@cache
def _perfect_agreement() -> NDArray[np.float64]:
    """Return the mean tempogram of a curve that repeats at every lag, shape (344,), read-only."""
    hann = _hann(TEMPO_LAGS)
    agreement = np.correlate(hann, hann, mode="full")[TEMPO_LAGS - 1 :] / np.sum(hann**2)
    # From 6.4 s on the windows hardly overlap, and what they agree in says nothing.
    np.maximum(agreement, 1e-3, out=agreement)
    agreement.flags.writeable = False
    return agreement


def _belief(bpm: float) -> float:
    return exp(-0.5 * log2(bpm / _CENTRE_BPM) ** 2)


@cache
def _log_prior() -> NDArray[np.float64]:
    prior = np.full(TEMPO_LAGS, -np.inf)
    slower = int(_FRAMES_PER_MINUTE / _MAX_BPM) + 1
    bpm = _FRAMES_PER_MINUTE / np.arange(slower, TEMPO_LAGS)
    prior[slower:] = -0.5 * np.log2(bpm / _CENTRE_BPM) ** 2
    prior.flags.writeable = False
    return prior
