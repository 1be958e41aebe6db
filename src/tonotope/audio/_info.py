"""What a file turned out to be, once all of it has been heard."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["AudioInfo", "Damage", "Silence"]


@dataclass(frozen=True, slots=True)
class Damage:
    """What of a file could not be decoded.

    True in a boolean context where there is any.

    Parameters
    ----------
    packets_skipped
        Encoded packets that the decoder rejected, and gaps where some were missing; the sound
        around them is kept.
    samples_clipped
        Samples, counted in the channels of the file, that were not numbers or beyond
        any level that music has.
    truncated
        Whether the file ends before the end that it declares, or cannot be read to its end.
    """

    packets_skipped: int = 0
    samples_clipped: int = 0
    truncated: bool = False

    @property
    def any(self) -> bool:
        """Whether anything at all is damaged."""
        return bool(self)

    def __bool__(self) -> bool:
        return self.truncated or self.packets_skipped > 0 or self.samples_clipped > 0

    def describe(self) -> str:
        """Return the damage in words, or an empty string where there is none."""
        parts = []
        if self.truncated:
            parts.append("it ends, or cannot be read on, before its end")
        if self.packets_skipped:
            noun = "packet" if self.packets_skipped == 1 else "packets"
            parts.append(f"{self.packets_skipped} damaged or missing {noun} skipped")
        if self.samples_clipped:
            noun = "sample" if self.samples_clipped == 1 else "samples"
            parts.append(f"{self.samples_clipped} impossible {noun} clipped")
        return "; ".join(parts)


@dataclass(frozen=True, slots=True)
class Silence:
    """How much of a track is silent at its ends.

    Parameters
    ----------
    leading_s, trailing_s
        Seconds before the first and after the last sample above the threshold
        (-60 dB relative to full scale); both are the whole duration where all is silent.
    is_silent
        Whether no sample exceeds the threshold.
    """

    leading_s: float
    trailing_s: float
    is_silent: bool


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What a file turned out to be.

    Parameters
    ----------
    container, codec
        FFmpeg's names, e.g. ``"mp3"`` and ``"mp3"``, ``"mov"`` and ``"aac"``. They follow from
        the content, never from the file's name.
    sample_rate_hz, channels
        Of the sound as it was decoded first.
    duration_s
        Length of what could be decoded.
    bit_rate_bps
        Mean over the encoded packets.
    audio_id
        Identity of the recording: a hash of its encoded packets, as 32 hexadecimal digits.
    damage, silence
        What was missing, and what was silent.
    """

    container: str
    codec: str
    sample_rate_hz: int
    channels: int
    duration_s: float
    bit_rate_bps: int
    audio_id: str
    damage: Damage
    silence: Silence
