"""``tonotope map``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from tonotope.cli.options import JsonOption, LibraryOption, WholeNumber
from tonotope.cli.output import print_json, say

if TYPE_CHECKING:
    from tonotope.session.maps import LibraryMap

__all__ = ["map_"]


def map_(
    *,
    out: Path,
    method: Literal["umap", "tsne", "pca"] | None = None,
    dims: WholeNumber = 2,
    fresh: Annotated[bool, Parameter(negative="")] = False,
    library: LibraryOption = None,
    json: JsonOption = False,
) -> None:
    """Draw the library as a map on which tracks that sound alike are near each other.

    The map is kept: the next time every track is where it was, and new ones are put among those
    they sound like.

    Parameters
    ----------
    out
        What to write: `.html`, a page to move about in; `.png`, a picture; `.csv`, coordinates.
    method
        How to draw; by default the map drawn last is shown, the first time t-SNE in the plane, and
        with three axes UMAP if it is installed.
    dims
        How many axes: 2 or 3.
    fresh
        Draw a new map in place of the one that the library keeps.
    """
    from tonotope.cli.progress import counting
    from tonotope.explore.map_files import check_map_path, write_map_file
    from tonotope.session import Library

    check_map_path(out)
    with Library(library) as opened, counting("Drawing the map") as show:
        drawn = opened.map(method=method, n_dims=dims, fresh=fresh, on_progress=show)
    write_map_file(drawn, out)
    document = _document(drawn, out)
    if json:
        print_json(document)
    else:
        _print(drawn, document)


def _document(drawn: LibraryMap, out: Path) -> dict[str, Any]:
    quality = drawn.quality
    return {
        "out": str(out),
        "tracks": len(drawn.tracks),
        "method": drawn.method,
        "dims": drawn.n_dims,
        "drawn_at": drawn.made_at,
        "new": drawn.is_new,
        "kept": drawn.is_kept,
        "placed": drawn.n_placed,
        "added": drawn.n_added,
        "away": drawn.n_away,
        "quality": None
        if quality is None
        else {
            "k": quality.k,
            "sampled": quality.n_sampled,
            "trustworthiness": round(quality.trustworthiness, 4),
            "overlap": round(quality.overlap, 4),
            "neighbourhood_hit": {
                kind: {
                    "map": round(hit.on_map, 4),
                    "space": round(hit.in_space, 4),
                    "chance": round(hit.by_chance, 4),
                    "tracks": hit.n_tracks,
                }
                for kind, hit in quality.hits.items()
            },
        },
    }


def _print(drawn: LibraryMap, document: dict[str, Any]) -> None:
    from tonotope.explore.map_page import METHOD_TITLES

    n = len(drawn.tracks)
    method = METHOD_TITLES[drawn.method]
    when = "drawn now" if drawn.is_new else f"as drawn on {drawn.made_at[:10]}"
    say(f"{n} track{'' if n == 1 else 's'} by {method}, {drawn.n_dims} axes, {when}")
    if drawn.n_placed:
        say(f"  {drawn.n_placed} new ones put among those they sound like; no other moved")
    if drawn.n_added > n / 2:
        say("  most of them came after it was drawn; a new map would be better: --fresh")
    if drawn.n_away:
        say(f"  {drawn.n_away} not shown: their files are gone")
    quality = drawn.quality
    if quality is not None:
        say(
            f"  trustworthiness {quality.trustworthiness:.2f}; of a track's {quality.k} nearest "
            f"{quality.overlap:.0%} are its nearest on the map"
        )
        for kind, hit in quality.hits.items():
            say(
                f"  of the nearest on the map {hit.on_map:.0%} are of the same {kind} "
                f"(in the space {hit.in_space:.0%}, by chance {hit.by_chance:.0%})"
            )
    if not drawn.is_kept:
        reason = "it cannot be written to now" if n > 3 else "they are too few"
        say(f"  the library does not keep this map: {reason}")
    say(f"Written to {document['out']}")
