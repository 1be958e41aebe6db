from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tonotope.features import FINGERPRINT_VERSION, fingerprint
from tonotope.features.fingerprint import (
    CHROMA_PERIOD_S,
    MARK_BLOCKS,
    MARK_PERIOD_S,
    Fingerprint,
    _BlockMeans,
)
from tonotope.features.stream import DescriptorStream

RATE_HZ = 22050


def tune(seconds: float = 20.0, *, semitones: float = 0.0, seed: int = 5) -> np.ndarray:
    """Return chords that change twice a second, under noise."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    chord_of = rng.integers(0, 24, size=(int(seconds * 2) + 1, 3))
    pitch_hz = 220 * 2 ** ((chord_of[(time_s * 2).astype(int)] + semitones) / 12)
    phase = 2 * np.pi * np.cumsum(pitch_hz, axis=0) / RATE_HZ
    sound = 0.1 * np.sin(phase).sum(axis=1) + 0.005 * rng.standard_normal(len(time_s))
    return sound.astype(np.float32)


def taken(signal: np.ndarray, *, cuts: tuple[int, ...] = (), features=()) -> Fingerprint:
    stream = DescriptorStream(features, keep_frames=False, fingerprint=True)
    for block in np.split(signal, cuts):
        stream.push(block)
    stream.finish()
    assert stream.fingerprint is not None
    return stream.fingerprint


def bit_errors(a: Fingerprint, b: Fingerprint) -> float:
    n = min(len(a.marks), len(b.marks))
    is_audible = (a.marks[:n] != 0) & (b.marks[:n] != 0)
    assert is_audible.any()
    return np.bitwise_count(a.marks[:n] ^ b.marks[:n])[is_audible].mean() / 32


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=12),
    st.integers(1, 9),
)
def test_means_do_not_depend_on_the_batches(batches: list[int], n_frames: int) -> None:
    frames = np.arange(3 * sum(batches), dtype=np.float32).reshape(-1, 3) % 17
    means = _BlockMeans(n_frames, 3)
    for batch in np.split(frames, np.cumsum(batches)[:-1]):
        means.push(batch)
    n_whole = len(frames) // n_frames
    expected = frames[: n_whole * n_frames].reshape(n_whole, n_frames, 3).mean(axis=1)
    assert means.n_rows == n_whole
    np.testing.assert_allclose(means.take(), expected, rtol=1e-6)


def test_it_does_not_depend_on_the_blocks_nor_on_what_else_is_computed() -> None:
    signal = tune()
    whole = taken(signal)
    for other in (taken(signal, cuts=(7, 30_000, 30_001, 200_000)), taken(signal, features=None)):
        assert np.array_equal(other.marks, whole.marks)
        assert np.array_equal(other.chroma, whole.chroma)
        assert np.array_equal(other.spectrum_db, whole.spectrum_db)


def test_its_size() -> None:
    made = taken(tune(60.0))
    n_frames = 1 + 60 * RATE_HZ // 512
    assert len(made.marks) == n_frames // 8 - MARK_BLOCKS + 1
    assert made.marks.dtype == np.uint32
    assert made.chroma.shape == (n_frames // 32, 12)
    assert made.chroma.dtype == np.uint8
    assert made.marks.nbytes + made.chroma.nbytes + made.spectrum_db.nbytes < 2500


def test_it_ends_after_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprint, "_MOST_S", 30.0)
    signal = tune(80.0)
    long, short = taken(signal), taken(signal[: 40 * RATE_HZ])
    # The batch that is begun is taken: 3 s.
    assert 30 <= len(long.chroma) * CHROMA_PERIOD_S <= 34
    assert np.array_equal(long.marks, short.marks)


@settings(max_examples=8, deadline=None)
@given(st.floats(0.02, 3.0))
def test_loudness_changes_the_level_alone(gain: float) -> None:
    plain, louder = taken(tune()), taken(tune() * np.float32(gain))
    assert bit_errors(plain, louder) < 0.01
    gap = louder.spectrum_db - plain.spectrum_db
    np.testing.assert_allclose(gap, 20 * np.log10(gain), atol=0.05)


def test_an_equaliser_turns_few_bits_and_another_tune_half() -> None:
    plain = taken(tune())
    bright = taken(np.convolve(tune(), [1.0, -0.7], "same").astype(np.float32))
    assert bit_errors(plain, bright) < 0.08
    assert (bright.spectrum_db - plain.spectrum_db).std() > 3
    assert bit_errors(plain, taken(tune(seed=6))) > 0.35


def test_the_worst_offset_between_two_marks() -> None:
    # Half a period, by which two copies can lie apart at most.
    shifted = taken(tune(40.0)[round(MARK_PERIOD_S / 2 * RATE_HZ) :])
    assert bit_errors(taken(tune(40.0)), shifted) < 0.15


@pytest.mark.parametrize("semitones", [1, 5, 11])
def test_a_transposition_rolls_the_chroma(semitones: int) -> None:
    plain, higher = (taken(tune(semitones=k)).chroma.astype(float) for k in (0, semitones))
    alike = [
        np.corrcoef(np.roll(plain, k, axis=1).ravel(), higher.ravel())[0, 1] for k in range(12)
    ]
    assert int(np.argmax(alike)) == semitones
    assert max(alike) > 0.8


def test_the_chroma_is_tuned() -> None:
    plain, sharp = (taken(tune(semitones=k)).chroma.astype(float) for k in (0, 0.4))
    assert np.corrcoef(plain.ravel(), sharp.ravel())[0, 1] > 0.8


@pytest.mark.parametrize("level", [0.0, 1e-5])
def test_silence_has_no_marks_and_no_pitch(level: float) -> None:
    noise = level * np.random.default_rng(0).standard_normal(20 * RATE_HZ)
    made = taken(noise.astype(np.float32))
    assert not made.marks.any()
    if level == 0:
        assert not made.chroma.any()
        assert (made.spectrum_db == -100).all()
    padded = taken(np.concatenate([tune(), np.zeros(10 * RATE_HZ, np.float32)]))
    assert padded.marks[:80].all()
    assert not padded.marks[-30:].any()


@pytest.mark.parametrize("seconds", [0.0, 0.01, 1.0, 2.3])
def test_what_is_too_short_has_no_mark(seconds: float) -> None:
    made = taken(tune(seconds))
    assert made.marks.shape == (0,)
    assert made.chroma.shape[1] == 12
    assert made.spectrum_db.shape == (32,)


def test_it_is_that_of_the_version() -> None:
    """When it was meant to change: raise `FINGERPRINT_VERSION` and write the new numbers here."""
    made = taken(tune())
    assert FINGERPRINT_VERSION == 1
    assert len(made.marks) == 95
    assert int(np.bitwise_count(made.marks).sum()) == pytest.approx(1529, abs=3)
    assert int(made.chroma.sum()) == pytest.approx(20823, rel=1e-3)
    assert float(made.spectrum_db.sum()) == pytest.approx(-565.982, rel=1e-3)
