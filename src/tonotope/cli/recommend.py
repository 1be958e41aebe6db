"""``tonotope recommend``."""

from __future__ import annotations

from tonotope.cli.options import JsonOption, LibraryOption, WholeNumber
from tonotope.cli.output import duration, print_json, say, track_document

__all__ = ["recommend"]


def recommend(
    *,
    user: str | None = None,
    n: WholeNumber = 20,
    library: LibraryOption = None,
    json: JsonOption = False,
) -> None:
    """Find tracks of the library that a listener has not played and may like.

    Parameters
    ----------
    user
        For whom; by default the only listener there is, or "me".
    n
        How many tracks to list, at most.
    """
    from tonotope.cli.progress import counting
    from tonotope.session import Library

    with Library(library) as opened, counting("comparing tastes") as on_progress:
        found = opened.recommend(user, n=n, on_progress=on_progress)
    if json:
        print_json(
            {
                "listener": found.listener,
                "method": found.method,
                "reason": found.reason,
                "tracks_played": found.n_played,
                "tracks": [
                    track_document(k.track) | {"score": round(k.score, 4)} for k in found.tracks
                ],
            }
        )
        return
    by = "likeness to what was played" if found.method == "content" else "tastes and likeness"
    say(f"For {found.listener}, by {by} ({found.reason}):")
    for k in found.tracks:
        say(f"{k.score:6.2f}  {k.track.name}  ({duration(k.track.duration_s)})")
        say(f"        {k.track.path}")
    if not found.tracks:
        say("  nothing")
