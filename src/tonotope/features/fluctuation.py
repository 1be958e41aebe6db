"""Rhythm patterns: how strongly the loudness of each Bark band fluctuates, and how fast.

The fluctuation patterns of Pampalk: power in Bark bands, spread by masking, becomes loudness in
sone; the loudness of six seconds is transformed once more, into modulation frequencies up to
10 Hz; these are weighted by how much of a fluctuation the ear hears at each, sharpened and
blurred. The median over the track's segments is the track's pattern.

What differs from the papers, because all descriptors share one STFT:

- A frame is 93 ms long, every 23 ms (in the papers 23 ms, every 12 ms). The long frame smooths
  what is quick: of the strength they have with the papers' framing, patterns of music keep all
  up to 4 Hz, nine tenths at 6 Hz and three quarters at 9 Hz.
- Phon are those of ISO 226:2003, at the centre of each band. (The thesis used older contours,
  the MA toolbox the outer ear of Terhardt.)
- 22 bands, up to 9500 Hz: all that are complete. (At 11 025 Hz the papers had 20.)

What is simplified, there and here: contours of pure tones are applied to whole bands, each band's
loudness depends on its own spread power alone, and there is no masking in time.

References
----------
E. Pampalk, "Islands of Music", Master's thesis, Vienna University of Technology, 2001.
E. Pampalk, A. Rauber, D. Merkl, "Content-based organization and visualization of music
archives", ACM Multimedia 2002.
E. Pampalk, "Computational models of music similarity and their application in music information
retrieval", doctoral thesis, Vienna University of Technology, 2006.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from tonotope.features.stft import (
    HOP_LENGTH,
    N_BINS,
    N_FFT,
    SAMPLE_RATE_HZ,
    Float32Array,
    bin_frequencies_hz,
)

__all__ = [
    "BARK_CENTRES_HZ",
    "FULL_SCALE_DB",
    "N_BARK",
    "N_MODULATIONS",
    "SEGMENT_FRAMES",
    "SEGMENT_HOP",
    "FluctuationSummary",
    "bark_power",
    "fluctuation_summary",
    "modulation_frequencies_hz",
    "rhythm_patterns",
]

# Zwicker's critical bands, numbers 1 to 22 (E. Zwicker, H. Fastl, "Psychoacoustics", 1999).
_BARK_EDGES_HZ = (
    0, 100, 200, 300, 400, 510, 630, 770, 920, 1080, 1270, 1480,
    1720, 2000, 2320, 2700, 3150, 3700, 4400, 5300, 6400, 7700, 9500,
)  # fmt: skip
BARK_CENTRES_HZ = (
    50, 150, 250, 350, 450, 570, 700, 840, 1000, 1170, 1370,
    1600, 1850, 2150, 2500, 2900, 3400, 4000, 4800, 5800, 7000, 8500,
)  # fmt: skip
N_BARK = len(BARK_CENTRES_HZ)

N_MODULATIONS = 60
SEGMENT_FRAMES = 256
SEGMENT_HOP = SEGMENT_FRAMES // 2

FULL_SCALE_DB = 96.0
"""The sound pressure level that a sine of amplitude 1 is taken to have, as in the MA toolbox."""

_FIRST_BINS = np.searchsorted(bin_frequencies_hz(), _BARK_EDGES_HZ)
_MODULATION_STEP_HZ = SAMPLE_RATE_HZ / (HOP_LENGTH * SEGMENT_FRAMES)
_CHUNK_SEGMENTS = 32

# The blur of the papers: a Gaussian of about one bin, cut off after four.
_BLUR = (0.05, 0.1, 0.25, 0.5, 1.0, 0.5, 0.25, 0.1, 0.05)

# ISO 226:2003, table 1: frequency in Hz, exponent of loudness, transfer relative to 1 kHz in dB,
# threshold of hearing in dB.
_ISO_226 = np.array(
    [
        (50, 0.432, -15.9, 44.0),
        (63, 0.409, -13.0, 37.5),
        (80, 0.387, -10.3, 31.5),
        (100, 0.367, -8.1, 26.5),
        (125, 0.349, -6.2, 22.1),
        (160, 0.330, -4.5, 17.9),
        (200, 0.315, -3.1, 14.4),
        (250, 0.301, -2.0, 11.4),
        (315, 0.288, -1.1, 8.6),
        (400, 0.276, -0.4, 6.2),
        (500, 0.267, 0.0, 4.4),
        (630, 0.259, 0.3, 3.0),
        (800, 0.253, 0.5, 2.2),
        (1000, 0.250, 0.0, 2.4),
        (1250, 0.246, -2.7, 3.5),
        (1600, 0.244, -4.1, 1.7),
        (2000, 0.243, -1.0, -1.3),
        (2500, 0.243, 1.7, -4.2),
        (3150, 0.243, 2.5, -6.0),
        (4000, 0.242, 1.2, -5.4),
        (5000, 0.242, -2.1, -1.5),
        (6300, 0.245, -7.1, 6.0),
        (8000, 0.254, -11.2, 12.6),
        (10000, 0.271, -10.7, 13.9),
    ]
)


def bark_power(power: Float32Array) -> Float32Array:
    """Return the power in each of the 22 Bark bands from 0 to 9500 Hz.

    Parameters
    ----------
    power
        Power spectrogram, or a batch of its frames, shape (n_frames, 1025).

    Returns
    -------
    ndarray
        Shape (n_frames, 22), float32: the sum of each band's bins.
    """
    if power.shape[-1] != N_BINS:
        raise ValueError(f"power has {power.shape[-1]} bins, expected {N_BINS}")
    whole_bands = power[:, : _FIRST_BINS[-1]]
    bands: Float32Array = np.add.reduceat(whole_bands, _FIRST_BINS[:-1], axis=1)
    return bands


class _Loudness(NamedTuple):
    """Constants of the bands, in columns: `_sone` is written for arrays of one row per band."""

    spread: Float32Array  # (22, 22): from Bark power to 0.4 times the relative intensity
    exponent: Float32Array
    threshold: Float32Array


@cache
def _loudness() -> _Loudness:
    log_hz, *columns = np.log(_ISO_226[:, 0]), *_ISO_226[:, 1:].T
    at_centres = (np.interp(np.log(BARK_CENTRES_HZ), log_hz, column) for column in columns)
    exponent, transfer_db, threshold_db = (values[:, np.newaxis] for values in at_centres)

    # M. R. Schroeder et al., JASA 66(6), 1979: what band `j` adds to band `i`. It is not
    # normalised: noise of equal power in all bands gains some 2 dB.
    bark = np.arange(N_BARK)
    distance = bark[:, np.newaxis] - bark + 0.474
    spread_db = 15.81 + 7.5 * distance - 17.5 * np.sqrt(1 + distance**2)
    # By Parseval, a sine of amplitude 1 under a Hann window sums up to this over its bins.
    full_scale = N_FFT * (0.375 * N_FFT) / 4
    intensity_db = FULL_SCALE_DB + transfer_db - 90
    spread = 0.4 / full_scale * 10 ** ((spread_db + intensity_db) / 10)
    threshold = (0.4 * 10 ** ((threshold_db + transfer_db) / 10 - 9)) ** exponent
    constants = _Loudness(*(a.astype(np.float32) for a in (spread, exponent, threshold)))
    for array in constants:
        array.flags.writeable = False
    return constants


def _sone(bands: Float32Array) -> Float32Array:
    """Return the loudness in each band, (n_frames, 22) to (22, n_frames); 0 below 0 phon.

    Phon after ISO 226:2003; sone after R. A. W. Bladon and B. Lindblom, JASA 69(5), 1981:
    doubling every 10 phon from 1 sone at 40 phon, and below that a power.
    """
    constants = _loudness()
    intensity = constants.spread @ bands.T
    excess = np.power(intensity, constants.exponent, out=intensity)
    excess -= constants.threshold
    excess /= np.float32(4.47e-3)
    excess += np.float32(1.15)
    forties = np.log10(np.maximum(excess, np.float32(1), out=excess), out=excess)  # 40 phon = 1
    loud = np.exp2(np.float32(4) * (forties - np.float32(1)))
    sone: Float32Array = np.where(forties >= 1, loud, np.power(forties, np.float32(2.642)))
    return sone


@cache
def _fluctuation_strength() -> Float32Array:
    """Return the weight of each of the 61 modulations, and the scale from FFT to sone."""
    frequency_hz = _MODULATION_STEP_HZ * np.arange(1, N_MODULATIONS + 2)
    strength = 1 / (frequency_hz / 4 + 4 / frequency_hz)
    scaled: Float32Array = (strength * 2 / SEGMENT_FRAMES).astype(np.float32)
    scaled.flags.writeable = False
    return scaled


@cache
def _blur(size: int) -> Float32Array:
    """Return the matrix that blurs `size` values; at the ends what is missing doesn't count."""
    reach = len(_BLUR) // 2
    blur = sum(weight * np.eye(size, k=k - reach) for k, weight in enumerate(_BLUR))
    matrix: Float32Array = (blur / np.sum(blur, axis=1, keepdims=True)).astype(np.float32)
    matrix.flags.writeable = False
    return matrix


def modulation_frequencies_hz() -> NDArray[np.float64]:
    """Return the modulation frequency of each column of the patterns, shape (60,): 0.25 to 10.18.

    Each column is the difference of two neighbours out of 61 multiples of 0.168 Hz, and stands
    in their middle.
    """
    return _MODULATION_STEP_HZ * (np.arange(N_MODULATIONS, dtype=np.float64) + 1.5)


def _segment_patterns(bands: Float32Array) -> Float32Array:
    """Return the pattern of each segment of consecutive frames, shape (n_segments, 22, 60)."""
    segments = sliding_window_view(_sone(bands), SEGMENT_FRAMES, axis=1)[:, ::SEGMENT_HOP]
    spectrum = scipy.fft.rfft(segments, axis=2)[:, :, 1 : N_MODULATIONS + 2]
    fluctuation = np.abs(spectrum)
    fluctuation *= _fluctuation_strength()
    edges = np.abs(np.diff(fluctuation, axis=2))
    blurred = edges @ _blur(N_MODULATIONS).T
    over_bands = _blur(N_BARK) @ blurred.reshape(N_BARK, -1)
    patterns: Float32Array = over_bands.reshape(blurred.shape).transpose(1, 0, 2)
    return patterns


def rhythm_patterns(bands: Float32Array) -> Float32Array:
    """Return how strongly each Bark band's loudness fluctuates at each modulation frequency.

    Parameters
    ----------
    bands
        See `bark_power`, of all frames of a track, shape (n_frames, 22).

    Returns
    -------
    ndarray
        Shape (22, 60), float32: low bands first, modulations from 0.25 to 10.18 Hz (see
        `modulation_frequencies_hz`). The median over segments of 5.94 s every 2.97 s of the
        differences, blurred, between neighbouring modulation amplitudes in sone, weighted by
        the strength of the fluctuation that is heard. A track shorter than a segment counts as
        if silence followed; of a longer one, what is left at the end and fills no segment is
        not looked at. No frames, or silence: zeros.
    """
    if len(bands) < SEGMENT_FRAMES:
        bands = np.pad(bands, ((0, SEGMENT_FRAMES - len(bands)), (0, 0)))
    n_segments = 1 + (len(bands) - SEGMENT_FRAMES) // SEGMENT_HOP
    patterns = np.empty((n_segments, N_BARK, N_MODULATIONS), np.float32)
    for first in range(0, n_segments, _CHUNK_SEGMENTS):
        last = min(first + _CHUNK_SEGMENTS, n_segments) - 1
        frames = slice(first * SEGMENT_HOP, last * SEGMENT_HOP + SEGMENT_FRAMES)
        patterns[first : last + 1] = _segment_patterns(bands[frames])
    median: Float32Array = np.median(patterns, axis=0, overwrite_input=True)
    return median


class FluctuationSummary(NamedTuple):
    """What `fluctuation_summary` returns; all 0 for patterns without fluctuation.

    Attributes
    ----------
    maximum
        The largest value, in sone: how hard the strongest beat hits.
    total
        The sum of all values, in sone: how much fluctuates at all.
    focus
        The mean of all values where the largest is 1, between 0 and 1: low where one band and
        one speed dominate, high where fluctuation is everywhere.
    gravity_hz
        The mean modulation frequency, weighted by the values: low for what seems slow. Vibrato
        and tremolo count as well as beats do.
    bass_share
        The share of the two lowest bands, up to 200 Hz, at modulations above 1 Hz in the total
        (Pampalk's "bass" is this sum by itself: the share times the total).
    """

    maximum: float
    total: float
    focus: float
    gravity_hz: float
    bass_share: float


def fluctuation_summary(patterns: Float32Array) -> FluctuationSummary:
    """Return the five numbers of Pampalk's thesis of 2006 that sum up rhythm patterns.

    Parameters
    ----------
    patterns
        See `rhythm_patterns`, shape (22, 60).

    Returns
    -------
    FluctuationSummary
        See there for each number's definition.
    """
    values = np.asarray(patterns, np.float64)
    maximum, total = float(values.max()), float(values.sum())
    if maximum <= 0:
        return FluctuationSummary(0.0, 0.0, 0.0, 0.0, 0.0)
    frequencies_hz = modulation_frequencies_hz()
    return FluctuationSummary(
        maximum=maximum,
        total=total,
        focus=total / (values.size * maximum),
        gravity_hz=float(values.sum(axis=0) @ frequencies_hz) / total,
        bass_share=float(values[:2, frequencies_hz > 1].sum()) / total,
    )
