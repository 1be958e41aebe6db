"""All descriptors of a track in one pass over its samples.

What can be computed from one frame alone is computed as the frames come. Three things need more:

- decibels end 80 below the loudest frame, so log-mel, MFCC, contrast and onset strength are made
  when a stretch of 20 minutes is over. A track of up to 20 minutes is one stretch, and its
  numbers are those of librosa on the whole track; of a longer one the stretches' moments are
  added up. Memory is bounded by one stretch whatever the track's length.
- chroma needs the tuning, which is estimated on the first two minutes.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from tonotope.features.chroma import chroma_stft, estimate_tuning, spectral_peaks
from tonotope.features.mel import N_MELS, mel_power, mfcc, power_to_db
from tonotope.features.rhythm import TEMPO_LAGS, mean_tempogram, onset_strength, tempo_bpm
from tonotope.features.spectral import (
    N_CONTRAST_BANDS,
    contrast_extremes,
    rms,
    spectral_centroid_bandwidth,
    spectral_contrast,
    spectral_flatness,
    spectral_rolloff,
    zero_crossing_rate,
)
from tonotope.features.stft import (
    BATCH_FRAMES,
    HOP_LENGTH,
    SAMPLE_RATE_HZ,
    Float32Array,
    FrameStream,
    SignalFrames,
    power_spectrum,
)
from tonotope.features.summary import Moments, summary_vector

__all__ = ["DescriptorStream"]


def _frames_of(minutes: int) -> int:
    """Return how many frames so many minutes have, rounded up to whole batches."""
    n_frames = 1 + minutes * 60 * SAMPLE_RATE_HZ // HOP_LENGTH
    return -(-n_frames // BATCH_FRAMES) * BATCH_FRAMES


_STRETCH_FRAMES = _frames_of(minutes=20)
_TUNING_FRAMES = _frames_of(minutes=2)


class DescriptorStream:
    """Computes a track's descriptors from its samples as they come.

    The result does not depend on how the samples are cut into blocks.

    Examples
    --------
    >>> stream = DescriptorStream()
    >>> for block in blocks:
    ...     mel = stream.push(block)
    >>> mel = stream.finish()
    >>> vector = stream.summary()
    """

    def __init__(self) -> None:
        self._framing = FrameStream()
        self._stretch = _Stretch()
        self._chroma = _ChromaStream()
        self._moments: Moments | None = None
        self._tempogram: NDArray[np.float64] = np.zeros(TEMPO_LAGS)

    @property
    def n_samples(self) -> int:
        """How many samples have come so far."""
        return self._framing.n_samples

    def push(self, block: Float32Array) -> Float32Array:
        """Take more samples.

        Parameters
        ----------
        block
            Shape (n_samples,), mono at 22 050 Hz, full scale = 1.

        Returns
        -------
        ndarray
            The mel power of the frames that became complete, shape (n_frames, 128).
        """
        return self._describe(self._framing.push(block))

    def finish(self) -> Float32Array:
        """Take note that no more samples come; return the mel power of the last frames."""
        mel = self._describe(self._framing.finish())
        if self._stretch.n_frames:
            self._end_stretch(at_end=True)
        return mel

    def summary(self) -> Float32Array:
        """Return the summary vector, shape (323,), float32; only after `finish`."""
        if self._moments is None:
            raise ValueError("no summary before finish()")
        return summary_vector(self._moments, tempo_bpm(self._tempogram / self._moments.n_frames))

    def _describe(self, batches: Iterable[SignalFrames]) -> Float32Array:
        mel_batches = [np.empty((0, N_MELS), np.float32)]
        for batch in batches:
            power = power_spectrum(batch.frames)
            mel = mel_power(power)
            self._chroma.push(power)
            self._stretch.push(batch, power, mel)
            mel_batches.append(mel)
            if self._stretch.n_frames == _STRETCH_FRAMES:
                self._end_stretch(at_end=False)
        return np.concatenate(mel_batches)

    def _end_stretch(self, *, at_end: bool) -> None:
        frames, onsets = self._stretch.frames(self._chroma.take(at_end=at_end))
        moments = Moments.of(frames)
        self._moments = moments if self._moments is None else self._moments + moments
        self._tempogram += mean_tempogram(onsets) * len(onsets)
        self._stretch = _Stretch()


class _Stretch:
    """The descriptors of up to 20 minutes, frame by frame."""

    def __init__(self) -> None:
        self.n_frames = 0
        # Room for all at once: what is not written to takes no memory, and many small arrays
        # that live long among short-lived ones would leave the heap full of holes.
        self._mel = np.empty((_STRETCH_FRAMES, N_MELS), np.float32)
        self._extremes = np.empty((_STRETCH_FRAMES, 2 * N_CONTRAST_BANDS), np.float32)
        self._scalars = np.empty((_STRETCH_FRAMES, 6), np.float32)

    def push(self, batch: SignalFrames, power: Float32Array, mel: Float32Array) -> None:
        magnitude = np.sqrt(power)
        rows = slice(self.n_frames, self.n_frames + len(power))
        self.n_frames = rows.stop
        self._mel[rows] = mel
        self._extremes[rows] = contrast_extremes(magnitude)
        scalars = self._scalars[rows]
        scalars[:, :2] = spectral_centroid_bandwidth(magnitude)
        scalars[:, 2] = spectral_rolloff(magnitude)
        scalars[:, 3] = spectral_flatness(power)
        scalars[:, 4] = zero_crossing_rate(batch)
        scalars[:, 5] = rms(batch)

    def frames(self, chroma: Float32Array) -> tuple[Float32Array, Float32Array]:
        """Return all descriptors, shape (n_frames, 46), and the onset strength by itself.

        To be called once: the mel power, most of what a stretch holds, is given up for it.
        """
        log_mel_db = power_to_db(self._mel[: self.n_frames])
        del self._mel
        onsets = onset_strength(log_mel_db)
        columns = [
            mfcc(log_mel_db),
            chroma,
            spectral_contrast(self._extremes[: self.n_frames]),
            self._scalars[: self.n_frames],
            onsets,
        ]
        return np.column_stack(columns), onsets


class _ChromaStream:
    """Holds the first two minutes' spectrum back until their tuning is known."""

    def __init__(self) -> None:
        self._tuning: float | None = None
        self._held: list[Float32Array] = []
        self._peaks: list[Float32Array] = []
        self._n_held = 0
        self._done: list[Float32Array] = []

    def push(self, power: Float32Array) -> None:
        if self._tuning is not None:
            self._done.append(chroma_stft(power, tuning=self._tuning))
            return
        self._held.append(power)
        self._peaks.append(spectral_peaks(power))
        self._n_held += len(power)
        if self._n_held >= _TUNING_FRAMES:
            self._tune()

    def take(self, *, at_end: bool) -> Float32Array:
        """Return the chroma of all frames since the last call, shape (n_frames, 12)."""
        if at_end and self._tuning is None:
            self._tune()
        chroma = np.concatenate(self._done)
        self._done = []
        return chroma

    def _tune(self) -> None:
        self._tuning = estimate_tuning(np.concatenate(self._peaks))
        self._done += [chroma_stft(power, tuning=self._tuning) for power in self._held]
        self._held, self._peaks = [], []
