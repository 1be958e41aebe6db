"""Keys, scales, chords and melodies, as MIDI note numbers; and the sketch a piece starts from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

__all__ = ["Chord", "Progression", "Sketch", "bass_note", "draw_moves", "phrase", "voicing"]

SCALES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "major pentatonic": (0, 2, 4, 7, 9),
    "minor pentatonic": (0, 3, 5, 7, 10),
}
CHORDS = {
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "5": (0, 7),
    "sus2": (0, 2, 7),
    "7": (0, 4, 7, 10),
    "9": (0, 4, 7, 10, 14),
    "maj7": (0, 4, 7, 11),
    "maj9": (0, 4, 7, 11, 14),
    "6": (0, 4, 7, 9),
    "m7": (0, 3, 7, 10),
    "m9": (0, 3, 7, 10, 14),
    "m7b5": (0, 3, 6, 10),
}


class Chord(NamedTuple):
    """A chord: semitones of its root above the key, and its quality (a key of `CHORDS`)."""

    root: int
    quality: str


@dataclass(frozen=True)
class Progression:
    """One chord a bar, over and over, and the scale that melodies take."""

    scale: str
    chords: tuple[Chord, ...]

    @classmethod
    def parse(cls, scale: str, chords: str) -> Progression:
        """Return the progression written as semitones and qualities: ``"0m7 5m7 10:7 3maj7"``."""
        parsed = []
        for word in chords.split():
            n_digits = len(word) - len(word.lstrip("0123456789"))
            parsed.append(Chord(int(word[:n_digits]), word[n_digits:].removeprefix(":")))
        return cls(scale, tuple(parsed))

    def __getitem__(self, bar: int) -> Chord:
        return self.chords[bar % len(self.chords)]


@dataclass(frozen=True)
class Sketch:
    """What tells the pieces of one style apart before a note is written.

    Attributes
    ----------
    key
        Pitch class of the tonic, 0 for C to 11 for B.
    tempo_bpm
        Beats per minute.
    progression
        The harmony.
    length_s
        About how long the piece is to be.
    """

    key: int
    tempo_bpm: float
    progression: Progression
    length_s: float

    @property
    def beat_s(self) -> float:
        """The length of a beat in seconds."""
        return 60.0 / self.tempo_bpm

    def n_bars(self, beats: int) -> int:
        """Return how many bars of `beats` beats come nearest to the length: an even number."""
        return 2 * round(self.length_s / (2 * beats * self.beat_s))


def voicing(key: int, chord: Chord, low: int) -> list[int]:
    """Return the notes of a chord, each in the octave above `low`.

    Chords that follow each other so lie close together, and their voices move little.
    """
    notes = (low + (key + chord.root + step - low) % 12 for step in CHORDS[chord.quality])
    return sorted(set(notes))


def bass_note(key: int, chord: Chord, low: int) -> int:
    """Return the root of a chord in the octave above `low`."""
    return low + (key + chord.root - low) % 12


def draw_moves(rng: np.random.Generator, n: int) -> list[int]:
    """Return the steps of a tune along its scale: mostly small, and rather back than away."""
    moves = [0]
    for _ in range(n - 1):
        position = sum(moves)
        weights = np.array([1.0, 3.0, 1.2, 3.0, 1.0]) * np.exp(-0.35 * position * np.arange(-2, 3))
        moves.append(int(rng.choice(np.arange(-2, 3), p=weights / weights.sum())))
    return moves


def phrase(
    key: int, scale: str, chord: Chord, moves: Sequence[int], strong: Sequence[bool], middle: int
) -> list[int]:
    """Return a tune over one chord, one note per move.

    The same moves over another chord give the same tune in sequence, which is what makes a
    stranger recognise it.

    Parameters
    ----------
    moves
        Steps along the scale, from the chord note nearest to `middle`.
    strong
        Whether a note falls on a strong beat and so must belong to the chord.
    middle
        The note around which the tune lies.
    """
    tones = np.array([n for n in range(24, 109) if (n - key) % 12 in SCALES[scale]])
    chord_classes = {(key + chord.root + step) % 12 for step in CHORDS[chord.quality]}
    chord_tones = np.array([n for n in range(24, 109) if n % 12 in chord_classes])
    start = chord_tones[np.abs(chord_tones - middle).argmin()]
    positions = np.abs(tones - start).argmin() + np.cumsum(moves)
    notes = tones[positions]
    return [
        int(chord_tones[np.abs(chord_tones - note).argmin()] if on_beat else note)
        for note, on_beat in zip(notes, strong, strict=True)
    ]
