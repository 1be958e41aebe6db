"""Mel spectrograms of any definition are librosa's, however the signal is cut."""

from __future__ import annotations

import itertools
import warnings

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tonotope.models.melspec import MelStream, logarithm, mel_bank
from tonotope.models.representations import LogMel

EFFNET = LogMel(
    sample_rate_hz=16000,
    n_fft=512,
    win_length=512,
    hop_length=256,
    n_mels=96,
    f_min_hz=0.0,
    f_max_hz=8000.0,
    mel_scale="slaney",
    norm="slaney",
    power=2,
    log="log10(1+10000x)",
    layout="time,band",
    window_s=2.048,
    hop_s=0.992,
    pad="repeat",
)


def spec(**changes) -> LogMel:
    values = {key: getattr(EFFNET, key) for key in LogMel.__slots__}
    return LogMel(**{**values, **changes})


def signal(n_samples: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    tones = sum(np.sin(2 * np.pi * f * np.arange(n_samples)) for f in (0.01, 0.07, 0.31))
    return (0.1 * tones + 0.01 * rng.standard_normal(n_samples)).astype(np.float32)


def mel_of(spec: LogMel, *pieces: np.ndarray) -> np.ndarray:
    stream = MelStream(spec)
    found = [mel for piece in pieces for mel, _ in stream.push(piece)]
    return np.concatenate(found + [mel for mel, _ in stream.finish()])


@pytest.mark.parametrize("mel_scale", ["slaney", "htk"])
@pytest.mark.parametrize("norm", ["slaney", "none"])
@pytest.mark.parametrize(
    ("sample_rate_hz", "n_fft", "n_mels", "f_min_hz", "f_max_hz"),
    [
        (16000, 512, 96, 0.0, 8000.0),
        (22050, 2048, 128, 0.0, 11025.0),
        (24000, 1024, 128, 20.0, 9000.0),
        (32000, 1024, 64, 50.0, 14000.0),
        (48000, 1024, 64, 50.0, 14000.0),
        (44100, 2049, 1, 900.0, 5000.0),
    ],
)
def test_the_bank_is_librosas(mel_scale, norm, sample_rate_hz, n_fft, n_mels, f_min_hz, f_max_hz):
    wanted = spec(
        mel_scale=mel_scale, norm=norm, sample_rate_hz=sample_rate_hz, n_fft=n_fft, n_mels=n_mels,
        f_min_hz=f_min_hz, f_max_hz=f_max_hz,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of bands narrower than the bins
        theirs = librosa.filters.mel(
            sr=sample_rate_hz, n_fft=n_fft, n_mels=n_mels, fmin=f_min_hz, fmax=f_max_hz,
            htk=mel_scale == "htk", norm=None if norm == "none" else norm,
        )  # fmt: skip
    ours = mel_bank(wanted)
    assert ours.dtype == np.float32
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5 * theirs.max())


@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize(("n_fft", "win_length", "hop_length"), [(512, 512, 256), (512, 400, 160)])
@pytest.mark.parametrize("mel_scale", ["slaney", "htk"])
def test_the_spectrogram_is_librosas(power, n_fft, win_length, hop_length, mel_scale):
    wanted = spec(
        power=power, n_fft=n_fft, win_length=win_length, hop_length=hop_length, n_mels=40,
        mel_scale=mel_scale,
    )  # fmt: skip
    samples = signal(20_011)
    theirs = librosa.feature.melspectrogram(
        y=samples, sr=16000, n_fft=n_fft, win_length=win_length, hop_length=hop_length, n_mels=40,
        power=power, htk=mel_scale == "htk", pad_mode="constant",
    ).T  # fmt: skip
    ours = mel_of(wanted, samples)
    assert ours.dtype == np.float32
    assert ours.shape == theirs.shape == (1 + 20_011 // hop_length, 40)
    np.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=1e-5 * theirs.max())


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(0, 9000), max_size=8).map(sorted), hop_length=st.integers(1, 512))
def test_the_cut_changes_nothing(cuts, hop_length):
    wanted = spec(hop_length=hop_length)
    samples = signal(9000)
    whole, cut = mel_of(wanted, samples), mel_of(wanted, *np.split(samples, cuts))
    assert whole.shape == cut.shape
    np.testing.assert_allclose(cut, whole, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("n_samples", [0, 1, 100, 511, 512, 513])
def test_short_signals_have_frames_too(n_samples):
    assert mel_of(EFFNET, signal(n_samples)).shape == (1 + n_samples // 256, 96)


def test_the_peak_is_that_of_each_frames_samples():
    samples = np.zeros(2560, np.float32)
    samples[1024] = -0.5
    stream = MelStream(EFFNET)
    peaks = [peak for _, peak in itertools.chain(stream.push(samples), stream.finish())]
    # Frame t reaches from 256 t - 256 to 256 t + 255.
    assert np.concatenate(peaks).tolist() == [0, 0, 0, 0, 0.5, 0.5, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("power", [1, 2])
def test_decibels_are_librosas(power):
    sums = np.array([0, 1e-12, 1e-7, 0.1, 1, 300], np.float32)
    to_db = librosa.power_to_db if power == 2 else librosa.amplitude_to_db
    ours = logarithm(sums, spec(log="db", power=power))
    np.testing.assert_allclose(ours, to_db(sums, top_db=None), atol=1e-4)


def test_the_other_logarithms_are_their_formulas():
    sums = np.array([0, 1e-12, 1e-4, 0.1, 1, 300], np.float32)
    exact = sums.astype(np.float64)
    musicnn = logarithm(sums, spec(log="log10(1+10000x)"))
    np.testing.assert_allclose(musicnn, np.log10(1 + 10000 * exact), rtol=1e-5)
    natural = logarithm(sums, spec(log="ln"))
    np.testing.assert_allclose(natural, np.log(np.maximum(exact, 1e-10)), rtol=1e-5, atol=1e-5)
    assert np.array_equal(logarithm(sums, spec(log="none")), sums)
