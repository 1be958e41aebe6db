"""Tempograms and tempi: librosa's numbers, and metronomes at known tempi."""

from __future__ import annotations

import tracemalloc

import librosa
import numpy as np
import pytest

from support.onset_curves import (
    FRAMES_PER_MINUTE,
    WITHOUT_RHYTHM,
    click_times,
    click_track,
    onsets_of,
    onsets_of_tracks,
)
from tonotope.features.tempo import TEMPO_LAGS, estimate_tempo, mean_tempogram, tempogram


def tempo_of(curve):
    return estimate_tempo(mean_tempogram(curve))


def spiky(n_frames: int, seed: int = 1):
    rng = np.random.default_rng(seed)
    return rng.gamma(0.3, 3, n_frames).astype(np.float32)


def librosas_mean(curve):
    return librosa.feature.tempogram(onset_envelope=curve, win_length=TEMPO_LAGS).mean(axis=1)


@pytest.mark.parametrize("n_frames", [1, 2, 100, 513, 1300])
@pytest.mark.parametrize("win_length", [2, 5, 101, TEMPO_LAGS, 384])
def test_tempogram_is_librosas(n_frames, win_length):
    curve = spiky(n_frames)
    theirs = librosa.feature.tempogram(onset_envelope=curve, win_length=win_length).T
    ours = tempogram(curve, win_length=win_length)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-6)


@pytest.mark.data
def test_tempogram_of_real_music_is_librosas(music_dir):
    for name, curve in list(onsets_of_tracks(music_dir).items())[::5]:
        theirs = librosa.feature.tempogram(onset_envelope=curve).T
        np.testing.assert_allclose(tempogram(curve), theirs, rtol=0, atol=2e-6, err_msg=name)


def test_tempogram_needs_little_memory_beside_its_result():
    def beside(n_frames):
        curve = spiky(n_frames)
        tracemalloc.start()
        result = tempogram(curve)
        peak_bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak_bytes - result.nbytes

    assert beside(12_000) < beside(1_000) + 1e6


def test_tempogram_refuses_windows_in_which_nothing_can_repeat():
    with pytest.raises(ValueError, match="win_length=1"):
        tempogram(spiky(10), win_length=1)


@pytest.mark.data
def test_mean_tempogram_and_tempo_of_real_music_are_librosas(music_dir):
    for name, curve in onsets_of_tracks(music_dir).items():
        mean = mean_tempogram(curve)
        theirs = librosas_mean(curve)
        np.testing.assert_allclose(mean, theirs, rtol=0, atol=1e-10, err_msg=name)
        assert estimate_tempo(mean).bpm == librosa.feature.tempo(onset_envelope=curve)[0], name


@pytest.mark.parametrize("n_frames", [1, 2, 343, 344, 345, 2047, 2048, 2049, 5000])
def test_mean_tempogram_is_librosas(n_frames):
    curve = spiky(n_frames)
    np.testing.assert_allclose(mean_tempogram(curve), librosas_mean(curve), rtol=0, atol=1e-12)


@pytest.mark.parametrize("faint", [1e-7, 1e-5, 1e-3, 1e-1])
@pytest.mark.parametrize("shape", ["quiet_then_loud", "loud_then_quiet", "one_in_quiet", "fade"])
def test_mean_tempogram_is_librosas_where_some_windows_hold_next_to_nothing(shape, faint):
    curve = spiky(3000)
    match shape:
        case "quiet_then_loud":
            curve[:1700] *= faint
        case "loud_then_quiet":
            curve[1700:] *= faint
        case "one_in_quiet":
            curve *= faint
            curve[1700] = 30
        case "fade":
            curve *= np.geomspace(faint, 1, len(curve))
    np.testing.assert_allclose(mean_tempogram(curve), librosas_mean(curve), rtol=0, atol=2e-7)


def test_windows_without_onsets_count_as_nothing():
    curve = np.zeros(4000, np.float32)
    curve[1000:1500] = spiky(500)
    mean = mean_tempogram(curve)
    np.testing.assert_allclose(mean, librosas_mean(curve), rtol=0, atol=1e-9)
    # The first and the last value of a Hann window of 344 frames are 0 and nearly 0.
    assert mean[0] == pytest.approx((500 + 342) / 4000)


def test_mean_tempograms_of_stretches_add_up_to_that_of_the_whole():
    curve = spiky(3000)
    curve[1500 - TEMPO_LAGS : 1500] = 0
    curve[1500:1505] = 0  # nor may there be something at the cut from which padding ramps down
    parts = [curve[:1500], curve[1500:]]
    summed = sum(mean_tempogram(part) * len(part) for part in parts)
    # Only the windows across the cut see less than both parts.
    np.testing.assert_allclose(summed / 3000, mean_tempogram(curve), rtol=0, atol=0.06)
    np.testing.assert_allclose(
        summed / 3000, sum(librosas_mean(part) / 2 for part in parts), rtol=0, atol=1e-12
    )


def test_the_tempogram_of_one_period_is_periodic():
    curve = np.zeros(1000, np.float32)
    curve[12::25] = 1  # none at the ends, from which padding would ramp down
    mean = mean_tempogram(curve)
    assert mean.shape == (TEMPO_LAGS,)
    assert mean[0] == pytest.approx(1)
    assert set(np.flatnonzero(mean > 0.01)) <= set(range(0, TEMPO_LAGS, 25))
    # The correlation of a Hann window with itself falls as the lag grows.
    assert (np.diff(mean[::25]) < 0).all()


@pytest.mark.parametrize("seed", range(40))
def test_tempo_of_any_tempogram_is_librosas(seed):
    # From a spike at one lag to a floor of noise; half of them strongest above 320 bpm.
    rng = np.random.default_rng(seed)
    mean = rng.lognormal(-6, 2, TEMPO_LAGS) * 10 ** rng.uniform(-8, 0)
    if seed % 2:
        mean[:9] += 10 * mean.max()
    theirs = librosa.feature.tempo(tg=mean[:, np.newaxis], aggregate=None)
    tempo = estimate_tempo(mean)
    assert tempo.bpm == theirs[0]
    assert 0 <= tempo.confidence <= 1
    assert all(0 <= other.strength <= 1 for other in tempo.alternatives)


@pytest.mark.parametrize("bpm", [60, 75, 90, 96, 100, 120, 128, 133, 150, 174])
def test_a_metronome_has_its_tempo(bpm):
    tempo = tempo_of(onsets_of(click_track(click_times(bpm))))
    # The answer is a whole number of frames; the beat's own length lies next to it.
    lag = FRAMES_PER_MINUTE / tempo.bpm
    assert lag == pytest.approx(round(lag), abs=1e-9)
    assert abs(lag - FRAMES_PER_MINUTE / bpm) < 1
    assert tempo.confidence > 0.7


def prominence_by_definition(mean, lag):
    hann = np.hanning(TEMPO_LAGS + 1)[:-1]
    perfect = [np.sum(hann[: TEMPO_LAGS - k] * hann[k:]) for k in range(TEMPO_LAGS)]
    # At the last lag nothing overlaps.
    agreement = mean[:-1] / mean[0] / (np.array(perfect[:-1]) / perfect[0])
    octave = [k for k in range(TEMPO_LAGS - 1) if lag / np.sqrt(2) <= k <= lag * np.sqrt(2)]
    median = np.median(agreement[octave])
    return max(0, (agreement[lag] - median) / (1 - median))


@pytest.mark.data
def test_alternatives_in_real_music(music_dir):
    for name, curve in onsets_of_tracks(music_dir).items():
        mean = mean_tempogram(curve)
        tempo = estimate_tempo(mean)
        lag = round(FRAMES_PER_MINUTE / tempo.bpm)
        assert tempo.confidence == pytest.approx(prominence_by_definition(mean, lag)), name
        ratios = [other.bpm / tempo.bpm for other in tempo.alternatives]
        octaves = {2, 0.5} if tempo.bpm < 160 else {0.5}
        assert octaves <= set(ratios), name
        assert set(np.round(ratios, 9)) <= set(np.round([2, 1 / 2, 3 / 2, 2 / 3, 3, 1 / 3], 9))
        weight = [
            other.strength * np.exp(-0.5 * np.log2(other.bpm / 120) ** 2)
            for other in tempo.alternatives
        ]
        assert weight == sorted(weight, reverse=True), name
        for other, ratio in zip(tempo.alternatives, ratios, strict=True):
            near = [k for k in range(TEMPO_LAGS) if abs(k - lag / ratio) <= 1 + 1e-9]
            possible = [prominence_by_definition(mean, k) for k in near]
            assert any(other.strength == pytest.approx(p) for p in possible), name
            if ratio not in (2, 0.5):
                assert other.strength >= max(tempo.confidence / 2, 0.05), name


@pytest.mark.parametrize(("beats_per_bar", "bar"), [(2, 1 / 2), (3, 1 / 3)])
def test_the_bar_is_the_strongest_alternative(beats_per_bar, bar):
    curve = np.zeros(1300, np.float32)
    curve[5::17] = 1
    curve[5 :: 17 * beats_per_bar] = 1.5
    tempo = tempo_of(curve)
    assert tempo.bpm == pytest.approx(FRAMES_PER_MINUTE / 17)
    strength = {other.bpm / tempo.bpm: other.strength for other in tempo.alternatives}
    assert max(strength, key=strength.get) == pytest.approx(bar)
    # Nothing falls between the beats: listed as an octave, but without strength.
    assert strength[2] == pytest.approx(0, abs=1e-9)
    assert 1.5 not in strength


def spikes(*lags):
    """Return the mean tempogram of a curve that repeats perfectly at these lags and no others."""
    hann = np.hanning(TEMPO_LAGS + 1)[:-1]
    perfect = np.correlate(hann, hann, "full")[TEMPO_LAGS - 1 :] / np.sum(hann**2)
    mean = 1e-4 * perfect
    mean[[0, *lags]] = perfect[[0, *lags]]
    return mean


@pytest.mark.parametrize(("other_lag", "strength"), [(40, 0), (41, 1), (42, 1), (43, 1), (44, 0)])
def test_a_lag_beside_the_exact_one_supports_an_alternative(other_lag, strength):
    tempo = estimate_tempo(spikes(21, other_lag))
    assert tempo.bpm == pytest.approx(FRAMES_PER_MINUTE / 21)
    assert tempo.confidence == pytest.approx(1, abs=1e-3)
    [half] = [other for other in tempo.alternatives if other.bpm == tempo.bpm / 2]
    assert half.strength == pytest.approx(strength, abs=1e-3)


@pytest.mark.parametrize("lag", [9, 12, 114, 171, 172, 228, 229, 343])
def test_alternatives_of_the_fastest_and_the_slowest_tempi(lag):
    mean = np.full(TEMPO_LAGS, 1e-12)
    mean[[0, lag]] = 1
    tempo = estimate_tempo(mean)
    assert tempo.bpm == pytest.approx(FRAMES_PER_MINUTE / lag)
    octaves = {other.bpm for other in tempo.alternatives}
    assert (tempo.bpm * 2 in octaves) == (lag > 16)
    assert (tempo.bpm / 2 in octaves) == (lag < 172)
    assert all(7.5 < other.bpm < 320 for other in tempo.alternatives)


@pytest.mark.parametrize("scale", [1e-25, 1e25])
def test_tempograms_do_not_depend_on_how_loud_the_curve_is(scale):
    curve = spiky(600)
    scaled = (curve * scale).astype(np.float32)
    np.testing.assert_allclose(tempogram(scaled), tempogram(curve), rtol=0, atol=2e-6)
    np.testing.assert_allclose(mean_tempogram(scaled), mean_tempogram(curve), rtol=0, atol=1e-6)


def test_silence_around_the_music_takes_no_confidence_from_it():
    curve = onsets_of(click_track(click_times(120)))
    silence = np.zeros(2 * len(curve), np.float32)
    alone, framed = tempo_of(curve), tempo_of(np.concatenate([silence, curve, silence]))
    assert framed.bpm == alone.bpm
    assert framed.confidence == pytest.approx(alone.confidence, abs=0.1)


def test_silence_has_no_tempo():
    for n_frames in (0, 1, 500):
        mean = mean_tempogram(np.zeros(n_frames, np.float32))
        assert mean.shape == (TEMPO_LAGS,)
        tempo = estimate_tempo(mean)
        assert (tempo.bpm, tempo.confidence, tempo.alternatives) == (0, 0, ())


def test_what_has_no_steady_pulse_has_no_confidence():
    rng = np.random.default_rng(3)
    noise = onsets_of(0.3 * rng.standard_normal(30 * 22050))
    scattered = onsets_of(click_track(np.sort(rng.uniform(0.2, 29.8, 60))))
    assert tempo_of(noise).confidence < 0.1
    assert tempo_of(scattered).confidence < 0.15


@pytest.mark.parametrize("name", WITHOUT_RHYTHM)
def test_signals_without_rhythm(name):
    curve = onsets_of(WITHOUT_RHYTHM[name])
    assert tempogram(curve).shape == (len(curve), 384)
    assert np.isfinite(tempogram(curve)).all()
    mean = mean_tempogram(curve)
    assert np.isfinite(mean).all()
    tempo = estimate_tempo(mean)
    assert 0 <= tempo.bpm < 320
    assert 0 <= tempo.confidence <= 1
    assert (tempo.bpm == 0) == (not curve.any())
    if name in {"one_click", "white_noise"}:
        assert tempo.confidence < 0.3
