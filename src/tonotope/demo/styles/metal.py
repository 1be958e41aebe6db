"""Metal: two distorted guitars on either side, muted strokes in unison with the double kick."""

from __future__ import annotations

from functools import cache

import numpy as np

from tonotope.demo import drums
from tonotope.demo.harmony import Progression, Sketch, bass_note, draw_moves, phrase
from tonotope.demo.mixing import Bus, distort, echo, master, reverb
from tonotope.demo.synthesis import (
    Audio,
    envelope,
    hz,
    lowpass,
    n_samples,
    plucked_string,
    saw,
    sine,
)

TEMPO_BPM = (112.0, 176.0)
PROGRESSIONS = (
    Progression.parse("minor", "0:5 0:5 8:5 10:5"),
    Progression.parse("phrygian", "0:5 1:5 0:5 3:5"),
    Progression.parse("minor", "0:5 3:5 0:5 5:5 0:5 3:5 8:5 7:5"),
    Progression.parse("phrygian", "0:5 0:5 1:5 10:5"),
)
# A bar in sixteenths: A a ringing power chord on the bar's root, x a muted stroke on the lowest.
RIFFS = (
    "A.xxA.xxA.xxA.xx",
    "Axxx.xA.xxx.A.A.",
    "x.xxx.xxA.xxx.xx",
    "A..xx.xxA..xx.A.",
    "xxA.xxA.xxA.A.A.",
)


def compose(sketch: Sketch, rng: np.random.Generator, rate_hz: int) -> Audio:
    """Return a metal track, shape (n, 2): guitars, then all, half time in the middle, all."""
    n_bars = sketch.n_bars(4)
    bar_s = 4 * sketch.beat_s
    length_s = n_bars * bar_s + 2.0
    intro, half = 2, n_bars // 2
    riff, other = (RIFFS[i] for i in rng.permutation(len(RIFFS))[:2])
    riffs = [other if half <= bar < half + 4 else riff for bar in range(n_bars)]
    guitars = _guitars(sketch, rng, rate_hz, riffs, length_s)
    music = distort(guitars, rate_hz, drive=9.0)
    music += 0.55 * _lead(sketch, rng, rate_hz, range(half + 4, n_bars), length_s)
    music += _bass(sketch, rng, rate_hz, riffs, length_s)
    kit = _drums(sketch, rng, rate_hz, riffs, (intro, half), length_s)
    music = music * np.float32(0.38) + reverb(kit, rate_hz, rng, time_s=0.9, wet=0.22)
    return master(music, rate_hz, loudness=0.38, fade_out_s=1.2)


def _guitars(
    sketch: Sketch, rng: np.random.Generator, rate_hz: int, riffs: list[str], length_s: float
) -> Audio:
    """Return both guitars before their amplifiers; each hand is its own, so the sides differ."""
    bus = Bus(length_s, rate_hz)
    sixteenth_s = sketch.beat_s / 4
    lowest = bass_note(sketch.key, sketch.progression[0], 36)

    @cache
    def strings(note: int, muted: bool, side: float) -> Audio:
        n = n_samples(0.13 if muted else 1.2, rate_hz)
        tone = sum(
            plucked_string(
                hz(note + step + 0.03 * side),
                n,
                rate_hz,
                rng,
                brightness_hz=1500.0 if muted else 5000.0,
                sustain=0.97 if muted else 0.9995,
            )
            for step in (0, 7, 12)
        )
        return tone * envelope(n, rate_hz, [(0.0, 1.0), (-0.03, 0.9), (-0.0, 0.0)])

    for side in (-1.0, 1.0):
        for bar, riff in enumerate(riffs):
            chord = bass_note(sketch.key, sketch.progression[bar], lowest)
            for step, stroke in enumerate(riff):
                if stroke == ".":
                    continue
                rest = riff[step + 1 :]
                ring_s = (1 + len(rest) - len(rest.lstrip("."))) * sixteenth_s
                tone = strings(lowest, True, side) if stroke == "x" else strings(chord, False, side)
                tone = tone[: n_samples(ring_s, rate_hz)]
                at_s = (bar * 16 + step) * sixteenth_s + rng.uniform(0.0, 0.004)
                bus.add(tone, at_s, gain=0.5, pan=side)
        bus.add(strings(lowest, False, side), len(riffs) * 16 * sixteenth_s, gain=0.6, pan=side)
    return bus.samples


def _bass(
    sketch: Sketch, rng: np.random.Generator, rate_hz: int, riffs: list[str], length_s: float
) -> Audio:
    """Return a bass guitar in eighths on the lowest note."""
    bus = Bus(length_s, rate_hz)
    n = n_samples(sketch.beat_s / 2, rate_hz)
    shape = envelope(n, rate_hz, [(0.0, 0.0), (0.004, 1.0), (-0.02, 0.5), (-0.0, 0.0)])
    for bar in range(len(riffs)):
        note = bass_note(sketch.key, sketch.progression[bar], 28)
        tone = lowpass(saw(hz(note), n, rate_hz), 900.0, rate_hz) + sine(hz(note), n, rate_hz)
        for eighth in range(8):
            gain = rng.uniform(0.9, 1.0)
            bus.add(tone * shape, (bar * 8 + eighth) * sketch.beat_s / 2, gain=gain)
    return bus.samples


def _lead(
    sketch: Sketch, rng: np.random.Generator, rate_hz: int, bars: range, length_s: float
) -> Audio:
    """Return a picked melody in sixteenths, a third voice above it, through its own amplifier."""
    bus = Bus(length_s, rate_hz)
    moves = draw_moves(rng, 8)
    n = n_samples(sketch.beat_s / 4, rate_hz)
    shape = envelope(n, rate_hz, [(0.0, 0.3), (0.006, 1.0), (-0.01, 0.7), (-0.0, 0.2)])
    scale = sketch.progression.scale
    for bar in bars:
        tune = phrase(sketch.key, scale, sketch.progression[bar], moves, [True] + [False] * 7, 72)
        for eighth, note in enumerate(tune):
            tone = saw(hz(note), n, rate_hz) * shape
            for stroke in (0.0, 0.25):
                bus.add(tone, (bar * 4 + eighth / 2 + stroke) * sketch.beat_s, gain=0.5, pan=0.1)
    return echo(distort(bus.samples, rate_hz, drive=4.0), rate_hz, delay_s=0.75 * sketch.beat_s)


def _drums(
    sketch: Sketch,
    rng: np.random.Generator,
    rate_hz: int,
    riffs: list[str],
    parts: tuple[int, int],
    length_s: float,
) -> Audio:
    """Return the drums: silent but for the hat in the intro, half time for four bars at `half`."""
    bus = Bus(length_s, rate_hz)
    intro, half = parts
    kick = drums.kick(rate_hz, low_hz=58.0, length_s=0.2, click=0.9)
    snare, crash = drums.snare(rate_hz, rng), drums.crash(rate_hz, rng)
    hat = drums.hat(rate_hz, rng, length_s=0.08)
    for bar, riff in enumerate(riffs):
        slow = half <= bar < half + 4
        for step, stroke in enumerate(riff):
            at_s = (bar * 16 + step) * sketch.beat_s / 4
            if step % 4 == 0:
                bus.add(hat, at_s, gain=0.4, pan=0.3)
            if bar < intro:
                continue
            if stroke != ".":
                bus.add(kick, at_s, gain=0.7)
            if step == 8 if slow else step in (4, 12):
                bus.add(snare, at_s, gain=0.9)
            if bar == half - 1 and step >= 8:
                bus.add(snare, at_s, gain=0.3 + 0.05 * (step - 8))
        if bar >= intro and (bar - intro) % 4 == 0:
            bus.add(crash, bar * 4 * sketch.beat_s, gain=0.4, pan=-0.3)
    for drum, gain in ((kick, 0.8), (crash, 0.5)):
        bus.add(drum, len(riffs) * 4 * sketch.beat_s, gain=gain)
    return bus.samples
