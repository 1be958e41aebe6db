from __future__ import annotations

from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tonotope.discovery.distances import distances_to
from tonotope.discovery.metrics.lists import intra_list_diversity
from tonotope.discovery.playlists import (
    Length,
    Spacing,
    choice,
    choose_tracks,
)
from tonotope.discovery.playlists.spacing import Rule, space_out
from tonotope.discovery.recordings import TrackFacts


def library(*tracks: tuple[float, str | None, float]) -> tuple[np.ndarray, list[TrackFacts]]:
    places = np.array([[x] for x, _, _ in tracks], np.float32)
    return places, [TrackFacts(None, artist, None, length_s) for _, artist, length_s in tracks]


def spread_artists(artists: list[str | None]) -> list[int]:
    return space_out([Rule(artists, 1)]).order if artists else []


def compose_playlist(places, facts, seeds, *, n=None, duration_s=None) -> list[int]:
    """Choose what is nearest to the nearest seed, and put no artist next to himself."""
    costs = np.min([distances_to(places, places[seed]) for seed in seeds], axis=0)
    rows = choose_tracks(places, facts, seeds, costs, Length(n, duration_s)).rows
    return [rows[k] for k in spread_artists([facts[row].artist for row in rows])]


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
    """Order tracks so that no artist follows himself, in the plainest way."""
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


# Choosing


def random_library(seed: int, n: int = 120) -> tuple[np.ndarray, list[TrackFacts]]:
    rng = np.random.default_rng(seed)
    places = rng.normal(size=(n, 8)).astype(np.float32)
    return places, [TrackFacts(None, None, None, 60.0 + 2 * k) for k in range(n)]


def costs_from(places: np.ndarray, row: int) -> np.ndarray:
    distances = np.linalg.norm(places - places[row], axis=1).astype(np.float32)
    return distances / np.median(distances)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6))
def test_without_diversity_it_is_the_plain_list(seed: int) -> None:
    places, facts = random_library(seed)
    costs = costs_from(places, 0)
    chosen = choose_tracks(places, facts, [0], costs, Length(15), diversity=0.0)
    assert chosen.rows == np.argsort(costs, kind="stable")[:15].tolist()


def test_lists_are_the_more_diverse_the_more_diversity_is_asked_for() -> None:
    means = []
    for diversity in (0.0, 0.25, 0.5, 0.75, 1.0):
        lists = []
        for seed in range(20):
            places, facts = random_library(seed)
            chosen = choose_tracks(
                places, facts, [0], costs_from(places, 0), Length(12), diversity=diversity
            )
            lists.append(intra_list_diversity([chosen.rows], places)[0])
        means.append(np.mean(lists))
    assert (np.diff(means) > 0).all(), means


def test_relevance_and_diversity_by_hand() -> None:
    # From 0: 10 is chosen first. Then 11 costs less than -12, but lies beside 10.
    places, facts = library((0, None, 60), (10, None, 70), (11, None, 80), (-12, None, 90))
    costs = np.float32([0, 1.0, 1.1, 1.2])
    plain = choose_tracks(places, facts, [0], costs, Length(3))
    diverse = choose_tracks(places, facts, [0], costs, Length(3), diversity=0.5)
    assert plain.rows == [0, 1, 2]
    assert diverse.rows == [0, 1, 3]


def test_the_pool_of_diversity_grows_when_it_is_used_up(monkeypatch) -> None:
    monkeypatch.setattr(choice, "_POOL", 2)
    monkeypatch.setattr(choice, "_POOL_PER_TRACK", 0)
    places, facts = random_library(3, n=30)
    chosen = choose_tracks(places, facts, [0], costs_from(places, 0), Length(30), diversity=0.5)
    assert sorted(chosen.rows) == list(range(30))


def test_what_must_not_be_chosen_and_what_is_left() -> None:
    places, facts = library((0, None, 60), (1, None, 70), (2, None, 80), (3, None, 90))
    costs = np.float32([0, np.inf, 2, np.inf])
    chosen = choose_tracks(places, facts, [0, 0], costs, Length(4))
    assert (chosen.rows, chosen.copies, chosen.is_exhausted) == ([0, 2], [0], True)
    chosen = choose_tracks(places, facts, [], costs, Length(duration_s=150.0))
    assert (chosen.rows, chosen.is_exhausted) == ([0, 2], True)
    chosen = choose_tracks(places, facts, [], costs, Length(duration_s=100.0))
    assert (chosen.rows, chosen.is_exhausted) == ([0], False)


def test_artists_and_albums_stay_apart_as_they_are_chosen() -> None:
    places = np.arange(6, dtype=np.float32)[:, np.newaxis] * 5
    facts = [
        TrackFacts(None, artist, album, 60.0 + 2 * k)
        for k, (artist, album) in enumerate(
            [("a", "x"), ("a", "y"), ("b", "x"), ("c", "z"), ("b", None), ("d", None)]
        )
    ]
    costs = np.arange(6, dtype=np.float32)
    by_artist = choose_tracks(places, facts, [0], costs, Length(4), spacing=Spacing(2, 0))
    assert by_artist.rows == [0, 2, 3, 1]
    by_both = choose_tracks(places, facts, [0], costs, Length(4), spacing=Spacing(1, 2))
    assert by_both.rows == [0, 3, 1, 2]
