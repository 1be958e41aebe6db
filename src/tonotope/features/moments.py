"""Statistics over time of a matrix of frames: mean, spread, shape, median and extremes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tonotope.features.stft import Float32Array

__all__ = ["STATISTICS", "Moments"]

STATISTICS: tuple[str, ...] = ("mean", "std", "skew", "kurtosis", "median", "min", "max")

# Columns are summed in float64 a few at a time, so that their copies stay small.
_CHUNK_VALUES = 1 << 18


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
        """Return the moments of a matrix of frames.

        Parameters
        ----------
        frames
            Shape (n_frames, n_descriptors) or (n_frames,); at least one frame.
        """
        columns = frames.reshape(len(frames), -1).T
        step = max(1, _CHUNK_VALUES // len(frames))
        parts = [_moments_of(columns[k : k + step]) for k in range(0, len(columns), step)]
        return cls(len(frames), *np.concatenate(parts, axis=1))

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
        distribution is 0. What never changes has all three 0.
        """
        variance = self.power_2 / self.n_frames
        std = np.sqrt(variance)
        # Below float32's resolution a spread is rounding, and its shape means nothing.
        varies = std > 1e-6 * np.abs(self.mean)
        safe = np.where(varies, variance, 1.0)
        skew = np.where(varies, self.power_3 / self.n_frames / safe**1.5, 0.0)
        kurtosis = np.where(varies, self.power_4 / self.n_frames / safe**2 - 3.0, 0.0)
        std = np.where(varies, std, 0.0)
        columns = (self.mean, std, skew, kurtosis, self.median, self.minimum, self.maximum)
        return np.stack(columns, axis=1)


def _moments_of(columns: Float32Array) -> NDArray[np.float64]:
    # Sorting is vectorised in NumPy, finding medians is not, and the extremes come with it.
    ordered = np.sort(columns, axis=1)
    n_frames = ordered.shape[1]
    middle = ordered[:, [(n_frames - 1) // 2, n_frames // 2]].mean(axis=1, dtype=np.float64)
    values = columns.astype(np.float64, order="C")
    mean = values.mean(axis=1)
    values -= mean[:, np.newaxis]
    squared = np.square(values)
    return np.stack(
        [
            mean,
            squared.sum(axis=1),
            np.einsum("ij,ij->i", squared, values),
            np.einsum("ij,ij->i", squared, squared),
            middle,
            ordered[:, 0].astype(np.float64),
            ordered[:, -1].astype(np.float64),
        ]
    )
