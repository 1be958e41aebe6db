"""The one short-time Fourier transform that every descriptor is computed from.

Frames of 2048 samples every 512, Hann window (periodic), centred: frame ``t`` sees the samples
around ``t * 512``, and half a frame of zeros stands before the first and after the last sample.
These are librosa's defaults, and the numbers are librosa's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy  # its submodules load when first used
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

__all__ = [
    "HOP_LENGTH",
    "N_BINS",
    "N_FFT",
    "SAMPLE_RATE_HZ",
    "FrameStream",
    "SignalFrames",
    "bin_frequencies_hz",
    "magnitude_spectrum",
    "stft_magnitude",
    "stft_power",
]

SAMPLE_RATE_HZ = 22050
N_FFT = 2048
HOP_LENGTH = 512
N_BINS = N_FFT // 2 + 1

# What is called per batch costs less of more frames, until batches leave the processor's caches.
BATCH_FRAMES = 128

_HANN = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)
_HANN_32 = _HANN.astype(np.float32)
_ALL_BINS = slice(None)

Float32Array = NDArray[np.float32]


def bin_frequencies_hz() -> NDArray[np.float64]:
    """Return the centre frequency of each bin of the spectrum in Hz, shape (1025,)."""
    return np.arange(N_BINS, dtype=np.float64) * (SAMPLE_RATE_HZ / N_FFT)


def magnitude_spectrum(frames: NDArray[Any], bins: slice = _ALL_BINS) -> Float32Array:
    """Return the magnitude spectrum of frames that are not windowed yet.

    Parameters
    ----------
    frames
        Shape (n_frames, 2048). Of float64 frames the transform is computed in float64.
    bins
        Which bins are wanted.

    Returns
    -------
    ndarray
        Shape (n_frames, 1025), float32: magnitude of the windowed frames' FFT.
    """
    window = _HANN_32 if frames.dtype == np.float32 else _HANN
    spectrum = scipy.fft.rfft(frames * window, axis=1, overwrite_x=True)
    # Vectorised in NumPy, which the sum of the squares of an array's two parts is not.
    magnitude: Float32Array = np.abs(spectrum[:, bins]).astype(np.float32, copy=False)
    return magnitude


class SignalFrames:
    """A batch of consecutive frames of a signal.

    Attributes
    ----------
    samples
        The samples that the frames lie in, shape ((n_frames + 3) * 512,), zeros where a frame
        reaches over an end of the signal.
    frames
        A view of `samples`, shape (n_frames, 2048).
    crossings
        Per sample whether the sign differs from the sample before; none at the signal's ends.
    """

    def __init__(self, samples: Float32Array, crossings: NDArray[np.bool_]) -> None:
        self.samples = samples
        self.crossings = crossings
        self.frames = sliding_window_view(samples, N_FFT)[::HOP_LENGTH]


class FrameStream:
    """Cuts a signal that arrives in blocks of any length into batches of frames.

    Batches always hold 128 frames, but for the last: what is computed from them does not depend
    on how the signal was cut. Only the samples of one batch and one block are held.
    """

    def __init__(self) -> None:
        self.n_samples = 0
        half = np.zeros(N_FFT // 2, dtype=np.float32)
        self._pending = [half]
        self._pending_crossings = [np.zeros(N_FFT // 2, dtype=np.bool_)]
        self._n_pending = len(half)
        self._last_negative: bool | None = None

    def push(self, block: Float32Array) -> Iterator[SignalFrames]:
        """Take more of the signal; yield the batches that are full by now.

        Parameters
        ----------
        block
            Shape (n_samples,), float32. Kept until its batches are full, not copied.
        """
        if len(block) == 0:
            return
        self._append(block, self._crossings_of(block))
        self.n_samples += len(block)
        span = (BATCH_FRAMES - 1) * HOP_LENGTH + N_FFT
        if self._n_pending < span:
            return
        samples, crossings = self._joined()
        start = 0
        while len(samples) - start >= span:
            yield SignalFrames(samples[start : start + span], crossings[start : start + span])
            start += BATCH_FRAMES * HOP_LENGTH
        self._replace(samples[start:], crossings[start:])

    def finish(self) -> Iterator[SignalFrames]:
        """Yield what is left: the signal has 1 + n_samples // 512 frames in all."""
        self._append(np.zeros(N_FFT // 2, np.float32), np.zeros(N_FFT // 2, np.bool_))
        samples, crossings = self._joined()
        while len(samples) >= N_FFT:
            n_frames = min(BATCH_FRAMES, 1 + (len(samples) - N_FFT) // HOP_LENGTH)
            span = (n_frames - 1) * HOP_LENGTH + N_FFT
            yield SignalFrames(samples[:span], crossings[:span])
            samples = samples[n_frames * HOP_LENGTH :]
            crossings = crossings[n_frames * HOP_LENGTH :]
        self._replace(samples[:0], crossings[:0])

    def _crossings_of(self, block: Float32Array) -> NDArray[np.bool_]:
        # librosa's zero_crossings: what is within 1e-10 of zero counts as (positive) zero.
        negative = block < -1e-10
        crossings = np.empty(len(block), dtype=np.bool_)
        crossings[0] = self._last_negative is not None and negative[0] != self._last_negative
        np.not_equal(negative[1:], negative[:-1], out=crossings[1:])
        self._last_negative = bool(negative[-1])
        return crossings

    def _append(self, samples: Float32Array, crossings: NDArray[np.bool_]) -> None:
        self._pending.append(samples)
        self._pending_crossings.append(crossings)
        self._n_pending += len(samples)

    def _joined(self) -> tuple[Float32Array, NDArray[np.bool_]]:
        return np.concatenate(self._pending), np.concatenate(self._pending_crossings)

    def _replace(self, samples: Float32Array, crossings: NDArray[np.bool_]) -> None:
        # Copies, so that the joined block is freed.
        self._pending = [samples.copy()]
        self._pending_crossings = [crossings.copy()]
        self._n_pending = len(samples)


def stft_magnitude(signal: Float32Array) -> Float32Array:
    """Return the magnitude spectrogram of a whole signal.

    Parameters
    ----------
    signal
        Shape (n_samples,), mono at 22 050 Hz.

    Returns
    -------
    ndarray
        Shape (1 + n_samples // 512, 1025), float32; equals ``np.abs(librosa.stft(signal)).T``.
    """
    stream = FrameStream()
    signal = np.asarray(signal, dtype=np.float32)
    batches = [magnitude_spectrum(batch.frames) for batch in stream.push(signal)]
    batches += [magnitude_spectrum(batch.frames) for batch in stream.finish()]
    return np.concatenate(batches)


def stft_power(signal: Float32Array) -> Float32Array:
    """Return the power spectrogram of a whole signal: the square of `stft_magnitude`."""
    magnitude = stft_magnitude(signal)
    return np.square(magnitude, out=magnitude)
