"""Descriptors of sound, in librosa's definitions: pure NumPy and SciPy, no file, no state.

`analyze` computes all of a track, or what is named, in one pass over its samples. The other
functions take arrays, for those who explore: a signal, a spectrum, or what another function made
of it. Time runs along the first axis of every array.

Nothing is loaded before it is used, so that asking for the versions costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tonotope.features.beats import beat_times as beat_times
    from tonotope.features.chroma import chroma_cens as chroma_cens
    from tonotope.features.chroma import chroma_cqt as chroma_cqt
    from tonotope.features.chroma import chroma_stft as chroma_stft
    from tonotope.features.chroma import estimate_tuning as estimate_tuning
    from tonotope.features.chroma import spectral_peaks as spectral_peaks
    from tonotope.features.cqt import cqt_magnitude as cqt_magnitude
    from tonotope.features.descriptors import DESCRIPTORS as DESCRIPTORS
    from tonotope.features.descriptors import Descriptor as Descriptor
    from tonotope.features.descriptors import Descriptors as Descriptors
    from tonotope.features.fluctuation import bark_power as bark_power
    from tonotope.features.fluctuation import fluctuation_summary as fluctuation_summary
    from tonotope.features.fluctuation import modulation_frequencies_hz as modulation_frequencies_hz
    from tonotope.features.fluctuation import rhythm_patterns as rhythm_patterns
    from tonotope.features.key import KEY_PROFILES as KEY_PROFILES
    from tonotope.features.key import Key as Key
    from tonotope.features.key import camelot_distance as camelot_distance
    from tonotope.features.key import estimate_key as estimate_key
    from tonotope.features.loudness import Level as Level
    from tonotope.features.loudness import dynamic_complexity as dynamic_complexity
    from tonotope.features.loudness import integrated_loudness as integrated_loudness
    from tonotope.features.loudness import loudness_range as loudness_range
    from tonotope.features.loudness import momentary_loudness as momentary_loudness
    from tonotope.features.mel import delta as delta
    from tonotope.features.mel import log_mel as log_mel
    from tonotope.features.mel import mel_power as mel_power
    from tonotope.features.mel import mfcc as mfcc
    from tonotope.features.mel import power_to_db as power_to_db
    from tonotope.features.onset import onset_strength as onset_strength
    from tonotope.features.onset import onset_times as onset_times
    from tonotope.features.oversampling import true_peak as true_peak
    from tonotope.features.pulse import beat_histogram as beat_histogram
    from tonotope.features.pulse import beat_histogram_summary as beat_histogram_summary
    from tonotope.features.pulse import danceability as danceability
    from tonotope.features.pulse import pulse_clarity as pulse_clarity
    from tonotope.features.spectral import spectral_bandwidth as spectral_bandwidth
    from tonotope.features.spectral import spectral_centroid as spectral_centroid
    from tonotope.features.spectral import spectral_contrast as spectral_contrast
    from tonotope.features.spectral import spectral_flatness as spectral_flatness
    from tonotope.features.spectral import spectral_rolloff as spectral_rolloff
    from tonotope.features.stft import stft_magnitude as stft_magnitude
    from tonotope.features.stft import stft_power as stft_power
    from tonotope.features.stream import DescriptorStream as DescriptorStream
    from tonotope.features.stream import analyze as analyze
    from tonotope.features.tempo import Tempo as Tempo
    from tonotope.features.tempo import estimate_tempo as estimate_tempo
    from tonotope.features.tempo import mean_tempogram as mean_tempogram
    from tonotope.features.tempo import tempogram as tempogram
    from tonotope.features.tonal import pitch_class_profile as pitch_class_profile
    from tonotope.features.tonal import tonnetz as tonnetz
    from tonotope.features.waveform import rms as rms
    from tonotope.features.waveform import zero_crossing_rate as zero_crossing_rate

FAMILY_VERSIONS = {"timbre": 2, "harmony": 3, "rhythm": 2, "level": 1}
"""A family's version goes up whenever one of its numbers in a track's row changes; libraries
recompute what was made by another."""

FINGERPRINT_VERSION = 1
"""Goes up like a family's: fingerprints of two versions cannot be compared."""

_MODULE_OF = {
    "modulation_frequencies_hz": "fluctuation",
    "beat_histogram_summary": "pulse",
    "camelot_distance": "key",
    "KEY_PROFILES": "key",
    "momentary_loudness": "loudness",
    "Level": "loudness",
    "DescriptorStream": "stream",
    "DESCRIPTORS": "descriptors",
    "Descriptor": "descriptors",
    "Descriptors": "descriptors",
    "Key": "key",
    "Tempo": "tempo",
    "analyze": "stream",
    "bark_power": "fluctuation",
    "beat_histogram": "pulse",
    "beat_times": "beats",
    "chroma_cens": "chroma",
    "chroma_cqt": "chroma",
    "chroma_stft": "chroma",
    "cqt_magnitude": "cqt",
    "danceability": "pulse",
    "delta": "mel",
    "dynamic_complexity": "loudness",
    "estimate_key": "key",
    "estimate_tempo": "tempo",
    "estimate_tuning": "chroma",
    "fluctuation_summary": "fluctuation",
    "integrated_loudness": "loudness",
    "log_mel": "mel",
    "loudness_range": "loudness",
    "mean_tempogram": "tempo",
    "mel_power": "mel",
    "mfcc": "mel",
    "onset_strength": "onset",
    "onset_times": "onset",
    "pitch_class_profile": "tonal",
    "power_to_db": "mel",
    "pulse_clarity": "pulse",
    "rhythm_patterns": "fluctuation",
    "rms": "waveform",
    "spectral_bandwidth": "spectral",
    "spectral_centroid": "spectral",
    "spectral_contrast": "spectral",
    "spectral_flatness": "spectral",
    "spectral_peaks": "chroma",
    "spectral_rolloff": "spectral",
    "stft_magnitude": "stft",
    "stft_power": "stft",
    "tempogram": "tempo",
    "tonnetz": "tonal",
    "true_peak": "oversampling",
    "zero_crossing_rate": "waveform",
}

__all__ = ["FAMILY_VERSIONS", "FINGERPRINT_VERSION", *_MODULE_OF]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
