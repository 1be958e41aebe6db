"""Draw the pictures of the documentation, all from the first half minute of one track.

::

    python scripts/draw_docs.py TRACK [--out docs/pictures]

Needs the extras ``docs`` and ``train``. The pages credit "Oceanside" by TAD: of another track,
change the credits and what the captions say is to be seen.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image

from tonotope.audio import decode
from tonotope.features import DESCRIPTORS, Descriptors, analyze, mean_tempogram
from tonotope.features.fluctuation import modulation_frequencies_hz
from tonotope.features.key import PITCH_CLASSES
from tonotope.features.mel import mel_filterbank
from tonotope.features.moments import STATISTICS, Moments
from tonotope.features.stft import HOP_LENGTH, SAMPLE_RATE_HZ, Float32Array, bin_frequencies_hz
from tonotope.features.weighting import CHUNK_SAMPLES, weighted_energies
from tonotope.models.frontend import gtzan_mel
from tonotope.training.augment import SPECTROGRAM
from tonotope.training.augment.log_mel import mel_power_of
from tonotope.training.augment.vocoder import pitch_shift, time_stretch

LENGTH_S = 30
ZOOM_S = (8, 20)  # where each frame is to be seen
AUGMENTATION_SEED = 8  # at which each can be seen
FRAME_S = 16.5  # of the spectrum that is drawn by itself

INK, BLUE, RED, GREY = "#1b2a36", "#2f6f95", "#c2512c", "#8a959c"
STRENGTH = LinearSegmentedColormap.from_list(
    "strength", ["#ffffff", "#dbe8ee", "#8fbccf", "#3d7fa3", "#1b4965", "#0b1c2a"], N=40
)
PALE = LinearSegmentedColormap.from_list("pale", ["#ffffff", "#a9c3d0"], N=20)
SIGNED = LinearSegmentedColormap.from_list(
    "signed", ["#17435e", "#5f9dbd", "#ffffff", "#dd8f6c", "#8f3214"], N=41
)
STYLE = {
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "font.size": 10,
    "legend.frameon": False,
    "lines.linewidth": 1.2,
    "savefig.dpi": 140,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


def panels(*heights: float) -> tuple[Figure, list[Axes]]:
    """Return a figure with panels one below the other, `heights` in inches."""
    figure, axes = plt.subplots(
        len(heights),
        figsize=(10, sum(heights)),
        height_ratios=heights,
        layout="constrained",
        squeeze=False,
    )
    return figure, list(axes[:, 0])


def share_time(axes: Sequence[Axes], start_s: float = 0, end_s: float = LENGTH_S) -> None:
    """Let panels share the time axis, which the last of them shows."""
    for upper, lower in pairwise(axes):
        upper.sharex(lower)
        upper.tick_params(labelbottom=False)
    axes[-1].set(xlim=(start_s, end_s), xlabel="time (s)")


def image(
    axis: Axes,
    rows: Float32Array,
    unit: str | None,
    *,
    edges: tuple[float, float] | None = None,
    **look,
) -> None:
    """Draw frames, shape (n_frames, n_rows), and what the colours mean if that has a name."""
    low, high = edges or (-0.5, rows.shape[1] - 0.5)
    end_s = len(rows) * HOP_LENGTH / SAMPLE_RATE_HZ
    picture = axis.imshow(
        rows.T,
        **{"cmap": STRENGTH, "interpolation": "nearest", **look},
        origin="lower",
        aspect="auto",
        extent=(0, end_s, low, high),
    )
    if unit is not None:
        explain_colours(picture, axis, unit)


def explain_colours(picture: AxesImage, axis: Axes, unit: str) -> None:
    """Draw the bar that says what colours mean."""
    bar = axis.figure.colorbar(picture, ax=axis, pad=0.01, aspect=15, label=unit)
    bar.outline.set_visible(False)


def plain_ticks(axis: Axes, places: Sequence[float]) -> None:
    """Label places on a logarithmic axis with what they are, and no others."""
    axis.set_xticks(places, [f"{place:g}" for place in places])
    axis.minorticks_off()


def beside(axis: Axes, height: float, text: str, colour: str) -> None:
    """Write to the right of a panel."""
    axis.text(1.008, height, text.replace("-", "−"), color=colour, va="center",
              transform=axis.get_yaxis_transform())  # fmt: skip


def decibels(power: Float32Array) -> Float32Array:
    """Return power in dB relative to its largest value."""
    return 10 * np.log10(np.maximum(power / power.max(), 1e-12))


def mel_centres_hz() -> np.ndarray:
    """Return the centre of gravity of each mel filter."""
    bank = mel_filterbank()
    return bank @ bin_frequencies_hz() / bank.sum(axis=1)


def draw_spectrum(found: Descriptors, _: Float32Array) -> Figure:
    """Draw the spectrum, the mel spectrum, and one frame of both."""
    figure, (bins, bands, one) = panels(2.4, 2.4, 2.4)
    power, mel = decibels(found["power"]), decibels(found["mel"])
    centres_hz = mel_centres_hz()
    image(bins, power, "dB", edges=(0, 11.025), vmin=-80, vmax=0)
    bins.set(title="power: 1025 bins, each 10.8 Hz wide", ylabel="kHz")
    image(bands, mel, "dB", vmin=-80, vmax=0)
    bands.set(title="log_mel: 128 bands, the wider the higher", ylabel="Hz")
    ticks_hz = [100, 500, 1000, 2000, 5000, 10_000]
    bands.set_yticks(np.interp(ticks_hz, centres_hz, np.arange(len(centres_hz))), ticks_hz)
    share_time([bins, bands], *ZOOM_S)
    for axis in (bins, bands):
        axis.axvline(FRAME_S, color=RED)
    frame = np.searchsorted(found.times_s, FRAME_S)
    one.plot(bin_frequencies_hz(), power[frame], color=GREY, lw=0.9, label="power")
    one.plot(centres_hz, mel[frame], color=RED, label="log_mel")
    one.set(xscale="log", xlim=(30, 11_025), ylim=(-90, 0), xlabel="frequency (Hz)", ylabel="dB")
    plain_ticks(one, [50, 100, 200, 500, 1000, 2000, 5000, 10_000])
    one.set_title(f"the frame at {FRAME_S} s")
    one.legend(loc="lower left")
    return figure


def draw_timbre(found: Descriptors, _: Float32Array) -> Figure:
    """Draw what describes the spectrum's shape, and three curves."""
    figure, axes = panels(2.4, 2.0, 1.7, 1.0, 1.0, 1.15)
    shape, cepstra, contrast, *curves = axes
    times_s = found.times_s
    pale = {"cmap": PALE, "vmin": -80, "vmax": 0}
    image(shape, decibels(found["power"]), None, edges=(0, 11.025), **pale)
    centroid, bandwidth = found["spectral_centroid"] / 1000, found["spectral_bandwidth"] / 1000
    span = (centroid - bandwidth, centroid + bandwidth)
    shape.fill_between(times_s, *span, color=RED, alpha=0.25, lw=0, label="± spectral_bandwidth")
    shape.plot(times_s, centroid, color=RED, label="spectral_centroid")
    shape.plot(times_s, found["spectral_rolloff"] / 1000, color=INK, label="spectral_rolloff")
    shape.set(ylabel="kHz", ylim=(0, 11.025))
    shape.legend(loc="lower right", bbox_to_anchor=(1, 0.98), ncols=3)
    mfcc = found["mfcc"]
    standard = (mfcc - mfcc.mean(axis=0)) / mfcc.std(axis=0)
    image(cepstra, standard, "", edges=(0.5, 20.5), cmap=SIGNED, vmin=-3, vmax=3)
    cepstra.set(title="mfcc, less their means, over their standard deviations", ylabel="number")
    cepstra.set_yticks([1, 5, 10, 15, 20])
    image(contrast, found["spectral_contrast"], "dB", vmin=0, vmax=60)
    contrast.set(title="spectral_contrast", ylabel="band (Hz)")
    edges_hz = [0, *(200 * 2**k for k in range(6)), 11_025]
    contrast.set_yticks(range(7), [f"{low}–{high}" for low, high in pairwise(edges_hz)], fontsize=8)
    names = ("spectral_flatness", "zero_crossing_rate", "rms")
    for axis, name in zip(curves, names, strict=True):
        axis.plot(times_s, found[name], color=BLUE)
        axis.set(title=name, ylim=(0, None))
    curves[0].set(yscale="log", ylim=(1e-6, 1))
    curves[0].set_yticks([1e-6, 1e-3, 1])
    curves[1].set_ylabel("per sample")
    curves[2].set_ylabel("of full scale")
    share_time(axes, *ZOOM_S)
    return figure


def draw_harmony(found: Descriptors, _: Float32Array) -> Figure:
    """Draw notes, pitch classes in two ways, and tonal centroids."""
    figure, (notes, chroma, profile, centroids) = panels(2.9, 1.9, 1.9, 1.9)
    image(notes, decibels(np.square(found["cqt"])), "dB", vmin=-60, vmax=0)
    notes.set(title="cqt: the magnitude of 84 notes", ylabel="note")
    notes.set_yticks(range(0, 84, 12), [f"C{octave}" for octave in range(1, 8)])
    white_keys = [k for k, name in enumerate(PITCH_CLASSES) if len(name) == 1]
    for axis, name in ((chroma, "chroma_cqt"), (profile, "pitch_class_profile")):
        image(axis, found[name], "", vmin=0, vmax=1)
        axis.set(title=f"{name}: the strongest of a frame is 1", ylabel="pitch class")
        axis.set_yticks(white_keys, [PITCH_CLASSES[k] for k in white_keys], fontsize=9)
    image(centroids, found["tonnetz"], "", cmap=SIGNED, vmin=-0.6, vmax=0.6)
    centroids.set(title="tonnetz: x and y on three circles", ylabel="circle of")
    centroids.set_yticks([0.5, 2.5, 4.5], ["fifths", "minor thirds", "major thirds"])
    for edge in (1.5, 3.5):
        centroids.axhline(edge, color="white", lw=2)
    share_time([notes, chroma, profile, centroids])
    return figure


def draw_rhythm(found: Descriptors, _: Float32Array) -> Figure:
    """Draw onsets and beats, the tempogram, its mean with the tempo, and the rhythm pattern."""
    figure, (onsets, local, mean, pattern) = panels(2.0, 2.3, 2.1, 2.3)
    curve, tempo = found["onset_strength"], found["tempo"]
    heights = np.interp(found["onset_times"], found.times_s, curve)
    onsets.vlines(found["beat_times"], 0, 22, RED, alpha=0.7, label="beat_times")
    onsets.plot(found.times_s, curve, color=BLUE)
    onsets.plot(found["onset_times"], heights, "o", color=BLUE, ms=4, label="onset_times")
    onsets.set(title="onset_strength", ylabel="dB per frame", ylim=(0, 22))
    onsets.legend(loc="lower right", bbox_to_anchor=(1, 0.98), ncols=2)
    share_time([onsets], *ZOOM_S)
    lag_s = HOP_LENGTH / SAMPLE_RATE_HZ
    image(local, found["tempogram"], "", edges=(-lag_s / 2, 383.5 * lag_s), vmin=0, vmax=1)
    local.set(title="tempogram", ylabel="lag (s)", ylim=(0, 5))
    share_time([local])
    agreement = mean_tempogram(curve)
    bpm = 60 / (lag_s * np.arange(1, len(agreement)))
    mean.plot(bpm, agreement[1:], color=BLUE)
    above = mean.get_xaxis_transform()
    for one, style in ((tempo, "-"), *((other, ":") for other in tempo.alternatives)):
        mean.axvline(one.bpm, color=RED, ls=style)
        mean.text(one.bpm, 1.02, f"{one.bpm:.1f}", color=RED, ha="center", transform=above)
    mean.set(
        xscale="log", xlim=(25, 300), ylim=(0, 1), xlabel="beats per minute", ylabel="agreement"
    )
    mean.set_title("mean of the tempogram", pad=18)
    plain_ticks(mean, [30, 40, 60, 80, 120, 160, 240])
    frequencies_hz = modulation_frequencies_hz()
    extent = (frequencies_hz[0], frequencies_hz[-1], 0, len(found["rhythm_patterns"]))
    picture = pattern.imshow(
        found["rhythm_patterns"],
        origin="lower",
        aspect="auto",
        extent=extent,
        cmap=STRENGTH,
        vmin=0,
    )
    explain_colours(picture, pattern, "sone")
    pattern.set(title="rhythm_patterns", xlabel="modulation (Hz)", ylabel="critical band (Bark)")
    return figure


def draw_level(found: Descriptors, signal: Float32Array) -> Figure:
    """Draw momentary loudness with what is told of it, and the waveform with its true peak."""
    figure, (loudness, waveform) = panels(2.6, 2.0)
    level = found["level"]
    middles_s = 0.2 + 0.1 * np.arange(len(level.momentary_lufs))
    power = weighted_energies(signal)[:, 0] / CHUNK_SAMPLES
    short_term_lufs = -0.691 + 10 * np.log10(sliding_window_view(power, 30).mean(axis=1))
    low, high = np.percentile(short_term_lufs, (10, 95))
    loudness.axhspan(low, high, color=BLUE, alpha=0.13, lw=0)
    loudness.plot(middles_s, level.momentary_lufs, color=BLUE)
    loudness.axhline(level.integrated_lufs, color=RED)
    beside(loudness, level.integrated_lufs, f"integrated\n{level.integrated_lufs:.1f} LUFS", RED)
    beside(loudness, low, f"range\n{level.loudness_range_lu:.1f} LU", BLUE)
    loudness.set(title="momentary loudness", ylabel="LUFS")
    n_columns = len(signal) // HOP_LENGTH
    columns = signal[: n_columns * HOP_LENGTH].reshape(n_columns, HOP_LENGTH)
    times_s = (np.arange(n_columns) + 0.5) * HOP_LENGTH / SAMPLE_RATE_HZ
    waveform.fill_between(times_s, columns.min(axis=1), columns.max(axis=1), color=BLUE, lw=0)
    peak = 10 ** (level.true_peak_dbtp / 20)
    for height in (peak, -peak):
        waveform.axhline(height, color=RED)
    beside(waveform, peak, f"true peak\n{level.true_peak_dbtp:.1f} dBTP", RED)
    waveform.set(title="waveform", ylabel="full scale = 1", ylim=(-1.05, 1.05))
    share_time([loudness, waveform])
    return figure


def draw_statistics(found: Descriptors, _: Float32Array) -> Figure:
    """Draw how the frames of a descriptor are spread, and its statistics."""
    figure, (axis,) = panels(3.0)
    frames = found["spectral_centroid"]
    of = dict(zip(STATISTICS, Moments.of(frames).statistics()[0], strict=True))
    axis.axvspan(of["mean"] - of["std"], of["mean"] + of["std"], color=RED, alpha=0.1, lw=0)
    axis.hist(frames, bins=100, color=BLUE, alpha=0.5)
    for statistic, colour, style, side in (
        ("min", GREY, "-", "center"),
        ("median", INK, "--", "right"),
        ("mean", RED, "-", "left"),
        ("max", GREY, "-", "center"),
    ):
        axis.axvline(of[statistic], color=colour, ls=style)
        label = "mean ± std" if statistic == "mean" else statistic
        axis.text(of[statistic], 1.02, f" {label} ", color=colour, ha=side,
                  transform=axis.get_xaxis_transform())  # fmt: skip
    axis.set(xlabel="spectral_centroid (Hz)", ylabel="frames", xlim=(0, 5500))
    for row, statistic in enumerate(STATISTICS):
        height = 0.93 - 0.125 * row
        axis.text(1.03, height, statistic, transform=axis.transAxes)
        axis.text(1.19, height, f"{of[statistic]:.4g}", transform=axis.transAxes, ha="right")
    return figure


def draw_augmentation(_: Descriptors, signal: Float32Array) -> Figure:
    """Draw a clip as the networks hear it, and what each augmentation makes of it."""
    chance = torch.Generator().manual_seed(AUGMENTATION_SEED)
    clip = gtzan_mel(mel_power_of(signal))
    clips = {"the clip": clip}
    for name, augmentation in SPECTROGRAM.items():
        if name != "specaugment-lb":
            clips[name] = augmentation(torch.from_numpy(clip)[None], chance)[0].numpy()
    clips["pitch-shift, 2 semitones up"] = gtzan_mel(mel_power_of(pitch_shift(signal, 2)))
    slower = time_stretch(signal, 0.81)[: len(signal)]
    clips["time-stretch, 0.81 times as fast"] = gtzan_mel(mel_power_of(slower))
    figure, axes = plt.subplots(
        4, 3, figsize=(10, 8.4), layout="constrained", sharex=True, sharey=True
    )
    for axis, (name, log_mel) in zip(axes.flat, clips.items(), strict=True):
        picture = axis.imshow(
            log_mel.T,
            origin="lower",
            aspect="auto",
            interpolation="nearest",
            cmap=STRENGTH,
            vmin=-80,
            vmax=0,
            extent=(0, LENGTH_S, 0, 128),
        )
        axis.set_title(name)
    figure.supxlabel("time (s)", fontsize=10)
    figure.supylabel("mel band", fontsize=10)
    bar = figure.colorbar(
        picture, ax=axes, pad=0.01, aspect=40, label="dB, twice those of the sound"
    )
    bar.outline.set_visible(False)
    return figure


PICTURES: Mapping[str, Callable[[Descriptors, Float32Array], Figure]] = {
    "spectrum": draw_spectrum,
    "timbre": draw_timbre,
    "harmony": draw_harmony,
    "rhythm": draw_rhythm,
    "level": draw_level,
    "statistics": draw_statistics,
    "augmentation": draw_augmentation,
}


def save(figure: Figure, path: Path) -> None:
    """Write a picture with as many colours as have a byte, in a third of the bytes of all."""
    figure.savefig(path)
    with Image.open(path) as picture:
        few = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    few.save(path, optimize=True)


def main() -> None:
    """Draw all pictures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("track", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"))
    arguments = parser.parse_args()
    with decode(arguments.track) as blocks:
        signal = np.concatenate(list(blocks))[: LENGTH_S * SAMPLE_RATE_HZ]
    found = analyze([signal], DESCRIPTORS)
    plt.rcParams.update(STYLE)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name, draw in PICTURES.items():
        save(draw(found, signal), arguments.out / f"{name}.png")


if __name__ == "__main__":
    main()
