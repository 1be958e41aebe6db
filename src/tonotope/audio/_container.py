"""One audio stream of one file, as FFmpeg's demuxer gives it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import av
from av.audio.stream import AudioStream as PacketStream
from av.container import InputContainer
from av.packet import Packet

from tonotope.audio._formats import DEMUXERS
from tonotope.audio._source import Source
from tonotope.errors import DecodeError

__all__ = ["Demuxer", "open_demuxer"]

# Large enough that the calls back into Python cost nothing, small beside everything else.
_BUFFER_BYTES = 65536

_OPTIONS = {
    "format_whitelist": ",".join(DEMUXERS),
    # A demuxer may follow a reference inside a file. There is no protocol of this name, so that
    # none is allowed.
    "protocol_whitelist": "none",
}


class Demuxer:
    """The packets of a file's best audio stream.

    Parameters
    ----------
    source
        The open file; closed by its owner.
    container
        The same file, opened by FFmpeg.
    stream
        The stream that is heard.

    Attributes
    ----------
    is_cut : bool
        Whether reading ended with an error, once the packets are exhausted.
    """

    def __init__(self, source: Source, container: InputContainer, stream: PacketStream) -> None:
        self.source = source
        self.container = container
        self.stream = stream
        self.is_cut = False
        self._start: int | None = None
        self._end = 0

    @property
    def packets_s(self) -> float:
        """Length of the packets so far, in seconds, by their own timestamps."""
        if self._start is None or self.stream.time_base is None:
            return 0.0
        return float((self._end - self._start) * self.stream.time_base)

    @property
    def container_name(self) -> str:
        """FFmpeg's first name for the container, e.g. ``"mov"`` or ``"matroska"``."""
        return self.container.format.name.partition(",")[0]

    @property
    def codec_name(self) -> str:
        """FFmpeg's name for the codec, whichever decoder implements it."""
        return self.stream.codec_context.codec.canonical_name

    def __iter__(self) -> Iterator[Packet[PacketStream]]:
        packets = self.container.demux(self.stream)
        while True:
            try:
                packet = next(packets, None)
            except MemoryError:
                raise
            except (av.FFmpegError, OSError):
                self.is_cut = True
                return
            if packet is None:
                return
            # An empty packet would end the decoder, wherever in the file it comes.
            if packet.size:
                self._follow(packet)
                yield packet

    def _follow(self, packet: Packet[PacketStream]) -> None:
        start = self._end if packet.pts is None else packet.pts
        if self._start is None:
            self._start = start
        self._end = max(self._end, start + (packet.duration or 0))


@contextmanager
def open_demuxer(source: Source) -> Iterator[Demuxer]:
    """Open a file's audio stream for demuxing.

    Raises
    ------
    DecodeError
        No container that may be read, or none with an audio stream.
    """
    try:
        container = av.open(source, "r", container_options=_OPTIONS, buffer_size=_BUFFER_BYTES)
    except MemoryError:
        raise
    except (av.FFmpegError, OSError):
        raise DecodeError(
            source.path,
            "not an audio file, or its header is damaged or cut off",
            "Check that it plays; restore or remove it.",
        ) from None
    with container:
        stream = container.streams.best("audio")
        if not isinstance(stream, PacketStream):
            found = ", ".join(f"{s.type}" for s in container.streams) or "nothing"
            raise DecodeError(
                source.path,
                f"no audio stream (found: {found})",
                "Remove it from the music folder.",
            )
        yield Demuxer(source, container, stream)
