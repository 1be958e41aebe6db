"""Ambient: slow detuned pads over a drone, swells of noise, now and then a bell."""

from __future__ import annotations

import numpy as np

from tonotope.demo.harmony import Chord, Progression, Sketch, bass_note, draw_moves, phrase, voicing
from tonotope.demo.mixing import Bus, echo, master, reverb
from tonotope.demo.synthesis import (
    Audio,
    bandpass,
    decay,
    envelope,
    fm_tone,
    hz,
    lowpass,
    n_samples,
    noise,
    sine,
    triangle,
)

TEMPO_BPM = (34.0, 52.0)
PROGRESSIONS = (
    Progression.parse("major", "0maj9 9m9 5maj9 7sus2"),
    Progression.parse("minor", "0m9 8maj7 3maj9 10sus2"),
    Progression.parse("major", "0sus2 5maj7 2m9 5maj9"),
    Progression.parse("dorian", "0m9 10maj7 5sus2 0m9"),
)


def compose(sketch: Sketch, rng: np.random.Generator, rate_hz: int) -> Audio:
    """Return an ambient piece, shape (n, 2), of a few bars of five to seven seconds."""
    bar_s = 4 * sketch.beat_s
    n_bars = sketch.n_bars(4)
    length_s = n_bars * bar_s + 2.5
    pads = _pads(sketch, rng, rate_hz, n_bars, length_s)
    bells = _bells(sketch, rng, rate_hz, n_bars, length_s)
    music = pads + echo(bells, rate_hz, delay_s=0.75 * sketch.beat_s, feedback=0.6)
    music = reverb(music, rate_hz, rng, time_s=4.5, wet=0.9)
    music += _drone(sketch, rng, rate_hz, length_s)
    music += _swells(rng, rate_hz, bar_s, n_bars, length_s)
    return master(music, rate_hz, loudness=0.22, fade_in_s=3.0, fade_out_s=5.0)


def _pads(
    sketch: Sketch, rng: np.random.Generator, rate_hz: int, n_bars: int, length_s: float
) -> Audio:
    """Return chords that grow and fade into each other, every voice slightly out of tune."""
    bus = Bus(length_s, rate_hz)
    bar_s = 4 * sketch.beat_s
    n = n_samples(1.7 * bar_s, rate_hz)
    shape = envelope(n, rate_hz, [(0.0, 0.0), (0.6 * bar_s, 1.0), (bar_s, 0.8), (-0.0, 0.0)])
    for bar in range(n_bars):
        for note in voicing(sketch.key, sketch.progression[bar], 52):
            for side in (-1.0, 1.0):
                cents = rng.uniform(2.0, 9.0) * side
                voice = triangle(hz(note + cents / 100), n, rate_hz)
                voice += 0.3 * triangle(hz(note + 12 - cents / 100), n, rate_hz)
                beating = 1.0 + 0.4 * sine(rng.uniform(0.08, 0.3), n, rate_hz)
                bus.add(voice * beating * shape, (bar - 0.2) * bar_s, gain=0.08, pan=0.7 * side)
    return lowpass(bus.samples, rng.uniform(1100.0, 2200.0), rate_hz)


def _bells(
    sketch: Sketch, rng: np.random.Generator, rate_hz: int, n_bars: int, length_s: float
) -> Audio:
    """Return single bell notes, three a bar at most, from the second bar on."""
    bus = Bus(length_s, rate_hz)
    scale = sketch.progression.scale
    moves = draw_moves(rng, 3)
    n = n_samples(3.0, rate_hz)
    shape = decay(n, rate_hz, 0.9)
    brightness = 1.8 * decay(n, rate_hz, 0.35)
    for bar in range(1, n_bars):
        notes = phrase(sketch.key, scale, sketch.progression[bar], moves, [True] * 3, 81)
        beats = np.sort(rng.choice(8, size=rng.integers(1, 4), replace=False)) / 2
        for note, beat in zip(notes, beats, strict=False):
            bell = fm_tone(hz(note), n, rate_hz, ratio=3.51, index=brightness) * shape
            at_s = (bar * 4 + beat) * sketch.beat_s
            bus.add(bell, at_s, gain=0.13, pan=rng.uniform(-0.8, 0.8))
    return bus.samples


def _drone(sketch: Sketch, rng: np.random.Generator, rate_hz: int, length_s: float) -> Audio:
    """Return the tonic, two octaves down, never quite still."""
    bus = Bus(length_s, rate_hz)
    n = len(bus.samples)
    note = bass_note(sketch.key, Chord(0, ""), 33)
    for side in (-0.5, 0.5):
        tone = sine(hz(note + side / 10), n, rate_hz) + 0.4 * sine(hz(note + 12), n, rate_hz)
        tide = 1.0 + 0.5 * sine(rng.uniform(0.05, 0.12), n, rate_hz)
        bus.add(tone * tide, 0.0, gain=0.08, pan=side)
    return bus.samples


def _swells(
    rng: np.random.Generator, rate_hz: int, bar_s: float, n_bars: int, length_s: float
) -> Audio:
    """Return waves of noise, one every other bar, each from another side and of another colour."""
    bus = Bus(length_s, rate_hz)
    n = n_samples(1.8 * bar_s, rate_hz)
    shape = envelope(n, rate_hz, [(0.0, 0.0), (bar_s, 1.0), (-0.0, 0.0)]) ** 2
    for bar in range(0, n_bars, 2):
        low_hz = rng.uniform(300.0, 1500.0)
        wave = bandpass(noise(n, rng), low_hz, 2.5 * low_hz, rate_hz) * shape
        bus.add(wave, bar * bar_s, gain=rng.uniform(0.4, 0.9), pan=rng.uniform(-0.6, 0.6))
    return bus.samples
