"""From decoded frames, in any sample format and number of channels, to mono float32."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame
from numpy.typing import NDArray

__all__ = ["LEVEL_LIMIT", "batched", "to_mono"]

LEVEL_LIMIT = 8.0
"""Samples beyond this are damage: 18 dB over full scale.

Float files and lossy codecs legitimately exceed full scale, by a few dB; a damaged MP3 gives
samples of 300 000, which would drown everything else in any mean.
"""

_DTYPES: dict[str, np.dtype[np.generic]] = {
    "u8": np.dtype(np.uint8),
    "s16": np.dtype(np.int16),
    "s32": np.dtype(np.int32),
    "s64": np.dtype(np.int64),
    "flt": np.dtype(np.float32),
    "dbl": np.dtype(np.float64),
}


def batched(frames: Iterable[AudioFrame], portion_s: float) -> Iterator[AudioFrame]:
    """Join small frames into large ones of one format each.

    A codec's frame lasts about 20 ms; the work per frame in NumPy would exceed that of decoding.

    Parameters
    ----------
    frames
        Decoded frames; format, rate and number of channels may change between them.
    portion_s
        Length of the frames that come out, in seconds; shorter before a change and at the end.
    """
    fifo = AudioFifo()
    n_portion = 0
    current = None
    for frame in frames:
        # The FIFO itself notices no change of the number of channels, and would read past them.
        shape = (frame.format.name, frame.sample_rate, frame.layout.nb_channels)
        if shape != current:
            rest = fifo.read()
            if rest is not None:
                yield rest
            fifo = AudioFifo()
            current = shape
            n_portion = int(frame.sample_rate * portion_s)
        # Gaps between damaged packets are no reason to stop, as they are for the FIFO.
        frame.pts = None
        fifo.write(frame)
        while fifo.samples >= n_portion:
            portion = fifo.read(n_portion)
            if portion is not None:
                yield portion
    rest = fifo.read()
    if rest is not None:
        yield rest


def to_mono(frame: AudioFrame) -> tuple[NDArray[np.float32], int]:
    """Average the channels of a frame.

    FFmpeg's own downmix keeps the power, not the amplitude, and is 3 dB louder.

    Returns
    -------
    mono : np.ndarray, shape (n_samples,)
        Full scale is 1.
    n_clipped : int
        Samples of the frame's channels that were not finite or exceeded :data:`LEVEL_LIMIT`.
    """
    n_samples = frame.samples
    n_channels = frame.layout.nb_channels
    dtype = _DTYPES[frame.format.packed.name]
    if frame.format.is_planar:
        # From eight channels on, PyAV lists planes that are not there.
        planes = frame.planes[:n_channels]
        channels = [np.frombuffer(memoryview(plane), dtype, n_samples) for plane in planes]
    else:
        packed = np.frombuffer(memoryview(frame.planes[0]), dtype, n_samples * n_channels)
        channels = list(packed.reshape(n_samples, n_channels).T)

    n_clipped = 0
    if dtype.kind == "f":
        offset, scale = 0.0, 1.0
        for i, channel in enumerate(channels):
            # False for a peak that is not a number, too.
            if not (channel.max() <= LEVEL_LIMIT and channel.min() >= -LEVEL_LIMIT):
                impossible = ~(np.abs(channel) <= LEVEL_LIMIT)
                n_clipped += int(np.count_nonzero(impossible))
                finite = np.where(np.isfinite(channel), channel, 0)
                channels[i] = np.clip(finite, -LEVEL_LIMIT, LEVEL_LIMIT)
    else:
        half_range = 2.0 ** (8 * dtype.itemsize - 1)
        offset, scale = (half_range if dtype.kind == "u" else 0.0), 1 / half_range

    if n_channels == 1:
        mono = channels[0].astype(np.float32)
    else:
        mono = np.add(channels[0], channels[1], dtype=np.float32)
    for channel in channels[2:]:
        mono += channel
    if offset:
        mono -= np.float32(offset * n_channels)
    mono *= np.float32(scale / n_channels)
    return mono, n_clipped
