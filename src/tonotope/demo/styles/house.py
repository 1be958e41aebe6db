"""House: four on the floor, an off-beat bass, chord stabs through a filter that opens."""

from __future__ import annotations

import numpy as np

from tonotope.demo import drums
from tonotope.demo.harmony import Progression, Sketch, bass_note, voicing
from tonotope.demo.mixing import Bus, duck, echo, master, reverb
from tonotope.demo.synthesis import (
    Audio,
    decay,
    envelope,
    highpass,
    hz,
    lowpass,
    n_samples,
    noise,
    saw,
    sine,
    swept_lowpass,
)

TEMPO_BPM = (118.0, 130.0)
PROGRESSIONS = (
    Progression.parse("minor", "0m7 0m7 8maj7 10:7"),
    Progression.parse("dorian", "0m9 5:9 0m9 3maj7"),
    Progression.parse("minor", "5m7 7m7 0m9 0m9"),
    Progression.parse("minor", "0m7 3maj7 8maj7 7m7"),
)
# Sixteenths of a bar.
STABS = ((0, 3, 6, 10), (2, 5, 8, 11, 14), (3, 6, 11, 14), (0, 3, 7, 10, 13))
BASSES = ((2, 6, 10, 14), (2, 3, 6, 7, 10, 11, 14, 15), (0, 3, 6, 10, 13), (2, 5, 6, 10, 13, 14))
ARPEGGIO_STEPS = 16


def compose(sketch: Sketch, rng: np.random.Generator, rate_hz: int) -> Audio:
    """Return a house track, shape (n, 2)."""
    bar_s = 4 * sketch.beat_s
    n_bars = sketch.n_bars(4)
    length_s = n_bars * bar_s + 1.5
    intro, rest = n_bars // 4, n_bars // 2
    # The drums rest for two bars in the middle, while noise rises to bring them back.
    beaten = [bar for bar in range(n_bars) if not rest <= bar < rest + 2]
    kicks_s = [bar * bar_s + beat * sketch.beat_s for bar in beaten for beat in range(4)]

    chords = _stabs(sketch, rng, rate_hz, n_bars, length_s)
    opening = envelope(
        len(chords),
        rate_hz,
        [(0.0, 350.0), (intro * bar_s, 3500.0), (rest * bar_s, 1200.0), (-bar_s, 6500.0)],
    )
    chords = echo(swept_lowpass(chords, opening, rate_hz), rate_hz, delay_s=0.75 * sketch.beat_s)
    music = reverb(chords, rate_hz, rng, time_s=1.4, wet=0.25)
    music += _bass(sketch, rng, rate_hz, [bar for bar in beaten if bar >= intro], length_s)
    music += _arpeggio(sketch, rng, rate_hz, range(rest, n_bars), length_s)
    music = duck(music, rate_hz, kicks_s, recovery_s=0.8 * sketch.beat_s)
    music += _drums(sketch, rng, rate_hz, beaten, intro, length_s)
    rise = noise(n_samples(2 * bar_s, rate_hz), rng)
    rise = highpass(rise, 2500.0, rate_hz) * np.linspace(0, 1, len(rise), dtype=np.float32) ** 2
    riser = Bus(length_s, rate_hz)
    riser.add(rise, rest * bar_s, gain=0.16)
    return master(music + riser.samples, rate_hz, loudness=0.32)


def _stabs(
    sketch: Sketch, rng: np.random.Generator, rate_hz: int, n_bars: int, length_s: float
) -> Audio:
    """Return short chords of detuned saws, one pattern throughout."""
    bus = Bus(length_s, rate_hz)
    pattern = STABS[rng.integers(len(STABS))]
    n = n_samples(0.3, rate_hz)
    shape = decay(n, rate_hz, rng.uniform(0.07, 0.16))
    for bar in range(n_bars):
        notes = voicing(sketch.key, sketch.progression[bar], 57)
        for side, cents in ((-0.6, -9.0), (0.6, 8.0)):
            chord = sum(saw(hz(note + cents / 100), n, rate_hz) for note in notes) * shape
            for step in pattern:
                bus.add(chord, (bar * 4 + step / 4) * sketch.beat_s, gain=0.12, pan=side)
    return bus.samples


def _bass(
    sketch: Sketch, rng: np.random.Generator, rate_hz: int, bars: list[int], length_s: float
) -> Audio:
    """Return a saw bass with a sine below it."""
    bus = Bus(length_s, rate_hz)
    pattern = BASSES[rng.integers(len(BASSES))]
    n = n_samples(0.22, rate_hz)
    shape = decay(n, rate_hz, 0.13)
    for bar in bars:
        note = bass_note(sketch.key, sketch.progression[bar], 33)
        low = lowpass(saw(hz(note), n, rate_hz), 700.0, rate_hz) + sine(hz(note), n, rate_hz)
        high = lowpass(saw(hz(note + 12), n, rate_hz), 900.0, rate_hz)
        for step in pattern:
            tone = high if step % 4 == 3 else low
            bus.add(tone * shape, (bar * 4 + step / 4) * sketch.beat_s, gain=0.75)
    return bus.samples


def _arpeggio(
    sketch: Sketch, rng: np.random.Generator, rate_hz: int, bars: range, length_s: float
) -> Audio:
    """Return a run of short high notes through the chord, for the second half."""
    bus = Bus(length_s, rate_hz)
    order = rng.integers(0, 6, ARPEGGIO_STEPS)
    n = n_samples(0.25, rate_hz)
    shape = decay(n, rate_hz, 0.06)
    for bar in bars:
        notes = voicing(sketch.key, sketch.progression[bar], 69)
        notes += [note + 12 for note in notes]
        tones = [lowpass(saw(hz(note), n, rate_hz), 5000.0, rate_hz) * shape for note in notes]
        for step, choice in enumerate(order):
            at_s = (bar * 4 + step * 4 / ARPEGGIO_STEPS) * sketch.beat_s
            bus.add(tones[choice], at_s, gain=0.12, pan=0.5 if step % 2 else -0.5)
    return echo(bus.samples, rate_hz, delay_s=0.75 * sketch.beat_s)


def _drums(
    sketch: Sketch,
    rng: np.random.Generator,
    rate_hz: int,
    beaten: list[int],
    intro: int,
    length_s: float,
) -> Audio:
    """Return the drums: claps join after half the intro, and a crash marks each new part."""
    bus = Bus(length_s, rate_hz)
    kick, clap, crash = drums.kick(rate_hz), drums.clap(rate_hz, rng), drums.crash(rate_hz, rng)
    closed = drums.hat(rate_hz, rng, length_s=0.03)
    opened = drums.hat(rate_hz, rng, length_s=0.14)
    accents = rng.uniform(0.3, 1.0, 16)
    for bar in beaten:
        for step in range(16):
            at_s = (bar * 4 + step / 4) * sketch.beat_s
            if step % 4 == 0:
                bus.add(kick, at_s, gain=0.85)
            if step % 8 == 4 and bar >= intro // 2:
                bus.add(clap, at_s, gain=0.42)
            if step % 4 == 2:
                bus.add(opened, at_s, gain=0.22, pan=0.2)
            bus.add(closed, at_s, gain=0.17 * accents[step], pan=-0.25)
        if bar == intro or bar - 1 not in beaten:
            bus.add(crash, bar * 4 * sketch.beat_s, gain=0.28)
    return bus.samples
