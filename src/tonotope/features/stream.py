"""All descriptors of a track in one pass over its samples, which are never all held.

What a frame alone gives is computed as the frames come (`SpectrumPass`); what needs the tuning
once that is known (`HarmonyPass`); loudness and the envelope from the samples themselves; tempo,
beats and key from what was kept of all frames, at the end.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tonotope.features.beats import beat_times
from tonotope.features.descriptors import Descriptors, resolve
from tonotope.features.fingerprint import Fingerprint, FingerprintStream
from tonotope.features.fluctuation import (
    N_BARK,
    N_MODULATIONS,
    fluctuation_summary,
    rhythm_patterns,
)
from tonotope.features.frames import BatchSpectrum, FrameBuffer, frames_of
from tonotope.features.harmony_pass import HarmonyPass
from tonotope.features.key import estimate_key
from tonotope.features.loudness import LoudnessMeter
from tonotope.features.mel import N_MELS
from tonotope.features.moments import Moments
from tonotope.features.onset import onset_times
from tonotope.features.pulse import (
    EnvelopeStream,
    beat_histogram,
    beat_histogram_summary,
    danceability,
    pulse_clarity,
)
from tonotope.features.spectrum_pass import SpectrumPass
from tonotope.features.stft import Float32Array, FrameStream, SignalFrames
from tonotope.features.tempo import estimate_tempo, mean_tempogram, tempogram

__all__ = ["DescriptorStream", "analyze"]

_STRETCH_FRAMES = frames_of(minutes=20)
# 24 s at a time, always: stretches end where they end however the signal is cut, and neither
# decoding between two blocks nor one stage between two batches drives the other out of the
# processor's caches (a tenth of the time at 2 s).
_PIECE_SAMPLES = 1 << 19
# What is beyond is not sound at full scale 1, and its power no float32.
_MOST = 1e6
_NO_MEL = np.empty((0, N_MELS), np.float32)
_OF_TEMPOGRAM = frozenset({"tempo", "beat_times", "beat_histogram", "beat_histogram_summary"})
_OF_ONSETS = _OF_TEMPOGRAM | {"onset_strength", "onset_times", "tempogram", "pulse_clarity"}
_OF_PATTERNS = frozenset({"rhythm_patterns", "fluctuation"})


def analyze(blocks: Iterable[Float32Array], features: Iterable[str] | None = None) -> Descriptors:
    """Return the descriptors of a track, frame by frame and as a whole.

    Memory: what is returned (about 1.2 kB a frame, 190 MB an hour, for all that is not on request)
    and up to 100 MB, however long the track. The result does not depend on how it is cut into
    blocks.

    Parameters
    ----------
    blocks
        The track's samples in order, shape (n_samples,) each, mono at 22 050 Hz, full scale = 1:
        what `tonotope.audio.decode` yields. For an array: ``analyze([signal])``.
    features
        Names of descriptors (see `tonotope.features.DESCRIPTORS`); all that are not on request by
        default. Only what they need is computed.

    Raises
    ------
    ValueError
        If there is no such descriptor, a block is not one-dimensional, or a sample is no number
        or far beyond full scale.

    Examples
    --------
    >>> with decode("song.mp3") as blocks:
    ...     descriptors = analyze(blocks, features=["mfcc", "tempo"])
    """
    stream = DescriptorStream(features)
    for block in blocks:
        stream.push(block)
    stream.finish()
    return stream.result()


def _require_sound(samples: Float32Array) -> None:
    peak = max(samples.max(), -samples.min())
    if not peak <= _MOST:
        raise ValueError(
            f"a sample is {peak}, expected numbers around -1 to 1. Divide integers by their "
            "full scale, and leave out what is no number."
        )


class DescriptorStream:
    """Computes a track's descriptors from its samples as they come.

    Parameters
    ----------
    features
        See `analyze`.
    keep_frames
        Whether the result has descriptors per frame. If not, it has their moments alone, and
        memory is bounded by 20 minutes of frames: longer tracks are taken in such stretches,
        whose moments are added up. Decibels then end 80 below the loudest of the stretch, and an
        onset in its first three frames is heard late. (The tempogram, which is on request, is
        made of the whole track in any case: 60 MB more per 20 minutes.)
    fingerprint
        Whether a fingerprint is made as well, of the same spectra.

    Attributes
    ----------
    fingerprint
        What the recording is recognised by, after `finish`; None where it was not asked for.

    Examples
    --------
    >>> stream = DescriptorStream(["mfcc"])
    >>> for block in blocks:
    ...     mel = stream.push(block)
    >>> mel = stream.finish()
    >>> stream.result()["mfcc"]
    """

    def __init__(
        self,
        features: Iterable[str] | None = None,
        *,
        keep_frames: bool = True,
        fingerprint: bool = False,
    ) -> None:
        self._wanted = resolve(features)
        self._keep_frames = keep_frames
        of_spectrum = self._wanted - {"onset_strength"}
        if self._wanted & _OF_ONSETS:
            of_spectrum |= {"onset_strength"}
        if self._wanted & _OF_PATTERNS:
            of_spectrum |= {"bark_power"}
        self._framing = FrameStream()
        self._spectrum = SpectrumPass(of_spectrum)
        self._harmony = HarmonyPass(self._wanted)
        self._onsets = FrameBuffer(1)
        self._meter = LoudnessMeter() if "level" in self._wanted else None
        self._envelope = EnvelopeStream() if "danceability" in self._wanted else None
        self._fingerprints = FingerprintStream() if fingerprint else None
        self.fingerprint: Fingerprint | None = None
        self._is_finished = False
        self._n_samples = 0
        self._piece = np.empty(_PIECE_SAMPLES, np.float32)
        self._n_held = 0
        self._n_pattern_frames = 0
        self._patterns: Float32Array = np.zeros((N_BARK, N_MODULATIONS), np.float32)
        self._values: dict[str, Any] = {}
        self._moments: dict[str, Moments] = {}

    @property
    def n_samples(self) -> int:
        """How many samples have come so far."""
        return self._n_samples

    def push(self, block: Float32Array) -> Float32Array:
        """Take more samples.

        Parameters
        ----------
        block
            Shape (n_samples,), mono at 22 050 Hz, full scale = 1.

        Returns
        -------
        ndarray
            The mel power of the frames that were computed now, shape (n_frames, 128): none until
            24 s have come, or where nothing that was asked for needs it.

        Raises
        ------
        ValueError
            If the block is not one-dimensional, a sample is no number or far beyond full scale,
            or the stream has been finished.
        """
        if self._is_finished:
            raise ValueError("no more samples after finish()")
        block = np.asarray(block, dtype=np.float32)
        if block.ndim != 1:
            raise ValueError(f"a block has shape {block.shape}, expected (n_samples,): mono")
        mel = [_NO_MEL]
        while len(block):
            part = block[: _PIECE_SAMPLES - self._n_held]
            block = block[len(part) :]
            _require_sound(part)
            # Copied: the caller may fill the same buffer again.
            self._piece[self._n_held : self._n_held + len(part)] = part
            self._n_held += len(part)
            self._n_samples += len(part)
            if self._n_held == _PIECE_SAMPLES:
                mel.append(self._push_piece())
        return np.concatenate(mel)

    def _push_piece(self) -> Float32Array:
        samples = self._piece[: self._n_held]
        self._n_held = 0
        if self._meter is not None:
            self._meter.push(samples)
        if self._envelope is not None:
            self._envelope.push(samples)
        self._harmony.push_signal(samples)
        return self._describe(self._framing.push(samples))

    def finish(self) -> Float32Array:
        """Take note that no more samples come; return the mel power of the last frames."""
        mel = np.concatenate([self._push_piece(), self._describe(self._framing.finish())])
        self._is_finished = True
        self._harmony.finish()
        self._end_stretch()
        for name, frames in self._harmony.take():
            self._take(name, frames)
        self._finish_harmony()
        self._finish_rhythm()
        if self._meter is not None:
            self._meter.finish()
            self._values["level"] = self._meter.result
        if self._fingerprints is not None:
            self.fingerprint = self._fingerprints.finish()
        return mel

    def result(self) -> Descriptors:
        """Return the descriptors; only after `finish`."""
        if not self._is_finished:
            raise ValueError("no result before finish()")
        return Descriptors(self.n_samples, self._values, self._moments)

    def _describe(self, batches: Iterable[SignalFrames]) -> Float32Array:
        mel = [_NO_MEL]
        for batch in batches:
            spectrum = BatchSpectrum(batch)
            self._spectrum.push(spectrum)
            if self._fingerprints is not None:
                self._fingerprints.push(spectrum)
            self._harmony.push_spectrum(spectrum)
            if self._spectrum.has_mel:
                mel.append(spectrum.mel)
            if self._keep_frames:
                continue
            if self._spectrum.n_frames == _STRETCH_FRAMES:
                self._end_stretch()
            for name, frames in self._harmony.take(at_least=_STRETCH_FRAMES):
                self._take(name, frames)
        return np.concatenate(mel)

    def _end_stretch(self) -> None:
        if self._spectrum.n_frames == 0:
            return
        for name, frames in self._spectrum.take():
            if name == "bark_power":
                self._add_patterns(frames)
                continue
            if name == "onset_strength":
                self._onsets.append(frames)
            if name in self._wanted:
                self._take(name, frames)

    def _take(self, name: str, frames: Float32Array) -> None:
        if self._keep_frames:
            self._values[name] = frames
            return
        moments = Moments.of(frames)
        earlier = self._moments.get(name)
        self._moments[name] = moments if earlier is None else earlier + moments

    def _add_patterns(self, bark: Float32Array) -> None:
        # Of several stretches the mean, weighted by their lengths.
        self._n_pattern_frames += len(bark)
        share = np.float32(len(bark) / self._n_pattern_frames)
        self._patterns += share * (rhythm_patterns(bark) - self._patterns)

    def _finish_harmony(self) -> None:
        if "tuning" in self._wanted:
            self._values["tuning"] = self._harmony.tuning
        profile = self._harmony.key_profile
        if "key_profile" in self._wanted:
            self._values["key_profile"] = (profile / max(profile.sum(), 1e-30)).astype(np.float32)
        if "key" in self._wanted:
            self._values["key"] = estimate_key(profile)

    def _finish_rhythm(self) -> None:
        wanted, values = self._wanted, self._values
        if "rhythm_patterns" in wanted:
            values["rhythm_patterns"] = self._patterns
        if "fluctuation" in wanted:
            values["fluctuation"] = fluctuation_summary(self._patterns)
        if self._envelope is not None:
            self._envelope.finish()
            values["danceability"] = danceability(self._envelope.values)
        if not wanted & _OF_ONSETS:
            return
        onsets = self._onsets.take()[:, 0]
        if "onset_times" in wanted:
            values["onset_times"] = onset_times(onsets)
        if "pulse_clarity" in wanted:
            values["pulse_clarity"] = pulse_clarity(onsets)
        if "tempogram" in wanted:
            values["tempogram"] = tempogram(onsets)
        if not wanted & _OF_TEMPOGRAM:
            return
        mean = mean_tempogram(onsets)
        tempo = estimate_tempo(mean)
        if "tempo" in wanted:
            values["tempo"] = tempo
        if "beat_times" in wanted:
            values["beat_times"] = beat_times(onsets, tempo.bpm)
        if "beat_histogram" in wanted:
            values["beat_histogram"] = beat_histogram(mean)
        if "beat_histogram_summary" in wanted:
            values["beat_histogram_summary"] = beat_histogram_summary(mean)
