"""Moments over time of a track's descriptors: one vector with named columns per track."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tonotope.features.chroma import N_CHROMA
from tonotope.features.mel import N_MFCC
from tonotope.features.spectral import N_CONTRAST_BANDS
from tonotope.features.stft import Float32Array

__all__ = ["DESCRIPTORS", "STATISTICS", "SUMMARY_COLUMNS", "Moments", "summary_vector"]

# In the order of the columns of a matrix of frames.
DESCRIPTORS: tuple[str, ...] = (
    *(f"mfcc_{k:02d}" for k in range(1, N_MFCC + 1)),
    *(f"chroma_stft_{k:02d}" for k in range(1, N_CHROMA + 1)),
    *(f"spectral_contrast_{k:02d}_db" for k in range(1, N_CONTRAST_BANDS + 1)),
    "spectral_centroid_hz",
    "spectral_bandwidth_hz",
    "spectral_rolloff_hz",
    "spectral_flatness",
    "zero_crossing_rate",
    "rms",
    "onset_strength_db",
)

STATISTICS: tuple[str, ...] = ("mean", "std", "skew", "kurtosis", "median", "min", "max")

SUMMARY_COLUMNS: tuple[str, ...] = (
    *(f"{descriptor}_{statistic}" for descriptor in DESCRIPTORS for statistic in STATISTICS),
    "tempo_bpm",
)


@dataclass(frozen=True, slots=True)
class Moments:
    """What is kept of the frames of a stretch of music; stretches can be added up.

    Attributes
    ----------
    n_frames
        How many frames were summed.
    mean
        Shape (n_descriptors,), like all that follow.
    power_2, power_3, power_4
        Sums of the second to fourth power of the distance from the mean.
    median, minimum, maximum
        Of the frames. The median of a sum of stretches is the mean of their medians, weighted
        by their lengths; all else is exact.
    """

    n_frames: int
    mean: NDArray[np.float64]
    power_2: NDArray[np.float64]
    power_3: NDArray[np.float64]
    power_4: NDArray[np.float64]
    median: NDArray[np.float64]
    minimum: NDArray[np.float64]
    maximum: NDArray[np.float64]

    @classmethod
    def of(cls, frames: Float32Array) -> Moments:
        """Return the moments of a matrix of frames, shape (n_frames, n_descriptors)."""
        return cls(len(frames), *np.transpose([_moments_of(column) for column in frames.T]))

    def __add__(self, other: Moments) -> Moments:
        """Return the moments of both stretches together.

        References
        ----------
        P. Pébay, "Formulas for robust, one-pass parallel computation of covariances and
        arbitrary-order statistical moments", Sandia report SAND2008-6212, 2008.
        """
        n_a, n_b = self.n_frames, other.n_frames
        n = n_a + n_b
        delta = other.mean - self.mean
        a2, b2, a3, b3 = self.power_2, other.power_2, self.power_3, other.power_3
        return Moments(
            n_frames=n,
            mean=self.mean + delta * n_b / n,
            power_2=a2 + b2 + delta**2 * n_a * n_b / n,
            power_3=a3
            + b3
            + delta**3 * n_a * n_b * (n_a - n_b) / n**2
            + 3 * delta * (n_a * b2 - n_b * a2) / n,
            power_4=self.power_4
            + other.power_4
            + delta**4 * n_a * n_b * (n_a**2 - n_a * n_b + n_b**2) / n**3
            + 6 * delta**2 * (n_a**2 * b2 + n_b**2 * a2) / n**2
            + 4 * delta * (n_a * b3 - n_b * a3) / n,
            median=(self.median * n_a + other.median * n_b) / n,
            minimum=np.minimum(self.minimum, other.minimum),
            maximum=np.maximum(self.maximum, other.maximum),
        )

    def statistics(self) -> NDArray[np.float64]:
        """Return the seven `STATISTICS`, shape (n_descriptors, 7).

        Standard deviation, skewness and kurtosis are the population's; the kurtosis of a normal
        distribution is 0. What never changes has skewness and kurtosis 0.
        """
        variance = self.power_2 / self.n_frames
        std = np.sqrt(variance)
        # Below float32's resolution a spread is rounding, and its shape means nothing.
        varies = std > 1e-6 * np.abs(self.mean)
        safe = np.where(varies, variance, 1.0)
        skew = np.where(varies, self.power_3 / self.n_frames / safe**1.5, 0.0)
        kurtosis = np.where(varies, self.power_4 / self.n_frames / safe**2 - 3.0, 0.0)
        columns = (self.mean, std, skew, kurtosis, self.median, self.minimum, self.maximum)
        return np.stack(columns, axis=1)


def _moments_of(column: Float32Array) -> tuple[np.float64, ...]:
    # One descriptor at a time: float64 copies of all of them would take four times their memory.
    values = column.astype(np.float64)
    mean = values.mean()
    distance = values - mean
    squared = np.square(distance)
    return (
        mean,
        squared.sum(),
        (squared * distance).sum(),
        np.square(squared).sum(),
        np.median(values),
        values.min(),
        values.max(),
    )


def summary_vector(moments: Moments, tempo_bpm: float) -> Float32Array:
    """Return the summary of a track.

    Parameters
    ----------
    moments
        Of all frames of the track, in the order of `DESCRIPTORS`.
    tempo_bpm
        Tempo in beats per minute.

    Returns
    -------
    ndarray
        Shape (323,), float32, finite; the names are `SUMMARY_COLUMNS`.
    """
    return np.append(moments.statistics().ravel(), tempo_bpm).astype(np.float32)
