"""What the passes over a track share: batches of frames, and arrays that grow with them."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from tonotope.features.mel import mel_power
from tonotope.features.stft import (
    BATCH_FRAMES,
    HOP_LENGTH,
    SAMPLE_RATE_HZ,
    Float32Array,
    SignalFrames,
    magnitude_spectrum,
)

__all__ = ["BatchSpectrum", "FrameBuffer", "frames_of"]

_GROWTH_FRAMES = 4096


def frames_of(minutes: int) -> int:
    """Return how many frames so many minutes have, rounded up to whole batches."""
    n_frames = 1 + minutes * 60 * SAMPLE_RATE_HZ // HOP_LENGTH
    return -(-n_frames // BATCH_FRAMES) * BATCH_FRAMES


class BatchSpectrum:
    """A batch of frames with what several descriptors need of it, computed when first needed."""

    def __init__(self, batch: SignalFrames) -> None:
        self.batch = batch

    @cached_property
    def magnitude(self) -> Float32Array:
        """Magnitude spectrum, shape (n_frames, 1025)."""
        return magnitude_spectrum(self.batch.frames)

    @cached_property
    def power(self) -> Float32Array:
        """Power spectrum, shape (n_frames, 1025)."""
        return np.square(self.magnitude)

    @cached_property
    def loudest(self) -> Float32Array:
        """Largest magnitude of each frame, shape (n_frames,)."""
        loudest: Float32Array = self.magnitude.max(axis=1)
        return loudest

    @cached_property
    def mel(self) -> Float32Array:
        """Mel power, shape (n_frames, 128)."""
        return mel_power(self.power)


class FrameBuffer:
    """Rows that arrive in batches, in one array that grows in place."""

    def __init__(self, n_columns: int, *, n_expected: int = 0) -> None:
        # What is not written to takes no memory.
        self._rows = np.empty((n_expected, n_columns), np.float32)
        self.n_frames = 0

    def append(self, rows: Float32Array) -> None:
        """Add rows, shape (n_rows, n_columns) or (n_rows,)."""
        stop = self.n_frames + len(rows)
        if stop > len(self._rows):
            # Large blocks are moved by the system, not copied; many small arrays that live long
            # among short-lived ones would leave the heap full of holes.
            growth = max(_GROWTH_FRAMES, len(self._rows) // 8, len(rows))
            shape = len(self._rows) + growth, self._rows.shape[1]
            if len(self._rows):
                self._rows.resize(shape, refcheck=False)
            else:
                self._rows = np.empty(shape, np.float32)  # not zeros, as resizing gives
        self._rows[self.n_frames : stop] = rows.reshape(len(rows), -1)
        self.n_frames = stop

    def take(self) -> Float32Array:
        """Return all rows and begin anew."""
        rows = self._rows[: self.n_frames]
        self._rows = np.empty((0, self._rows.shape[1]), np.float32)
        self.n_frames = 0
        return rows
