from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tonotope.discovery.neighbours import nearest
from tonotope.discovery.recordings import TrackFacts


def line(*positions: float) -> np.ndarray:
    """Places on a line, one unit being far more than two encodings are apart."""
    return np.array([[x] for x in positions], np.float32)


def facts(*artists: str | None, album: str | None = None) -> list[TrackFacts]:
    # Different lengths, so that no two are one recording.
    return [TrackFacts(None, artist, album, 100.0 + 10 * k) for k, artist in enumerate(artists)]


QUERY = TrackFacts(None, None, None, 1000.0)


def test_nearest_first_without_the_query_itself() -> None:
    found = nearest(line(0, 3, 1, 2), facts(*"abcd"), line(0)[0], QUERY, n=10, exclude=[0])
    assert [(k.index, k.distance) for k in found] == [(2, 1.0), (3, 2.0), (1, 3.0)]


def test_not_more_than_asked_for() -> None:
    found = nearest(line(1, 2, 3), facts(*"abc"), line(0)[0], QUERY, n=2)
    assert [k.index for k in found] == [0, 1]


def test_ranked_by_corrected_distances_but_known_by_the_plain_ones() -> None:
    places = line(0.1, 5, 6, 7)
    tracks = [TrackFacts(None, "a", None, 1000.4), *facts(*"bcd")]
    corrected = np.array([0.9, 0.5, 0.2, 0.5], np.float32)
    found = nearest(places, tracks, line(0)[0], QUERY, n=10, distances=corrected)
    # The first is the query's recording; of the equals the nearer comes first.
    assert [(k.index, round(k.distance, 3)) for k in found] == [(2, 0.2), (1, 0.5), (3, 0.5)]


def test_another_encoding_of_the_query_is_no_answer() -> None:
    places = line(0.1, 5)
    tracks = [TrackFacts(None, "a", None, 1000.4), TrackFacts(None, "b", None, 200.0)]
    found = nearest(places, tracks, line(0)[0], QUERY, n=10)
    assert [k.index for k in found] == [1]


def test_of_two_encodings_only_the_nearer_is_an_answer() -> None:
    tracks = [TrackFacts(None, "a", None, 200.0), TrackFacts(None, "a", None, 200.5)]
    found = nearest(line(5.1, 5), tracks, line(0)[0], QUERY, n=10)
    assert [k.index for k in found] == [1]


def test_at_most_so_many_by_an_artist() -> None:
    found = nearest(
        line(1, 2, 3, 4, 5), facts("a", "a", "a", "b", "a"), line(0)[0], QUERY, n=4,
        max_per_artist=2,
    )  # fmt: skip
    assert [k.index for k in found] == [0, 1, 3]


def test_at_most_so_many_of_an_album_whoever_plays() -> None:
    tracks = [
        TrackFacts(None, artist, album, 100.0 + 10 * k)
        for k, (artist, album) in enumerate(
            [("a", "hits"), ("b", "hits"), ("c", ("hits", "c")), ("d", None), ("d", None)]
        )
    ]
    found = nearest(line(1, 2, 3, 4, 5), tracks, line(0)[0], QUERY, n=9, max_per_album=1)
    assert [k.index for k in found] == [0, 2, 3, 4]


def test_unknown_artists_are_nobodys() -> None:
    found = nearest(
        line(1, 2, 3), facts(None, None, None), line(0)[0], QUERY, n=3, max_per_artist=1
    )
    assert len(found) == 3


@given(
    st.lists(st.tuples(st.floats(0, 100, width=32), st.sampled_from("abc")), max_size=40),
    st.integers(1, 12),
    st.integers(1, 4),
)
def test_the_rules_hold_and_nothing_nearer_is_left_out(
    tracks: list[tuple[float, str]], n: int, most: int
) -> None:
    places = np.reshape([x for x, _ in tracks], (-1, 1)).astype(np.float32)
    artists = [artist for _, artist in tracks]
    found = nearest(places, facts(*artists), line(0)[0], QUERY, n=n, max_per_artist=most)
    distances = [k.distance for k in found]
    assert distances == sorted(distances)
    counts = Counter(artists[k.index] for k in found)
    assert all(count <= most for count in counts.values())
    chosen = {k.index for k in found}
    for index, artist in enumerate(artists):
        left_out = index not in chosen and len(found) == n and places[index, 0] < distances[-1]
        if left_out:
            assert counts[artist] == most
