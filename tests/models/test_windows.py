"""A track becomes the windows that a network hears."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tonotope.features.stream import DescriptorStream
from tonotope.models.frontend import WindowStream
from tonotope.models.melspec import MelStream, logarithm
from tonotope.models.representations import GtzanMel, LogMel, Waveform
from tonotope.models.windows import front_end, window_shape

WAVEFORM = Waveform(4000, window_s=0.25, hop_s=0.25, pad="repeat", normalise="none")
LOG_MEL = LogMel(
    sample_rate_hz=16000, n_fft=512, win_length=512, hop_length=256, n_mels=24, f_min_hz=0.0,
    f_max_hz=8000.0, mel_scale="slaney", norm="slaney", power=2, log="db", layout="time,band",
    window_s=2.048, hop_s=0.992, pad="repeat",
)  # fmt: skip


def windows_of(spec, *pieces):
    front = front_end(spec)
    windows = itertools.chain(*(front.push(piece) for piece in pieces), front.finish())
    return list(windows)


def numbered(n_samples: int) -> np.ndarray:
    """Return samples that tell their own number, all of them audible."""
    return 1 + np.arange(n_samples, dtype=np.float32)


def starts_of(n_items: int, length: int, hop: int) -> list[int]:
    """Return where windows have to begin, said another way than the code says it."""
    starts = [start for start in range(0, n_items, hop) if start + length <= n_items]
    covered = starts[-1] + length if starts else 0
    following = len(starts) * hop
    rest = n_items - following
    if rest > 0 and n_items > covered and (not starts or rest >= length / 2):
        starts.append(following)
    return starts


@settings(max_examples=150, deadline=None)
@given(
    n_samples=st.integers(0, 700),
    length=st.integers(1, 120),
    hop=st.integers(1, 250),
    data=st.data(),
)
def test_windows_begin_every_hop(n_samples, length, hop, data):
    # At 1 kHz would be simplest; 4 kHz is the least that a card may have.
    spec = replace(WAVEFORM, window_s=length / 4000, hop_s=hop / 4000)
    cuts = data.draw(st.lists(st.integers(0, n_samples), max_size=8).map(sorted), label="cuts")
    samples = numbered(n_samples)
    found = windows_of(spec, *np.split(samples, cuts))
    assert [round(w.start_s * 4000) for w in found] == starts_of(n_samples, length, hop)
    for window in found:
        start = round(window.start_s * 4000)
        there = samples[start : start + length]
        assert np.array_equal(window.values, np.resize(there, length))
        assert window.values.dtype == np.float32


def test_a_short_window_may_be_filled_with_silence():
    (window,) = windows_of(replace(WAVEFORM, pad="zeros"), numbered(700))
    assert np.array_equal(window.values, np.pad(numbered(700), (0, 300)))


def test_windows_may_be_normalised():
    rng = np.random.default_rng(0)
    samples = (0.3 + 0.01 * rng.standard_normal(1600)).astype(np.float32)
    spec = replace(WAVEFORM, normalise="zero-mean-unit-variance", pad="zeros")
    first, second = windows_of(spec, samples)
    assert first.values.mean() == pytest.approx(0, abs=1e-5)
    assert first.values.std() == pytest.approx(1, rel=1e-3)
    # What is filled up counts for neither.
    assert second.values[:600].std() == pytest.approx(1, rel=1e-3)
    assert not second.values[600:].any()


def test_silence_is_left_out_and_faint_music_is_not():
    samples = np.zeros(4000, np.float32)
    samples[1000:2000] = 1.9 / 32768  # dither of 16 bits
    samples[3500] = 1e-4  # -80 dB
    assert [w.start_s for w in windows_of(WAVEFORM, samples)] == [0.75]
    assert windows_of(WAVEFORM, samples[:3000]) == []
    assert windows_of(WAVEFORM) == []
    samples = np.zeros(16000 * 6, np.float32)
    samples[16000 * 5] = 1e-4
    starts = [w.start_s for w in windows_of(LOG_MEL, samples)]
    assert starts
    assert all(start <= 5.02 and start + 2.048 >= 4.98 for start in starts)
    assert windows_of(LOG_MEL, samples[: 16000 * 4]) == []


def test_windows_of_frames_are_cut_from_the_whole_tracks_frames():
    samples = np.random.default_rng(0).standard_normal(16000 * 5).astype(np.float32)
    stream = MelStream(LOG_MEL)
    pieces = [mel for mel, _ in itertools.chain(stream.push(samples), stream.finish())]
    frames = logarithm(np.concatenate(pieces), LOG_MEL)
    found = windows_of(LOG_MEL, *np.array_split(samples, 7))
    assert window_shape(LOG_MEL) == (128, 24)
    assert [round(w.start_s * 62.5) for w in found] == starts_of(len(frames), 128, 62)
    for window in found:
        there = frames[round(window.start_s * 62.5) :][:128]
        assert window.values.shape == (128, 24)
        expected = there[np.arange(128) % len(there)]
        np.testing.assert_allclose(window.values, expected, atol=1e-3)


def test_the_layout_turns_a_window():
    samples = np.random.default_rng(0).standard_normal(16000 * 3).astype(np.float32)
    turned = replace(LOG_MEL, layout="band,time")
    assert window_shape(turned) == (24, 128)
    for ours, theirs in zip(windows_of(turned, samples), windows_of(LOG_MEL, samples), strict=True):
        assert np.array_equal(ours.values, theirs.values.T)


def test_silence_that_fills_a_window_is_the_logarithms_floor():
    samples = np.random.default_rng(0).standard_normal(16000).astype(np.float32)
    (window,) = windows_of(replace(LOG_MEL, pad="zeros"), samples)
    np.testing.assert_allclose(window.values[63:], -100, atol=1e-3)
    assert (window.values[:63] > -90).all()


def test_gtzan_mel_windows_are_those_of_analysis():
    rng = np.random.default_rng(0)
    samples = (0.1 * rng.standard_normal(22050 * 42)).astype(np.float32)
    mel, stream = DescriptorStream(["mel"], keep_frames=False), WindowStream()
    theirs = [*stream.push(mel.push(samples)), *stream.push(mel.finish()), *stream.finish()]
    ours = windows_of(GtzanMel(), samples)
    assert window_shape(GtzanMel()) == (333, 128)
    assert [w.start_s for w in ours] == [w.start_s for w in theirs]
    assert len(ours) == 2
    for a, b in zip(ours, theirs, strict=True):
        assert np.array_equal(a.values, b.log_mel)
