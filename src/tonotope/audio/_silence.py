"""How long a track is silent at its ends."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tonotope.audio._info import Silence
from tonotope.audio._resample import SAMPLE_RATE_HZ

__all__ = ["SILENCE_DB", "SilenceMeter"]

SILENCE_DB = -60.0
"""Below this peak level, relative to full scale, a sample counts as silent.

Dither and the noise floor of tape and vinyl rips between tracks lie below or around it, the
quietest fade that a listener still notices above (AES TD1004 and most players' silence
detection use the same figure).
"""

_THRESHOLD = np.float32(10 ** (SILENCE_DB / 20))
_CHUNK = 1024


class SilenceMeter:
    """Finds the first and the last audible sample of a stream.

    Parameters
    ----------
    sample_rate_hz
        Of the stream.
    """

    def __init__(self, sample_rate_hz: int = SAMPLE_RATE_HZ) -> None:
        self._sample_rate_hz = sample_rate_hz
        self._n_samples = 0
        self._first: int | None = None
        self._last = 0

    def update(self, block: NDArray[np.float32]) -> None:
        """Take the next samples."""
        # From the end: of a block of music, its last chunk is all that is looked at.
        for start in range(len(block) - 1 - (len(block) - 1) % _CHUNK, -1, -_CHUNK):
            (audible,) = np.nonzero(np.abs(block[start : start + _CHUNK]) > _THRESHOLD)
            if len(audible):
                self._last = self._n_samples + start + int(audible[-1])
                if self._first is None:
                    self._first = self._n_samples + int(np.argmax(np.abs(block) > _THRESHOLD))
                break
        self._n_samples += len(block)

    def result(self) -> Silence:
        """Return what was silent."""
        duration_s = self._n_samples / self._sample_rate_hz
        if self._first is None:
            return Silence(leading_s=duration_s, trailing_s=duration_s, is_silent=True)
        return Silence(
            leading_s=self._first / self._sample_rate_hz,
            trailing_s=(self._n_samples - 1 - self._last) / self._sample_rate_hz,
            is_silent=False,
        )
