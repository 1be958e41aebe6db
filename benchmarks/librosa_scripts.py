"""The whole set of descriptors that librosa has, as people write it: the peers of `features.py`.

`typical` calls every function on the waveform, as most notebooks do; `shared` computes everything
once that librosa lets one share: one STFT, one tuning, one transform per resolution, one onset
curve. Both sum up over time with the seven statistics of the FMA data set.
"""

from __future__ import annotations

import librosa
import numpy as np
import scipy.stats
from numpy.typing import NDArray

RATE_HZ = 22050

Signal = NDArray[np.float32]


def statistics(frames: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return mean, deviation, skewness, kurtosis, median, minimum and maximum of each row."""
    rows = np.atleast_2d(frames)
    return np.concatenate(
        [
            rows.mean(axis=1),
            rows.std(axis=1),
            scipy.stats.skew(rows, axis=1),
            scipy.stats.kurtosis(rows, axis=1),
            np.median(rows, axis=1),
            rows.min(axis=1),
            rows.max(axis=1),
        ]
    )


def typical(y: Signal) -> NDArray[np.float64]:
    """Describe a signal, each function called on the waveform."""
    f = librosa.feature
    tempo, beats = librosa.beat.beat_track(y=y, sr=RATE_HZ)
    frames = [
        f.zero_crossing_rate(y),
        f.rms(y=y),
        f.spectral_centroid(y=y, sr=RATE_HZ),
        f.spectral_bandwidth(y=y, sr=RATE_HZ),
        f.spectral_rolloff(y=y, sr=RATE_HZ),
        f.spectral_flatness(y=y),
        f.spectral_contrast(y=y, sr=RATE_HZ),
        librosa.power_to_db(f.melspectrogram(y=y, sr=RATE_HZ)),
        f.mfcc(y=y, sr=RATE_HZ),
        f.chroma_stft(y=y, sr=RATE_HZ),
        np.abs(librosa.cqt(y, sr=RATE_HZ)),
        f.chroma_cqt(y=y, sr=RATE_HZ),
        f.chroma_cens(y=y, sr=RATE_HZ),
        f.tonnetz(y=y, sr=RATE_HZ),
        librosa.onset.onset_strength(y=y, sr=RATE_HZ),
    ]
    onsets = librosa.onset.onset_detect(y=y, sr=RATE_HZ)
    numbers = [*np.atleast_1d(tempo), *f.tempo(y=y, sr=RATE_HZ), len(beats), len(onsets)]
    return np.concatenate([*map(statistics, frames), numbers])


def shared(y: Signal, *, fine_chroma: bool = True) -> NDArray[np.float64]:
    """Describe a signal, everything computed once that librosa lets one pass on.

    Chroma is librosa's own, of 36 bins per octave, as Tonotope's is; or, cheaper, made of the 84
    bins that are there anyway, which is another descriptor.
    """
    f = librosa.feature
    magnitude = np.abs(librosa.stft(y))
    power = magnitude**2
    log_mel = librosa.power_to_db(f.melspectrogram(S=power, sr=RATE_HZ))
    tuning = librosa.estimate_tuning(S=magnitude, sr=RATE_HZ)
    cqt = np.abs(librosa.cqt(y, sr=RATE_HZ, tuning=tuning))
    if fine_chroma:
        tuning_36 = librosa.estimate_tuning(S=magnitude, sr=RATE_HZ, bins_per_octave=36)
        fine = librosa.cqt(y, sr=RATE_HZ, n_bins=252, bins_per_octave=36, tuning=tuning_36)
        of_chroma, bins_per_octave = np.abs(fine), 36
    else:
        of_chroma, bins_per_octave = cqt, 12
    chroma = f.chroma_cqt(C=of_chroma, bins_per_octave=bins_per_octave)
    onset_strength = librosa.onset.onset_strength(S=log_mel, sr=RATE_HZ)
    tempo = f.tempo(onset_envelope=onset_strength, sr=RATE_HZ)
    _, beats = librosa.beat.beat_track(onset_envelope=onset_strength, sr=RATE_HZ, bpm=tempo)
    onsets = librosa.onset.onset_detect(onset_envelope=onset_strength, sr=RATE_HZ)
    frames = [
        f.zero_crossing_rate(y),
        f.rms(S=magnitude),
        f.spectral_centroid(S=magnitude, sr=RATE_HZ),
        f.spectral_bandwidth(S=magnitude, sr=RATE_HZ),
        f.spectral_rolloff(S=magnitude, sr=RATE_HZ),
        f.spectral_flatness(S=magnitude),
        f.spectral_contrast(S=magnitude, sr=RATE_HZ),
        log_mel,
        f.mfcc(S=log_mel),
        f.chroma_stft(S=power, sr=RATE_HZ, tuning=tuning),
        cqt,
        chroma,
        f.chroma_cens(C=of_chroma, bins_per_octave=bins_per_octave),
        f.tonnetz(chroma=chroma),
        onset_strength,
    ]
    return np.concatenate([*map(statistics, frames), tempo, [len(beats), len(onsets)]])
