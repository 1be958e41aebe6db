"""K and B weighting: how much of a signal the ear hears, as two energies per 100 ms.

Both weightings are recursive filters. Here they are computed in blocks of 32 samples: what a
block adds is a matrix product, and what the past leaves to it is one number per pole of the
filters, which falls off geometrically. Up to rounding this is what the recursion gives sample by
sample, in less than half the time.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from tonotope.features.stft import SAMPLE_RATE_HZ, Float32Array

__all__ = [
    "CHUNK_SAMPLES",
    "FADING",
    "WeightedEnergies",
    "b_weighting",
    "k_weighting",
    "weighted_energies",
]

CHUNK_SAMPLES = SAMPLE_RATE_HZ // 10
"""100 ms, the step of all windows of loudness."""

FADING = float(np.exp(-1 / (0.035 * SAMPLE_RATE_HZ)))
"""What is left after one sample of a memory with a time constant of 35 ms (Vickers 2001)."""

Float64Array = NDArray[np.float64]
Scalar = TypeVar("Scalar", bound=np.generic)

_BLOCK_SAMPLES = 32
# 6.4 s at a time, always: not even the rounding of the matrix products may depend on how a signal
# was cut.
_BATCH_CHUNKS = 64
_BATCH_SAMPLES = _BATCH_CHUNKS * CHUNK_SAMPLES
_BATCH_BLOCKS = _BATCH_SAMPLES // _BLOCK_SAMPLES

# The analogue prototypes of the two sections of K weighting whose bilinear transforms at 48 kHz
# are the coefficients of BS.1770-4, tables 1 and 2.
_STANDARD_RATE_HZ = 48000
_SHELF_HZ, _SHELF_Q, _SHELF_DB = 1681.974450955533, 0.7071752369554196, 3.999843853973347
_SHELF_BAND_EXPONENT = 0.4996667741545416
_HIGH_PASS_HZ, _HIGH_PASS_Q = 38.13547087602444, 0.5003270373238773

_B_HIGH_PASS_HZ = 200.0


class Section(NamedTuple):
    """A filter ``sum(b[k] * z**-k) / sum(a[k] * z**-k)``, with ``a[0] == 1``."""

    b: Float64Array
    a: Float64Array


def k_weighting(rate_hz: float = SAMPLE_RATE_HZ) -> tuple[Section, Section]:
    """Return the two sections of K weighting, a shelf for the head and a high-pass.

    At 48 kHz they are those of the standard; at other rates they have the same analogue
    prototypes, and the frequencies at which they turn stay where they are.

    References
    ----------
    ITU-R BS.1770-4 (2015), annex 1, tables 1 and 2. Prototypes: B. De Man, "Evaluation of
    implementations of the EBU R128 loudness measurement", AES 145, 2018.
    """
    high = 10 ** (_SHELF_DB / 20)
    band = high**_SHELF_BAND_EXPONENT
    w, q = np.tan(np.pi * _SHELF_HZ / rate_hz), _SHELF_Q
    shelf = _section(
        [high + band * w / q + w * w, 2 * (w * w - high), high - band * w / q + w * w], w, q
    )
    w, q = np.tan(np.pi * _HIGH_PASS_HZ / rate_hz), _HIGH_PASS_Q
    # Table 2 has 1, -2, 1 above the line, 0.04 dB too much, which -0.691 makes up for.
    standard_w = np.tan(np.pi * _HIGH_PASS_HZ / _STANDARD_RATE_HZ)
    gain = 1 + standard_w / q + standard_w * standard_w
    return shelf, _section([gain, -2 * gain, gain], w, q)


def _section(b: list[float], w: float, q: float) -> Section:
    a0 = 1 + w / q + w * w
    return Section(np.array(b) / a0, np.array([a0, 2 * (w * w - 1), 1 - w / q + w * w]) / a0)


def b_weighting(rate_hz: float = SAMPLE_RATE_HZ) -> Section:
    """Return a rough B weighting, a high-pass of first order at 200 Hz.

    References
    ----------
    E. Vickers, "Automatic long-term loudness and dynamics matching", AES 111, 2001.
    """
    w = np.tan(np.pi * _B_HIGH_PASS_HZ / rate_hz)
    return Section(np.array([1, -1]) / (1 + w), np.array([1, (w - 1) / (1 + w)]))


class _Modes(NamedTuple):
    """A filter as a sum: ``h[n] = direct * (n == 0) + sum(Re(residues * poles**n))``."""

    direct: float
    poles: NDArray[np.complex128]
    residues: NDArray[np.complex128]


def _modes(*sections: Section) -> _Modes:
    """Return the partial fractions of a cascade of filters whose poles all differ."""
    poles = np.concatenate([np.roots(section.a) for section in sections]).astype(np.complex128)
    numerator = np.prod([np.polyval(section.b[::-1], 1 / poles) for section in sections], axis=0)
    others = np.array([np.delete(poles, i) for i in range(len(poles))])
    residues = numerator / np.prod(1 - others / poles[:, np.newaxis], axis=1)
    # Of a conjugate pair one stands for both.
    residues[poles.imag > 0] *= 2
    kept = poles.imag >= 0
    direct = float(np.prod([section.b[-1] / section.a[-1] for section in sections]))
    return _Modes(direct, poles[kept], residues[kept])


class _BlockFilters(NamedTuple):
    """What takes blocks of 32 samples through K weighting and B weighting.

    Attributes
    ----------
    entering
        From a block's samples to what they add to each mode, real and imaginary part, by the end
        of the block, shape (32, 2 * n_modes).
    response
        From a block's samples and each mode's real and imaginary part at its beginning to the
        weighted samples, shape (2, 32 + 2 * n_modes, 32).
    decays
        For each mode what is left of it after 1, 2, 4, ... blocks, while it is anything.
    """

    entering: Float32Array
    response: Float32Array
    decays: tuple[NDArray[np.complex128], ...]


@cache
def _block_filters() -> _BlockFilters:
    both = _modes(*k_weighting()), _modes(b_weighting())
    poles = np.concatenate([modes.poles for modes in both])
    n = np.arange(_BLOCK_SAMPLES)
    response = np.zeros((2, _BLOCK_SAMPLES + 2 * len(poles), _BLOCK_SAMPLES))
    row = _BLOCK_SAMPLES
    for matrix, modes in zip(response, both, strict=True):
        ringing = modes.residues[:, np.newaxis] * modes.poles[:, np.newaxis] ** n
        impulse = ringing.real.sum(axis=0)
        impulse[0] += modes.direct
        matrix[:_BLOCK_SAMPLES] = np.triu(impulse[np.abs(n - n[:, np.newaxis])])
        for mode in ringing:
            matrix[row : row + 2] = mode.real, -mode.imag
            row += 2
    entering = poles ** (_BLOCK_SAMPLES - n[:, np.newaxis])
    return _BlockFilters(
        _read_only(entering.astype(np.complex64).view(np.float32)),
        _read_only(response.astype(np.float32)),
        tuple(_decay(pole) for pole in poles),
    )


def _decay(pole: np.complex128) -> NDArray[np.complex128]:
    left = pole ** (_BLOCK_SAMPLES * 2 ** np.arange(8))
    return _read_only(left[np.abs(left) > np.finfo(np.float64).eps])


def _read_only(array: NDArray[Scalar]) -> NDArray[Scalar]:
    array.flags.writeable = False
    return array


@cache
def _energy_weights() -> Float32Array:
    """Return how much each sample of 100 ms counts for the two energies, shape (2, 2205)."""
    fading = FADING ** np.arange(CHUNK_SAMPLES)[::-1]
    return _read_only(np.stack([np.ones(CHUNK_SAMPLES), fading]).astype(np.float32))


class WeightedEnergies:
    """Computes the energies of a signal that comes in blocks of any length."""

    def __init__(self) -> None:
        self._filters = _block_filters()
        _, n_inputs, _ = self._filters.response.shape
        self._inputs = np.empty((_BATCH_BLOCKS, n_inputs), dtype=np.float32)
        self._weighted = np.empty((_BATCH_BLOCKS, _BLOCK_SAMPLES), dtype=np.float32)
        self._last_modes = np.zeros(len(self._filters.decays), dtype=np.complex128)
        self._batch = np.empty(_BATCH_SAMPLES, dtype=np.float32)
        self._n_held = 0
        self._n_samples = 0
        self._energies: list[Float64Array] = []

    def push(self, samples: Float32Array) -> None:
        """Take more of the signal, shape (n_samples,)."""
        self._n_samples += len(samples)
        while len(samples):
            part = samples[: len(self._batch) - self._n_held]
            samples = samples[len(part) :]
            self._batch[self._n_held : self._n_held + len(part)] = part
            self._n_held += len(part)
            if self._n_held == len(self._batch):
                self._weigh()
                self._n_held = 0

    def finish(self) -> Float64Array:
        """Return the energies of the whole signal.

        Returns
        -------
        ndarray
            Shape (n_samples // 2205, 2), per 100 ms: the sum of the squares of the K-weighted
            samples; and that of the B-weighted ones, each faded by `FADING` once for every sample
            that follows it in these 100 ms. Samples after the last 100 ms don't count.
        """
        self._batch[self._n_held :] = 0
        self._weigh()
        return np.concatenate(self._energies)[: self._n_samples // CHUNK_SAMPLES]

    def _weigh(self) -> None:
        samples, modes = self._inputs[:, :_BLOCK_SAMPLES], self._inputs[:, _BLOCK_SAMPLES:]
        samples[:] = self._batch.reshape(samples.shape)
        modes[:] = self._modes_at_beginnings(samples @ self._filters.entering)
        energies = np.empty((_BATCH_CHUNKS, 2))
        for i, (response, weights) in enumerate(
            zip(self._filters.response, _energy_weights(), strict=True)
        ):
            np.matmul(self._inputs, response, out=self._weighted)
            np.square(self._weighted, out=self._weighted)
            energies[:, i] = self._weighted.reshape(_BATCH_CHUNKS, -1) @ weights
        self._energies.append(energies)

    def _modes_at_beginnings(self, entering: Float32Array) -> Float32Array:
        """Return the modes, real and imaginary parts, as each block finds them."""
        modes = np.empty((len(self._last_modes), 1 + _BATCH_BLOCKS), dtype=np.complex128)
        modes[:, 0] = self._last_modes
        modes[:, 1:] = entering.view(np.complex64).T
        # Sums over 2, 4, 8, ... blocks, until what came before them is forgotten.
        for mode, decay in zip(modes, self._filters.decays, strict=True):
            for level, left in enumerate(decay):
                stride = 2**level
                mode[stride:] += left * mode[:-stride]
        self._last_modes = modes[:, -1].copy()
        return modes[:, :-1].T.astype(np.complex64, order="C").view(np.float32)


def weighted_energies(signal: Float32Array) -> Float64Array:
    """Return the energies of a whole signal, shape (n_samples // 2205, 2).

    Parameters
    ----------
    signal
        Shape (n_samples,), mono at 22 050 Hz.

    Returns
    -------
    ndarray
        See `WeightedEnergies.finish`.
    """
    stream = WeightedEnergies()
    stream.push(signal)
    return stream.finish()
