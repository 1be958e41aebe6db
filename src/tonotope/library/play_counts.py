"""What was listened to, for those who ask: how often, and in which order.

Songs are told apart by `tonotope.library.songs.song_key`, so that two histories' spellings of one
song are one. What was skipped is no play.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from tonotope.library.catalogue import Catalogue
from tonotope.library.songs import SongKey, song_key

__all__ = ["ListenerSummary", "PlayCounts", "PlayLog", "read_counts", "read_listeners", "read_log"]

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class PlayCounts:
    """How often each listener played each song.

    Attributes
    ----------
    listeners
        Their names.
    songs
        Their keys.
    listener, song
        Rows of `listeners` and `songs`, shape (n_pairs,); every pair comes once.
    n
        How often, 1 or more, shape (n_pairs,): the number of dated plays, or what a table of
        counts says where that is more, as it most likely holds the dated ones, too.
    """

    listeners: list[str]
    songs: list[SongKey]
    listener: IntArray
    song: IntArray
    n: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class PlayLog:
    """The dated plays, in order of listeners and then of time.

    Attributes
    ----------
    songs
        Keys of songs.
    listener, song, time_s
        Shape (n_plays,): a number per listener, a row of `songs`, and seconds since 1970.
    """

    songs: list[SongKey]
    listener: IntArray
    song: IntArray
    time_s: IntArray


@dataclass(frozen=True, slots=True)
class ListenerSummary:
    """What is known of a listener.

    Attributes
    ----------
    name
        As imported.
    plays, skips
        How often songs were played, and how often they were ended within 30 s.
    songs, artists
        How many different ones.
    first_at, last_at
        The first and last dated play, as ISO 8601 in UTC; None where none is dated.
    """

    name: str
    plays: int
    skips: int
    songs: int
    artists: int
    first_at: str | None
    last_at: str | None


def read_counts(catalogue: Catalogue) -> PlayCounts:
    """Return how often each listener played each song.

    Raises
    ------
    LibraryError
        If the library is damaged.
    """
    names = dict(catalogue.rows("SELECT id, name FROM listeners ORDER BY name"))
    keys = _song_keys(catalogue)
    rows = catalogue.rows(
        "SELECT listener_id, song_id, sum(n * (played_at > 0)), max(n * (played_at = 0))"
        " FROM plays WHERE is_skip = 0 GROUP BY listener_id, song_id"
    )
    listener_rows = {listener_id: row for row, listener_id in enumerate(names)}
    songs = list(dict.fromkeys(keys.values()))
    song_rows = {key: row for row, key in enumerate(songs)}
    pairs = np.array(
        [(listener_rows[a] * len(songs) + song_rows[keys[b]], c, d) for a, b, c, d in rows],
        np.int64,
    ).reshape(-1, 3)
    places, of_row = np.unique(pairs[:, 0], return_inverse=True)
    dated, total = np.zeros((2, len(places)), np.int64)
    np.add.at(dated, of_row, pairs[:, 1])
    np.add.at(total, of_row, pairs[:, 2])
    return PlayCounts(
        listeners=list(names.values()),
        songs=songs,
        listener=places // max(1, len(songs)),
        song=places % max(1, len(songs)),
        n=np.maximum(dated, total),
    )


def read_log(catalogue: Catalogue) -> PlayLog:
    """Return the dated plays. Memory: about 100 bytes a play.

    Raises
    ------
    LibraryError
        If the library is damaged.
    """
    keys = _song_keys(catalogue)
    rows = catalogue.rows(
        "SELECT listener_id, song_id, played_at FROM plays"
        " WHERE is_skip = 0 AND played_at > 0 ORDER BY listener_id, played_at, id"
    )
    songs = list(dict.fromkeys(keys.values()))
    song_rows = {key: row for row, key in enumerate(songs)}
    plays = np.array([(a, song_rows[keys[b]], c) for a, b, c in rows], np.int64).reshape(-1, 3)
    return PlayLog(songs, plays[:, 0], plays[:, 1], plays[:, 2])


def read_listeners(catalogue: Catalogue) -> list[ListenerSummary]:
    """Return what is known of each listener, in the order of their names.

    Raises
    ------
    LibraryError
        If the library is damaged.
    """
    counts = read_counts(catalogue)
    rows = catalogue.rows(
        "SELECT name, sum(is_skip * plays.n),"
        " min(CASE WHEN played_at > 0 THEN played_at END), max(played_at)"
        " FROM listeners JOIN plays ON listener_id = listeners.id"
        " GROUP BY listeners.id ORDER BY name"
    )
    summaries = []
    for row, (name, skips, first, last) in enumerate(rows):
        of_listener = counts.listener == row
        played = counts.song[of_listener].tolist()
        summaries.append(
            ListenerSummary(
                name=name,
                plays=int(counts.n[of_listener].sum()),
                skips=skips,
                songs=len(played),
                artists=len({counts.songs[song][0] for song in played}),
                first_at=_moment(first),
                last_at=_moment(last),
            )
        )
    return summaries


def _song_keys(catalogue: Catalogue) -> dict[int, SongKey]:
    rows = catalogue.rows("SELECT id, artist, title FROM songs ORDER BY id")
    return {song_id: song_key(artist, title) for song_id, artist, title in rows}


def _moment(seconds: int | None) -> str | None:
    return datetime.fromtimestamp(seconds, UTC).isoformat() if seconds else None
