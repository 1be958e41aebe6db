"""Mel spectrograms as other people's networks want them, computed as the samples come.

Frame ``t`` sees the samples around ``t * hop_length``; half a frame of zeros stands before the
first sample and after the last (``librosa.stft(center=True, pad_mode="constant")``). The window is
a periodic Hann window of `win_length` in the middle of `n_fft`. Bands are triangles over the bins
(``librosa.filters.mel``), which sum magnitudes (``power = 1``) or their squares (``power = 2``).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy  # its submodules load when first used
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from tonotope.features.stft import Float32Array
from tonotope.models.representations import LogMel

__all__ = ["MelStream", "logarithm", "mel_bank"]

# How many frames' spectra are computed and held at a time.
_BATCH_FRAMES = 256

# Slaney's scale is linear up to 1 kHz, and logarithmic above.
_SLANEY_HZ_PER_MEL = 200 / 3
_SLANEY_BREAK_HZ = 1000.0
_SLANEY_BREAK_MEL = _SLANEY_BREAK_HZ / _SLANEY_HZ_PER_MEL
_SLANEY_LOG_STEP = np.log(6.4) / 27.0

_LEAST = 1e-10


def _hz_to_mel(hz: float, scale: str) -> float:
    if scale == "htk":
        return float(2595.0 * np.log10(1.0 + hz / 700.0))
    if hz < _SLANEY_BREAK_HZ:
        return hz / _SLANEY_HZ_PER_MEL
    return float(_SLANEY_BREAK_MEL + np.log(hz / _SLANEY_BREAK_HZ) / _SLANEY_LOG_STEP)


def _mel_to_hz(mels: NDArray[np.float64], scale: str) -> NDArray[np.float64]:
    if scale == "htk":
        return 700.0 * (10.0 ** (mels / 2595.0) - 1.0)
    logarithmic = _SLANEY_BREAK_HZ * np.exp(_SLANEY_LOG_STEP * (mels - _SLANEY_BREAK_MEL))
    return np.where(mels >= _SLANEY_BREAK_MEL, logarithmic, _SLANEY_HZ_PER_MEL * mels)


def mel_bank(spec: LogMel) -> Float32Array:
    """Return the weights of the mel bands over the spectrum's bins: ``librosa.filters.mel``.

    Parameters
    ----------
    spec
        Its `sample_rate_hz`, `n_fft`, `n_mels`, `f_min_hz`, `f_max_hz`, `mel_scale` and `norm`.

    Returns
    -------
    ndarray
        Shape (n_mels, 1 + n_fft // 2), float32. A band narrower than the bins may be empty.

    References
    ----------
    M. Slaney, "Auditory Toolbox, Version 2", Interval Research Corporation TR 1998-010, 1998.
    S. Young et al., "The HTK Book", Cambridge University, 2006, section 5.4.
    """
    lowest, highest = (_hz_to_mel(hz, spec.mel_scale) for hz in (spec.f_min_hz, spec.f_max_hz))
    edges_hz = _mel_to_hz(np.linspace(lowest, highest, spec.n_mels + 2), spec.mel_scale)
    bins_hz = np.fft.rfftfreq(spec.n_fft, 1 / spec.sample_rate_hz)
    ramps = edges_hz[:, np.newaxis] - bins_hz
    widths = np.diff(edges_hz)[:, np.newaxis]
    weights = np.maximum(0, np.minimum(-ramps[:-2] / widths[:-1], ramps[2:] / widths[1:]))
    if spec.norm == "slaney":
        weights *= (2.0 / (edges_hz[2:] - edges_hz[:-2]))[:, np.newaxis]
    return weights.astype(np.float32)


def logarithm(mel: Float32Array, spec: LogMel) -> Float32Array:
    """Return what a network is given of the bands' sums ``x``.

    =====================  ====================================================================
    ``log``                formula
    =====================  ====================================================================
    ``"db"``               ``10 log10(max(x, 1e-10))`` of power, ``20 log10(max(x, 1e-5))`` of
                           magnitude: decibels relative to 1, without a limit of range
    ``"ln"``               ``ln(max(x, 1e-10))``
    ``"log10(1+10000x)"``  as musicnn and the Discogs-EffNet models have it
    ``"none"``             ``x``, for a network that takes the logarithm itself
    =====================  ====================================================================

    Parameters
    ----------
    mel
        Any shape.
    spec
        Its `log` and `power`.
    """
    if spec.log == "none":
        return mel
    if spec.log == "log10(1+10000x)":
        compressed: Float32Array = np.log1p(mel * np.float32(10_000)) / np.float32(np.log(10))
        return compressed
    if spec.log == "ln":
        natural: Float32Array = np.log(np.maximum(mel, np.float32(_LEAST)))
        return natural
    least, factor = (_LEAST, 10) if spec.power == 2 else (_LEAST**0.5, 20)
    decibels: Float32Array = np.log10(np.maximum(mel, np.float32(least))) * np.float32(factor)
    return decibels


class MelStream:
    """Mel bands of a signal that arrives in blocks of any length.

    The result does not depend on how the signal is cut, but for rounding. Only the samples of one
    block and a few frames are held.

    Parameters
    ----------
    spec
        What is wanted.
    """

    def __init__(self, spec: LogMel) -> None:
        self._spec = spec
        self._bank = np.ascontiguousarray(mel_bank(spec).T)
        self._window = _hann(spec.win_length, spec.n_fft)
        self._pending = np.zeros(spec.n_fft // 2, np.float32)

    def push(self, block: Float32Array) -> Iterator[tuple[Float32Array, Float32Array]]:
        """Take more of the signal.

        Parameters
        ----------
        block
            Shape (n_samples,), float32.

        Yields
        ------
        mel
            Bands of the frames that are complete by now, shape (n_frames, n_mels), no logarithm.
        peak
            The largest magnitude among each frame's samples, shape (n_frames,).
        """
        samples = np.concatenate([self._pending, block])
        n_fft, hop = self._spec.n_fft, self._spec.hop_length
        n_frames = max(0, 1 + (len(samples) - n_fft) // hop)
        for first in range(0, n_frames, _BATCH_FRAMES):
            n_batch = min(_BATCH_FRAMES, n_frames - first)
            span = samples[first * hop : (first + n_batch - 1) * hop + n_fft]
            yield self._bands(sliding_window_view(span, n_fft)[::hop])
        self._pending = samples[n_frames * hop :].copy()

    def finish(self) -> Iterator[tuple[Float32Array, Float32Array]]:
        """Yield the frames at the end: there are 1 + n_samples // hop_length in all."""
        yield from self.push(np.zeros(self._spec.n_fft // 2, np.float32))

    def _bands(self, frames: Float32Array) -> tuple[Float32Array, Float32Array]:
        spectrum: Float32Array = np.abs(scipy.fft.rfft(frames * self._window, axis=1))
        if self._spec.power == 2:
            np.square(spectrum, out=spectrum)
        return spectrum @ self._bank, np.abs(frames).max(axis=1)


def _hann(win_length: int, n_fft: int) -> Float32Array:
    window = np.zeros(n_fft, np.float32)
    first = (n_fft - win_length) // 2
    phase = 2 * np.pi * np.arange(win_length) / win_length
    window[first : first + win_length] = 0.5 - 0.5 * np.cos(phase)
    return window
