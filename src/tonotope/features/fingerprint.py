"""What a recording is recognised by: marks of how its spectrum changes, and its harmony over time.

Two encodings of one recording have nearly the same marks, a remaster or a cut of it still most of
them; a live take or a cover has others, and its harmony alone is alike.

References
----------
J. Haitsma, T. Kalker, "A highly robust audio fingerprinting system", ISMIR 2002: the marks, here of
the logarithm of the energy, which an equaliser shifts and does not turn, five a second in place
of 86. J. Serrà, X. Serra, R. G. Andrzejak, "Cross recurrence quantification for cover song
identification", New Journal of Physics 11, 2009: the harmony.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tonotope.features import chroma
from tonotope.features.frames import BatchSpectrum, FrameBuffer
from tonotope.features.mel import N_MELS
from tonotope.features.stft import HOP_LENGTH, SAMPLE_RATE_HZ, Float32Array
from tonotope.features.tonal import pitch_class_profile

__all__ = [
    "CHROMA_PERIOD_S",
    "MARK_BLOCKS",
    "MARK_PERIOD_S",
    "N_SPECTRUM_BANDS",
    "Fingerprint",
    "FingerprintStream",
]

_MARK_FRAMES = 8
_CHROMA_FRAMES = 32
MARK_PERIOD_S = _MARK_FRAMES * HOP_LENGTH / SAMPLE_RATE_HZ
"""From one mark to the next: 186 ms."""
CHROMA_PERIOD_S = _CHROMA_FRAMES * HOP_LENGTH / SAMPLE_RATE_HZ
"""From one row of chroma to the next: 743 ms."""
N_SPECTRUM_BANDS = 32

# An hour: who is to recognise a longer file knows it by then. 140 kB.
_MOST_S = 3600.0
# 33 bands of three mel bands each, 130 to 5 300 Hz: what every encoder keeps.
_N_BANDS = 33
_MELS_PER_BAND = 3
_FIRST_MEL = 4
# A mark compares sums over 1.3 s, weighted by a triangle, 1.1 s apart: long beside 93 ms, by which
# the marks of two copies may lie beside each other.
_SMOOTHING = np.array([1, 2, 3, 4, 3, 2, 1], np.float64) / 16
_LAG = 6
MARK_BLOCKS = len(_SMOOTHING) + _LAG
"""How many periods long the sound is that a mark is made of; it begins with the mark."""
# Below this mean power in the mel bands (78 dB below full scale), or 60 dB below the track's
# loudest, there is nothing to recognise: what an encoder leaves there is its own.
_AUDIBLE_POWER = 1e-6
_AUDIBLE_SHARE = 1e-6
# Bins up to 4 kHz, which peaks are looked for in, and their neighbours.
_N_PEAK_BINS = 374


@dataclass(frozen=True, slots=True, eq=False)
class Fingerprint:
    """What a recording is recognised by: about 2.3 kB a minute, of the first hour at most.

    Attributes
    ----------
    marks
        Shape (n_marks,), uint32, one each 186 ms. A bit is whether the energy of a band of the
        spectrum fell against that of the next. 0 where nothing is to be heard.
    chroma
        Shape (n_rows, 12), uint8, one row each 743 ms, C first: how strong each pitch class is,
        the strongest 255; 0 where there is no pitch.
    spectrum_db
        Shape (32,), float32: mean power of groups of four mel bands, in dB. -100 where there is
        none.
    """

    marks: NDArray[np.uint32]
    chroma: NDArray[np.uint8]
    spectrum_db: Float32Array


class _BlockMeans:
    """Means over so many frames at a time, however the frames are cut into batches."""

    def __init__(self, n_frames: int, n_columns: int) -> None:
        self._n_frames = n_frames
        self._rows = FrameBuffer(n_columns)
        self._begun = np.zeros(n_columns, np.float32)
        self._n_begun = 0

    @property
    def n_rows(self) -> int:
        return self._rows.n_frames

    def push(self, frames: Float32Array) -> None:
        shares = _shares(self._n_begun, len(frames), self._n_frames)
        means: Float32Array = shares @ frames
        means[0] += self._begun
        self._n_begun = (self._n_begun + len(frames)) % self._n_frames
        if self._n_begun:
            self._begun = means[-1].copy()
            means = means[:-1]
        else:
            self._begun = np.zeros_like(self._begun)
        if len(means):
            self._rows.append(means)

    def take(self) -> Float32Array:
        # What is left of a block at the end is no whole one, and goes.
        return self._rows.take()


@lru_cache(maxsize=8)
def _shares(n_begun: int, n_frames: int, n_per_row: int) -> Float32Array:
    """Return which share of which row each frame is, shape (n_rows, n_frames).

    A small product of matrices takes a third of the time of sums along the frames.
    """
    row_of = (n_begun + np.arange(n_frames)) // n_per_row
    is_in = row_of == np.arange(row_of[-1] + 1)[:, np.newaxis]
    shares: Float32Array = is_in.astype(np.float32) / np.float32(n_per_row)
    return shares


class FingerprintStream:
    """Takes a track's frames as they come; memory grows by 2.5 kB a second up to an hour.

    Examples
    --------
    >>> stream = FingerprintStream()
    >>> for batch in batches:
    ...     stream.push(batch)
    >>> fingerprint = stream.finish()
    """

    def __init__(self) -> None:
        self._mel = _BlockMeans(_MARK_FRAMES, N_MELS)
        self._power = _BlockMeans(_CHROMA_FRAMES, _N_PEAK_BINS)

    def push(self, spectrum: BatchSpectrum) -> None:
        """Take the next frames; those after the first hour are passed over."""
        if len(spectrum.mel) and self._mel.n_rows * MARK_PERIOD_S < _MOST_S:
            self._mel.push(spectrum.mel)
            self._power.push(spectrum.power[:, :_N_PEAK_BINS])

    def finish(self) -> Fingerprint:
        """Return the fingerprint of all frames."""
        mel = self._mel.take()
        return Fingerprint(_marks(mel), _chroma(self._power.take()), _spectrum_db(mel))


def _marks(mel: Float32Array) -> NDArray[np.uint32]:
    mels = slice(_FIRST_MEL, _FIRST_MEL + _N_BANDS * _MELS_PER_BAND)
    bands = mel[:, mels].reshape(len(mel), _N_BANDS, _MELS_PER_BAND).mean(axis=2, dtype=np.float64)
    n_marks = len(bands) - MARK_BLOCKS + 1
    if n_marks < 1:
        return np.zeros(0, np.uint32)
    n_sums = n_marks + _LAG
    sums = sum(weight * bands[k : k + n_sums] for k, weight in enumerate(_SMOOTHING))
    level = sums.mean(axis=1)
    is_audible = level > max(_AUDIBLE_POWER, _AUDIBLE_SHARE * level.max())
    slope = np.diff(np.log(np.maximum(sums, 1e-12)), axis=1)
    bits = slope[_LAG:] > slope[:-_LAG]
    marks = np.packbits(bits, axis=1).view(">u4")[:, 0].astype(np.uint32)
    marks[~(is_audible[_LAG:] & is_audible[:-_LAG])] = 0
    return marks


def _chroma(power: Float32Array) -> NDArray[np.uint8]:
    """Return the pitch classes of the peaks in mean spectra, as the track is tuned."""
    loudest = power.max(axis=1, initial=0.0)
    power = power * (loudest > _AUDIBLE_SHARE * loudest.max(initial=0.0))[:, np.newaxis]
    peaks = chroma.spectral_peaks(np.sqrt(power))
    octaves = chroma.octaves_of_loud_peaks(peaks.pitch_hz, peaks.height)
    profile = pitch_class_profile(
        peaks.frame,
        peaks.pitch_hz,
        peaks.height,
        n_frames=len(power),
        tuning=chroma.tuning_of_octaves(octaves, chroma.N_CHROMA),
    )
    return np.rint(profile * 255).astype(np.uint8)


def _spectrum_db(mel: Float32Array) -> Float32Array:
    if not len(mel):
        return np.full(N_SPECTRUM_BANDS, -100.0, np.float32)
    power = mel.mean(axis=0, dtype=np.float64).reshape(N_SPECTRUM_BANDS, -1).mean(axis=1)
    decibels: Float32Array = (10 * np.log10(np.maximum(power, 1e-10))).astype(np.float32)
    return decibels
