"""Where sounds meet: placing them in time and space, and what is done to the whole."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy import signal

from tonotope.demo.synthesis import Audio, envelope, highpass, lowpass, n_samples, noise

__all__ = ["Bus", "distort", "duck", "echo", "master", "reverb"]

PEAK_DBFS = -1.0


class Bus:
    """A stereo stretch of silence onto which sounds are placed.

    Attributes
    ----------
    samples : np.ndarray [shape=(n, 2)]
        What has been placed so far.
    """

    def __init__(self, length_s: float, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self.samples: Audio = np.zeros((n_samples(length_s, rate_hz), 2), dtype=np.float32)

    def add(self, sound: Audio, at_s: float, gain: float = 1.0, pan: float = 0.0) -> None:
        """Place a mono sound; what lies beyond either end of the bus is cut off.

        Parameters
        ----------
        sound : np.ndarray [shape=(n,)]
        at_s
            When it starts.
        gain
            Amplitude factor.
        pan
            -1 is left, 1 is right; the power is the same everywhere in between.
        """
        start = max(0, n_samples(at_s, self.rate_hz))
        room = self.samples[start : start + len(sound)]
        angle = (pan + 1.0) * np.pi / 4.0
        room[:, 0] += np.float32(gain * np.cos(angle) * np.sqrt(2)) * sound[: len(room)]
        room[:, 1] += np.float32(gain * np.sin(angle) * np.sqrt(2)) * sound[: len(room)]


def reverb(x: Audio, rate_hz: int, rng: np.random.Generator, *, time_s: float, wet: float) -> Audio:
    """Return `x`, shape (n, 2), in a room: convolved with noise that decays and grows darker.

    Parameters
    ----------
    time_s
        Reverberation time, over which the room decays by 60 dB.
    wet
        Level of the room relative to `x`.
    """
    n = n_samples(time_s, rate_hz)
    fall = np.logspace(0.0, -3.0, n, dtype=np.float32)
    room = np.empty((n, 2), dtype=np.float32)
    for channel in (0, 1):
        bright = highpass(noise(n, rng), 250.0, rate_hz) * fall
        room[:, channel] = bright * fall + lowpass(bright, 1800.0, rate_hz)
    room *= wet / np.sqrt((room**2).sum(axis=0))
    tail: Audio = signal.oaconvolve(x, room, axes=0)[: len(x)]
    return x + tail


def echo(
    x: Audio, rate_hz: int, *, delay_s: float, feedback: float = 0.45, wet: float = 0.4
) -> Audio:
    """Return `x`, shape (n, 2), with five repeats that change sides each time."""
    delay = n_samples(delay_s, rate_hz)
    y = x.copy()
    for repeat in range(1, 6):
        shift = repeat * delay
        if shift >= len(x):
            break
        source = x[:-shift, ::-1] if repeat % 2 else x[:-shift]
        y[shift:] += np.float32(wet * feedback ** (repeat - 1)) * source
    return y


def duck(x: Audio, rate_hz: int, times_s: Iterable[float], *, recovery_s: float) -> Audio:
    """Return `x`, shape (n, 2), pushed down at each of `times_s`: the pumping of a side chain."""
    gain = np.ones(len(x), dtype=np.float32)
    dip = envelope(n_samples(recovery_s, rate_hz), rate_hz, [(0.0, 0.15), (-0.0, 1.0)]) ** 0.7
    for at_s in times_s:
        room = gain[n_samples(at_s, rate_hz) :][: len(dip)]
        np.minimum(room, dip[: len(room)], out=room)
    return x * gain[:, None]


def distort(x: Audio, rate_hz: int, *, drive: float) -> Audio:
    """Return `x`, shape (n, 2), through an overdriven amplifier and a closed cabinet."""
    amplified = np.tanh(np.float32(drive) * highpass(x, 90.0, rate_hz))
    cabinet = lowpass(lowpass(amplified, 4800.0, rate_hz), 6500.0, rate_hz)
    return highpass(cabinet, 70.0, rate_hz)


def master(
    x: Audio, rate_hz: int, *, loudness: float, fade_in_s: float = 0.005, fade_out_s: float = 1.5
) -> Audio:
    """Return the finished piece: steady in level, faded, its highest peak at -1 dBFS.

    Parameters
    ----------
    x : np.ndarray [shape=(n, 2)]
    loudness
        RMS at which the piece enters a soft limiter; the higher, the denser it sounds.
    """
    driven = highpass(x, 25.0, rate_hz)
    driven *= np.float32(loudness) / np.sqrt(np.mean(driven**2))
    limited = np.tanh(driven)
    limited *= envelope(
        len(x), rate_hz, [(0.0, 0.0), (fade_in_s, 1.0), (-fade_out_s, 1.0), (-0.0, 0.0)]
    )[:, None]
    return limited * np.float32(10.0 ** (PEAK_DBFS / 20.0) / np.abs(limited).max())
