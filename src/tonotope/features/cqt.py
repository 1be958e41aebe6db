"""The constant-Q transform, several resolutions from one FFT per half minute.

A constant-Q filter is a Hann window of a length in inverse proportion to its frequency. Its
response in the frequency domain is known in closed form and narrow, so a long block of the signal
is transformed once, and each filter is a short product with a part of that spectrum, folded to
one value per hop (which is what decimation does to a spectrum) and transformed back.

Numbers are those of ``np.abs(librosa.cqt(...))`` but for what either cuts off its filters, which
rings more than 70 dB below loud music beside it. In frames in which nothing else is (2048 samples
100 dB below the loudest of their half minute) they are 0 here.

References
----------
J. C. Brown, M. S. Puckette, "An efficient algorithm for the calculation of a constant Q
transform", JASA 92(5), 1992. C. Schörkhuber, A. Klapuri, "Constant-Q transform toolbox for music
processing", SMC 2010.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from tonotope.features.stft import HOP_LENGTH, SAMPLE_RATE_HZ, Float32Array

__all__ = ["C1_HZ", "N_CQT_BINS", "N_OCTAVES", "CqtStream", "cqt_magnitude"]

C1_HZ = 440.0 * 2.0 ** (-45 / 12)
N_OCTAVES = 7
N_CQT_BINS = 12 * N_OCTAVES

# A block has room for half of the longest window (36 bins per octave, C1) before and after.
_BLOCK_FRAMES = 1440
_MARGIN_FRAMES = 36
_USED_FRAMES = _BLOCK_FRAMES - 2 * _MARGIN_FRAMES
_BLOCK_SAMPLES = _BLOCK_FRAMES * HOP_LENGTH
# How far a filter reaches in widths of its window's spectrum: as far as a zero, since what is cut
# off elsewhere rings ten times as loud. What is beyond makes less than 1 % of it.
_REACH = 4.0
_STEPS = 8192
# Frames whose samples are this far (100 dB) below the loudest of their block are silent.
_SILENCE = 1e-5
# How loud filters ring in them at most, relative to the loudest frame: 70 dB below.
_RINGING = 3e-4


@dataclass(frozen=True, slots=True)
class _Filter:
    """A filter in the frequency domain.

    Attributes
    ----------
    start
        The first bin of the block's spectrum that it lets through.
    weights
        Of the bins from there on, in rows of one fold, shape (n_folds, at most 1440).
    """

    start: int
    weights: Float32Array


@dataclass(frozen=True, slots=True)
class _FilterBank:
    """The filters of all octaves, the lowest first, and what each one's response is scaled by."""

    filters: tuple[_Filter, ...]
    scales: Float32Array


# Of both resolutions for one track: the next one is tuned otherwise.
@lru_cache(maxsize=2)
def _filterbank(bins_per_octave: int, tuning_bins: float) -> _FilterBank:
    bins = np.arange(bins_per_octave * N_OCTAVES) + tuning_bins
    frequencies_hz = C1_HZ * 2.0 ** (bins / bins_per_octave)
    ratio = 2.0 ** (2 / bins_per_octave)
    lengths = (ratio + 1) / (ratio - 1) * SAMPLE_RATE_HZ / frequencies_hz
    centres = frequencies_hz * (_BLOCK_SAMPLES / SAMPLE_RATE_HZ)
    highest = zip(centres[-bins_per_octave:], lengths[-bins_per_octave:], strict=True)
    responses = [_response(centre, length) for centre, length in highest]
    octaves = []
    for _ in range(N_OCTAVES):
        octaves.append([_folded(start, weights) for start, weights in responses])
        # An octave below, a filter is the same with every second weight.
        responses = [(-(-start // 2), weights[start % 2 :: 2]) for start, weights in responses]
    # 1 / hop: the transform back is shorter than the one there.
    scales = (np.sqrt(lengths) / HOP_LENGTH).astype(np.float32)
    filters = (filter_ for octave in reversed(octaves) for filter_ in octave)
    return _FilterBank(tuple(filters), scales[:, np.newaxis])


def _response(centre: float, length: float) -> tuple[int, Float32Array]:
    """Return where a filter around a bin of the spectrum begins, and its weights.

    Its window is `length` samples long.
    """
    step = length / _BLOCK_SAMPLES
    start = int(np.ceil(centre - _REACH / step))
    n_bins = int(centre + _REACH / step) + 1 - start
    # Looked up, which is half the time of the sines: in a table fine enough for 0.01 %.
    place = np.arange(n_bins, dtype=np.float32)
    place *= np.float32(step * _STEPS)
    place += np.float32(((start - centre) * step + _REACH) * _STEPS + 0.5)
    return start, _hann_spectrum().take(place.astype(np.int32))


@cache
def _hann_spectrum() -> Float32Array:
    """Return the spectrum of a Hann window of sum 1, up to the reach on both sides."""
    u = np.arange(-_REACH * _STEPS, _REACH * _STEPS + 2) / _STEPS
    return (np.sinc(u) + 0.5 * (np.sinc(u - 1) + np.sinc(u + 1))).astype(np.float32)


def _folded(start: int, weights: Float32Array) -> _Filter:
    """Return the filter with these weights, in rows of one fold."""
    n_folds = -(-len(weights) // _BLOCK_FRAMES)
    if n_folds == 1:
        return _Filter(start, np.ascontiguousarray(weights)[np.newaxis])
    padded = np.zeros(n_folds * _BLOCK_FRAMES, dtype=np.float32)
    padded[: len(weights)] = weights
    return _Filter(start, padded.reshape(n_folds, -1))


def _block_magnitudes(samples: Float32Array, banks: Sequence[_FilterBank]) -> list[Float32Array]:
    """Return for each bank the magnitude of its filters' responses, shape (n_filters, 1440)."""
    spectrum = scipy.fft.rfft(samples)
    # Real and imaginary parts by themselves, as far as the highest filter's last fold reaches.
    n_bins = max(filter_.start + filter_.weights.size for bank in banks for filter_ in bank.filters)
    parts = np.stack([spectrum.real[:n_bins], spectrum.imag[:n_bins]])
    return [_responses(parts, bank) for bank in banks]


def _responses(parts: Float32Array, bank: _FilterBank) -> Float32Array:
    filters = bank.filters
    magnitude = np.empty((len(filters), _BLOCK_FRAMES), dtype=np.float32)
    # An octave at a time, in memory that stays in the cache.
    n_rows = len(filters) // N_OCTAVES
    folded_parts = np.zeros((2, n_rows, _BLOCK_FRAMES), dtype=np.float32)
    folded = np.empty((n_rows, _BLOCK_FRAMES), dtype=np.complex64)
    for first in range(0, len(filters), n_rows):
        for row, filter_ in enumerate(filters[first : first + n_rows]):
            weights, start = filter_.weights, filter_.start
            bins = parts[:, start : start + weights.size].reshape(2, *weights.shape)
            # A row's place on the circle of folded bins turns phases only, which are not wanted.
            # Filters become wider from octave to octave: what is beyond one is still 0.
            out = folded_parts[:, row, : weights.shape[1]]
            np.einsum("pij,ij->pj", bins, weights, out=out)
        folded.real, folded.imag = folded_parts
        np.abs(scipy.fft.ifft(folded, axis=1), out=magnitude[first : first + n_rows])
    magnitude *= bank.scales
    return magnitude


def _is_silent(samples: Float32Array) -> NDArray[np.bool_]:
    """Return in which frames of a block nothing sounds, shape (1440,)."""
    hops = samples.reshape(-1, HOP_LENGTH)
    peaks = np.maximum(hops.max(axis=1), -hops.min(axis=1))
    # A frame of the spectrum lies over two hops before its middle and two after.
    around = sliding_window_view(np.pad(peaks, (2, 1)), 4).max(axis=1)
    silent: NDArray[np.bool_] = around <= np.float32(_SILENCE) * peaks.max()
    return silent


class CqtStream:
    """Computes constant-Q magnitudes of a signal that arrives in blocks of any length.

    Stretches of 31.8 s are transformed at a time, always the same, so the result does not depend
    on how the signal was cut. One of them is held.

    Parameters
    ----------
    *resolutions
        Pairs of bins per octave (12 or 36) and the tuning in such bins, from -0.5 to 0.5.
    """

    def __init__(self, *resolutions: tuple[int, float]) -> None:
        self._banks = [_filterbank(bins, round(tuning, 4)) for bins, tuning in resolutions]
        self._block = np.zeros(_BLOCK_SAMPLES, dtype=np.float32)
        self._n_held = _MARGIN_FRAMES * HOP_LENGTH
        self._n_samples = 0
        self._n_frames = 0

    def push(self, samples: Float32Array) -> Iterator[list[Float32Array]]:
        """Take more of the signal; yield what is complete by now.

        Yields
        ------
        list of ndarray
            For each resolution the magnitudes of the next frames, shape (n_frames, n_bins).
        """
        self._n_samples += len(samples)
        while len(samples):
            part = samples[: _BLOCK_SAMPLES - self._n_held]
            samples = samples[len(part) :]
            self._block[self._n_held : self._n_held + len(part)] = part
            self._n_held += len(part)
            if self._n_held == _BLOCK_SAMPLES:
                yield self._transform(_USED_FRAMES)

    def finish(self) -> Iterator[list[Float32Array]]:
        """Yield what is left: the signal has 1 + n_samples // 512 frames in all."""
        n_left = 1 + self._n_samples // HOP_LENGTH - self._n_frames
        while n_left > 0:
            self._block[self._n_held :] = 0
            yield self._transform(min(n_left, _USED_FRAMES))
            n_left -= _USED_FRAMES

    def _transform(self, n_frames: int) -> list[Float32Array]:
        magnitudes = _block_magnitudes(self._block, self._banks)
        # What is cut off a filter at its reach rings through silence beside loud music.
        silent = _is_silent(self._block)
        for magnitude in magnitudes:
            loudest = magnitude.max(axis=0)
            magnitude[:, silent & (loudest < np.float32(_RINGING) * loudest.max())] = 0
        self._n_frames += n_frames
        n_used = _USED_FRAMES * HOP_LENGTH
        self._block[:-n_used] = self._block[n_used:]
        self._n_held = max(0, self._n_held - n_used)
        wanted = slice(_MARGIN_FRAMES, _MARGIN_FRAMES + n_frames)
        return [magnitude[:, wanted].T for magnitude in magnitudes]


def cqt_magnitude(
    signal: Float32Array, *, bins_per_octave: int = 12, tuning: float = 0.0
) -> Float32Array:
    """Return the constant-Q magnitudes of a whole signal: ``np.abs(librosa.cqt(signal)).T``.

    Parameters
    ----------
    signal
        Shape (n_samples,), mono at 22 050 Hz.
    bins_per_octave
        12 or 36.
    tuning
        In bins, from -0.5 to 0.5; see `tonotope.features.chroma.estimate_tuning`.

    Returns
    -------
    ndarray
        Shape (1 + n_samples // 512, 7 * bins_per_octave), float32; the first bin is C1 (32.7 Hz).
    """
    stream = CqtStream((bins_per_octave, tuning))
    stretches = [*stream.push(signal), *stream.finish()]
    return np.concatenate([stretch[0] for stretch in stretches])
