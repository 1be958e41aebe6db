"""Oscillators, strings, filters and the bus, each against what theory says of it."""

from __future__ import annotations

import numpy as np
import pytest

from tonotope.demo import drums
from tonotope.demo.harmony import Chord, Progression, draw_moves, phrase, voicing
from tonotope.demo.mixing import Bus, echo, master, reverb
from tonotope.demo.synthesis import (
    decay,
    envelope,
    hz,
    lowpass,
    noise,
    plucked_string,
    pulse,
    saw,
    sine,
    swept_lowpass,
    triangle,
)

RATE_HZ = 44_100


def spectrum_db(x):
    """Return the level of each 1 Hz bin of one second of sound, 0 dB being a full-scale sine."""
    window = np.hanning(RATE_HZ)
    magnitude = np.abs(np.fft.rfft(x[:RATE_HZ] * window)) / (window.sum() / 2)
    return 20 * np.log10(magnitude + 1e-12)


@pytest.mark.parametrize(
    ("wave", "partials"),
    [
        (sine, {1: 1.0, 2: 0.0, 3: 0.0}),
        (triangle, {1: 8 / np.pi**2, 2: 0.0, 3: 8 / np.pi**2 / 9}),
        (saw, {1: 2 / np.pi, 2: 1 / np.pi, 3: 2 / (3 * np.pi)}),
        (pulse, {1: 4 / np.pi, 2: 0.0, 3: 4 / (3 * np.pi)}),
    ],
)
def test_oscillator_has_the_partials_of_its_fourier_series(wave, partials):
    level_db = spectrum_db(wave(441.0, RATE_HZ, RATE_HZ))
    for k, amplitude in partials.items():
        if amplitude:
            assert level_db[441 * k] == pytest.approx(20 * np.log10(amplitude), abs=0.15)
        else:
            assert level_db[441 * k] < -60


@pytest.mark.parametrize("wave", [saw, pulse])
def test_jumps_do_not_alias(wave):
    f_hz = 1867
    level_db = spectrum_db(wave(float(f_hz), RATE_HZ, RATE_HZ))
    aliases_hz = [k * f_hz - RATE_HZ for k in range(24, 34)]
    naive_db = [level_db[f_hz] - 20 * np.log10(k) for k in range(24, 34)]
    assert all(level_db[abs(a)] < n - 12 for a, n in zip(aliases_hz, naive_db, strict=True))


def test_frequency_may_change_from_sample_to_sample():
    f_hz = np.concatenate([np.full(RATE_HZ, 300.0), np.full(RATE_HZ, 900.0)])
    x = sine(f_hz, 2 * RATE_HZ, RATE_HZ)
    assert spectrum_db(x[:RATE_HZ]).argmax() == 300
    assert spectrum_db(x[RATE_HZ:]).argmax() == 900


@pytest.mark.parametrize("note", [40, 57, 69, 76, 88, 93])
def test_plucked_string_is_in_tune_and_dies_away(note):
    rng = np.random.default_rng(note)
    x = plucked_string(hz(note), 2 * RATE_HZ, RATE_HZ, rng)
    level_db = spectrum_db(x)
    near = np.arange(round(hz(note) * 0.95), round(hz(note) * 1.05))
    loudest_hz = near[level_db[near].argmax()]
    cents = 1200 * np.log2(loudest_hz / hz(note))
    assert abs(cents) < max(3.0, 1200 * np.log2(1 + 1 / hz(note)))
    assert np.abs(x[-RATE_HZ // 4 :]).max() < 0.5 * np.abs(x[: RATE_HZ // 4]).max()


def test_envelope_counts_a_minus_sign_from_the_end():
    shape = envelope(RATE_HZ, RATE_HZ, [(0.0, 0.0), (0.1, 1.0), (-0.1, 1.0), (-0.0, 0.0)])
    assert shape[0] == 0
    assert shape[RATE_HZ // 2] == 1
    assert shape[round(0.95 * RATE_HZ)] == pytest.approx(0.5, abs=0.01)


def test_decay_falls_to_one_over_e():
    shape = decay(RATE_HZ, RATE_HZ, 0.2)
    ratio = shape[round(0.5 * RATE_HZ)] / shape[round(0.3 * RATE_HZ)]
    assert ratio == pytest.approx(np.exp(-1), rel=1e-3)


def test_swept_lowpass_lets_more_through_as_it_opens():
    x = noise(2 * RATE_HZ, np.random.default_rng(0))[:, None].repeat(2, axis=1)
    cutoff_hz = np.repeat(np.float32([500.0, 8000.0]), RATE_HZ)
    y = swept_lowpass(x, cutoff_hz, RATE_HZ)
    assert y.shape == x.shape
    closed_db, opened_db = (spectrum_db(part[:, 0]) for part in (y[:RATE_HZ], y[RATE_HZ:]))
    assert np.median(closed_db[3000:5000]) < np.median(opened_db[3000:5000]) - 25
    # Wide open it returns what went in, so the blocks add up to one.
    wide = swept_lowpass(x, np.full(len(x), 1e7, dtype=np.float32), RATE_HZ)
    np.testing.assert_allclose(wide, x, atol=2e-2)


def test_bus_keeps_the_power_wherever_a_sound_is_panned():
    powers = []
    for pan in (-1.0, -0.3, 0.0, 1.0):
        bus = Bus(1.0, RATE_HZ)
        bus.add(np.ones(100, dtype=np.float32), 0.5, gain=0.5, pan=pan)
        powers.append((bus.samples**2).sum())
        assert not bus.samples[: RATE_HZ // 2].any()
    np.testing.assert_allclose(powers, 50.0, rtol=1e-5)


def test_bus_cuts_what_lies_beyond_its_ends():
    bus = Bus(0.1, RATE_HZ)
    bus.add(np.ones(RATE_HZ, dtype=np.float32), 0.05)
    bus.add(np.ones(10, dtype=np.float32), 5.0)
    assert bus.samples.shape == (4410, 2)
    assert bus.samples[-1] == pytest.approx([1.0, 1.0])


def test_echo_repeats_on_the_other_side():
    x = np.zeros((RATE_HZ, 2), dtype=np.float32)
    x[0, 0] = 1.0
    y = echo(x, RATE_HZ, delay_s=0.25, feedback=0.5, wet=0.4)
    assert y[RATE_HZ // 4] == pytest.approx([0.0, 0.4])
    assert y[RATE_HZ // 2] == pytest.approx([0.2, 0.0])


def test_reverb_falls_by_60_db_in_its_time():
    x = np.zeros((2 * RATE_HZ, 2), dtype=np.float32)
    x[0] = 1.0
    tail = reverb(x, RATE_HZ, np.random.default_rng(0), time_s=1.0, wet=0.5)[1:]
    low = lowpass(tail, 600.0, RATE_HZ)
    early_db, late_db = (
        10 * np.log10(np.mean(low[round(t * RATE_HZ) :][:4410] ** 2)) for t in (0.1, 0.6)
    )
    assert early_db - late_db == pytest.approx(30.0, abs=3.0)


def test_master_peaks_at_minus_one_dbfs_and_fades():
    x = noise(2 * RATE_HZ, np.random.default_rng(0))[:, None].repeat(2, axis=1)
    y = master(x, RATE_HZ, loudness=0.3, fade_out_s=0.5)
    assert 20 * np.log10(np.abs(y).max()) == pytest.approx(-1.0, abs=1e-3)
    assert y[0] == pytest.approx([0.0, 0.0])
    assert np.abs(y[-100:]).max() < 0.005


@pytest.mark.parametrize("stroke", [drums.clap, drums.hat, drums.ride, drums.crash, drums.brush])
def test_cymbals_and_brushes_have_no_bass(stroke):
    x = stroke(RATE_HZ, np.random.default_rng(0))
    power = np.abs(np.fft.rfft(x)) ** 2
    f_hz = np.fft.rfftfreq(len(x), 1 / RATE_HZ)
    assert power[f_hz < 300].sum() < 0.05 * power.sum()


def test_kick_ends_at_its_pitch():
    x = drums.kick(RATE_HZ, low_hz=50.0)
    tail = x[round(0.12 * RATE_HZ) : round(0.32 * RATE_HZ)]
    rises = np.count_nonzero((tail[:-1] < 0) & (tail[1:] >= 0))
    assert rises == pytest.approx(50.0 * 0.2, abs=1.1)


def test_progression_is_read_as_written():
    progression = Progression.parse("major", "0 9m 10:7 2m7b5")
    assert progression.chords == (Chord(0, ""), Chord(9, "m"), Chord(10, "7"), Chord(2, "m7b5"))
    assert progression[5] == Chord(9, "m")


def test_voicing_holds_the_chord_in_one_octave():
    assert voicing(0, Chord(7, "7"), 60) == [62, 65, 67, 71]
    assert voicing(9, Chord(0, "m"), 57) == [57, 60, 64]


def test_phrase_stays_in_the_scale_and_lands_on_the_chord():
    rng = np.random.default_rng(0)
    for _ in range(50):
        moves = draw_moves(rng, 6)
        strong = [True, False, False, True, False, False]
        notes = phrase(2, "minor", Chord(5, "m"), moves, strong, 72)
        scale = {(2 + step) % 12 for step in (0, 2, 3, 5, 7, 8, 10)}
        assert {note % 12 for note in notes} <= scale
        assert {notes[0] % 12, notes[3] % 12} <= {7, 10, 2}
        assert all(55 < note < 90 for note in notes)
