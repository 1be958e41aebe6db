"""Decoding: one pass over a file's packets gives its samples and its identity."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack
from itertools import chain, groupby
from operator import itemgetter
from os import PathLike
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.audio.frame import AudioFrame
from numpy.typing import NDArray

from tonotope.audio._container import open_demuxer, out_of_memory
from tonotope.audio._identity import PacketHash
from tonotope.audio._info import AudioInfo, Damage
from tonotope.audio._mono import batched, to_mono
from tonotope.audio._resample import SAMPLE_RATE_HZ, Resampler
from tonotope.audio._silence import SilenceMeter
from tonotope.audio._source import Source
from tonotope.audio._truncation import is_truncated
from tonotope.errors import DecodeError

__all__ = ["AudioStream", "decode"]

# Samples are mixed and resampled in portions of this length: long enough that the work per call
# vanishes beside the work per sample, short enough for constant memory.
_PORTION_S = 2

# A rate below this is a damaged header, and would blow a few bytes up to hours of sound.
_MIN_RATE_HZ = 1000

# Programs and pictures that a demuxer takes for MPEG gave up to 0.1 s among hundreds of rejected
# packets.
_CHANCE_S = 1.0


class AudioStream:
    """The sound of one file, in blocks; what :func:`decode` gives.

    Iterate over it once. It closes its file when it is exhausted, when decoding fails, when it
    is left as a context manager, and with :meth:`close`.
    """

    def __init__(self, path: str | PathLike[str], *, sample_rate_hz: int = SAMPLE_RATE_HZ) -> None:
        self._path = path
        self._sample_rate_hz = sample_rate_hz
        self._info: AudioInfo | None = None
        self._packets_decoded = 0
        self._packets_skipped = 0
        self._samples_clipped = 0
        self._decoded_s = 0.0
        self._format: tuple[int, int] | None = None
        with ExitStack() as stack:
            self._source = stack.enter_context(Source(path))
            self._demuxer = stack.enter_context(open_demuxer(self._source))
            self._files = stack.pop_all()
        self._blocks = self._decode()

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        return self._blocks

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
        """Close the file; what has not been decoded by now will not be."""
        self._blocks.close()
        self._files.close()

    @property
    def info(self) -> AudioInfo:
        """What the file was.

        Raises
        ------
        RuntimeError
            It has not been decoded to its end yet.
        """
        if self._info is None:
            raise RuntimeError("AudioStream.info is known only once all blocks have been taken")
        return self._info

    def _decode(self) -> Generator[NDArray[np.float32], None, None]:
        """Yield the blocks, then settle ``info`` and close the file."""
        with self._files:
            packet_hash = PacketHash(self._demuxer)
            silence = SilenceMeter(self._sample_rate_hz)
            for block in self._resampled(self._mono(self._frames(packet_hash))):
                if len(block):
                    silence.update(block)
                    yield block
            if self._format is None or self._is_noise():
                raise DecodeError(
                    self._path,
                    f"no decodable {self._demuxer.codec_name} sound in it",
                    "Check that it plays; restore or remove it.",
                )
            sample_rate_hz, channels = self._format
            self._info = AudioInfo(
                container=self._demuxer.container_name,
                codec=self._demuxer.codec_name,
                sample_rate_hz=sample_rate_hz,
                channels=channels,
                duration_s=self._decoded_s,
                bit_rate_bps=round(8 * packet_hash.n_bytes / self._decoded_s),
                audio_id=packet_hash.hexdigest(),
                damage=Damage(
                    self._packets_skipped + self._demuxer.n_gaps,
                    self._samples_clipped,
                    is_truncated(self._demuxer, self._decoded_s),
                ),
                silence=silence.result(),
            )

    def _is_noise(self) -> bool:
        """Whether what was decoded is chance: in any bytes, something looks like a frame."""
        return self._packets_skipped > self._packets_decoded and self._decoded_s < _CHANCE_S

    def _frames(self, packet_hash: PacketHash) -> Iterator[AudioFrame]:
        """Yield what the decoder makes of the packets; skip and count those it rejects."""
        decoder = self._demuxer.stream.codec_context
        # One file is one unit of work: parallelism is over files.
        decoder.thread_count = 1
        for packet in chain(self._demuxer, [None]):
            if packet is not None:
                packet_hash.update(packet)
            try:
                frames = decoder.decode(packet)
            except av.error.MemoryError:
                raise out_of_memory(self._source) from None
            except av.FFmpegError:
                self._packets_skipped += packet is not None
                continue
            self._packets_decoded += bool(frames)
            for frame in frames:
                if frame.sample_rate < _MIN_RATE_HZ:
                    self._packets_skipped += 1
                else:
                    yield frame

    def _mono(self, frames: Iterable[AudioFrame]) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield portions of mono samples, each with its rate."""
        for portion in batched(frames, _PORTION_S):
            rate_hz = portion.sample_rate
            if self._format is None:
                self._format = rate_hz, portion.layout.nb_channels
            samples, n_clipped = to_mono(portion)
            self._samples_clipped += n_clipped
            self._decoded_s += len(samples) / rate_hz
            yield rate_hz, samples

    def _resampled(
        self, portions: Iterable[tuple[int, NDArray[np.float32]]]
    ) -> Iterator[NDArray[np.float32]]:
        """Yield blocks at the rate that is wanted, though the file's may change in mid-stream."""
        for rate_hz, same_rate in groupby(portions, key=itemgetter(0)):
            resampler = Resampler(rate_hz, self._sample_rate_hz)
            for _, samples in same_rate:
                yield resampler.push(samples)
            yield resampler.finish()


def decode(path: str | PathLike[str], *, sample_rate_hz: int = SAMPLE_RATE_HZ) -> AudioStream:
    """Decode a file to mono float32, block by block.

    Any format that FFmpeg knows, any number of channels (averaged), any sample rate (resampled
    by soxr, quality HQ). Memory does not grow with the length of the file. What is damaged is
    left out and counted in ``info.damage``; the rest is kept.

    Parameters
    ----------
    path
        The file.
    sample_rate_hz
        Of the samples that come out, whatever the file's; descriptors are defined for the default.

    Returns
    -------
    AudioStream
        Iterating over it gives C-contiguous blocks of shape ``(n_samples,)``, never empty, about
        two seconds each (the last one is shorter); afterwards its ``info`` says what the file was.

    Raises
    ------
    DecodeError
        The file cannot be read or holds no audio stream. Iterating raises it too, when nothing of
        the stream can be decoded.

    Examples
    --------
    >>> with decode("song.mp3") as stream:  # doctest: +SKIP
    ...     samples = np.concatenate(list(stream))
    >>> stream.info.duration_s  # doctest: +SKIP
    183.4
    """
    return AudioStream(path, sample_rate_hz=sample_rate_hz)
