"""The constant-Q transform: against its definition, tones, and any cut of the signal."""

from __future__ import annotations

import numpy as np
import pytest

from tonotope.features.chroma import chroma_cqt
from tonotope.features.cqt import C1_HZ, CqtStream, cqt_magnitude
from tonotope.features.stft import HOP_LENGTH, SAMPLE_RATE_HZ


def tone(frequency_hz: float, seconds: float) -> np.ndarray:
    time_s = np.arange(int(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    return np.sin(2 * np.pi * frequency_hz * time_s).astype(np.float32)


def by_definition(signal, bins_per_octave: int, k: int, frame: int, tuning: float) -> float:
    """Return one magnitude as the windowed sum that defines it."""
    frequency_hz = C1_HZ * 2 ** ((k + tuning) / bins_per_octave)
    ratio = 2 ** (2 / bins_per_octave)
    length = (ratio + 1) / (ratio - 1) * SAMPLE_RATE_HZ / frequency_hz
    n = np.arange(np.ceil(-length / 2), np.floor(length / 2) + 1)
    window = 0.5 + 0.5 * np.cos(2 * np.pi * n / length)
    places = (frame * HOP_LENGTH + n).astype(int)
    inside = (places >= 0) & (places < len(signal))
    samples = np.where(inside, signal[np.clip(places, 0, len(signal) - 1)], 0)
    kernel = window * np.exp(-2j * np.pi * frequency_hz / SAMPLE_RATE_HZ * n)
    return float(np.sqrt(length) * abs(kernel @ samples) / window.sum())


@pytest.mark.parametrize(("bins_per_octave", "tuning"), [(12, 0.0), (12, -0.37), (36, 0.5)])
def test_is_the_windowed_sum_of_its_definition(bins_per_octave: int, tuning: float) -> None:
    rng = np.random.default_rng(0)
    signal = (0.1 * rng.standard_normal(70 * SAMPLE_RATE_HZ)).astype(np.float32)
    magnitude = cqt_magnitude(signal, bins_per_octave=bins_per_octave, tuning=tuning)
    assert magnitude.shape == (1 + len(signal) // HOP_LENGTH, 7 * bins_per_octave)
    # First and last frames, and those where one block of the transform ends and another begins.
    for frame in (0, 7, 1367, 1368, 2736, len(magnitude) - 1):
        expected = [
            by_definition(signal, bins_per_octave, k, frame, tuning)
            for k in range(7 * bins_per_octave)
        ]
        # Filters are cut off at 1 % of their weights.
        deviation = np.abs(magnitude[frame] - expected)
        assert deviation.max() < 0.03 * np.max(expected), frame
        assert np.sqrt(np.mean(deviation**2)) < 0.006 * np.max(expected), frame


@pytest.mark.parametrize("k", [0, 12, 33, 57, 83])
def test_a_tone_has_its_bin_and_half_its_amplitude(k: int) -> None:
    frequency_hz = C1_HZ * 2 ** (k / 12)
    middle = cqt_magnitude(tone(frequency_hz, 4))[86]
    assert np.argmax(middle) == k
    length = (2 ** (1 / 6) + 1) / (2 ** (1 / 6) - 1) * SAMPLE_RATE_HZ / frequency_hz
    assert middle[k] == pytest.approx(0.5 * np.sqrt(length), rel=2e-3)


def test_tuning_moves_the_bins_with_the_music() -> None:
    sharp = tone(C1_HZ * 2 ** (40.3 / 12), 4)
    in_tune = tone(C1_HZ * 2 ** (40 / 12), 4)
    moved = cqt_magnitude(sharp, tuning=0.3)[86]
    assert moved[40] / np.sqrt(2 ** (-0.3 / 12)) == pytest.approx(
        cqt_magnitude(in_tune)[86][40], rel=1e-3
    )
    assert cqt_magnitude(sharp)[86][40] < 0.97 * moved[40]


@pytest.mark.parametrize("what", ["tone", "noise", "click"])
def test_silence_beside_loud_music_is_silent(what: str) -> None:
    loud = tone(440, 6)
    if what == "noise":
        loud = np.random.default_rng(3).uniform(-1, 1, len(loud)).astype(np.float32)
    elif what == "click":
        loud = np.exp(-np.arange(len(loud)) / 300).astype(np.float32) * loud
    signal = np.concatenate([np.zeros(6 * SAMPLE_RATE_HZ, np.float32), loud])
    magnitude = cqt_magnitude(signal, bins_per_octave=36)
    assert not magnitude[:200].any()
    assert magnitude[258:262].max(axis=1).min() > 0.1
    # What is quiet is not what is silent.
    quiet = np.concatenate([1e-4 * loud, np.zeros(SAMPLE_RATE_HZ, np.float32), loud])
    assert cqt_magnitude(quiet, bins_per_octave=36)[:3].max(axis=1).min() > 0


@pytest.mark.parametrize("n_samples", [0, 1, 511, 512, 30_000, 718_848, 718_849])
def test_has_a_row_per_frame_however_short_and_however_cut(n_samples: int) -> None:
    rng = np.random.default_rng(n_samples)
    signal = rng.standard_normal(n_samples).astype(np.float32)
    stream = CqtStream((12, 0.1), (36, -0.2))
    cuts = np.sort(rng.integers(0, n_samples + 1, 9))
    parts = [part for block in np.split(signal, cuts) for part in stream.push(block)]
    parts += stream.finish()
    for k, (bins, tuning) in enumerate([(12, 0.1), (36, -0.2)]):
        cut = np.concatenate([part[k] for part in parts])
        assert cut.shape == (1 + n_samples // HOP_LENGTH, 7 * bins)
        whole = cqt_magnitude(signal, bins_per_octave=bins, tuning=tuning)
        np.testing.assert_allclose(cut, whole, rtol=1e-5, atol=1e-5)
        assert cut.any() == (n_samples > 0)


def test_chroma_knows_how_many_bins_an_octave_has() -> None:
    for bins_per_octave in (12, 36):
        magnitude = cqt_magnitude(tone(440, 3), bins_per_octave=bins_per_octave)
        assert (np.argmax(chroma_cqt(magnitude), axis=1) == 9).all()  # A
    with pytest.raises(ValueError, match="100 bins"):
        chroma_cqt(np.zeros((4, 100), np.float32))
