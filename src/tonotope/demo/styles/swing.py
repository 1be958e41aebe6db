"""Swing: a ride cymbal, a walking bass, electric piano chords and vibraphone above them."""

from __future__ import annotations

from functools import cache

import numpy as np

from tonotope.demo import drums
from tonotope.demo.harmony import Chord, Progression, Sketch, bass_note, draw_moves, phrase, voicing
from tonotope.demo.mixing import Bus, master, reverb
from tonotope.demo.synthesis import Audio, decay, fm_tone, hz, n_samples, plucked_string, sine

TEMPO_BPM = (112.0, 176.0)
PROGRESSIONS = (
    Progression.parse("major", "2m9 7:9 0maj9 9:7"),
    Progression.parse("minor pentatonic", "0:7 5:7 0:7 0:7 5:9 5:9 0:7 9:7 2m7 7:9 0:7 7:7"),
    Progression.parse("minor", "0m7 0m9 5m7 5m7 2m7b5 7:7 0m9 7:7"),
    Progression.parse("major", "0maj7 9m7 2m9 7:9 4m7 9:7 2m7 7:9"),
)
SWING = 2 / 3
# Beats on which the piano answers, in bars of four.
COMPING = ((0.0, 1.0 + SWING), (1.0 + SWING, 3.0), (0.0 + SWING, 2.0 + SWING), (1.0, 3.0 + SWING))
# Swung eighths of a bar on which the vibraphone has a note.
RHYTHMS = ((0, 1, 2, 3, 5), (1, 2, 3, 4), (0, 3, 5, 6, 7), (2, 3, 4, 5, 7), (0, 1, 3))


def compose(sketch: Sketch, rng: np.random.Generator, rate_hz: int) -> Audio:
    """Return a swing number, shape (n, 2): bass and ride, the band, the bass alone, the band."""
    n_bars = sketch.n_bars(4)
    bus = Bus(n_bars * 4 * sketch.beat_s + 2.4, rate_hz)
    intro, solo = 2, range(2 * (n_bars // 3), 2 * (n_bars // 3) + 2)
    band = [bar for bar in range(intro, n_bars) if bar not in solo]
    _walk(bus, sketch, rng, n_bars)
    _comp(bus, sketch, rng, [bar for bar in range(intro, n_bars) if bar not in solo])
    _sing(bus, sketch, rng, [bar for bar in band if bar >= intro + 2])
    _drums(bus, sketch, rng, n_bars, band)
    return master(reverb(bus.samples, rate_hz, rng, time_s=1.1, wet=0.22), rate_hz, loudness=0.24)


def _walk(bus: Bus, sketch: Sketch, rng: np.random.Generator, n_bars: int) -> None:
    """Walk: root, chord notes, and a semitone's step into the next root."""

    @cache
    def string(note: int) -> Audio:
        n = n_samples(0.9, bus.rate_hz)
        tone = plucked_string(hz(note), n, bus.rate_hz, rng, brightness_hz=900.0, sustain=0.99)
        return (tone + 0.5 * sine(hz(note), n, bus.rate_hz)) * decay(n, bus.rate_hz, 0.35)

    for bar in range(n_bars):
        chord = sketch.progression[bar]
        root = bass_note(sketch.key, chord, 31)
        goal = bass_note(sketch.key, sketch.progression[bar + 1], 31)
        inner = [note for note in voicing(sketch.key, chord, root) if note != root]
        walk = [root, *rng.permutation(inner)[:2], goal + rng.choice([-1, 1])]
        for beat, note in enumerate(walk):
            bus.add(string(int(note)), (bar * 4 + beat) * sketch.beat_s, 0.55, pan=-0.1)
    last = bass_note(sketch.key, Chord(0, ""), 31)
    bus.add(string(last), n_bars * 4 * sketch.beat_s, 0.55, pan=-0.1)


def _electric_piano(note: int, rate_hz: int, length_s: float) -> Audio:
    """Return a struck tine: a soft fundamental, and a ping that is gone at once."""
    n = n_samples(length_s, rate_hz)
    body = fm_tone(hz(note), n, rate_hz, ratio=1.0, index=1.1 * decay(n, rate_hz, 0.3))
    ping = fm_tone(hz(note), n, rate_hz, ratio=14.0, index=0.5 * decay(n, rate_hz, 0.06))
    return (body + 0.4 * ping) * decay(n, rate_hz, 0.4 * length_s)


def _comp(bus: Bus, sketch: Sketch, rng: np.random.Generator, bars: list[int]) -> None:
    """Answer with seventh chords, and hold the tonic at the end."""
    patterns = [COMPING[i] for i in rng.permutation(len(COMPING))[:2]]
    for bar in bars:
        notes = voicing(sketch.key, sketch.progression[bar], 54)
        tines = [_electric_piano(note, bus.rate_hz, 0.7) for note in notes]
        for beat in patterns[bar % 2]:
            gain = 0.17 * rng.uniform(0.8, 1.1)
            for tine in tines:
                bus.add(tine, (bar * 4 + beat) * sketch.beat_s, gain, pan=-0.4)
    tonic = Chord(0, {"major": "maj9", "minor": "m9"}.get(sketch.progression.scale, "9"))
    for note in voicing(sketch.key, tonic, 54):
        tine = _electric_piano(note, bus.rate_hz, 2.2)
        bus.add(tine, (bars[-1] + 1) * 4 * sketch.beat_s, 0.2, pan=-0.3)


def _sing(bus: Bus, sketch: Sketch, rng: np.random.Generator, bars: list[int]) -> None:
    """Improvise on the vibraphone: one idea, its answer, a new idea every fourth bar."""

    @cache
    def bar_of_metal(note: int) -> Audio:
        n = n_samples(1.2, bus.rate_hz)
        strike = sine(4 * hz(note), n, bus.rate_hz) * decay(n, bus.rate_hz, 0.08)
        tone = sine(hz(note), n, bus.rate_hz) + 0.25 * strike
        tremolo = 1.0 + 0.35 * sine(5.5, n, bus.rate_hz)
        ringing: Audio = tone * tremolo * decay(n, bus.rate_hz, 0.5)
        return ringing

    ideas = [(RHYTHMS[i], draw_moves(rng, 5)) for i in rng.permutation(len(RHYTHMS))[:3]]
    for bar in bars:
        rhythm, moves = ideas[2] if bar % 4 == 3 else ideas[bar % 2]
        strong = [step % 4 == 0 for step in rhythm]
        chord = sketch.progression[bar]
        scale = sketch.progression.scale
        notes = phrase(sketch.key, scale, chord, moves[: len(rhythm)], strong, 74)
        for step, note in zip(rhythm, notes, strict=True):
            beat = step // 2 + (SWING if step % 2 else 0.0)
            at_s = (bar * 4 + beat) * sketch.beat_s + rng.uniform(0.0, 0.015)
            bus.add(bar_of_metal(note), at_s, 0.2 * rng.uniform(0.75, 1.1), pan=0.4)


def _drums(
    bus: Bus, sketch: Sketch, rng: np.random.Generator, n_bars: int, band: list[int]
) -> None:
    """Ride throughout; the hat closes on two and four; brushes and a soft kick with the band."""
    rides = [drums.ride(bus.rate_hz, rng) for _ in range(3)]
    hat = drums.hat(bus.rate_hz, rng, length_s=0.035)
    brush = drums.brush(bus.rate_hz, rng)
    kick = drums.kick(bus.rate_hz, low_hz=55.0, length_s=0.25, click=0.05)
    for bar in range(n_bars):
        start_s = bar * 4 * sketch.beat_s
        for beat in (0.0, 1.0, 1.0 + SWING, 2.0, 3.0, 3.0 + SWING):
            gain = 0.21 if beat in (1.0, 3.0) else 0.14
            ride = rides[rng.integers(len(rides))]
            bus.add(ride, start_s + beat * sketch.beat_s, gain * rng.uniform(0.8, 1.1), pan=0.45)
        for beat in (1, 3):
            bus.add(hat, start_s + beat * sketch.beat_s, 0.3, pan=-0.45)
        if bar in band:
            for beat in range(4):
                bus.add(brush, start_s + beat * sketch.beat_s, rng.uniform(0.08, 0.2), pan=0.1)
            bus.add(kick, start_s, 0.28)
            bus.add(kick, start_s + 2 * sketch.beat_s, 0.22)
    bus.add(rides[0], n_bars * 4 * sketch.beat_s, 0.2, pan=0.45)
