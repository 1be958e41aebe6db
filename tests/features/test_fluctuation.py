"""Rhythm patterns of sounds whose loudness fluctuates in a known way."""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from tonotope.audio import decode
from tonotope.features.fluctuation import (
    BARK_CENTRES_HZ,
    FULL_SCALE_DB,
    N_BARK,
    N_MODULATIONS,
    SEGMENT_FRAMES,
    SEGMENT_HOP,
    FluctuationSummary,
    _sone,
    bark_power,
    fluctuation_summary,
    modulation_frequencies_hz,
    rhythm_patterns,
)
from tonotope.features.stft import HOP_LENGTH, SAMPLE_RATE_HZ, bin_frequencies_hz, stft_power

# Zwicker's table, as Fastl & Zwicker print it in Bark 0 to 22.
EDGES_HZ = [0, 100, 200, 300, 400, 510, 630, 770, 920, 1080, 1270, 1480, 1720, 2000, 2320, 2700]
EDGES_HZ += [3150, 3700, 4400, 5300, 6400, 7700, 9500]

BLUR = [0.05, 0.1, 0.25, 0.5, 1, 0.5, 0.25, 0.1, 0.05]

TRACKS = (
    "freepd/Backbeat.mp3",
    "kevin_macleod/hustle.mp3",
    "ultrastar/Joshua_Morin_-_On_the_run/audio.ogg",
)

STEP_HZ = SAMPLE_RATE_HZ / HOP_LENGTH / SEGMENT_FRAMES

# Whole numbers of periods in a segment: 2.02, 4.04 and 8.07 Hz.
ABOUT_2_HZ, ABOUT_4_HZ, ABOUT_8_HZ = (STEP_HZ * periods for periods in (12, 24, 48))


def tone(frequency_hz, duration_s=12.0, level_db=-20.0):
    time_s = np.arange(int(duration_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    return 10 ** (level_db / 20) * np.sin(2 * np.pi * frequency_hz * time_s)


def noise(duration_s=12.0):
    return 0.1 * np.random.default_rng(3).standard_normal(int(duration_s * SAMPLE_RATE_HZ))


def modulated(signal, frequency_hz):
    time_s = np.arange(len(signal)) / SAMPLE_RATE_HZ
    return signal * 0.5 * (1 + np.sin(2 * np.pi * frequency_hz * time_s))


@cache
def bands_of(name):
    rng = np.random.default_rng(11)
    match name:
        case "noise":
            signal = noise()
        case "drums":
            signal = 1e-4 * rng.standard_normal(20 * SAMPLE_RATE_HZ)
            decay = np.exp(-np.arange(6000) / 1500)
            for beat in range(38):
                start = int((0.1 + beat * 0.5) * SAMPLE_RATE_HZ)
                hit = tone(60, 1, 0)[:6000] if beat % 2 else 0.3 * rng.standard_normal(6000)
                signal[start : start + 6000] += 0.5 * decay * hit
    return bark_power(stft_power(signal))


def patterns_of(signal):
    return rhythm_patterns(bark_power(stft_power(signal.astype(np.float32))))


# Rows of ISO 226:2003 whose frequencies are also centres of bands: exponent, transfer, threshold.
ISO_226 = {
    50: (0.432, -15.9, 44.0),
    250: (0.301, -2.0, 11.4),
    1000: (0.250, 0.0, 2.4),
    2500: (0.243, 1.7, -4.2),
    4000: (0.242, 1.2, -5.4),
}


def loudness_sone(centre_hz, level_db):
    exponent, transfer_db, threshold_db = ISO_226[centre_hz]
    heard = 10 ** ((level_db + transfer_db) / 10 - 9)
    threshold = 10 ** ((threshold_db + transfer_db) / 10 - 9)
    b = (0.4 * heard) ** exponent - (0.4 * threshold) ** exponent + 0.005135
    phon = 40 * np.log10(b) + 94
    return 2 ** ((phon - 40) / 10) if phon >= 40 else (max(phon, 0) / 40) ** 2.642


def bands_at(level_db, band, n_frames=3):
    """Return the Bark power of a sine at the centre of a band."""
    power = stft_power(tone(BARK_CENTRES_HZ[band], 0.5, level_db - 96))
    bands = bark_power(power)[8 : 8 + n_frames]
    only = np.zeros_like(bands)
    only[:, band] = bands.sum(axis=1)
    return only


def sums_over_bands(power, frequencies_hz):
    return np.column_stack(
        [
            power[:, (frequencies_hz >= low) & (frequencies_hz < high)].sum(axis=1)
            for low, high in itertools.pairwise(EDGES_HZ)
        ]
    )


def test_bands_are_sums_over_zwickers_bands():
    power = np.random.default_rng(0).exponential(size=(7, 1025)).astype(np.float32)
    ours = bark_power(power)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, sums_over_bands(power, bin_frequencies_hz()), rtol=1e-6)


def test_bands_of_batches_are_bands_of_all():
    power = np.random.default_rng(0).exponential(size=(150, 1025)).astype(np.float32)
    batches = [bark_power(power[start : start + 64]) for start in (0, 64, 128)]
    assert np.array_equal(np.concatenate(batches), bark_power(power))


def test_another_spectrum_is_refused():
    with pytest.raises(ValueError, match="513 bins, expected 1025"):
        bark_power(np.zeros((4, 513), np.float32))


@pytest.mark.parametrize("band", [0, 1, 8, 14, 17, 21])
def test_the_power_of_a_sine_does_not_depend_on_its_bins(band):
    power = bark_power(stft_power(tone(BARK_CENTRES_HZ[band], 0.5, 0.0)))[10].sum()
    reference = 2048 * np.sum(np.hanning(2049)[:-1] ** 2) / 4
    assert 10 * np.log10(power / reference) == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("centre_hz", ISO_226)
@pytest.mark.parametrize("level_db", [10, 30, 45, 50, 70, 90])
def test_sone_are_those_of_the_standards(centre_hz, level_db):
    band = BARK_CENTRES_HZ.index(centre_hz)
    sone = _sone(bands_at(level_db, band))
    assert sone.shape == (N_BARK, 3)
    # 0.05 dB are 0.4 % of a loudness, and more near the threshold.
    expected = loudness_sone(centre_hz, level_db)
    assert sone[band] == pytest.approx(expected, rel=0.01, abs=2e-3)


def test_forty_decibels_at_1_khz_are_one_sone_and_ten_more_are_two():
    assert FULL_SCALE_DB == 96
    assert _sone(bands_at(40, 8))[8] == pytest.approx(1, rel=0.01)
    assert _sone(bands_at(50, 8))[8] == pytest.approx(2, rel=0.01)
    assert _sone(bands_at(90, 8))[8] == pytest.approx(32, rel=0.01)


def test_masking_spreads_upwards():
    # Schroeder: 25 dB per Bark below the masker, 10 dB above, 4.3 dB for the first Bark up.
    sone = _sone(bands_at(80, 8))[:, 0]
    assert np.argmax(sone) == 8
    assert (np.diff(sone[8:18]) < 0).all()
    assert (np.diff(sone[3:9]) > 0).all()
    assert sone[11] > 3 * sone[5]


@pytest.mark.parametrize("frequency_hz", [1.0, 2.0, 4.0, 6.0, 8.0])
@pytest.mark.parametrize("carrier", [150, 1000, 4000, "noise"])
def test_a_modulation_stands_at_its_frequency_in_its_band(frequency_hz, carrier):
    signal = noise() if carrier == "noise" else tone(carrier)
    patterns = patterns_of(modulated(signal, frequency_hz))
    assert patterns.shape == (N_BARK, N_MODULATIONS)
    assert patterns.dtype == np.float32
    band, modulation = np.unravel_index(np.argmax(patterns), patterns.shape)
    assert abs(modulation_frequencies_hz()[modulation] - frequency_hz) <= 1.5 * STEP_HZ
    if carrier != "noise":
        # A tone of 150 Hz is heard in the band above as well as in its own.
        assert abs(band - BARK_CENTRES_HZ.index(carrier)) <= (carrier == 150)
        assert patterns[(band + 8) % N_BARK].max() < 0.05 * patterns.max()
    else:
        assert (patterns[3:].max(axis=1) > 0.2 * patterns.max()).all()


def test_four_hertz_are_heard_most():
    at = {
        frequency_hz: patterns_of(modulated(tone(1000), frequency_hz)).max()
        for frequency_hz in (ABOUT_2_HZ / 2, ABOUT_2_HZ, ABOUT_4_HZ, ABOUT_8_HZ)
    }
    assert max(at, key=at.get) == ABOUT_4_HZ
    assert at[ABOUT_2_HZ] > at[ABOUT_2_HZ / 2]
    assert at[ABOUT_2_HZ] > at[ABOUT_8_HZ]


def test_louder_is_more_and_ten_decibels_double_it():
    signal = modulated(tone(1000, level_db=-30), ABOUT_4_HZ)
    soft, loud = (patterns_of(gain * signal).max() for gain in (1, 10**0.5))
    assert loud == pytest.approx(2 * soft, rel=0.05)


def test_a_steady_tone_has_next_to_no_pattern():
    steady, beaten = tone(1000), modulated(tone(1000), ABOUT_4_HZ)
    assert patterns_of(steady)[:, 2:].max() < 1e-4 * patterns_of(beaten).max()


def patterns_by_definition(loudness, segment_frames):
    """Return the patterns of (22, n_frames) in sone, a step of the paper after the other."""
    kernel = np.outer(BLUR, BLUR)
    segments = []
    for start in range(0, loudness.shape[1] - segment_frames + 1, segment_frames // 2):
        segment = loudness[:, start : start + segment_frames].astype(np.float64)
        amplitude = 2 / segment_frames * np.abs(np.fft.fft(segment)[:, 1:62])
        frequency_hz = STEP_HZ * np.arange(1, 62)
        weighted = amplitude / (frequency_hz / 4 + 4 / frequency_hz)
        gradient = np.abs(weighted[:, 1:] - weighted[:, :-1])
        reached = scipy.signal.convolve2d(np.ones_like(gradient), kernel, mode="same")
        segments.append(scipy.signal.convolve2d(gradient, kernel, mode="same") / reached)
    return np.median(segments, axis=0)


@pytest.mark.parametrize("n_frames", [256, 383, 384, 700, 900])
@pytest.mark.parametrize("name", ["noise", "drums"])
def test_patterns_are_those_of_the_definition(name, n_frames):
    bands = np.resize(bands_of(name), (n_frames, N_BARK))
    expected = patterns_by_definition(_sone(bands), SEGMENT_FRAMES)
    ours = rhythm_patterns(bands)
    np.testing.assert_allclose(ours, expected, rtol=0, atol=2e-6 * max(expected.max(), 1))


# With the frames of the papers, 23 ms every 12 ms, all else being the same, the patterns of 43
# tracks (30 s of each) correlate with ours by 0.93 to 0.998, by 0.987 in the median.
@pytest.mark.data
@pytest.mark.parametrize("track", TRACKS)
def test_the_shorter_frames_of_the_papers_give_similar_patterns(music_dir, track):
    with decode(music_dir / track) as blocks:
        signal = np.concatenate(list(itertools.islice(blocks, 60)))[: 30 * SAMPLE_RATE_HZ]
    frames = sliding_window_view(np.pad(signal, 256), 512)[::256] * np.hanning(513)[:-1]
    power = np.abs(np.fft.rfft(frames)) ** 2 * (2048 / 512) ** 2
    theirs = patterns_by_definition(
        _sone(sums_over_bands(power, np.arange(257) * SAMPLE_RATE_HZ / 512).astype(np.float32)),
        2 * SEGMENT_FRAMES,
    )
    ours = patterns_of(signal)
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.92
    assert 0.8 < ours.max() / theirs.max() < 1.2


def test_the_many_segments_of_a_long_track_are_the_same_as_those_of_a_short_one():
    # Four minutes are worked on in several goes; of a loop every segment is alike.
    loop = np.resize(bands_of("drums")[:SEGMENT_HOP], (SEGMENT_HOP * 81, N_BARK))
    np.testing.assert_allclose(
        rhythm_patterns(loop), rhythm_patterns(loop[:SEGMENT_FRAMES]), rtol=1e-5, atol=1e-6
    )


def test_the_median_ignores_what_is_rare():
    quiet_then_one_burst = np.concatenate([bands_of("noise")[:512]] * 4)
    quiet_then_one_burst[600:640] *= 1e4
    ours = rhythm_patterns(quiet_then_one_burst)
    plain = rhythm_patterns(np.concatenate([bands_of("noise")[:512]] * 4))
    assert np.abs(ours - plain).max() < 0.5 * plain.max()


@pytest.mark.parametrize("n_frames", [0, 1, 5, 255])
def test_a_short_track_counts_as_if_silence_followed(n_frames):
    bands = bands_of("drums")[:n_frames]
    padded = np.concatenate([bands, np.zeros((SEGMENT_FRAMES - n_frames, N_BARK), np.float32)])
    patterns = rhythm_patterns(bands)
    assert patterns.shape == (N_BARK, N_MODULATIONS)
    assert np.array_equal(patterns, rhythm_patterns(padded))
    assert patterns.any() == (n_frames > 0)


def test_silence_has_no_pattern():
    patterns = patterns_of(np.zeros(10 * SAMPLE_RATE_HZ))
    assert not patterns.any()
    assert fluctuation_summary(patterns) == FluctuationSummary(0, 0, 0, 0, 0)


@pytest.mark.parametrize(
    "signal",
    [
        np.zeros(0),
        np.ones(8 * SAMPLE_RATE_HZ),
        1e-20 * noise(8),
        np.eye(1, 8 * SAMPLE_RATE_HZ, 5000)[0],
        noise(0.1),
        tone(440, 8, 0.0),
        np.sign(noise(8)),
    ],
    ids=["empty", "dc", "underflow", "click", "0.1 s", "tone", "full scale"],
)
def test_degenerate_signals_have_finite_patterns(signal):
    patterns = patterns_of(signal)
    summary = fluctuation_summary(patterns)
    assert np.isfinite(patterns).all()
    assert (patterns >= 0).all()
    assert np.isfinite(summary).all()
    assert 0 <= summary.focus <= 1
    assert 0 <= summary.bass_share <= 1


def test_modulation_frequencies_lie_between_neighbouring_multiples():
    frequencies_hz = modulation_frequencies_hz()
    assert len(frequencies_hz) == N_MODULATIONS
    assert frequencies_hz[0] == pytest.approx((0.168 + 0.336) / 2, abs=1e-3)
    assert frequencies_hz[-1] == pytest.approx(10.18, abs=0.01)


@given(st.integers(0, N_BARK - 1), st.integers(0, N_MODULATIONS - 1), st.floats(1e-6, 100))
@settings(max_examples=30)
def test_the_summary_of_a_single_value(band, modulation, value):
    patterns = np.zeros((N_BARK, N_MODULATIONS), np.float32)
    patterns[band, modulation] = value
    summary = fluctuation_summary(patterns)
    frequency_hz = modulation_frequencies_hz()[modulation]
    assert summary.maximum == summary.total == np.float32(value)
    assert summary.focus == pytest.approx(1 / (N_BARK * N_MODULATIONS))
    assert summary.gravity_hz == pytest.approx(frequency_hz)
    assert summary.bass_share == (band < 2 and frequency_hz > 1)


def test_the_summary_of_evenly_spread_fluctuation():
    summary = fluctuation_summary(np.full((N_BARK, N_MODULATIONS), 0.5, np.float32))
    assert summary.focus == 1
    assert summary.total == 0.5 * N_BARK * N_MODULATIONS
    assert summary.gravity_hz == pytest.approx((0.252 + 10.177) / 2, abs=0.01)
    assert summary.bass_share == pytest.approx(2 / N_BARK * 55 / 60)


def test_the_summary_tells_slow_from_quick_and_bass_from_treble():
    slow, quick = (
        fluctuation_summary(patterns_of(modulated(noise(), frequency_hz)))
        for frequency_hz in (ABOUT_2_HZ, ABOUT_8_HZ)
    )
    assert slow.gravity_hz < quick.gravity_hz - 2
    bass, treble = (
        fluctuation_summary(patterns_of(modulated(tone(frequency_hz), ABOUT_2_HZ)))
        for frequency_hz in (80, 3000)
    )
    assert bass.bass_share > 0.3 > 0.01 > treble.bass_share
    steady, beaten = (
        fluctuation_summary(patterns_of(signal))
        for signal in (noise(), modulated(noise(), ABOUT_4_HZ))
    )
    assert steady.focus > beaten.focus
    assert steady.maximum < 0.3 * beaten.maximum
