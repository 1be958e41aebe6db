"""One pass over a track: any cut into blocks, any length, any input."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import types

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from tonotope import features
from tonotope.features import (
    DESCRIPTORS,
    analyze,
    bark_power,
    estimate_key,
    rhythm_patterns,
    waveform,
)
from tonotope.features.chroma import chroma_stft, estimate_tuning, power_peaks, spectral_peaks
from tonotope.features.spectral import spectral_flatness, spectral_shape
from tonotope.features.stft import (
    BATCH_FRAMES,
    HOP_LENGTH,
    N_FFT,
    SAMPLE_RATE_HZ,
    FrameStream,
    magnitude_spectrum,
    stft_power,
)
from tonotope.features.stream import DescriptorStream
from tonotope.features.tables import table_columns, table_features, table_row

# The first batch of frames is full with this many samples.
FIRST_BATCH = (BATCH_FRAMES - 1) * HOP_LENGTH + N_FFT // 2

LENGTHS = st.one_of(
    st.sampled_from([1, 2, HOP_LENGTH - 1, HOP_LENGTH, HOP_LENGTH + 1, N_FFT // 2]),
    st.sampled_from([N_FFT - 1, N_FFT, N_FFT + 1, SAMPLE_RATE_HZ // 10]),
    st.sampled_from([FIRST_BATCH - 1, FIRST_BATCH, FIRST_BATCH + 1]),
    st.integers(1, 4 * SAMPLE_RATE_HZ),
)


# The columns that have no answer where nothing is heard.
NONE_IN_SILENCE = {
    "key_tonic",
    "key_is_major",
    "integrated_loudness_lufs",
    "loudness_range_lu",
    "true_peak_dbtp",
    "dynamic_complexity_db",
}

SCALARS = (
    "spectral_centroid_hz",
    "spectral_bandwidth_hz",
    "spectral_rolloff_hz",
    "spectral_flatness",
    "zero_crossing_rate",
    "rms",
)


def music(n_samples: int, seed: int = 3):
    """Bursts of noise and tones, with silence between."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(n_samples) / SAMPLE_RATE_HZ
    envelope = np.exp(-8 * np.mod(time_s, 0.5)) * (np.mod(time_s, 2.5) < 2)
    tones = np.sin(2 * np.pi * 220 * time_s) + np.sin(2 * np.pi * 554.4 * time_s)
    signal = envelope * (0.3 * tones + 0.1 * rng.standard_normal(n_samples))
    return signal.astype(np.float32)


def summed_up(*blocks) -> dict[str, float]:
    """Return the row of a track in bounded memory, by the names of its columns."""
    stream = DescriptorStream(table_features("tonotope"), keep_frames=False)
    for block in blocks:
        stream.push(block)
    stream.finish()
    row = table_row(stream.result(), "tonotope")
    assert row.dtype == np.float32
    return dict(zip(table_columns("tonotope"), row.tolist(), strict=True))


def assert_equal(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name in ours:
        a, b = ours[name], theirs[name]
        if isinstance(a, np.ndarray):
            assert np.array_equal(a, b), name
        elif name == "level":
            for field in dataclasses.fields(a):
                both = (getattr(a, field.name), getattr(b, field.name))
                assert np.array_equal(*both, equal_nan=True), field.name
        else:
            assert a == b, name


@settings(max_examples=40, deadline=None)
@given(n_samples=LENGTHS, data=st.data())
def test_the_cut_into_blocks_changes_no_bit(n_samples, data):
    cuts = data.draw(st.lists(st.integers(0, n_samples), max_size=12).map(sorted), label="cuts")
    signal = music(n_samples)
    whole, cut = analyze([signal]), analyze(np.split(signal, cuts))
    assert_equal(whole, cut)
    assert whole.n_frames == 1 + n_samples // HOP_LENGTH
    for name, descriptor in DESCRIPTORS.items():
        if descriptor.n_columns and not descriptor.on_request:
            n = descriptor.n_columns
            assert whole[name].shape == (whole.n_frames, n) if n > 1 else (whole.n_frames,), name
            assert whole[name].dtype == np.float32


def test_no_cut_changes_a_bit_over_several_blocks_of_the_constant_q_transform():
    # And over more than the two minutes that the tuning is taken from: the rest is out of tune.
    signal = np.concatenate([np.tile(music(11 * SAMPLE_RATE_HZ), 11), music(10**6)[::2] * 0.5])
    cuts = np.random.default_rng(0).integers(0, len(signal), 50)
    assert_equal(analyze([signal]), analyze(np.split(signal, np.sort(cuts))))


def test_one_sample_at_a_time_changes_no_bit():
    signal = music(3 * N_FFT + 5)
    assert_equal(analyze([signal]), analyze(np.split(signal, len(signal))))


def test_what_is_asked_for_is_computed_alone_and_is_the_same():
    signal = music(4 * SAMPLE_RATE_HZ)
    everything = analyze([signal], DESCRIPTORS)
    assert everything.keys() == DESCRIPTORS.keys()
    for name in DESCRIPTORS:
        alone = analyze([signal], [name])
        assert set(alone) == {name}
        if name in {"cqt", "chroma_cqt", "chroma_cens", "tonnetz"}:
            # Transforms are vectorised over filters, of which there are fewer.
            np.testing.assert_allclose(alone[name], everything[name], rtol=1e-5, atol=1e-6)
        else:
            assert_equal(alone, {name: everything[name]})


def test_a_subset_computes_no_spectrum_it_does_not_need(monkeypatch):
    def refuse(*_):
        raise AssertionError("a spectrum was computed")

    monkeypatch.setattr("tonotope.features.frames.magnitude_spectrum", refuse)
    few = analyze([music(SAMPLE_RATE_HZ)], ["rms", "zero_crossing_rate", "level", "danceability"])
    assert len(few) == 4
    with pytest.raises(AssertionError):
        analyze([music(SAMPLE_RATE_HZ)], ["mfcc"])


def test_what_does_not_exist_is_refused_by_name():
    with pytest.raises(ValueError, match=r"no descriptor is called 'mfccs'.*There are: .*mfcc,"):
        analyze([], ["mfccs", "tempo"])
    with pytest.raises(ValueError, match=r"features=\['mfcc'\]"):
        analyze([], "mfcc")


def test_another_key_profile_can_be_chosen_for_a_track():
    whole = analyze([music(8 * SAMPLE_RATE_HZ)], ["key", "key_profile"])
    assert whole["key_profile"].sum() == pytest.approx(1)
    assert estimate_key(whole["key_profile"]).name == whole["key"].name
    assert estimate_key(whole["key_profile"], profiles="temperley") is not None


def test_stretches_end_where_they_end_however_long_the_blocks():
    minute = music(60 * SAMPLE_RATE_HZ)
    tones = [np.float32(0.2) * np.roll(minute, 977 * k) for k in range(22)]
    signal = np.concatenate(tones)
    rows = []
    for n_blocks in (1, 35):
        stream = DescriptorStream(
            ["chroma_stft", "chroma_cens", "tonnetz", "rms", "rhythm_patterns"], keep_frames=False
        )
        for block in np.array_split(signal, n_blocks):
            stream.push(block)
        stream.finish()
        rows.append(stream.result())
    for name in ("chroma_stft", "chroma_cens", "tonnetz", "rms"):
        whole, cut = (row.moments_of(name).statistics() for row in rows)
        assert np.array_equal(whole, cut), name
    assert np.array_equal(rows[0]["rhythm_patterns"], rows[1]["rhythm_patterns"])


def test_rhythm_patterns_are_those_of_all_frames_or_the_mean_of_stretches():
    signal = music(12 * SAMPLE_RATE_HZ)
    bands = bark_power(stft_power(signal))
    found = analyze([signal], ["rhythm_patterns"])["rhythm_patterns"]
    np.testing.assert_allclose(found, rhythm_patterns(bands), rtol=1e-5, atol=1e-7)
    stream = DescriptorStream(["rhythm_patterns"], keep_frames=False)
    quiet, loud = 0.1 * np.tile(signal, 105), np.tile(signal, 30)
    stream.push(np.concatenate([quiet, loud]))
    stream.finish()
    bands = bark_power(stft_power(np.concatenate([quiet, loud])))
    stretches = np.split(bands, [51_712])
    means = [rhythm_patterns(stretch) for stretch in stretches]
    weighted = np.average(means, axis=0, weights=[len(stretch) for stretch in stretches])
    np.testing.assert_allclose(stream.result()["rhythm_patterns"], weighted, rtol=1e-4, atol=1e-6)
    assert np.abs(means[0] - means[1]).max() > 1e-3


@pytest.mark.parametrize("sample", [np.nan, np.inf, -np.inf, 2.0**30])
def test_what_is_no_sample_is_refused(sample):
    signal = music(30_000)
    signal[1000] = sample
    with pytest.raises(ValueError, match=r"a sample is .*expected numbers around -1 to 1"):
        analyze([signal], ["rms"])


def test_there_is_no_result_before_the_end_and_no_sample_after():
    stream = DescriptorStream(["rms"])
    stream.push(music(5000))
    with pytest.raises(ValueError, match="no result before finish"):
        stream.result()
    stream.finish()
    with pytest.raises(ValueError, match="no more samples after finish"):
        stream.push(music(5000))


def test_every_name_is_what_it_is_whatever_was_loaded_before():
    for module in pkgutil.iter_modules(features.__path__):
        importlib.import_module(f"tonotope.features.{module.name}")
    for name in features.__all__:
        assert not isinstance(getattr(features, name), types.ModuleType), name
        assert getattr(features, name) is getattr(features, name)


def test_stereo_is_refused_by_its_shape():
    with pytest.raises(ValueError, match=r"a block has shape \(2, 100\), expected \(n_samples,\)"):
        analyze([np.zeros((2, 100), np.float32)], ["rms"])


def test_other_numbers_are_taken_as_float32():
    signal = music(30_000)
    of_float64 = analyze([signal.astype(np.float64)], ["mfcc", "level"])
    assert_equal(of_float64, analyze([signal], ["mfcc", "level"]))


def test_the_caller_may_reuse_its_buffer():
    signal = music(20 * 4096)
    stream = DescriptorStream()
    buffer = np.empty(4096, np.float32)
    for block in np.split(signal, 20):
        buffer[:] = block
        stream.push(buffer)
        buffer[:] = np.nan
    stream.finish()
    assert_equal(stream.result(), analyze([signal]))


def test_push_returns_the_mel_power_of_new_frames_where_it_is_computed():
    signal = music(100_000)
    stream = DescriptorStream(["mfcc", "mel"])
    mel = [*map(stream.push, np.split(signal, 7 * [10_000] + [50_000, 50_001])), stream.finish()]
    assert np.array_equal(np.concatenate(mel), stream.result()["mel"])
    without = DescriptorStream(["chroma_stft"])
    assert without.push(signal).shape == (0, 128)


def test_counts_its_samples():
    stream = DescriptorStream([])
    for n_samples in (0, 1, 5000):
        stream.push(np.zeros(n_samples, np.float32))
    stream.finish()
    assert stream.n_samples == stream.result().n_samples == 5001
    assert stream.result().duration_s == 5001 / SAMPLE_RATE_HZ


def test_times_are_the_middles_of_frames():
    times_s = analyze([music(SAMPLE_RATE_HZ)], ["rms"]).times_s
    assert len(times_s) == 44
    assert times_s[:2] == pytest.approx([0, 512 / 22050])


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
def test_degenerate_input_gives_finite_numbers(name):
    signal = degenerate(name)
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        everything = analyze([signal], DESCRIPTORS)
        row = summed_up(signal)
    for descriptor, value in everything.items():
        if isinstance(value, np.ndarray):
            assert np.isfinite(value).all(), descriptor
    # The key of nothing, and the level of silence, are none.
    without_answer = {column for column, value in row.items() if not np.isfinite(value)}
    assert without_answer <= NONE_IN_SILENCE


def test_silence_has_the_values_its_docstrings_promise():
    row = summed_up(np.zeros(SAMPLE_RATE_HZ, np.float32))
    assert {column for column, value in row.items() if np.isnan(value)} == NONE_IN_SILENCE
    for column, value in row.items():
        descriptor, _, statistic = column.rpartition("_")
        if statistic in {"std", "skew", "kurtosis"} and not column.startswith("mfcc"):
            assert value == 0, column
        if statistic == "mean" and not column.startswith("mfcc"):
            expected = {"spectral_flatness": 1.0}.get(descriptor, 0.0)
            assert value == pytest.approx(expected, abs=1e-5), column
    # -100 dB in 128 bands, as the orthonormal DCT gives it.
    assert row["mfcc_01_mean"] == pytest.approx(-100 * np.sqrt(128), rel=1e-5)
    assert row["tempo_bpm"] == row["beats_per_minute"] == row["energy_estimate"] == 0


def test_noise_and_tone_have_the_values_theory_gives():
    noise = summed_up(degenerate("white noise"))
    assert noise["rms_mean"] == pytest.approx(1 / np.sqrt(3), rel=0.02)
    assert noise["zero_crossing_rate_mean"] == pytest.approx(0.5, abs=0.02)
    assert noise["spectral_centroid_hz_mean"] == pytest.approx(5512, rel=0.02)
    assert noise["spectral_bandwidth_hz_mean"] == pytest.approx(11025 / np.sqrt(12), rel=0.02)
    assert noise["spectral_rolloff_hz_mean"] == pytest.approx(0.85 * 11025, rel=0.02)
    # exp(-Euler's constant): the geometric over the arithmetic mean of exponential variables.
    assert noise["spectral_flatness_mean"] == pytest.approx(0.5615, abs=0.02)
    tone = summed_up(degenerate("pure tone"))
    assert tone["rms_median"] == pytest.approx(np.sqrt(0.5), rel=1e-3)
    assert tone["spectral_centroid_hz_median"] == pytest.approx(440, rel=0.01)
    assert tone["zero_crossing_rate_median"] == pytest.approx(2 * 440 / 22050, rel=0.02)
    assert tone["chroma_stft_10_median"] == 1  # A


def test_a_track_of_47_minutes_is_the_sum_of_its_stretches():
    # Ten seconds, at a level that falls and a brightness that changes from minute to minute, so
    # that the stretches' means differ; three stretches, the last one of seven minutes.
    ten_s = music(430 * HOP_LENGTH)
    dull = np.convolve(ten_s, np.ones(8, np.float32) / 8, mode="same")
    n_pieces = 47 * 60 * SAMPLE_RATE_HZ // len(ten_s)
    pieces = [
        np.float32(10 ** (-k / n_pieces)) * (dull if k % 3 == 0 or k > 200 else ten_s)
        for k in range(n_pieces)
    ]
    row = summed_up(*pieces)

    scalars = _scalars_of_all_frames(pieces)
    # 20 minutes have 51 680 frames; a stretch is the next whole number of batches of 64.
    boundaries = [51_712, 2 * 51_712]
    for k, descriptor in enumerate(SCALARS):
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
            assert row[f"{descriptor}_{name}"] == pytest.approx(value, rel=2e-6, abs=1e-9)
        stretches = np.split(column, boundaries)
        medians = [np.median(stretch) for stretch in stretches]
        weighted = np.average(medians, weights=[len(stretch) for stretch in stretches])
        assert row[f"{descriptor}_median"] == pytest.approx(weighted, rel=2e-6)
    # The bursts come every half second all along.
    assert abs(row["tempo_bpm"] - 120) < 3


def _scalars_of_all_frames(pieces):
    stream = FrameStream()
    rows = []
    for batches in [*map(stream.push, pieces), stream.finish()]:
        for batch in batches:
            magnitude = magnitude_spectrum(batch.frames)
            power = np.square(magnitude)
            columns = [
                spectral_shape(magnitude),
                spectral_flatness(power),
                waveform.zero_crossings_of_frames(batch),
                waveform.rms_of_frames(batch),
            ]
            rows.append(np.column_stack(columns))
    return np.concatenate(rows).astype(np.float64)


def test_chroma_is_tuned_to_the_first_two_minutes():
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
    beginning = power[: 2 * 60 * SAMPLE_RATE_HZ // HOP_LENGTH]
    peaks = power_peaks(beginning, spectral_peaks(np.sqrt(beginning)))
    tuning = estimate_tuning(peaks.pitch_hz, peaks.height)
    assert tuning > 0.2
    expected = chroma_stft(power, tuning=tuning).mean(axis=0)
    row = summed_up(signal)
    ours = [row[f"chroma_stft_{k:02d}_mean"] for k in range(1, 13)]
    assert ours == pytest.approx(expected, abs=1e-5)
    untuned = chroma_stft(power, tuning=0.0).mean(axis=0)
    assert np.abs(expected - untuned).max() > 0.01
