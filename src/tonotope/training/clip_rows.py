"""What runs in a worker process: a file becomes rows of a spectrogram cache.

A clip of up to 31 s gives one row: of about 30 s as in `gtzan-mel`, of less at its true speed,
again and again, as `tonotope genre` hears it (`tonotope.models.frontend.window_of`). A longer track
gives windows of 30 s, spread evenly over it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tonotope.audio import AudioIdentity, decode, identify
from tonotope.errors import TonotopeError
from tonotope.features.stft import HOP_LENGTH, SAMPLE_RATE_HZ, Float32Array
from tonotope.features.stream import DescriptorStream
from tonotope.library.workers import Failure
from tonotope.models.frontend import WINDOW_FRAMES, window_of
from tonotope.training.cache import DEPTH_DB
from tonotope.training.stores import local_copy

__all__ = ["ClipRows", "identity_of", "rows_of", "spectrogram_row", "window_starts"]

# GTZAN's longest has 30.7 s. Spread over a window, what is much longer would play too fast.
_LONGEST_CLIP_FRAMES = 31 * SAMPLE_RATE_HZ // HOP_LENGTH + 1
_SHORTEST_CLIP_FRAMES = SAMPLE_RATE_HZ // HOP_LENGTH


@dataclass(frozen=True, slots=True, eq=False)
class ClipRows:
    """A recording's rows.

    Attributes
    ----------
    audio_id
        Hash of its encoded packets.
    duration_s
        Of the whole of it.
    mel
        Shape (n_rows, 128, 333), uint8.
    is_whole
        Whether the one row is the whole recording, however many windows were wanted.
    """

    audio_id: str
    duration_s: float
    mel: NDArray[np.uint8]
    is_whole: bool


def rows_of(location: str, *, windows: int) -> ClipRows | Failure:
    """Listen to a file, here or at a URL.

    Memory: 80 MB an hour, for the mel power of all frames.

    Parameters
    ----------
    location
        Its path or URL.
    windows
        How many windows a track of over 31 s gives at most; fewer where they would overlap.

    Returns
    -------
    ClipRows | Failure
        A failure where there is nothing to be heard, or a URL cannot be read.

    Raises
    ------
    DecodeError
        If the file gives no sound.
    """
    stream = DescriptorStream(["mel"], keep_frames=False)
    pieces: list[Float32Array] = []
    try:
        with local_copy(location) as path, decode(path) as blocks:
            pieces += map(stream.push, blocks)
            pieces.append(stream.finish())
            audio = blocks.info
    except TonotopeError as error:
        return _failure(error)
    n_frames = sum(map(len, pieces))
    if n_frames < _SHORTEST_CLIP_FRAMES:
        return Failure("shorter than 1 s", "Take it out of the data.")
    is_whole = n_frames <= _LONGEST_CLIP_FRAMES
    n_window = n_frames if is_whole else WINDOW_FRAMES
    starts = [0] if is_whole else window_starts(n_frames, windows)
    heard = [_between(pieces, start, start + n_window) for start in starts]
    rows = [spectrogram_row(log_mel) for log_mel in map(window_of, heard) if log_mel.any()]
    if not rows:  # all of it at the floor is, relative to the maximum, 0 dB throughout
        return Failure("nothing is to be heard in it", "Take it out of the data.")
    return ClipRows(audio.audio_id, audio.duration_s, np.stack(rows), is_whole)


def identity_of(location: str) -> AudioIdentity | Failure:
    """Say which recording a file holds, without decoding it; see `tonotope.audio.identify`."""
    try:
        with local_copy(location) as path:
            return identify(path)
    except TonotopeError as error:
        return _failure(error)


def window_starts(n_frames: int, windows: int) -> list[int]:
    """Return the first frames of the windows of a track, each in the middle of its share of it.

    One is the middle of the track. None overlaps another.
    """
    windows = max(1, min(windows, n_frames // WINDOW_FRAMES))
    centres = (np.arange(windows) + 0.5) * n_frames / windows
    starts = np.floor(centres - WINDOW_FRAMES / 2).astype(int)
    return [int(start) for start in np.clip(starts, 0, max(0, n_frames - WINDOW_FRAMES))]


def spectrogram_row(log_mel: Float32Array) -> NDArray[np.uint8]:
    """Return a log-mel spectrogram as a cache holds it.

    Parameters
    ----------
    log_mel
        Shape (n_columns, 128), dB from -80 to 0.

    Returns
    -------
    ndarray
        Shape (128, n_columns), uint8: ``round((dB + 80) / 80 * 255)``.
    """
    steps = np.round((log_mel + np.float32(DEPTH_DB)) / np.float32(DEPTH_DB) * np.float32(255))
    return np.ascontiguousarray(steps.astype(np.uint8).T)


def _between(pieces: Sequence[Float32Array], start: int, stop: int) -> Float32Array:
    """Return the frames from `start` to before `stop`, without a copy of all the others."""
    found, first = [], 0
    for piece in pieces:
        if first < stop and first + len(piece) > start:
            found.append(piece[max(0, start - first) : stop - first])
        first += len(piece)
    return np.concatenate(found)


def _failure(error: TonotopeError) -> Failure:
    reason = getattr(error, "reason", None) or str(error)
    return Failure(reason, "Check the file, or take it out of the data.")
