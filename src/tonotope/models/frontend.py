"""What the networks hear: the log-mel representation ``gtzan-mel``.

Mel power (128 bands, 2048-sample frames every 512 at 22 050 Hz) is put through
``librosa.amplitude_to_db(mel, ref=np.max)``: decibels relative to the window's maximum. The
function is meant for amplitudes and here it is given power, as the data that the networks learn
from were made: its 80 dB hold 40 dB of power. Then one frame in 3.862 is kept: of a window of
1293 frames (30 s) these 333 columns, number ``c`` being frame ``floor((c + 2) * 1293 / 334.8)``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tonotope.features.stft import HOP_LENGTH, SAMPLE_RATE_HZ, Float32Array

__all__ = ["N_COLUMNS", "WINDOW_FRAMES", "Window", "WindowStream", "gtzan_mel", "window_of"]

N_COLUMNS = 333
WINDOW_FRAMES = 1293

# 29.9 s: what lacks less than a tenth of a second was meant to have 30.
_SHORTEST_SPREAD_FRAMES = 1288
_COLUMNS_PER_WINDOW = 334.8
_SKIPPED_COLUMNS = 2
# amplitude_to_db's own floor: what is below it counts as it.
_AMIN = 1e-5
_DEPTH_DB = 80.0
# The end of a track gets a window of its own, unless that would add less than this to the last.
_SHORTEST_REST_FRAMES = 5 * SAMPLE_RATE_HZ // HOP_LENGTH


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of 30 s (or the whole of a shorter track) as the networks hear it.

    Attributes
    ----------
    start_s
        Where it begins in the track.
    log_mel
        Shape (333, 128), float32, dB from -80 to 0.
    """

    start_s: float
    log_mel: Float32Array


def gtzan_mel(mel_power: Float32Array) -> Float32Array:
    """Return the representation of a clip.

    Parameters
    ----------
    mel_power
        All frames of the clip, shape (n_frames, 128); 1293 frames are 30 s.

    Returns
    -------
    ndarray
        Shape (333, 128), float32, dB from -80 to 0. A clip of other length is spread over the
        333 columns just so, as in the data set, and so plays faster or slower: see `window_of`.
    """
    n_frames = len(mel_power)
    columns = np.arange(_SKIPPED_COLUMNS, N_COLUMNS + _SKIPPED_COLUMNS)
    return _decibels(mel_power, np.floor(columns * n_frames / _COLUMNS_PER_WINDOW).astype(np.intp))


def window_of(mel_power: Float32Array) -> Float32Array:
    """Return what networks hear of a clip that fills no window, or about one.

    From 29.9 s on it is `gtzan_mel`, as in the data set, whose clips have from 29.9 to 30.7 s.
    What is shorter is repeated at its true speed until the window is full: spread over it, it would
    be heard at a tempo that is not its own.

    Parameters
    ----------
    mel_power
        All frames of the clip, shape (n_frames, 128), of which there must be one.

    Returns
    -------
    ndarray
        Shape (333, 128), float32, dB from -80 to 0.
    """
    if len(mel_power) < _SHORTEST_SPREAD_FRAMES:
        return _short_track(mel_power)
    return gtzan_mel(mel_power)


def _decibels(mel_power: Float32Array, frames: NDArray[np.intp]) -> Float32Array:
    reference = np.float32(max(_AMIN, float(mel_power.max(initial=0.0))))
    decibels: Float32Array = np.log10(np.maximum(mel_power[frames], np.float32(_AMIN)) / reference)
    decibels *= np.float32(20.0)
    return np.maximum(decibels, np.float32(-_DEPTH_DB), out=decibels)


def _short_track(mel_power: Float32Array) -> Float32Array:
    """Represent a track at its true speed: as often as it fits into a window."""
    spacing = WINDOW_FRAMES / _COLUMNS_PER_WINDOW
    n_columns = max(1, int((len(mel_power) - 1) / spacing) + 1 - _SKIPPED_COLUMNS)
    columns = _SKIPPED_COLUMNS + np.arange(N_COLUMNS) % n_columns
    frames = np.minimum(np.floor(columns * spacing).astype(np.intp), len(mel_power) - 1)
    return _decibels(mel_power, frames)


class WindowStream:
    """Cuts a track's mel power, as it comes, into windows of 30 s one after the other.

    The last window ends where the track ends and overlaps the one before; a rest of under 5 s
    is left to that one. Windows in which nothing is to be heard are left out. At most two
    windows are held.
    """

    def __init__(self) -> None:
        self._pending = [np.empty((0, 128), np.float32)]
        self._n_pending = 0
        # The window before the pending frames, from which the last one takes its beginning.
        self._previous = np.empty((0, 128), np.float32)
        self._start_frame = 0

    def push(self, mel_power: Float32Array) -> Iterator[Window]:
        """Take more frames, shape (n_frames, 128); yield the windows that are complete."""
        self._pending.append(mel_power)
        self._n_pending += len(mel_power)
        if self._n_pending < WINDOW_FRAMES:
            return
        frames = np.concatenate(self._pending)
        while len(frames) >= WINDOW_FRAMES:
            self._previous, frames = frames[:WINDOW_FRAMES], frames[WINDOW_FRAMES:]
            yield from self._window(self._previous, self._start_frame)
            self._start_frame += WINDOW_FRAMES
        self._pending = [frames]
        self._n_pending = len(frames)

    def finish(self) -> Iterator[Window]:
        """Yield the window at the track's end, if it has one of its own."""
        rest = np.concatenate(self._pending)
        if self._start_frame == 0:
            if len(rest):
                yield from self._window(rest, 0)
        elif len(rest) >= _SHORTEST_REST_FRAMES:
            frames = np.concatenate([self._previous[len(rest) :], rest])
            yield from self._window(frames, self._start_frame + len(rest) - WINDOW_FRAMES)

    def _window(self, mel_power: Float32Array, start_frame: int) -> Iterator[Window]:
        if mel_power.max() <= _AMIN:
            return  # all of it lies below the representation's floor
        yield Window(start_frame * HOP_LENGTH / SAMPLE_RATE_HZ, window_of(mel_power))
