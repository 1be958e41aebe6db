"""What each augmentation does, with which numbers, and where these come from. Needs no torch.

Published numbers were given for other spectrograms. They are carried over by what they mean: a
length of time stays as long in seconds, a share of the bands stays as large. SpecAugment's frames
are 10 ms apart and its bands 80; a column here is 89.7 ms and the bands are 128.

Levels are in the decibels of the sound. The spectrograms count each of them twice (see
`tonotope.models.frontend`): where a level is applied to one, it is doubled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tonotope.features.stft import HOP_LENGTH, SAMPLE_RATE_HZ

__all__ = [
    "AUDIO_PRESETS",
    "DB_PER_DB",
    "FLOOR_DB",
    "FRAMES_PER_COLUMN",
    "HEARD",
    "MIXUP_PRESET",
    "N_BANDS",
    "SPECTROGRAM_PRESETS",
    "Preset",
]

N_BANDS = 128
FLOOR_DB = -80.0
DB_PER_DB = 2.0
"""How many decibels of the spectrograms are one of the sound."""
FRAMES_PER_COLUMN = 1293 / 334.8
"""How many frames of the short-time Fourier transform lie between two columns."""

_COLUMN_S = FRAMES_PER_COLUMN * HOP_LENGTH / SAMPLE_RATE_HZ


@dataclass(frozen=True, slots=True)
class Preset:
    """An augmentation's numbers.

    Attributes
    ----------
    summary
        What it does, in one line.
    numbers
        What it is done with; the unit is in the name.
    reference
        Where the numbers were published, and as what. Empty where they are ours.
    """

    summary: str
    numbers: Mapping[str, float]
    reference: str = ""

    def describe(self) -> str:
        """Return the numbers in one line, e.g. ``"time_masks 2, time_mask_columns 11"``."""
        return ", ".join(f"{name} {number:g}" for name, number in self.numbers.items())


_SPECAUGMENT = "Park et al. 2019 (SpecAugment), LibriSpeech"
_FILTER_AUGMENT = (
    "Nam et al. 2022 (FilterAugment, linear): ±6 dB, 3 to 5 bands of at least 6 of 128"
)
_SALAMON = "Salamon and Bello 2017"

_WARP = {"warp_columns": round(80 * 0.010 / _COLUMN_S)}
_BAND_WIDTH = {"frequency_mask_bands": round(27 * N_BANDS / 80)}
_TIME_WIDTH = {"time_mask_columns": round(100 * 0.010 / _COLUMN_S), "time_mask_share": 1.0}
_EQ = {"gain_db": 6.0, "fewest_bands": 3, "most_bands": 5, "narrowest_bands": 6}


def _masks(number: int) -> dict[str, float]:
    return {
        "frequency_masks": number,
        "time_masks": number,
        **_BAND_WIDTH,
        **_TIME_WIDTH,
    }


SPECTROGRAM_PRESETS: Mapping[str, Preset] = {
    "time-mask": Preset(
        "replaces stretches of time by the clip's mean",
        {"time_masks": 2, **_TIME_WIDTH},
        f"{_SPECAUGMENT} double: m_T=2, T=100, p=1.0",
    ),
    "frequency-mask": Preset(
        "replaces ranges of bands by the clip's mean",
        {"frequency_masks": 2, **_BAND_WIDTH},
        f"{_SPECAUGMENT} double: m_F=2, F=27",
    ),
    "time-warp": Preset(
        "moves one moment and stretches what lies before and after it",
        _WARP,
        f"{_SPECAUGMENT}: W=80",
    ),
    "specaugment": Preset(
        "time warp, then two masks of either kind",
        {**_WARP, **_masks(2)},
        f"{_SPECAUGMENT} double (LD): W=80, F=27, m_F=2, T=100, p=1.0, m_T=2",
    ),
    "specaugment-lb": Preset(
        "time warp, then one mask of either kind",
        {**_WARP, **_masks(1)},
        f"{_SPECAUGMENT} basic (LB): W=80, F=27, m_F=1, T=100, p=1.0, m_T=1",
    ),
    "small-masks": Preset(
        "one small mask of either kind",
        {
            "frequency_masks": 1,
            "frequency_mask_bands": 16,
            "time_masks": 1,
            "time_mask_columns": 12,
            "time_mask_share": 1.0,
        },
    ),
    "noise": Preset(
        "adds white noise; its level is relative to the clip's maximum",
        {"lowest_db": -40.0, "highest_db": -30.0},
    ),
    "gain": Preset("raises or lowers the level; the floor stays the floor", {"gain_db": 6.0}),
    "random-eq": Preset("a filter whose gain runs in straight pieces", _EQ, _FILTER_AUGMENT),
    "recording": Preset(
        "as if recorded elsewhere: level, smooth filter, now and then cut off or hissing",
        {
            "lowest_gain_db": -3.0,
            "highest_gain_db": 1.5,
            "filter_db": 0.75,
            "low_pass_share": 0.1,
            "lowest_low_pass_band": 88.0,
            "high_pass_share": 0.05,
            "highest_high_pass_band": 8.0,
            "noise_share": 0.1,
            "lowest_noise_db": -40.0,
            "highest_noise_db": -27.5,
        },
    ),
    "time-roll": Preset("begins at another moment; the beginning follows the end", {}),
    "frequency-shift": Preset("moves all bands up or down alike", {"shift_bands": 4.0}),
}
"""What is done to batches of log-mel spectrograms."""

AUDIO_PRESETS: Mapping[str, Preset] = {
    "pitch-shift": Preset(
        "raises or lowers the pitch at the same speed",
        {"semitones": 2.0},
        f"{_SALAMON} (PS1): -2, -1, 1 or 2 semitones; here anything between",
    ),
    "time-stretch": Preset(
        "plays slower or faster at the same pitch",
        {"slowest": 0.81, "fastest": 1.23},
        f"{_SALAMON} (TS): 0.81, 0.93, 1.07 or 1.23 times as fast; here anything between",
    ),
    "noise": Preset("adds white noise", {"lowest_snr_db": 0.0, "highest_snr_db": 20.0}),
    "gain": SPECTROGRAM_PRESETS["gain"],
    "random-eq": Preset("a filter whose gain runs in straight pieces", _EQ, _FILTER_AUGMENT),
    "time-roll": SPECTROGRAM_PRESETS["time-roll"],
}
"""What is done to samples."""

MIXUP_PRESET = Preset(
    "mixes a clip's spectrogram and label with another's",
    {"alpha": 0.2},
    "Zhang et al. 2018 (mixup), ImageNet: alpha between 0.1 and 0.4",
)

HEARD: Mapping[str, Preset] = {**SPECTROGRAM_PRESETS, **AUDIO_PRESETS, "mixup": MIXUP_PRESET}
"""What can be heard, as it is heard: done to samples where there is one of both."""
