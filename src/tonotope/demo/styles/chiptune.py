"""Chiptune: two pulse waves, a triangle and a noise channel, as an old console had them."""

from __future__ import annotations

import numpy as np

from tonotope.demo import drums
from tonotope.demo.harmony import Progression, Sketch, bass_note, draw_moves, phrase, voicing
from tonotope.demo.mixing import Bus, echo, master
from tonotope.demo.synthesis import Audio, hz, n_samples, pulse, sine, triangle

TEMPO_BPM = (140.0, 172.0)
PROGRESSIONS = (
    Progression.parse("major", "0 7 9m 5"),
    Progression.parse("minor", "0m 8 3 10"),
    Progression.parse("major", "5 7 4m 9m"),
    Progression.parse("minor", "0m 0m 10 8 0m 0m 5m 7"),
)
# Eighths of a bar on which the tune has a note.
RHYTHMS = ((0, 2, 3, 4, 6), (0, 1, 2, 4, 6, 7), (0, 3, 6), (0, 2, 4, 5, 6, 7), (0, 3, 4, 6, 7))
BASSES = ((0, 0, 12, 0, 0, 0, 12, 0), (0, 12) * 4, (0, 0, 12, 12, 7, 7, 12, 12), (0, 7, 12, 7) * 2)


class _Channel:
    """One voice of the chip: at any moment one frequency and one volume."""

    def __init__(self, length_s: float, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self.frequency_hz = np.full(n_samples(length_s, rate_hz), 440.0)
        self.volume: Audio = np.zeros(len(self.frequency_hz), dtype=np.float32)

    def play(self, note: float, at_s: float, length_s: float, decay_s: float) -> None:
        start = n_samples(at_s, self.rate_hz)
        self.frequency_hz[start:] = hz(note)
        gate = self.volume[start : start + n_samples(length_s, self.rate_hz)]
        # Sixteen steps of volume, sixty times a second: that is what the chip could do.
        frame = np.arange(len(gate)) * 60 // self.rate_hz
        gate[:] = np.round(15.0 * np.exp(-frame / (60.0 * decay_s))) / 15.0


def compose(sketch: Sketch, rng: np.random.Generator, rate_hz: int) -> Audio:
    """Return a chiptune, shape (n, 2)."""
    n_bars = sketch.n_bars(4)
    bar_s = 4 * sketch.beat_s
    length_s = n_bars * bar_s + 1.0
    intro, rest = (2 if n_bars < 18 else 4), n_bars // 2
    bus = Bus(length_s, rate_hz)
    bus.add(_arpeggio(sketch, rate_hz, n_bars, length_s), 0.0, gain=0.16, pan=-0.45)
    sung = [bar for bar in range(intro, n_bars) if not rest <= bar < rest + 2]
    bus.add(_lead(sketch, rng, rate_hz, sung, length_s), 0.0, gain=0.3, pan=0.25)
    bus.add(_bass(sketch, rng, rate_hz, n_bars, length_s), 0.0, gain=0.36)
    music = echo(bus.samples, rate_hz, delay_s=0.75 * sketch.beat_s, feedback=0.3, wet=0.18)
    music += _drums(sketch, rng, rate_hz, sung, length_s)
    return master(music, rate_hz, loudness=0.3, fade_out_s=0.8)


def _arpeggio(sketch: Sketch, rate_hz: int, n_bars: int, length_s: float) -> Audio:
    """Return the chords, their notes played in turn so fast that the ear hears all of them."""
    channel = _Channel(length_s, rate_hz)
    bar_s = 4 * sketch.beat_s
    note_s = sketch.beat_s / 8
    for bar in range(n_bars):
        notes = voicing(sketch.key, sketch.progression[bar], 64)
        for i in range(32):
            note = notes[i % len(notes)] + (12 if i % 8 >= 6 else 0)
            channel.play(note, bar * bar_s + i * note_s, note_s, 0.25)
    _final_chord(channel, sketch.key + 60, n_bars * bar_s)
    return pulse(channel.frequency_hz, len(channel.volume), rate_hz, 0.125) * channel.volume


def _lead(
    sketch: Sketch, rng: np.random.Generator, rate_hz: int, bars: list[int], length_s: float
) -> Audio:
    """Return the tune: two bars that answer each other, with vibrato."""
    channel = _Channel(length_s, rate_hz)
    scale = sketch.progression.scale
    motif = [(RHYTHMS[i], draw_moves(rng, 6)) for i in rng.permutation(len(RHYTHMS))[:3]]
    eighth_s = sketch.beat_s / 2
    for bar in bars:
        rhythm, moves = motif[(bar % 2) if bar % 8 < 6 else 2]
        strong = [step % 4 == 0 for step in rhythm]
        chord = sketch.progression[bar]
        notes = phrase(sketch.key, scale, chord, moves[: len(rhythm)], strong, 76)
        for step, until, note in zip(rhythm, (*rhythm[1:], 8), notes, strict=True):
            at_s = (bar * 8 + step) * eighth_s
            channel.play(note, at_s, 0.92 * (until - step) * eighth_s, 0.35)
    n = len(channel.volume)
    vibrating_hz = channel.frequency_hz * (1.0 + 0.006 * sine(6.0, n, rate_hz))
    width = float(rng.choice([0.25, 0.5]))
    return pulse(vibrating_hz, n, rate_hz, width) * channel.volume


def _bass(
    sketch: Sketch, rng: np.random.Generator, rate_hz: int, n_bars: int, length_s: float
) -> Audio:
    """Return the triangle in eighths, octaves jumping."""
    channel = _Channel(length_s, rate_hz)
    pattern = BASSES[rng.integers(len(BASSES))]
    eighth_s = sketch.beat_s / 2
    for bar in range(n_bars):
        root = bass_note(sketch.key, sketch.progression[bar], 36)
        for step, jump in enumerate(pattern):
            channel.play(root + jump, (bar * 8 + step) * eighth_s, 0.85 * eighth_s, 5.0)
    _final_chord(channel, sketch.key + 36, n_bars * 8 * eighth_s)
    return triangle(channel.frequency_hz, len(channel.volume), rate_hz) * channel.volume


def _final_chord(channel: _Channel, note: int, at_s: float) -> None:
    """End on the tonic."""
    channel.play(note, at_s, 0.8, 0.3)


def _drums(
    sketch: Sketch, rng: np.random.Generator, rate_hz: int, bars: list[int], length_s: float
) -> Audio:
    """Return the noise channel: low, high, and a roll before every eighth bar."""
    bus = Bus(length_s, rate_hz)
    low = drums.chip_drum(rate_hz, rng, clock_hz=900.0, time_s=0.05)
    snare = drums.chip_drum(rate_hz, rng, clock_hz=5500.0, time_s=0.06)
    hat = drums.chip_drum(rate_hz, rng, clock_hz=22000.0, time_s=0.015)
    for bar in bars:
        for step in range(16):
            at_s = (bar * 4 + step / 4) * sketch.beat_s
            if step in (4, 12) or (bar % 8 == 7 and step >= 12):
                bus.add(snare, at_s, gain=0.3)
            elif step in (0, 6, 8):
                bus.add(low, at_s, gain=0.35)
            elif step % 2 == 0:
                bus.add(hat, at_s, gain=0.14)
    return bus.samples
