"""One pass over a track: any cut into blocks, any length, any input."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from tonotope.features import spectral
from tonotope.features.chroma import chroma_stft, estimate_tuning, spectral_peaks
from tonotope.features.stft import (
    HOP_LENGTH,
    N_FFT,
    SAMPLE_RATE_HZ,
    FrameStream,
    power_spectrum,
    stft_power,
)
from tonotope.features.stream import DescriptorStream
from tonotope.features.summary import DESCRIPTORS, STATISTICS, SUMMARY_COLUMNS

# The first batch of 64 frames is full with this many samples.
FIRST_BATCH = 63 * HOP_LENGTH + N_FFT // 2

LENGTHS = st.one_of(
    st.sampled_from([1, 2, HOP_LENGTH - 1, HOP_LENGTH, HOP_LENGTH + 1, N_FFT // 2]),
    st.sampled_from([N_FFT - 1, N_FFT, N_FFT + 1, SAMPLE_RATE_HZ // 10]),
    st.sampled_from([FIRST_BATCH - 1, FIRST_BATCH, FIRST_BATCH + 1]),
    st.integers(1, 4 * SAMPLE_RATE_HZ),
)


def music(n_samples: int, seed: int = 3):
    """Bursts of noise and tones, with silence between."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(n_samples) / SAMPLE_RATE_HZ
    envelope = np.exp(-8 * np.mod(time_s, 0.5)) * (np.mod(time_s, 2.5) < 2)
    tones = np.sin(2 * np.pi * 220 * time_s) + np.sin(2 * np.pi * 554.4 * time_s)
    signal = envelope * (0.3 * tones + 0.1 * rng.standard_normal(n_samples))
    return signal.astype(np.float32)


def statistic(summary, descriptor: str, name: str) -> float:
    return summary[SUMMARY_COLUMNS.index(f"{descriptor}_{name}")]


@settings(max_examples=60, deadline=None)
@given(n_samples=LENGTHS, data=st.data())
def test_the_cut_into_blocks_changes_no_bit(describe, n_samples, data):
    cuts = data.draw(st.lists(st.integers(0, n_samples), max_size=12).map(sorted), label="cuts")
    signal = music(n_samples)
    summary, mel_power = describe(signal)
    cut_summary, cut_mel_power = describe(*np.split(signal, cuts))
    assert np.array_equal(summary, cut_summary)
    assert np.array_equal(mel_power, cut_mel_power)
    assert mel_power.shape == (1 + n_samples // HOP_LENGTH, 128)
    assert mel_power.dtype == np.float32


def test_one_sample_at_a_time_changes_no_bit(describe):
    signal = music(3 * N_FFT + 5)
    for whole, cut in zip(describe(signal), describe(*np.split(signal, len(signal))), strict=True):
        assert np.array_equal(whole, cut)


def test_the_caller_may_reuse_its_buffer(describe):
    signal = music(20 * 4096)
    stream = DescriptorStream()
    buffer = np.empty(4096, np.float32)
    for block in np.split(signal, 20):
        buffer[:] = block
        stream.push(buffer)
        buffer[:] = np.nan
    stream.finish()
    assert np.array_equal(stream.summary(), describe(signal)[0])


def test_counts_its_samples():
    stream = DescriptorStream()
    for n_samples in (0, 1, 5000):
        stream.push(np.zeros(n_samples, np.float32))
    stream.finish()
    assert stream.n_samples == 5001


def test_no_summary_before_the_end():
    stream = DescriptorStream()
    stream.push(np.zeros(100_000, np.float32))
    with pytest.raises(ValueError, match=r"before finish\(\)"):
        stream.summary()


def degenerate(name: str):
    n = 3 * SAMPLE_RATE_HZ
    square = np.where(np.arange(n) // 50 % 2, 1.0, -1.0)
    click = np.zeros(n)
    click[n // 2] = 1
    return {
        "silence": np.zeros(n),
        "direct current": np.full(n, 0.7),
        "one click": click,
        "first sample only": np.eye(1, n)[0],
        "white noise": np.random.default_rng(0).uniform(-1, 1, n),
        "pure tone": np.sin(2 * np.pi * 440 * np.arange(n) / SAMPLE_RATE_HZ),
        "0.1 s": music(SAMPLE_RATE_HZ // 10),
        "full-scale square wave": square,
        "18 dB over full scale": 8 * square,
        "underflow": 1e-25 * music(n),
        "subnormal": 1e-42 * music(n),
        "one sample": np.ones(1),
        "nothing": np.zeros(0),
    }[name].astype(np.float32)


@pytest.mark.parametrize(
    "name",
    [
        "silence",
        "direct current",
        "one click",
        "first sample only",
        "white noise",
        "pure tone",
        "0.1 s",
        "full-scale square wave",
        "18 dB over full scale",
        "underflow",
        "subnormal",
        "one sample",
        "nothing",
    ],
)
def test_degenerate_input_gives_a_finite_summary(describe, name):
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        summary, mel_power = describe(degenerate(name))
    assert summary.shape == (323,)
    assert summary.dtype == np.float32
    assert np.isfinite(summary).all()
    assert np.isfinite(mel_power).all()


def test_silence_has_the_values_its_docstrings_promise(describe):
    summary, _ = describe(np.zeros(SAMPLE_RATE_HZ, np.float32))
    for descriptor in DESCRIPTORS:
        for name in ("std", "skew", "kurtosis"):
            assert statistic(summary, descriptor, name) == 0, descriptor
        expected = {"spectral_flatness": 1.0}.get(descriptor, 0.0)
        if not descriptor.startswith("mfcc"):
            assert statistic(summary, descriptor, "mean") == pytest.approx(expected, abs=1e-5)
    # -100 dB in 128 bands, as the orthonormal DCT gives it.
    assert statistic(summary, "mfcc_01", "mean") == pytest.approx(-100 * np.sqrt(128), rel=1e-5)
    assert summary[SUMMARY_COLUMNS.index("tempo_bpm")] == 0


def test_noise_and_tone_have_the_values_theory_gives(describe):
    noise, _ = describe(degenerate("white noise"))
    assert statistic(noise, "rms", "mean") == pytest.approx(1 / np.sqrt(3), rel=0.02)
    assert statistic(noise, "zero_crossing_rate", "mean") == pytest.approx(0.5, abs=0.02)
    assert statistic(noise, "spectral_centroid_hz", "mean") == pytest.approx(5512, rel=0.02)
    assert statistic(noise, "spectral_bandwidth_hz", "mean") == pytest.approx(
        11025 / np.sqrt(12), rel=0.02
    )
    assert statistic(noise, "spectral_rolloff_hz", "mean") == pytest.approx(0.85 * 11025, rel=0.02)
    # exp(-Euler's constant): the geometric over the arithmetic mean of exponential variables.
    assert statistic(noise, "spectral_flatness", "mean") == pytest.approx(0.5615, abs=0.02)
    tone, _ = describe(degenerate("pure tone"))
    assert statistic(tone, "rms", "median") == pytest.approx(np.sqrt(0.5), rel=1e-3)
    assert statistic(tone, "spectral_centroid_hz", "median") == pytest.approx(440, rel=0.01)
    assert statistic(tone, "zero_crossing_rate", "median") == pytest.approx(
        2 * 440 / 22050, rel=0.02
    )
    assert statistic(tone, "chroma_stft_10", "median") == 1  # A


def test_a_track_of_47_minutes_is_the_sum_of_its_stretches(describe):
    # Ten seconds, at a level that falls and a brightness that changes from minute to minute, so
    # that the stretches' means differ; three stretches, the last one of seven minutes.
    ten_s = music(430 * HOP_LENGTH)
    dull = np.convolve(ten_s, np.ones(8, np.float32) / 8, mode="same")
    n_pieces = 47 * 60 * SAMPLE_RATE_HZ // len(ten_s)
    pieces = [
        np.float32(10 ** (-k / n_pieces)) * (dull if k % 3 == 0 or k > 200 else ten_s)
        for k in range(n_pieces)
    ]
    summary, mel_power = describe(*pieces)

    scalars = _scalars_of_all_frames(pieces)
    assert len(mel_power) == len(scalars)
    # 20 minutes have 51 680 frames; a stretch is the next whole number of batches of 64.
    boundaries = [51_712, 2 * 51_712]
    for k, descriptor in enumerate(DESCRIPTORS[-7:-1]):
        column = scalars[:, k]
        expected = {
            "mean": column.mean(),
            "std": column.std(),
            "skew": scipy.stats.skew(column),
            "kurtosis": scipy.stats.kurtosis(column),
            "min": column.min(),
            "max": column.max(),
        }
        for name, value in expected.items():
            assert statistic(summary, descriptor, name) == pytest.approx(value, rel=2e-6, abs=1e-9)
        stretches = np.split(column, boundaries)
        medians = [np.median(stretch) for stretch in stretches]
        weighted = np.average(medians, weights=[len(stretch) for stretch in stretches])
        assert statistic(summary, descriptor, "median") == pytest.approx(weighted, rel=2e-6)
    # The bursts come every half second all along.
    assert abs(statistic(summary, "tempo", "bpm") - 120) < 3


def _scalars_of_all_frames(pieces):
    stream = FrameStream()
    rows = []
    for batches in [*map(stream.push, pieces), stream.finish()]:
        for batch in batches:
            power = power_spectrum(batch.frames)
            magnitude = np.sqrt(power)
            rows.append(
                np.column_stack(
                    [
                        spectral.spectral_centroid(magnitude),
                        spectral.spectral_bandwidth(magnitude),
                        spectral.spectral_rolloff(magnitude),
                        spectral.spectral_flatness(power),
                        spectral.zero_crossing_rate(batch),
                        spectral.rms(batch),
                    ]
                )
            )
    return np.concatenate(rows).astype(np.float64)


def test_chroma_is_tuned_to_the_first_two_minutes(describe):
    # As A = 440 for 50 s, 30 cents sharp for 70 s, as A = 440 again for a minute: two minutes'
    # majority is sharp, one minute's and the whole track's is not.
    rng = np.random.default_rng(1)

    def chord(duration_s, semitones_sharp):
        tones = [220 * 2 ** ((k + semitones_sharp) / 12) for k in (0, 4, 7, 12, 16)]
        time_s = np.arange(duration_s * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
        signal = 0.1 * sum(np.sin(2 * np.pi * tone * time_s) for tone in tones)
        return signal + 1e-3 * rng.standard_normal(len(time_s))

    signal = np.concatenate([chord(50, 0.0), chord(70, 0.3), chord(60, 0.0)]).astype(np.float32)
    power = stft_power(signal)
    tuning = estimate_tuning(spectral_peaks(power[: 2 * 60 * SAMPLE_RATE_HZ // HOP_LENGTH]))
    assert tuning > 0.2
    expected = chroma_stft(power, tuning=tuning).mean(axis=0)
    summary, _ = describe(signal)
    ours = [statistic(summary, f"chroma_stft_{k:02d}", "mean") for k in range(1, 13)]
    assert ours == pytest.approx(expected, abs=1e-5)
    untuned = chroma_stft(power, tuning=0.0).mean(axis=0)
    assert np.abs(expected - untuned).max() > 0.01


def test_columns_are_the_descriptors_by_their_statistics():
    assert len(SUMMARY_COLUMNS) == len(set(SUMMARY_COLUMNS)) == 323
    assert SUMMARY_COLUMNS[:2] == ("mfcc_01_mean", "mfcc_01_std")
    assert SUMMARY_COLUMNS[-1] == "tempo_bpm"
    assert len(DESCRIPTORS) * len(STATISTICS) + 1 == len(SUMMARY_COLUMNS)
