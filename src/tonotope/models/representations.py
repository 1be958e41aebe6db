"""What a network may be given: the representations that a card's ``[input]`` can ask for.

``gtzan-mel``
    Tonotope's own, the one of its training data: `tonotope.models.frontend`.
``log-mel``
    A mel spectrogram as the card defines it: `tonotope.models.melspec`.
``waveform``
    The samples themselves.

The keys, their units and their meaning are in ``docs/model-cards.md``.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TypeAlias

from tonotope.models.card_values import CardTable, CardValueError

__all__ = ["GtzanMel", "LogMel", "Representation", "Waveform", "read_representation"]

MEL_SCALES = ("slaney", "htk")
NORMS = ("slaney", "none")
LOGARITHMS = ("db", "ln", "log10(1+10000x)", "none")
LAYOUTS = ("time,band", "band,time")
PADS = ("repeat", "zeros")
NORMALISATIONS = ("none", "zero-mean-unit-variance")

_LEAST_RATE_HZ, _MOST_RATE_HZ = 4000, 192_000
# Ten minutes of 48 kHz are 115 MB; a batch holds eight windows.
_LONGEST_WINDOW_S = 600.0
_SHORTEST_HOP_S = 0.01


@dataclass(frozen=True, slots=True)
class GtzanMel:
    """30 s as 333 columns of 128 mel bands in dB below the loudest, shape (333, 128)."""

    sample_rate_hz: int = 22050
    window_s: float = 30.0
    name: str = "gtzan-mel"


@dataclass(frozen=True, slots=True)
class Waveform:
    """Samples, shape (window_samples,), full scale 1.

    Attributes
    ----------
    sample_rate_hz
        Of the samples.
    window_s, hop_s
        How long a window is, and how long after one the next begins.
    pad
        What fills a window that is longer than what is left of the track.
    normalise
        Whether each window is brought to mean 0 and variance 1.
    """

    sample_rate_hz: int
    window_s: float
    hop_s: float
    pad: str
    normalise: str
    name: str = "waveform"

    @property
    def window_samples(self) -> int:
        """Length of a window."""
        return max(1, round(self.window_s * self.sample_rate_hz))

    @property
    def hop_samples(self) -> int:
        """From one window's beginning to the next one's."""
        return max(1, round(self.hop_s * self.sample_rate_hz))


@dataclass(frozen=True, slots=True)
class LogMel:
    """Mel bands over time, shape (window_frames, n_mels), or as `layout` says.

    Attributes
    ----------
    sample_rate_hz
        Of the samples that it is made from.
    n_fft, win_length, hop_length
        Length of the Fourier transform, of the Hann window (periodic) in its middle, and from one
        frame to the next, in samples.
    n_mels, f_min_hz, f_max_hz, mel_scale, norm
        The bands, as ``librosa.filters.mel`` defines them.
    power
        Whether the bands sum magnitudes (1) or powers (2).
    log
        What is made of a band's sum, see `tonotope.models.melspec.logarithm`.
    layout
        The order of the axes.
    window_s, hop_s, pad
        As for `Waveform`.
    """

    sample_rate_hz: int
    n_fft: int
    win_length: int
    hop_length: int
    n_mels: int
    f_min_hz: float
    f_max_hz: float
    mel_scale: str
    norm: str
    power: int
    log: str
    layout: str
    window_s: float
    hop_s: float
    pad: str
    name: str = "log-mel"

    @property
    def window_frames(self) -> int:
        """Length of a window."""
        return max(1, round(self.window_s * self.sample_rate_hz / self.hop_length))

    @property
    def hop_frames(self) -> int:
        """From one window's beginning to the next one's."""
        return max(1, round(self.hop_s * self.sample_rate_hz / self.hop_length))


Representation: TypeAlias = GtzanMel | LogMel | Waveform


def read_representation(table: CardTable) -> Representation | str:
    """Read a card's ``[input]``.

    Returns
    -------
    Representation or str
        The name, if there is no such representation.

    Raises
    ------
    CardValueError
        If a key is missing or has an impossible value.
    """
    name = table.text("representation")
    if name == "gtzan-mel":
        return GtzanMel()
    if name == "waveform":
        return _waveform(table)
    if name == "log-mel":
        return _log_mel(table)
    return name


def _waveform(table: CardTable) -> Waveform:
    _refuse_unknown(table, Waveform)
    return Waveform(
        sample_rate_hz=_sample_rate_hz(table),
        window_s=_window_s(table),
        hop_s=_hop_s(table),
        pad=_pad(table),
        normalise=table.choice("normalise", NORMALISATIONS, default="none"),
    )


def _log_mel(table: CardTable) -> LogMel:
    _refuse_unknown(table, LogMel)
    sample_rate_hz = _sample_rate_hz(table)
    n_fft = table.whole("n_fft", 16, 65536)
    f_min_hz = table.number("f_min_hz", 0, sample_rate_hz / 2, default=0.0)
    f_max_hz = table.number("f_max_hz", 0, sample_rate_hz / 2, default=sample_rate_hz / 2)
    if f_min_hz >= f_max_hz:
        raise CardValueError(f"input.f_min_hz is {f_min_hz:g}, not below f_max_hz, {f_max_hz:g}")
    return LogMel(
        sample_rate_hz=sample_rate_hz,
        n_fft=n_fft,
        win_length=table.whole("win_length", 2, n_fft, default=n_fft),
        hop_length=table.whole("hop_length", 1, n_fft),
        n_mels=table.whole("n_mels", 1, 1024),
        f_min_hz=f_min_hz,
        f_max_hz=f_max_hz,
        mel_scale=table.choice("mel_scale", MEL_SCALES),
        norm=table.choice("norm", NORMS),
        power=table.whole("power", 1, 2),
        log=table.choice("log", LOGARITHMS),
        layout=table.choice("layout", LAYOUTS),
        window_s=_window_s(table),
        hop_s=_hop_s(table),
        pad=_pad(table),
    )


def _sample_rate_hz(table: CardTable) -> int:
    return table.whole("sample_rate_hz", _LEAST_RATE_HZ, _MOST_RATE_HZ)


def _window_s(table: CardTable) -> float:
    return table.number("window_s", _SHORTEST_HOP_S, _LONGEST_WINDOW_S)


def _hop_s(table: CardTable) -> float:
    return table.number("hop_s", _SHORTEST_HOP_S, _LONGEST_WINDOW_S)


def _pad(table: CardTable) -> str:
    return table.choice("pad", PADS, default="repeat")


def _refuse_unknown(table: CardTable, representation: type[LogMel] | type[Waveform]) -> None:
    keys = [field.name for field in fields(representation) if field.name != "name"]
    table.refuse_others(["representation", *keys])
