"""Harmony frame by frame: the pitch-class profile and the tonal centroids."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from tonotope.features.stft import Float32Array

__all__ = ["TONNETZ_DIMENSIONS", "pitch_class_profile", "tonnetz"]

TONNETZ_DIMENSIONS: tuple[str, ...] = (
    "fifth_x",
    "fifth_y",
    "minor_x",
    "minor_y",
    "major_x",
    "major_y",
)
"""The coordinates that `tonnetz` returns, in order: librosa's names for them."""

_N_CLASSES = 12
_C_HZ = 440.0 * 2.0 ** (-9 / 12)


def pitch_class_profile(
    frame: NDArray[np.integer],
    pitch_hz: Float32Array,
    power: Float32Array,
    *,
    n_frames: int,
    tuning: float,
) -> Float32Array:
    """Return the power of a frame's spectral peaks by pitch class, the strongest class being 1.

    A peak counts for the two classes that it lies between: cos² of the distance, a semitone being
    a right angle, so the two weights add up to 1 and a peak in tune is in one class alone. What
    lies between the peaks (noise, the skirts of the window) does not count, which is how this
    differs from `tonotope.features.chroma.chroma_stft`. The profile of a track is the mean over
    its frames.

    Parameters
    ----------
    frame
        In which frame each peak is, from 0 to `n_frames` - 1, shape (n_peaks,); any order.
    pitch_hz
        Its frequency, above 0, shape (n_peaks,).
    power
        Its power, not below 0, shape (n_peaks,).
    n_frames
        How many frames there are, those without a peak included.
    tuning
        By how many semitones the music deviates from A = 440 Hz.

    Returns
    -------
    ndarray
        Shape (n_frames, 12), float32, C first; 0 in frames without a peak. A frame's row depends
        on that frame's peaks alone.

    References
    ----------
    T. Fujishima, "Realtime chord recognition of musical sound", ICMC 1999. E. Gómez, "Tonal
    description of polyphonic audio for music content processing", INFORMS Journal on Computing
    18(3), 2006: the weights, with a window of 2 semitones in place of 4/3.
    """
    semitones = np.log2(pitch_hz * np.float32(2 ** (-tuning / 12) / _C_HZ))
    semitones *= np.float32(_N_CLASSES)
    below = np.floor(semitones)
    semitones -= below
    semitones *= np.float32(np.pi / 2)
    share_above = np.square(np.sin(semitones))
    share_above *= power
    class_below = below.astype(np.intp) % _N_CLASSES
    row = frame * _N_CLASSES
    n_cells = n_frames * _N_CLASSES
    cells = np.bincount(row + class_below, power - share_above, n_cells)
    cells += np.bincount(row + (class_below + 1) % _N_CLASSES, share_above, n_cells)
    profile: Float32Array = cells.astype(np.float32).reshape(n_frames, _N_CLASSES)
    strongest = profile.max(axis=1, keepdims=True)
    profile /= np.where(strongest > 0, strongest, 1)
    return profile


@cache
def _tonnetz_basis() -> Float32Array:
    """Return where each pitch class lies on the three circles, shape (12, 6)."""
    # Fifths and minor thirds lie on circles of radius 1, major thirds on one of radius 1/2.
    circles = ((7 / 6, 1.0), (3 / 2, 1.0), (2 / 3, 0.5))
    angles = np.pi * np.arange(_N_CLASSES)
    columns = [
        radius * function(turn * angles)
        for turn, radius in circles
        for function in (np.sin, np.cos)
    ]
    basis: NDArray[np.float32] = np.stack(columns, axis=1).astype(np.float32)
    basis.flags.writeable = False
    return basis


def tonnetz(chroma: Float32Array) -> Float32Array:
    """Return the tonal centroids: where a frame's pitch classes lie in the mean.

    Twelve pitch classes are set on three circles, on which fifths, minor thirds and major thirds
    are neighbours; the centroid is their mean on each, weighted by the chroma. It moves when the
    harmony does and stays when only the loudness changes.

    Parameters
    ----------
    chroma
        Shape (n_frames, 12), C first; the scale of a frame does not matter.

    Returns
    -------
    ndarray
        Shape (n_frames, 6), float32, in the order of `TONNETZ_DIMENSIONS`: the first four within
        -1 and 1, the last two within -1/2 and 1/2; 0 in silent frames. Equals
        ``librosa.feature.tonnetz(chroma=...)``.

    References
    ----------
    C. Harte, M. Sandler, M. Gasser, "Detecting harmonic change in musical audio", AMCMM 2006.
    """
    total = np.abs(chroma).sum(axis=1, keepdims=True)
    centroid: Float32Array = chroma @ _tonnetz_basis()
    centroid /= np.where(total > 0, total, 1)
    return centroid
