"""Augmentation of batches of log-mel spectrograms, in PyTorch.

A batch is a float32 tensor of shape (batch, columns, 128), dB from -80 to 0, and stays one. Every
clip of a batch is changed in its own way. All chance comes from the generator that is passed in:
the same generator state gives the same batch, on whatever device the spectrograms lie. -80 dB is
the floor, where nothing is to be heard; except for noise and for masks, no augmentation makes
sound of it.

References
----------
D. S. Park, W. Chan, Y. Zhang, C.-C. Chiu, B. Zoph, E. D. Cubuk, Q. V. Le, "SpecAugment: a simple
data augmentation method for automatic speech recognition", Interspeech, 2019.

H. Nam, S.-H. Kim, Y.-H. Park, "FilterAugment: an acoustic environmental data augmentation method",
ICASSP, 2022.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import TypeAlias

import numpy as np
import torch
from torch import Generator, Tensor

from tonotope.errors import InputError
from tonotope.features.mel import mel_filterbank
from tonotope.training.augment.presets import (
    DB_PER_DB,
    FLOOR_DB,
    N_BANDS,
    SPECTROGRAM_PRESETS,
    Preset,
)

__all__ = [
    "SPECTROGRAM",
    "Augmentation",
    "compose",
    "draw_shift",
    "draw_warp",
    "frequency_mask",
    "time_mask",
    "warped_columns",
]

# What a level of 1 dB is in the exponent of e.
_E_PER_DB = math.log(10) / 20

Numbers: TypeAlias = Mapping[str, float]
_Transform: TypeAlias = Callable[[Tensor, Generator, Numbers], Tensor]


@dataclass(frozen=True, slots=True)
class Augmentation:
    """One way to change a batch of log-mel spectrograms.

    Attributes
    ----------
    name
        What it is called, e.g. ``"time-mask"``; of several in turn ``"time-mask,gain"``.
    preset
        Its numbers and where they come from.
    transform
        From a batch, a generator and the preset's numbers to a new batch.
    """

    name: str
    preset: Preset
    transform: _Transform

    def apply(self, log_mel: Tensor, generator: Generator) -> Tensor:
        """Return the batch, each clip changed in its own way; the one passed in stays as it is.

        Parameters
        ----------
        log_mel
            Shape (batch, columns, 128), float32, dB from -80 to 0.
        generator
            Where all chance comes from.

        Returns
        -------
        Tensor
            Same shape, type and range.

        Raises
        ------
        ValueError
            If the shape is another.
        """
        if log_mel.ndim != 3 or log_mel.shape[2] != N_BANDS:
            raise ValueError(
                f"log_mel must have the shape (batch, columns, {N_BANDS}), "
                f"not {tuple(log_mel.shape)}"
            )
        if not log_mel.numel():
            return log_mel.clone()
        changed = self.transform(log_mel, generator, self.preset.numbers)
        return changed.clamp(FLOOR_DB, 0.0)

    __call__ = apply


def _uniform(like: Tensor, generator: Generator, *shape: int) -> Tensor:
    """Draw from 0 to 1; on the generator's device, so that no device draws other numbers."""
    return torch.rand(shape, generator=generator, device=generator.device).to(like.device)


def _between(like: Tensor, generator: Generator, low: float, high: float) -> Tensor:
    """Draw a number for each clip, shape (batch, 1, 1)."""
    return low + (high - low) * _uniform(like, generator, len(like), 1, 1)


def _masked(length: int, number: int, widest: int, like: Tensor, generator: Generator) -> Tensor:
    """Draw masks as published: width from 0 to `widest`, then a start from where it fits.

    Returns
    -------
    Tensor
        Shape (batch, length), bool: what any of a clip's masks covers.
    """
    chance = _uniform(like, generator, 2, len(like), number, 1)
    width = (chance[0] * (min(widest, length) + 1)).floor()
    start = (chance[1] * (length - width + 1)).floor()
    places = torch.arange(length, device=like.device)
    return ((places >= start) & (places < start + width)).any(dim=1)


def _mean_where(log_mel: Tensor, mask: Tensor) -> Tensor:
    # The paper's zero is the mean of its normalised spectrograms. Taken above the floor, the mean
    # of silence is exactly the floor.
    mean_db = (log_mel - FLOOR_DB).mean(dim=(1, 2), keepdim=True) + FLOOR_DB
    return torch.where(mask, mean_db, log_mel)


def time_mask(log_mel: Tensor, generator: Generator, numbers: Numbers) -> Tensor:
    """Replace stretches of columns by the clip's mean."""
    n_columns = log_mel.shape[1]
    widest = min(numbers["time_mask_columns"], numbers["time_mask_share"] * n_columns)
    number = int(numbers["time_masks"])
    mask = _masked(n_columns, number, int(widest), log_mel, generator)
    return _mean_where(log_mel, mask[:, :, None])


def frequency_mask(log_mel: Tensor, generator: Generator, numbers: Numbers) -> Tensor:
    """Replace ranges of bands by the clip's mean."""
    number, widest = int(numbers["frequency_masks"]), int(numbers["frequency_mask_bands"])
    mask = _masked(log_mel.shape[2], number, widest, log_mel, generator)
    return _mean_where(log_mel, mask[:, None, :])


def draw_warp(
    like: Tensor, n_columns: int, generator: Generator, numbers: Numbers
) -> tuple[Tensor, Tensor]:
    """Draw a time warp for each clip.

    Returns
    -------
    tuple of Tensor
        A column, and where it is moved to; each of shape (batch, 1). The first and last column
        stay where they are.
    """
    reach = max(0.0, min(numbers["warp_columns"], (n_columns - 3) / 2))
    chance = _uniform(like, generator, 2, len(like), 1)
    column = reach + 1 + chance[0] * max(0.0, n_columns - 3 - 2 * reach)
    return column, column + reach * (2 * chance[1] - 1)


def warped_columns(moved: tuple[Tensor, Tensor], n_columns: int) -> Tensor:
    """Return from which column each of the warped ones comes, shape (batch, n_columns)."""
    column, place = moved
    places = torch.arange(n_columns, device=column.device)
    before = places * column / place
    last = n_columns - 1
    after = last - (last - places) * (last - column) / (last - place)
    return torch.where(places < place, before, after)


def time_warp(log_mel: Tensor, generator: Generator, numbers: Numbers) -> Tensor:
    """Move one column, and stretch what lies before and after it."""
    n_columns = log_mel.shape[1]
    if n_columns < 3:
        return log_mel
    moved = draw_warp(log_mel, n_columns, generator, numbers)
    return _at(log_mel, warped_columns(moved, n_columns)[:, :, None])


def _at(log_mel: Tensor, places: Tensor) -> Tensor:
    """Read the spectrograms between their columns or bands.

    Parameters
    ----------
    places
        Shape (batch, columns, 1) for columns, (batch, 1, bands) for bands. Beyond the ends lies
        the same as at the ends.
    """
    axis = 1 if places.shape[2] == 1 else 2
    places = places.clamp(0, log_mel.shape[axis] - 1)
    lower = places.floor()
    upper = (lower + 1).clamp(max=log_mel.shape[axis] - 1)
    below = log_mel.gather(axis, lower.long().expand(log_mel.shape))
    above = log_mel.gather(axis, upper.long().expand(log_mel.shape))
    return torch.lerp(below, above, (places - lower).to(log_mel.dtype))


def _in_turn(
    transforms: Sequence[_Transform], log_mel: Tensor, generator: Generator, numbers: Numbers
) -> Tensor:
    for transform in transforms:
        log_mel = transform(log_mel, generator, numbers)
    return log_mel


@cache
def _white_noise() -> tuple[Tensor, Tensor]:
    """Return how white noise appears in each band, shapes (128,): level and independent parts.

    The power of a band sums that of some bins. Were they independent it would have a gamma
    distribution, with as many degrees as bins; the window ties neighbours together.
    """
    bank = mel_filterbank().astype(np.float64)
    total = bank.sum(axis=1)
    squares = np.square(bank).sum(axis=1)
    # Squared correlation of a Hann window's neighbouring bins.
    for distance, correlation in ((1, 4 / 9), (2, 1 / 36)):
        squares += 2 * correlation * (bank[:, distance:] * bank[:, :-distance]).sum(axis=1)
    level_db = 20 * np.log10(total / total.max())
    return torch.from_numpy(level_db).float(), torch.from_numpy(total**2 / squares).float()


def noise(log_mel: Tensor, generator: Generator, numbers: Numbers) -> Tensor:
    """Add the power of white noise, which varies from cell to cell as that of a signal does."""
    band_db, parts = (row.to(log_mel.device) for row in _white_noise())
    low_db, high_db = (DB_PER_DB * numbers[key] for key in ("lowest_db", "highest_db"))
    level_db = _between(log_mel, generator, low_db, high_db) + band_db
    normal = torch.randn(log_mel.shape, generator=generator, device=generator.device)
    # Wilson and Hilferty 1931: the cube root of a gamma variable is nearly normal.
    root = 1 - 1 / (9 * parts) + normal.to(log_mel.device) / (3 * parts.sqrt())
    noise_db = level_db + 60 * root.clamp(min=1e-3).log10()
    sound_db = torch.where(log_mel > FLOOR_DB, log_mel, -math.inf)
    return torch.logaddexp(sound_db * _E_PER_DB, noise_db * _E_PER_DB) / _E_PER_DB


def _raised(log_mel: Tensor, gain_db: Tensor) -> Tensor:
    """Change levels by decibels of the sound; the floor stays the floor."""
    return torch.where(log_mel > FLOOR_DB, log_mel + DB_PER_DB * gain_db, log_mel)


def gain(log_mel: Tensor, generator: Generator, numbers: Numbers) -> Tensor:
    """Raise or lower the level."""
    most_db = numbers["gain_db"]
    return _raised(log_mel, _between(log_mel, generator, -most_db, most_db))


def random_eq(log_mel: Tensor, generator: Generator, numbers: Numbers) -> Tensor:
    """Filter: the bands' gains run straight between random ones at random edges."""
    fewest, most = int(numbers["fewest_bands"]), int(numbers["most_bands"])
    # As in the authors' code, the number of pieces is one for the batch.
    n_pieces = int(
        torch.randint(fewest, most + 1, (), generator=generator, device=generator.device)
    )
    n_clips = len(log_mel)
    narrowest = int(numbers["narrowest_bands"])
    free = N_BANDS - n_pieces * narrowest + 1
    inner = (_uniform(log_mel, generator, n_clips, n_pieces - 1) * free).floor().sort(dim=1).values
    inner += narrowest * torch.arange(1, n_pieces, device=log_mel.device)
    ends = inner.new_tensor([0.0, N_BANDS]).expand(n_clips, 2)
    edges = torch.cat([ends[:, :1], inner, ends[:, 1:]], dim=1)
    gains_db = numbers["gain_db"] * (2 * _uniform(log_mel, generator, n_clips, n_pieces + 1) - 1)
    bands = torch.arange(N_BANDS, device=log_mel.device, dtype=edges.dtype)
    piece = torch.searchsorted(edges, bands.expand(n_clips, N_BANDS).contiguous(), right=True) - 1
    left, right = edges.gather(1, piece), edges.gather(1, piece + 1)
    share = (bands - left) / (right - left)
    curve_db = torch.lerp(gains_db.gather(1, piece), gains_db.gather(1, piece + 1), share)
    return _raised(log_mel, curve_db[:, None, :])


def recording(log_mel: Tensor, generator: Generator, numbers: Numbers) -> Tensor:
    """Sound as if recorded, mixed or coded elsewhere.

    Every clip gets a level and a smooth filter, four cosines along the bands; some get an upper
    cutoff as coders make it, some a lower one, some a noise floor. What lay below the floor stays
    there: nobody knows how far below.
    """
    bands = torch.arange(N_BANDS, device=log_mel.device)
    order = torch.arange(1, 5, device=log_mel.device)[:, None]
    waves = torch.cos(torch.pi * order * bands / N_BANDS) / order
    normal = torch.randn((len(log_mel), 4), generator=generator, device=generator.device)
    curve_db = numbers["filter_db"] * (normal.to(log_mel.device) @ waves)[:, None, :]
    level = _between(log_mel, generator, numbers["lowest_gain_db"], numbers["highest_gain_db"])
    log_mel = _raised(log_mel, curve_db + level)
    low_pass = _between(log_mel, generator, numbers["lowest_low_pass_band"], N_BANDS)
    cut = (bands >= low_pass) & _some(log_mel, generator, numbers["low_pass_share"])
    high_pass = _between(log_mel, generator, 0, numbers["highest_high_pass_band"])
    cut |= (bands < high_pass) & _some(log_mel, generator, numbers["high_pass_share"])
    log_mel = log_mel.masked_fill(cut, FLOOR_DB)
    low_db, high_db = (numbers[f"{end}_noise_db"] for end in ("lowest", "highest"))
    hissing = noise(log_mel, generator, {"lowest_db": low_db, "highest_db": high_db})
    return torch.where(_some(log_mel, generator, numbers["noise_share"]), hissing, log_mel)


def _some(like: Tensor, generator: Generator, share: float) -> Tensor:
    """Draw which clips something is done to, shape (batch, 1, 1), bool."""
    return _uniform(like, generator, len(like), 1, 1) < share


def time_roll(log_mel: Tensor, generator: Generator, _: Numbers) -> Tensor:
    """Begin at another column; the beginning follows the end."""
    n_columns = log_mel.shape[1]
    start = (_uniform(log_mel, generator, len(log_mel), 1, 1) * n_columns).long()
    columns = torch.arange(n_columns, device=log_mel.device)[None, :, None]
    return log_mel.gather(1, ((columns + start) % n_columns).expand(log_mel.shape))


def draw_shift(like: Tensor, generator: Generator, numbers: Numbers) -> Tensor:
    """Draw by how many bands each clip is moved up, shape (batch, 1, 1)."""
    return _between(like, generator, -numbers["shift_bands"], numbers["shift_bands"])


def frequency_shift(log_mel: Tensor, generator: Generator, numbers: Numbers) -> Tensor:
    """Move all bands up or down; what comes in over an edge is the band at the edge."""
    bands = torch.arange(N_BANDS, device=log_mel.device)
    return _at(log_mel, bands - draw_shift(log_mel, generator, numbers))


_SPECAUGMENT = partial(_in_turn, (time_warp, frequency_mask, time_mask))

_TRANSFORMS: Mapping[str, _Transform] = {
    "time-mask": time_mask,
    "frequency-mask": frequency_mask,
    "time-warp": time_warp,
    "specaugment": _SPECAUGMENT,
    "specaugment-lb": _SPECAUGMENT,
    "small-masks": partial(_in_turn, (frequency_mask, time_mask)),
    "noise": noise,
    "gain": gain,
    "random-eq": random_eq,
    "recording": recording,
    "time-roll": time_roll,
    "frequency-shift": frequency_shift,
}

SPECTROGRAM: Mapping[str, Augmentation] = {
    name: Augmentation(name, preset, _TRANSFORMS[name])
    for name, preset in SPECTROGRAM_PRESETS.items()
}
"""All augmentations of spectrograms by name."""


def _each(
    parts: Sequence[Augmentation], log_mel: Tensor, generator: Generator, _: Numbers
) -> Tensor:
    for part in parts:
        log_mel = part.apply(log_mel, generator)
    return log_mel


def compose(names: Sequence[str]) -> Augmentation:
    """Return several augmentations in turn as one; of no names, one that changes nothing.

    Raises
    ------
    InputError
        If there is none of a name.
    """
    for name in names:
        if name not in SPECTROGRAM:
            raise InputError(
                f"no augmentation of spectrograms is called {name!r}. "
                f"There are: {', '.join(SPECTROGRAM)}."
            )
    parts = tuple(SPECTROGRAM[name] for name in names)
    summary = "; ".join(part.preset.summary for part in parts) or "changes nothing"
    return Augmentation(",".join(names), Preset(summary, {}), partial(_each, parts))
