"""A phase vocoder: the same sound at another speed, and spectra turned back into sound.

Each frame of the output is a frame of the input, read where the output's time says, with its
phases turned so that they go on from the frame before. By how much is known without a guess: a
second frame is read one hop earlier, and the turn is what takes its phase to that of the last
frame of the output. Around each peak of the spectrum all bins are turned alike, which keeps what
they are together, one partial (identity phase locking). At the speed of the original nothing is
turned, and the output is the input.

References
----------
M. Puckette, "Phase-locked vocoder", IEEE ASSP Workshop on Applications of Signal Processing to
Audio and Acoustics, 1995.

J. Laroche, M. Dolson, "Improved phase vocoder time-scale modification of audio", IEEE Transactions
on Speech and Audio Processing 7(3), 1999.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import scipy.fft
import soxr
from numpy.typing import NDArray

from tonotope.features.stft import HOP_LENGTH, N_BINS, N_FFT, Float32Array

__all__ = ["frames_of", "pitch_shift", "read_at", "spectra", "synthesize", "time_stretch"]

_HANN = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)).astype(np.float32)
_BATCH_FRAMES = 128
_BINS = np.arange(N_BINS)

Complex64Array = NDArray[np.complex64]


def frames_of(n_samples: int) -> int:
    """Return how many frames, one every hop, cover so many samples."""
    return 1 + -(-n_samples // HOP_LENGTH)


def spectra(samples: Float32Array, places: NDArray[np.intp]) -> Complex64Array:
    """Return the spectra of frames around some samples.

    Parameters
    ----------
    samples
        Shape (n_samples,).
    places
        The samples in the middle of the frames, shape (n_frames,); what lies outside the signal
        is silent.

    Returns
    -------
    ndarray
        Shape (n_frames, 1025), complex64, windowed.
    """
    indices = places[:, np.newaxis] + np.arange(-N_FFT // 2, N_FFT // 2)
    inside = (indices >= 0) & (indices < len(samples))
    frames = samples[np.where(inside, indices, 0)] * inside
    spectrum: Complex64Array = scipy.fft.rfft(frames * _HANN, axis=1)
    return spectrum


def synthesize(batches: Iterable[Complex64Array], n_samples: int) -> Float32Array:
    """Return the sound of spectra whose frames lie one every 512 samples, the first around 0.

    Parameters
    ----------
    batches
        Any number of times some spectra, each of shape (n_frames, 1025).
    n_samples
        How long the sound is.

    Returns
    -------
    ndarray
        Shape (n_samples,), float32.
    """
    length = (frames_of(n_samples) - 1) * HOP_LENGTH + N_FFT
    total, weight = np.zeros(length, np.float32), np.zeros(length, np.float32)
    start = 0
    for batch in batches:
        for frame in scipy.fft.irfft(batch, N_FFT, axis=1):
            total[start : start + N_FFT] += frame * _HANN
            weight[start : start + N_FFT] += _HANN * _HANN
            start += HOP_LENGTH
    whole = slice(N_FFT // 2, N_FFT // 2 + n_samples)
    sound = total[whole]
    sound /= np.maximum(weight[whole], np.float32(1e-3))
    return sound


def read_at(
    samples: Float32Array, places: NDArray[np.floating[Any]], n_samples: int
) -> Float32Array:
    """Return a signal read at another speed, or at changing speeds, with its pitch unchanged.

    Parameters
    ----------
    samples
        Shape (n_samples_in,), mono.
    places
        Where in `samples` each frame of the output lies, one frame every 512 samples of it; shape
        (1 + ceil(n_samples / 512),).
    n_samples
        How long the output is.

    Returns
    -------
    ndarray
        Shape (n_samples,), float32.
    """
    return synthesize(_continued(samples, np.rint(places).astype(np.intp)), n_samples)


def _continued(samples: Float32Array, places: NDArray[np.intp]) -> Iterator[Complex64Array]:
    """Yield the frames at `places` with phases that go on from each to the next."""
    last: Complex64Array | None = None
    for start in range(0, len(places), _BATCH_FRAMES):
        batch = places[start : start + _BATCH_FRAMES]
        frames, earlier = spectra(samples, batch), spectra(samples, batch - HOP_LENGTH)
        nearest = _nearest_peaks(np.abs(frames))
        for frame, before, peaks in zip(frames, earlier, nearest, strict=True):
            if last is not None:
                turn = last * before.conj()
                size = np.abs(turn)
                # Where either is silent no phase goes on.
                turn = np.where(size > 0, turn / np.maximum(size, np.float32(1e-30)), 1)
                frame *= turn[peaks]
            last = frame
        yield frames


def _nearest_peaks(magnitude: Float32Array) -> NDArray[np.intp]:
    """Return for each bin of each frame the bin of the nearest peak, shape (n_frames, 1025).

    A peak is larger than the two bins on either side.
    """
    padded = np.pad(magnitude, ((0, 0), (2, 2)))
    is_peak = np.ones(magnitude.shape, np.bool_)
    for offset in (0, 1, 3, 4):
        is_peak &= magnitude > padded[:, offset : offset + N_BINS]
    far = 4 * N_BINS
    below = np.maximum.accumulate(np.where(is_peak, _BINS, -far), axis=1)
    above = np.minimum.accumulate(np.where(is_peak, _BINS, far)[:, ::-1], axis=1)[:, ::-1]
    nearest = np.where(_BINS - below <= above - _BINS, below, above)
    # A frame without peaks: every bin goes its own way.
    return np.where((nearest < 0) | (nearest >= N_BINS), _BINS, nearest)


def time_stretch(samples: Float32Array, rate: float) -> Float32Array:
    """Return a signal played `rate` times as fast at the same pitch.

    Parameters
    ----------
    samples
        Shape (n_samples,), mono at 22 050 Hz.
    rate
        2 halves the duration.

    Returns
    -------
    ndarray
        Shape (round(n_samples / rate),), float32, as long as ``librosa.effects.time_stretch``'s.

    Raises
    ------
    ValueError
        If `rate` is not positive.
    """
    if not rate > 0:
        raise ValueError(f"a signal cannot be played {rate} times as fast")
    n_samples = round(len(samples) / rate)
    return read_at(samples, np.arange(frames_of(n_samples)) * (HOP_LENGTH * rate), n_samples)


def pitch_shift(samples: Float32Array, semitones: float) -> Float32Array:
    """Return a signal at another pitch and the same speed.

    It is stretched, and then resampled to its length. Formants move with the pitch.

    Parameters
    ----------
    samples
        Shape (n_samples,), mono at 22 050 Hz.
    semitones
        How far up; negative is down.

    Returns
    -------
    ndarray
        Same shape, float32. What was raised above 11 025 Hz is gone.
    """
    if not semitones or not len(samples):
        return samples.copy()
    ratio = 2.0 ** (semitones / 12)
    stretched = time_stretch(samples, 1 / ratio)
    shifted: Float32Array = soxr.resample(stretched, ratio, 1.0, quality="HQ")[: len(samples)]
    return np.pad(shifted, (0, len(samples) - len(shifted)))
