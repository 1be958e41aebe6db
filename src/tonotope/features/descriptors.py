"""What there is to ask for: every descriptor with its family, shape and unit, and the result.

A family is what is computed anew when its definition changes; each has a version.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tonotope.features.moments import Moments
from tonotope.features.stft import HOP_LENGTH, SAMPLE_RATE_HZ

__all__ = ["DESCRIPTORS", "Descriptor", "Descriptors", "resolve"]


@dataclass(frozen=True, slots=True)
class Descriptor:
    """Something that can be computed of a track.

    Attributes
    ----------
    name
        What it is asked for by.
    family
        ``spectrum``, ``timbre``, ``harmony``, ``rhythm`` or ``level``.
    n_columns
        How many numbers a frame has; 0 where there is one answer per track.
    unit
        Of each number; empty where it has none.
    on_request
        Whether it is left out unless it is named: what is large, or of special use.
    """

    name: str
    family: str
    n_columns: int
    unit: str = ""
    on_request: bool = False


DESCRIPTORS: Mapping[str, Descriptor] = {
    descriptor.name: descriptor
    for descriptor in (
        Descriptor("magnitude", "spectrum", 1025, on_request=True),
        Descriptor("power", "spectrum", 1025, on_request=True),
        Descriptor("mel", "spectrum", 128, on_request=True),
        Descriptor("log_mel", "spectrum", 128, "dB"),
        Descriptor("mfcc", "timbre", 20, "dB"),
        Descriptor("mfcc_delta", "timbre", 20, "dB per frame", on_request=True),
        Descriptor("mfcc_delta2", "timbre", 20, "dB per frame²", on_request=True),
        Descriptor("spectral_contrast", "timbre", 7, "dB"),
        Descriptor("spectral_centroid", "timbre", 1, "Hz"),
        Descriptor("spectral_bandwidth", "timbre", 1, "Hz"),
        Descriptor("spectral_rolloff", "timbre", 1, "Hz"),
        Descriptor("spectral_flatness", "timbre", 1),
        Descriptor("zero_crossing_rate", "timbre", 1, "per sample"),
        Descriptor("rms", "timbre", 1, "full scale = 1"),
        Descriptor("tuning", "harmony", 0, "semitones"),
        Descriptor("chroma_stft", "harmony", 12),
        Descriptor("cqt", "harmony", 84),
        Descriptor("chroma_cqt", "harmony", 12),
        Descriptor("chroma_cens", "harmony", 12),
        Descriptor("tonnetz", "harmony", 6),
        Descriptor("pitch_class_profile", "harmony", 12),
        Descriptor("key_profile", "harmony", 0),
        Descriptor("key", "harmony", 0),
        # As in the FMA data set, from 12 bins per octave.
        Descriptor("chroma_cqt_12", "harmony", 12, on_request=True),
        Descriptor("chroma_cens_12", "harmony", 12, on_request=True),
        Descriptor("tonnetz_cens_12", "harmony", 6, on_request=True),
        Descriptor("onset_strength", "rhythm", 1, "dB per frame"),
        Descriptor("onset_times", "rhythm", 0, "s"),
        Descriptor("tempogram", "rhythm", 384, on_request=True),
        Descriptor("tempo", "rhythm", 0, "bpm"),
        Descriptor("beat_times", "rhythm", 0, "s"),
        Descriptor("beat_histogram", "rhythm", 0),
        Descriptor("beat_histogram_summary", "rhythm", 0),
        Descriptor("pulse_clarity", "rhythm", 0),
        Descriptor("rhythm_patterns", "rhythm", 0, "sone"),
        Descriptor("fluctuation", "rhythm", 0),
        Descriptor("danceability", "rhythm", 0),
        Descriptor("level", "level", 0),
    )
}
"""Every descriptor by its name."""


def resolve(features: Iterable[str] | None) -> frozenset[str]:
    """Return the names of what is asked for; None asks for all that is not `on_request`.

    Raises
    ------
    ValueError
        If there is no such descriptor.
    """
    if features is None:
        return frozenset(name for name, d in DESCRIPTORS.items() if not d.on_request)
    if isinstance(features, str):
        raise ValueError(f"features is a list of names, as in features=[{features!r}]")
    wanted = frozenset(features)
    unknown = sorted(wanted - DESCRIPTORS.keys())
    if unknown:
        raise ValueError(
            f"no descriptor is called {', '.join(map(repr, unknown))}. "
            f"There are: {', '.join(DESCRIPTORS)}."
        )
    return wanted


@dataclass(frozen=True, slots=True, eq=False)
class Descriptors(Mapping[str, Any]):
    """The descriptors of a track, by name.

    Per frame an array, time first: shape (n_frames,) or (n_frames, n_columns), float32. Per track
    a number, an array or a record; see `DESCRIPTORS` and each one's own page.

    Attributes
    ----------
    n_samples
        How long the track is, at 22 050 Hz.
    computed
        What was asked for. The arrays per frame are missing where they were not kept.
    summed
        The moments of those.

    Examples
    --------
    >>> descriptors = analyze(blocks, features=["mfcc", "tempo"])
    >>> descriptors["mfcc"].shape
    (1292, 20)
    >>> descriptors["tempo"].bpm
    117.45383522727273
    """

    n_samples: int
    computed: Mapping[str, Any]
    summed: Mapping[str, Moments] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.computed[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.computed)

    def __len__(self) -> int:
        return len(self.computed)

    def moments_of(self, name: str) -> Moments:
        """Return the moments over all frames of a descriptor that has frames."""
        return self.summed[name] if name in self.summed else Moments.of(self.computed[name])

    @property
    def n_frames(self) -> int:
        """How many frames the track has."""
        return 1 + self.n_samples // HOP_LENGTH

    @property
    def duration_s(self) -> float:
        """How long the track is, in seconds."""
        return self.n_samples / SAMPLE_RATE_HZ

    @property
    def times_s(self) -> NDArray[np.float64]:
        """The middle of each frame in seconds, shape (n_frames,)."""
        return np.arange(self.n_frames, dtype=np.float64) * (HOP_LENGTH / SAMPLE_RATE_HZ)
