"""Beats: librosa's frames, and clicks at known times."""

from __future__ import annotations

import tracemalloc
import warnings

import librosa
import mir_eval
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.onset_curves import (
    FRAMES_PER_MINUTE,
    WITHOUT_RHYTHM,
    click_times,
    click_track,
    log_mel_of_tracks,
    onsets_of,
    onsets_of_tracks,
)
from tonotope.features.beats import beat_frames, beat_times
from tonotope.features.stft import HOP_LENGTH, SAMPLE_RATE_HZ
from tonotope.features.tempo import estimate_tempo, mean_tempogram


def librosas_frames(curve, bpm):
    return librosa.beat.beat_track(onset_envelope=curve, bpm=bpm)[1]


def tempo_bpm(curve):
    return estimate_tempo(mean_tempogram(curve)).bpm


def f_measure(reference_s, estimated_s):
    """Return the F-measure at 70 ms."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*beats are empty")
        return mir_eval.beat.f_measure(reference_s, estimated_s, f_measure_threshold=0.07)


@pytest.mark.data
@pytest.mark.parametrize("bpm", ["its own", 43, 98.6, 137, 240])
def test_beats_of_real_music_at_one_tempo_are_librosas(music_dir, bpm):
    equal = []
    for name, curve in onsets_of_tracks(music_dir).items():
        at_bpm = tempo_bpm(curve) if bpm == "its own" else bpm
        ours, theirs = beat_frames(curve, at_bpm), librosas_frames(curve, at_bpm)
        equal.append(np.array_equal(ours, theirs))
        in_seconds = theirs * HOP_LENGTH / SAMPLE_RATE_HZ
        assert f_measure(in_seconds, beat_times(curve, at_bpm)) >= 0.99, name
    # All 43 are, to the frame, where this was written. A sum in another order could decide a tie.
    assert np.mean(equal) > 0.95


@pytest.mark.data
def test_beats_of_real_music_are_mostly_those_of_librosas_defaults(music_dir):
    # Which take the median over the bands where we take the mean, and find another tempo in a
    # few of the tracks.
    scores = []
    for name, log_mel_db in log_mel_of_tracks(music_dir).items():
        curve = onsets_of_tracks(music_dir)[name]
        theirs = librosa.onset.onset_strength(S=log_mel_db.T, aggregate=np.median)
        _, theirs_s = librosa.beat.beat_track(onset_envelope=theirs, units="time")
        scores.append(f_measure(theirs_s, beat_times(curve, tempo_bpm(curve))))
    assert np.median(scores) >= 0.99
    assert np.mean(scores) >= 0.8


@settings(max_examples=150, deadline=None)
@given(
    n_frames=st.one_of(st.integers(2, 60), st.integers(61, 400)),
    bpm=st.floats(6, 600),
    seed=st.integers(0, 1000),
    kind=st.sampled_from(["dense", "sparse", "with_rests", "late"]),
)
def test_beats_of_any_curve_are_librosas(n_frames, bpm, seed, kind):
    rng = np.random.default_rng(seed)
    curve = rng.uniform(0.1, 1, n_frames).astype(np.float32)
    if kind == "sparse":
        curve **= 8
    if kind == "with_rests":
        curve[rng.random(n_frames) < 0.5] = 0
    if kind == "late":
        curve[: n_frames // 2] *= 1e-3
    assert np.array_equal(beat_frames(curve, bpm), librosas_frames(curve, bpm))


@pytest.mark.parametrize("bpm", [60, 100, 128, 174])
def test_the_beats_of_a_metronome_are_its_clicks(bpm):
    clicks_s = click_times(bpm)
    curve = onsets_of(click_track(clicks_s))
    for at_bpm in (bpm, tempo_bpm(curve)):
        beats_s = beat_times(curve, at_bpm)
        # As is usual the first five seconds do not count: trimming takes beats at both ends which
        # are weaker than most, and which of a metronome's are is chance.
        trimmed = mir_eval.beat.trim_beats(clicks_s), mir_eval.beat.trim_beats(beats_s)
        assert f_measure(*trimmed) >= 0.98
        assert len(beats_s) >= len(clicks_s) - 4


def test_beats_follow_a_tempo_that_sways():
    interval_s = 0.5 * (1 + 0.06 * np.sin(np.arange(55) / 5))
    clicks_s = 0.3 + np.cumsum(interval_s)
    curve = onsets_of(click_track(clicks_s))
    assert f_measure(clicks_s, beat_times(curve, 120)) >= 0.99


def test_beats_go_on_through_a_rest_but_not_into_silence():
    clicks_s = click_times(120)
    heard_s = clicks_s[(clicks_s > 5) & (clicks_s < 25) & ~((clicks_s > 12) & (clicks_s < 15))]
    beats_s = beat_times(onsets_of(click_track(heard_s)), 120)
    expected_s = clicks_s[(clicks_s > 5) & (clicks_s < 25)]
    assert len(beats_s) == len(expected_s)
    np.testing.assert_allclose(beats_s, expected_s, rtol=0, atol=0.07)


def test_an_hour_takes_memory_in_proportion_to_its_length():
    minute = onsets_of(click_track(click_times(125, 60), 60))
    hour = np.tile(minute, 60) + np.random.default_rng(1).random(60 * len(minute), np.float32)
    tracemalloc.start()
    frames = beat_frames(hour, 125)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 40 * len(hour)
    assert np.array_equal(frames, librosas_frames(hour, 125))


@pytest.mark.parametrize("bpm", [-1, 0.5, 1001, np.nan, np.inf])
def test_a_tempo_that_is_none_is_refused(bpm):
    with pytest.raises(ValueError, match="bpm="):
        beat_frames(np.ones(100, np.float32), bpm)


@pytest.mark.parametrize("bpm", [1, 1000])
def test_the_slowest_and_the_fastest_tempo(bpm):
    curve = np.random.default_rng(0).random(500, np.float32)
    assert np.array_equal(beat_frames(curve, bpm), librosas_frames(curve, bpm))
    if bpm == 1000:
        assert set(np.diff(beat_frames(curve, bpm))) <= {2, 3, 4, 5, 6}


def test_without_tempo_or_onsets_there_are_no_beats():
    curve = np.random.default_rng(0).random(500, np.float32)
    assert len(beat_frames(curve, 0)) == 0
    for without in (curve[:0], curve[:1], 0 * curve, 0 * curve + 3):
        frames = beat_frames(without, 120)
        assert frames.shape == (0,)
        assert frames.dtype == np.int64
        assert beat_times(without, 120).dtype == np.float64
    only_the_first = 0 * curve
    only_the_first[0] = 1
    assert len(beat_frames(only_the_first, 120)) == 0


@pytest.mark.parametrize("name", WITHOUT_RHYTHM)
def test_signals_without_rhythm(name):
    curve = onsets_of(WITHOUT_RHYTHM[name])
    for bpm in (tempo_bpm(curve), 120):
        frames = beat_frames(curve, bpm)
        assert ((frames >= 0) & (frames < len(curve))).all()
        half_a_period = round(FRAMES_PER_MINUTE / (bpm or 1)) / 2 - 0.5
        assert (np.diff(frames) >= half_a_period).all()
