"""One audio stream of one file, as FFmpeg's demuxer gives it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import av
from av.audio.stream import AudioStream as PacketStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition

from tonotope.audio._formats import DEMUXERS
from tonotope.audio._source import Source
from tonotope.errors import DecodeError

__all__ = ["Demuxer", "open_container", "open_demuxer"]

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

    """

    def __init__(self, source: Source, container: InputContainer, stream: PacketStream) -> None:
        self.source = source
        self.container = container
        self.stream = stream
        self.failed = False
        self.first_offset: int | None = None
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
                self.failed = True
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
            self.first_offset = packet.pos
        self._end = max(self._end, start + (packet.duration or 0))


def open_container(source: Source) -> InputContainer:
    """Let FFmpeg open a file.

    Raises
    ------
    DecodeError
        It is in no format that may be read.
    """
    try:
        return av.open(
            source,
            "r",
            container_options=_OPTIONS,
            # Tags in no known encoding are no reason to reject the sound.
            metadata_errors="replace",
            buffer_size=_BUFFER_BYTES,
        )
    except MemoryError:
        raise
    except (av.FFmpegError, OSError):
        raise DecodeError(
            source.path,
            "not an audio file, or its header is damaged or cut off",
            "Check that it plays; restore or remove it.",
        ) from None


@contextmanager
def open_demuxer(source: Source) -> Iterator[Demuxer]:
    """Open a file's audio stream for demuxing.

    Raises
    ------
    DecodeError
        It is in no format that may be read, or has no audio stream.
    """
    source.exclude_trailing_tags()
    with open_container(source) as container:
        stream = _best_audio_stream(container)
        if stream is None:
            raise DecodeError(
                source.path,
                f"no audio stream (found: {_describe_streams(container)})",
                "Remove it from the music folder.",
            )
        yield Demuxer(source, container, stream)


def _best_audio_stream(container: InputContainer) -> PacketStream | None:
    stream = container.streams.best("audio")
    if isinstance(stream, PacketStream) and stream.codec_context is not None:
        return stream
    return None


def _describe_streams(container: InputContainer) -> str:
    """Name what is there instead of sound, e.g. ``"mjpeg cover"``."""
    names = []
    for stream in container.streams:
        codec = stream.codec_context.name if stream.codec_context is not None else "unknown"
        is_cover = bool(stream.disposition & Disposition.attached_pic)
        names.append(f"{codec} {'cover' if is_cover else stream.type}")
    return ", ".join(names) or "nothing"
