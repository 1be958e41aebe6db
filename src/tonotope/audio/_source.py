"""A regular file, opened so that nothing about it can block, as FFmpeg reads it."""

from __future__ import annotations

import os
import stat
import struct
from io import FileIO
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Self

from tonotope.errors import DecodeError

__all__ = ["Source"]

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)

_ID3V1_BYTES = 128
_ID3V2_BYTES = 10
_ID3V2_HAS_FOOTER = 0x10
# Identifier, version, size without a header, number of items, flags, reserved.
_APE_FOOTER = struct.Struct("<8sIIII8s")
_APE_HAS_HEADER = 1 << 31


class Source:
    """The bytes of one regular file.

    FFmpeg reads through this object and is never told a name: what a file is called cannot make
    it open anything else ("http:", "concat:"), and the type follows from the content.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    DecodeError
        The path is absent, unreadable, empty or not a regular file.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = path
        try:
            # Looked at before it is opened: opening a device may already do something.
            self._require_sound_possible(Path(path).stat())
            # A pipe may have taken the file's place meanwhile, and must not block here.
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            raise DecodeError(path, "no such file", "Check the path, or scan again.") from None
        except PermissionError:
            raise DecodeError(
                path, "no permission to read it", "Change its permissions or run as its owner."
            ) from None
        except (OSError, ValueError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            raise DecodeError(path, reason.lower(), "Check the path.") from None
        self._file = FileIO(descriptor)
        try:
            status = os.fstat(descriptor)
            self._require_sound_possible(status)
        except BaseException:
            self.close()
            raise
        self._start = 0
        self._end = status.st_size

    def _require_sound_possible(self, status: os.stat_result) -> None:
        for is_kind, name in _KINDS:
            if is_kind(status.st_mode):
                raise DecodeError(
                    self.path, f"it is {name}, not a file", "Name an audio file instead."
                )
        if status.st_size == 0:
            raise DecodeError(self.path, "the file is empty", "Restore or remove it.")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; may be called more than once."""
        self._file.close()

    def exclude_tags(self) -> None:
        """Leave out the tags that taggers put around a file: ID3v2, ID3v1 and APEv2.

        They belong to no container. FFmpeg recognises no format behind an ID3v2 tag of over a
        megabyte, a large cover, and demuxers of bare streams (MP3, AAC) pass on as sound whatever
        looks like a frame in the tags at the end.

        Raises
        ------
        DecodeError
            There is nothing else in the file.
        """
        while (header := self.read_at(0, _ID3V2_BYTES)).startswith(b"ID3"):
            if len(header) < _ID3V2_BYTES:
                break
            n_bytes = 0
            for byte in header[6:]:
                n_bytes = n_bytes << 7 | byte & 0x7F
            has_footer = header[5] & _ID3V2_HAS_FOOTER
            self._start += _ID3V2_BYTES + n_bytes + (_ID3V2_BYTES if has_footer else 0)
        if self.read_at(self.size_bytes - _ID3V1_BYTES, 3) == b"TAG":
            self._end -= _ID3V1_BYTES
        footer = self.read_at(self.size_bytes - _APE_FOOTER.size, _APE_FOOTER.size)
        if len(footer) == _APE_FOOTER.size and footer.startswith(b"APETAGEX"):
            _, _, n_bytes, _, flags, _ = _APE_FOOTER.unpack(footer)
            self._end -= n_bytes + (_APE_FOOTER.size if flags & _APE_HAS_HEADER else 0)
        if self._end <= self._start:
            raise DecodeError(self.path, "there is nothing but tags in it", "Restore or remove it.")
        self.seek(0)

    @property
    def size_bytes(self) -> int:
        """Size when it was opened, without what has been excluded."""
        return self._end - self._start

    @property
    def has_shrunk(self) -> bool:
        """Whether the file has become shorter since it was opened."""
        return os.fstat(self._file.fileno()).st_size < self._end

    def read_at(self, offset: int, n_bytes: int) -> bytes:
        """Return bytes at a place, without moving the position; fewer beyond the ends."""
        if offset < 0:
            return b""
        n_bytes = max(min(n_bytes, self.size_bytes - offset), 0)
        return os.pread(self._file.fileno(), n_bytes, self._start + offset)

    def read(self, n_bytes: int) -> bytes:
        """Return the next bytes, empty at the end; called by FFmpeg."""
        return self._file.read(max(min(n_bytes, self._end - self._file.tell()), 0)) or b""

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a position and return it; called by FFmpeg.

        A damaged header sends FFmpeg to impossible positions. It expects a negative number then;
        an exception would surface later, at a call that has nothing to do with it.
        """
        if whence == os.SEEK_SET:
            offset += self._start
        elif whence == os.SEEK_CUR:
            offset += self._file.tell()
        else:
            offset += self._end
        if offset < self._start:
            return -1
        try:
            return self._file.seek(offset) - self._start
        except (OSError, OverflowError):
            return -1

    def tell(self) -> int:
        """Return the position; its presence tells PyAV that the file is seekable."""
        return self._file.tell() - self._start
