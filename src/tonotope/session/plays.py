"""What was listened to, and the library's tracks: counts, pairs, recommendations.

Songs and tracks are matched when somebody asks, by artist and title: what the library gains later
has its plays from the beginning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tonotope.discovery.neighbours import take_in_order
from tonotope.errors import InputError, LibraryError
from tonotope.library.catalogue import Catalogue, Track
from tonotope.library.play_counts import (
    ListenerSummary,
    PlayCounts,
    read_counts,
    read_listeners,
    read_log,
)
from tonotope.library.plays import DEFAULT_LISTENER, OnProgress
from tonotope.library.songs import SongKey, song_key
from tonotope.library.tags import track_names
from tonotope.session.placed import Placed

__all__ = [
    "PlaysSummary",
    "Recommendation",
    "Recommendations",
    "play_counts",
    "recommend",
    "summarize",
    "together",
]

IndexArray: TypeAlias = NDArray[np.intp]

# Between two plays of one session lies no more than this.
_SESSION_GAP_S = 30 * 60
_MIN_TIMES_TOGETHER = 2
_MAX_SONGS_OF_LISTENER = 100

# Below these, factors say more of chance than of taste.
_MIN_LISTENERS = 20
_MIN_SONGS_LEARNED_FROM = 20

_MAX_PER_ARTIST = 3


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A track for a listener, and how well it suits him; comparable within one answer only."""

    track: Track
    score: float


@dataclass(frozen=True, slots=True)
class Recommendations:
    """Tracks for a listener, the best first.

    Attributes
    ----------
    listener
        For whom.
    method
        By what they were chosen: "content" (likeness to what was played) or "hybrid" (that, and
        factors of all listeners' plays).
    reason
        Why by that, in words.
    n_played
        How many of the library's tracks the listener has played.
    tracks
        None of which he has played.
    """

    listener: str
    method: Literal["content", "hybrid"]
    reason: str
    n_played: int
    tracks: list[Recommendation]


@dataclass(frozen=True, slots=True)
class PlaysSummary:
    """What was listened to, and how much of it the library has.

    Attributes
    ----------
    listeners
        In the order of their names.
    songs, songs_in_library
        How many songs were played, and how many of them the library holds.
    tracks, tracks_played
        How many tracks it holds, and how many of them were played.
    """

    listeners: list[ListenerSummary]
    songs: int
    songs_in_library: int
    tracks: int
    tracks_played: int


def summarize(catalogue: Catalogue) -> PlaysSummary:
    """Return what was listened to, and how much of it the library has.

    Raises
    ------
    LibraryError
        If the library is damaged.
    """
    counts = read_counts(catalogue)
    played = {counts.songs[song] for song in np.unique(counts.song).tolist()}
    tracks = [_key(artist, title) for artist, title in track_names(catalogue)]
    return PlaysSummary(
        listeners=read_listeners(catalogue),
        songs=len(played),
        songs_in_library=len(played.intersection(tracks)),
        tracks=len(tracks),
        tracks_played=sum(key in played for key in tracks),
    )


def play_counts(
    catalogue: Catalogue, tracks: Sequence[Track], *, listener: str | None = None
) -> NDArray[np.int64]:
    """Return how often tracks were played, shape (n_tracks,), int64.

    Parameters
    ----------
    catalogue
        The library.
    tracks
        Of it, or of anywhere: they are matched by artist and title. What is not tagged has no
        plays; tracks of one artist and title have the same.
    listener
        By whom; by all, together, if it is not said.

    Raises
    ------
    LibraryError
        If the library is damaged.
    """
    counts = read_counts(catalogue)
    n = counts.n
    if listener is not None:
        wanted = [row for row, name in enumerate(counts.listeners) if name == listener]
        n = n * np.isin(counts.listener, wanted)
    totals = np.zeros(len(counts.songs) + 1, np.int64)  # the last is of tracks without a song
    np.add.at(totals, counts.song, n)
    return totals[_songs_of(tracks, counts.songs)]


def together(catalogue: Catalogue, tracks: Sequence[Track]) -> IndexArray:
    """Return pairs of tracks that were played one after the other, or by the same people.

    A pair is one of two songs that followed each other at least twice with no more than half an
    hour between them; where no plays are dated, one that at least two listeners have among the
    100 songs they played most. What `tonotope.discovery.metric_learning` can learn from.

    Returns
    -------
    ndarray
        Rows of `tracks`, shape (n_pairs, 2), the most frequent pairs first; the first of a pair is
        the lower. Of tracks with the same artist and title the first stands for all.

    Raises
    ------
    LibraryError
        If the library is damaged.
    """
    log = read_log(catalogue)
    row_of = _first_track_of(tracks)
    if len(log.time_s):
        rows = np.array([row_of.get(key, -1) for key in log.songs], np.intp)[log.song]
        follows = (np.diff(log.listener) == 0) & (np.diff(log.time_s) <= _SESSION_GAP_S)
        pairs = np.stack([rows[:-1], rows[1:]], axis=1)[follows]
    else:
        pairs = _pairs_of_listeners(read_counts(catalogue), row_of)
    pairs = np.sort(pairs[(pairs >= 0).all(axis=1) & (pairs[:, 0] != pairs[:, 1])], axis=1)
    found, times = np.unique(pairs, axis=0, return_counts=True)
    order = np.argsort(-times, kind="stable")
    return found[order[times[order] >= _MIN_TIMES_TOGETHER]]


def _pairs_of_listeners(counts: PlayCounts, row_of: dict[SongKey, int]) -> IndexArray:
    rows = np.array([row_of.get(key, -1) for key in counts.songs], np.intp)
    pairs = [np.empty((0, 2), np.intp)]
    for listener in range(len(counts.listeners)):
        own = np.flatnonzero((counts.listener == listener) & (rows[counts.song] >= 0))
        most = own[np.argsort(-counts.n[own], kind="stable")[:_MAX_SONGS_OF_LISTENER]]
        played = rows[counts.song[most]]
        first, second = np.triu_indices(len(played), 1)
        pairs.append(np.stack([played[first], played[second]], axis=1))
    return np.concatenate(pairs)


def recommend(
    catalogue: Catalogue,
    placed: Placed,
    *,
    listener: str | None = None,
    n: int = 20,
    on_progress: OnProgress | None = None,
) -> Recommendations:
    """Return tracks for a listener that he has not played.

    With the plays of 20 listeners or more, and the extra ``plays``, by a hybrid of factors and
    content (`tonotope.discovery.collaborative`); else by content alone. No recording comes twice,
    and no artist more than three times.

    Parameters
    ----------
    catalogue, placed
        The library, and its tracks in the similarity space.
    listener
        For whom; may be left out where there is but one, or one called "me".
    n
        How many, at most.
    on_progress
        Called with how many of how many steps are done, where tastes are compared.

    Raises
    ------
    InputError
        If `n` is below 1, there is no such listener, or there are several and none is named.
    LibraryError
        If there are no plays, or none by which this listener's taste could be told.
    """
    if n < 1:
        raise InputError(f"cannot recommend {n} tracks. Ask for at least 1.")
    counts = read_counts(catalogue)
    row = _row_of_listener(counts, listener)
    name = counts.listeners[row]
    songs = _songs_of(placed.tracks, counts.songs)
    own = np.zeros(len(counts.songs) + 1, np.int64)
    own[counts.song[counts.listener == row]] = counts.n[counts.listener == row]
    played = own[songs]
    fresh = np.flatnonzero(played == 0)
    obstacle = _obstacle_to_factors(counts, songs)
    if obstacle and not played.any():
        raise LibraryError(
            f"none of the {int((own > 0).sum())} songs that '{name}' played is in the library: "
            "nothing to go by. Scan the folders that hold them."
        )
    if len(fresh) == 0:
        scores, method, reason = np.empty(0), "content", "every track of the library is played"
    elif obstacle:
        scores, method, reason = _by_content(placed, played, fresh), "content", obstacle
    else:
        scores, reason = _by_both(placed, counts, songs, row, fresh, on_progress)
        method = "hybrid"
    return Recommendations(
        listener=name,
        method="hybrid" if method == "hybrid" else "content",
        reason=reason,
        n_played=int((played > 0).sum()),
        tracks=_best(placed, fresh, scores, n),
    )


def _row_of_listener(counts: PlayCounts, listener: str | None) -> int:
    names = counts.listeners
    if not names or not len(counts.n):
        raise LibraryError("the library has no plays. Import some: tonotope plays import FILE")
    if listener is None:
        listener = names[0] if len(names) == 1 else DEFAULT_LISTENER
    if listener in names:
        return names.index(listener)
    shown = ", ".join(names[:5]) + ", ..." * (len(names) > 5)
    raise InputError(f"there are no plays of '{listener}', only of {shown}. Name one: --user NAME")


def _songs_of(tracks: Sequence[Track], songs: Sequence[SongKey]) -> IndexArray:
    """Return the row of `songs` that each track is, -1 where it is none."""
    rows = {key: row for row, key in enumerate(songs)}
    return np.array([rows.get(_key_of(track), -1) for track in tracks], np.intp)


def _first_track_of(tracks: Sequence[Track]) -> dict[SongKey, int]:
    first: dict[SongKey, int] = {}
    for row, track in enumerate(tracks):
        first.setdefault(_key_of(track), row)
    return first


def _key_of(track: Track) -> SongKey:
    return _key(track.artist, track.title)


def _key(artist: str | None, title: str | None) -> SongKey:
    if artist is None or title is None:
        return ("", "")  # no song is called so: importing refuses it
    return song_key(artist, title)


def _obstacle_to_factors(counts: PlayCounts, songs: IndexArray) -> str:
    """Return why factors would be worth nothing; empty where they are worth something."""
    n_listeners = len(np.unique(counts.listener))
    if n_listeners < _MIN_LISTENERS:
        whom = "one listener" if n_listeners == 1 else f"{n_listeners} listeners"
        return f"plays of {whom}: too few to compare tastes, which takes {_MIN_LISTENERS}"
    n_heard = len(np.unique(songs[songs >= 0]))
    if n_heard < _MIN_SONGS_LEARNED_FROM:
        return f"{n_heard} of the songs played are in the library: too few to learn from"
    if find_spec("implicit") is None:
        return "comparing tastes needs another package: pip install 'tonotope[plays]'"
    return ""


def _by_content(
    placed: Placed, played: NDArray[np.int64], fresh: IndexArray
) -> NDArray[np.float64]:
    from tonotope.discovery.collaborative import content_scores

    of_played = np.flatnonzero(played)
    (scores,) = content_scores(
        played[np.newaxis, of_played],
        placed.places[of_played],
        placed.places[fresh],
        centre=placed.places.mean(axis=0),
    )
    return np.asarray(scores)


def _by_both(
    placed: Placed,
    counts: PlayCounts,
    songs: IndexArray,
    row: int,
    fresh: IndexArray,
    on_progress: OnProgress | None,
) -> tuple[NDArray[np.float64], str]:
    """Return a hybrid's scores of tracks for a listener, and what it was made of, in words."""
    from scipy.sparse import csr_array

    from tonotope.discovery.collaborative import (
        FactorsFromSound,
        content_scores,
        fit_factors,
        hybrid_scores,
        hybrid_weight,
    )

    shape = (len(counts.listeners), len(counts.songs))
    plays = csr_array((counts.n, (counts.listener, counts.song)), shape=shape)
    _, first = np.unique(songs, return_index=True)
    tracks = first[songs[first] >= 0]  # a track of every song that is played and in the library
    heard, places = songs[tracks], placed.places[tracks]
    factors = fit_factors(plays)
    sound = FactorsFromSound().fit(places, factors.songs[heard])
    of_fresh = sound.predict(placed.places[fresh])
    has_plays = songs[fresh] >= 0
    of_fresh[has_plays] = factors.songs[songs[fresh[has_plays]]]
    artists = [counts.songs[song][0] for song in heard.tolist()]
    weight = hybrid_weight(
        plays, places, heard, artists, np.random.default_rng(0), on_progress=on_progress
    )
    by_factors = factors.listeners[[row]] @ of_fresh.T
    by_content = content_scores(
        plays[[row]][:, heard], places, placed.places[fresh], centre=placed.places.mean(axis=0)
    )
    reason = (
        f"plays of {shape[0]} listeners; factors count {weight:.0%}, likeness to what was "
        f"played {1 - weight:.0%}, as hiding songs that are played has shown"
    )
    (scores,) = hybrid_scores(by_factors, by_content, weight)
    return np.asarray(scores), reason


def _best(
    placed: Placed, rows: IndexArray, scores: NDArray[np.float64], n: int
) -> list[Recommendation]:
    order = np.argsort(-scores, kind="stable")
    score_of = dict(zip(rows.tolist(), scores.tolist(), strict=True))
    taken = take_in_order(
        rows[order].tolist(), placed.places, placed.facts, n=n, max_per_artist=_MAX_PER_ARTIST
    )
    return [Recommendation(placed.tracks[row], score_of[row]) for row in taken]
