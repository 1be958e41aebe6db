"""Playlists: from some tracks to more like them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tonotope.discovery.neighbours import TrackFacts, is_copy
from tonotope.discovery.space import distances_to

__all__ = ["compose_playlist", "spread_artists"]


def compose_playlist(
    places: NDArray[np.float32],
    facts: Sequence[TrackFacts],
    seeds: Sequence[int],
    *,
    n: int | None = None,
    duration_s: float | None = None,
) -> list[int]:
    """Return a playlist that begins with the seeds and goes on with what is nearest to them.

    A track is as near as it is to its nearest seed. No recording comes twice, and no two tracks
    of one artist stand next to each other where that can be avoided. Linear in the number of
    tracks for each track chosen, and usually far less.

    Parameters
    ----------
    places
        The library in its similarity space, shape (n_tracks, n_columns).
    facts
        Of each track in `places`.
    seeds
        Rows to begin with, at least one.
    n
        How many tracks, seeds included.
    duration_s
        Or how long, seeds included; longer only where the seeds are. One of the two is needed.

    Returns
    -------
    list of int
        Rows, in the order of playing.
    """
    if (n is None) == (duration_s is None):
        raise ValueError("a playlist has a number of tracks or a duration")
    chosen = list(dict.fromkeys(seeds))[:n]
    distances = np.min([distances_to(places, places[k]) for k in chosen], axis=0)
    candidates = [k for k in np.argsort(distances, kind="stable").tolist() if k not in chosen]
    n = len(places) if n is None else n
    left_s = np.inf if duration_s is None else duration_s
    left_s -= sum(facts[k].duration_s for k in chosen)
    while len(chosen) < n:
        index = _next_track(places, facts, candidates, chosen, left_s)
        if index is None:
            break
        candidates.remove(index)
        chosen.append(index)
        left_s -= facts[index].duration_s
    return [chosen[k] for k in spread_artists([facts[k].artist for k in chosen])]


def _next_track(
    places: NDArray[np.float32],
    facts: Sequence[TrackFacts],
    candidates: Sequence[int],
    chosen: Sequence[int],
    left_s: float,
) -> int | None:
    """Return the nearest candidate that fits: by another artist than the last, or else by any."""
    last_artist = facts[chosen[-1]].artist
    fallback = None
    for index in candidates:
        if facts[index].duration_s > left_s:
            continue
        other_artist = last_artist is None or facts[index].artist != last_artist
        if not other_artist and fallback is not None:
            continue
        if is_copy(places, facts, index, chosen):
            continue
        if other_artist:
            return index
        fallback = index
    return fallback


def spread_artists(artists: Sequence[str | None]) -> list[int]:
    """Return an order in which no artist follows himself, if there is one.

    The first stays first, and the others keep their order as far as that is possible.

    Parameters
    ----------
    artists
        The artist of each track; None, unknown, differs from everyone.

    Returns
    -------
    list of int
        Positions in `artists`, each once.
    """
    # Each unknown artist is somebody else.
    keys = [(k, artist) if artist is None else (-1, artist) for k, artist in enumerate(artists)]
    left = list(range(len(keys)))
    counts = Counter(keys)
    order: list[int] = []
    while left:
        last = keys[order[-1]] if order else None
        key, count = counts.most_common(1)[0]
        # Whoever has more than half of what is left has to come now, or will follow himself.
        pressing = order and key != last and 2 * count > len(left)
        position = next(
            (k for k in left if (keys[k] == key if pressing else keys[k] != last)), left[0]
        )
        left.remove(position)
        order.append(position)
        counts[keys[position]] -= 1
    return order
