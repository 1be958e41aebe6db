"""Mixup to be heard: two sounds mixed as their spectrograms are, in decibels.

Magnitudes are mixed bin by bin and not band by band, between the loudest and the spectrograms'
floor; the phases are those of the two sounds' sum.
"""

from __future__ import annotations

import numpy as np

from tonotope.features.stft import Float32Array
from tonotope.training.augment.log_mel import batches_of_spectra
from tonotope.training.augment.presets import DB_PER_DB, FLOOR_DB, MIXUP_PRESET
from tonotope.training.augment.vocoder import Complex64Array, synthesize

__all__ = ["hear_mixup", "mix"]


def hear_mixup(
    samples: Float32Array, other: Float32Array, rng: np.random.Generator
) -> Float32Array:
    """Return samples mixed with others as mixup mixes their spectrograms.

    Parameters
    ----------
    samples, other
        Shape (n_samples,), float32, mono at 22 050 Hz. The other is cut or repeated to the
        length of the first.
    rng
        Where the weight comes from.

    Returns
    -------
    ndarray
        The shape of `samples`, float32, as loud as they are.
    """
    alpha = MIXUP_PRESET.numbers["alpha"]
    return mix(samples, other, rng.beta(alpha, alpha))


def mix(samples: Float32Array, other: Float32Array, weight: float) -> Float32Array:
    """Return samples of which `weight` is their own and the rest others'; see `hear_mixup`."""
    fitted = np.resize(other, len(samples))
    scale, fitted_scale = (np.float32(1 / max(_loudest(s), 1e-9)) for s in (samples, fitted))
    pairs = zip(batches_of_spectra(samples), batches_of_spectra(fitted), strict=True)
    mixed = (
        _mixed(own * scale, others * fitted_scale, np.float32(weight)) / scale
        for own, others in pairs
    )
    return synthesize(mixed, len(samples))


def _loudest(samples: Float32Array) -> float:
    """Return the largest magnitude of all bins of all frames."""
    return max(float(np.abs(batch).max()) for batch in batches_of_spectra(samples))


def _mixed(one: Complex64Array, other: Complex64Array, weight: np.float32) -> Complex64Array:
    """Mix spectra whose largest magnitude is 1, in decibels down to the spectrograms' floor."""
    floor = np.float32(10 ** (FLOOR_DB / DB_PER_DB / 20))
    total = weight * one + (1 - weight) * other
    size = np.abs(total)
    levels = [np.maximum(np.abs(spectrum), floor) for spectrum in (one, other)]
    magnitude = levels[0] ** weight * levels[1] ** (1 - weight)
    # Where both lie below the floor there is nothing to raise to it.
    silent = (levels[0] == floor) & (levels[1] == floor)
    factor = np.where(silent | (size == 0), 1, magnitude / np.maximum(size, np.float32(1e-12)))
    mixed: Complex64Array = total * factor
    return mixed
