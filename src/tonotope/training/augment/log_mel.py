"""What the networks hear of some samples, with every frame in it and at any reference.

The networks' own front end, `tonotope.models.frontend`, keeps one frame in 3.862 and refers a
window to its maximum.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tonotope.features.mel import mel_power
from tonotope.features.stft import HOP_LENGTH, Float32Array
from tonotope.training.augment.presets import FLOOR_DB
from tonotope.training.augment.vocoder import Complex64Array, frames_of, spectra

__all__ = ["batches_of_spectra", "decibels", "mel_power_of"]

_BATCH_FRAMES = 128
# The representation's own floor: power below it counts as it.
_AMIN = 1e-5


def batches_of_spectra(samples: Float32Array) -> Iterator[Complex64Array]:
    """Yield the spectra of all frames, one every 512 samples, some at a time."""
    places = np.arange(frames_of(len(samples))) * HOP_LENGTH
    for start in range(0, len(places), _BATCH_FRAMES):
        yield spectra(samples, places[start : start + _BATCH_FRAMES])


def mel_power_of(samples: Float32Array) -> Float32Array:
    """Return the mel power of all frames, shape (n_frames, 128)."""
    power = (np.square(np.abs(batch)) for batch in batches_of_spectra(samples))
    return np.concatenate([mel_power(batch) for batch in power])


def decibels(power: Float32Array, reference: float) -> Float32Array:
    """Return mel power in the networks' decibels, twice those of the sound.

    Returns
    -------
    ndarray
        Same shape, float32, at least -80; above 0 where there is more than `reference`.
    """
    ratio = np.maximum(power, np.float32(_AMIN)) / np.float32(max(reference, _AMIN))
    level: Float32Array = np.maximum(np.float32(20.0) * np.log10(ratio), np.float32(FLOOR_DB))
    return level
