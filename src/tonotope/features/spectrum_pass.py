"""What is computed of the spectrum of a track's frames, and needs neither tuning nor signal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from tonotope.features import mel, spectral
from tonotope.features.fluctuation import N_BARK, bark_power
from tonotope.features.frames import BatchSpectrum, FrameBuffer
from tonotope.features.onset import onset_strength
from tonotope.features.stft import Float32Array
from tonotope.features.waveform import rms_of_frames, zero_crossings_of_frames

__all__ = ["SpectrumPass"]

_SHAPE = ("spectral_centroid", "spectral_bandwidth", "spectral_rolloff")

_Compute = Callable[[BatchSpectrum], Float32Array]

# What a batch gives by itself: number of columns, computation, and the descriptors made of it.
_OF_SPECTRUM: Mapping[str, tuple[int, _Compute, frozenset[str]]] = {
    "magnitude": (1025, lambda s: s.magnitude, frozenset({"magnitude"})),
    "power": (1025, lambda s: s.power, frozenset({"power"})),
    "mel": (
        mel.N_MELS,
        lambda s: s.mel,
        frozenset({"mel", "log_mel", "mfcc", "mfcc_delta", "mfcc_delta2", "onset_strength"}),
    ),
    "extremes": (
        2 * spectral.N_CONTRAST_BANDS,
        lambda s: _contrast_extremes(s),
        frozenset({"spectral_contrast"}),
    ),
    "shape": (3, lambda s: spectral.spectral_shape(s.magnitude), frozenset(_SHAPE)),
    "spectral_flatness": (
        1,
        lambda s: spectral.spectral_flatness(s.power),
        frozenset({"spectral_flatness"}),
    ),
    "zero_crossing_rate": (
        1,
        lambda s: zero_crossings_of_frames(s.batch),
        frozenset({"zero_crossing_rate"}),
    ),
    "rms": (1, lambda s: rms_of_frames(s.batch), frozenset({"rms"})),
    "bark_power": (N_BARK, lambda s: bark_power(s.power), frozenset({"bark_power"})),
}


def _contrast_extremes(spectrum: BatchSpectrum) -> Float32Array:
    extremes = spectral.contrast_extremes(spectrum.magnitude)
    spectral.mend_top_band(extremes, spectrum.batch.frames, spectrum.loudest)
    return extremes


class SpectrumPass:
    """Takes batches of frames as they come, and makes descriptors at the end of a stretch.

    Not before: decibels end 80 below the loudest frame of a stretch.

    Parameters
    ----------
    wanted
        Their names; also ``bark_power``, which rhythm patterns are made of.
    """

    def __init__(self, wanted: frozenset[str]) -> None:
        self._wanted = wanted
        self._compute = {
            name: compute for name, (_, compute, made_of_it) in _OF_SPECTRUM.items()
            if made_of_it & wanted
        }  # fmt: skip
        self._buffers = {name: FrameBuffer(_OF_SPECTRUM[name][0]) for name in self._compute}
        self.n_frames = 0

    @property
    def has_mel(self) -> bool:
        """Whether the mel power is computed."""
        return "mel" in self._compute

    def push(self, spectrum: BatchSpectrum) -> None:
        """Take a batch of frames."""
        for name, compute in self._compute.items():
            self._buffers[name].append(compute(spectrum))
        self.n_frames += len(spectrum.batch.frames)

    def take(self) -> Iterator[tuple[str, Float32Array]]:
        """Yield the descriptors of all frames so far, and begin anew."""
        self.n_frames = 0
        for name in self._buffers:
            rows = self._buffers[name].take()
            if name == "mel":
                yield from self._of_mel(rows)
            elif name == "extremes":
                yield "spectral_contrast", spectral.contrast_of_extremes(rows)
            elif name == "shape":
                for k, column in enumerate(_SHAPE):
                    if column in self._wanted:
                        yield column, np.ascontiguousarray(rows[:, k])
            else:
                yield name, rows[:, 0] if rows.shape[1] == 1 else rows

    def _of_mel(self, rows: Float32Array) -> Iterator[tuple[str, Float32Array]]:
        if "mel" in self._wanted:
            yield "mel", rows.copy()
        log_mel = mel.power_to_db(rows, out=rows)
        if "onset_strength" in self._wanted:
            yield "onset_strength", onset_strength(log_mel)
        if self._wanted & {"mfcc", "mfcc_delta", "mfcc_delta2"}:
            mfcc = mel.mfcc(log_mel)
            yield "mfcc", mfcc
            for order, name in ((1, "mfcc_delta"), (2, "mfcc_delta2")):
                if name in self._wanted:
                    yield name, mel.delta(mfcc, order=order)
        yield "log_mel", log_mel
