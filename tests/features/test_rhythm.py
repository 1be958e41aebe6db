"""Tempo and onsets of what was made with a known beat."""

from __future__ import annotations

import numpy as np
import pytest

from tonotope.features.mel import log_mel
from tonotope.features.rhythm import TEMPO_LAGS, mean_tempogram, onset_strength, tempo_bpm
from tonotope.features.stft import HOP_LENGTH, SAMPLE_RATE_HZ, stft_power


def click_track(bpm: float, duration_s: float = 20.0):
    signal = 1e-4 * np.random.default_rng(2).standard_normal(int(duration_s * SAMPLE_RATE_HZ))
    decay = np.exp(-np.arange(3000) / 400)
    for beat_s in np.arange(0.25, duration_s - 0.25, 60 / bpm):
        start = int(beat_s * SAMPLE_RATE_HZ)
        signal[start : start + 3000] += decay * np.sin(np.arange(3000) * 0.4)
    return signal.astype(np.float32)


@pytest.mark.parametrize("bpm", [75, 90, 96, 100, 120, 133, 150])
def test_a_click_track_has_its_tempo(bpm):
    onsets = onset_strength(log_mel(stft_power(click_track(bpm))))
    answer = tempo_bpm(mean_tempogram(onsets))
    # The answer is a whole number of frames; the beat's own length lies next to it.
    frames_per_beat = 60 * SAMPLE_RATE_HZ / (HOP_LENGTH * bpm)
    lag = 60 * SAMPLE_RATE_HZ / (HOP_LENGTH * answer)
    assert lag == pytest.approx(round(lag), abs=1e-9)
    assert abs(lag - frames_per_beat) < 1


def test_an_onset_stands_where_it_is_heard():
    signal = click_track(60)
    onsets = onset_strength(log_mel(stft_power(signal)))
    first_click_frame = 0.25 * SAMPLE_RATE_HZ / HOP_LENGTH
    assert abs(np.argmax(onsets[:20]) - first_click_frame) <= 2


def test_the_tempogram_of_one_period_is_periodic():
    onsets = np.zeros(1000, np.float32)
    onsets[12::25] = 1  # none at the ends, from which padding would ramp down
    tempogram = mean_tempogram(onsets)
    assert tempogram.shape == (TEMPO_LAGS,)
    assert tempogram[0] == pytest.approx(1)
    assert set(np.flatnonzero(tempogram > 0.01)) <= set(range(0, TEMPO_LAGS, 25))
    # The correlation of a Hann window with itself falls as the lag grows.
    assert (np.diff(tempogram[::25]) < 0).all()


def test_nothing_begins_and_nothing_has_a_tempo():
    assert tempo_bpm(mean_tempogram(np.zeros(500, np.float32))) == 0
    assert tempo_bpm(mean_tempogram(np.zeros(1, np.float32))) == 0
