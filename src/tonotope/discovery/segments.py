"""The stretches of two tracks that are most alike.

A segment of ten seconds is described by how it sounds (means and deviations of its MFCCs, but for
the first, which is how loud it is) and by its harmony (mean chroma). Both blocks are standardised
over the segments of the two tracks and have the same say.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

__all__ = ["SEGMENT_S", "SegmentMatch", "Segments", "best_match", "cut_segments"]

SEGMENT_S = 10.0
"""How long a segment is."""

_HOP_S = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class Segments:
    """A track's segments.

    Attributes
    ----------
    timbre
        Shape (n_segments, 2 * (n_mfcc - 1)): means and deviations.
    harmony
        Shape (n_segments, 12).
    starts_s
        Where each begins, shape (n_segments,).
    """

    timbre: NDArray[np.float32]
    harmony: NDArray[np.float32]
    starts_s: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SegmentMatch:
    """Two segments of `SEGMENT_S` seconds, or of all there is of a shorter track.

    Attributes
    ----------
    start_s, other_start_s
        Where they begin in the first track and in the second.
    """

    start_s: float
    other_start_s: float


def cut_segments(
    mfcc: NDArray[np.float32], chroma: NDArray[np.float32], frames_per_s: float
) -> Segments:
    """Return a track's segments, one every 5 s; of a track shorter than a segment, the whole.

    Parameters
    ----------
    mfcc, chroma
        Shapes (n_frames, n_mfcc) and (n_frames, 12), at least one frame.
    frames_per_s
        How many frames a second has.
    """
    n_frames, length = len(mfcc), round(SEGMENT_S * frames_per_s)
    last = max(0, n_frames - length)
    starts = np.arange(0, last + 1, round(_HOP_S * frames_per_s))
    spans = [slice(start, start + length) for start in starts.tolist()]
    timbre = [np.concatenate([mfcc[s, 1:].mean(axis=0), mfcc[s, 1:].std(axis=0)]) for s in spans]
    harmony = [chroma[s].mean(axis=0) for s in spans]
    return Segments(np.array(timbre), np.array(harmony), starts / frames_per_s)


def best_match(a: Segments, b: Segments) -> SegmentMatch:
    """Return the segments of two tracks that are most alike, the earliest of equals.

    Time and memory: one number for each pair of segments, 4 million for two tracks of three hours.
    """
    squares = _squares(a.timbre, b.timbre) + _squares(a.harmony, b.harmony)
    row, column = divmod(int(squares.argmin()), squares.shape[1])
    return SegmentMatch(float(a.starts_s[row]), float(b.starts_s[column]))


def _squares(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return mean squared differences of standardised columns, shape (n_a, n_b)."""
    both = np.concatenate([a, b]).astype(np.float64)
    deviation = both.std(axis=0)
    # A column that never changes says nothing.
    deviation[deviation < 1e-9] = np.inf
    squares: NDArray[np.float64] = cdist(a / deviation, b / deviation, "sqeuclidean")
    squares /= a.shape[1]
    return squares
