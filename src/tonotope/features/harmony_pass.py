"""What is computed of a track once it is known how the music is tuned."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from tonotope.features import chroma
from tonotope.features.cqt import N_CQT_BINS, CqtStream
from tonotope.features.frames import BatchSpectrum, FrameBuffer, frames_of
from tonotope.features.key import key_chroma
from tonotope.features.stft import BATCH_FRAMES, N_BINS, Float32Array
from tonotope.features.tonal import pitch_class_profile, tonnetz

__all__ = ["HarmonyPass"]

_TUNING_FRAMES = frames_of(minutes=2)

_OF_KEY = frozenset({"key", "key_profile"})
_OF_36_BINS = frozenset({"chroma_cqt", "chroma_cens", "tonnetz"}) | _OF_KEY
_OF_12_BINS = frozenset({"cqt", "chroma_cqt_12", "chroma_cens_12", "tonnetz_cens_12"})
_OF_FRAMES = frozenset({"chroma_stft", "pitch_class_profile"})
_TUNED = _OF_FRAMES | _OF_36_BINS | _OF_12_BINS | {"tuning"}


class HarmonyPass:
    """Holds the first two minutes back until their tuning is known; the rest is tuned like them.

    Parameters
    ----------
    wanted
        Names of descriptors; those of other families are passed over.

    Attributes
    ----------
    tuning
        In semitones, once it is known.
    key_profile
        Sum over all frames so far of the pitch classes that the key is told from, shape (12,).
    """

    def __init__(self, wanted: frozenset[str]) -> None:
        self._wanted = wanted & _TUNED
        self.tuning: float | None = None
        self.key_profile: NDArray[np.float64] = np.zeros(chroma.N_CHROMA)
        self._power_tuning = 0.0
        self._cqt: CqtStream | None = None
        self._bins_per_octave = [
            bins
            for bins, descriptors in ((12, _OF_12_BINS), (36, _OF_36_BINS))
            if descriptors & wanted
        ]
        self._tunings_bins: list[float] = []
        self._held_signal: list[Float32Array] = []
        self._held_power = FrameBuffer(N_BINS, n_expected=_TUNING_FRAMES)
        self._held_peaks: list[chroma.SpectralPeaks] = []
        self._power_peaks: list[chroma.SpectralPeaks] = []
        self._n_held = 0
        widths = {
            "chroma_stft": chroma.N_CHROMA,
            "pitch_class_profile": chroma.N_CHROMA,
            "cqt": N_CQT_BINS,
            "classes_12": chroma.N_CHROMA,
            "classes_36": chroma.N_CHROMA,
        }
        self._buffers = {name: FrameBuffer(width) for name, width in widths.items()}

    def push_signal(self, signal: Float32Array) -> None:
        """Take more of the signal; it is not kept."""
        if not self._bins_per_octave:
            return
        if self._cqt is None:
            self._held_signal.append(signal.copy())
        else:
            self._keep_cqt(self._cqt.push(signal))

    def push_spectrum(self, spectrum: BatchSpectrum) -> None:
        """Take the next frames."""
        is_tuned = self.tuning is not None
        if not self._wanted or (is_tuned and not self._wanted & _OF_FRAMES):
            return
        if is_tuned:
            self._keep_chroma(spectrum.power)
            if "pitch_class_profile" in self._wanted:
                peaks = chroma.spectral_peaks(spectrum.magnitude, spectrum.loudest)
                self._keep_profile(peaks, len(spectrum.power))
            return
        peaks = chroma.spectral_peaks(spectrum.magnitude, spectrum.loudest)
        self._held_peaks.append(peaks)
        if "chroma_stft" in self._wanted:
            self._held_power.append(spectrum.power)
            self._power_peaks.append(chroma.power_peaks(spectrum.power, peaks, spectrum.loudest))
        self._n_held += len(spectrum.power)
        if self._n_held >= _TUNING_FRAMES:
            self._tune()

    def finish(self) -> None:
        """Take note that no more comes."""
        if not self._wanted:
            return
        if self.tuning is None:
            self._tune()
        if self._cqt is not None:
            self._keep_cqt(self._cqt.finish())

    def take(self, *, at_least: int = 1) -> Iterator[tuple[str, Float32Array]]:
        """Yield the descriptors of which there are `at_least` so many frames, and begin anew."""
        for name, buffer in self._buffers.items():
            if buffer.n_frames < at_least:
                continue
            rows = buffer.take()
            if name == "classes_12":
                yield from self._of_classes(rows, "chroma_cqt_12", "chroma_cens_12")
            elif name == "classes_36":
                yield from self._of_classes(rows, "chroma_cqt", "chroma_cens")
            else:
                yield name, rows

    def _tune(self) -> None:
        octaves = _octaves(self._held_peaks)
        self.tuning = chroma.tuning_of_octaves(octaves, chroma.N_CHROMA)
        if "chroma_stft" in self._wanted:
            in_power = _octaves(self._power_peaks)
            self._power_tuning = chroma.tuning_of_octaves(in_power, chroma.N_CHROMA)
        held = self._held_power.take()
        for start in range(0, len(held), BATCH_FRAMES):
            self._keep_chroma(held[start : start + BATCH_FRAMES])
        n_left = self._n_held
        for peaks in self._held_peaks:
            self._keep_profile(peaks, min(n_left, BATCH_FRAMES))
            n_left -= BATCH_FRAMES
        self._held_peaks, self._power_peaks = [], []
        if self._bins_per_octave:
            self._tunings_bins = [
                self.tuning if bins == chroma.N_CHROMA else chroma.tuning_of_octaves(octaves, bins)
                for bins in self._bins_per_octave
            ]
            self._cqt = CqtStream(*zip(self._bins_per_octave, self._tunings_bins, strict=True))
            for signal in self._held_signal:
                self._keep_cqt(self._cqt.push(signal))
            self._held_signal = []

    def _keep_chroma(self, power: Float32Array) -> None:
        if "chroma_stft" in self._wanted:
            rows = chroma.chroma_stft(power, tuning=self._power_tuning)
            self._buffers["chroma_stft"].append(rows)

    def _keep_profile(self, peaks: chroma.SpectralPeaks, n_frames: int) -> None:
        if "pitch_class_profile" in self._wanted:
            rows = pitch_class_profile(
                peaks.frame,
                peaks.pitch_hz,
                np.square(peaks.height),
                n_frames=n_frames,
                tuning=self.tuning or 0.0,
            )
            self._buffers["pitch_class_profile"].append(rows)

    def _keep_cqt(self, stretches: Iterable[list[Float32Array]]) -> None:
        for stretch in stretches:
            for bins, tuning_bins, magnitude in zip(
                self._bins_per_octave, self._tunings_bins, stretch, strict=True
            ):
                if bins == 12 and "cqt" in self._wanted:
                    self._buffers["cqt"].append(magnitude)
                if bins == 36 and self._wanted & _OF_KEY:
                    classes = key_chroma(
                        magnitude, tuning=self.tuning or 0.0, cqt_tuning=tuning_bins
                    )
                    self.key_profile += classes.sum(axis=0, dtype=np.float64)
                classes = chroma.unnormalised_chroma(magnitude)
                self._buffers[f"classes_{bins}"].append(classes)

    def _of_classes(
        self, rows: Float32Array, cqt_name: str, cens_name: str
    ) -> Iterator[tuple[str, Float32Array]]:
        strongest_is_one = chroma.strongest_is_one(rows)
        if cqt_name in self._wanted:
            yield cqt_name, strongest_is_one
        if "tonnetz" in self._wanted and cqt_name == "chroma_cqt":
            yield "tonnetz", tonnetz(strongest_is_one)
        if self._wanted & {cens_name, "tonnetz_cens_12"}:
            cens = chroma.chroma_cens(rows)
            if cens_name in self._wanted:
                yield cens_name, cens
            if "tonnetz_cens_12" in self._wanted and cqt_name == "chroma_cqt_12":
                yield "tonnetz_cens_12", tonnetz(cens)


def _octaves(peaks: list[chroma.SpectralPeaks]) -> NDArray[np.float64]:
    pitch_hz = np.concatenate([batch.pitch_hz for batch in peaks])
    return chroma.octaves_of_loud_peaks(pitch_hz, np.concatenate([batch.height for batch in peaks]))
