"""From the file's sample rate to the one that is wanted."""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray

__all__ = ["SAMPLE_RATE_HZ", "Resampler"]

SAMPLE_RATE_HZ = 22050
"""Sample rate of everything that :func:`~tonotope.audio.decode` gives unless told otherwise."""


class Resampler:
    """Streaming conversion of mono sound from one sample rate to another.

    The same samples as resampling all at once: soxr's quality HQ, and
    ``ceil(n * wanted_hz / rate_hz)`` of them, as ``librosa.load`` gives.

    Parameters
    ----------
    rate_hz
        Sample rate of what comes in.
    wanted_hz
        Sample rate of what comes out.
    """

    def __init__(self, rate_hz: int, wanted_hz: int = SAMPLE_RATE_HZ) -> None:
        self.rate_hz = rate_hz
        self.wanted_hz = wanted_hz
        self.n_in = 0
        self._n_out = 0
        self._stream = (
            None
            if rate_hz == wanted_hz
            else soxr.ResampleStream(rate_hz, wanted_hz, 1, dtype="float32", quality="HQ")
        )

    def push(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take the next samples and return those that are settled by now."""
        self.n_in += len(samples)
        if self._stream is None:
            return samples
        out: NDArray[np.float32] = self._stream.resample_chunk(samples)
        self._n_out += len(out)
        return out

    def finish(self) -> NDArray[np.float32]:
        """Return the rest."""
        if self._stream is None:
            return np.empty(0, np.float32)
        n_rest = -(-self.n_in * self.wanted_hz // self.rate_hz) - self._n_out
        tail = self._stream.resample_chunk(np.empty(0, np.float32), last=True)[:n_rest]
        return np.pad(tail, (0, n_rest - len(tail)))
