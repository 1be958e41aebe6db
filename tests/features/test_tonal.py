"""Pitch-class profile and tonal centroids: against librosa, and against what paper says."""

from __future__ import annotations

import librosa
import numpy as np
import pytest

from tonotope.features.chroma import estimate_tuning, spectral_peaks
from tonotope.features.stft import stft_power
from tonotope.features.tonal import TONNETZ_DIMENSIONS, pitch_class_profile, tonnetz

RATE_HZ = 22050
C4_HZ = 261.6255653
CLASSES = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"]


def pcp(*peaks, tuning=0.0):
    """Return the profile of one frame of peaks (semitones above C4, power)."""
    semitones, power = np.array(peaks, dtype=np.float64).T
    return pitch_class_profile(
        np.zeros(len(peaks), np.intp),
        (C4_HZ * 2 ** (semitones / 12)).astype(np.float32),
        power.astype(np.float32),
        n_frames=1,
        tuning=tuning,
    )[0]


def random_peaks(n_frames, seed=3):
    rng = np.random.default_rng(seed)
    frame = np.sort(rng.integers(0, n_frames, 15 * n_frames))
    pitch_hz = rng.uniform(150, 4000, len(frame)).astype(np.float32)
    return frame, pitch_hz, rng.lognormal(-5, 4, len(frame)).astype(np.float32)


def peaks_of(signal):
    """Return frames, frequencies and powers of a signal's peaks, its frames and its tuning."""
    magnitude = np.sqrt(stft_power(signal))
    peaks = spectral_peaks(magnitude)
    tuning = estimate_tuning(peaks.pitch_hz, peaks.height)
    return (peaks.frame, peaks.pitch_hz, np.square(peaks.height)), len(magnitude), tuning


# --- pitch-class profile ------------------------------------------------------------------------


def test_a_chord_in_tune_has_its_notes_and_nothing_else():
    # C4 of power 4, its octave of 1, E4 of 2.5, G3 of 3.
    expected = np.zeros(12)
    expected[[0, 4, 7]] = 1, 2.5 / 5, 3 / 5
    profile = pcp((0, 4), (12, 1), (4, 2.5), (-5, 3))
    np.testing.assert_allclose(profile, expected, atol=1e-6)


@pytest.mark.parametrize("semitone", range(-9, 48))
def test_every_note_from_150_to_4000_hz_is_in_its_class(semitone):
    assert CLASSES[np.argmax(pcp((semitone, 1e-9)))] == librosa.midi_to_note(
        60 + semitone, octave=False, unicode=False
    )


@pytest.mark.parametrize(
    ("cents", "weights"),
    [
        # (class below, class above): cos² and sin² of 90° times the part of a semitone, the
        # larger one set to 1.
        (0, (1, 0)),
        (25, (1, 0.1464466 / 0.8535534)),
        (50, (1, 1)),
        (2 / 3 * 100, (0.25 / 0.75, 1)),
        (90, (0.0244717 / 0.9755283, 1)),
    ],
)
@pytest.mark.parametrize("semitone", [0, 11, -1, 25])
def test_a_peak_between_two_notes_is_split(cents, weights, semitone):
    expected = np.zeros(12)
    expected[[semitone % 12, (semitone + 1) % 12]] = weights
    np.testing.assert_allclose(pcp((semitone + cents / 100, 7)), expected, atol=3e-5)


def test_no_power_is_lost_between_two_notes():
    # The same power in D and a third of a semitone above A: A and A# share what D has.
    profile = pcp((2, 5), (9 + 1 / 3, 5))
    assert profile[2] == 1
    assert profile[9] + profile[10] == pytest.approx(1, abs=1e-5)
    assert profile[9] == pytest.approx(0.75, abs=1e-5)


@pytest.mark.parametrize("tuning", [-0.5, -0.31, 0.2, 0.49])
def test_tuning_moves_the_classes_with_the_music(tuning):
    chord = ((0, 4), (4, 2.5), (7, 3), (23, 0.1))
    moved = [(semitone + tuning, power) for semitone, power in chord]
    np.testing.assert_allclose(pcp(*moved, tuning=tuning), pcp(*chord), atol=1e-5)


def test_a_row_depends_on_its_own_frame_alone():
    frame, pitch_hz, power = random_peaks(60)
    whole = pitch_class_profile(frame, pitch_hz, power, n_frames=60, tuning=0.1)
    for cut in (1, 17, 59):
        first, rest = frame < cut, frame >= cut
        parts = [
            pitch_class_profile(
                frame[rows] - start, pitch_hz[rows], power[rows], n_frames=n, tuning=0.1
            )
            for rows, start, n in ((first, 0, cut), (rest, cut, 60 - cut))
        ]
        assert np.array_equal(np.concatenate(parts), whole)


def test_the_order_of_the_peaks_does_not_matter():
    frame, pitch_hz, power = random_peaks(20)
    shuffled = np.random.default_rng(1).permutation(len(frame))
    one = pitch_class_profile(frame, pitch_hz, power, n_frames=20, tuning=0.0)
    other = pitch_class_profile(
        frame[shuffled], pitch_hz[shuffled], power[shuffled], n_frames=20, tuning=0.0
    )
    np.testing.assert_allclose(one, other, rtol=1e-6)


def test_frames_without_a_peak_are_zero_and_others_have_a_one():
    frame = np.array([1, 1, 3])
    profile = pitch_class_profile(
        frame, np.float32([200, 300, 999]), np.float32([1e-30, 3e-30, 1e20]), n_frames=5, tuning=0.0
    )
    assert profile.shape == (5, 12)
    assert profile.dtype == np.float32
    assert profile.max(axis=1).tolist() == [0, 1, 0, 1, 0]


@pytest.mark.parametrize("n_frames", [0, 4])
def test_no_peaks(n_frames):
    nothing = np.empty(0, np.float32)
    profile = pitch_class_profile(
        np.empty(0, np.intp), nothing, nothing, n_frames=n_frames, tuning=0.0
    )
    assert np.array_equal(profile, np.zeros((n_frames, 12)))


@pytest.mark.parametrize("cents", [-35, 0, 28])
def test_a_chord_that_sounds_is_heard_in_every_frame(cents):
    # C minor in first inversion, 2 s: E♭4, G4, C5.
    t_s = np.arange(2 * RATE_HZ) / RATE_HZ
    notes = np.array([3, 7, 12]) + cents / 100
    signal = sum(0.2 * np.sin(2 * np.pi * C4_HZ * 2 ** (note / 12) * t_s) for note in notes)
    peaks, n_frames, tuning = peaks_of(signal.astype(np.float32))
    profile = pitch_class_profile(*peaks, n_frames=n_frames, tuning=tuning)
    assert tuning == pytest.approx(cents / 100, abs=0.05)
    inside = profile[4:-4]
    assert np.all(inside[:, [0, 3, 7]] > 0.8)
    assert np.delete(inside, [0, 3, 7], axis=1).max() < 0.05


@pytest.mark.parametrize("name", ["silence", "dc", "click", "noise", "0.1 s", "tone"])
def test_degenerate_signals_give_finite_profiles(name):
    n = 2205 if name == "0.1 s" else 3 * RATE_HZ
    rng = np.random.default_rng(0)
    signal = {
        "silence": lambda: np.zeros(n),
        "dc": lambda: np.full(n, 0.5),
        "click": lambda: (np.arange(n) == n // 2) * 1.0,
        "noise": lambda: rng.standard_normal(n),
        "0.1 s": lambda: rng.standard_normal(n),
        "tone": lambda: np.sin(2 * np.pi * 440 * np.arange(n) / RATE_HZ),
    }[name]()
    peaks, n_frames, tuning = peaks_of(signal.astype(np.float32))
    profile = pitch_class_profile(*peaks, n_frames=n_frames, tuning=tuning)
    assert profile.shape == (1 + n // 512, 12)
    assert set(profile.max(axis=1)) <= {0.0, 1.0}
    assert profile.min() >= 0
    assert np.isfinite(tonnetz(profile)).all()
    if name == "tone":
        assert np.all(np.argmax(profile, axis=1) == 9)


# --- tonal centroids ----------------------------------------------------------------------------


def test_tonnetz_is_librosas():
    rng = np.random.default_rng(5)
    chroma = rng.random((500, 12)).astype(np.float32) ** 4
    chroma /= chroma.max(axis=1, keepdims=True)
    chroma[:7] = 0
    ours = tonnetz(chroma)
    assert ours.dtype == np.float32
    theirs = librosa.feature.tonnetz(chroma=chroma.T).T
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=3e-7)


@pytest.mark.parametrize(
    ("interval", "steps", "degrees"), [("fifth", 7, 30), ("minor", 3, 90), ("major", 4, 120)]
)
def test_on_each_circle_its_own_interval_is_one_step(interval, steps, degrees):
    # 12 fifths, 4 minor thirds or 3 major thirds go round.
    points = tonnetz(np.eye(12, dtype=np.float32))
    x, y = (points[:, TONNETZ_DIMENSIONS.index(f"{interval}_{axis}")] for axis in "xy")
    radius = 0.5 if interval == "major" else 1.0
    np.testing.assert_allclose(np.hypot(x, y), radius, rtol=1e-6)
    angle = np.degrees(np.arctan2(x, y))
    turned = (np.roll(angle, -steps) - angle) % 360
    np.testing.assert_allclose(turned, degrees, atol=1e-3)


def test_tonnetz_does_not_hear_loudness():
    chroma = np.random.default_rng(2).random((9, 12)).astype(np.float32)
    louder = chroma * np.float32(10) ** np.arange(-20, 16, 4, dtype=np.float32)[:, np.newaxis]
    np.testing.assert_allclose(tonnetz(louder), tonnetz(chroma), atol=3e-7)


def test_tonnetz_of_no_frames():
    assert tonnetz(np.empty((0, 12), np.float32)).shape == (0, 6)
