"""The picture of a sound before and after its augmentation, as the networks hear both."""

from __future__ import annotations

from pathlib import Path

from tonotope.audio import SAMPLE_RATE_HZ
from tonotope.features.stft import HOP_LENGTH, Float32Array
from tonotope.training.augment.log_mel import decibels, mel_power_of
from tonotope.training.augment.presets import FLOOR_DB

__all__ = ["draw_before_and_after"]

# A frame for each pixel of the picture's width is enough, and hours of sound are many frames.
_MOST_COLUMNS = 4000


def draw_before_and_after(before: Float32Array, after: Float32Array, what: str, path: Path) -> None:
    """Draw two log-mel spectrograms, one below the other, as a PNG.

    Both are relative to the maximum of the first, so that levels can be compared.

    Parameters
    ----------
    before, after
        Shape (n_samples,), mono at 22 050 Hz.
    what
        What was done, for the title.
    path
        Where to.
    """
    from matplotlib.figure import Figure

    powers = mel_power_of(before), mel_power_of(after)
    reference = float(powers[0].max())
    longest_s = max(len(before), len(after)) / SAMPLE_RATE_HZ
    figure = Figure(figsize=(10, 5.6), layout="constrained")
    axes = figure.subplots(2, 1, sharex=True)
    for axis, power, title in zip(axes, powers, ("before", f"after {what}"), strict=True):
        step = 1 + len(power) // _MOST_COLUMNS
        picture = axis.imshow(
            decibels(power[::step], reference).T,
            origin="lower",
            aspect="auto",
            interpolation="nearest",
            cmap="magma",
            vmin=FLOOR_DB,
            vmax=0,
            extent=(0, len(power) * HOP_LENGTH / SAMPLE_RATE_HZ, 0, power.shape[1]),
        )
        axis.set(title=title, ylabel="mel band", xlim=(0, longest_s))
    axes[1].set_xlabel("time (s)")
    figure.colorbar(picture, ax=axes, label="dB, twice those of the sound", pad=0.01)
    figure.savefig(path, format="png", dpi=120)
