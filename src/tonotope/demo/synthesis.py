"""Oscillators, noise, envelopes and filters: what every instrument is made of.

Everything here takes and returns arrays and holds no state. Sound is float32 and time runs along
the first axis; frequencies may be one number or one number per sample, which is how glides,
vibrato and arpeggios are made.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy import fft, signal

__all__ = [
    "Audio",
    "bandpass",
    "decay",
    "envelope",
    "fm_tone",
    "held_noise",
    "highpass",
    "hz",
    "lowpass",
    "n_samples",
    "noise",
    "plucked_string",
    "pulse",
    "saw",
    "sine",
    "swept_lowpass",
    "triangle",
]

Audio = npt.NDArray[np.float32]
Frequency = float | npt.NDArray[np.float64]


def n_samples(duration_s: float, rate_hz: int) -> int:
    """Return how many samples `duration_s` seconds have."""
    return round(duration_s * rate_hz)


def hz(note: float) -> float:
    """Return the frequency of a MIDI note number (69 is A4, 440 Hz)."""
    return float(440.0 * 2.0 ** ((note - 69.0) / 12.0))


# --- oscillators --------------------------------------------------------------------------------


def _phase(frequency_hz: Frequency, n: int, rate_hz: int) -> npt.NDArray[np.float64]:
    """Return where in its cycle an oscillator is, from 0 up to 1, shape (n,)."""
    # In float64: a float32 count of cycles would be audibly out of tune within seconds.
    if isinstance(frequency_hz, np.ndarray):
        cycles = np.cumsum(frequency_hz[:n] / rate_hz, dtype=np.float64)
    else:
        cycles = np.arange(n, dtype=np.float64) * (frequency_hz / rate_hz)
    return cycles - np.floor(cycles)


def sine(frequency_hz: Frequency, n: int, rate_hz: int) -> Audio:
    """Return a sine, shape (n,)."""
    wave: Audio = np.sin(2 * np.pi * _phase(frequency_hz, n, rate_hz).astype(np.float32))
    return wave


def triangle(frequency_hz: Frequency, n: int, rate_hz: int) -> Audio:
    """Return a triangle, shape (n,). Its overtones fall fast enough to need no band limit."""
    phase = _phase(frequency_hz, n, rate_hz).astype(np.float32)
    wave: Audio = 4.0 * np.abs(phase - 0.5) - 1.0
    return wave


def saw(frequency_hz: Frequency, n: int, rate_hz: int) -> Audio:
    """Return a falling-spectrum saw with its jump band-limited by polyBLEP, shape (n,).

    Source: V. Välimäki and A. Huovilainen, "Antialiasing oscillators in subtractive synthesis",
    IEEE Signal Processing Magazine 24(2), 2007.
    """
    phase = _phase(frequency_hz, n, rate_hz)
    return (2.0 * phase - 1.0 - _blep(phase, frequency_hz, rate_hz)).astype(np.float32)


def pulse(frequency_hz: Frequency, n: int, rate_hz: int, width: float = 0.5) -> Audio:
    """Return a pulse wave of duty cycle `width`, both edges band-limited, without offset."""
    rising = _phase(frequency_hz, n, rate_hz)
    falling = np.where(rising < width, rising + 1.0 - width, rising - width)
    edges = _blep(rising, frequency_hz, rate_hz) - _blep(falling, frequency_hz, rate_hz)
    return (np.where(rising < width, 2.0, 0.0) - 2.0 * width + edges).astype(np.float32)


def _blep(
    phase: npt.NDArray[np.float64], frequency_hz: Frequency, rate_hz: int
) -> npt.NDArray[np.float64]:
    """Return what rounds off a jump from -1 to +1 at phase 0: two parabolas around it."""
    step = np.broadcast_to(np.asarray(frequency_hz) / rate_hz, phase.shape[:1])[: len(phase)]
    correction = np.zeros_like(phase)
    after = np.flatnonzero(phase < step)
    before = np.flatnonzero(phase > 1.0 - step)
    t = phase[after] / step[after]
    correction[after] = 2.0 * t - t * t - 1.0
    t = (phase[before] - 1.0) / step[before]
    correction[before] = t * t + 2.0 * t + 1.0
    return correction


def fm_tone(frequency_hz: float, n: int, rate_hz: int, *, ratio: float, index: Audio) -> Audio:
    """Return a sine whose phase another sine of `ratio` times its frequency moves.

    Parameters
    ----------
    frequency_hz
        The carrier.
    ratio
        The modulator's frequency over the carrier's; not a whole number for bells.
    index : np.ndarray [shape=(n,)]
        Depth of modulation in radians, sample by sample: the brightness.
    """
    carrier = 2 * np.pi * _phase(frequency_hz, n, rate_hz).astype(np.float32)
    tone: Audio = np.sin(carrier + index * sine(frequency_hz * ratio, n, rate_hz))
    return tone


def plucked_string(
    frequency_hz: float,
    n: int,
    rate_hz: int,
    rng: np.random.Generator,
    *,
    brightness_hz: float = 6000.0,
    sustain: float = 0.997,
) -> Audio:
    """Return a plucked string, shape (n,).

    Source: K. Karplus and A. Strong, "Digital synthesis of plucked-string and drum timbres",
    Computer Music Journal 7(2), 1983. A loop of a whole number of samples is out of tune, so the
    loop is made slightly short and read slightly slow.

    Parameters
    ----------
    brightness_hz
        Low-pass of the pluck: a fingertip is near 2000, a plectrum near 8000.
    sustain
        What a round trip leaves of the amplitude.
    """
    period = max(2, int(rate_hz / frequency_hz - 0.5))
    slowdown = frequency_hz * (period + 0.5) / rate_hz
    n_periods = int(n * slowdown / period) + 3
    string = np.zeros(1 + n_periods * period, dtype=np.float32)
    pluck = lowpass(noise(2 * period, rng), min(brightness_hz, 0.45 * rate_hz), rate_hz)[period:]
    string[1 : 1 + period] = pluck - pluck.mean()
    for start in range(1 + period, len(string), period):
        last = string[start - period - 1 : start]
        string[start : start + period] = np.float32(0.5 * sustain) * (last[1:] + last[:-1])
    string /= np.abs(pluck).max()
    heard = np.interp(1.0 + np.arange(n) * slowdown, np.arange(len(string)), string)
    tone: Audio = heard.astype(np.float32)
    return tone


# --- noise --------------------------------------------------------------------------------------


def noise(n: int, rng: np.random.Generator) -> Audio:
    """Return white noise between -1 and 1, shape (n,)."""
    wave: Audio = 2.0 * rng.random(n, dtype=np.float32) - 1.0
    return wave


def held_noise(n: int, clock_hz: float, rate_hz: int, rng: np.random.Generator) -> Audio:
    """Return the one-bit noise of a sound chip, a new value `clock_hz` times a second."""
    tick = (np.arange(n) * (clock_hz / rate_hz)).astype(np.intp)
    bits: Audio = rng.choice(np.array([-1.0, 1.0], dtype=np.float32), tick[-1] + 1)
    return bits[tick]


# --- envelopes ----------------------------------------------------------------------------------


def envelope(n: int, rate_hz: int, points: Sequence[tuple[float, float]]) -> Audio:
    """Return straight lines through `points` of (seconds, level), shape (n,).

    A time with a minus sign counts from the end, ``-0.0`` being the end itself: a note that fades
    over its last half second is ``[(0.0, 1.0), (-0.5, 1.0), (-0.0, 0.0)]``.
    """
    end_s = n / rate_hz
    times = [end_s + t if np.signbit(t) else t for t, _ in points]
    levels = [level for _, level in points]
    return np.interp(np.arange(n) / rate_hz, times, levels).astype(np.float32)


def decay(n: int, rate_hz: int, time_s: float) -> Audio:
    """Return an exponential decay to 1/e in `time_s`, with edges short enough not to click."""
    t_s = np.arange(n, dtype=np.float32) / rate_hz
    edge_s = np.minimum(t_s / 0.001, (n / rate_hz - t_s) / 0.008)
    fall: Audio = np.exp(-t_s / time_s) * np.minimum(edge_s, 1.0)
    return fall


# --- filters ------------------------------------------------------------------------------------


@cache
def _butterworth(
    kind: str, cutoff_hz: float | tuple[float, float], rate_hz: int
) -> npt.NDArray[np.float64]:
    sections: npt.NDArray[np.float64] = signal.butter(
        2, cutoff_hz, btype=kind, fs=rate_hz, output="sos"
    )
    return sections


def _filtered(kind: str, x: Audio, cutoff_hz: float | tuple[float, float], rate_hz: int) -> Audio:
    y: Audio = signal.sosfilt(_butterworth(kind, cutoff_hz, rate_hz), x, axis=0)
    return y.astype(np.float32, copy=False)


def lowpass(x: Audio, cutoff_hz: float, rate_hz: int) -> Audio:
    """Return `x`, shape (n,) or (n, 2), through a second-order Butterworth low-pass."""
    return _filtered("lowpass", x, cutoff_hz, rate_hz)


def highpass(x: Audio, cutoff_hz: float, rate_hz: int) -> Audio:
    """Return `x`, shape (n,) or (n, 2), through a second-order Butterworth high-pass."""
    return _filtered("highpass", x, cutoff_hz, rate_hz)


def bandpass(x: Audio, low_hz: float, high_hz: float, rate_hz: int) -> Audio:
    """Return `x`, shape (n,) or (n, 2), through a Butterworth band-pass."""
    return _filtered("bandpass", x, (low_hz, high_hz), rate_hz)


def swept_lowpass(x: Audio, cutoff_hz: Audio, rate_hz: int) -> Audio:
    """Return `x` through a low-pass whose cutoff moves, with a little resonance at the cutoff.

    The spectrum of each short block is weighted by the response that holds at its middle, which
    sweeps the filter without a loop over samples.

    Parameters
    ----------
    x : np.ndarray [shape=(n, 2)]
    cutoff_hz : np.ndarray [shape=(n,)]
    """
    block, hop = 1024, 512
    n_blocks = -(-len(x) // hop) + 1
    padded = np.zeros(((n_blocks + 1) * hop, x.shape[1]), dtype=np.float32)
    padded[hop : hop + len(x)] = x
    window = signal.get_window("hann", block).astype(np.float32)[:, None]
    blocks = np.lib.stride_tricks.sliding_window_view(padded, block, axis=0)[::hop]
    spectra = fft.rfft(blocks.swapaxes(1, 2) * window, axis=1)
    middle = np.minimum(np.arange(n_blocks) * hop, len(x) - 1)
    relative = fft.rfftfreq(block, 1 / rate_hz) / cutoff_hz[middle, None]
    gain = 1.0 / np.sqrt((1.0 - relative**2) ** 2 + (1.1 * relative) ** 2)
    blocks = fft.irfft(spectra * gain.astype(np.float32)[:, :, None], block, axis=1)
    swept = np.zeros_like(padded)
    for half in (0, 1):
        # A Hann window overlapped by half adds up to one: the even blocks, then the odd ones.
        part = blocks[half::2].reshape(-1, x.shape[1])
        swept[half * hop : half * hop + len(part)] += part
    return swept[hop : hop + len(x)]
