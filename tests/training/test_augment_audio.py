"""What augmentation does to samples: pitch, speed, level, and no more than that."""

from __future__ import annotations

import math
from dataclasses import replace

import librosa
import numpy as np
import pytest
import scipy.signal
import torch

from support.data import DATA
from tonotope.audio import decode
from tonotope.features.stft import stft_power
from tonotope.training.augment import AUDIO, SPECTROGRAM
from tonotope.training.augment.audible import AUDIBLE, hear
from tonotope.training.augment.audio import add_noise, band_centres_hz, equalize
from tonotope.training.augment.log_mel import decibels, mel_power_of
from tonotope.training.augment.mixed_sound import hear_mixup, mix
from tonotope.training.augment.presets import SPECTROGRAM_PRESETS
from tonotope.training.augment.spectrogram import draw_shift
from tonotope.training.augment.vocoder import pitch_shift, read_at, time_stretch
from tonotope.training.cache import decibels as cached_decibels
from tonotope.training.cache import read_cache

RATE_HZ = 22050
NAMES = list(AUDIO)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def tone(hz: float = 440.0, seconds: float = 3.0) -> np.ndarray:
    """Return a tone with an overtone."""
    time_s = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    phase = 2 * np.pi * hz * time_s
    return (0.4 * np.sin(phase) + 0.2 * np.sin(3 * phase)).astype(np.float32)


def hiss(seconds: float = 3.0) -> np.ndarray:
    return (0.1 * rng(9).normal(size=int(seconds * RATE_HZ))).astype(np.float32)


def level_db(samples: np.ndarray) -> float:
    return 10 * math.log10(float(np.mean(np.square(samples, dtype=np.float64))))


def dominant_hz(samples: np.ndarray) -> float:
    """Return the strongest frequency, without the ends of the signal."""
    middle = samples[len(samples) // 6 : -len(samples) // 6]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle)), 2**20))
    return float(spectrum.argmax() * RATE_HZ / 2**20)


def cents(hz: float, reference_hz: float) -> float:
    return 1200 * math.log2(hz / reference_hz)


# All of them.


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n_samples", [0, 1, 100, 5000, 40_000])
def test_samples_stay_samples(name: str, n_samples: int) -> None:
    samples = hiss()[:n_samples]
    before = samples.copy()
    changed = AUDIO[name].apply(samples, rng())
    assert changed.dtype == np.float32
    assert np.isfinite(changed).all()
    assert np.array_equal(samples, before)
    if name == "time-stretch":
        assert n_samples / 1.24 - 1 <= len(changed) <= n_samples / 0.8 + 1
    else:
        assert changed.shape == samples.shape


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_samples_and_another_others(name: str) -> None:
    samples = hiss(1.0)
    one, same, other = (AUDIO[name](samples, rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("name", NAMES)
def test_silence_stays_silence(name: str) -> None:
    assert not AUDIO[name](np.zeros(20_000, np.float32), rng()).any()


# Speed and pitch.


@pytest.mark.parametrize("rate", [0.5, 0.81, 0.93, 1.07, 1.23, 2.0])
def test_a_stretch_has_librosa_s_length_and_pitch(rate: float) -> None:
    samples = tone()
    stretched = time_stretch(samples, rate)
    reference = librosa.effects.time_stretch(samples, rate=rate)
    assert len(stretched) == len(reference) == round(len(samples) / rate)
    assert abs(cents(dominant_hz(stretched), 440)) < 1
    assert abs(cents(dominant_hz(stretched), dominant_hz(reference))) < 1


@pytest.mark.parametrize("semitones", [-7, -2, -0.5, 0.3, 1, 2, 12])
def test_a_shift_has_librosa_s_length_and_pitch(semitones: float) -> None:
    samples = tone()
    shifted = pitch_shift(samples, semitones)
    reference = librosa.effects.pitch_shift(samples, sr=RATE_HZ, n_steps=semitones)
    assert len(shifted) == len(reference) == len(samples)
    assert abs(cents(dominant_hz(shifted), 440) - 100 * semitones) < 5
    assert abs(cents(dominant_hz(shifted), dominant_hz(reference))) < 5


@pytest.mark.parametrize("rate", [0.81, 1.23])
def test_a_stretch_keeps_the_level_of_tones_and_of_noise(rate: float) -> None:
    assert abs(level_db(time_stretch(tone(), rate)) - level_db(tone())) < 0.05
    # Of noise librosa's loses more: bins beside each other drift apart.
    lost_db = level_db(hiss()) - level_db(time_stretch(hiss(), rate))
    reference = librosa.effects.time_stretch(hiss(), rate=rate)
    assert 0 < lost_db < 1 < level_db(hiss()) - level_db(reference)


@pytest.mark.parametrize("rate", [0.81, 1.23])
def test_a_stretch_keeps_a_tone_s_shape(rate: float) -> None:
    # Nothing sounds that did not before: a partial's bins stay together.
    before, after = (
        stft_power(samples)[10:-10].mean(axis=0) for samples in (tone(), time_stretch(tone(), rate))
    )
    assert np.abs(10 * np.log10(after / before)[before > 1e-6 * before.max()]).max() < 0.5


def test_at_its_own_speed_a_sound_is_itself() -> None:
    for samples in (hiss(), tone()):
        assert np.abs(time_stretch(samples, 1.0) - samples).max() < 1e-5
    assert np.array_equal(pitch_shift(samples, 0), samples)


@pytest.mark.parametrize("rate", [0.7, 1.4])
def test_a_stretch_moves_events_in_time(rate: float) -> None:
    samples = np.zeros(3 * RATE_HZ, np.float32)
    samples[[RATE_HZ, 2 * RATE_HZ]] = 1
    stretched = np.abs(time_stretch(samples, rate))
    half = round(1.5 * RATE_HZ / rate)
    for second, part in ((1, stretched[:half]), (2, stretched[half:])):
        found = part.argmax() + (half if second == 2 else 0)
        assert abs(found - second * RATE_HZ / rate) < 512
        # Most of its energy stays within a frame.
        near = np.square(stretched[found - 1024 : found + 1024]).sum()
        assert near > 0.42 * np.square(stretched).sum()


def test_speeds_that_change_read_where_they_are_told() -> None:
    # A rising tone read backwards in speed: each moment has the pitch of the place it comes from.
    time_s = np.arange(4 * RATE_HZ) / RATE_HZ
    sweep = np.sin(2 * np.pi * (300 * time_s + 100 * time_s**2)).astype(np.float32)
    frames = np.arange(1 + -(-len(sweep) // 512))
    share = np.interp(frames / frames[-1], [0, 0.6, 1], [0, 0.3, 1])
    found = read_at(sweep, share * len(sweep), len(sweep))
    power = stft_power(found)
    for moment in (0.2, 0.5, 0.8):
        frame = round(moment * len(power))
        place_s = 4 * np.interp(moment, [0, 0.6, 1], [0, 0.3, 1])
        assert power[frame].argmax() * RATE_HZ / 2048 == pytest.approx(300 + 200 * place_s, abs=25)


@pytest.mark.parametrize("rate", [0, -1, float("nan")])
def test_an_impossible_speed_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="cannot be played"):
        time_stretch(tone(), rate)


def test_presets_reach_their_ends_and_not_beyond() -> None:
    samples = tone(seconds=1.5)
    found = [
        cents(dominant_hz(AUDIO["pitch-shift"](samples, rng(seed))), 440) for seed in range(20)
    ]
    assert max(map(abs, found)) <= 205
    assert max(found) > 120
    assert min(found) < -120
    rates = [len(samples) / len(AUDIO["time-stretch"](samples, rng(seed))) for seed in range(20)]
    assert 0.809 < min(rates) < 0.9
    assert 1.1 < max(rates) < 1.231


# Level.


@pytest.mark.parametrize("snr_db", [0, 10, 30])
def test_noise_has_the_level_that_is_asked_for(snr_db: float) -> None:
    samples = tone()
    added = add_noise(samples, snr_db, rng()) - samples
    assert level_db(samples) - level_db(added) == pytest.approx(snr_db, abs=0.1)
    spectrum = stft_power(added).mean(axis=0)[2:-2]
    assert spectrum.max() / spectrum.min() < 3  # white


def test_a_gain_is_within_its_preset() -> None:
    samples = tone()
    gains_db = [level_db(AUDIO["gain"](samples, rng(k))) - level_db(samples) for k in range(50)]
    assert -6.001 <= min(gains_db) < -5
    assert 5 < max(gains_db) <= 6.001


def test_a_gain_of_0_is_the_identity() -> None:
    samples = hiss()
    for name in ("gain", "random-eq"):
        augmentation = AUDIO[name]
        preset = replace(augmentation.preset, numbers={**augmentation.preset.numbers, "gain_db": 0})
        changed = replace(augmentation, preset=preset)(samples, rng())
        assert np.abs(changed - samples).max() < 1e-5


def test_an_equalizer_amplifies_each_band_by_its_gain() -> None:
    gains_db = np.interp(np.arange(128), [0, 40, 80, 128], [0, 6, -6, 3])
    samples = hiss(10.0)
    filtered = equalize(samples, gains_db)
    found_db = 10 * np.log10(mel_power_of(filtered).sum(axis=0) / mel_power_of(samples).sum(axis=0))
    assert np.abs(found_db - gains_db)[2:-2].max() < 0.5
    # No delay: a click stays where it is.
    click = np.zeros(RATE_HZ, np.float32)
    click[9000] = 1
    assert np.abs(equalize(click, gains_db)).argmax() == 9000


def test_a_roll_is_circular() -> None:
    samples = hiss(0.5)
    rolled = AUDIO["time-roll"](samples, rng(4))
    start = int(np.flatnonzero(rolled == samples[0])[0])
    assert start > 0
    assert np.array_equal(np.roll(samples, start), rolled)


# Spectrograms' augmentations as sound.


def log_mel(samples: np.ndarray, reference: np.ndarray) -> np.ndarray:
    return decibels(mel_power_of(samples), float(mel_power_of(reference).max()))


def clip(seconds: float = 12.0) -> np.ndarray:
    """Return noise that falls off with frequency and swells twice a second."""
    swell = 1.2 + np.sin(2 * np.pi * 2 * np.arange(int(seconds * RATE_HZ)) / RATE_HZ)
    dark = scipy.signal.lfilter([0.3], [1, -0.7], hiss(seconds))
    return (dark * swell + 0.1 * tone(700, seconds)).astype(np.float32)


@pytest.mark.parametrize("name", list(AUDIBLE))
def test_what_is_heard_is_as_long_and_given_by_its_seed(name: str) -> None:
    samples = hiss(4.0)
    one, same, other = (hear(name, samples, seed) for seed in (1, 1, 2))
    assert one.shape == samples.shape
    assert one.dtype == np.float32
    assert np.isfinite(one).all()
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("name", list(AUDIBLE))
@pytest.mark.parametrize("n_samples", [1, 700, 3000])
def test_short_sounds_can_be_heard_too(name: str, n_samples: int) -> None:
    assert np.isfinite(hear(name, hiss()[:n_samples], 0)).all()


def test_every_augmentation_of_spectrograms_can_be_heard() -> None:
    assert SPECTROGRAM_PRESETS.keys() <= AUDIBLE.keys() | AUDIO.keys()


@pytest.mark.parametrize(("name", "axis"), [("time-mask", 1), ("frequency-mask", 0)])
def test_under_a_mask_the_sound_lies_at_its_mean_and_beside_it_nothing_changes(
    name: str, axis: int
) -> None:
    samples = clip()
    before, after = log_mel(samples, samples), log_mel(hear(name, samples, 5), samples)
    change_db = np.abs(after - before)
    masked = np.median(change_db, axis=axis) > 3
    assert 3 <= masked.sum() < 0.8 * len(masked)
    # Where a mask ends, frames and bands overlap.
    reach = 5 if name == "time-mask" else 2
    inside = scipy.ndimage.binary_erosion(masked, iterations=reach)
    outside = ~scipy.ndimage.binary_dilation(masked, iterations=reach)
    take = (lambda a, m: a[m]) if name == "time-mask" else (lambda a, m: a[:, m])
    assert np.median(take(change_db, outside)) < 0.05
    assert np.median(take(after, inside)) == pytest.approx(before.mean(), abs=2)
    assert np.std(take(after, inside)) < 0.5 * np.std(take(before, inside))


def test_a_warp_that_is_heard_keeps_pitch_level_and_ends() -> None:
    samples = clip()
    warped = hear("time-warp", samples, 0)
    assert abs(cents(dominant_hz(warped), 700)) < 3
    assert abs(level_db(warped) - level_db(samples)) < 0.5


def test_a_shift_that_is_heard_moves_the_bands_as_far_as_the_spectrogram() -> None:
    hz = 3000.0
    samples = tone(hz)
    shifted = hear("frequency-shift", samples, 3)
    numbers = SPECTROGRAM_PRESETS["frequency-shift"].numbers
    bands = float(draw_shift(torch.empty(1), torch.Generator().manual_seed(3), numbers))
    assert abs(bands) > 1
    place = np.interp([hz, dominant_hz(shifted)], band_centres_hz(), np.arange(128))
    assert place[1] - place[0] == pytest.approx(bands, abs=0.1)


def test_mixup_that_is_heard_is_the_mean_of_decibels() -> None:
    # Of noise, the mean of decibels bin by bin is less than that band by band.
    low, high = tone(300, 2.0) + hiss(2.0), 0.3 * tone(2500, 2.0) + 0.3 * hiss(2.0)
    levels = [log_mel(s, s)[5:-5].mean(axis=0) for s in (low, high)]
    for weight in (0.25, 0.5):
        mixed = log_mel(mix(low, high, weight), low)[5:-5].mean(axis=0)
        expected = weight * levels[0] + (1 - weight) * levels[1]
        assert np.median(np.abs(mixed - expected)) < 5
    assert np.abs(mix(low, high, 1.0) - low).max() < 0.1


def test_mixup_that_is_heard_repeats_a_short_clip_and_keeps_silence() -> None:
    samples = tone()
    mixed = hear_mixup(samples, hiss(0.5), rng(3))
    assert mixed.shape == samples.shape
    assert not mix(np.zeros_like(samples), np.zeros(100, np.float32), 0.5).any()


# Music.


@pytest.mark.data
@pytest.mark.parametrize("semitones", [-2, 2])
def test_music_is_transposed_at_its_speed(semitones: int) -> None:
    with decode(DATA / "music" / "lofi_oga" / "game-90s.mp3") as blocks:
        samples = np.concatenate(list(blocks))[20 * RATE_HZ : 40 * RATE_HZ]
    shifted = pitch_shift(samples, semitones)
    before, after = (
        librosa.feature.chroma_stft(y=y, sr=RATE_HZ, tuning=0).mean(axis=1)
        for y in (samples, shifted)
    )
    agreement = [np.corrcoef(np.roll(before, k), after)[0, 1] for k in range(12)]
    assert int(np.argmax(agreement)) == semitones % 12
    assert max(agreement) > 0.95
    onsets = [librosa.onset.onset_strength(y=y, sr=RATE_HZ) for y in (samples, shifted)]
    assert np.corrcoef(onsets)[0, 1] > 0.8


@pytest.mark.data
def test_real_spectrograms_stay_in_range() -> None:
    cache = read_cache(DATA / "gtzan-mel")
    log_mel = torch.from_numpy(cached_decibels(cache.mel[:600:75]))
    chance = torch.Generator().manual_seed(0)
    for name, augmentation in SPECTROGRAM.items():
        changed = augmentation(log_mel, chance)
        assert changed.shape == log_mel.shape
        assert changed.min() >= -80, name
        assert changed.max() <= 0, name
        # It is still the same music.
        both = torch.stack([log_mel.flatten(), changed.flatten()])
        assert name == "time-roll" or torch.corrcoef(both)[0, 1] > 0.5, name
