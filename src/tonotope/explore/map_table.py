"""A map as a table: one row for each track, CSV."""

from __future__ import annotations

import csv
from io import StringIO

import numpy as np

from tonotope.session.maps import LibraryMap

__all__ = ["map_table"]

_COLUMNS = ("audio_id", "path", "artist", "title", "album", "genre", "group", "tempo_bpm")


def map_table(drawn: LibraryMap) -> str:
    """Return a map as CSV with one line of names: ``audio_id``, ``path``, ..., ``x``, ``y``, ``z``.

    What is not known is empty. Coordinates have six decimals: more than a map says.
    """
    lines = StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow((*_COLUMNS, *("x", "y", "z")[: drawn.n_dims]))
    for row, track in enumerate(drawn.tracks):
        bpm = drawn.tempos_bpm[row]
        writer.writerow(
            (
                track.audio_id,
                track.path,
                track.artist,
                track.title,
                track.album,
                drawn.genres[row],
                drawn.groups[row],
                f"{bpm:.1f}" if np.isfinite(bpm) else "",
                *(f"{value:.6f}" for value in drawn.points[row]),
            )
        )
    return lines.getvalue()
