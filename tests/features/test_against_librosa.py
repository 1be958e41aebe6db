"""Every descriptor agrees with librosa 0.11, on real music and on signals made here."""

from __future__ import annotations

import warnings
from functools import cache, cached_property

import librosa
import mir_eval
import numpy as np
import pytest

from support.data import SUFFIXES, tracks
from tonotope import features as f
from tonotope.audio import decode
from tonotope.features import analyze
from tonotope.features.spectral import N_CONTRAST_BANDS, contrast_extremes
from tonotope.features.stft import stft_power

RATE_HZ = 22050

# The largest deviation allowed, relative to the feature's largest value in the signal. What is
# measured is two to ten times smaller; a different window, norm, scale or an off-by-one is at
# least a hundred times larger.
TOLERANCE = {
    "magnitude": 1e-6,
    "power": 2e-6,
    "mel": 2e-6,
    "log_mel": 4e-5,
    "mfcc": 5e-6,
    "mfcc_delta": 5e-5,
    "mfcc_delta2": 5e-5,
    "spectral_centroid": 1e-6,
    "spectral_bandwidth": 2e-5,
    "spectral_flatness": 1e-3,  # librosa sums 1025 float32 logarithms one after the other
    "zero_crossing_rate": 0,
    "rms": 5e-7,
    "tuning": 0,
    "chroma_stft": 2e-6,
    "onset_strength": 5e-5,
    "tempo": 0,
}

# The least correlation over all frames and bins of a signal. Of those that are made of the
# constant-Q transform and normalised frame by frame, over the frames in which something sounds:
# in others both normalise what they cut off their filters.
CORRELATION = {
    "spectral_contrast": 0.9995,
    "cqt": 0.9996,
    "chroma_cqt": 0.9995,
    "chroma_cens": 0.999,
    "tonnetz": 0.9996,
}
NORMALISED = {"chroma_cqt", "chroma_cens", "tonnetz"}

TRACKS = tracks()


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


class Librosas:
    """What librosa's own calls give, each from the samples or from librosa's own STFT."""

    def __init__(self, signal, name):
        self.signal = signal
        self.name = name

    @cached_property
    def _magnitude(self):
        with warnings.catch_warnings():
            # That a signal is shorter than a frame is what one of the cases is about.
            warnings.filterwarnings("ignore", message="n_fft=.* is too large")
            return np.abs(librosa.stft(self.signal))

    @cached_property
    def magnitude(self):
        return self._magnitude.T

    @cached_property
    def power(self):
        return self.magnitude**2

    @cached_property
    def mel(self):
        return librosa.feature.melspectrogram(S=self._magnitude**2, sr=RATE_HZ).T

    @cached_property
    def log_mel(self):
        return librosa.power_to_db(self.mel)

    @cached_property
    def mfcc(self):
        return librosa.feature.mfcc(S=self.log_mel.T).T

    @cached_property
    def mfcc_delta(self):
        return self._delta(1)

    @cached_property
    def mfcc_delta2(self):
        return self._delta(2)

    def _delta(self, order):
        if len(self.mfcc) < 9:
            return np.zeros_like(self.mfcc)  # librosa refuses
        return librosa.feature.delta(self.mfcc, axis=0, order=order)

    @cached_property
    def spectral_centroid(self):
        return librosa.feature.spectral_centroid(S=self._magnitude)[0]

    @cached_property
    def spectral_bandwidth(self):
        return librosa.feature.spectral_bandwidth(S=self._magnitude)[0]

    @cached_property
    def spectral_rolloff(self):
        return librosa.feature.spectral_rolloff(S=self._magnitude)[0]

    @cached_property
    def spectral_flatness(self):
        return librosa.feature.spectral_flatness(S=self._magnitude)[0]

    @cached_property
    def spectral_contrast(self):
        return librosa.feature.spectral_contrast(S=self._magnitude).T

    @cached_property
    def zero_crossing_rate(self):
        return librosa.feature.zero_crossing_rate(self.signal)[0]

    @cached_property
    def rms(self):
        return librosa.feature.rms(y=self.signal)[0]

    def tuning_of(self, bins_per_octave):
        return librosa.estimate_tuning(
            S=self._magnitude, sr=RATE_HZ, bins_per_octave=bins_per_octave
        )

    @cached_property
    def tuning(self):
        return self.tuning_of(12)

    @cached_property
    def chroma_stft(self):
        return librosa.feature.chroma_stft(S=self._magnitude**2, sr=RATE_HZ).T

    @cached_property
    def cqt(self):
        return np.abs(librosa.cqt(self.signal, sr=RATE_HZ, tuning=self.tuning_of(12))).T

    @cached_property
    def _cqt_36(self):
        tuning = self.tuning_of(36)
        return np.abs(
            librosa.cqt(self.signal, sr=RATE_HZ, n_bins=252, bins_per_octave=36, tuning=tuning)
        )

    @cached_property
    def chroma_cqt(self):
        return librosa.feature.chroma_cqt(C=self._cqt_36, bins_per_octave=36).T

    @cached_property
    def chroma_cens(self):
        return librosa.feature.chroma_cens(C=self._cqt_36, bins_per_octave=36).T

    @cached_property
    def tonnetz(self):
        return librosa.feature.tonnetz(chroma=self.chroma_cqt.T).T

    @cached_property
    def onset_strength(self):
        return librosa.onset.onset_strength(S=self.log_mel.T, sr=RATE_HZ)

    @cached_property
    def tempo(self):
        return librosa.feature.tempo(onset_envelope=self.onset_strength, sr=RATE_HZ)[0]

    @cached_property
    def beat_times(self):
        return librosa.beat.beat_track(
            onset_envelope=self.onset_strength, sr=RATE_HZ, units="time"
        )[1]

    @cached_property
    def onset_times(self):
        return librosa.onset.onset_detect(
            onset_envelope=self.onset_strength, sr=RATE_HZ, units="time"
        )


OURS = frozenset(TOLERANCE) | CORRELATION.keys() | {"spectral_rolloff", "beat_times", "onset_times"}


@cache
def both(signal_path):
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
    return analyze([signal], OURS), Librosas(signal, str(signal_path))


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


def test_agrees_with_librosa(case):
    ours, reference = case
    for feature, tolerance in TOLERANCE.items():
        mine, theirs = ours[feature], np.asarray(getattr(reference, feature))
        if feature == "tempo":
            mine = mine.bpm
            if not reference.onset_strength.any():
                continue  # where nothing begins librosa answers with its prior's favourite
        mine = np.asarray(mine, dtype=np.float64)
        assert mine.shape == theirs.shape, feature
        deviation = np.abs(mine - theirs).max()
        assert deviation <= tolerance * np.abs(theirs).max() + 1e-12, feature


@pytest.mark.filterwarnings("ignore:n_fft=.* is too large")
def test_correlates_with_librosa(case):
    ours, reference = case
    level = reference.rms
    sounds = level > 1e-4 * level.max()
    for feature, least in CORRELATION.items():
        if reference.name == "shorter_than_a_frame" and feature in {"cqt", *NORMALISED}:
            continue  # and than most of the transform's windows
        mine, theirs = ours[feature], getattr(reference, feature)
        assert mine.shape == theirs.shape, feature
        assert mine.dtype == np.float32
        if feature in NORMALISED:
            mine, theirs = mine[sounds], theirs[sounds]
        if feature in NORMALISED and not reference.name.endswith(tuple(SUFFIXES)):
            # Noise has no harmony, and lies at the thresholds of CENS as often as not.
            least = 0.99 if feature == "chroma_cens" else 0.999
        assert np.corrcoef(mine.ravel(), theirs.ravel())[0, 1] >= least, feature
        # Correlation does not see a factor.
        assert np.linalg.norm(mine) == pytest.approx(np.linalg.norm(theirs), rel=0.01), feature


@pytest.mark.data
@pytest.mark.parametrize(
    "track",
    # Where "lobby" ends, librosa is up to 0.5 from the definition in a frame, we are up to 0.07.
    [track for track in TRACKS[::4] if "lobby" not in track],
)
def test_harmony_agrees_as_the_music_fades(music_dir, track):
    with decode(music_dir / track) as blocks:
        signal = np.concatenate(list(blocks))[-30 * RATE_HZ :]
    ours, reference = analyze([signal], ["cqt", "chroma_cqt", "rms"]), Librosas(signal, track)
    sounds = reference.rms > 1e-4 * reference.rms.max()
    for feature, least in (("cqt", 0.9996), ("chroma_cqt", 0.999)):
        mine, theirs = ours[feature][sounds], getattr(reference, feature)[sounds]
        assert np.corrcoef(mine.ravel(), theirs.ravel())[0, 1] >= least, feature


def test_beats_and_onsets_are_librosas(case):
    ours, reference = case
    if not reference.onset_strength.any():
        return
    assert ours["onset_times"] == pytest.approx(reference.onset_times, abs=1e-6)
    f_measure = mir_eval.beat.f_measure(reference.beat_times, ours["beat_times"])
    assert len(reference.beat_times) < 5 or f_measure >= 0.9


def test_rolloff_agrees_but_for_rare_ties(case):
    # Where the cumulated sum meets 85 % within rounding, the order of summation decides between
    # two neighbouring bins.
    ours, reference = case
    mine, theirs = ours["spectral_rolloff"], reference.spectral_rolloff
    bins_apart = np.rint((mine - theirs) / (RATE_HZ / 2048))
    assert np.abs(bins_apart).max() <= 1
    assert np.count_nonzero(bins_apart) <= max(1, 0.005 * len(mine))


def test_contrast_agrees_where_the_valley_is_not_rounding(case):
    # A low-pass leaves bands whose weakest bins are 1e-8 of the frame's loudest: there the top
    # band is measured in float64, the others are not.
    ours, reference = case
    magnitude = ours["magnitude"]
    valleys = contrast_extremes(magnitude)[:, N_CONTRAST_BANDS:]
    solid = valleys > 1e-4 * magnitude.max(axis=1, keepdims=True)
    assert solid.mean() > 0.15
    deviation = np.abs(ours["spectral_contrast"] - reference.spectral_contrast)
    assert deviation[solid].max() < 0.01


def test_functions_on_arrays_are_what_the_pass_gives():
    ours, reference = both("chord_21_cents_sharp")
    power = stft_power(reference.signal)
    magnitude = np.sqrt(power)
    log_mel = f.log_mel(power)
    peaks = f.spectral_peaks(magnitude)
    tuning_36 = f.estimate_tuning(peaks.pitch_hz, peaks.height, bins_per_octave=36)
    chroma = f.chroma_cqt(f.cqt_magnitude(reference.signal, bins_per_octave=36, tuning=tuning_36))
    for name, array in {
        "log_mel": log_mel,
        "mfcc": f.mfcc(log_mel),
        "spectral_centroid": f.spectral_centroid(magnitude),
        "spectral_bandwidth": f.spectral_bandwidth(magnitude),
        "spectral_rolloff": f.spectral_rolloff(magnitude),
        "spectral_flatness": f.spectral_flatness(power),
        "spectral_contrast": f.spectral_contrast(magnitude),
        "rms": f.rms(reference.signal),
        "zero_crossing_rate": f.zero_crossing_rate(reference.signal),
        "onset_strength": f.onset_strength(log_mel),
        "chroma_cqt": chroma,
        "chroma_cens": f.chroma_cens(chroma),
        "tonnetz": f.tonnetz(chroma),
    }.items():
        np.testing.assert_allclose(ours[name], array, rtol=1e-5, atol=1e-5, err_msg=name)
