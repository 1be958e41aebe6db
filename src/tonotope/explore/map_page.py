"""A map as a page: one HTML file that fetches nothing, made to be moved about in.

Data is JSON in the page, of which no ``<`` is left, and the script sets it as text only: whatever
a title says, it is read and not obeyed. A content security policy refuses any other script and any
request.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Hashable, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from tonotope.explore.colours import genre_colours
from tonotope.session.maps import LibraryMap

__all__ = ["METHOD_TITLES", "map_page"]

METHOD_TITLES = {"umap": "UMAP", "tsne": "t-SNE", "pca": "PCA"}

_SCRIPTS = ("map_view.js", "map_draw.js", "map_colours.js", "map_page.js", "map_controls.js")

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="Tonotope">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; \
script-src '{script_hash}'; style-src '{style_hash}'">
<link rel="icon" href="data:,">
<title>Map of {n_tracks} tracks</title>
<style>{style}</style>
</head>
<body>
<header>
<h1>tonotope</h1>
<input id="search" type="search" placeholder="Search title, artist, genre … ( / )" \
aria-label="Search title, artist, album, genre, file" spellcheck="false">
<div id="kinds" role="group" aria-label="Colour by">{kinds}</div>
<button id="fit" class="gap" title="Show the whole map (0)">Whole map</button>
<button id="theme" title="Light or dark">◐</button>
</header>
<div id="legend"></div>
<main>
<div id="map"><canvas id="points"></canvas><canvas id="overlay" tabindex="0" \
aria-label="The map. Arrow keys move it, plus and minus zoom."></canvas><div id="tip" hidden></div>
</div>
<aside id="panel" hidden></aside>
</main>
<footer><span>{described}</span><span class="hint">{hint}</span></footer>
<noscript>This map needs JavaScript, which is switched off.</noscript>
<script type="application/json" id="data">{data}</script>
<script>{script}</script>
</body>
</html>
"""


def map_page(drawn: LibraryMap) -> str:
    """Return a map as an HTML page, in ASCII but for the page's own words."""
    resources = files("tonotope.explore")
    style = resources.joinpath("map_page.css").read_text("utf-8")
    parts = [resources.joinpath(name).read_text("utf-8") for name in _SCRIPTS]
    script = "\n".join(['"use strict";', *parts])
    kinds = ["group", "genre", "tempo"] if drawn.group_colours else ["genre", "tempo"]
    return _PAGE.format(
        script_hash=_hash(script),
        style_hash=_hash(style),
        n_tracks=len(drawn.tracks),
        style=style,
        kinds="".join(f'<button value="{kind}">{kind.capitalize()}</button>' for kind in kinds),
        described=escape(_described(drawn)),
        hint=(
            "Drag to move, scroll to zoom, click for a track"
            if drawn.n_dims == 2
            else "Drag to turn, Shift and drag to move, scroll to zoom, click for a track"
        ),
        data=_inline_json(_data(drawn)),
        script=script,
    )


def _described(drawn: LibraryMap) -> str:
    n = len(drawn.tracks)
    words = [f"{n} track{'' if n == 1 else 's'}", METHOD_TITLES[drawn.method]]
    words.append(f"drawn {drawn.made_at[:10]}")
    if drawn.n_added:
        words.append(f"{drawn.n_added} added since")
    if drawn.quality is not None:
        words.append(f"trustworthiness {drawn.quality.trustworthiness:.2f}")
    return " · ".join([*words, "near means alike; far apart says little"])


def _data(drawn: LibraryMap) -> dict[str, Any]:
    tracks = drawn.tracks
    artists, artist = _numbered([track.artist for track in tracks])
    albums, album = _numbered([track.album for track in tracks])
    genres, genre = _numbered(drawn.genres, order=sorted)
    groups, group = _numbered(drawn.groups, order=sorted)
    return {
        "dims": drawn.n_dims,
        "points": base64.b64encode(np.ascontiguousarray(drawn.points, "<f4").tobytes()).decode(),
        "titles": [track.title or Path(track.path).stem for track in tracks],
        "artists": artists,
        "artist": artist,
        "albums": albums,
        "album": album,
        "genres": genres,
        "genreColours": genre_colours(genres),
        "genre": genre,
        "share": [round(100 * float(share)) for share in drawn.genre_shares],
        "groups": groups,
        "groupColours": [drawn.group_colours[name] for name in groups],
        "group": group,
        "tempo": [round(float(bpm), 1) if np.isfinite(bpm) else 0 for bpm in drawn.tempos_bpm],
        "duration": [round(track.duration_s) for track in tracks],
        "paths": [track.path for track in tracks],
    }


def _numbered(
    names: Sequence[str | None], order: Callable[[Sequence[str]], list[str]] = list
) -> tuple[list[str], list[int]]:
    """Return the names that there are, each once, and the place of each track's; -1 for none."""
    there = order(list(dict.fromkeys(name for name in names if name is not None)))
    place_of: dict[Hashable, int] = {name: place for place, name in enumerate(there)}
    return there, [place_of.get(name, -1) for name in names]


def _inline_json(document: Any) -> str:
    """Return JSON that can stand in a script element whatever its texts say."""
    text = json.dumps(document, separators=(",", ":"), allow_nan=False)
    # Neither "</script" nor "<!--" can come to be; the rest is in order's name.
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
