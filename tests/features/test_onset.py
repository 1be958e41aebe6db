"""Onsets: librosa's numbers, and clicks at known times."""

from __future__ import annotations

import librosa
import mir_eval
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.onset_curves import (
    FIRST_CLICK_S,
    WITHOUT_RHYTHM,
    click_times,
    click_track,
    log_mel_of_tracks,
    onsets_of,
    onsets_of_tracks,
)
from tonotope.features.onset import onset_strength, onset_times
from tonotope.features.stft import HOP_LENGTH, SAMPLE_RATE_HZ


def librosas_times(curve):
    return librosa.onset.onset_detect(onset_envelope=curve, units="time")


@pytest.mark.data
def test_onset_strength_of_real_music_is_librosas(music_dir):
    for name, log_mel_db in log_mel_of_tracks(music_dir).items():
        theirs = librosa.onset.onset_strength(S=log_mel_db.T)
        ours = onset_strength(log_mel_db)
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6 * theirs.max(), err_msg=name)


@pytest.mark.data
def test_onsets_of_real_music_are_librosas(music_dir):
    for name, curve in onsets_of_tracks(music_dir).items():
        ours = onset_times(curve)
        assert np.array_equal(ours, librosas_times(curve)), name
        assert len(ours) > 5


@given(
    # Of few different values, so that there are plateaus, and runs of frames which all qualify.
    st.lists(st.integers(0, 9), min_size=1, max_size=60).map(lambda x: np.array(x, np.float32)),
    st.floats(1e-6, 50),
)
def test_onsets_of_any_curve_are_librosas(steps, height):
    curve = steps * np.float32(height)
    assert np.array_equal(onset_times(curve), librosas_times(curve))


def test_onsets_by_hand():
    curve = np.full(40, 2, np.float32)  # the lowest value counts as 0
    curve[10] = 12  # highest, counts as 1
    curve[20:23] = 8, 9, 10  # each above the last: the middle one stands too close to the first
    curve[30] = 2.7  # 0.07 over the floor, but not over the mean, to which it adds
    frames = onset_times(curve) * SAMPLE_RATE_HZ / HOP_LENGTH
    assert frames.tolist() == [10, 20, 22]


def test_an_onset_stands_where_it_is_heard():
    curve = onsets_of(click_track(click_times(60)))
    first_click_frame = FIRST_CLICK_S * SAMPLE_RATE_HZ / HOP_LENGTH
    assert abs(np.argmax(curve[:20]) - first_click_frame) <= 2


@pytest.mark.parametrize("bpm", [60, 100, 128, 174])
def test_every_click_is_an_onset_and_nothing_else_is(bpm):
    clicks_s = click_times(bpm)
    onsets_s = onset_times(onsets_of(click_track(clicks_s)))
    f_measure, _, _ = mir_eval.onset.f_measure(clicks_s, onsets_s, window=0.05)
    assert f_measure == 1


@pytest.mark.parametrize("name", WITHOUT_RHYTHM)
def test_signals_without_rhythm(name):
    signal = WITHOUT_RHYTHM[name]
    curve = onsets_of(signal)
    assert curve.shape == (1 + len(signal) // HOP_LENGTH,)
    assert curve.dtype == np.float32
    assert np.isfinite(curve).all()
    assert (curve >= 0).all()
    times_s = onset_times(curve)
    assert times_s.dtype == np.float64
    assert (np.diff(times_s) > 0).all()
    if name in {"nothing", "one_sample", "silence"}:
        assert len(times_s) == 0
    if name == "one_click":
        assert times_s == pytest.approx([40_000 / SAMPLE_RATE_HZ], abs=0.05)


def test_no_frames_have_no_onsets():
    assert onset_strength(np.zeros((0, 128), np.float32)).shape == (0,)
    assert onset_times(np.zeros(0, np.float32)).shape == (0,)
    assert onset_times(np.full(100, 3, np.float32)).shape == (0,)
