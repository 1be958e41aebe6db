"""The six styles, each a module with a tempo range, four progressions and a composer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tonotope.demo.harmony import Progression, Sketch
from tonotope.demo.styles import ambient, chiptune, house, metal, swing, waltz
from tonotope.demo.synthesis import Audio

__all__ = ["STYLES", "Style", "sketches"]

PIECES_PER_STYLE = 4
SHORTEST_S, LONGEST_S = 22.0, 33.0


@dataclass(frozen=True)
class Style:
    """A way to make music.

    Attributes
    ----------
    genre
        What the genre tag says.
    tempo_bpm
        Slowest and fastest tempo.
    progressions
        One for each piece.
    compose
        Turns a sketch into sound of shape (n, 2).
    """

    genre: str
    tempo_bpm: tuple[float, float]
    progressions: tuple[Progression, ...]
    compose: Callable[[Sketch, np.random.Generator, int], Audio]


STYLES = (
    Style("House", house.TEMPO_BPM, house.PROGRESSIONS, house.compose),
    Style("Ambient", ambient.TEMPO_BPM, ambient.PROGRESSIONS, ambient.compose),
    Style("Waltz", waltz.TEMPO_BPM, waltz.PROGRESSIONS, waltz.compose),
    Style("Swing", swing.TEMPO_BPM, swing.PROGRESSIONS, swing.compose),
    Style("Chiptune", chiptune.TEMPO_BPM, chiptune.PROGRESSIONS, chiptune.compose),
    Style("Metal", metal.TEMPO_BPM, metal.PROGRESSIONS, metal.compose),
)


def sketches(style: Style, rng: np.random.Generator) -> list[Sketch]:
    """Return four sketches in one style: no key or progression twice, tempos well apart."""
    keys = rng.permutation(12)[:PIECES_PER_STYLE]
    harmonies = rng.permutation(len(style.progressions))
    slowest, fastest = style.tempo_bpm
    quarters = rng.permutation(PIECES_PER_STYLE) + rng.random(PIECES_PER_STYLE)
    tempos = slowest + (fastest - slowest) * quarters / PIECES_PER_STYLE
    lengths_s = rng.uniform(SHORTEST_S, LONGEST_S, PIECES_PER_STYLE)
    return [
        Sketch(int(key), float(tempo), style.progressions[harmony], float(length))
        for key, tempo, harmony, length in zip(keys, tempos, harmonies, lengths_s, strict=True)
    ]
