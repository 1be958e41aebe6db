from __future__ import annotations

from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonotope.discovery.playlists import compose_playlist
from tonotope.discovery.playlists.spacing import spread_artists
from tonotope.discovery.recordings import TrackFacts


def library(*tracks: tuple[float, str | None, float]) -> tuple[np.ndarray, list[TrackFacts]]:
    places = np.array([[x] for x, _, _ in tracks], np.float32)
    return places, [TrackFacts(None, artist, None, length_s) for _, artist, length_s in tracks]


def test_begins_with_the_seed_and_goes_on_with_the_nearest() -> None:
    places, facts = library((9, "a", 60), (0, "b", 70), (5, "c", 80), (1, "d", 90))
    assert compose_playlist(places, facts, [1], n=3) == [1, 3, 2]


def test_a_track_is_as_near_as_its_nearest_seed() -> None:
    places, facts = library((0, "a", 60), (100, "b", 70), (50, "c", 80), (99, "d", 90))
    assert compose_playlist(places, facts, [0, 1], n=3) == [0, 1, 3]


def test_is_never_longer_than_asked_for_and_fills_what_is_left() -> None:
    places, facts = library((0, "a", 100), (1, "b", 250), (2, "c", 300), (3, "d", 45))
    assert compose_playlist(places, facts, [0], duration_s=400) == [0, 1, 3]


def test_seeds_alone_may_be_longer() -> None:
    places, facts = library((0, "a", 100), (1, "b", 10))
    assert compose_playlist(places, facts, [0], duration_s=60) == [0]


def test_a_recording_comes_once() -> None:
    places, facts = library((0, "a", 100), (0.1, "a", 100.2), (5, "b", 200), (5.1, "b", 200.1))
    assert compose_playlist(places, facts, [0], n=4) == [0, 2]


def test_two_encodings_of_a_recording_are_one_seed() -> None:
    places, facts = library((0, "a", 100), (0.1, "b", 100.2), (5, "c", 200), (9, "d", 300))
    assert compose_playlist(places, facts, [0, 1, 0, 2], n=3) == [0, 2, 3]
    assert compose_playlist(places, facts, [0, 1, 2, 3], n=2) == [0, 2]


def test_seeds_make_way_for_one_another_but_not_the_first() -> None:
    places, facts = library((0, "a", 60), (1, "a", 70), (2, "b", 80), (9, "c", 90))
    assert compose_playlist(places, facts, [1, 0, 2], n=3) == [1, 2, 0]


def test_another_artist_is_preferred_to_a_nearer_track() -> None:
    places, facts = library((0, "a", 60), (1, "a", 70), (2, "a", 80), (50, "b", 90), (60, "c", 95))
    assert compose_playlist(places, facts, [0], n=3) == [0, 3, 1]


def test_where_there_is_no_other_artist_he_follows_himself() -> None:
    places, facts = library((0, "a", 60), (1, "a", 70), (2, "a", 80))
    assert compose_playlist(places, facts, [0], n=3) == [0, 1, 2]


def test_either_a_number_or_a_duration() -> None:
    places, facts = library((0, "a", 60))
    with pytest.raises(ValueError, match="a number of tracks or a duration"):
        compose_playlist(places, facts, [0])


def repeats(artists: list[str | None]) -> int:
    return sum(a is not None and a == b for a, b in pairwise(artists))


@given(st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1, max_size=7))
def test_spreading_repeats_no_artist_where_any_order_would_do(artists: list[str | None]) -> None:
    order = spread_artists(artists)
    assert sorted(order) == list(range(len(artists)))
    assert order[0] == 0
    spread = [artists[k] for k in order]
    best = min(repeats([artists[0], *rest]) for rest in permutations(artists[1:]))
    assert (repeats(spread) == 0) == (best == 0)


def test_spreading_keeps_an_order_without_repeats() -> None:
    assert spread_artists(["a", "b", "a", "c", None, None, "b"]) == list(range(7))


def by_the_book(artists: list[str | None]) -> list[int]:
    """Order tracks as `spread_artists` does, in the plainest way."""
    keys = [k if artist is None else artist for k, artist in enumerate(artists)]
    left, order = list(range(len(keys))), []
    while left:
        last = keys[order[-1]] if order else None
        pressing = [
            k
            for k in left
            if order and keys[k] != last and 2 * sum(keys[j] == keys[k] for j in left) > len(left)
        ]
        others = [k for k in left if keys[k] != last]
        order.append((pressing or others or left)[0])
        left.remove(order[-1])
    return order


@given(st.lists(st.sampled_from(["a", "b", "c", "d", None]), max_size=60))
def test_spreading_goes_by_the_book(artists: list[str | None]) -> None:
    assert spread_artists(artists) == by_the_book(artists)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 40), st.sampled_from(["a", "a", "b", "c", None]), st.integers(1, 9)
        ),
        min_size=1,
        max_size=30,
    ),
    st.integers(1, 120),
)
def test_each_next_track_is_the_nearest_that_fits(
    tracks: list[tuple[int, str | None, int]], minutes: int
) -> None:
    places, facts = library(*((float(x), artist, 60.0 * k) for x, artist, k in tracks))
    chosen, left_s = [0], 60.0 * minutes - facts[0].duration_s
    while True:
        fitting = [
            k
            for k in np.argsort(np.abs(places[:, 0] - places[0, 0]), kind="stable").tolist()
            if facts[k].duration_s <= left_s
            and not any(
                places[k, 0] == places[c, 0] and facts[k].duration_s == facts[c].duration_s
                for c in chosen
            )
        ]
        last = facts[chosen[-1]].artist
        others = [k for k in fitting if last is None or facts[k].artist != last]
        if not fitting:
            break
        chosen.append((others or fitting)[0])
        left_s -= facts[chosen[-1]].duration_s
    expected = [chosen[k] for k in by_the_book([facts[k].artist for k in chosen])]
    assert compose_playlist(places, facts, [0], duration_s=60.0 * minutes) == expected
