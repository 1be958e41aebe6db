"""Spacing holds whenever any order would hold it."""

from __future__ import annotations

from itertools import permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from tonotope.discovery.playlists import spacing
from tonotope.discovery.playlists.spacing import Rule, n_broken, space_out

ARTISTS = st.sampled_from(["a", "a", "b", "c", None])
ALBUMS = st.sampled_from(["x", "y", "z", None, None])
GAPS = st.integers(0, 4)


def can_be_kept(rules: list[Rule], keep_first: bool) -> bool:
    n = len(rules[0].keys)
    first = [0] if keep_first else []
    return any(n_broken(rules, [*first, *rest]) == 0 for rest in permutations(range(len(first), n)))


@settings(deadline=None)
@given(st.lists(st.tuples(ARTISTS, ALBUMS), min_size=1, max_size=6), GAPS, GAPS, st.booleans())
def test_spacing_holds_whenever_it_is_possible(
    tracks: list[tuple[str | None, str | None]], artist_gap: int, album_gap: int, keep_first: bool
) -> None:
    artists, albums = (list(keys) for keys in zip(*tracks, strict=True))
    rules = [Rule(artists, artist_gap), Rule(albums, album_gap)]
    spaced = space_out(rules, keep_first=keep_first)
    assert sorted(spaced.order) == list(range(len(tracks)))
    assert spaced.order[0] == 0 or not keep_first
    assert (spaced.gaps == (artist_gap, album_gap)) == can_be_kept(rules, keep_first)
    # What is said to be kept is kept.
    kept = [Rule(rule.keys, gap) for rule, gap in zip(rules, spaced.gaps, strict=True)]
    assert n_broken(kept, spaced.order) == 0


@settings(deadline=None)
@given(st.lists(ARTISTS, min_size=1, max_size=7), st.integers(1, 4))
def test_the_widest_gap_that_can_be_kept(artists: list[str | None], gap: int) -> None:
    kept = space_out([Rule(artists, gap)]).gaps[0]
    widest = max(g for g in range(gap + 1) if can_be_kept([Rule(artists, g)], keep_first=True))
    assert kept == widest


def test_an_order_that_holds_stays() -> None:
    artists = ["a", "b", "c", "a", "b", None, None, "a"]
    assert space_out([Rule(artists, 2)]).order == list(range(8))


def test_a_long_list_with_no_room_to_spare() -> None:
    artists = [f"a{k // 20}" for k in range(200)]
    spaced = space_out([Rule(artists, 9)])
    assert spaced.gaps == (9,)
    assert n_broken([Rule(artists, 9)], spaced.order) == 0
    # One track more of one of them, and there is none.
    assert space_out([Rule([*artists, "a0", "a0"], 9)]).gaps == (8,)


def test_one_album_of_many_artists() -> None:
    rules = [Rule(["a", "b", "c", "d"], 1), Rule(["x", "x", None, None], 1)]
    assert space_out(rules).order == [0, 2, 1, 3]


def test_the_albums_give_way_before_the_artists() -> None:
    # Of two artists with a common album: apart from one another, or from the album, not both.
    rules = [Rule(["a", "a", "b"], 1), Rule(["x", "y", "x"], 1)]
    spaced = space_out(rules)
    assert spaced.gaps == (1, 0)
    assert spaced.order == [0, 2, 1]


def test_without_a_search_one_rule_is_still_kept(monkeypatch) -> None:
    monkeypatch.setattr(spacing, "_SEARCH_BUDGET", 0)
    artists = ["b"] * 3 + ["c"] * 3 + ["a"] * 6
    assert space_out([Rule(artists, 1)]).gaps == (1,)


def test_where_one_artist_has_nearly_all_he_follows_himself_as_seldom_as_can_be() -> None:
    rules = [Rule(["a", "b", *"aaaa"], 1)]
    spaced = space_out(rules)
    assert spaced.gaps == (0,)
    assert n_broken(rules, spaced.order) == 3
