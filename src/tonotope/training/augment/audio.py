"""Augmentation of samples, in NumPy: what a spectrogram's columns cannot do, and all else there.

References
----------
J. Salamon, J. P. Bello, "Deep convolutional neural networks and data augmentation for environmental
sound classification", IEEE Signal Processing Letters 24(3), 2017.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import scipy.signal

from tonotope.features.mel import mel_filterbank
from tonotope.features.stft import SAMPLE_RATE_HZ, Float32Array, bin_frequencies_hz
from tonotope.training.augment.presets import AUDIO_PRESETS, N_BANDS, Preset
from tonotope.training.augment.vocoder import pitch_shift, time_stretch

__all__ = ["AUDIO", "AudioAugmentation", "add_noise", "band_centres_hz", "equalize", "filter_bands"]

_N_TAPS = 2047

Numbers: TypeAlias = Mapping[str, float]
_Transform: TypeAlias = Callable[[Float32Array, np.random.Generator, Numbers], Float32Array]


@dataclass(frozen=True, slots=True)
class AudioAugmentation:
    """One way to change samples.

    Attributes
    ----------
    name
        What it is called, e.g. ``"pitch-shift"``.
    preset
        Its numbers and where they come from.
    transform
        From samples, a generator and the preset's numbers to new samples.
    """

    name: str
    preset: Preset
    transform: _Transform

    def apply(self, samples: Float32Array, rng: np.random.Generator) -> Float32Array:
        """Return the changed samples; those passed in stay as they are.

        Parameters
        ----------
        samples
            Shape (n_samples,), float32, mono at 22 050 Hz.
        rng
            Where all chance comes from.

        Returns
        -------
        ndarray
            Shape (n_samples,), but another length from ``"time-stretch"``; float32. They may
            exceed ±1.
        """
        if not len(samples):
            return samples.copy()
        changed = self.transform(samples, rng, self.preset.numbers)
        return changed.astype(np.float32, copy=False)

    __call__ = apply


def band_centres_hz() -> np.ndarray:
    """Return the centre of gravity of each of the 128 mel filters in Hz, shape (128,)."""
    bank = mel_filterbank().astype(np.float64)
    centres: np.ndarray = bank @ bin_frequencies_hz() / bank.sum(axis=1)
    return centres


def add_noise(samples: Float32Array, snr_db: float, rng: np.random.Generator) -> Float32Array:
    """Return samples with white noise, `snr_db` below their mean power; silence stays silence."""
    level = math.sqrt(float(np.mean(np.square(samples, dtype=np.float64)))) * 10 ** (-snr_db / 20)
    return samples + np.float32(level) * rng.standard_normal(len(samples), np.float32)


def equalize(samples: Float32Array, gains_db: np.ndarray) -> Float32Array:
    """Return filtered samples, not delayed.

    The filter has 2047 taps and linear phase, designed by the window method: gains follow
    `gains_db` where these change little within 40 Hz.

    Parameters
    ----------
    samples
        Shape (n_samples,), mono at 22 050 Hz.
    gains_db
        What is added to each of the 128 mel bands, shape (128,).

    Returns
    -------
    ndarray
        Same shape, float32.
    """
    frequencies_hz = np.concatenate([[0.0], band_centres_hz(), [SAMPLE_RATE_HZ / 2]])
    gains = 10 ** (np.pad(gains_db, 1, mode="edge") / 20)
    taps = scipy.signal.firwin2(_N_TAPS, frequencies_hz, gains, fs=SAMPLE_RATE_HZ)
    whole = scipy.signal.oaconvolve(samples, taps.astype(np.float32))
    filtered: Float32Array = whole[_N_TAPS // 2 :][: len(samples)]
    return filtered


def filter_bands(rng: np.random.Generator, numbers: Numbers) -> np.ndarray:
    """Draw the gains of the 128 mel bands in dB: straight between random ones at random edges."""
    fewest, most = int(numbers["fewest_bands"]), int(numbers["most_bands"])
    n_pieces = int(rng.integers(fewest, most, endpoint=True))
    narrowest = int(numbers["narrowest_bands"])
    inner = np.sort(rng.integers(N_BANDS - n_pieces * narrowest + 1, size=n_pieces - 1))
    edges = [0, *(inner + narrowest * np.arange(1, n_pieces)), N_BANDS]
    gains_db = rng.uniform(-numbers["gain_db"], numbers["gain_db"], n_pieces + 1)
    return np.interp(np.arange(N_BANDS), edges, gains_db)


def _pitch_shift(samples: Float32Array, rng: np.random.Generator, numbers: Numbers) -> Float32Array:
    return pitch_shift(samples, rng.uniform(-numbers["semitones"], numbers["semitones"]))


def _time_stretch(
    samples: Float32Array, rng: np.random.Generator, numbers: Numbers
) -> Float32Array:
    # Even in the logarithm: half as fast is as likely as twice as fast.
    octaves = rng.uniform(math.log2(numbers["slowest"]), math.log2(numbers["fastest"]))
    return time_stretch(samples, 2**octaves)


def _noise(samples: Float32Array, rng: np.random.Generator, numbers: Numbers) -> Float32Array:
    return add_noise(samples, rng.uniform(numbers["lowest_snr_db"], numbers["highest_snr_db"]), rng)


def _gain(samples: Float32Array, rng: np.random.Generator, numbers: Numbers) -> Float32Array:
    gain_db = rng.uniform(-numbers["gain_db"], numbers["gain_db"])
    return samples * np.float32(10 ** (gain_db / 20))


def _random_eq(samples: Float32Array, rng: np.random.Generator, numbers: Numbers) -> Float32Array:
    return equalize(samples, filter_bands(rng, numbers))


def _time_roll(samples: Float32Array, rng: np.random.Generator, _: Numbers) -> Float32Array:
    return np.roll(samples, -int(rng.integers(len(samples))))


_TRANSFORMS: Mapping[str, _Transform] = {
    "pitch-shift": _pitch_shift,
    "time-stretch": _time_stretch,
    "noise": _noise,
    "gain": _gain,
    "random-eq": _random_eq,
    "time-roll": _time_roll,
}

AUDIO: Mapping[str, AudioAugmentation] = {
    name: AudioAugmentation(name, preset, _TRANSFORMS[name])
    for name, preset in AUDIO_PRESETS.items()
}
"""All augmentations of samples by name."""
