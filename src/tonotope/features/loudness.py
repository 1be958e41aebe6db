"""How loud a signal is and how much that varies: ITU-R BS.1770-4, EBU R 128, EBU Tech 3342.

Everything but the true peak is made from two energies per 100 ms (`tonotope.features.weighting`),
so windows of 400 ms and of 3 s are sums of neighbours, and little has to be kept of a signal.

The signal is mono at 22 050 Hz; what that means for the figures is told in docs/features/level.md.
Where there is nothing to measure a figure is NaN, which tables skip. (Minus infinity, as other
meters have it, would end up in means.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from tonotope.features.oversampling import TruePeakMeter, true_peak_dbtp
from tonotope.features.stft import Float32Array
from tonotope.features.weighting import (
    CHUNK_SAMPLES,
    FADING,
    WeightedEnergies,
    weighted_energies,
)

__all__ = [
    "Level",
    "LoudnessMeter",
    "dynamic_complexity",
    "integrated_loudness",
    "loudness_range",
    "momentary_loudness",
]

Float64Array = NDArray[np.float64]

# Windows in steps of 100 ms.
_MOMENTARY_STEPS = 4
_SHORT_TERM_STEPS = 30

# Makes a sine of 997 Hz with peaks at full scale -3.01 LUFS.
_LUFS_OF_POWER_1 = -0.691
_ABSOLUTE_GATE_LUFS = -70.0
_RELATIVE_GATE_LU = -10.0
_RANGE_GATE_LU = -20.0
_RANGE_PERCENTILES = (10, 95)
_LEAST_MOMENTARY_LUFS = -120.0

_SILENCE_DB = -100.0
_STEP_FADING = FADING**CHUNK_SAMPLES
_FRAME_FADING = FADING ** (2 * CHUNK_SAMPLES)
# How much more a frame counts per decibel.
_WEIGHT_PER_DB = 1 / 0.9


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """How loud a signal is and how much that varies.

    Attributes
    ----------
    integrated_lufs
        See `integrated_loudness`; NaN if no 400 ms of the signal are above -70 LUFS.
    loudness_range_lu
        See `loudness_range`; NaN if no 3 s of the signal are above -70 LUFS.
    true_peak_dbtp
        See `tonotope.features.oversampling.true_peak`; NaN of silence.
    dynamic_complexity_db
        See `dynamic_complexity`; NaN if no reading of it is above -100 dB.
    momentary_lufs
        See `momentary_loudness`.
    """

    integrated_lufs: float
    loudness_range_lu: float
    true_peak_dbtp: float
    dynamic_complexity_db: float
    momentary_lufs: Float32Array


class LoudnessMeter:
    """Measures the level of a signal that comes in blocks.

    Holds three seconds of the signal and two numbers per 100 ms. How the signal is cut changes
    nothing, not even the last bit of a result.

    Examples
    --------
    >>> meter = LoudnessMeter()
    >>> for block in blocks:
    ...     meter.push(block)
    >>> meter.finish()
    >>> meter.result.integrated_lufs
    """

    def __init__(self) -> None:
        self._energies = WeightedEnergies()
        self._peak = TruePeakMeter()
        self._result: Level | None = None

    def push(self, block: Float32Array) -> None:
        """Take more samples: shape (n_samples,), mono at 22 050 Hz, full scale = 1."""
        self._energies.push(block)
        self._peak.push(block)

    def finish(self) -> None:
        """Take note that no more samples come."""
        energies = self._energies.finish()
        self._peak.finish()
        power = _power(energies)
        self._result = Level(
            integrated_lufs=_integrated_lufs(power),
            loudness_range_lu=_range_lu(power),
            true_peak_dbtp=true_peak_dbtp(self._peak.peak),
            dynamic_complexity_db=_dynamic_complexity_db(energies[:, 1]),
            momentary_lufs=_momentary_lufs(power),
        )

    @property
    def result(self) -> Level:
        """The level of the whole signal; only after `finish`."""
        if self._result is None:
            raise ValueError("no level before finish()")
        return self._result


def momentary_loudness(signal: Float32Array) -> Float32Array:
    """Return the loudness of 400 ms every 100 ms, without any gate.

    Parameters
    ----------
    signal
        Shape (n_samples,), mono at 22 050 Hz, full scale = 1.

    Returns
    -------
    ndarray
        Shape (max(0, n_samples // 2205 - 3),), float32, in LUFS: that of the samples from
        ``2205 * i`` to ``2205 * i + 8820``. At least -120, which stands for silence.

    References
    ----------
    EBU Tech 3341, "Loudness metering: EBU mode metering", 2016.
    """
    return _momentary_lufs(_power(_energies(signal)))


def integrated_loudness(signal: Float32Array) -> float:
    """Return how loud a signal is as a whole, in LUFS.

    The mean power, K-weighted, of all 400 ms (every 100 ms) that are above -70 LUFS and not more
    than 10 LU below the mean of these.

    Parameters
    ----------
    signal
        Shape (n_samples,), mono at 22 050 Hz, full scale = 1.

    Returns
    -------
    float
        In LUFS; NaN if no 400 ms of the signal are above -70 LUFS.

    References
    ----------
    ITU-R BS.1770-4 (2015), annex 1; EBU R 128.
    """
    return _integrated_lufs(_power(_energies(signal)))


def loudness_range(signal: Float32Array) -> float:
    """Return how far apart the soft and the loud parts of a signal are, in LU.

    The distance from the 10th to the 95th percentile of the loudness of all 3 s (every 100 ms)
    that are above -70 LUFS and not more than 20 LU below the mean power of these. Percentiles are
    interpolated. Only windows that lie in the signal count.

    Parameters
    ----------
    signal
        Shape (n_samples,), mono at 22 050 Hz, full scale = 1.

    Returns
    -------
    float
        In LU; NaN if no 3 s of the signal are above -70 LUFS.

    References
    ----------
    EBU Tech 3342, "Loudness range: a measure to supplement EBU R 128", 2016.
    """
    return _range_lu(_power(_energies(signal)))


def dynamic_complexity(signal: Float32Array) -> float:
    """Return how restless the loudness of a signal is, in dB.

    The loudness is Vickers': a high-pass of first order at 200 Hz, squared, smoothed by a memory
    that fades with a time constant of 35 ms, in decibels, not below -100, read every 200 ms.
    Readings of -100 dB at both ends are left out. Of the others the global loudness is the mean,
    a reading of ``v`` dB weighted by ``0.9 ** -v``; the complexity is the mean distance from it.
    This is what Essentia's ``DynamicComplexity`` computes at 44.1 kHz.

    Parameters
    ----------
    signal
        Shape (n_samples,), mono at 22 050 Hz, full scale = 1.

    Returns
    -------
    float
        In dB, at least 0; NaN if all readings are -100 dB, or the signal is shorter than 200 ms.

    References
    ----------
    S. Streich, "Music complexity: a multi-faceted description of audio content", PhD thesis,
    UPF Barcelona, 2007. E. Vickers, "Automatic long-term loudness and dynamics matching",
    AES 111, 2001.
    """
    return _dynamic_complexity_db(_energies(signal)[:, 1])


def _energies(signal: Float32Array) -> Float64Array:
    return weighted_energies(np.asarray(signal, dtype=np.float32))


def _power(energies: Float64Array) -> Float64Array:
    """Return the K-weighted power of each 100 ms."""
    return energies[:, 0] / CHUNK_SAMPLES


def _window_power(power: Float64Array, n_steps: int) -> Float64Array:
    """Return the power of all windows of so many steps, none if the signal is shorter."""
    if len(power) < n_steps:
        return np.empty(0)
    mean: Float64Array = sliding_window_view(power, n_steps).mean(axis=1)
    return mean


def _lufs(power: Float64Array) -> Float64Array:
    return _LUFS_OF_POWER_1 + 10 * np.log10(power)


def _power_of(lufs: float) -> float:
    return float(10 ** ((lufs - _LUFS_OF_POWER_1) / 10))


def _gated(power: Float64Array, relative_lu: float) -> Float64Array:
    """Return the powers above -70 LUFS and above a threshold relative to the mean of these."""
    heard = power[power > _power_of(_ABSOLUTE_GATE_LUFS)]
    if len(heard) == 0:
        return heard
    loud: Float64Array = heard[heard > heard.mean() * 10 ** (relative_lu / 10)]
    return loud


def _momentary_lufs(power: Float64Array) -> Float32Array:
    windows = _window_power(power, _MOMENTARY_STEPS)
    return _lufs(np.maximum(windows, _power_of(_LEAST_MOMENTARY_LUFS))).astype(np.float32)


def _integrated_lufs(power: Float64Array) -> float:
    heard = _gated(_window_power(power, _MOMENTARY_STEPS), _RELATIVE_GATE_LU)
    return float(_lufs(heard.mean())) if len(heard) else float("nan")


def _range_lu(power: Float64Array) -> float:
    heard = _gated(_window_power(power, _SHORT_TERM_STEPS), _RANGE_GATE_LU)
    if len(heard) == 0:
        return float("nan")
    low, high = np.percentile(_lufs(heard), _RANGE_PERCENTILES)
    return float(high - low)


def _dynamic_complexity_db(faded: Float64Array) -> float:
    """Return the dynamic complexity, given the fading energy of each 100 ms as it ends."""
    n_frames = len(faded) // 2
    if n_frames == 0:
        return float("nan")
    frames = faded[: 2 * n_frames : 2] * _STEP_FADING + faded[1 : 2 * n_frames : 2]
    # Of a frame 0.3 % are left after the next one, nothing after eight.
    memory = np.convolve(frames, _FRAME_FADING ** np.arange(8))[:n_frames]
    reading_db = 10 * np.log10(np.maximum((1 - FADING) * memory, 10 ** (_SILENCE_DB / 10)))
    (sounding,) = np.nonzero(reading_db > _SILENCE_DB)
    if len(sounding) == 0:
        return float("nan")
    reading_db = reading_db[sounding[0] : sounding[-1] + 1]
    global_db = np.average(reading_db, weights=_WEIGHT_PER_DB**reading_db)
    return float(np.abs(reading_db - global_db).mean())
