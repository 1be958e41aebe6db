"""The identity of a recording: a hash of its encoded packets.

Tags, pictures, the file's name and its place are no part of the packets, so that changing them
keeps the identity. Changing the sound changes it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from os import PathLike

from av.audio.stream import AudioStream as PacketStream
from av.packet import Packet

from tonotope.audio._container import Demuxer, open_demuxer
from tonotope.audio._source import Source
from tonotope.errors import DecodeError

__all__ = ["AudioIdentity", "PacketHash", "identify"]

_DIGEST_BYTES = 16

# Codecs whose packets are bare samples: what they sound like is settled by the container.
_BARE_SAMPLES = ("pcm_", "adpcm_", "dsd_")


class PacketHash:
    """BLAKE2b-128 over the packets of one stream, however they are cut.

    Parameters
    ----------
    demuxer
        The stream whose packets will come.
    """

    def __init__(self, demuxer: Demuxer) -> None:
        self._hash = hashlib.blake2b(digest_size=_DIGEST_BYTES)
        self.n_bytes = 0
        codec = demuxer.codec_name
        if codec.startswith(_BARE_SAMPLES):
            context = demuxer.stream.codec_context
            self._hash.update(f"{codec} {context.sample_rate} {context.channels}\n".encode())

    def update(self, packet: Packet[PacketStream]) -> None:
        """Add a packet."""
        self._hash.update(packet)
        self.n_bytes += packet.size

    def hexdigest(self) -> str:
        """Return the identity as 32 hexadecimal digits."""
        return self._hash.hexdigest()


@dataclass(frozen=True, slots=True)
class AudioIdentity:
    """Which recording a file holds, as its container tells.

    Parameters
    ----------
    audio_id
        Hash of the encoded packets, as 32 hexadecimal digits.
    container, codec
        FFmpeg's names.
    sample_rate_hz, channels
        As the container declares them.
    duration_s
        From the packets' own timestamps.
    """

    audio_id: str
    container: str
    codec: str
    sample_rate_hz: int
    channels: int
    duration_s: float


def identify(path: str | PathLike[str]) -> AudioIdentity:
    """Read a file's packets, without decoding them, and say which recording it holds.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    AudioIdentity
        With the same ``audio_id`` as :func:`~tonotope.audio.decode` gives.

    Raises
    ------
    DecodeError
        The file cannot be read or holds no audio packets.
    """
    with Source(path) as source, open_demuxer(source) as demuxer:
        packet_hash = PacketHash(demuxer)
        for packet in demuxer:
            packet_hash.update(packet)
        if not packet_hash.n_bytes:
            raise DecodeError(path, "the audio stream is empty", "Restore or remove it.")
        context = demuxer.stream.codec_context
        return AudioIdentity(
            audio_id=packet_hash.hexdigest(),
            container=demuxer.container_name,
            codec=demuxer.codec_name,
            sample_rate_hz=context.sample_rate,
            channels=context.channels,
            duration_s=demuxer.packets_s,
        )
