"""One audio stream of one file, as FFmpeg's demuxer gives it."""

from __future__ import annotations

import math
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

__all__ = ["Demuxer", "open_container", "open_demuxer", "out_of_memory"]

# Large enough that the calls back into Python cost nothing, small beside everything else.
_BUFFER_BYTES = 65536

# Containers whose packets carry their place in the sound, counted in samples. In others a gap
# between two timestamps may be meant.
_COUNTED_SAMPLES = frozenset({"flac", "ogg"})
_MIN_GAP_S = 0.1

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
    failed : bool
        Whether the packets ended with an error.
    first_offset : int or None
        Where in the file the first packet lies, in bytes.
    n_gaps : int
        How many times packets were missing between two others.
    """

    def __init__(self, source: Source, container: InputContainer, stream: PacketStream) -> None:
        self.source = source
        self.container = container
        self.stream = stream
        self.failed = False
        self.first_offset: int | None = None
        self.n_gaps = 0
        self._elapsed = 0
        self._end: int | None = None
        self._is_end_known = False
        self._min_gap = math.inf
        if self.container_name in _COUNTED_SAMPLES and stream.time_base:
            self._min_gap = float(_MIN_GAP_S / stream.time_base)

    @property
    def packets_s(self) -> float:
        """Length of the packets so far, in seconds, by their own timestamps."""
        return float(self._elapsed * (self.stream.time_base or 0))

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
            except av.error.MemoryError:
                raise out_of_memory(self.source) from None
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
        duration = packet.duration or 0
        if packet.pts is None and not duration:
            return  # what a parser could not cut into frames
        start = self._end if packet.pts is None else packet.pts
        if start is None or self._end is None:
            self.first_offset = packet.pos
            self._end = start = start or 0
        if start - self._end > self._min_gap and self._is_end_known:
            self.n_gaps += 1
        end = start + duration
        # Timestamps begin anew where one Ogg stream follows another.
        self._elapsed += end - self._end if end >= self._end else duration
        self._end = end
        self._is_end_known = duration > 0


def out_of_memory(source: Source) -> DecodeError:
    """Return the error for a file that FFmpeg cannot get the memory for."""
    return DecodeError(
        source.path,
        "not enough memory, or a damaged header asks for an absurd amount",
        "Check that it plays; try again with more memory, or restore it.",
    )


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
    except av.error.MemoryError:
        raise out_of_memory(source) from None
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
    source.exclude_tags()
    with open_container(source) as container:
        stream = container.streams.best("audio")
        if not isinstance(stream, PacketStream) or stream.codec_context is None:
            raise DecodeError(
                source.path,
                f"no audio stream that can be decoded (found: {_describe_streams(container)})"
                if container.streams.audio
                else f"no audio stream (found: {_describe_streams(container)})",
                "Check that it plays; restore it, or remove it from the music folder.",
            )
        yield Demuxer(source, container, stream)


def _describe_streams(container: InputContainer) -> str:
    """Name what is there instead of sound, e.g. ``"mjpeg cover"``."""
    names = []
    for stream in container.streams:
        codec = stream.codec_context.name if stream.codec_context is not None else "unknown"
        is_cover = bool(stream.disposition & Disposition.attached_pic)
        names.append(f"{codec} {'cover' if is_cover else stream.type}")
    return ", ".join(names) or "nothing"
