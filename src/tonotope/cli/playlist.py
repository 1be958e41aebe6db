"""``tonotope playlist``."""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tonotope.cli.options import JsonOption, LibraryOption, WholeNumber
from tonotope.cli.output import complain, duration, print_json, say, track_document
from tonotope.errors import InputError

__all__ = ["playlist"]


def playlist(
    *,
    like: Annotated[list[str], Parameter(consume_multiple=True, negative="")],
    out: Path,
    minutes: float | None = None,
    n: WholeNumber | None = None,
    library: LibraryOption = None,
    json: JsonOption = False,
) -> None:
    """Write a playlist that begins with a track and goes on with what sounds like it.

    No recording comes twice, and no artist follows himself where that can be avoided.

    Parameters
    ----------
    like
        One or more files, which need not be in the library, or ids of tracks. The first comes
        first.
    out
        The playlist to write, `.m3u8`. Tracks beside or below it are named relative to it.
    minutes
        How long at most; 60 if neither this nor `--n` is given.
    n
        How many tracks.
    """
    from tonotope.session import Library

    if minutes is not None and not isfinite(minutes):
        raise InputError(f"a playlist cannot hold {minutes} minutes. Name a number of them.")
    with Library(library) as opened:
        tracks = opened.playlist(like, n=n, minutes=minutes)
        left_out = opened.write_playlist(out, tracks)
    for track in left_out:
        complain(f"not in the playlist, which cannot name a path with a line break: {track.path}")
    tracks = [track for track in tracks if track not in left_out]
    length_s = sum(track.duration_s for track in tracks)
    if json:
        print_json(
            {
                "out": str(out),
                "tracks": [track_document(track) for track in tracks],
                "duration_s": round(length_s, 1),
            }
        )
        return
    for number, track in enumerate(tracks, start=1):
        say(f"{number:3d}  {track.name}  ({duration(track.duration_s)})")
    say(f"{len(tracks)} tracks, {duration(length_s)}, written to {out}")
