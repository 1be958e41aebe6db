"""Waltz for plucked strings: bass, two chords, and a harp that sings above them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from tonotope.demo.harmony import Progression, Sketch, bass_note, draw_moves, phrase, voicing
from tonotope.demo.mixing import Bus, master, reverb
from tonotope.demo.synthesis import Audio, decay, envelope, hz, n_samples, plucked_string

TEMPO_BPM = (104.0, 168.0)
PROGRESSIONS = (
    Progression.parse("major", "0 9m 5 7:7 0 9m 2m7 7:7"),
    Progression.parse("minor", "0m 5m 0m 7:7 8 3 5m 7:7"),
    Progression.parse("major", "0 0 5 5 2:7 7:7 0 7:7"),
    Progression.parse("minor", "0m 10 8 7:7 5m 0m 7:7 0m"),
)
# Rhythms of a bar in beats.
RHYTHMS = ((0.0, 1.0, 2.0), (0.0, 2.0, 2.5), (0.0, 1.0, 1.5, 2.0), (0.0, 1.5, 2.0), (0.0, 2.0))

Instrument = Callable[[int], Audio]


def compose(sketch: Sketch, rng: np.random.Generator, rate_hz: int) -> Audio:
    """Return a waltz, shape (n, 2): bass and chords alone, the tune, a breath, the tune higher."""
    n_bars = sketch.n_bars(3)
    bar_s = 3 * sketch.beat_s
    bus = Bus(n_bars * bar_s + 2.6, rate_hz)
    intro, breath = 2 if n_bars < 16 else 4, 2 * (n_bars // 3)
    _accompaniment(bus, sketch, rng, n_bars, breath)
    harp = _harp(rate_hz, rng)
    sung = [bar for bar in range(intro, n_bars) if not breath <= bar < breath + 2]
    _melody(bus, harp, sketch, rng, sung)
    _flourish(bus, harp, sketch, breath)
    _ending(bus, harp, sketch, n_bars * bar_s)
    return master(reverb(bus.samples, rate_hz, rng, time_s=1.8, wet=0.35), rate_hz, loudness=0.24)


def _accompaniment(
    bus: Bus, sketch: Sketch, rng: np.random.Generator, n_bars: int, breath: int
) -> None:
    """Play oom-pah-pah on a guitar; during the two bars of breath only the bass."""

    @cache
    def string(note: int) -> Audio:
        n = n_samples(1.1, bus.rate_hz)
        tone = plucked_string(hz(note), n, bus.rate_hz, rng, brightness_hz=2600.0)
        return tone * envelope(n, bus.rate_hz, [(0.0, 1.0), (-0.25, 1.0), (-0.0, 0.0)])

    for bar in range(n_bars):
        chord = sketch.progression[bar]
        start_s = bar * 3 * sketch.beat_s
        low = bass_note(sketch.key, chord, 40)
        bus.add(string(low + 7 if bar % 2 and chord.root else low), start_s, 0.55, pan=-0.1)
        if breath <= bar < breath + 2:
            continue
        for beat in (1, 2):
            for i, note in enumerate(voicing(sketch.key, chord, 55)):
                late_s = 0.012 * i + rng.uniform(0.0, 0.006)
                at_s = start_s + beat * sketch.beat_s + late_s
                bus.add(string(note), at_s, 0.14 * rng.uniform(0.8, 1.1), pan=-0.35)


def _melody(
    bus: Bus, harp: Instrument, sketch: Sketch, rng: np.random.Generator, bars: list[int]
) -> None:
    """Play a tune of two bars on the harp, in sequence over the chords, every third time varied."""
    scale = sketch.progression.scale
    motif = [(RHYTHMS[i], draw_moves(rng, 4)) for i in rng.permutation(len(RHYTHMS))[:3]]
    for bar in bars:
        rhythm, moves = motif[(bar % 2) if bar % 6 < 4 else 2]
        strong = [beat == 0.0 for beat in rhythm]
        middle = 74 if bar < bars[len(bars) // 2] else 79
        notes = phrase(
            sketch.key, scale, sketch.progression[bar], moves[: len(rhythm)], strong, middle
        )
        for beat, note, is_strong in zip(rhythm, notes, strong, strict=True):
            at_s = (bar * 3 + beat) * sketch.beat_s + rng.uniform(0.0, 0.012)
            bus.add(harp(note), at_s, 0.9 if is_strong else 0.7, pan=0.3)


def _flourish(bus: Bus, harp: Instrument, sketch: Sketch, bar: int) -> None:
    """Run up the harp through the chord while the guitar takes its breath."""
    notes = voicing(sketch.key, sketch.progression[bar], 55)
    run = [note + 12 * octave for octave in range(3) for note in notes]
    for i, note in enumerate(run):
        at_s = (bar * 3 + 1 + i * 4.0 / len(run)) * sketch.beat_s
        bus.add(harp(note), at_s, 0.35 + 0.25 * i / len(run), pan=-0.5 + i / len(run))


def _ending(bus: Bus, harp: Instrument, sketch: Sketch, at_s: float) -> None:
    """Spread the tonic over all strings, slower and slower."""
    third = 4 if sketch.progression.scale == "major" else 3
    for i, step in enumerate((0, 7, 12, 12 + third, 19, 24, 24 + third)):
        note = 43 + (sketch.key - 43) % 12 + step
        bus.add(harp(note), at_s + 0.05 * i + 0.006 * i**2, 0.42, pan=0.1 * (i - 3))


def _harp(rate_hz: int, rng: np.random.Generator) -> Instrument:
    """Return a harp: a function from note to sound that renders each string once."""

    @cache
    def string(note: int) -> Audio:
        n = n_samples(1.8, rate_hz)
        tone = plucked_string(hz(note), n, rate_hz, rng, brightness_hz=4500.0, sustain=0.9985)
        return tone * decay(n, rate_hz, 1.2)

    return string
