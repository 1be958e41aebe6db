"""From a track's samples to the windows that a network hears, in any representation.

A window begins every `hop_s` as long as the track fills it. The end, which no whole window covers,
gets one more if at least half a window is left where that one would begin; it is filled up by
repeating what there is of it, or by silence, as the card says. A track shorter than a window gets
one in any case. Windows in which nothing is to be heard are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tonotope.features.mel import N_MELS
from tonotope.features.stft import Float32Array
from tonotope.features.stream import DescriptorStream
from tonotope.models.frontend import N_COLUMNS, WindowStream
from tonotope.models.melspec import MelStream, logarithm
from tonotope.models.representations import GtzanMel, LogMel, Representation, Waveform

__all__ = ["FrontEnd", "InputWindow", "front_end", "window_shape"]

# Two steps of 16 bits: the dither of a silence does not exceed them.
_SILENT_PEAK = np.float32(2 / 32768)
# As the feature extractors of wav2vec 2.0 and its kin have it.
_LEAST_VARIANCE = 1e-7


@dataclass(frozen=True, slots=True)
class InputWindow:
    """A window as a network hears it.

    Attributes
    ----------
    start_s
        Where it begins in the track.
    values
        Float32, of the shape that `window_shape` says.
    """

    start_s: float
    values: Float32Array


class FrontEnd(Protocol):
    """Makes windows of a track's samples as they come; of one track only."""

    def push(self, samples: Float32Array) -> Iterator[InputWindow]:
        """Take more samples, shape (n_samples,); yield the windows that are complete."""

    def finish(self) -> Iterator[InputWindow]:
        """Yield what the end of the track gives."""


def front_end(spec: Representation) -> FrontEnd:
    """Return a front end for one track."""
    if isinstance(spec, LogMel):
        return _LogMelWindows(spec)
    if isinstance(spec, Waveform):
        return _WaveformWindows(spec)
    return _GtzanMelWindows()


def window_shape(spec: Representation) -> tuple[int, ...]:
    """Return the shape of one window."""
    if isinstance(spec, GtzanMel):
        return (N_COLUMNS, N_MELS)
    if isinstance(spec, Waveform):
        return (spec.window_samples,)
    shape = (spec.window_frames, spec.n_mels)
    return shape if spec.layout == "time,band" else shape[::-1]


class _GtzanMelWindows:
    """Windows of 30 s as in analysis: the last one ends with the track."""

    def __init__(self) -> None:
        self._mel = DescriptorStream(["mel"], keep_frames=False)
        self._windows = WindowStream()

    def push(self, samples: Float32Array) -> Iterator[InputWindow]:
        for window in self._windows.push(self._mel.push(samples)):
            yield InputWindow(window.start_s, window.log_mel)

    def finish(self) -> Iterator[InputWindow]:
        for window in self._windows.push(self._mel.finish()):
            yield InputWindow(window.start_s, window.log_mel)
        for window in self._windows.finish():
            yield InputWindow(window.start_s, window.log_mel)


class _WaveformWindows:
    """Windows of samples."""

    def __init__(self, spec: Waveform) -> None:
        self._spec = spec
        self._cutter = _Cutter(spec.window_samples, spec.hop_samples)

    def push(self, samples: Float32Array) -> Iterator[InputWindow]:
        for start, window in self._cutter.push(samples, np.abs(samples) > _SILENT_PEAK):
            yield self._window(start, window)

    def finish(self) -> Iterator[InputWindow]:
        for start, window in self._cutter.finish():
            yield self._window(start, window)

    def _window(self, start: int, samples: Float32Array) -> InputWindow:
        if self._spec.normalise == "zero-mean-unit-variance":
            deviation = np.sqrt(samples.var(dtype=np.float64) + _LEAST_VARIANCE)
            samples = (samples - samples.mean(dtype=np.float64)) / deviation
        values = _padded(samples, self._spec.window_samples, self._spec.pad)
        return InputWindow(start / self._spec.sample_rate_hz, values)


class _LogMelWindows:
    """Windows of frames, which are the whole track's: they see what lies around the window."""

    def __init__(self, spec: LogMel) -> None:
        self._spec = spec
        self._mel = MelStream(spec)
        self._cutter = _Cutter(spec.window_frames, spec.hop_frames)

    def push(self, samples: Float32Array) -> Iterator[InputWindow]:
        for mel, peak in self._mel.push(samples):
            for start, window in self._cutter.push(mel, peak > _SILENT_PEAK):
                yield self._window(start, window)

    def finish(self) -> Iterator[InputWindow]:
        for mel, peak in self._mel.finish():
            for start, window in self._cutter.push(mel, peak > _SILENT_PEAK):
                yield self._window(start, window)
        for start, window in self._cutter.finish():
            yield self._window(start, window)

    def _window(self, start: int, mel: Float32Array) -> InputWindow:
        values = logarithm(_padded(mel, self._spec.window_frames, self._spec.pad), self._spec)
        start_s = start * self._spec.hop_length / self._spec.sample_rate_hz
        return InputWindow(start_s, values if self._spec.layout == "time,band" else values.T)


class _Cutter:
    """Cuts items that come one after the other, samples or frames, into windows.

    At most a window, what lies between two, and what comes at a time is held.

    Parameters
    ----------
    length
        Items in a window.
    hop
        From one window's first item to the next one's.
    """

    def __init__(self, length: int, hop: int) -> None:
        self._length = length
        self._hop = hop
        self._items: list[Float32Array] = []
        self._audible: list[NDArray[np.bool_]] = []
        self._n_held = 0
        # Of the next window: its first item, and how many of the items held come before that.
        self._start = 0
        self._n_skipped = 0

    def push(
        self, items: Float32Array, audible: NDArray[np.bool_]
    ) -> Iterator[tuple[int, Float32Array]]:
        """Take more items, and of each whether it can be heard.

        Yields
        ------
        start
            The window's first item, counted from the track's beginning.
        window
            Its items.
        """
        self._items.append(items)
        self._audible.append(audible)
        self._n_held += len(items)
        if self._n_held < self._n_skipped + self._length:
            return
        held, is_audible = np.concatenate(self._items), np.concatenate(self._audible)
        first = self._n_skipped
        while first + self._length <= len(held):
            window = slice(first, first + self._length)
            if is_audible[window].any():
                yield self._start, held[window]
            self._start += self._hop
            first += self._hop
        self._hold(held[first:], is_audible[first:])
        self._n_skipped = max(0, first - len(held))

    def finish(self) -> Iterator[tuple[int, Float32Array]]:
        """Yield the window at the end, shorter than others, if there is one."""
        held = np.concatenate(self._items) if self._items else np.empty(0, np.float32)
        rest = held[self._n_skipped :]
        n_covered = self._length - self._hop if self._start else 0
        is_long_enough = self._start == 0 or 2 * len(rest) >= self._length
        if len(rest) <= max(0, n_covered) or not is_long_enough:
            return
        if np.concatenate(self._audible)[self._n_skipped :].any():
            yield self._start, rest

    def _hold(self, items: Float32Array, audible: NDArray[np.bool_]) -> None:
        # Copies, so that the joined items are freed.
        self._items = [items.copy()]
        self._audible = [audible.copy()]
        self._n_held = len(items)


def _padded(items: Float32Array, length: int, pad: str) -> Float32Array:
    """Return items, shape (n_items, ...), filled up to a length along the first axis."""
    if len(items) < length:
        if pad == "repeat":
            items = items[np.arange(length) % len(items)]
        else:
            missing = [(0, length - len(items)), *[(0, 0)] * (items.ndim - 1)]
            items = np.pad(items, missing)
    padded: Float32Array = items.astype(np.float32, copy=False)
    return padded
