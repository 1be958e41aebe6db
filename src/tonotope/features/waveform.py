"""Descriptors of the samples themselves, frame by frame, in librosa's definitions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tonotope.features.stft import HOP_LENGTH, N_FFT, Float32Array, FrameStream, SignalFrames

__all__ = ["rms", "rms_of_frames", "zero_crossing_rate", "zero_crossings_of_frames"]

_HOPS_PER_FRAME = N_FFT // HOP_LENGTH


def rms_of_frames(batch: SignalFrames) -> Float32Array:
    """Return the root mean square of a batch of frames; see `rms`."""
    hops = batch.samples.reshape(-1, HOP_LENGTH)
    energy = _sums_over_frames(np.einsum("ij,ij->i", hops, hops))
    return np.sqrt(energy / N_FFT).astype(np.float32)


def zero_crossings_of_frames(batch: SignalFrames) -> Float32Array:
    """Return the zero-crossing rate of a batch of frames; see `zero_crossing_rate`."""
    per_hop = np.count_nonzero(batch.crossings.reshape(-1, HOP_LENGTH), axis=1)
    counts = _sums_over_frames(per_hop)
    # What lies between a frame's first sample and the one before is outside the frame.
    counts -= batch.crossings[: len(counts) * HOP_LENGTH : HOP_LENGTH]
    return (counts / N_FFT).astype(np.float32)


def _sums_over_frames(per_hop: NDArray[Any]) -> NDArray[np.float64]:
    """Sum what is given per hop over each frame."""
    n_frames = len(per_hop) - _HOPS_PER_FRAME + 1
    sums: NDArray[np.float64] = np.zeros(n_frames)
    for k in range(_HOPS_PER_FRAME):
        sums += per_hop[k : k + n_frames]
    return sums


def rms(signal: Float32Array) -> Float32Array:
    """Return the root mean square of each frame: ``librosa.feature.rms(y=signal)``.

    Parameters
    ----------
    signal
        Shape (n_samples,), mono at 22 050 Hz, full scale = 1.

    Returns
    -------
    ndarray
        Shape (1 + n_samples // 512,), float32, full scale = 1.
    """
    return _of_signal(signal, rms_of_frames)


def zero_crossing_rate(signal: Float32Array) -> Float32Array:
    """Return the share of samples whose sign differs from the one before.

    Equals ``librosa.feature.zero_crossing_rate``: what is within 1e-10 of zero counts as positive.

    Parameters
    ----------
    signal
        Shape (n_samples,), mono at 22 050 Hz.

    Returns
    -------
    ndarray
        Shape (1 + n_samples // 512,), float32, per sample.
    """
    return _of_signal(signal, zero_crossings_of_frames)


def _of_signal(
    signal: Float32Array, describe: Callable[[SignalFrames], Float32Array]
) -> Float32Array:
    stream = FrameStream()
    batches = [*stream.push(np.asarray(signal, dtype=np.float32)), *stream.finish()]
    return np.concatenate([describe(batch) for batch in batches])
