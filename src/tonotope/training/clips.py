"""What a data set consists of: clips with their labels, and how they are parted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["PARTS", "Clip", "Split", "labels_of", "track_of"]

PARTS = ("train", "valid", "test")

IndexArray = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Clip:
    """One labelled piece of music.

    Attributes
    ----------
    name
        Unique in its data set, e.g. ``"blues.00029"``.
    genre
        The one label; empty where the data set gives none.
    split
        Its part of the data set's own split: ``"train"``, ``"valid"``, ``"test"``, or empty.
    artist, title
        Empty where unknown.
    recording
        What all clips of one recording share, and no other clip: the ``audio_id`` where the audio
        was at hand. Empty where unknown.
    genres
        All labels, where a clip may have several.
    path
        The audio, absolute; empty where there is none (a cache of spectrograms).
    flags
        What is known to be wrong with it, a phrase each: ``"repeats pop.00021"``.
    """

    name: str
    genre: str
    split: str = ""
    artist: str = ""
    title: str = ""
    recording: str = ""
    genres: tuple[str, ...] = ()
    path: str = ""
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Split:
    """One way to part clips.

    Attributes
    ----------
    name
        What it is called in reports, e.g. ``"official"`` or ``"fold 2 of 5"``.
    parts
        From part (`PARTS`) to the indices of its clips; clips in none are left out.
    leaks
        What clips on two sides share, a line each: empty for an honest split.
    """

    name: str
    parts: Mapping[str, IndexArray]
    leaks: tuple[str, ...] = field(default=())

    @property
    def is_leaky(self) -> bool:
        """Whether training and test share artists, recordings or sound."""
        return bool(self.leaks)


def labels_of(clips: Sequence[Clip]) -> tuple[str, ...]:
    """Return the genres that occur, in alphabetical order: the order of a model's outputs."""
    return tuple(sorted({clip.genre for clip in clips if clip.genre}))


def track_of(clip: Clip) -> str:
    """Return what groups the clips of one track: its recording, or the clip itself."""
    return clip.recording or clip.name
