"""``tonotope path``."""

from __future__ import annotations

from pathlib import Path

from tonotope.cli.options import JsonOption, LibraryOption, WeightsOption, WholeNumber, weights_in
from tonotope.cli.output import complain, counted, duration, print_json, say, track_document
from tonotope.cli.playlist import report_left_out

__all__ = ["path"]


def path(
    start: str,
    end: str,
    /,
    *,
    n: WholeNumber = 12,
    weights: WeightsOption = "balanced",
    out: Path | None = None,
    library: LibraryOption = None,
    json: JsonOption = False,
) -> None:
    """Find a gradual way from one track to another: every step is shorter than the jump.

    No recording comes twice, and no artist follows himself. Where there is no way of so many
    tracks, the longest there is comes out, and the standard error says so.

    Parameters
    ----------
    start, end
        Files, which need not be in the library, or ids of tracks.
    n
        How many tracks the way has, with both ends.
    out
        A playlist to write it to: `.m3u8`, `.m3u`, `.xspf`, `.jspf` or `.pls`.
    """
    from tonotope.library.playlist_files import check_playlist_name
    from tonotope.session import Library

    if out is not None:
        check_playlist_name(out)
    with Library(library, weights=weights_in(weights)) as opened:
        found = opened.path(start, end, n=n)
        left_out = [] if out is None else opened.write_playlist(out, found.tracks)
    for note in found.notes:
        complain(note)
    if out is not None:
        report_left_out(out, left_out)
    if json:
        print_json(
            {
                "out": None if out is None else str(out),
                "tracks": [track_document(track) for track in found.tracks],
                "steps": [round(step, 4) for step in found.steps],
                "jump": round(found.jump, 4),
                "notes": found.notes,
            }
        )
        return
    for track, step in zip(found.tracks, [None, *found.steps], strict=True):
        distance = "      " if step is None else f"{step:6.2f}"
        say(f"{distance}  {track.name}  ({duration(track.duration_s)})")
    longest = max(found.steps)
    say(
        f"{counted(len(found.tracks), 'track')}; "
        f"the longest step is {longest:.2f}, the jump {found.jump:.2f}"
    )
