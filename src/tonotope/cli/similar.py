"""``tonotope similar``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonotope.cli.options import JsonOption, LibraryOption, WholeNumber
from tonotope.cli.output import duration, print_json, say, track_document

if TYPE_CHECKING:
    from tonotope.session import SimilarTracks

__all__ = ["similar"]


def similar(
    file_or_id: str,
    /,
    *,
    n: WholeNumber = 10,
    per_artist: WholeNumber = 3,
    per_album: WholeNumber = 2,
    library: LibraryOption = None,
    json: JsonOption = False,
) -> None:
    """Find what in the library sounds most like a track.

    Parameters
    ----------
    file_or_id
        A file, which need not be in the library, or the id of a track as `--json` prints it.
    n
        How many tracks to list, at most.
    per_artist
        How many of them may be by one artist; 0 for any number.
    per_album
        How many of them may be from one album; 0 for any number.
    """
    from tonotope.session import Library

    with Library(library) as opened:
        found = opened.similar(
            file_or_id, n=n, max_per_artist=per_artist or None, max_per_album=per_album or None
        )
    if json:
        print_json(
            {
                "query": track_document(found.query),
                "neighbours": [
                    track_document(k.track) | {"distance": round(k.distance, 4)}
                    for k in found.neighbours
                ],
            }
        )
    else:
        _print(found)


def _print(found: SimilarTracks) -> None:
    say(f"Sounds like {found.query.name} ({duration(found.query.duration_s)}):")
    for k in found.neighbours:
        say(f"{k.distance:6.2f}  {k.track.name}  ({duration(k.track.duration_s)})")
        say(f"        {k.track.path}")
    if not found.neighbours:
        say("  nothing: the library holds no other track that the rules allow")
