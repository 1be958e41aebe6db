"""Drums: each function renders one stroke of one instrument, to be placed many times."""

from __future__ import annotations

import numpy as np

from tonotope.demo.synthesis import (
    Audio,
    bandpass,
    decay,
    envelope,
    held_noise,
    highpass,
    lowpass,
    n_samples,
    noise,
    pulse,
    sine,
)

__all__ = ["brush", "chip_drum", "clap", "crash", "hat", "kick", "ride", "snare"]


def kick(
    rate_hz: int, *, low_hz: float = 48.0, length_s: float = 0.35, click: float = 0.3
) -> Audio:
    """Return a bass drum: a sine that falls to `low_hz` within a few hundredths of a second."""
    n = n_samples(length_s, rate_hz)
    t_s = np.arange(n) / rate_hz
    body = sine(low_hz * (1.0 + 4.5 * np.exp(-t_s / 0.022)), n, rate_hz)
    beater = sine(2600.0, n, rate_hz) * decay(n, rate_hz, 0.004)
    return body * decay(n, rate_hz, 0.4 * length_s) + np.float32(click) * beater


def snare(rate_hz: int, rng: np.random.Generator, *, tone_hz: float = 190.0) -> Audio:
    """Return a snare drum: two modes of the skin and the rattle of the wires."""
    n = n_samples(0.28, rate_hz)
    skin = sine(tone_hz, n, rate_hz) + 0.6 * sine(tone_hz * 1.73, n, rate_hz)
    wires = bandpass(noise(n, rng), 900.0, 9000.0, rate_hz)
    return 0.55 * skin * decay(n, rate_hz, 0.045) + 1.3 * wires * decay(n, rate_hz, 0.085)


def clap(rate_hz: int, rng: np.random.Generator) -> Audio:
    """Return hand claps: four bursts of noise, the last one ringing on."""
    n = n_samples(0.3, rate_hz)
    hands = np.zeros(n, dtype=np.float32)
    for start_s, time_s in ((0.0, 0.006), (0.011, 0.006), (0.021, 0.006), (0.032, 0.07)):
        start = n_samples(start_s, rate_hz)
        hands[start:] += noise(n - start, rng) * decay(n - start, rate_hz, time_s)
    return 1.4 * bandpass(hands, 800.0, 4500.0, rate_hz)


def hat(rate_hz: int, rng: np.random.Generator, *, length_s: float = 0.06) -> Audio:
    """Return a hi-hat: closed below a tenth of a second, open above."""
    n = n_samples(length_s * 2.5, rate_hz)
    metal = sum(pulse(f, n, rate_hz) for f in (3171.0, 4243.0, 5519.0, 7477.0))
    return highpass(0.15 * metal + 0.8 * noise(n, rng), 7000.0, rate_hz) * decay(
        n, rate_hz, 0.5 * length_s
    )


def ride(rate_hz: int, rng: np.random.Generator) -> Audio:
    """Return a ride cymbal: a clear stick, and a wash of partials that belong to no chord."""
    n = n_samples(0.9, rate_hz)
    partials_hz = rng.uniform(2300.0, 9500.0, 14)
    wash = sum(sine(f, n, rate_hz) for f in partials_hz) / 7.0
    stick = highpass(noise(n, rng), 5000.0, rate_hz) * decay(n, rate_hz, 0.015)
    return wash * decay(n, rate_hz, 0.22) + 0.9 * stick


def crash(rate_hz: int, rng: np.random.Generator) -> Audio:
    """Return a crash cymbal of two seconds."""
    n = n_samples(2.0, rate_hz)
    return highpass(noise(n, rng), 3500.0, rate_hz) * decay(n, rate_hz, 0.5)


def brush(rate_hz: int, rng: np.random.Generator) -> Audio:
    """Return a brush swept over a snare drum."""
    n = n_samples(0.25, rate_hz)
    swell = envelope(n, rate_hz, [(0.0, 0.0), (0.03, 1.0), (0.12, 0.25), (-0.0, 0.0)])
    return bandpass(noise(n, rng), 1800.0, 7000.0, rate_hz) * swell


def chip_drum(rate_hz: int, rng: np.random.Generator, *, clock_hz: float, time_s: float) -> Audio:
    """Return the noise channel of a sound chip: a low clock is a drum, a high one a hat."""
    n = n_samples(6.0 * time_s, rate_hz)
    return lowpass(held_noise(n, clock_hz, rate_hz, rng), 12000.0, rate_hz) * decay(
        n, rate_hz, time_s
    )
