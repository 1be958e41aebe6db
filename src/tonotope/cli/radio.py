"""``tonotope radio``."""

from __future__ import annotations

import json as json_module
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from tonotope.cli.options import JsonOption, LibraryOption, WeightsOption, WholeNumber, weights_in
from tonotope.cli.output import complain, counted, duration, printable, track_document

if TYPE_CHECKING:
    from tonotope.library.catalogue import Track

__all__ = ["radio"]

Names = Annotated[list[str], Parameter(consume_multiple=True, negative="")]


def radio(
    *,
    like: Names,
    unlike: Names | None = None,
    artist_gap: WholeNumber = 3,
    album_gap: WholeNumber = 3,
    weights: WeightsOption = "balanced",
    library: LibraryOption = None,
    json: JsonOption = False,
) -> None:
    """Say what to play next, again and again, and learn from what is liked and skipped.

    Prints a track and waits for a line on the standard input: `next`, or an empty line, for the
    next track; `skip` for the next and less of this kind; `like` for more of this kind; `quit`.
    No recording comes twice; when all have come, or the input ends, it ends. Likes and skips are
    kept (`tonotope feedback list`): `--weights learned` goes by them.

    Parameters
    ----------
    like
        One or more files, which need not be in the library, or ids of tracks. The first comes
        first.
    unlike
        Files or ids that nothing is to sound like.
    artist_gap
        How many tracks of others come between two of one artist, if there are others.
    album_gap
        How many tracks of others come between two of one album, if there are others.
    """
    from tonotope.discovery.playlists import Spacing
    from tonotope.errors import InputError
    from tonotope.session import Library

    if min(artist_gap, album_gap) < 0:
        raise InputError(f"a gap is {min(artist_gap, album_gap)}. Name a number of tracks.")
    with Library(library, weights=weights_in(weights)) as opened:
        playing = opened.radio(like, unlike=unlike or (), spacing=Spacing(artist_gap, album_gap))
    _print(playing.next(), playing.n_played, as_json=json)
    complained = False
    for word in _words():
        if word == "quit":
            return
        if word == "like":
            playing.like()
        elif word in ("", "next", "skip"):
            track = playing.skip() if word == "skip" else playing.next()
            if track is None:
                complain(f"nothing is left: {counted(playing.n_played, 'track')} played.")
                return
            _print(track, playing.n_played, as_json=json)
        else:
            complain(f"'{word}' is none of next, skip, like and quit.")
        if playing.problem and not complained:
            complain(f"what you like and skip is not kept: {playing.problem}")
            complained = True


def _words() -> Iterator[str]:
    """Give the lines of the standard input as they come; none if it is closed."""
    if sys.stdin is None:
        return
    while line := sys.stdin.buffer.readline():
        yield line.decode("utf-8", "replace").strip().lower()


def _print(track: Track | None, number: int, *, as_json: bool) -> None:
    """Print a track at once: whoever plays it is waiting."""
    if track is None:
        return
    if as_json:
        line = json_module.dumps({"number": number} | track_document(track))
    else:
        line = printable(f"{number:3d}  {track.name}  ({duration(track.duration_s)})  {track.path}")
    print(line, flush=True)
