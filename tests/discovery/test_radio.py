from __future__ import annotations

import numpy as np
import pytest

from tonotope.discovery.playlists import Spacing
from tonotope.discovery.radio import Radio
from tonotope.discovery.recordings import TrackFacts

NO_SPACING = Spacing(0, 0)


def radio(xs, seeds, *, artists=None, albums=None, spacing=NO_SPACING, lengths=None, **options):
    places = np.array([[x] for x in xs], np.float32)
    n = len(xs)
    facts = [
        TrackFacts(None, artist, album, length)
        for artist, album, length in zip(
            artists or [None] * n,
            albums or [None] * n,
            lengths or [60.0 + 2 * k for k in range(n)],
            strict=True,
        )
    ]

    def distances_from(row: int) -> np.ndarray:
        return np.abs(places[:, 0] - places[row, 0])

    return Radio(places, facts, distances_from, seeds, spacing=spacing, **options)


def heard(playing: Radio) -> list[int]:
    return list(iter(playing.next, None))


def test_the_seed_and_then_the_nearest_each_once() -> None:
    playing = radio([5, 0, 1, 9, 4], [1])
    assert heard(playing) == [1, 2, 4, 0, 3]
    assert (playing.n_played, playing.current) == (5, None)
    assert playing.next() is None
    assert playing.skip() is None
    playing.like()


def test_other_seeds_come_in_their_turn() -> None:
    assert heard(radio([0, 50, 1, 51, 2], [0, 1]))[:2] == [0, 1]


def test_a_skip_turns_away_from_its_kind() -> None:
    xs = [0, 10, 11, 12, -14, -15]
    assert heard(radio(xs, [0])) == [0, 1, 2, 3, 4, 5]
    playing = radio(xs, [0])
    assert [playing.next(), playing.next()] == [0, 1]
    assert [playing.skip(), playing.next()] == [4, 5]


def test_a_like_draws_nearer() -> None:
    xs = [0, 10, 15, 16, -12, -13]
    playing = radio(xs, [0])
    assert [playing.next(), playing.next(), playing.next()] == [0, 1, 4]
    playing = radio(xs, [0])
    playing.next()
    playing.next()
    playing.like()
    assert [playing.next(), playing.next(), playing.next()] == [2, 3, 4]


def test_nothing_that_is_unlike_is_played_and_what_is_like_it_comes_late() -> None:
    playing = radio([0, 10, 11, -14, -15], [0], unlike=[1])
    assert heard(playing) == [0, 3, 4, 2]


def test_no_recording_twice() -> None:
    playing = radio([0, 0.1, 5, 5.1], [0], lengths=[60.0, 60.1, 90, 90])
    assert heard(playing) == [0, 2]


def test_artists_and_albums_stay_apart_while_there_are_others() -> None:
    artists = ["a", "a", "b", "b", "c"]
    playing = radio([0, 1, 2, 3, 9], [0], artists=artists, spacing=Spacing(2, 0))
    assert heard(playing) == [0, 2, 4, 1, 3]
    playing = radio([0, 1, 2, 3, 9], [0], albums=artists, spacing=Spacing(0, 1))
    assert heard(playing) == [0, 2, 1, 3, 4]
    assert heard(radio([0, 1, 2], [0], artists=["a"] * 3, spacing=Spacing(2, 0))) == [0, 1, 2]


def test_without_a_seed() -> None:
    with pytest.raises(ValueError, match="a track to begin with"):
        radio([0], [])
