"""Augmentations of spectrograms, to be heard: what they do to a network's input, done to sound.

A spectrogram has no phases, so this is near to what a network gets and not the same. The sound is
cut into equal windows of about 30 s, as clips are, and each is changed in its own way, but for the
frequency shift, which is the same all through.

- Masks are a filter that changes from frame to frame: by how much the augmentation changes each
  band, the bins in it are amplified. Under a mask the sound keeps its phases and loses its shape.
  What lies below the spectrogram's floor is amplified as if it lay at the floor.
- A time warp is a phase vocoder at two speeds.
- A frequency shift is a pitch shift by as many semitones as the bands above 1 kHz move. Below
  1 kHz the bands are evenly spaced in Hz, and the spectrogram moves farther than the sound.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from tonotope.features.stft import HOP_LENGTH, Float32Array, bin_frequencies_hz
from tonotope.training.augment.audio import band_centres_hz
from tonotope.training.augment.log_mel import batches_of_spectra, decibels, mel_power_of
from tonotope.training.augment.presets import (
    DB_PER_DB,
    FRAMES_PER_COLUMN,
    N_BANDS,
    SPECTROGRAM_PRESETS,
)
from tonotope.training.augment.spectrogram import (
    draw_shift,
    draw_warp,
    frequency_mask,
    recording,
    time_mask,
    warped_columns,
)
from tonotope.training.augment.vocoder import (
    Complex64Array,
    frames_of,
    pitch_shift,
    read_at,
    synthesize,
)

__all__ = ["AUDIBLE", "hear"]

_WINDOW_FRAMES = 1293

Numbers: TypeAlias = Mapping[str, float]
_Step: TypeAlias = Callable[[Float32Array, Generator, Numbers], Float32Array]
_Transform: TypeAlias = Callable[[Tensor, Generator, Numbers], Tensor]


def _windows(n_frames: int) -> list[slice]:
    number = max(1, round(n_frames / _WINDOW_FRAMES))
    edges = [round(k * n_frames / number) for k in range(number + 1)]
    return [slice(start, end) for start, end in pairwise(edges)]


def _per_frame(numbers: Numbers) -> Numbers:
    """Return a preset for spectrograms with every frame in them instead of one in 3.862."""
    return {
        name: number * FRAMES_PER_COLUMN if name.endswith("_columns") else number
        for name, number in numbers.items()
    }


def _filter(
    transform: _Transform, samples: Float32Array, generator: Generator, numbers: Numbers
) -> Float32Array:
    """Amplify each bin of each frame by what `transform` changes at its frequency."""
    power = mel_power_of(samples)
    change_db = np.empty_like(power)
    for window in _windows(len(power)):
        log_mel = decibels(power[window], float(power[window].max()))
        changed = transform(torch.from_numpy(log_mel)[None], generator, _per_frame(numbers))
        change_db[window] = (changed[0].numpy() - log_mel) / DB_PER_DB
    frequencies_hz, centres_hz = bin_frequencies_hz(), band_centres_hz()
    spread = np.array([np.interp(frequencies_hz, centres_hz, band) for band in np.eye(N_BANDS)])

    def filtered() -> Iterator[Complex64Array]:
        start = 0
        for batch in batches_of_spectra(samples):
            gains_db = change_db[start : start + len(batch)] @ spread.astype(np.float32)
            yield batch * np.float32(10.0) ** (gains_db / 20)
            start += len(batch)

    return synthesize(filtered(), len(samples))


def _warp(samples: Float32Array, generator: Generator, numbers: Numbers) -> Float32Array:
    n_frames = frames_of(len(samples))
    frames: NDArray[np.float64] = np.arange(n_frames, dtype=np.float64)
    for window in _windows(n_frames):
        length = window.stop - window.start
        if length >= 3:
            one = torch.empty(1)
            moved = draw_warp(one, length, generator, _per_frame(numbers))
            frames[window] = window.start + warped_columns(moved, length)[0].numpy()
    return read_at(samples, frames * HOP_LENGTH, len(samples))


def _shift(samples: Float32Array, generator: Generator, numbers: Numbers) -> Float32Array:
    centres_hz = band_centres_hz()
    high = N_BANDS - 1
    semitones_per_band = 12 * math.log2(centres_hz[high] / centres_hz[64]) / (high - 64)
    bands = float(draw_shift(torch.empty(1), generator, numbers))
    return pitch_shift(samples, bands * semitones_per_band)


_TIME_MASK: _Step = partial(_filter, time_mask)
_FREQUENCY_MASK: _Step = partial(_filter, frequency_mask)

AUDIBLE: Mapping[str, tuple[_Step, ...]] = {
    "time-mask": (_TIME_MASK,),
    "frequency-mask": (_FREQUENCY_MASK,),
    "time-warp": (_warp,),
    "specaugment": (_warp, _FREQUENCY_MASK, _TIME_MASK),
    "specaugment-lb": (_warp, _FREQUENCY_MASK, _TIME_MASK),
    "small-masks": (_FREQUENCY_MASK, _TIME_MASK),
    "recording": (partial(_filter, recording),),
    "frequency-shift": (_shift,),
}
"""How each augmentation that only spectrograms know is done to sound."""


def hear(name: str, samples: Float32Array, seed: int) -> Float32Array:
    """Return samples changed as one of `AUDIBLE` changes their spectrogram.

    Parameters
    ----------
    name
        The augmentation.
    samples
        Shape (n_samples,), float32, mono at 22 050 Hz.
    seed
        The same number gives the same result.

    Returns
    -------
    ndarray
        Same shape, float32. They may exceed ±1.
    """
    generator = Generator().manual_seed(seed)
    for step in AUDIBLE[name]:
        samples = step(samples, generator, SPECTROGRAM_PRESETS[name].numbers)
    return samples
