"""Whether a file ends before its own declared end.

FFmpeg reports a duration for every file but derives many from the file's present size; those say
nothing about what is missing. Only what a writer declared in the file itself counts here.
"""

from __future__ import annotations

import struct

from tonotope.audio._container import Demuxer
from tonotope.audio._source import Source

__all__ = ["is_truncated"]

# Declarations count encoder delay and padding, are rounded to packets, and cover the gap by
# which a video may start before its sound.
_TOLERANCE_S = 0.5

# Containers whose header states the length of each stream, and FFmpeg passes it on unchanged.
_LENGTH_STATED = frozenset({"aiff", "ape", "au", "flac", "mov", "tta", "wv"})
# Containers that state the size of the whole file; FFmpeg goes by what is there of it.
_SIZE_STATED = frozenset({"asf", "avi", "w64", "wav"})

# Writers into a pipe cannot know the length: they leave 0, or about the largest number there is.
_RIFF_SIZE_UNKNOWN = 0x7FFF_0000

_ASF_HEADER_REACH = 65536
_ASF_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")

_MPEG_HEADER_REACH = 4096
# Where a Xing or Info tag lies behind the start of its frame: after the side information, which
# depends on MPEG version and channels; two more with a checksum.
_XING_OFFSETS = (13, 15, 21, 23, 36, 38)
_VBRI_OFFSET = 36

_OGG_PAGE_MAX = 65307
_OGG_HEADER_BYTES = 27
_OGG_LAST_PAGE = 4


def is_truncated(demuxer: Demuxer, heard_s: float) -> bool:
    """Whether a file, read to its end, ended before the end that it declares.

    Parameters
    ----------
    demuxer
        The file, its packets exhausted.
    heard_s
        How much of it could be decoded.
    """
    if demuxer.failed or demuxer.source.has_shrunk:
        return True
    if demuxer.container_name == "ogg":
        return _is_unfinished_ogg(demuxer.source)
    declared_s = _declared_duration_s(demuxer)
    # What was dropped in the middle is no reason: the packets behind it still came.
    reached_s = max(heard_s, demuxer.packets_s)
    return declared_s is not None and declared_s - reached_s > _TOLERANCE_S


def _declared_duration_s(demuxer: Demuxer) -> float | None:
    """Return how long the audio stream is by the file's own, reliable declaration."""
    stream, container = demuxer.stream, demuxer.container
    name = demuxer.container_name
    if name == "mp3":
        n_frames = _mpeg_frames(demuxer.source, demuxer.first_offset or 0)
        rate_hz = stream.codec_context.sample_rate
        samples_per_frame = 1152 if rate_hz >= 32000 else 576
        return n_frames * samples_per_frame / rate_hz if n_frames else None
    if name == "matroska" and container.duration is not None:
        # Of its longest stream; alone, that is the sound.
        return None if container.streams.video else container.duration / 1e6
    if stream.duration is None or stream.time_base is None:
        return None
    stream_s = float(stream.duration * stream.time_base)
    if name in _LENGTH_STATED:
        return stream_s
    if name in _SIZE_STATED:
        return stream_s * _declared_bytes(demuxer.source) / demuxer.source.size_bytes
    return None


def _mpeg_frames(source: Source, first_packet_offset: int) -> int:
    """Return the number of frames in an MP3's Xing, Info or VBRI header, 0 without one."""
    reach = min(_MPEG_HEADER_REACH, first_packet_offset)
    head = source.read_at(first_packet_offset - reach, reach)
    for mark, offsets, to_flags, to_count in (
        (b"Xing", _XING_OFFSETS, 4, 8),
        (b"Info", _XING_OFFSETS, 4, 8),
        (b"VBRI", (_VBRI_OFFSET,), None, 14),
    ):
        at = head.rfind(mark)
        starts_frame = any(
            at >= offset and head[at - offset] == 0xFF and head[at - offset + 1] >= 0xE0
            for offset in offsets
        )
        if starts_frame and len(head) >= at + to_count + 4:
            has_count = to_flags is None or head[at + to_flags + 3] & 1
            return int.from_bytes(head[at + to_count : at + to_count + 4]) if has_count else 0
    return 0


def _declared_bytes(source: Source) -> int:
    """Return how large a RIFF, RF64, W64 or ASF file declares to be, 0 where it does not."""
    head = source.read_at(0, _ASF_HEADER_REACH)
    if len(head) < 28:
        return 0
    asf_properties = head.find(_ASF_FILE_PROPERTIES)
    if asf_properties >= 0 and len(head) >= asf_properties + 48:
        return int(struct.unpack_from("<Q", head, asf_properties + 40)[0])
    if head.startswith(b"riff"):
        return int(struct.unpack_from("<Q", head, 16)[0])
    if head.startswith(b"RF64"):
        return 8 + int(struct.unpack_from("<Q", head, 20)[0])
    n_bytes = int(struct.unpack_from("<I", head, 4)[0])
    return 8 + n_bytes if n_bytes < _RIFF_SIZE_UNKNOWN else 0


def _is_unfinished_ogg(source: Source) -> bool:
    """Whether an Ogg file ends within a page, or with one that is not marked as the last."""
    start = max(source.size_bytes - _OGG_PAGE_MAX, 0)
    tail = source.read_at(start, _OGG_PAGE_MAX)
    at = tail.rfind(b"OggS\0")
    if at < 0:
        # A page is never longer: whatever follows the last one, it ended before.
        return False
    segments = tail[at + _OGG_HEADER_BYTES - 1 : at + _OGG_HEADER_BYTES]
    if not segments:
        return True
    table = tail[at + _OGG_HEADER_BYTES : at + _OGG_HEADER_BYTES + segments[0]]
    end = at + _OGG_HEADER_BYTES + segments[0] + sum(table)
    is_last = bool(tail[at + 5] & _OGG_LAST_PAGE)
    return len(table) < segments[0] or end > len(tail) or not is_last
