"""True peak: how far the waveform reaches between its samples, ITU-R BS.1770-4, annex 2.

A digital peak is the largest sample; what a converter or a lossy codec makes of the samples is a
curve through them that can reach higher, and clip. Annex 2 finds the curve by four times
oversampling with an interpolating filter, and takes its largest magnitude.

The filter here is a sinc of 24 samples under a Hann window; its response is flat within 0.1 dB
up to 9.5 kHz. The one of 12 samples that the annex prints as an example has ripples of that size
throughout, reads a click of full scale 0.25 dB too low and has lost 1.5 dB at 10 kHz; this one
lets samples pass as they are, so a true peak is never below the sample peak.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from tonotope.features.stft import Float32Array

__all__ = ["TruePeakMeter", "interpolator", "true_peak", "true_peak_dbtp"]

_OVERSAMPLING = 4
_HALF_TAPS = 12
_N_TAPS = 2 * _HALF_TAPS

# Gaps between samples are judged one by one, by the curvature in the 100 ms around them, and
# filled in rows of 45. Each gap's window reaches 23 samples beyond its first.
_REACH = _N_TAPS - 1
_ROW_GAPS = 45
_CHUNK_ROWS = 49
_CHUNK_GAPS = _CHUNK_ROWS * _ROW_GAPS
_BATCH_GAPS = 30 * _CHUNK_GAPS


@cache
def interpolator() -> NDArray[np.float64]:
    """Return the weights of the 24 samples around a gap for three places in it.

    Returns
    -------
    ndarray
        Shape (3, 24), read-only: a quarter, a half and three quarters of the way from sample 11
        to sample 12.
    """
    places = _HALF_TAPS - 1 + np.arange(1, _OVERSAMPLING) / _OVERSAMPLING
    distance = np.arange(_N_TAPS) - places[:, np.newaxis]
    weights: NDArray[np.float64] = (
        np.sinc(distance) * np.cos(np.pi / 2 * distance / _HALF_TAPS) ** 2
    )
    weights.flags.writeable = False
    return weights


@cache
def _row_interpolator() -> Float32Array:
    """Return the matrix from 68 samples to three places in each of 45 gaps, shape (68, 135)."""
    matrix = np.zeros((_ROW_GAPS + _REACH, _ROW_GAPS, _OVERSAMPLING - 1), dtype=np.float32)
    for gap in range(_ROW_GAPS):
        matrix[gap : gap + _N_TAPS, gap] = interpolator().T
    matrix.flags.writeable = False
    return matrix.reshape(_ROW_GAPS + _REACH, -1)


@cache
def _bend_and_gain() -> tuple[float, float]:
    """Return how far the curve in a gap can leave the straight line between the gap's ends.

    Its magnitude is at most ``gain`` times the larger one of the two ends, and ``bend`` times the
    largest curvature, ``(x[n - 1] + x[n + 1]) / 2 - x[n]``, of the samples in reach.
    """
    gain, bend = 1.0, 0.0
    left, right = _HALF_TAPS - 1, _HALF_TAPS
    for place, weights in enumerate(interpolator(), start=1):
        # What weights add to a straight line is, but for a residue of level and slope, a
        # weighted sum of curvatures; its weights are twice the double sums of theirs.
        rest = weights.copy()
        rest[left] -= 1 - place / _OVERSAMPLING
        rest[right] -= place / _OVERSAMPLING
        level = float(rest.sum())
        slope = float(rest @ (np.arange(_N_TAPS) - left))
        rest[left] -= level - slope
        rest[right] -= slope
        gain = max(gain, 1 + abs(level) + 2 * abs(slope))
        bend = max(bend, 2 * float(np.abs(np.cumsum(np.cumsum(rest))).sum()))
    # A little more, for the rounding of float32.
    return bend * 1.00001, gain * 1.00001


class TruePeakMeter:
    """Finds the true peak of a signal that comes in blocks of any length.

    The curve between the samples is computed only where it can exceed the largest value so far,
    which by the bound on what the interpolator adds to a straight line is nearly nowhere. The
    result is that of oversampling everything.
    """

    def __init__(self) -> None:
        self._peak = 0.0
        # Silence before the first sample: the curve already swings there.
        self._span = np.zeros(_BATCH_GAPS + _REACH, dtype=np.float32)
        self._n_held = _REACH
        self._magnitude = np.empty_like(self._span)
        self._curvature = np.empty_like(self._span[1:-1])
        self._rows = sliding_window_view(self._span, _ROW_GAPS + _REACH)[::_ROW_GAPS]
        self._chunk_magnitude = _chunks(self._magnitude)
        self._chunk_curvature = _chunks(self._curvature)

    def push(self, samples: Float32Array) -> None:
        """Take more of the signal, shape (n_samples,)."""
        while len(samples):
            part = samples[: len(self._span) - self._n_held]
            samples = samples[len(part) :]
            self._span[self._n_held : self._n_held + len(part)] = part
            self._n_held += len(part)
            if self._n_held == len(self._span):
                self._look()
                self._span[:_REACH] = self._span[-_REACH:]
                self._n_held = _REACH

    def finish(self) -> None:
        """Take note that silence follows."""
        self.push(np.zeros(_REACH, dtype=np.float32))
        self._span[self._n_held :] = 0
        self._look()

    @property
    def peak(self) -> float:
        """The largest magnitude so far, full scale = 1; of the whole signal after `finish`."""
        return self._peak

    def _look(self) -> None:
        np.abs(self._span, out=self._magnitude)
        self._peak = max(self._peak, float(self._magnitude.max()))
        rows = self._rows_that_may_exceed()
        if len(rows):
            between = self._rows[rows] @ _row_interpolator()
            self._peak = max(self._peak, float(between.max()), -float(between.min()))

    def _rows_that_may_exceed(self) -> NDArray[np.intp]:
        span, curvature = self._span, self._curvature
        np.add(span[2:], span[:-2], out=curvature)
        curvature *= 0.5
        curvature -= span[1:-1]
        np.abs(curvature, out=curvature)
        bend, gain = _bend_and_gain()
        harmless = (self._peak - bend * self._chunk_curvature.max(axis=1)) / gain
        (lively,) = np.nonzero(self._chunk_magnitude.max(axis=1) > harmless)
        ends = self._chunk_magnitude[lively, _HALF_TAPS - 1 : _HALF_TAPS + _CHUNK_GAPS]
        high = ends > harmless[lively, np.newaxis].astype(np.float32)
        gaps = (high[:, :-1] | high[:, 1:]).reshape(-1, _CHUNK_ROWS, _ROW_GAPS)
        chunk, row = np.nonzero(gaps.any(axis=2))
        rows: NDArray[np.intp] = lively[chunk] * _CHUNK_ROWS + row
        return rows


def _chunks(values: Float32Array) -> Float32Array:
    """Return for each chunk of gaps all values in reach of it, as a view."""
    width = _CHUNK_GAPS + len(values) - _BATCH_GAPS
    return sliding_window_view(values, width)[::_CHUNK_GAPS]


def true_peak(signal: Float32Array) -> float:
    """Return the true peak of a signal in dB relative to full scale.

    Parameters
    ----------
    signal
        Shape (n_samples,), mono at 22 050 Hz, full scale = 1.

    Returns
    -------
    float
        In dBTP; above 0 where the curve through the samples leaves full scale. NaN of silence.

    References
    ----------
    ITU-R BS.1770-4 (2015), annex 2.
    """
    meter = TruePeakMeter()
    meter.push(np.asarray(signal, dtype=np.float32))
    meter.finish()
    return true_peak_dbtp(meter.peak)


def true_peak_dbtp(peak: float) -> float:
    """Return a peak in dB relative to full scale; NaN of 0."""
    return 20 * float(np.log10(peak)) if peak > 0 else float("nan")
