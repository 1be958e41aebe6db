from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tonotope.discovery import paths
from tonotope.discovery.metrics.lists import path_smoothness
from tonotope.discovery.paths import find_path
from tonotope.discovery.recordings import TrackFacts


def facts_of(artists: list[str | None]) -> list[TrackFacts]:
    return [TrackFacts(None, artist, None, 60.0 + 2 * k) for k, artist in enumerate(artists)]


def on_a_line(*xs: float, artists: list[str | None] | None = None):
    places = np.array([[x, 0] for x in xs], np.float32)
    return places, facts_of(artists or [None] * len(xs))


def test_the_most_even_way_along_a_line() -> None:
    places, facts = on_a_line(0, 100, 10, 20, 50, 52, 80, 77)
    path = find_path(places, facts, 0, 1, 4)
    # 20² + 32² + 48², less than by any other two of the six.
    assert path.rows == [0, 3, 5, 1]
    assert (path.jump, path.n_between) == (100, 6)


def test_everything_on_the_way_in_order() -> None:
    places, facts = on_a_line(100, 0, 60, 20, 40, 80, -10, 120)
    path = find_path(places, facts, 1, 0, 6)
    assert path.rows == [1, 3, 4, 2, 5, 0]
    assert path.steps == pytest.approx([20] * 5)


def test_as_many_as_there_are() -> None:
    places, facts = on_a_line(0, 100, 50)
    assert find_path(places, facts, 0, 1, 12).rows == [0, 2, 1]
    assert find_path(places[:2], facts[:2], 0, 1, 12).rows == [0, 1]


def test_no_artist_follows_himself() -> None:
    artists = ["a", "d", "a", "b", "b", "c"]
    places, facts = on_a_line(0, 100, 20, 40, 60, 80, artists=artists)
    path = find_path(places, facts, 0, 1, 6)
    assert all(artists[a] != artists[b] for a, b in pairwise(path.rows))
    assert len(path.rows) == 4


def test_no_recording_twice() -> None:
    places, _ = on_a_line(0, 100, 50, 50.1, 0.1)
    facts = [TrackFacts(None, None, None, 60.0)] * 5
    assert find_path(places, facts, 0, 1, 12).rows in ([0, 2, 1], [0, 3, 1])


def test_what_is_no_nearer_than_the_jump_is_not_on_the_way() -> None:
    places, facts = on_a_line(0, 10)
    places = np.vstack([places, np.float32([[5, 30]])])
    path = find_path(places, [*facts, TrackFacts(None, None, None, 99)], 0, 1, 3)
    assert path.rows == [0, 1]


@settings(deadline=None, max_examples=60)
@given(st.integers(3, 60), st.integers(2, 14), st.integers(0, 10**6), st.integers(2, 20))
def test_every_step_is_shorter_than_the_jump(n: int, length: int, seed: int, kinds: int) -> None:
    rng = np.random.default_rng(seed)
    places = rng.normal(size=(n, 6)).astype(np.float32)
    artists = [str(k) for k in rng.integers(0, kinds, n)]
    path = find_path(places, facts_of(artists), 0, 1, length)
    assert (path.rows[0], path.rows[-1]) == (0, 1)
    assert len(path.rows) <= length
    assert len(set(path.rows)) == len(path.rows)
    for (a, b), step in zip(pairwise(path.rows), path.steps, strict=True):
        assert step == pytest.approx(float(np.linalg.norm(places[a] - places[b])), abs=1e-4)
        if len(path.rows) > 2:
            assert step < path.jump
            assert artists[a] != artists[b]
    if len(path.rows) > 2:
        assert path_smoothness(places[path.rows]).longest_step < 1


def test_in_a_dense_library_the_way_is_gradual_and_full() -> None:
    rng = np.random.default_rng(5)
    places = rng.normal(size=(5000, 3)).astype(np.float32)
    places[0], places[1] = [-2, 0, 0], [2, 0, 0]
    path = find_path(places, facts_of([None] * 5000), 0, 1, 12)
    assert len(path.rows) == 12
    smoothness = path_smoothness(places[path.rows])
    assert smoothness.longest_step < 0.2
    assert smoothness.detour < 1.5
    # Nearer to the end with every step, and farther from the beginning.
    to_end = np.linalg.norm(places[path.rows] - places[1], axis=1)
    assert (np.diff(to_end) < 0).all()


def test_candidates_are_bounded(monkeypatch) -> None:
    monkeypatch.setattr(paths, "_MOST_CANDIDATES", 30)
    rng = np.random.default_rng(5)
    places = rng.normal(size=(500, 3)).astype(np.float32)
    path = find_path(places, facts_of([None] * 500), 0, 1, 6)
    assert path.n_between <= 30
    assert len(path.rows) == 6
