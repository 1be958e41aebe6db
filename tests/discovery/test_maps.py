from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tonotope.discovery import maps
from tonotope.discovery.map_measures import judge_map
from tonotope.discovery.maps import add_points, best_method, draw_map

coordinates = st.floats(-100, 100, width=32)


def clusters(n_each: int = 30, n_clusters: int = 3) -> tuple[np.ndarray, list[int]]:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(n_clusters), n_each)
    centres = 4 * rng.normal(size=(n_clusters, 12))
    places = centres[labels] + rng.normal(size=(len(labels), 12))
    return places.astype(np.float32), labels.tolist()


# Drawing


@pytest.mark.parametrize(("method", "n_dims"), [("pca", 2), ("pca", 3), ("tsne", 2), ("tsne", 3)])
def test_what_is_alike_is_near_and_the_same_seed_draws_the_same(method: str, n_dims: int) -> None:
    places, labels = clusters()
    before = places.copy()
    points, used = draw_map(places, method, n_dims)
    np.testing.assert_array_equal(places, before)
    assert (used, points.shape, points.dtype) == (method, (90, n_dims), np.float32)
    assert np.abs(points).max() == pytest.approx(1)
    np.testing.assert_array_equal(draw_map(places, method, n_dims).points, points)
    quality = judge_map(places, points, {"cluster": labels})
    assert quality is not None
    assert quality.hits["cluster"].on_map > 0.98
    assert quality.trustworthiness > (0.9 if method == "tsne" else 0.8)


def test_umap_tells_how_far_it_is() -> None:
    pytest.importorskip("umap")
    places, labels = clusters()
    told: list[tuple[int, int]] = []
    points, used = draw_map(places, "umap", 2, on_progress=lambda *step: told.append(step))
    assert used == "umap"
    assert told[-1][0] == told[-1][1] > 100
    np.testing.assert_array_equal(draw_map(places, "umap", 2).points, points)
    quality = judge_map(places, points, {"cluster": labels})
    assert quality is not None
    assert quality.hits["cluster"].on_map > 0.98
    assert quality.trustworthiness > 0.9
    # Four tracks are the fewest that have a neighbourhood.
    few = draw_map(places[:4], "umap", 3)
    assert few.method == "umap"
    assert np.isfinite(few.points).all()


def test_tsne_tells_how_far_it_is() -> None:
    told: list[tuple[int, int]] = []
    draw_map(clusters()[0], "tsne", on_progress=lambda *step: told.append(step))
    assert told == [(done, 750) for done in range(10, 751, 10)]


@pytest.mark.parametrize("method", maps.METHODS)
@pytest.mark.parametrize("n", [1, 2, 3])
def test_too_few_for_neighbourhoods_are_drawn_by_pca(method: str, n: int) -> None:
    places = np.eye(5, dtype=np.float32)[:n]
    points, used = draw_map(places, method)
    assert used == "pca"
    assert points.shape == (n, 2)
    if n == 3:  # a triangle with equal sides stays one
        sides = [np.linalg.norm(points[a] - points[b]) for a, b in ((0, 1), (1, 2), (2, 0))]
        assert sides == pytest.approx([sides[0]] * 3, rel=1e-4)


@pytest.mark.parametrize("method", ["tsne", "pca"])
def test_tracks_that_are_all_the_same_lie_on_one_point(method: str) -> None:
    points, used = draw_map(np.full((20, 6), 0.1, np.float32), method)
    assert used == "pca"
    assert not points.any()


@pytest.mark.parametrize("n_dims", [2, 3])
def test_copies_lie_beside_each_other(n_dims: int) -> None:
    places, _ = clusters(10)
    points = draw_map(np.concatenate([places, places]), "tsne", n_dims).points
    copies = np.linalg.norm(points[:30] - points[30:], axis=1)
    assert np.median(copies) < 0.2


def test_few_columns_do() -> None:
    points = draw_map(np.array([[1], [2], [3], [5], [8]], np.float32), "pca").points
    # The line keeps its proportions; its ends are at -1 and 1.
    np.testing.assert_allclose(np.abs(np.diff(points[:, 0])), np.array([1, 1, 2, 3]) * 2 / 7, 1e-5)
    assert not points[:, 1].any()


@settings(max_examples=30, deadline=None)
@given(hnp.arrays(np.float32, st.tuples(st.integers(1, 12), st.just(4)), elements=coordinates))
def test_any_tracks_can_be_drawn(places: np.ndarray) -> None:
    points = draw_map(places, "pca", 3).points
    assert np.isfinite(points).all()
    assert np.abs(points).max() <= 1


@pytest.mark.parametrize("places", [np.zeros((0, 3)), np.zeros(3), np.array([[np.nan, 1.0]])])
def test_what_are_no_places_are_refused(places: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected"):
        draw_map(places.astype(np.float32), "pca")


def test_the_best_method_is_one_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert best_method(10, 2) == best_method(200_000, 2) == "tsne"
    monkeypatch.setattr(maps, "find_spec", lambda name: None)
    assert (best_method(100, 3), best_method(20_000, 3)) == ("tsne", "pca")
    assert maps.missing_package("umap") == "umap-learn"
    monkeypatch.setattr(maps, "find_spec", lambda name: object())
    assert best_method(20_000, 3) == "umap"


# New tracks


def test_a_new_track_lies_among_its_neighbours_and_not_with_a_stray() -> None:
    places = np.zeros((11, 2), np.float32)
    places[:10, 0] = np.linspace(-0.1, 0.1, 10)
    places[10] = 100
    points = np.zeros((11, 2), np.float32)
    points[9] = [1, 1]  # which the map has put elsewhere
    points[10] = [-1, 0]
    (point,) = add_points(places, points, np.array([[0, 1]], np.float32))
    assert np.abs(point).max() < 0.01  # the mean would be at 0.1


def test_a_track_like_a_mapped_one_gets_its_point() -> None:
    places, _ = clusters(5)
    points = np.random.default_rng(1).uniform(-1, 1, (15, 3)).astype(np.float32)
    np.testing.assert_array_equal(add_points(places, points, places), points)


def test_a_hand_computed_median() -> None:
    # At distances 2, 2 and 2 all count the same, and of three on a line the middle one is it.
    places = np.array([[2, 0], [-2, 0], [0, 2]], np.float32)
    points = np.array([[0, 0], [1, 0], [9, 0]], np.float32)
    (point,) = add_points(places, points, np.zeros((1, 2), np.float32))
    np.testing.assert_allclose(point, [1, 0], atol=0.01)


@settings(max_examples=50, deadline=None)
@given(
    hnp.arrays(np.float32, (12, 3), elements=coordinates),
    hnp.arrays(np.float32, (12, 2), elements=st.floats(-1, 1, width=32)),
    hnp.arrays(np.float32, (4, 3), elements=coordinates),
)
def test_new_points_stay_within_the_map(
    places: np.ndarray, points: np.ndarray, new: np.ndarray
) -> None:
    added = add_points(places, points, new, n_neighbours=5)
    assert (added >= points.min(axis=0) - 1e-6).all()
    assert (added <= points.max(axis=0) + 1e-6).all()
    # Whoever comes along with it: a point does not depend on that.
    np.testing.assert_array_equal(add_points(places, points, new[:1], n_neighbours=5), added[:1])


def test_held_out_tracks_come_to_their_cluster() -> None:
    places, labels = clusters(40)
    points = draw_map(places[::2], "tsne").points
    added = add_points(places[::2], points, places[1::2])
    nearest = np.linalg.norm(added[:, np.newaxis] - points, axis=2).argmin(axis=1)
    assert np.mean(np.array(labels[::2])[nearest] == labels[1::2]) > 0.98
