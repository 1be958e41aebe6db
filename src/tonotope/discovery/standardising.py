"""One part of a description: its columns made comparable, and projected onto their main axes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tonotope.discovery.distances import Float32Array

__all__ = ["Part"]

# One absurd number (the kurtosis of a track with one click) must not outweigh all others.
_LARGEST_DEVIATION = 3.0
# Interquartile range of a normal distribution, in deviations.
_QUARTILES_APART = 1.349


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """How the columns of one part become places, before they are weighted.

    Attributes
    ----------
    median, spread, mean
        Of each column; the mean is that of the standardised column. Shape (n_columns,).
    axes
        Shape (n_columns, n_axes); None where the columns stay as they are.
    deviation
        How far tracks are from the middle, in the mean square; 0 if all are alike.
    is_direction
        Whether vectors were taken to unit length, and their columns left as they are. So a learned
        embedding is compared: it means something by its direction, and a column that hardly
        varies means little.
    """

    median: Float32Array
    spread: Float32Array
    mean: Float32Array
    axes: Float32Array | None
    deviation: float
    is_direction: bool

    @classmethod
    def of(cls, vectors: Float32Array, n_axes: int, *, is_direction: bool = False) -> Part:
        """Learn from some tracks' columns, shape (n_tracks, n_columns)."""
        if is_direction:
            median, spread = np.zeros((2, vectors.shape[1]), np.float32)
            standard = _directions(vectors)
        else:
            median, spread = _middle_and_spread(vectors)
            standard = _standardised(vectors, median, spread)
        mean = standard.mean(axis=0, dtype=np.float64).astype(np.float32)
        standard -= mean
        axes = None
        if n_axes < standard.shape[1]:
            axes = _principal_axes(standard, n_axes)
            standard = standard @ axes
        deviation = float(np.sqrt(np.square(standard).sum(axis=1).mean(dtype=np.float64)))
        return cls(median, spread, mean, axes, deviation, is_direction)

    @property
    def n_axes(self) -> int:
        """How many columns a place has in this part."""
        return int(len(self.mean) if self.axes is None else self.axes.shape[1])

    def project(self, vectors: Float32Array) -> Float32Array:
        """Return where tracks lie, shape (n_tracks, n_axes); on average 1 from the middle."""
        if self.is_direction:
            standard = _directions(vectors)
        else:
            standard = _standardised(vectors, self.median, self.spread)
        standard -= self.mean
        places = standard if self.axes is None else standard @ self.axes
        places *= np.float32(1 / self.deviation if self.deviation > 0 else 0)
        return places


def _middle_and_spread(vectors: Float32Array) -> tuple[Float32Array, Float32Array]:
    """Return the columns' medians and robust deviations; infinite where a column says nothing."""
    median = np.zeros(vectors.shape[1], np.float32)
    spread = np.full(vectors.shape[1], np.inf, np.float32)
    for column, values in enumerate(vectors.T):
        known = values[np.isfinite(values)].astype(np.float64)
        if len(known) == 0:
            continue
        low, median[column], high = np.percentile(known, [25, 50, 75])
        # Below float32's resolution a spread is rounding, and dividing by it makes noise.
        least = max(1e-6 * abs(low), 1e-6 * abs(high), 1e-12)
        deviation = (high - low) / _QUARTILES_APART
        if deviation <= least:
            deviation = known.std()  # half of the tracks or more have one value
        if deviation > least:
            spread[column] = deviation
    return median, spread


def _standardised(
    vectors: Float32Array, median: Float32Array, spread: Float32Array
) -> Float32Array:
    with np.errstate(invalid="ignore"):  # infinity less infinity
        standard: Float32Array = (vectors - median) / spread
    standard[~np.isfinite(vectors)] = 0
    return np.clip(standard, -_LARGEST_DEVIATION, _LARGEST_DEVIATION, out=standard)


def _directions(vectors: Float32Array) -> Float32Array:
    """Return vectors of unit length; of none that has no length, or is not finite."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    known = np.isfinite(length) & (length > 0)
    directions: Float32Array = np.where(known, vectors / np.where(known, length, 1), 0)
    return directions.astype(np.float32, copy=False)


def _principal_axes(centred: Float32Array, n_axes: int) -> Float32Array:
    """Return the axes along which tracks differ most, shape (n_columns, n_axes), orthonormal."""
    covariance = (centred.T @ centred).astype(np.float64) / len(centred)
    _, vectors = np.linalg.eigh(covariance)
    axes = vectors[:, : -n_axes - 1 : -1]
    # An axis has no direction; the same library should give the same places everywhere.
    largest = axes[np.abs(axes).argmax(axis=0), np.arange(n_axes)]
    return np.ascontiguousarray(axes * np.sign(largest), np.float32)
