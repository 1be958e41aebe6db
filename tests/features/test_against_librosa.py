"""Every descriptor agrees with librosa 0.11, on real music and on signals made here."""

from __future__ import annotations

import warnings
from functools import cache, cached_property

import librosa
import numpy as np
import pytest

from tonotope.audio import decode
from tonotope.features import chroma, mel, rhythm, spectral
from tonotope.features.stft import FrameStream, bin_frequencies_hz, stft_power

RATE_HZ = 22050

# The largest deviation allowed, relative to the feature's largest value in the signal. What is
# measured is two to ten times smaller; a different window, norm, scale or an off-by-one is at
# least a hundred times larger.
TOLERANCE = {
    "stft_power": 2e-6,
    "mel_power": 2e-6,
    "log_mel_db": 4e-5,
    "mfcc": 5e-6,
    "spectral_centroid_hz": 1e-6,
    "spectral_bandwidth_hz": 2e-5,
    "spectral_flatness": 5e-4,  # librosa sums 1025 float32 logarithms one after the other
    "zero_crossing_rate": 0,
    "rms": 5e-7,
    "tuning": 0,
    "chroma_stft": 2e-6,
    "onset_strength_db": 5e-5,
    "mean_tempogram": 3e-6,
    "tempo_bpm": 0,
}

# Below this magnitude of its loudest bin (-414 dB under full scale) the power of a frame
# underflows float32. Such frames stand at the beginning and the end of some decoded files.
UNDERFLOW_MAGNITUDE = 1e-18

# At least one track of each format; one that fades in from silence, one of 7 s, and the one
# whose first frames underflow.
TRACKS = (
    "ancientbeast/Castle Black by Agret Brisignr.ogg",
    "freepd/QuickMetalRiff1.mp3",
    "holiznacc0/phonograph_album_holiznacc0_002-02-fire-place.ogg",
    "kevin_macleod/amazing_plan.m4a",
    "kevin_macleod/look_busy.webm",
    "kevin_macleod/scheming_weasel.mp3",
    "tuxemon/We're the Resistors.ogg",
    "ultrastar/Joshua_Morin_-_On_the_run/audio.ogg",
)
TRACK_THAT_UNDERFLOWS = "kevin_macleod/scheming_weasel.mp3"


def tone(frequency_hz, n_samples):
    return np.sin(2 * np.pi * frequency_hz * np.arange(n_samples) / RATE_HZ)


def synthetic(name: str):
    rng = np.random.default_rng(7)
    n = 6 * RATE_HZ
    match name:
        case "noise":
            return 0.3 * rng.standard_normal(n)
        case "fading_noise":
            return 0.5 * rng.standard_normal(n) * 10 ** np.linspace(-5, 0, n)
        case "chord_21_cents_sharp":
            semitones = np.array([-9, -5, -2, 3]) + 0.21
            chord = 0.2 * sum(tone(440 * 2 ** (s / 12), n) for s in semitones)
            return chord + 1e-3 * rng.standard_normal(n)
        case "clicks_at_100_bpm":
            signal = 1e-4 * rng.standard_normal(n)
            for beat in range(10):
                start = int(beat * 0.6 * RATE_HZ)
                signal[start : start + 2000] += tone(1000, 2000) * np.exp(-np.arange(2000) / 300)
            return signal
        case "shorter_than_a_frame":
            return 0.5 * tone(300, 1500) + 0.1 * rng.standard_normal(1500)
        case "ends_just_before_a_hop":
            return tone(500, 20 * 512 - 1) + 0.1 * rng.standard_normal(20 * 512 - 1)
    raise KeyError(name)


SYNTHETIC = (
    "noise",
    "fading_noise",
    "chord_21_cents_sharp",
    "clicks_at_100_bpm",
    "shorter_than_a_frame",
    "ends_just_before_a_hop",
)


class Ours:
    """What Tonotope computes from a signal, time along the first axis."""

    def __init__(self, signal):
        self.signal = signal

    @cached_property
    def stft_power(self):
        return stft_power(self.signal)

    @cached_property
    def magnitude(self):
        return np.sqrt(self.stft_power)

    @cached_property
    def mel_power(self):
        return mel.mel_power(self.stft_power)

    @cached_property
    def log_mel_db(self):
        return mel.log_mel(self.stft_power)

    @cached_property
    def mfcc(self):
        return mel.mfcc(self.log_mel_db)

    @cached_property
    def spectral_centroid_hz(self):
        return spectral.spectral_centroid(self.magnitude)

    @cached_property
    def spectral_bandwidth_hz(self):
        return spectral.spectral_bandwidth(self.magnitude)

    @cached_property
    def spectral_rolloff_hz(self):
        return spectral.spectral_rolloff(self.magnitude)

    @cached_property
    def spectral_flatness(self):
        return spectral.spectral_flatness(self.stft_power)

    @cached_property
    def spectral_contrast_db(self):
        return spectral.spectral_contrast(spectral.contrast_extremes(self.magnitude))

    def _per_batch(self, function):
        stream = FrameStream()
        batches = [function(batch) for batch in stream.push(self.signal)]
        return np.concatenate(batches + [function(batch) for batch in stream.finish()])

    @cached_property
    def zero_crossing_rate(self):
        return self._per_batch(spectral.zero_crossing_rate)

    @cached_property
    def rms(self):
        return self._per_batch(spectral.rms)

    @cached_property
    def tuning(self):
        return chroma.estimate_tuning(chroma.spectral_peaks(self.stft_power))

    @cached_property
    def chroma_stft(self):
        return chroma.chroma_stft(self.stft_power, tuning=self.tuning)

    @cached_property
    def onset_strength_db(self):
        return rhythm.onset_strength(self.log_mel_db)

    @cached_property
    def mean_tempogram(self):
        return rhythm.mean_tempogram(self.onset_strength_db)

    @cached_property
    def tempo_bpm(self):
        return rhythm.tempo_bpm(self.mean_tempogram)


class Librosas:
    """The same by librosa's own calls, each from the samples or from librosa's own STFT."""

    def __init__(self, signal):
        self.signal = signal

    @cached_property
    def magnitude(self):
        with warnings.catch_warnings():
            # That a signal is shorter than a frame is what one of the cases is about.
            warnings.filterwarnings("ignore", message="n_fft=2048 is too large")
            return np.abs(librosa.stft(self.signal))

    @cached_property
    def stft_power(self):
        return self.magnitude.T**2

    @cached_property
    def mel_power(self):
        return librosa.feature.melspectrogram(S=self.magnitude**2, sr=RATE_HZ).T

    @cached_property
    def log_mel_db(self):
        return librosa.power_to_db(self.mel_power)

    @cached_property
    def mfcc(self):
        return librosa.feature.mfcc(S=self.log_mel_db.T).T

    @cached_property
    def spectral_centroid_hz(self):
        return librosa.feature.spectral_centroid(S=self.magnitude)[0]

    @cached_property
    def spectral_bandwidth_hz(self):
        return librosa.feature.spectral_bandwidth(S=self.magnitude)[0]

    @cached_property
    def spectral_rolloff_hz(self):
        return librosa.feature.spectral_rolloff(S=self.magnitude)[0]

    @cached_property
    def spectral_flatness(self):
        return librosa.feature.spectral_flatness(S=self.magnitude)[0]

    @cached_property
    def spectral_contrast_db(self):
        return librosa.feature.spectral_contrast(S=self.magnitude).T

    @cached_property
    def zero_crossing_rate(self):
        return librosa.feature.zero_crossing_rate(self.signal)[0]

    @cached_property
    def rms(self):
        return librosa.feature.rms(y=self.signal)[0]

    @cached_property
    def tuning(self):
        return librosa.estimate_tuning(S=self.magnitude**2, sr=RATE_HZ, bins_per_octave=12)

    @cached_property
    def chroma_stft(self):
        return librosa.feature.chroma_stft(S=self.magnitude**2, sr=RATE_HZ).T

    @cached_property
    def onset_strength_db(self):
        return librosa.onset.onset_strength(S=self.log_mel_db.T, sr=RATE_HZ)

    @cached_property
    def mean_tempogram(self):
        onsets = self.onset_strength_db
        return librosa.feature.tempogram(onset_envelope=onsets, win_length=344).mean(axis=1)

    @cached_property
    def tempo_bpm(self):
        return librosa.feature.tempo(onset_envelope=self.onset_strength_db, sr=RATE_HZ)[0]


@cache
def both(signal_path) -> tuple[Ours, Librosas]:
    """Compute a case once for all features; a path is decoded, a name is synthesised."""
    if isinstance(signal_path, str):
        signal = synthetic(signal_path).astype(np.float32)
    else:
        with decode(signal_path) as blocks:
            blocks = iter(blocks)
            pieces = [next(blocks)]
            while (
                sum(map(len, pieces)) < 30 * RATE_HZ and (block := next(blocks, None)) is not None
            ):
                pieces.append(block)
        signal = np.concatenate(pieces)[: 30 * RATE_HZ]
    return Ours(signal), Librosas(signal)


@pytest.fixture(
    params=[
        *(pytest.param(name, id=name) for name in SYNTHETIC),
        *(pytest.param(path, id=path, marks=pytest.mark.data) for path in TRACKS),
    ]
)
def case(request):
    if request.param in TRACKS:
        return both(request.getfixturevalue("music_dir") / request.param)
    return both(request.param)


def sounding(reference: Librosas):
    """Return which frames have a power that float32 can hold, or none at all."""
    loudest = reference.magnitude.max(axis=0)
    return (loudest == 0) | (loudest > UNDERFLOW_MAGNITUDE)


@pytest.mark.parametrize("feature", TOLERANCE)
def test_agrees_with_librosa(case, feature):
    ours, theirs = (np.asarray(getattr(side, feature)) for side in case)
    assert ours.shape == theirs.shape
    if feature in {"spectral_centroid_hz", "spectral_bandwidth_hz"}:
        ours, theirs = ours[sounding(case[1])], theirs[sounding(case[1])]
    if feature == "tempo_bpm" and not case[1].onset_strength_db.any():
        theirs = np.zeros(())  # where nothing begins librosa answers with its prior's favourite
    deviation = np.abs(ours.astype(np.float64) - theirs).max()
    assert deviation <= TOLERANCE[feature] * np.abs(theirs).max()


def test_rolloff_agrees_but_for_rare_ties(case):
    # Where the cumulated sum meets 85 % within rounding, the order of summation decides between
    # two neighbouring bins.
    ours, theirs = (side.spectral_rolloff_hz[sounding(case[1])] for side in case)
    bins_apart = np.rint((ours - theirs) / (RATE_HZ / 2048))
    assert np.abs(bins_apart).max() <= 1
    assert np.count_nonzero(bins_apart) <= max(1, 0.005 * len(ours))


def test_contrast_agrees_where_the_valley_is_not_rounding_noise(case):
    # A low-pass leaves bands whose weakest bins hold nothing but the FFT's rounding, 1e-7 of the
    # frame's loudest bin, and in decibels that noise is as large as any signal.
    ours, theirs = (side.spectral_contrast_db for side in case)
    magnitude = case[0].magnitude
    valleys = spectral.contrast_extremes(magnitude)[:, spectral.N_CONTRAST_BANDS :]
    solid = valleys > 1e-4 * magnitude.max(axis=1, keepdims=True)
    assert solid.mean() > 0.15
    assert np.abs(ours - theirs)[solid].max() < 0.01
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.999


@pytest.mark.data
def test_only_underflowing_frames_differ_and_they_hold_no_sound(music_dir):
    ours, theirs = both(music_dir / TRACK_THAT_UNDERFLOWS)
    differ = np.abs(ours.spectral_centroid_hz - theirs.spectral_centroid_hz) > 1
    assert 0 < np.count_nonzero(differ) < 5
    assert np.array_equal(differ & ~sounding(theirs), differ)
    # librosa holds magnitudes of 1e-21; their squares are below the smallest float32.
    assert 0 < theirs.magnitude[:, differ].max() ** 2 < np.finfo(np.float32).tiny
    assert ours.rms[differ].max() < 1e-18


def test_mel_filterbank_is_librosas():
    theirs = librosa.filters.mel(sr=RATE_HZ, n_fft=2048)
    np.testing.assert_allclose(mel.mel_filterbank(), theirs, rtol=0, atol=1e-7 * theirs.max())


@pytest.mark.parametrize("tuning", [-0.5, -0.13, 0.0, 0.49])
def test_chroma_filterbank_is_librosas(tuning):
    theirs = librosa.filters.chroma(sr=RATE_HZ, n_fft=2048, tuning=tuning)
    ours = chroma.chroma_filterbank(tuning)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6 * theirs.max())


def test_peaks_are_librosas():
    magnitude = both("noise")[1].magnitude
    pitches_hz, heights = librosa.piptrack(S=magnitude**2, sr=RATE_HZ)
    frame, bin_ = np.nonzero(pitches_hz.T)
    theirs = np.column_stack([pitches_hz[bin_, frame], heights[bin_, frame]])
    ours = chroma.spectral_peaks(np.ascontiguousarray(magnitude.T**2))
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)


@pytest.mark.parametrize("seed", range(40))
def test_tempo_of_any_tempogram_is_librosas(seed):
    # From a spike at one lag to a floor of noise; half of them strongest above 320 bpm.
    rng = np.random.default_rng(seed)
    tempogram = rng.lognormal(-6, 2, rhythm.TEMPO_LAGS) * 10 ** rng.uniform(-8, 0)
    if seed % 2:
        tempogram[:8] += 10 * tempogram.max()
    theirs = librosa.feature.tempo(tg=tempogram[:, np.newaxis], sr=RATE_HZ, aggregate=None)
    assert rhythm.tempo_bpm(tempogram) == theirs[0]


def test_rolloff_at_the_end_of_a_group_of_bins():
    # 85 % are reached, within rounding, with bin 512, where one of the groups ends that the
    # sums are first taken over.
    rng = np.random.default_rng(4)
    magnitude = rng.exponential(size=(2000, 1025))
    below = magnitude[:, :513].sum(axis=1, keepdims=True)
    magnitude[:, 513:] *= 0.15 / 0.85 * below / magnitude[:, 513:].sum(axis=1, keepdims=True)
    ours = spectral.spectral_rolloff(magnitude.astype(np.float32))
    bins = np.rint(ours / (RATE_HZ / 2048))
    assert set(bins) == {512, 513}


def test_bin_frequencies_are_librosas():
    assert np.array_equal(bin_frequencies_hz(), librosa.fft_frequencies(sr=RATE_HZ, n_fft=2048))


@pytest.mark.parametrize("top_db", [None, 80.0, 30.0])
def test_power_to_db_is_librosas(top_db):
    power = np.random.default_rng(1).lognormal(-5, 8, (50, 7)).astype(np.float32)
    theirs = librosa.power_to_db(power, top_db=top_db)
    np.testing.assert_allclose(mel.power_to_db(power, top_db=top_db), theirs, atol=2e-5)


def test_default_chroma_uses_the_tuning_it_estimates():
    # The chord is 21 cents sharp: without tuning its pitch classes would leak into others.
    ours, _ = both("chord_21_cents_sharp")
    assert ours.tuning == pytest.approx(0.21, abs=0.011)
    # C, E, G, C are 9, 5, 2 semitones below and 3 above A 440.
    inside = ours.chroma_stft[20:-20].mean(axis=0)
    assert set(np.argsort(inside)[-3:]) == {0, 4, 7}
