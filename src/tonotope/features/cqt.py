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
from typing import Self

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
# Of the matrix that a block is transformed as.
_ROWS = 1024
# How far a filter reaches in widths of its window's spectrum: as far as a zero, since what is cut
# off elsewhere rings ten times as loud. What is beyond makes less than 1 % of it.
_REACH = 4.0
_STEPS = 8192
# Frames whose samples are this far (100 dB) below the loudest of their block are silent.
_SILENCE = 1e-5
# How loud filters ring in them at most, relative to the loudest frame: 70 dB below.
_RINGING = 3e-4


@dataclass(frozen=True, slots=True)
class _Octave:
    """The filters of an octave in the frequency domain.

    Attributes
    ----------
    starts
        For each filter the first bin of the block's spectrum that it lets through.
    widths
        How many bins each filter lets through.
    weights
        Of the bins from there on, shape (n_filters, n_bins): whole folds, where it is more than
        one.
    """

    starts: NDArray[np.int64]
    widths: NDArray[np.int64]
    weights: Float32Array

    @classmethod
    def empty(cls, starts: NDArray[np.int64], widths: NDArray[np.int64]) -> Self:
        """Return filters whose weights are 0 as yet."""
        n_bins = int(widths.max())
        if n_bins > _BLOCK_FRAMES:
            n_bins = -(-n_bins // _BLOCK_FRAMES) * _BLOCK_FRAMES
        return cls(starts, widths, np.zeros((len(starts), n_bins), dtype=np.float32))

    def an_octave_lower(self) -> Self:
        """Return the filters of the octave below: the same with every second weight."""
        lower = self.empty(self.starts // 2, -(-self.widths // 2))
        n_bins = int(lower.widths.max())
        lower.weights[:, :n_bins] = self.weights[:, : 2 * n_bins : 2]
        return lower


@dataclass(frozen=True, slots=True)
class _FilterBank:
    """The filters of all octaves, the lowest first, and what each one's response is scaled by."""

    octaves: tuple[_Octave, ...]
    scales: Float32Array

    @property
    def n_bins(self) -> int:
        """How many bins of the block's spectrum it needs."""
        return max(int((octave.starts + octave.weights.shape[1]).max()) for octave in self.octaves)


# Of both resolutions for one track: the next one is tuned otherwise.
@lru_cache(maxsize=2)
def _filterbank(bins_per_octave: int, tuning_bins: float) -> _FilterBank:
    bins = np.arange(bins_per_octave * N_OCTAVES) + tuning_bins
    frequencies_hz = C1_HZ * 2.0 ** (bins / bins_per_octave)
    ratio = 2.0 ** (2 / bins_per_octave)
    lengths = (ratio + 1) / (ratio - 1) * SAMPLE_RATE_HZ / frequencies_hz
    centres = frequencies_hz[-bins_per_octave:] * (_BLOCK_SAMPLES / SAMPLE_RATE_HZ)
    octave = _highest_octave(centres, lengths[-bins_per_octave:] / _BLOCK_SAMPLES)
    octaves = [octave]
    while len(octaves) < N_OCTAVES:
        octaves.append(octave := octave.an_octave_lower())
    # 1 / hop: the transform back is shorter than the one there.
    scales = (np.sqrt(lengths) / HOP_LENGTH).astype(np.float32)
    return _FilterBank(tuple(reversed(octaves)), scales[:, np.newaxis])


def _highest_octave(centres: NDArray[np.float64], steps: NDArray[np.float64]) -> _Octave:
    """Return the filters of the highest octave.

    Parameters
    ----------
    centres
        In bins; to the nearest of them, which moves no filter by more than 0.02 cents.
    steps
        Length of each filter's window, in blocks.
    """
    middles = np.rint(centres).astype(np.int64)
    reaches = np.floor(_REACH / steps).astype(np.int64)
    # A bin that all octaves have; weights are 0 from there to the filter.
    starts = (middles - reaches) // 2**N_OCTAVES * 2**N_OCTAVES
    octave = _Octave.empty(starts, middles + reaches + 1 - starts)
    bins = np.arange(reaches.max() + 1, dtype=np.float32)
    for row, reach, middle, step in zip(
        octave.weights, reaches, middles - starts, steps, strict=True
    ):
        # Looked up, which is half the time of the sines: in a table fine enough for 0.01 %.
        place = bins[: reach + 1] * np.float32(step * _STEPS)
        place += np.float32(0.5)
        above = _hann_spectrum().take(place.astype(np.int32), mode="clip")
        row[middle : middle + reach + 1] = above
        row[middle - reach : middle] = above[:0:-1]
    return octave


@cache
def _hann_spectrum() -> Float32Array:
    """Return the spectrum of a Hann window of sum 1, from its centre up to the reach."""
    u = np.arange(_REACH * _STEPS + 1) / _STEPS
    return (np.sinc(u) + 0.5 * (np.sinc(u - 1) + np.sinc(u + 1))).astype(np.float32)


def _low_spectrum(samples: Float32Array, n_bins: int) -> Float32Array:
    """Return real and imaginary part of a block's spectrum, shape (2, at least n_bins).

    One long transform as many short ones along either axis of a matrix (Cooley and Tukey), which
    are computed several at a time: less than half the time of SciPy's transform of the whole.
    """
    first = scipy.fft.rfft(samples.reshape(_ROWS, -1), axis=0)
    first *= _twiddles()
    second = scipy.fft.fft(first, axis=1, overwrite_x=True)
    # Bin row + _ROWS * column; those of the rows above the half are the conjugates of others.
    n_half, n_columns = len(second), -(-n_bins // _ROWS)
    below = second[:, :n_columns].T
    above = second[_ROWS - n_half : 0 : -1, : -n_columns - 1 : -1].T
    parts = np.empty((2, n_columns, _ROWS), dtype=np.float32)
    parts[0, :, :n_half], parts[1, :, :n_half] = below.real, below.imag
    parts[0, :, n_half:] = above.real
    np.negative(above.imag, out=parts[1, :, n_half:])
    return parts.reshape(2, -1)


@cache
def _twiddles() -> NDArray[np.complex64]:
    turns = np.outer(np.arange(_ROWS // 2 + 1), np.arange(_BLOCK_SAMPLES // _ROWS))
    twiddles: NDArray[np.complex64] = np.exp(-2j * np.pi / _BLOCK_SAMPLES * turns).astype(
        np.complex64
    )
    twiddles.flags.writeable = False
    return twiddles


def _block_magnitudes(samples: Float32Array, banks: Sequence[_FilterBank]) -> list[Float32Array]:
    """Return for each bank the magnitude of its filters' responses, shape (n_filters, 1440)."""
    parts = _low_spectrum(samples, max(bank.n_bins for bank in banks))
    return [_responses(parts, bank) for bank in banks]


def _responses(parts: Float32Array, bank: _FilterBank) -> Float32Array:
    magnitude = np.empty((len(bank.scales), _BLOCK_FRAMES), dtype=np.float32)
    # An octave at a time, in memory that stays in the cache.
    n_rows = len(bank.scales) // N_OCTAVES
    folded_parts = np.zeros((2, n_rows, _BLOCK_FRAMES), dtype=np.float32)
    folded = np.empty((n_rows, _BLOCK_FRAMES), dtype=np.complex64)
    for k, octave in enumerate(bank.octaves):
        # Filters become wider from octave to octave: what is beyond one is still 0.
        _fold(parts, octave, out=folded_parts)
        folded.real, folded.imag = folded_parts
        rows = slice(k * n_rows, (k + 1) * n_rows)
        np.abs(scipy.fft.ifft(folded, axis=1, overwrite_x=True), out=magnitude[rows])
    magnitude *= bank.scales
    return magnitude


def _fold(parts: Float32Array, octave: _Octave, *, out: Float32Array) -> None:
    """Multiply a spectrum by an octave's filters, and add up what is a fold apart.

    A row's place on the circle of folded bins turns phases only, which are not wanted.
    """
    n_bins = octave.weights.shape[1]
    if n_bins <= _BLOCK_FRAMES:
        bins = sliding_window_view(parts, n_bins, axis=1)[:, octave.starts]
        np.multiply(bins, octave.weights, out=out[:, :, :n_bins])
        return
    for row, (start, width) in enumerate(zip(octave.starts, octave.widths, strict=True)):
        n_folds = -(-width // _BLOCK_FRAMES)
        stop = start + n_folds * _BLOCK_FRAMES
        bins = parts[:, start:stop].reshape(2, n_folds, _BLOCK_FRAMES)
        weights = octave.weights[row].reshape(-1, _BLOCK_FRAMES)[:n_folds]
        np.einsum("pij,ij->pj", bins, weights, out=out[:, row])


def _is_silent(samples: Float32Array) -> NDArray[np.bool_]:
    """Return in which frames of a block nothing sounds, shape (1440,)."""
    peaks = np.abs(samples).reshape(-1, HOP_LENGTH).max(axis=1)
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
