"""Beat histogram, pulse clarity and danceability: how regularly something begins.

The first hears at which tempi the onsets repeat themselves, the second how surely they do at the
best of these. The third looks at the level instead, over lengths from a third of a second to
nine seconds: a level that a beat holds in place fluctuates no more over long stretches than over
short ones.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from tonotope.features.stft import HOP_LENGTH, SAMPLE_RATE_HZ, Float32Array

__all__ = [
    "BEAT_BPM",
    "LEVEL_SAMPLES",
    "SEGMENT_LEVELS",
    "BeatHistogramSummary",
    "EnvelopeStream",
    "beat_histogram",
    "beat_histogram_summary",
    "danceability",
    "fluctuation_function",
    "pulse_clarity",
]

_FRAMES_PER_MINUTE = 60 * SAMPLE_RATE_HZ / HOP_LENGTH

BEAT_BPM = tuple(range(40, 241))
"""The tempi of a beat histogram: every whole number from 40 to 240 beats per minute."""

# 40 to 200 bpm, as in the MIRtoolbox.
_PULSE_LAGS = range(int(_FRAMES_PER_MINUTE / 200) + 1, int(_FRAMES_PER_MINUTE / 40) + 1)

LEVEL_SAMPLES = 220
"""How many samples make a level: 9.98 ms, as many as Essentia takes for 10 ms at this rate."""

_CHUNK_LEVELS = 256
# -120 dB under full scale: less is what float32 leaves of a constant.
_SILENCE = 1e-6

SEGMENT_LEVELS = tuple(int(31 * 1.1**k) for k in range(36))
"""The lengths of segments in the fluctuation analysis, in levels of 10 ms: 310 to 8710 ms, each
a tenth longer than the one before."""

_CHUNK_STARTS = 8192
_MIN_EXPONENT = 0.1


@cache
def _autocorrelation_of_window(n_lags: int) -> NDArray[np.float64]:
    """Return what the tempogram's window makes of a constant, 1 at lag 0 (see `mean_tempogram`)."""
    window = np.hanning(n_lags + 1)[:-1]
    fading = np.correlate(window, window, "full")[n_lags - 1 :]
    faded: NDArray[np.float64] = fading / fading[0]
    faded.flags.writeable = False
    return faded


@cache
def _lag_interpolation(n_lags: int) -> NDArray[np.float64]:
    """Return the matrix from lags in frames to the tempi, shape (201, n_lags).

    R. G. Keys, "Cubic convolution interpolation", IEEE TASSP 29(6), 1981. (SciPy's splines, no
    better here, would take a third of a second to import.)
    """
    periods = _FRAMES_PER_MINUTE / np.array(BEAT_BPM)
    d = np.abs(periods[:, np.newaxis] - np.arange(n_lags))
    near = 1 + d**2 * (1.5 * d - 2.5)
    far = 2 + d * (-4 + d * (2.5 - 0.5 * d))
    matrix: NDArray[np.float64] = np.where(d < 1, near, np.where(d < 2, far, 0))
    matrix.flags.writeable = False
    return matrix


def _beat_strengths(tempogram: NDArray[np.float64]) -> NDArray[np.float64]:
    n_lags = int(_FRAMES_PER_MINUTE / BEAT_BPM[0]) + 3
    in_range = slice(int(_FRAMES_PER_MINUTE / BEAT_BPM[-1]), n_lags - 1)
    fading = _autocorrelation_of_window(len(tempogram))[:n_lags]
    # The onset curve is nowhere negative: its mean gives every lag the same, faded share.
    share = np.mean(tempogram[in_range] / fading[in_range])
    strengths = _lag_interpolation(n_lags) @ (tempogram[:n_lags] - share * fading)
    return np.maximum(strengths, 0.0)


def beat_histogram(tempogram: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how strongly the onsets repeat themselves at each tempo from 40 to 240 bpm.

    Parameters
    ----------
    tempogram
        See `tonotope.features.tempo.mean_tempogram`, shape (344,): mean autocorrelation of the
        onset strength at lags of 0 to 343 frames.

    Returns
    -------
    ndarray
        Shape (201,), float64, for the tempi of `BEAT_BPM`: the autocorrelation at that beat's
        length (cubic between frames) as far as it is above its mean over the lags of this
        range, 10 to 65 frames, divided by the sum over all. Zeros where nothing repeats itself.

    Notes
    -----
    What repeats itself every beat does so every two and three beats: half and a third of a tempo
    show up as well, somewhat weaker. The paper subtracts the curve stretched by two to remove
    them, and takes three peaks of each three seconds; that removes the beat itself where
    quavers are as strong, and is left out.

    References
    ----------
    G. Tzanetakis, P. Cook, "Musical genre classification of audio signals", IEEE TSAP 10(5), 2002.
    """
    strengths = _beat_strengths(tempogram)
    total = strengths.sum()
    return strengths / total if total > 0 else strengths


class BeatHistogramSummary(NamedTuple):
    """What `beat_histogram_summary` returns; 0 for what there is none of.

    Attributes
    ----------
    first_bpm, second_bpm
        The tempi of the two highest peaks of the histogram, the higher one first.
    first_amplitude, second_amplitude
        Their heights in the histogram, whose sum is 1.
    ratio
        The second over the first amplitude, between 0 and 1.
    total
        The sum of the histogram before it is divided by it: how much repeats itself at all.
    """

    first_bpm: float
    first_amplitude: float
    second_bpm: float
    second_amplitude: float
    ratio: float
    total: float


def beat_histogram_summary(tempogram: NDArray[np.float64]) -> BeatHistogramSummary:
    """Return the six numbers that Tzanetakis and Cook take from a beat histogram.

    Parameters
    ----------
    tempogram
        See `beat_histogram`.

    Returns
    -------
    BeatHistogramSummary
        See there for each number's definition. A peak is higher than both its neighbours; the
        ends of the range are none.
    """
    strengths = _beat_strengths(tempogram)
    total = float(strengths.sum())
    middle = strengths[1:-1]
    peaks = 1 + np.flatnonzero((middle > strengths[:-2]) & (middle >= strengths[2:]))
    if len(peaks) == 0:
        return BeatHistogramSummary(0.0, 0.0, 0.0, 0.0, 0.0, total)
    highest = peaks[np.argsort(-strengths[peaks], kind="stable")][:2]
    bpm = [float(BEAT_BPM[peak]) for peak in highest] + [0.0]
    amplitude = [float(strengths[peak]) / total for peak in highest] + [0.0]
    return BeatHistogramSummary(
        first_bpm=bpm[0],
        first_amplitude=amplitude[0],
        second_bpm=bpm[1],
        second_amplitude=amplitude[1],
        ratio=amplitude[1] / amplitude[0],
        total=total,
    )


def pulse_clarity(onsets: Float32Array) -> float:
    """Return how surely a pulse is felt: the highest autocorrelation of the onset strength.

    Parameters
    ----------
    onsets
        See `tonotope.features.onset.onset_strength`, shape (n_frames,).

    Returns
    -------
    float
        Between 0 and 1: the autocorrelation, relative to lag 0, of the onset strength less its
        mean, at its highest peak between 200 and 40 bpm (lags of 13 to 64 frames, each divided
        by the share of frames that overlap; none longer than half the curve). 0 where there is
        no peak, where nothing begins, and for less than 1.3 s.

    Notes
    -----
    How strong the onsets are does not matter, only how regular: a ripple too faint to hear counts
    as a pulse where there is nothing else, as in a tone without any noise. Where a beat is half a
    frame longer than frames are, sharp onsets read up to a quarter lower.

    References
    ----------
    O. Lartillot et al., "Multi-feature modeling of pulse clarity", ISMIR 2008: the feature MAX
    (``mirpulseclarity(…, 'MaxAutocor')`` in the MIRtoolbox), here on librosa's onset strength and
    without a resonance curve.
    """
    n_lags = min(_PULSE_LAGS.stop + 1, len(onsets) // 2 + 1)
    if n_lags < _PULSE_LAGS.start + 2:
        return 0.0
    centred = onsets - np.mean(onsets, dtype=np.float64)
    spectrum = scipy.fft.rfft(centred, scipy.fft.next_fast_len(len(onsets) + n_lags, real=True))
    correlation = scipy.fft.irfft(np.square(np.abs(spectrum)))[:n_lags]
    energy = np.sum(np.square(onsets, dtype=np.float64))
    if correlation[0] <= 1e-12 * energy:
        return 0.0
    correlation /= correlation[0] * (1 - np.arange(n_lags) / len(onsets))
    middle, before, after = (
        correlation[_PULSE_LAGS.start + k : n_lags - 1 + k] for k in (0, -1, 1)
    )
    peaks = middle[(middle > before) & (middle >= after)]
    return float(np.clip(np.max(peaks, initial=0.0), 0.0, 1.0))


class EnvelopeStream:
    """Measures the level of a signal every 10 ms as its samples come.

    The levels do not depend on how the signal is cut into blocks. One number per 220 samples is
    held, and a buffer of 2.6 s.
    """

    def __init__(self) -> None:
        self._buffer = np.empty(_CHUNK_LEVELS * LEVEL_SAMPLES, np.float32)
        self._n_buffered = 0
        self._levels = [np.empty(0, np.float32)]

    def push(self, block: Float32Array) -> None:
        """Take more of the signal, shape (n_samples,), mono at 22 050 Hz, full scale = 1."""
        while len(block):
            part = block[: len(self._buffer) - self._n_buffered]
            self._buffer[self._n_buffered : self._n_buffered + len(part)] = part
            self._n_buffered += len(part)
            block = block[len(part) :]
            if self._n_buffered == len(self._buffer):
                self._measure()

    def finish(self) -> None:
        """Take note that no more samples come; fewer than 220 that are left have no level."""
        self._measure()

    @property
    def values(self) -> Float32Array:
        """The levels so far, shape (n_levels,), float32; all of them after `finish`.

        Each is the standard deviation of 220 samples around their mean; 0 where it is more than
        120 dB below full scale.
        """
        return np.concatenate(self._levels)

    def _measure(self) -> None:
        n_levels = self._n_buffered // LEVEL_SAMPLES
        samples = self._buffer[: n_levels * LEVEL_SAMPLES].reshape(-1, LEVEL_SAMPLES)
        self._n_buffered = 0
        means = samples @ np.full((LEVEL_SAMPLES, 1), 1 / LEVEL_SAMPLES, np.float32)
        samples -= means
        levels = np.sqrt(np.einsum("ij,ij->i", samples, samples) / (LEVEL_SAMPLES - 1))
        levels[levels < _SILENCE] = 0
        self._levels.append(levels)


def _squared_residuals(series: NDArray[np.float64], first: int) -> NDArray[np.float64]:
    """Return for each length the sum of the segments' mean squared residuals, and their number.

    The segments are those of the running sum of `series` that begin among its first 8192 places
    and, counted from `first`, at multiples of a fiftieth of their length. Shape (36, 2).
    """
    # To a constant and to a slope of the running sum the lines fit themselves: it may begin
    # anywhere, and taking away the mean only keeps it small.
    profile = np.cumsum(series - series.mean())
    place = np.arange(len(series) + 1) - len(series) / 2
    sums = np.zeros((3, len(series) + 1))
    for row, values in enumerate((profile, np.square(profile), place[:-1] * profile)):
        np.cumsum(values, out=sums[row, 1:])
    residuals = np.zeros((len(SEGMENT_LEVELS), 2))
    for row, length in enumerate(SEGMENT_LEVELS):
        jump = max(length // 50, 1)
        start, stop = -first % jump, min(len(series) - length + 1, _CHUNK_STARTS)
        if start >= stop:
            continue
        starts, ends = slice(start, stop, jump), slice(start + length, stop + length, jump)
        sum_y, sum_yy, sum_xy = sums[:, ends] - sums[:, starts]
        # From places in the piece to places around the middle of each segment.
        sum_xy -= (place[starts] + (length - 1) / 2) * sum_y
        sum_xx = length * (length**2 - 1) / 12
        residual = sum_yy.sum() - sum_y @ sum_y / length - sum_xy @ sum_xy / sum_xx
        residuals[row] = residual / length, len(sum_y)
    return residuals


def fluctuation_function(series: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return how far the running sum of a series strays from straight lines, by their length.

    Detrended fluctuation analysis of the first order.

    Parameters
    ----------
    series
        Shape (n,).

    Returns
    -------
    ndarray
        Shape (n_lengths,), float64, for the lengths of `SEGMENT_LEVELS` that are not longer than
        the series, up to 36: root of the mean, over segments of that length (all, or if longer
        than a hundred those that begin at multiples of a fiftieth of it), of the mean squared
        residual of the best line. It grows like the length to the power of 0.5 for white noise,
        of 1.5 for a random walk.

    References
    ----------
    C.-K. Peng et al., "Mosaic organization of DNA nucleotides", Physical Review E 49(2), 1994.
    """
    n_lengths = sum(length <= len(series) for length in SEGMENT_LEVELS)
    sums = np.zeros((len(SEGMENT_LEVELS), 2))
    overlap = SEGMENT_LEVELS[-1] - 1
    for first in range(0, len(series) - SEGMENT_LEVELS[0] + 1, _CHUNK_STARTS):
        piece = np.asarray(series[first : first + _CHUNK_STARTS + overlap], np.float64)
        sums += _squared_residuals(piece, first)
    residual, count = sums[:n_lengths].T
    # Rounding may leave less than nothing of what lies on a line.
    fluctuation: NDArray[np.float64] = np.sqrt(np.maximum(residual, 0) / count)
    return fluctuation


def danceability(levels: NDArray[np.floating]) -> float:
    """Return how danceable music is by the regularity of its level.

    Parameters
    ----------
    levels
        One per 10 ms, see `EnvelopeStream`, shape (n_levels,).

    Returns
    -------
    float
        One over the mean exponent with which the `fluctuation_function` grows from each length
        to the next, from 310 to 8710 ms: about 0.5 for a drone that swells, 0.7 to 2.6 for
        music, more for a beat that holds the level in place. At most 10, which stands for
        exponents under 0.1, as exact repetition has them. 0 where the level never changes, and
        for less than 0.34 s.

    Notes
    -----
    Essentia's ``Danceability``, which differs in that it leaves out the last segment, divides by
    a number of segments that need not be whole, computes in float32 and knows no upper limit. As
    there, 3 is added to the lengths (in levels) because short segments are fitted too well.

    References
    ----------
    S. Streich, P. Herrera, "Detrended fluctuation analysis of music signals: danceability
    estimation and further semantic characterization", AES 118th Convention, 2005.
    """
    fluctuation = fluctuation_function(levels)
    if len(fluctuation) < 2 or np.ptp(levels) == 0:
        return 0.0
    lengths = np.log(np.array(SEGMENT_LEVELS[: len(fluctuation)]) + 3.0)
    floor = np.finfo(np.float64).eps * np.max(np.abs(levels))
    exponents = np.diff(np.log(np.maximum(fluctuation, floor))) / np.diff(lengths)
    return 1 / max(float(exponents.mean()), _MIN_EXPONENT)
